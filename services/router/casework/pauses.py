"""Pauses: agreed, made longer or shorter, ended. One leg rests and nothing else; no timer ends one, a human does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Final, NamedTuple

from schemas.refusal import Unacceptable
from schemas.vocabulary import LegStatus, PauseReason, TimerKind
from services.router.casework import pathway
from services.router.casework.act import Acting
from services.router.casework.case import Case, Leg
from services.router.casework.checks import end_checks, plan_checks
from services.router.casework.deadlines import NOT_ANSWERED
from services.router.casework.enter import enter
from services.router.casework.offers import answer_offer, answerable_offer, offer_to_answer
from services.router.casework.resting import (
    OPEN,
    RESTING,
    RESUMED,
    WELFARE_CHECK_DAYS,
    CheckStatus,
    Offer,
    OfferAnswer,
    Pause,
    today,
)
from services.router.casework.reviews import refused
from services.router.casework.steps import (
    Effect,
    LegMoved,
    LegNoted,
    PauseAgreed,
    PauseChanged,
    PauseEnded,
    ReviewAnswered,
    ReviewKind,
    Step,
    TimerSet,
    Word,
)

AGREE, DECLINE = "agree", "decline"  # the answers to an offer that lapsed
RESUME, EXTEND, CLOSE = "resume", "extend", "close"  # the answers at the end of a pause
HOW_IT_GOES_ON: Final = (RESUME, EXTEND, CLOSE)
ASK_HOW: Final = frozenset({ReviewKind.PAUSE_END, ReviewKind.UNTIMED_HOLD})  # what they are the answers to


class Terms(NamedTuple):
    """What was agreed of a pause."""

    reason: PauseReason
    from_date: date
    until_date: date
    stated: bool = True  # no: as it was offered


def agree_offer(case: Case, leg: Leg, acting: Acting, *, on: date, word: Word) -> list[Step]:
    """The offer is taken up and the leg rests, as it was offered, from this day on.

    Raises Unacceptable where there is no offer, or the leg may not rest.
    """
    terms = as_offered(offer_to_answer(case, leg), on=on)
    if leg.status is LegStatus.ON_HOLD:
        raise already_paused()
    return move(case, leg, LegStatus.ON_HOLD, acting, because="the offered pause was agreed", word=word) + rest(
        case, case.legs[leg.id], terms, acting
    )


def as_offered(offer: Offer, *, on: date) -> Terms:
    """The terms of a pause that begins on this day as it was offered; somebody may state others later."""
    return Terms(offer.reason, on, on + timedelta(days=offer.for_days), stated=False)


def decline_offer(case: Case, leg: Leg, acting: Acting) -> list[Step]:
    """The person chooses to go on. The event that it was offered for never offers again."""
    return answer_offer(case, offer_to_answer(case, leg), OfferAnswer.DECLINED, acting)


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


def restate(case: Case, leg: Leg, terms: Terms, acting: Acting) -> list[Step]:
    """The terms of a pause that began as it was offered are stated, once. Raises Unacceptable where it has its own."""
    pause = case.open_pause(leg.id)
    if pause is None or pause.stated or not terms.stated:
        raise already_paused()
    planned = case.checks_of(pause.leg_id, {CheckStatus.PLANNED})
    steps = end_checks(planned, CheckStatus.NOT_NEEDED, acting, reason="the pause was agreed on other terms")
    reason, first, last, stated = terms
    stated_so = replace(pause, reason=reason, from_date=first, until_date=last, stated=stated)
    return steps + _with_checks(case, PauseChanged(stated_so), stated_so, acting)


def move(case: Case, leg: Leg, to: LegStatus, acting: Acting, *, because: str, word: Word) -> list[Step]:
    """Put a leg where a human decided: the one place in which pauses move legs. Raises TransitionRefused."""
    moved = pathway.move(acting.rules.pathway, leg, to, by="human", now=acting.now, reason=because, note=because)
    case.legs[leg.id] = moved
    return [LegMoved(leg, moved, because, Effect.MOVED, word)]


def extend_pause(case: Case, leg: Leg, until: date, acting: Acting, *, because: str, word: Word) -> list[Step]:
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
    steps: list[Step] = [*answered, PauseChanged(longer), _noted(leg, f"pause extended to {until}: {because}", word)]
    enter(case, steps)
    steps += plan_checks(longer, _days_without_check(case, pause, until, acting), acting)
    steps.append(TimerSet(acting.new_id(), TimerKind.PAUSE_REVIEW, longer.review_at, leg_id=leg.id))
    enter(case, steps)
    return steps


def shorten_pause(case: Case, leg: Leg, until: date, acting: Acting, *, because: str, word: Word) -> list[Step]:
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
    steps: list[Step] = [PauseChanged(shorter), _noted(leg, f"pause shortened to {until}: {because}", word)]
    steps += end_checks(after, CheckStatus.NOT_NEEDED, acting, reason="the pause was shortened")
    steps.append(TimerSet(acting.new_id(), TimerKind.PAUSE_REVIEW, shorter.review_at, leg_id=leg.id))
    enter(case, steps)
    return steps


def resume_leg(
    case: Case, leg: Leg, acting: Acting, *, because: str, word: Word, to: LegStatus | None = None
) -> list[Step]:
    """The leg goes on where it stood, or where the human says. Raises Unacceptable where it does not rest."""
    pause = _pause_of(case, leg)
    to = to or leg.held_from or (pause.held_from if pause else LegStatus.ON_PROGRAMME)
    status = acting.rules.pathway.statuses[to]
    if status.closed or status.hold:
        goes_on = acting.rules.pathway.allowed("human", leg.status)
        allowed = tuple(s for s in goes_on if not acting.rules.pathway.statuses[s].closed)
        message = f"a leg that is {to} does not go on"
        raise pathway.TransitionRefused("not_allowed", message, place="/data/status", allowed=allowed)
    steps = move(case, leg, to, acting, because=because, word=word)
    return steps + end_pause(case, case.legs[leg.id], acting)


def _with_checks(case: Case, begun: Step, pause: Pause, acting: Acting) -> list[Step]:
    steps = [begun, *plan_checks(pause, pause.check_days(after=pause.from_date, until=pause.until_date), acting)]
    steps.append(TimerSet(acting.new_id(), TimerKind.PAUSE_REVIEW, pause.review_at, leg_id=pause.leg_id))
    enter(case, steps)
    return steps


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
        ended = leg.status.value if leg.closed else RESUMED
        steps.append(PauseEnded(replace(pause, review_id=None, ended_at=acting.now, ended=ended)))
    if leg.status in NOT_ANSWERED:  # the timer that watched for its answer was cancelled when it came to rest
        destination = acting.rules.destinations.get(leg.destination)
        within = destination.acknowledge_within if destination else acting.rules.otherwise.review.due
        steps.append(TimerSet(acting.new_id(), TimerKind.ACKNOWLEDGEMENT, acting.due(within), leg_id=leg.id))
    enter(case, steps)
    return steps


def _answer_reviews(case: Case, leg: Leg, answer: str, acting: Acting) -> list[Step]:
    """The open questions how a leg's rest goes on are answered by what was decided."""
    asked = {p.review_id for p in case.pauses.values() if p.leg_id == leg.id and p.is_open and p.review_id}
    kinds = {*ASK_HOW, ReviewKind.RESUME}
    asking = (r for r in case.reviews.values() if r.kind in kinds and r.leg_id == leg.id)
    asked |= {review.id for review in asking if not review.answered}
    steps: list[Step] = [ReviewAnswered(review_id, acting.by, answer) for review_id in sorted(asked)]
    enter(case, steps)
    return steps


def already_paused() -> Unacceptable:
    """That a leg rests already, on other terms: who wants it longer or shorter says so."""
    return refused("already_paused", "/kind", "the leg is paused already")


def _noted(leg: Leg, because: str, word: Word) -> LegNoted:
    return LegNoted(leg, because, Effect.NOTED, word)


def _pause_of(case: Case, leg: Leg) -> Pause | None:
    if leg.status not in RESTING:
        raise refused("not_paused", "/kind", "the leg is not paused")
    return case.open_pause(leg.id)
