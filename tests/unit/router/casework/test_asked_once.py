"""Nobody is asked the same twice, nor about what has come or was decided since."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.base import LegId
from schemas.person import PersonRef
from schemas.risk import RiskReported
from schemas.vocabulary import DecisionKind, Engagement, LegStatus, ProgressKind, RiskKind
from services.router.casework.act import Acting, act
from services.router.casework.enter import enter
from services.router.casework.pathway import put
from services.router.casework.reviews import Review
from services.router.casework.steps import ReviewKind
from services.router.rules.decide import decide
from services.router.rules.decision import Decision, Reason
from services.router.rules.due import Due
from services.router.rules.events import CaseEvent, kind_of
from services.router.rules.facts import facts_of
from tests.unit.router.casework.resting_world import DAPP, World, rules

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def _resting() -> World:
    world = World(START)
    world.pause(date(2026, 3, 30))
    return world


def _well(world: World) -> None:
    world.now += timedelta(hours=1)
    world.risk(RiskKind.PROTECTIVE, weeks_clean=5, engagement=Engagement.STEADY)


def test_whether_a_leg_should_go_on_is_asked_once_however_often_he_does_well() -> None:
    world = _resting()
    for _ in range(3):
        _well(world)
    assert len(world.reviews(ReviewKind.RESUME)) == 1


def test_going_on_resting_longer_and_ending_answer_whether_it_should_go_on() -> None:
    for kind, more in (
        (DecisionKind.RESUME_LEG, {}),
        (DecisionKind.EXTEND_PAUSE, {"on": date(2026, 4, 27)}),
        (DecisionKind.CLOSE_LEG, {"reason_code": "moved_away"}),
    ):
        world = _resting()
        _well(world)
        world.human(kind, **more)
        assert world.reviews(ReviewKind.RESUME) == []


def test_the_destinations_own_word_answers_it_too() -> None:
    world = _resting()
    _well(world)
    world.progress(ProgressKind.RESUMED)
    assert world.reviews(ReviewKind.RESUME) == []


def _relapsed_again(world: World) -> None:
    """Twice in four weeks: the rules want residential rehab, once a human confirms it."""
    for _ in range(2):
        world.now += timedelta(days=1)
        world.risk(RiskKind.RELAPSE)


def _rehab(world: World) -> list[Review]:
    """The open questions whether he may be referred there."""
    return [review for review in world.reviews(ReviewKind.CONFIRM_ROUTE) if review.destination == "residential_rehab"]


def test_a_route_that_waits_is_not_asked_for_again() -> None:
    world = World(START)
    _relapsed_again(world)
    [asked] = _rehab(world)
    world.now += timedelta(days=1)
    world.risk(RiskKind.RELAPSE)
    [still] = _rehab(world)
    assert asked.waiting is not None
    assert still.waiting is not None
    assert len(still.waiting.told_in) == 2, "but that event is told of too, once somebody confirms it"
    assert replace(still, waiting=replace(still.waiting, told_in=asked.waiting.told_in)) == asked


def test_who_wants_it_too_is_among_the_reasons_and_puts_the_answer_off_for_nobody() -> None:
    world = World(START)
    _relapsed_again(world)
    [asked] = _rehab(world)
    world.pause(date(2026, 4, 10))
    [raised] = _rehab(world)
    assert raised.waiting is not None
    assert [reason.rule for reason in raised.waiting.route.reasons] == ["relapse-again", "pause-opens-options"]
    assert raised.due_at == asked.due_at


def _nothing(world: World) -> Decision:
    """A decision that does nothing."""
    about = PersonRef(leg_id=LegId(DAPP))
    said = RiskReported(about=about, kind=RiskKind.PROTECTIVE, occurred_at=world.now)
    event = CaseEvent(kind_of(said), said, world.now, world.now)
    return decide(rules(), facts_of(rules(), event, world.case.view(), world.now))


def test_whoever_wants_it_sooner_has_it_asked_sooner_once() -> None:
    world = World(START)
    _relapsed_again(world)
    [asked] = _rehab(world)
    assert asked.waiting is not None
    acting = Acting(world.case, rules(), world.now, world.id, event_id=world.id())
    urgent = asked.waiting.route._replace(
        priority=1, due=Due(hours=4), tier="floor", reasons=(Reason("floor", "Now."),)
    )
    steps = act(replace(_nothing(world), routes=(urgent,)), acting)
    [raised] = _rehab(world)
    assert raised.waiting is not None
    assert (raised.id, raised.waiting.route.priority, raised.waiting.route.tier) == (asked.id, 1, "floor")
    assert raised.due_at == world.now + timedelta(hours=4)
    enter(world.case, steps, now=world.now)
    [timer] = [timer for timer in world.case.timers.values() if timer.review_id == asked.id]
    assert timer.due_at == raised.due_at


@pytest.mark.parametrize("first", [ProgressKind.ACKNOWLEDGED, ProgressKind.WAITLISTED])
def test_whether_a_service_takes_him_on_is_asked_until_it_says_so(first: ProgressKind) -> None:
    world = World(START)
    world.case.legs[DAPP] = put(rules().pathway, world.dapp, LegStatus.SENT, now=world.now)
    world.now += timedelta(hours=1)
    world.progress(first)
    world.go(timedelta(days=40))
    assert [review.leg_id for review in world.reviews(ReviewKind.DEADLINE)] == [DAPP]
    world.progress(ProgressKind.ACCEPTED)
    assert world.reviews(ReviewKind.DEADLINE) == []
    world.go(timedelta(days=10))
    assert [review.leg_id for review in world.reviews(ReviewKind.DEADLINE)] == [DAPP], "and then for a first contact"


@pytest.mark.parametrize(
    ("kind", "more"),
    [(DecisionKind.REOPEN_LEG, {}), (DecisionKind.CORRECT_STATUS, {"status": LegStatus.ON_PROGRAMME})],
)
def test_whoever_opens_a_leg_again_answers_whether_it_was_right_to_close_it(
    kind: DecisionKind, more: dict[str, object]
) -> None:
    world = World(START)
    world.human(DecisionKind.CLOSE_LEG, reason_code="disengaged")
    assert len(world.reviews(ReviewKind.CLOSED)) == 1
    world.now += timedelta(hours=1)
    world.human(kind, **more)
    assert world.reviews(ReviewKind.CLOSED) == []


def _asked_of(world: World) -> list[str]:
    """What somebody is asked of the programme's leg."""
    return [r.question for r in world.case.reviews.values() if r.leg_id == DAPP and not r.answered]


@pytest.mark.parametrize("kind", [ProgressKind.CLOSED, ProgressKind.DECLINED])
@pytest.mark.parametrize(
    ("opens", "more"),
    [(DecisionKind.REOPEN_LEG, {}), (DecisionKind.CORRECT_STATUS, {"status": LegStatus.ON_PROGRAMME})],
)
def test_so_is_what_was_asked_because_its_service_ended_it(
    kind: ProgressKind, opens: DecisionKind, more: dict[str, object]
) -> None:
    world = World(START)
    if kind is ProgressKind.DECLINED:
        world.case.legs[DAPP] = put(rules().pathway, world.dapp, LegStatus.ACKNOWLEDGED, now=world.now)
    world.now += timedelta(hours=1)
    world.progress(kind, reason="He has not come.", reason_code="disengaged" if kind is ProgressKind.CLOSED else None)
    assert world.dapp.closed
    assert len(_asked_of(world)) == 1
    world.now += timedelta(hours=1)
    world.human(opens, **more)
    assert not world.dapp.closed
    assert _asked_of(world) == []
