"""A progress event: what a destination tells of its leg."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, model_validator

from schemas.base import Day, Moment, Narrative, Payload, Sentence, SetOf, Slug, ValidLegId
from schemas.envelope import EventData, EventType
from schemas.vocabulary import PauseParty, PauseReason, ProgressKind, WelfareOutcome

NEED_A_REASON: Final = frozenset({ProgressKind.DECLINED, ProgressKind.CLOSED})


class Pause(Payload):
    """A time in which a leg rests: paused, not removed."""

    reason: PauseReason
    from_date: Day  # the first day of rest
    until_date: Day  # the day on which the leg is looked at again, by a person
    agreed_by: SetOf[PauseParty]

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.from_date >= self.until_date:
            raise ValueError("from_date must be before until_date")
        return self


class ProgressReported(EventData):
    """What a destination did with, or learned on, one leg.

    Source: the destination itself, or the facilitator's organisation.
    """

    event_type: ClassVar[EventType] = EventType.PROGRESS_REPORTED

    leg_id: ValidLegId
    kind: ProgressKind
    occurred_at: Moment
    reason: Sentence | None = None  # why declined or closed, in words
    session_number: Annotated[int, Field(ge=1, le=1_000)] | None = None
    waitlist_place: Annotated[int, Field(ge=1, le=100_000)] | None = None  # 1 is next
    expected_on: Day | None = None  # when a start or an answer may be expected
    pause: Pause | None = None
    welfare_check: WelfareOutcome | None = None
    note: Narrative | None = None
    reason_code: Slug | None = None  # the reason as pathway.yaml lists it, where the destination knows our codes

    @model_validator(mode="after")
    def _says_what_its_kind_needs(self) -> Self:
        if self.kind in NEED_A_REASON and self.reason is None:
            raise ValueError(f"{self.kind} needs a reason")
        if self.kind is ProgressKind.PAUSE_AGREED:
            if self.pause is None:
                raise ValueError("pause_agreed needs pause")
            if self.pause.agreed_by != frozenset(PauseParty):
                raise ValueError("a pause is agreed by the person and the facilitator, both")
        return self
