"""A timer that fell due. It comes in at intake, on the person's own order, like every other event."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import Moment, OurId, ValidLegId, ValidPersonId
from schemas.envelope import EventData, EventType
from schemas.vocabulary import TimerKind


class TimerFellDue(EventData):
    """Something was promised to be looked at, and its time has come. It asks; it decides nothing."""

    event_type: ClassVar[EventType] = EventType.TIMER_FELL_DUE

    timer_id: OurId
    person_id: ValidPersonId
    kind: TimerKind
    due_at: Moment  # when it was due, which is not when it was noticed
    leg_id: ValidLegId | None = None
    review_id: OurId | None = None
