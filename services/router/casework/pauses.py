"""Pauses: agreed, made longer or shorter, ended. One leg rests and nothing else; no timer ends one, a human does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Final, NamedTuple

from schemas.vocabulary import LegStatus, PauseReason, TimerKind
from services.router.casework.act import Acting
from services.router.casework.case import Case, Leg
from services.router.casework.checks import end_checks, plan_checks
from services.router.casework.enter import enter
from services.router.casework.offers import answer_offer, answerable_offer, offer_to_answer
from services.router.casework.resting import (
    OPEN,
    WELFARE_CHECK_DAYS,
    CheckStatus,
    OfferAnswer,
    Pause,
    today,
)
from services.router.casework.reviews import refused
from services.router.casework.steps import (
    LegMoved,
    PauseAgreed,
    PauseChanged,
    PauseEnded,
    ReviewAnswered,
    ReviewKind,
    Step,
    TimerSet,
)

AGREE, DECLINE = "agree", "decline"  # the answers to an offer that lapsed
RESUME, EXTEND, CLOSE = "resume", "extend", "close"  # the answers at the end of a pause
UNHEARD: Final = frozenset({LegStatus.REQUESTED, LegStatus.SENT})  # its destination has not answered yet


class Terms(NamedTuple):
    """What was agreed of a pause."""

    reason: PauseReason
    from_date: date
    until_date: date
    stated: bool = True  # no: as it was offered


def agree_offer(case: Case, leg: Leg, acting: Acting, *, terms: Terms | None, on: date) -> list[Step]:
    """The offer is taken up and the leg rests, on the terms stated, or as it was offered from this day on.

    Raises Unacceptable where there is no offer, or the leg rests already.
    """
    offer = offer_to_answer(case, leg)
    _refuse_second_pause(leg)
    if terms is None:
        terms = Terms(offer.reason, on, on + timedelta(days=offer.for_days), stated=False)
    return begin_pause(case, leg, terms, acting)


def decline_offer(case: Case, leg: Leg, acting: Acting) -> list[Step]:
    """The person chooses to go on. The event that it was offered for never offers again."""
    return answer_offer(case, offer_to_answer(case, leg), OfferAnswer.DECLINED, acting)


def begin_pause(case: Case, leg: Leg, terms: Terms, acting: Acting) -> list[Step]:
    """The leg rests. What was offered is taken up by it, whatever the terms.

    Raises Unacceptable where it rests already; terms may be stated once for a pause that was agreed as offered.
    """
    resting = case.open_pause(leg.id)
    if leg.status is LegStatus.ON_HOLD and resting is not None and not resting.stated and terms.stated:
        return _restate(case, resting, terms, acting)
    _refuse_second_pause(leg)
    steps = move(case, leg, LegStatus.ON_HOLD, acting, because="pause_agreed")
    return steps + rest(case, case.legs[leg.id], terms, acting)


def rest(case: Case, leg: Leg, terms: Terms, acting: Acting) -> list[Step]:
    """What belongs to a leg that was put on hold: its pause, with its checks and its review, and the offer's answer."""
    offer = answerable_offer(case, leg.id)
    steps = answer_offer(case, offer, OfferAnswer.AGREED, acting) if offer is not None else []
    pause = Pause(
        id=acting.new_id(),
        leg_id=leg.id,
        reason=terms.reason,
        from_date=terms.from_date,
        until_date=terms.until_date,
        welfare_check_days=offer.welfare_check_days if offer is not None else WELFARE_CHECK_DAYS,
        held_from=leg.held_from or LegStatus.ON_PROGRAMME,
        agreed_at=acting.now,
        event_id=acting.event_id,
        stated=terms.stated,
    )
    return steps + _with_checks(case, PauseAgreed(pause), pause, acting)


def move(case: Case, leg: Leg, to: LegStatus, acting: Acting, *, because: str) -> list[Step]:
    """Put a leg into another status: the one place in which pauses move legs."""
    moved = leg.become(to, acting.now)
    case.legs[leg.id] = moved
    return [LegMoved(leg, moved, because)]


def extend_pause(case: Case, leg: Leg, until: date, acting: Acting, *, because: str) -> list[Step]:
    """A later end: the checks between are added, and the review moves. A leg held without an end gets one.

    Raises Unacceptable where the leg does not rest or the day is not later.
    """
    pause = _pause_of(case, leg)
    if until <= today(acting.now):
        raise refused("not_ahead", "/on", "must be after today")
    if pause is None:
        terms = Terms(PauseReason.OTHER, today(acting.now), until)
        return rest(case, leg, terms, acting) + _answer_reviews(case, leg, EXTEND, acting)
    if until <= pause.until_date:
        raise refused("not_later", "/on", "must be after the pause's end")
    longer = replace(pause, until_date=until, review_id=None, stated=True)
    answered = _answer_reviews(case, leg, EXTEND, acting)
    steps: list[Step] = [*answered, PauseChanged(longer), LegMoved(leg, leg, f"pause extended to {until}: {because}")]
    enter(case, steps)
    steps += plan_checks(longer, _days_without_check(case, pause, until, acting), acting)
    steps.append(TimerSet(acting.new_id(), TimerKind.PAUSE_REVIEW, longer.review_at, leg_id=leg.id))
    enter(case, steps)
    return steps


def shorten_pause(case: Case, leg: Leg, until: date, acting: Acting, *, because: str) -> list[Step]:
    """An earlier end: the checks after it are not needed, and the review moves.

    Raises Unacceptable where the leg does not rest or the day is not earlier.
    """
    pause = _pause_of(case, leg)
    if pause is None:
        raise refused("no_pause", "/leg_id", "the leg is on hold without an agreed pause")
    if not max(today(acting.now), pause.from_date) <= until < pause.until_date:
        raise refused("not_earlier", "/on", "must be today or later, and before the pause's end")
    shorter = replace(pause, until_date=until, stated=True)
    after = [check for check in case.checks_of(leg.id, {CheckStatus.PLANNED}) if check.due_on > until]
    steps: list[Step] = [PauseChanged(shorter), LegMoved(leg, leg, f"pause shortened to {until}: {because}")]
    steps += end_checks(after, CheckStatus.NOT_NEEDED, acting, reason="the pause was shortened")
    steps.append(TimerSet(acting.new_id(), TimerKind.PAUSE_REVIEW, shorter.review_at, leg_id=leg.id))
    enter(case, steps)
    return steps


def resume_leg(case: Case, leg: Leg, acting: Acting, *, because: str) -> list[Step]:
    """The leg goes on where it stood. Raises Unacceptable where it does not rest."""
    pause = _pause_of(case, leg)
    to = leg.held_from or (pause.held_from if pause else LegStatus.ON_PROGRAMME)
    steps = move(case, leg, to, acting, because=because)
    back = case.legs[leg.id]
    if back.status in UNHEARD:  # the timer that watched for its answer may have rung in the pause
        within = acting.rules.destinations[leg.destination].acknowledge_within
        steps.append(TimerSet(acting.new_id(), TimerKind.ACKNOWLEDGEMENT, acting.due(within), leg_id=leg.id))
        enter(case, steps)
    return steps + end_pause(case, back, acting)


def _with_checks(case: Case, begun: Step, pause: Pause, acting: Acting) -> list[Step]:
    steps = [begun, *plan_checks(pause, pause.check_days(after=pause.from_date, until=pause.until_date), acting)]
    steps.append(TimerSet(acting.new_id(), TimerKind.PAUSE_REVIEW, pause.review_at, leg_id=pause.leg_id))
    enter(case, steps)
    return steps


def _restate(case: Case, pause: Pause, terms: Terms, acting: Acting) -> list[Step]:
    """The facilitator states the terms of a pause that began as it was offered."""
    planned = case.checks_of(pause.leg_id, {CheckStatus.PLANNED})
    steps = end_checks(planned, CheckStatus.NOT_NEEDED, acting, reason="the pause was agreed on other terms")
    reason, first, last, stated = terms
    stated_so = replace(pause, reason=reason, from_date=first, until_date=last, stated=stated)
    return steps + _with_checks(case, PauseChanged(stated_so), stated_so, acting)


def _days_without_check(case: Case, pause: Pause, until: date, acting: Acting) -> list[date]:
    """The days of the pause's rhythm that a later end adds, from today on."""
    have = {
        check.due_on
        for check in case.checks.values()
        if check.pause_id == pause.id and check.status is not CheckStatus.NOT_NEEDED
    }
    days = pause.check_days(after=pause.until_date, until=until)
    return [day for day in days if day not in have and day >= today(acting.now)]


def end_pause(case: Case, leg: Leg, acting: Acting) -> list[Step]:
    """A leg rests no longer. Where it closed, checks that wait still wait: nobody has seen him."""
    pause = case.open_pause(leg.id)
    over = {CheckStatus.PLANNED} if leg.closed else OPEN
    how = "the leg was closed" if leg.closed else "the leg goes on"
    steps = _answer_reviews(case, leg, CLOSE if leg.closed else RESUME, acting)
    steps += end_checks(case.checks_of(leg.id, over), CheckStatus.NOT_NEEDED, acting, reason=how)
    if pause is not None:
        ended = leg.status.value if leg.closed else "resumed"
        steps.append(PauseEnded(replace(pause, review_id=None, ended_at=acting.now, ended=ended)))
    enter(case, steps)
    return steps


def _answer_reviews(case: Case, leg: Leg, answer: str, acting: Acting) -> list[Step]:
    """The open questions how a leg's rest goes on are answered by what was decided."""
    asked = {p.review_id for p in case.pauses.values() if p.leg_id == leg.id and p.is_open and p.review_id}
    asked |= {r.id for r in case.reviews.values() if r.kind is ReviewKind.PAUSE_END and r.leg_id == leg.id}
    steps: list[Step] = [ReviewAnswered(review_id, acting.by, answer) for review_id in sorted(asked)]
    enter(case, steps)
    return steps


def _refuse_second_pause(leg: Leg) -> None:
    if leg.status is LegStatus.ON_HOLD:
        raise refused("already_paused", "/kind", "the leg is paused already")


def _pause_of(case: Case, leg: Leg) -> Pause | None:
    if leg.status is not LegStatus.ON_HOLD:
        raise refused("not_paused", "/kind", "the leg is not paused")
    return case.open_pause(leg.id)
