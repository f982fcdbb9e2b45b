"""What a welfare check brings to light is itself a risk event: rules decide it, and their windows count it."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from schemas.base import LegId, Narrative
from schemas.human import HumanDecision
from schemas.person import PersonRef
from schemas.progress import ProgressReported
from schemas.risk import RiskReported
from schemas.timer import TimerFellDue
from schemas.vocabulary import DecisionKind, ProgressKind, RiskKind, TimerKind, WelfareOutcome
from services.router.casework.case import Case
from services.router.casework.resting import CheckStatus
from services.router.rules.events import Reported

Data: TypeAlias = Reported | TimerFellDue


def as_risk(case: Case, data: Data) -> RiskReported | None:
    """The risk that an event tells of, beside what it does: a check that found a concern, or that nobody did in time.

    Asked before the event changes the case; a human's decision is given in full (`decided.in_full`).
    """
    match data:
        case ProgressReported(kind=ProgressKind.WELFARE_CHECK_DONE, welfare_check=WelfareOutcome.CONCERN):
            return _risk(RiskKind.WELFARE_CONCERN, data.leg_id, data.occurred_at, data.note)
        case HumanDecision(kind=DecisionKind.RECORD_CHECK, welfare_check=WelfareOutcome.CONCERN):
            return _risk(RiskKind.WELFARE_CONCERN, data.leg_id, data.decided_at)
        case TimerFellDue(kind=TimerKind.CHECK_ESCALATION) if _first_missed(case, data):
            return _risk(RiskKind.MISSED_WELFARE_CHECK, data.leg_id, data.due_at)
    return None


def _risk(kind: RiskKind, leg_id: LegId | None, at: datetime, note: Narrative | None = None) -> RiskReported | None:
    return RiskReported(about=PersonRef(leg_id=leg_id), kind=kind, occurred_at=at, note=note) if leg_id else None


def _first_missed(case: Case, timer: TimerFellDue) -> bool:
    """Does this timer find a check that was asked for once, and not done? Later roles hear of the same miss."""
    due = case.checks_of(str(timer.leg_id), {CheckStatus.DUE})
    return any(check.next_at is not None and check.next_at <= timer.due_at for check in due)
