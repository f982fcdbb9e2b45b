"""What a human decided. It comes in at intake like every other event."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from schemas.base import (
    Day,
    EventId,
    Moment,
    OurId,
    Payload,
    Sentence,
    Several,
    ShortText,
    Slug,
    ValidLegId,
    ValidPersonId,
)
from schemas.envelope import EventData, EventType
from schemas.vocabulary import DecisionKind, LegStatus, WelfareOutcome

# What each kind cannot do without. A refusal or confirmation may name the review, the leg or both.
_NEEDS: dict[DecisionKind, tuple[str, ...]] = {
    DecisionKind.ANSWER_REVIEW: ("review_id",),
    DecisionKind.CORRECT_STATUS: ("leg_id", "status"),
    DecisionKind.REOPEN_LEG: ("leg_id",),
    DecisionKind.CLOSE_LEG: ("leg_id", "reason_code"),
    DecisionKind.MERGE_PERSONS: ("person_id", "other_person_id"),
    DecisionKind.KEEP_PERSONS_APART: ("person_id", "other_person_id"),
    DecisionKind.RECORD_CHECK: ("welfare_check",),
    DecisionKind.RESCHEDULE_CHECK: ("on",),
    DecisionKind.MUTE_CHECKS: ("leg_id", "on"),
    DecisionKind.EXTEND_PAUSE: ("on",),
    DecisionKind.SHORTEN_PAUSE: ("leg_id", "on"),
    DecisionKind.RESUME_LEG: ("leg_id",),
    DecisionKind.SNOOZE: ("review_id", "until"),
    DecisionKind.UNMERGE_PERSONS: ("person_id", "other_person_id"),
}

_NEED_REVIEW_OR_LEG = frozenset(
    {
        DecisionKind.CONFIRM_ROUTE,
        DecisionKind.REFUSE_ROUTE,
        DecisionKind.AGREE_OFFER,
        DecisionKind.DECLINE_OFFER,
        DecisionKind.RECORD_CHECK,
        DecisionKind.RESCHEDULE_CHECK,
        DecisionKind.EXTEND_PAUSE,
    }
)


class DecidedBy(Payload):
    """Who answers for the decision. A user of the console, never a program."""

    user: EventId
    role: ShortText
    organisation: ShortText


class HumanDecision(EventData):
    """A human's answer, confirmation, refusal or correction, with its reason."""

    event_type: ClassVar[EventType] = EventType.DECISION_MADE

    kind: DecisionKind
    decided_by: DecidedBy
    decided_at: Moment
    reason: Sentence
    review_id: OurId | None = None  # the question that this answers
    leg_id: ValidLegId | None = None
    person_id: ValidPersonId | None = None
    other_person_id: ValidPersonId | None = None
    answer: ShortText | None = None  # one of those that the review offered
    fact: Slug | None = None  # a fact that the rules lacked
    value: ShortText | None = None  # what it is
    status: LegStatus | None = (
        None  # correct_status: what it should be; reopen_leg, resume_leg, close_leg: what it is from now on
    )
    reason_code: Slug | None = None  # the reason as pathway.yaml lists it; close_leg cannot do without
    shown: Several[OurId] = ()  # the records that were on the screen when it was decided
    on: Day | None = None  # a pause's new last day; a check's new day, or the day on which it was done, or mute ends
    welfare_check: WelfareOutcome | None = None  # record_check: what it found
    until: Moment | None = None  # snooze: when the question is to come back

    @model_validator(mode="after")
    def _says_what_its_kind_needs(self) -> Self:
        for field in _NEEDS.get(self.kind, ()):
            if getattr(self, field) is None:
                raise ValueError(f"{self.kind} needs {field}")
        if self.kind in _NEED_REVIEW_OR_LEG and not (self.review_id or self.leg_id):
            raise ValueError(f"{self.kind} needs review_id or leg_id")
        if (self.fact is None) != (self.value is None):
            raise ValueError("fact and value go together")
        if self.person_id is not None and self.person_id == self.other_person_id:
            raise ValueError("person_id and other_person_id must differ")
        return self
