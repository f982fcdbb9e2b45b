"""By when: `4 hours`, `4 working hours`, `2 working days`. Rules say it in words; a moment is made of it later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class WorkingTime(Protocol):
    """What knows when people work."""

    def working_days_after(self, moment: datetime, days: int) -> datetime:
        """The end of the working day that comes this many working days after the moment."""
        ...

    def working_hours_after(self, moment: datetime, hours: int) -> datetime:
        """The moment by which people have worked for so many hours since."""
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """A due time: hours that run day and night, working days, hours of work, or whichever of these comes first.

    Two rules may ask `30 hours` and `1 working day`; which is sooner depends on the day, so both are kept.
    """

    hours: int | None = None
    working_days: int | None = None
    working_hours: int | None = None

    def __str__(self) -> str:
        counted = ((self.hours, "hour"), (self.working_hours, "working hour"), (self.working_days, "working day"))
        said = [part for number, unit in counted if (part := _counted(number, unit))]
        return " or ".join(said) + (", whichever is first" if len(said) > 1 else "")


def sooner(one: Due, other: Due) -> Due:
    """The earlier of two due times, whatever day it is."""
    if one is other:
        return one
    return Due(
        _least(one.hours, other.hours),
        _least(one.working_days, other.working_days),
        _least(one.working_hours, other.working_hours),
    )


def resolve_due(due: Due, at: datetime, calendar: WorkingTime) -> datetime:
    """The moment, in UTC, by which something decided at `at` is due."""
    moments = []
    if due.hours is not None:
        moments.append(at.astimezone(UTC) + timedelta(hours=due.hours))
    if due.working_days is not None:
        moments.append(calendar.working_days_after(at, due.working_days))
    if due.working_hours is not None:
        moments.append(calendar.working_hours_after(at, due.working_hours))
    return min(moments)


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _counted(number: int | None, unit: str) -> str:
    return "" if number is None else f"{number} {unit}{'' if number == 1 else 's'}"
