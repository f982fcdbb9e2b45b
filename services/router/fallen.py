"""Of the timers that a batch brings back: what the case must know to look again, and which of them ask nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import select, update

from schemas.timer import TimerFellDue
from services.ground.sql import select_in
from services.ground.work import Work
from services.router import store
from services.router.casework.case import Case
from services.router.casework.reviews import Review
from services.router.casework.steps import ReviewKind, Step, TimerCancelled

_timer, _review = store.timers.c, store.reviews.c
_CANCELLED = select(_timer.id).where(_timer.cancelled_at.is_not(None))
_OPEN = select(store.reviews).where(_review.answered_at.is_(None))


class Fallen:
    """The timers of one batch. One that was cancelled while it was on its way asks nothing."""

    def __init__(self, timers: Sequence[TimerFellDue], cases: Mapping[str, Case], work: Work) -> None:
        """Read what these timers need."""
        self._timers = timers
        self._cancelled: set[str] = set()
        if not timers:
            return
        keys = [(timer.timer_id,) for timer in timers]
        self._cancelled = {str(row["id"]) for row in select_in(work.connection, _CANCELLED, (_timer.id,), keys)}
        persons = {person for timer in timers if (person := str(timer.person_id)) in cases}
        for row in select_in(work.connection, _OPEN, (_review.person_id,), [(p,) for p in sorted(persons)]):
            cases[str(row["person_id"])].reviews[str(row["id"])] = _read(row)

    def asks_nothing(self, timer: TimerFellDue) -> bool:
        """Whether it was cancelled before it was taken."""
        return timer.timer_id in self._cancelled

    def follow(self, steps: Sequence[Step]) -> None:
        """An event of the batch led to these steps: what they cancel and is still to be taken asks nothing."""
        cancels = [step for step in steps if isinstance(step, TimerCancelled)]
        for timer in self._timers if cancels else ():
            if any(step.means(timer.timer_id, timer.kind, timer.leg_id, timer.review_id) for step in cancels):
                self._cancelled.add(timer.timer_id)

    def taken(self, work: Work) -> None:
        """Note, last of all, that they were taken: what is cancelled from now on is another promise."""
        if self._timers:
            these = update(store.timers).where(_timer.id.in_([timer.timer_id for timer in self._timers]))
            work.connection.execute(these.values(taken_at=work.now))


def _read(row: Mapping[str, object]) -> Review:
    return Review(
        id=str(row["id"]),
        kind=ReviewKind(str(row["kind"])),
        question=str(row["question"]),
        role=str(row["role"]),
        due_at=cast(datetime, row["due_at"]),
        event_id=str(row["event_id"]),
        leg_id=str(row["leg_id"]) if row["leg_id"] is not None else None,
        put_at=cast(datetime, row["moved_at"] or row["asked_at"]),
    )
