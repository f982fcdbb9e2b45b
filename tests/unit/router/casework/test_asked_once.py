"""Nobody is asked the same twice, nor about what has come or was decided since."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from schemas.vocabulary import DecisionKind, Engagement, ProgressKind, RiskKind
from services.router.casework.steps import ReviewKind
from tests.unit.router.casework.resting_world import World

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
