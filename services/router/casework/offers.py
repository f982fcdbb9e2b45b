"""Offers of a pause: made once for an event, never twice at a time. Answering them is in `pauses`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from schemas.vocabulary import PauseReason, RiskKind, TimerKind
from services.router.casework.case import Case, Leg
from services.router.casework.enter import enter
from services.router.casework.resting import Offer, OfferAnswer
from services.router.casework.reviews import refused
from services.router.casework.steps import OfferAnswered, PauseOffered, ReviewAnswered, Step, TimerSet
from services.router.rules.decision import OfferDecided

if TYPE_CHECKING:
    from services.router.casework.act import Acting  # which makes offers, and so stands on this

# What a pause is for, where it is agreed as it was offered. Whoever agrees on other terms states their own reason.
_REASONS: Final[Mapping[str, PauseReason]] = MappingProxyType(
    {
        RiskKind.RELAPSE.value: PauseReason.RELAPSE,
        RiskKind.LOW_MOOD.value: PauseReason.MENTAL_HEALTH,
        RiskKind.SUICIDAL_IDEATION.value: PauseReason.MENTAL_HEALTH,
        RiskKind.NEW_INCIDENT.value: PauseReason.SAFETY,
        RiskKind.THREAT.value: PauseReason.SAFETY,
        RiskKind.BREACH_OF_ORDER.value: PauseReason.SAFETY,
    }
)


def make_offer(leg: Leg, decided: OfferDecided, acting: Acting) -> list[Step]:
    """Offer a pause of a leg. No steps: what would be offered was offered already, for this event or better.

    While an offer is open another takes its place, as long as the longer of the two and answered by the earlier day: he
    is asked one thing, and a second event puts the answer off for nobody.
    """
    case = acting.case
    for_days, check_days, answer_by = decided.for_days, decided.welfare_check_days, acting.due(decided.answer_within)
    before = answerable_offer(case, leg.id)
    if before is not None and before.is_open:
        for_days, check_days = max(before.for_days, for_days), min(before.welfare_check_days, check_days)
        answer_by = min(before.answer_by, answer_by)
    if acting.event_id and any(o.leg_id == leg.id and o.event_id == acting.event_id for o in case.offers.values()):
        grows = before is not None and (for_days, check_days) != (before.for_days, before.welfare_check_days)
        if before is None or not (grows and before.is_open and before.event_id == acting.event_id):
            return []
    offer = Offer(
        id=acting.new_id(),
        leg_id=leg.id,
        offered_at=acting.now,
        answer_by=answer_by,
        for_days=for_days,
        welfare_check_days=check_days,
        reason=_REASONS.get(acting.kind, PauseReason.OTHER),
        event_id=acting.event_id,
        replaces=before.id if before is not None else None,
    )
    steps = answer_offer(case, before, OfferAnswer.REPLACED, acting) if before is not None else []
    steps += [PauseOffered(offer), TimerSet(acting.new_id(), TimerKind.OFFER, answer_by, leg_id=leg.id)]
    enter(case, steps)
    return steps


def answerable_offer(case: Case, leg_id: str) -> Offer | None:
    """The offer that a word of the person answers: open, or lapsed without a word. There is never more than one."""
    return next((offer for offer in case.offers.values() if offer.leg_id == leg_id and offer.awaits_a_word), None)


def offer_to_answer(case: Case, leg: Leg) -> Offer:
    """The offer that somebody speaks of. Raises Unacceptable where none is open on the leg."""
    offer = answerable_offer(case, leg.id)
    if offer is None:
        raise refused("no_offer", "/kind", "no offer of a pause is open on this leg")
    return offer


def answer_offer(case: Case, offer: Offer, answer: OfferAnswer, acting: Acting) -> list[Step]:
    """An offer's answer is known, and with it the facilitator's question, where it had lapsed."""
    answered = replace(offer, answer=answer, answered_at=acting.now, answered_by=acting.by)
    steps: list[Step] = [OfferAnswered(answered)]
    if offer.review_id is not None:
        steps.append(ReviewAnswered(offer.review_id, acting.by, answer.value))
    enter(case, steps)
    return steps
