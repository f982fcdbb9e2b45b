"""What must hold after every step: nothing that is open is left to silence."""

from __future__ import annotations

from datetime import datetime

from schemas.vocabulary import TimerKind
from services.router.casework.case import Case, Leg
from services.router.casework.deadlines import NOT_ANSWERED, waits_for_contact
from services.router.casework.pauses import ASK_HOW
from services.router.casework.resting import OPEN, RESTING, CheckStatus, Offer, Pause, WelfareCheck
from services.router.rules.ruleset import RuleSet


def nothing_silent(case: Case, rules: RuleSet) -> list[str]:
    """What is open and that nobody would look at again: no timer is set and no role is asked. Empty, or a mistake.

    The case must hold its open questions and its timers. A leg that its destination has taken on is the destination's
    to move; before that, until it has seen him, and while it rests, it is ours. Says kinds and ids alone.
    """
    found = [_leg(case, leg, rules) for leg in case.legs.values() if not leg.closed]
    found += [_offer(case, offer) for offer in case.offers.values() if offer.awaits_a_word]
    found += [_pause(case, pause) for pause in case.pauses.values() if pause.is_open]
    found += [_check(case, check) for check in case.checks.values() if check.status in OPEN]
    found += [None if r.role else f"review {r.id}: nobody is asked" for r in case.reviews.values() if not r.answered]
    return [silent for silent in found if silent is not None]


def _leg(case: Case, leg: Leg, rules: RuleSet) -> str | None:
    if leg.status in NOT_ANSWERED:
        kinds = (TimerKind.ACKNOWLEDGEMENT, TimerKind.FIRST_CONTACT)
        if any(timer.kind in kinds and timer.leg_id == leg.id for timer in case.timers.values()):
            return None
        return None if _asked_about(case, leg) else f"leg {leg.id}: nobody waits for its destination's answer"
    if waits_for_contact(leg, rules):
        watched = any(t.kind is TimerKind.FIRST_CONTACT and t.leg_id == leg.id for t in case.timers.values())
        return None if watched else f"leg {leg.id}: nobody waits for a first contact"
    if leg.status in RESTING and case.open_pause(leg.id) is None:
        asked = any(case.asks(kind, leg.id) for kind in ASK_HOW)
        return None if asked else f"leg {leg.id}: it rests without an end"
    return None


def _offer(case: Case, offer: Offer) -> str | None:
    if case.legs[offer.leg_id].closed:
        return f"offer {offer.id}: open on a closed leg"
    if offer.is_open:
        watched = _timer(case, TimerKind.OFFER, offer.leg_id, offer.answer_by)
        return None if watched else f"offer {offer.id}: no timer watches for its answer"
    return None if case.open_review(offer.review_id) else f"offer {offer.id}: it lapsed and nobody is asked"


def _pause(case: Case, pause: Pause) -> str | None:
    if case.legs[pause.leg_id].status not in RESTING:
        return f"pause {pause.id}: its leg does not rest"
    if pause.review_id is not None:
        return None if case.open_review(pause.review_id) else f"pause {pause.id}: it is over and nobody is asked"
    watched = _timer(case, TimerKind.PAUSE_REVIEW, pause.leg_id, pause.review_at)
    return None if watched else f"pause {pause.id}: no timer watches for its end"


def _check(case: Case, check: WelfareCheck) -> str | None:
    if check.status is CheckStatus.PLANNED:
        watched = _timer(case, TimerKind.WELFARE_CHECK, check.leg_id, check.due_at)
        return None if watched else f"check {check.id}: planned, and no timer brings it up"
    if not any(case.open_review(review_id) for review_id in check.asked):
        return f"check {check.id}: {check.status}, and nobody is asked"
    if check.next_at is None:  # the last role was asked: its question is open, with a due time of its own
        return None
    watched = _timer(case, TimerKind.CHECK_ESCALATION, check.leg_id, check.next_at)
    return None if watched else f"check {check.id}: {check.status}, and goes to nobody further"


def _asked_about(case: Case, leg: Leg) -> bool:
    return any(review.leg_id == leg.id and not review.answered for review in case.reviews.values())


def _timer(case: Case, kind: TimerKind, leg_id: str, due_at: datetime) -> bool:
    """A later one will do: it looks at all that was due by then, as after one that came while its leg was elsewhere."""
    return any(t.kind is kind and t.leg_id == leg_id and t.due_at >= due_at for t in case.timers.values())
