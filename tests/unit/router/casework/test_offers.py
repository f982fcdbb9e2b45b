"""Offers of a pause: made once, agreed, declined, or asked after."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.base import LegId
from schemas.person import PersonRef
from schemas.refusal import Unacceptable
from schemas.risk import RiskReported
from schemas.vocabulary import DecisionKind, LegStatus, PauseReason, ProgressKind, RiskKind, RouteAction, TimerKind
from services.router.casework.act import Acting, act
from services.router.casework.offers import make_offer
from services.router.casework.resting import OfferAnswer
from services.router.casework.steps import Command, PauseOffered, ReviewAsked, ReviewKind
from services.router.rules.decide import decide
from services.router.rules.decision import OfferDecided, Reason
from services.router.rules.due import Due
from services.router.rules.events import EventKind
from services.router.rules.facts import facts_stated
from tests.unit.router.casework.resting_world import DAPP, World, rules

WEDNESDAY = datetime(2026, 3, 18, 12, tzinfo=UTC)
WHY = (Reason("a-rule", "Because."),)


def _world() -> World:
    return World(WEDNESDAY)


def _offer(world: World, *, days: int = 28, checks: int = 7, event: str = "e1") -> list[object]:
    acting = Acting(world.case, rules(), world.now, world.id, event_id=event, kind="relapse")
    return list(make_offer(world.dapp, OfferDecided("dapp", days, checks, Due(working_days=5), WHY), acting))


def test_a_relapse_offers_a_pause_with_a_day_to_answer_by_and_pauses_nothing() -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    [offer] = world.offers
    assert (offer.for_days, offer.welfare_check_days, offer.reason) == (28, 7, PauseReason.RELAPSE)
    assert offer.answer_by == datetime(2026, 3, 25, 17, tzinfo=UTC), "five working days"
    assert world.dapp.status is LegStatus.ON_PROGRAMME


def test_the_destination_hears_of_the_offer_for_it_is_there_that_he_is_asked() -> None:
    steps = _world().risk(RiskKind.RELAPSE)
    told = [s.action for s in steps if isinstance(s, Command) and s.leg.id == DAPP]
    assert told == [RouteAction.NOTIFY]


def test_agreed_by_his_destination_the_leg_rests_as_it_was_offered() -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    world.progress(ProgressKind.OFFER_AGREED)
    assert world.dapp.status is LegStatus.ON_HOLD
    [pause] = world.case.pauses.values()
    assert (pause.from_date, pause.until_date) == (date(2026, 3, 18), date(2026, 4, 15))
    assert (pause.reason, pause.held_from) == (PauseReason.RELAPSE, LegStatus.ON_PROGRAMME)
    assert world.offers[0].answer is OfferAnswer.AGREED
    assert len(world.checks) == 4


def test_terms_can_be_stated_once_after_an_offer_was_agreed() -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    world.progress(ProgressKind.OFFER_AGREED)
    world.pause(date(2026, 4, 1))
    [pause] = world.case.pauses.values()
    assert pause.until_date == date(2026, 4, 1)
    assert [check.status.value for check in world.checks].count("planned") == 2
    with pytest.raises(Unacceptable, match="already_paused"):
        world.pause(date(2026, 4, 8))


def test_a_human_agrees_an_offer() -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    world.human(DecisionKind.AGREE_OFFER, on=date(2026, 3, 20))
    [pause] = world.case.pauses.values()
    assert (pause.from_date, pause.until_date) == (date(2026, 3, 20), date(2026, 4, 17))
    assert (world.offers[0].answered_by, world.dapp.status) == ("fay", LegStatus.ON_HOLD)


@pytest.mark.parametrize("by_human", [False, True])
def test_declined_he_goes_on_and_it_is_on_record(by_human: bool) -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    if by_human:
        world.human(DecisionKind.DECLINE_OFFER)
    else:
        world.progress(ProgressKind.OFFER_DECLINED)
    assert world.dapp.status is LegStatus.ON_PROGRAMME
    [offer] = world.offers
    assert (offer.answer, offer.answered_at) == (OfferAnswer.DECLINED, world.now)
    assert offer.answered_by in ("fay", "dapp-northshire")


def test_an_event_that_is_decided_again_never_offers_again() -> None:
    world = _world()
    relapse = RiskReported(about=PersonRef(leg_id=LegId(DAPP)), kind=RiskKind.RELAPSE, occurred_at=world.now)
    world.take(relapse, "a-source", "01938f00-0000-7000-8000-00000000aaaa")
    world.progress(ProgressKind.OFFER_DECLINED)
    steps = world.take(relapse, "a-source", "01938f00-0000-7000-8000-00000000aaaa")
    assert not [step for step in steps if isinstance(step, PauseOffered)]
    steps = world.take(relapse, "a-source")
    assert [step for step in steps if isinstance(step, PauseOffered)], "another relapse is another reason to offer"


def test_a_second_offer_replaces_an_open_one_by_the_longer_and_puts_nothing_off() -> None:
    world = _world()
    _offer(world, days=28, checks=7, event="e1")
    first = world.offers[0]
    world.now += timedelta(days=2)
    _offer(world, days=14, checks=3, event="e2")
    before, after = world.offers
    assert (before.answer, after.answer) == (OfferAnswer.REPLACED, None)
    assert (after.for_days, after.welfare_check_days, after.replaces) == (28, 3, before.id)
    assert after.answer_by == first.answer_by


@pytest.mark.parametrize("event", ["e1", "e2"])
def test_there_is_never_more_than_one_open_offer(event: str) -> None:
    world = _world()
    _offer(world, event="e1")
    _offer(world, event=event)
    assert [offer.is_open for offer in world.offers].count(True) == 1


def test_an_offer_that_nobody_answers_becomes_a_question_to_the_facilitator_and_nothing_else() -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    before = dict(world.case.legs)
    world.go_to(world.offers[0].answer_by)
    [asked] = world.reviews(ReviewKind.OFFER_LAPSED)
    assert (asked.role, asked.answers) == ("facilitator", ("agree", "decline"))
    assert world.offers[0].answer is OfferAnswer.LAPSED
    assert world.case.legs == before


@pytest.mark.parametrize(("answer", "status"), [("agree", LegStatus.ON_HOLD), ("decline", LegStatus.ON_PROGRAMME)])
def test_a_lapsed_offer_is_answered_by_its_question(answer: str, status: LegStatus) -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    world.go_to(world.offers[0].answer_by)
    [asked] = world.reviews(ReviewKind.OFFER_LAPSED)
    world.human(DecisionKind.ANSWER_REVIEW, review_id=asked.id, answer=answer)
    assert world.dapp.status is status
    assert world.reviews(ReviewKind.OFFER_LAPSED) == []


def test_a_lapsed_offer_is_answered_late_by_the_destination_too() -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    world.go_to(world.offers[0].answer_by)
    world.progress(ProgressKind.OFFER_DECLINED)
    assert world.reviews(ReviewKind.OFFER_LAPSED) == []
    assert world.offers[0].answer is OfferAnswer.DECLINED


def test_a_new_offer_takes_the_place_of_a_lapsed_one() -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    world.go_to(world.offers[0].answer_by)
    world.risk(RiskKind.RELAPSE)
    assert [offer.answer for offer in world.offers] == [OfferAnswer.REPLACED, None]
    assert world.reviews(ReviewKind.OFFER_LAPSED) == []
    assert world.offers[1].answer_by > world.now


def test_a_pause_on_any_terms_takes_up_what_was_offered() -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    world.pause(date(2026, 4, 1))
    assert world.offers[0].answer is OfferAnswer.AGREED


@pytest.mark.parametrize("kind", [ProgressKind.OFFER_AGREED, ProgressKind.OFFER_DECLINED])
def test_nobody_answers_an_offer_that_was_never_made(kind: ProgressKind) -> None:
    world = _world()
    with pytest.raises(Unacceptable, match="no_offer"):
        world.progress(kind)


def test_a_leg_that_rests_already_is_put_to_the_facilitator_instead_of_being_offered_rest() -> None:
    world = _world()
    world.pause(date(2026, 4, 15))
    decided = OfferDecided("dapp", 28, 7, Due(working_days=5), WHY)
    quiet = decide(rules(), facts_stated(rules(), EventKind.PROGRESS_ATTENDED, {}, world.today))
    steps = act(replace(quiet, offers=(decided,)), Acting(world.case, rules(), world.now, world.id))
    assert [step.role for step in steps if isinstance(step, ReviewAsked)] == ["facilitator"]
    assert len(world.offers) == 0


def test_a_leg_that_closes_takes_its_open_offer_with_it() -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    world.progress(ProgressKind.CLOSED, reason="He moved away.")
    assert world.offers[0].answer is OfferAnswer.LEG_CLOSED


def test_an_offers_timer_that_rings_after_the_answer_does_nothing() -> None:
    world = _world()
    world.risk(RiskKind.RELAPSE)
    [timer] = [t for t in world.case.timers.values() if t.kind is TimerKind.OFFER]
    world.progress(ProgressKind.OFFER_DECLINED)
    assert world.ring(timer) == []
