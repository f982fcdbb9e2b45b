"""The time axis: where a moment stands, and the ticks that fit, from hours to years, on days of the United Kingdom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Final

from services.ground.clock import LONDON

Measure = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of time on a stretch of a line."""

    start: datetime
    end: datetime
    left: float
    width: float

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.left + self.width

    def at(self, moment: datetime) -> float:
        """Where a moment stands; what is outside stands at the edge."""
        share = (moment - self.start) / (self.end - self.start)
        return self.left + self.width * max(0.0, min(1.0, share))


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment on the axis that has a name."""

    at: datetime
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Ticks:
    """Two rows of names: the fine ones centred on their ticks, the coarse ones right of where each begins."""

    fine: tuple[Tick, ...]
    coarse: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    every: timedelta  # about
    moments: Callable[[datetime, datetime], Iterator[datetime]]
    label: str
    coarse: Callable[[datetime, datetime], Iterator[datetime]]
    coarse_label: str


def ticks_of(axis: Axis, measure: Measure, heading: Measure, gap: float) -> Ticks:
    """The finest ticks whose names stand `gap` apart, and the days, months or years that they are in.

    `measure` tells how wide a fine name is, `heading` how wide a coarse one.
    """
    for step in _STEPS:
        if (axis.end - axis.start) / step.every * gap > axis.width:
            continue
        fine = [tick for tick in _ticks(axis, step.moments, step.label) if _inside(tick, axis, measure)]
        if all(_apart(one, other, measure) >= gap for one, other in pairwise(fine)):
            return Ticks(tuple(fine), _coarse(axis, step, heading, gap))
    return Ticks((), ())


def _ticks(axis: Axis, moments: Callable[[datetime, datetime], Iterator[datetime]], label: str) -> list[Tick]:
    found = {at.timestamp(): at for at in moments(axis.start, axis.end) if axis.start <= at <= axis.end}
    return [Tick(at, axis.at(at), _named(at, label)) for at in found.values()]


def _named(at: datetime, label: str) -> str:
    there = at.astimezone(LONDON)
    return there.strftime(label.replace("{day}", str(there.day)))


def _inside(tick: Tick, axis: Axis, measure: Measure) -> bool:
    half = measure(tick.label) / 2
    return axis.left <= tick.x - half and tick.x + half <= axis.right


def _apart(one: Tick, other: Tick, measure: Measure) -> float:
    return (other.x - measure(other.label) / 2) - (one.x + measure(one.label) / 2)


def _coarse(axis: Axis, step: _Step, measure: Measure, gap: float) -> tuple[Tick, ...]:
    """The larger stretches; the first of them begins before the axis. A name that does not fit before the next is
    left out."""
    begins = _ticks(axis, step.coarse, step.coarse_label)
    first = Tick(axis.start, axis.left, _named(axis.start, step.coarse_label))
    if not begins or begins[0].x > axis.left:
        begins = [first, *begins]
    ends = [tick.x for tick in begins[1:]] + [axis.right]
    return (
        tuple(tick for tick, end in zip(begins, ends, strict=True) if tick.x + measure(tick.label) + gap <= end)
        if step.coarse_label
        else ()
    )


def _hours(every: int) -> Callable[[datetime, datetime], Iterator[datetime]]:
    def moments(start: datetime, end: datetime) -> Iterator[datetime]:
        for midnight in _days(1)(start, end):
            for hour in range(0, 24, every):
                yield datetime.combine(midnight.date(), time(hour), LONDON)

    return moments


def _days(every: int) -> Callable[[datetime, datetime], Iterator[datetime]]:
    def moments(start: datetime, end: datetime) -> Iterator[datetime]:
        day = start.astimezone(LONDON).date()
        while day <= end.astimezone(LONDON).date():
            if day.toordinal() % every == 0:
                yield _midnight(day)
            day += timedelta(days=1)

    return moments


def _weeks(every: int) -> Callable[[datetime, datetime], Iterator[datetime]]:
    def moments(start: datetime, end: datetime) -> Iterator[datetime]:
        for midnight in _days(1)(start, end):
            if midnight.weekday() == 0 and midnight.toordinal() // 7 % every == 0:
                yield midnight

    return moments


def _months(every: int) -> Callable[[datetime, datetime], Iterator[datetime]]:
    def moments(start: datetime, end: datetime) -> Iterator[datetime]:
        year, month = start.astimezone(LONDON).year, 1
        year -= year % max(1, every // 12)
        while (midnight := _midnight(date(year, month, 1))) <= end:
            yield midnight
            year, month = year + (month + every - 1) // 12, (month + every - 1) % 12 + 1

    return moments


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), LONDON)


_STEPS: Final[Sequence[_Step]] = (
    *(_Step(timedelta(hours=n), _hours(n), "%H:%M", _days(1), "%a {day} %b %Y") for n in (1, 3, 6, 12)),
    *(_Step(timedelta(days=n), _days(n), "%a {day}", _months(1), "%B %Y") for n in (1, 2)),
    *(_Step(timedelta(weeks=n), _weeks(n), "{day} %b", _months(12), "%Y") for n in (1, 2)),
    *(_Step(timedelta(days=30 * n), _months(n), "%b", _months(12), "%Y") for n in (1, 2, 3, 6)),
    *(_Step(timedelta(days=365 * n), _months(12 * n), "%Y", _months(12), "") for n in (1, 2, 5, 10, 50)),
)
