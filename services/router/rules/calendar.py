"""Working days, bank holidays and holiday seasons, in local days of Europe/London."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import holidays

if TYPE_CHECKING:
    from holidays.countries.united_kingdom import UnitedKingdom

LONDON = ZoneInfo("Europe/London")
DAYS_TO_HOLIDAY_MAX = 366  # a bank holiday is never further away than this
DAY_STARTS = time(9)  # where a calendar names no other time
_ONE_DAY = timedelta(days=1)


class Nation(StrEnum):
    """Whose bank holidays count."""

    ENGLAND_AND_WALES = "england_and_wales"
    SCOTLAND = "scotland"
    NORTHERN_IRELAND = "northern_ireland"


_SUBDIVISION = {Nation.ENGLAND_AND_WALES: "ENG", Nation.SCOTLAND: "SCT", Nation.NORTHERN_IRELAND: "NIR"}


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Days from one to another, both included, and what they are."""

    first: date
    last: date
    name: str


@dataclass(frozen=True, slots=True, order=True)
class Season:
    """A stretch of every year that people call a holiday; it may run over the new year."""

    name: str
    first: tuple[int, int]  # month, day
    last: tuple[int, int]

    def in_year(self, year: int) -> Span:
        """The season that begins in this year."""
        over = 1 if self.last < self.first else 0
        return Span(date(year, *self.first), date(year + over, *self.last), self.name)


class Calendar:
    """The service's calendar. Bank holidays are computed for whatever years are asked about.

    It holds no state that shows: what it keeps is only remembered, so that asking again is cheap.
    """

    def __init__(
        self,
        nation: Nation,
        *,
        day_ends: time,
        closures: Sequence[Span],
        seasons: Sequence[Season],
        day_starts: time = DAY_STARTS,
    ) -> None:
        """The working day starts before it ends: raises ValueError otherwise."""
        if day_starts >= day_ends:
            raise ValueError("a working day starts before it ends")
        self.nation = nation
        self.day_starts = day_starts
        self.day_ends = day_ends
        self.closures = tuple(sorted(closures))
        self.seasons = tuple(sorted(seasons))
        self._days_to_holiday = lru_cache(maxsize=4096)(self._count_days_to_holiday)
        self._end_of_working_day = lru_cache(maxsize=4096)(self._count_working_days)
        self._bank_holidays = lru_cache(maxsize=256)(lambda year: bank_holidays(nation, year))

    def is_working_day(self, day: date) -> bool:
        """Monday to Friday, no bank holiday, not closed."""
        if day.weekday() >= 5 or day in self._bank_holidays(day.year):
            return False
        return not any(closure.first <= day <= closure.last for closure in self.closures)

    def working_days_after(self, moment: datetime, days: int) -> datetime:
        """The end, in UTC, of the working day that comes this many working days after the moment's own day."""
        return self._end_of_working_day(local_day(moment), days)

    def _count_working_days(self, day: date, days: int) -> datetime:
        while days > 0:
            day += _ONE_DAY
            days -= self.is_working_day(day)
        return moment_of(day, self.day_ends)

    def working_hours_after(self, moment: datetime, hours: int) -> datetime:
        """The moment, in UTC, by which people have worked for so many hours since. Nights and days off do not count."""
        left, now, day = timedelta(hours=hours), moment.astimezone(UTC), local_day(moment)
        while True:
            if self.is_working_day(day):
                start, end = max(now, moment_of(day, self.day_starts)), moment_of(day, self.day_ends)
                worked = max(end - start, timedelta())
                if left <= worked:
                    return start + left
                left -= worked
            day += _ONE_DAY

    def days_to_holiday(self, day: date) -> int:
        """Days until the next bank holiday or holiday season; 0 on one."""
        return self._days_to_holiday(day)

    def _count_days_to_holiday(self, day: date) -> int:
        years = (day.year - 1, day.year, day.year + 1)
        spans = [season.in_year(year) for year in years for season in self.seasons]
        if any(span.first <= day <= span.last for span in spans):
            return 0
        starts = sorted({span.first for span in spans}.union(*(self._bank_holidays(year) for year in years)))
        return min((starts[bisect_left(starts, day)] - day).days, DAYS_TO_HOLIDAY_MAX)


def moment_of(day: date, at: time) -> datetime:
    """A local time of a day in London as a moment, in UTC.

    A time that the clocks leave out in spring is counted by the old clock (01:30 is then what the new one calls 02:30).
    One that comes twice in autumn is the first of the two.
    """
    return datetime.combine(day, at, tzinfo=LONDON).astimezone(UTC)


@lru_cache(maxsize=4096)
def local_day(moment: datetime) -> date:
    """The day that people in London call this moment."""
    return moment.astimezone(LONDON).date()


@lru_cache(maxsize=256)
def bank_holidays(nation: Nation, year: int) -> frozenset[date]:
    """The nation's bank holidays of a year, substitutes included."""
    return frozenset(_united_kingdom()(subdiv=_SUBDIVISION[nation], years=year))


@cache
def _united_kingdom() -> type[UnitedKingdom]:
    """Read from its own file: its package would first load every country of the world, in each process that starts."""
    spec = spec_from_file_location("united_kingdom", f"{holidays.__path__[0]}/countries/united_kingdom.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    country: type[UnitedKingdom] = module.UnitedKingdom
    return country
