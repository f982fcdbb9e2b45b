"""What a decision is taken about: one event, and what is known of the case before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from schemas.human import HumanDecision
from schemas.progress import ProgressReported
from schemas.referral import ReferralSubmitted
from schemas.risk import RiskReported
from schemas.timer import TimerFellDue
from schemas.vocabulary import LegStatus

Reported: TypeAlias = ReferralSubmitted | RiskReported | ProgressReported | HumanDecision | TimerFellDue

Kept: TypeAlias = str | int | bool | list[str] | None  # what a case remembers of a fact, as plain JSON


class EventKind(StrEnum):
    """Every kind of event that rules can be written for. A test holds this list to the published vocabulary."""

    REFERRAL = "referral"

    RELAPSE = "relapse"
    LOW_MOOD = "low_mood"
    SUICIDAL_IDEATION = "suicidal_ideation"
    NEW_INCIDENT = "new_incident"
    THREAT = "threat"
    BREACH_OF_ORDER = "breach_of_order"
    DISENGAGED = "disengaged"
    MISSED_SESSION = "missed_session"
    MISSED_WELFARE_CHECK = "missed_welfare_check"
    CONTEXTUAL = "contextual"
    PROTECTIVE = "protective"
    WELFARE_CONCERN = "welfare_concern"

    PROGRESS_ACKNOWLEDGED = "progress_acknowledged"
    PROGRESS_ACCEPTED = "progress_accepted"
    PROGRESS_DECLINED = "progress_declined"
    PROGRESS_WAITLISTED = "progress_waitlisted"
    PROGRESS_NO_CAPACITY = "progress_no_capacity"
    PROGRESS_ADDITIONAL_ASSESSMENT = "progress_additional_assessment"
    PROGRESS_FIRST_CONTACT = "progress_first_contact"
    PROGRESS_STARTED = "progress_started"
    PROGRESS_ATTENDED = "progress_attended"
    PROGRESS_MISSED = "progress_missed"
    PROGRESS_OFFER_AGREED = "progress_offer_agreed"
    PROGRESS_OFFER_DECLINED = "progress_offer_declined"
    PROGRESS_PAUSE_AGREED = "progress_pause_agreed"
    PROGRESS_RESUMED = "progress_resumed"
    PROGRESS_WELFARE_CHECK_DONE = "progress_welfare_check_done"
    PROGRESS_COMPLETED = "progress_completed"
    PROGRESS_CLOSED = "progress_closed"

    DECISION_ANSWER_REVIEW = "decision_answer_review"
    DECISION_CONFIRM_ROUTE = "decision_confirm_route"
    DECISION_REFUSE_ROUTE = "decision_refuse_route"
    DECISION_MERGE_PERSONS = "decision_merge_persons"
    DECISION_KEEP_PERSONS_APART = "decision_keep_persons_apart"
    DECISION_CORRECT_STATUS = "decision_correct_status"
    DECISION_REOPEN_LEG = "decision_reopen_leg"
    DECISION_AGREE_OFFER = "decision_agree_offer"
    DECISION_DECLINE_OFFER = "decision_decline_offer"
    DECISION_RECORD_CHECK = "decision_record_check"
    DECISION_RESCHEDULE_CHECK = "decision_reschedule_check"
    DECISION_MUTE_CHECKS = "decision_mute_checks"
    DECISION_EXTEND_PAUSE = "decision_extend_pause"
    DECISION_SHORTEN_PAUSE = "decision_shorten_pause"
    DECISION_RESUME_LEG = "decision_resume_leg"
    DECISION_CLOSE_LEG = "decision_close_leg"
    DECISION_SNOOZE = "decision_snooze"
    DECISION_UNMERGE_PERSONS = "decision_unmerge_persons"

    TIMER_ACKNOWLEDGEMENT = "timer_acknowledgement"
    TIMER_FIRST_CONTACT = "timer_first_contact"
    TIMER_REVIEW = "timer_review"
    TIMER_OFFER = "timer_offer"
    TIMER_WELFARE_CHECK = "timer_welfare_check"
    TIMER_CHECK_ESCALATION = "timer_check_escalation"
    TIMER_PAUSE_REVIEW = "timer_pause_review"
    TIMER_SNOOZE = "timer_snooze"


def kind_of(payload: Reported) -> EventKind:
    """The kind of event that a payload reports."""
    if isinstance(payload, ReferralSubmitted):
        return EventKind.REFERRAL
    if isinstance(payload, RiskReported):
        return EventKind(payload.kind)
    if isinstance(payload, ProgressReported):
        return EventKind(f"progress_{payload.kind}")
    if isinstance(payload, TimerFellDue):
        return EventKind(f"timer_{payload.kind}")
    return EventKind(f"decision_{payload.kind}")


def payload_of(kind: EventKind) -> type[Reported]:
    """The payload that reports this kind of event."""
    if kind is EventKind.REFERRAL:
        return ReferralSubmitted
    if kind.startswith("progress_"):
        return ProgressReported
    if kind.startswith("timer_"):
        return TimerFellDue
    return HumanDecision if kind.startswith("decision_") else RiskReported


def tells(kind: str) -> bool:
    """Whether a destination may read its content. What a human wrote goes to nobody, and a timer tells nothing."""
    return not kind.startswith(("decision_", "timer_"))


class CaseEvent(NamedTuple):
    """One event about one person."""

    kind: EventKind
    payload: Reported
    occurred_at: datetime
    received_at: datetime
    destination: str | None = None  # whose leg it is about; None: about no leg


class LegView(NamedTuple):
    """Where a leg stands, and since when."""

    status: LegStatus
    since: datetime


class PastEvent(NamedTuple):
    """Something that happened to this person, already taken."""

    kind: str  # an EventKind's value
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class CaseView:
    """What is known of a person before the event. Without legs and events: a person who is new to us."""

    legs: Mapping[str, LegView] = field(default_factory=dict)  # by destination
    events: Sequence[PastEvent] = ()  # this event is not among them
    remembered: Mapping[str, Kept] = field(default_factory=dict)  # by fact, as `facts.remember` gave it
