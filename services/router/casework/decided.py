"""What humans decide of offers, pauses and welfare checks: a table from each kind of decision to what it does.

Every function raises Unacceptable, before it changes anything, for what cannot be decided so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

from schemas.human import HumanDecision
from schemas.vocabulary import DecisionKind, WelfareOutcome
from services.router.casework.act import Acting, tell
from services.router.casework.case import Case, Leg
from services.router.casework.checks import (
    LONGEST_PUT_OFF,
    OUTCOMES,
    check_meant,
    end_checks,
    record_check,
    reschedule_check,
)
from services.router.casework.corrections import Decided, leg_of, word_of
from services.router.casework.enter import enter
from services.router.casework.pauses import (
    AGREE,
    CLOSE,
    DECLINE,
    EXTEND,
    RESUME,
    agree_offer,
    decline_offer,
    extend_pause,
    resume_leg,
    shorten_pause,
)
from services.router.casework.resting import OPEN, CheckStatus, today
from services.router.casework.reviews import refused
from services.router.casework.steps import PauseChanged, ReviewKind, Step
from services.router.rules.decision import Reason

OnLeg: TypeAlias = Callable[[Case, Leg, HumanDecision, Acting], list[Step]]

_HOW_IT_GOES_ON: Final[Mapping[str, DecisionKind]] = MappingProxyType(
    {RESUME: DecisionKind.RESUME_LEG, EXTEND: DecisionKind.EXTEND_PAUSE, CLOSE: DecisionKind.CLOSE_LEG}
)
# What an answer to each kind of question comes to: the same as deciding it outright.
_ANSWERS: Final[Mapping[ReviewKind, Mapping[str, DecisionKind]]] = MappingProxyType(
    {
        ReviewKind.OFFER_LAPSED: {AGREE: DecisionKind.AGREE_OFFER, DECLINE: DecisionKind.DECLINE_OFFER},
        ReviewKind.PAUSE_END: _HOW_IT_GOES_ON,
        ReviewKind.UNTIMED_HOLD: _HOW_IT_GOES_ON,
        ReviewKind.WELFARE_CHECK: dict.fromkeys(OUTCOMES, DecisionKind.RECORD_CHECK),
    }
)


def in_full(case: Case, decision: HumanDecision) -> HumanDecision:
    """An answer to a question about an offer, a pause or a check, as the decision that it comes to. Others stay.

    Raises Unacceptable for an answer that was not offered, or without the day that it needs.
    """
    review = case.open_review(decision.review_id)
    if review is None:
        return decision
    if decision.kind is not DecisionKind.ANSWER_REVIEW or review.kind not in _ANSWERS:
        return decision if decision.leg_id is not None else decision.model_copy(update={"leg_id": review.leg_id})
    kind = _ANSWERS[review.kind].get(decision.answer or "")
    if kind is None:
        raise refused("not_offered", "/answer", f"must be {' or '.join(_ANSWERS[review.kind])}")
    if kind is DecisionKind.EXTEND_PAUSE and decision.on is None:
        raise refused("until_when", "/on", "must say until when")
    if kind is DecisionKind.CLOSE_LEG and decision.reason_code is None:
        raise refused("needs_reason", "/reason_code", "must say why the leg ends")
    found = WelfareOutcome(decision.answer or "") if kind is DecisionKind.RECORD_CHECK else None
    return decision.model_copy(update={"kind": kind, "leg_id": review.leg_id, "welfare_check": found})


def _agree(case: Case, leg: Leg, decision: HumanDecision, acting: Acting) -> list[Step]:
    steps = agree_offer(case, leg, acting, on=decision.on or today(decision.decided_at), word=word_of(decision))
    return steps + _tell(case, leg, "The pause that was offered is agreed.", acting)


def _decline(case: Case, leg: Leg, decision: HumanDecision, acting: Acting) -> list[Step]:  # noqa: ARG001 - one shape
    return decline_offer(case, leg, acting) + _tell(case, leg, "The pause that was offered is declined.", acting)


def _record(case: Case, leg: Leg, decision: HumanDecision, acting: Acting) -> list[Step]:
    """The check that the human was asked about is done, whatever day it was, beside those that the day answers."""
    on = decision.on or today(decision.decided_at)
    steps = record_check(case, leg.id, decision.welfare_check, on=on, acting=acting)
    named = [check for check in case.checks_of(leg.id, OPEN) if decision.review_id in check.asked]
    return steps + end_checks(named, CheckStatus.DONE, acting, outcome=decision.welfare_check)


def _reschedule(case: Case, leg: Leg, decision: HumanDecision, acting: Acting) -> list[Step]:
    assert decision.on is not None  # its model holds that
    check = check_meant(case, leg.id, decision.review_id)
    return reschedule_check(case, check, on=decision.on, reason=decision.reason, acting=acting)


def _mute(case: Case, leg: Leg, decision: HumanDecision, acting: Acting) -> list[Step]:
    assert decision.on is not None
    pause, now_day, until = case.open_pause(leg.id), today(acting.now), decision.on
    latest = max(now_day + LONGEST_PUT_OFF, pause.until_date if pause is not None else now_day)
    if not now_day <= until <= latest:
        raise refused("not_in_the_pause", "/on", "must be today or later, and within the pause")
    muted = [check for check in case.checks_of(leg.id, OPEN) if check.due_on <= until]
    steps = end_checks(muted, CheckStatus.MUTED, acting, reason=decision.reason)
    if pause is not None:
        steps.append(PauseChanged(replace(pause, muted_until=until)))
        enter(case, steps[-1:])
    return steps


def _extend(case: Case, leg: Leg, decision: HumanDecision, acting: Acting) -> list[Step]:
    assert decision.on is not None
    told = "The pause is longer: until" if case.open_pause(leg.id) is not None else "The leg rests until"
    steps = extend_pause(case, leg, decision.on, acting, because=decision.reason, word=word_of(decision))
    return steps + _tell(case, leg, f"{told} {decision.on}.", acting)


def _shorten(case: Case, leg: Leg, decision: HumanDecision, acting: Acting) -> list[Step]:
    assert decision.on is not None
    steps = shorten_pause(case, leg, decision.on, acting, because=decision.reason, word=word_of(decision))
    return steps + _tell(case, leg, f"The pause is shorter: until {decision.on}.", acting)


def _resume(case: Case, leg: Leg, decision: HumanDecision, acting: Acting) -> list[Step]:
    word = word_of(decision)
    steps = resume_leg(case, leg, acting, because=decision.reason, word=word, to=decision.status)
    return steps + _tell(case, leg, "The pause is over: he goes on.", acting)


def _tell(case: Case, leg: Leg, what: str, acting: Acting) -> list[Step]:
    """Its destination hears what was decided elsewhere."""
    return tell(case.legs[leg.id], (Reason("human-decision", what),), acting)


def _of_its_leg(takes: OnLeg) -> Decided:
    """The same, of the leg that the decision names."""
    return lambda case, decision, acting: takes(case, leg_of(case, decision), decision, acting)


_TAKES: Final[Mapping[DecisionKind, OnLeg]] = {
    DecisionKind.AGREE_OFFER: _agree,
    DecisionKind.DECLINE_OFFER: _decline,
    DecisionKind.RECORD_CHECK: _record,
    DecisionKind.RESCHEDULE_CHECK: _reschedule,
    DecisionKind.MUTE_CHECKS: _mute,
    DecisionKind.EXTEND_PAUSE: _extend,
    DecisionKind.SHORTEN_PAUSE: _shorten,
    DecisionKind.RESUME_LEG: _resume,
}
TAKES: Final[Mapping[DecisionKind, Decided]] = MappingProxyType(
    {kind: _of_its_leg(takes) for kind, takes in _TAKES.items()}
)
