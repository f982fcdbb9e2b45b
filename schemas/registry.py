"""Which model belongs to which type, and the two ways in which whole messages are read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from schemas.audit import AuditEntry
from schemas.envelope import AcceptedEvent, Channel, Envelope, EventData, EventType
from schemas.human import HumanDecision
from schemas.progress import ProgressReported
from schemas.quarantine import QuarantinedMessage
from schemas.reading import Unreadable, decode, fit
from schemas.receipt import OutcomeReported, Problem, Receipt
from schemas.referral import ReferralSubmitted
from schemas.risk import RiskReported
from schemas.route import RouteCommand, RoutedReferral
from schemas.timer import TimerFellDue

Submission: TypeAlias = (
    Envelope[ReferralSubmitted]
    | Envelope[RiskReported]
    | Envelope[ProgressReported]
    | Envelope[HumanDecision]
    | Envelope[TimerFellDue]
)
Accepted: TypeAlias = (
    AcceptedEvent[ReferralSubmitted]
    | AcceptedEvent[RiskReported]
    | AcceptedEvent[ProgressReported]
    | AcceptedEvent[HumanDecision]
    | AcceptedEvent[TimerFellDue]
)

# What intake takes on each channel. A new version stands beside the old one, the newest last.
INTAKE: Final[Mapping[Channel, Mapping[EventType, type[Submission]]]] = MappingProxyType(
    {
        Channel.REFERRAL: {EventType.REFERRAL_SUBMITTED: Envelope[ReferralSubmitted]},
        Channel.RISK: {EventType.RISK_REPORTED: Envelope[RiskReported]},
        Channel.PROGRESS: {EventType.PROGRESS_REPORTED: Envelope[ProgressReported]},
        Channel.DECISION: {EventType.DECISION_MADE: Envelope[HumanDecision]},
        Channel.TIMER: {EventType.TIMER_FELL_DUE: Envelope[TimerFellDue]},
    }
)

ACCEPTED: Final[Mapping[Channel, type[Accepted]]] = MappingProxyType(
    {
        Channel.REFERRAL: AcceptedEvent[ReferralSubmitted],
        Channel.RISK: AcceptedEvent[RiskReported],
        Channel.PROGRESS: AcceptedEvent[ProgressReported],
        Channel.DECISION: AcceptedEvent[HumanDecision],
        Channel.TIMER: AcceptedEvent[TimerFellDue],
    }
)

DATA: Final[Mapping[EventType, type[EventData]]] = MappingProxyType(
    {
        model.event_type: model
        for model in (
            ReferralSubmitted,
            RiskReported,
            ProgressReported,
            HumanDecision,
            RouteCommand,
            RoutedReferral,
            Receipt,
            AuditEntry,
            QuarantinedMessage,
            OutcomeReported,
            TimerFellDue,
        )
    }
)


def read_submission(raw: bytes, channel: Channel) -> Submission:
    """A message of a source, as intake reads it: unknown fields are refused, for a misspelt one must not vanish.

    Raises `Unreadable` with all that is wrong. It does not compare the envelope's source with the subject.
    """
    decoded = decode(raw)
    models = INTAKE[channel]
    stated = decoded.get("type") if isinstance(decoded, dict) else None
    if isinstance(stated, str) and stated in models:
        return fit(raw, models[EventType(stated)], extra="forbid")
    newest = list(models.values())[-1]
    expected = Problem(place="/type", message=f"must be {' or '.join(models)} on this channel")
    try:
        fit(raw, newest, extra="forbid")
    except Unreadable as error:
        others = [problem for problem in error.problems if problem.place != "/type"]
    else:
        others = []
    raise Unreadable([expected, *others])


def read_accepted(raw: bytes, channel: Channel) -> Accepted:
    """An event of ours, as every service behind intake reads it: fields that a newer intake added are tolerated.

    It was read strictly when it came in, and was written by us since. Raises `Unreadable`.
    """
    return fit(raw, ACCEPTED[channel], extra="ignore")
