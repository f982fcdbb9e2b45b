"""By when: `4 hours`, `2 working days`. Rules say it in words; a moment is made of it after the decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class WorkingDays(Protocol):
    """What knows which days people work."""

    def working_days_after(self, moment: datetime, days: int) -> datetime:
        """The end of the working day that comes this many working days after the moment."""
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """A due time: hours that run day and night, working days, or whichever of the two comes first.

    Two rules may ask `30 hours` and `1 working day`; which is sooner depends on the day, so both are kept.
    """

    hours: int | None = None
    working_days: int | None = None

    def __str__(self) -> str:
        said = [_counted(self.hours, "hour"), _counted(self.working_days, "working day")]
        return " or ".join(part for part in said if part) + (", whichever is first" if all(said) else "")


def sooner(one: Due, other: Due) -> Due:
    """The earlier of two due times, whatever day it is."""
    if one is other:
        return one
    return Due(_least(one.hours, other.hours), _least(one.working_days, other.working_days))


def resolve_due(due: Due, at: datetime, calendar: WorkingDays) -> datetime:
    """The moment, in UTC, by which something decided at `at` is due."""
    moments = []
    if due.hours is not None:
        moments.append(at.astimezone(UTC) + timedelta(hours=due.hours))
    if due.working_days is not None:
        moments.append(calendar.working_days_after(at, due.working_days))
    return min(moments)


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _counted(number: int | None, unit: str) -> str:
    return "" if number is None else f"{number} {unit}{'' if number == 1 else 's'}"
