"""A leg that a human puts aside without an end: until when is asked, and answered with a day, as at a pause's end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.refusal import Unacceptable
from schemas.vocabulary import DecisionKind, LegStatus, ProgressKind
from services.router.casework.pathway import TransitionRefused
from services.router.casework.resting import RESTING, CheckStatus
from services.router.casework.steps import Command, ReviewKind
from tests.unit.router.casework.resting_world import DAPP, World, rules

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
UNTIL = date(2026, 3, 30)
ASIDE = (LegStatus.DEFERRED, LegStatus.DEPRIORITISED, LegStatus.SUITABLE_BUT_NOT_READY)


def _world(stood: LegStatus = LegStatus.ON_PROGRAMME) -> World:
    world = World(START)
    world.case.legs[DAPP] = world.dapp._replace(status=stood)
    return world


def _aside(status: LegStatus = LegStatus.DEFERRED, *, stood: LegStatus = LegStatus.ON_PROGRAMME) -> World:
    world = _world(stood)
    world.human(DecisionKind.CORRECT_STATUS, status=status)
    return world


def _asked(world: World) -> str:
    [review] = world.reviews(ReviewKind.UNTIMED_HOLD)
    return review.id


def _answer(world: World, answer: str, **more: object) -> None:
    world.human(DecisionKind.ANSWER_REVIEW, review_id=_asked(world), answer=answer, **more)


def test_the_statuses_that_rest_are_those_that_the_pathway_holds() -> None:
    assert {status for status, said in rules().pathway.statuses.items() if said.hold} == RESTING


@pytest.mark.parametrize("status", ASIDE)
def test_the_answer_gives_the_rest_an_end_and_somebody_who_looks_in(status: LegStatus) -> None:
    world = _aside(status)
    _answer(world, "extend", on=UNTIL)
    pause = world.case.open_pause(DAPP)
    assert pause is not None
    assert (world.dapp.status, pause.until_date) == (status, UNTIL)
    assert [check.due_on.day for check in world.checks] == [9, 16, 23, 30]
    assert world.reviews(ReviewKind.UNTIMED_HOLD) == []


def test_victim_safety_and_the_programme_hear_until_when() -> None:
    world = _aside()
    world.steps.clear()
    _answer(world, "extend", on=UNTIL)
    told = {step.leg.destination: step.reasons[0].because for step in world.steps if isinstance(step, Command)}
    assert told["dapp"] == "The leg rests until 2026-03-30."
    assert "victim_safety" in told


@pytest.mark.parametrize("stood", [LegStatus.WAITLISTED, LegStatus.SCHEDULED, LegStatus.ON_PROGRAMME])
def test_at_its_end_a_human_is_asked_and_it_goes_on_where_it_stood(stood: LegStatus) -> None:
    world = _aside(stood=stood)
    _answer(world, "extend", on=UNTIL)
    world.go_to(datetime(2026, 3, 30, 12, tzinfo=UTC))
    [review] = world.reviews(ReviewKind.PAUSE_END)
    world.human(DecisionKind.ANSWER_REVIEW, review_id=review.id, answer="resume")
    assert world.dapp.status is stood
    assert world.case.open_pause(DAPP) is None


def test_it_can_go_on_or_end_at_once() -> None:
    world = _aside()
    _answer(world, "resume")
    assert world.dapp.status is LegStatus.ON_PROGRAMME
    world = _aside()
    _answer(world, "close", reason_code="moved_away")
    assert world.dapp.closed
    assert world.reviews(ReviewKind.UNTIMED_HOLD) == []


def test_words_alone_do_not_answer_it() -> None:
    world = _aside()
    with pytest.raises(Unacceptable) as refused:
        _answer(world, "we will see")
    assert refused.value.reason == "not_offered"
    with pytest.raises(Unacceptable) as refused:
        _answer(world, "extend")
    assert refused.value.reason == "until_when"
    assert _asked(world)


def test_a_pause_that_was_decided_outright_answers_it() -> None:
    world = _aside()
    world.human(DecisionKind.EXTEND_PAUSE, on=UNTIL)
    assert world.reviews(ReviewKind.UNTIMED_HOLD) == []


def test_nobody_is_asked_once_the_destination_takes_him_on() -> None:
    world = _aside(stood=LegStatus.ACCEPTED)
    world.now += timedelta(hours=1)
    world.progress(ProgressKind.ACCEPTED)
    assert world.dapp.status is LegStatus.ACCEPTED
    assert world.reviews(ReviewKind.UNTIMED_HOLD) == []


def test_a_pause_that_runs_goes_on_with_its_checks_when_the_leg_is_put_aside() -> None:
    world = _world()
    world.pause(UNTIL)
    world.human(DecisionKind.CORRECT_STATUS, status=LegStatus.DEFERRED)
    assert world.case.open_pause(DAPP) is not None
    assert {check.status for check in world.checks} == {CheckStatus.PLANNED}
    assert world.reviews(ReviewKind.UNTIMED_HOLD) == []
    world.human(DecisionKind.RESUME_LEG)
    assert world.dapp.status is LegStatus.ON_PROGRAMME


def test_from_one_rest_to_another_it_remembers_where_it_stood_and_asks_once() -> None:
    world = _aside(LegStatus.SUITABLE_BUT_NOT_READY, stood=LegStatus.WAITLISTED)
    world.human(DecisionKind.CORRECT_STATUS, status=LegStatus.DEPRIORITISED)
    assert world.dapp.held_from is LegStatus.WAITLISTED
    assert _asked(world)


def test_where_the_table_knows_no_way_back_the_human_says_where_it_goes_on() -> None:
    world = _aside(stood=LegStatus.SENT)
    with pytest.raises(TransitionRefused) as refused:
        _answer(world, "resume")
    assert LegStatus.ACCEPTED in refused.value.allowed
    _answer(world, "resume", status=LegStatus.ACCEPTED)
    assert world.dapp.status is LegStatus.ACCEPTED


@pytest.mark.parametrize("to", [LegStatus.WITHDRAWN, LegStatus.DEPRIORITISED])
def test_what_ends_it_or_lets_it_rest_on_is_not_going_on(to: LegStatus) -> None:
    world = _aside(stood=LegStatus.ACCEPTED)
    with pytest.raises(Unacceptable) as refused:
        _answer(world, "resume", status=to)
    assert refused.value.reason == "not_allowed"
