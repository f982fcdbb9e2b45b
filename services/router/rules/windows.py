"""Counting what happened before, in local days, whatever order it was reported in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from services.router.rules.calendar import local_day
from services.router.rules.declarations import CountWithin, DaysSince
from services.router.rules.events import CaseEvent, PastEvent


def count_within(source: CountWithin, event: CaseEvent, past: Sequence[PastEvent]) -> int:
    """The most events in one stretch that holds this event: the first day and as many days after it as are declared.

    For events told in order this is "in the last 28 days, today included"; an event that is told late finds those that
    came after it, so that the order of telling never hides a repeat.
    """
    reach = timedelta(days=source.days + 2)  # more than any local day can be off
    here = local_day(event.occurred_at).toordinal()
    near = sorted(
        local_day(other.occurred_at).toordinal()
        for other in past
        if other.kind in source.kinds and abs(other.occurred_at - event.occurred_at) <= reach
    )
    starts = {day for day in near if here - source.days <= day <= here} | {here}
    most = max(_between(near, start, start + source.days) for start in starts)
    return most + (event.kind in source.kinds)


def _between(days: Sequence[int], first: int, last: int) -> int:
    return bisect_right(days, last) - bisect_right(days, first - 1)


def days_since(source: DaysSince, event: CaseEvent, past: Sequence[PastEvent]) -> int | None:
    """Days since the last earlier event of these kinds; None: there was none."""
    earlier: list[datetime] = [
        other.occurred_at for other in past if other.kind in source.kinds and other.occurred_at <= event.occurred_at
    ]
    return (local_day(event.occurred_at) - local_day(max(earlier))).days if earlier else None
