"""Of the timers that a batch brings back: which of them ask nothing more."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select, update

from schemas.timer import TimerFellDue
from services.ground.sql import change_in, select_in
from services.ground.work import Work
from services.router import store
from services.router.casework.steps import Step, TimerCancelled

_timer = store.timers.c
_CANCELLED = select(_timer.id).where(_timer.cancelled_at.is_not(None))
_TAKEN = update(store.timers).values(taken_at=bindparam("now"))


class Fallen:
    """The timers of one batch. One that was cancelled while it was on its way asks nothing."""

    def __init__(self, timers: Sequence[TimerFellDue], work: Work) -> None:
        """Read which of these were cancelled."""
        self._timers = timers
        self._cancelled: set[str] = set()
        if not timers:
            return
        keys = [(timer.timer_id,) for timer in timers]
        self._cancelled = {str(row["id"]) for row in select_in(work.connection, _CANCELLED, (_timer.id,), keys)}

    def asks_nothing(self, timer: TimerFellDue) -> bool:
        """Whether it was cancelled before it was taken."""
        return timer.timer_id in self._cancelled

    def follow(self, steps: Sequence[Step]) -> None:
        """An event of the batch led to these steps: what they cancel and is still to be taken asks nothing."""
        if not self._timers:
            return
        cancels = [step for step in steps if isinstance(step, TimerCancelled)]
        for timer in self._timers if cancels else ():
            if any(step.means(timer.timer_id, timer.kind, timer.leg_id, timer.review_id) for step in cancels):
                self._cancelled.add(timer.timer_id)

    def taken(self, work: Work) -> None:
        """Note, last of all, that they were taken: what is cancelled from now on is another promise."""
        change_in(work.connection, _TAKEN, _timer.id, [timer.timer_id for timer in self._timers], now=work.now)
