"""The end of an offer, of a pause, of a leg: nothing ends by itself. A timer asks a human; a moved leg is followed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from schemas.timer import TimerFellDue
from schemas.vocabulary import LegStatus
from services.router.casework.act import Acting, ask
from services.router.casework.case import Case, Leg
from services.router.casework.checks import keep_checking
from services.router.casework.enter import enter
from services.router.casework.offers import answer_offer
from services.router.casework.pauses import AGREE, ASK_HOW, DECLINE, HOW_IT_GOES_ON, end_pause
from services.router.casework.resting import RESTING, OfferAnswer
from services.router.casework.steps import LegMoved, OfferAnswered, PauseChanged, ReviewAsked, ReviewKind, Step
from services.router.rules.language import Role


def offer_fell_due(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """Nobody answered an offer in time: the facilitator is asked. It can still be taken up, or declined."""
    steps: list[Step] = []
    for offer in [o for o in case.offers.values() if o.leg_id == timer.leg_id and o.is_open]:
        if offer.answer_by > timer.due_at:
            continue
        asked = ask(
            acting,
            ReviewKind.OFFER_LAPSED,
            "A pause was offered and nobody answered. Does he take it, or go on?",
            role=Role.FACILITATOR,
            due=acting.rules.otherwise.review.due,
            leg_id=offer.leg_id,
            answers=(AGREE, DECLINE),
        )
        review = next(step for step in asked if isinstance(step, ReviewAsked))
        lapsed = replace(offer, answer=OfferAnswer.LAPSED, answered_at=acting.now, review_id=review.id)
        steps += [OfferAnswered(lapsed), *asked]
    enter(case, steps)
    return steps


def pause_fell_due(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """A pause is over: a human says how it goes on. Until then the leg rests, and the checks go on."""
    pause = case.open_pause(str(timer.leg_id))
    if pause is None or pause.review_id is not None or pause.review_at > timer.due_at:
        return []
    asked = _ask(case.legs[pause.leg_id], "The pause is over. How does it go on?", acting)
    review = next(step for step in asked if isinstance(step, ReviewAsked))
    steps: list[Step] = [PauseChanged(replace(pause, review_id=review.id)), *asked]
    enter(case, steps)
    return steps + keep_checking(pause.leg_id, acting)


def follow(case: Case, steps: Iterable[Step], acting: Acting) -> list[Step]:
    """What follows for offers and pauses where other parts of casework moved a leg: closed it, held it or let it go.

    A pause ends with its leg's rest, an offer with its leg; a leg on hold without an end is put to the facilitator.
    """
    moved = {step.leg.id for step in steps if isinstance(step, LegMoved) and step.before.status is not step.leg.status}
    more: list[Step] = []
    for leg in [case.legs[leg_id] for leg_id in sorted(moved)]:
        if leg.closed:
            for offer in [o for o in case.offers.values() if o.leg_id == leg.id and o.awaits_a_word]:
                more += answer_offer(case, offer, OfferAnswer.LEG_CLOSED, acting)
        asked = any(case.asks(kind, leg.id) for kind in ASK_HOW)
        if leg.status not in RESTING and (asked or case.open_pause(leg.id) is not None):
            more += end_pause(case, leg, acting)
        if leg.status is LegStatus.ON_HOLD and case.open_pause(leg.id) is None and not asked:
            more += _ask(leg, "The leg is on hold, and no end was agreed. How does it go on?", acting)
    enter(case, more)
    return more


def _ask(leg: Leg, question: str, acting: Acting) -> list[Step]:
    due, how = acting.rules.otherwise.review.due, HOW_IT_GOES_ON
    return ask(acting, ReviewKind.PAUSE_END, question, role=Role.FACILITATOR, due=due, leg_id=leg.id, answers=how)
