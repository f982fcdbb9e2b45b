"""What is left to silence is named; what somebody waits for, or was asked, is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.vocabulary import LegStatus, RiskKind, TimerKind
from services.router.casework.pathway import put
from services.router.casework.silence import nothing_silent
from services.router.casework.steps import ReviewKind
from tests.unit.router.casework.resting_world import DAPP, World, rules

START = datetime(2026, 3, 18, 12, tzinfo=UTC)


def _world() -> World:
    world = World(START)
    world.risk(RiskKind.RELAPSE)
    assert nothing_silent(world.case, rules()) == []
    return world


def _paused(days: int = 0) -> World:
    world = World(START)
    world.pause(date(2026, 4, 15))
    world.go(timedelta(days=days))
    assert nothing_silent(world.case, rules()) == []
    return world


def _without(world: World, kind: TimerKind) -> World:
    for id_ in [timer.id for timer in world.case.timers.values() if timer.kind is kind]:
        del world.case.timers[id_]
    return world


def _unasked(world: World, kind: ReviewKind) -> World:
    for id_ in [review.id for review in world.case.reviews.values() if review.kind is kind]:
        del world.case.reviews[id_]
    return world


def _requested(world: World) -> World:
    world.case.legs[DAPP] = put(rules().pathway, world.dapp, LegStatus.REQUESTED, now=world.now)
    return world


def _acknowledged(world: World) -> World:
    world.case.legs[DAPP] = put(rules().pathway, world.dapp, LegStatus.ACKNOWLEDGED, now=world.now)
    return world


def _held(world: World) -> World:
    world.case.legs[DAPP] = put(rules().pathway, world.dapp, LegStatus.ON_HOLD, now=world.now)
    return world


def _nobody(world: World) -> World:
    for id_, review in world.case.reviews.items():
        world.case.reviews[id_] = replace(review, role="")
    return world


def _lapsed() -> World:
    world = _world()
    world.go_to(world.offers[0].answer_by)
    return world


def _closed_under_an_offer() -> World:
    world = _world()
    world.case.legs[DAPP] = put(rules().pathway, world.dapp, LegStatus.WITHDRAWN, now=world.now)
    return world


def _resumed_under_a_pause() -> World:
    world = _paused()
    world.case.legs[DAPP] = put(rules().pathway, world.dapp, LegStatus.ON_PROGRAMME, now=world.now)
    return world


@pytest.mark.parametrize(
    ("silent", "says"),
    [
        (lambda: _without(_world(), TimerKind.OFFER), "no timer watches for its answer"),
        (lambda: _unasked(_lapsed(), ReviewKind.OFFER_LAPSED), "it lapsed and nobody is asked"),
        (_closed_under_an_offer, "open on a closed leg"),
        (lambda: _without(_paused(), TimerKind.PAUSE_REVIEW), "no timer watches for its end"),
        (lambda: _unasked(_paused(30), ReviewKind.PAUSE_END), "it is over and nobody is asked"),
        (_resumed_under_a_pause, "its leg does not rest"),
        (lambda: _without(_paused(), TimerKind.WELFARE_CHECK), "planned, and no timer brings it up"),
        (lambda: _without(_paused(7), TimerKind.CHECK_ESCALATION), "due, and goes to nobody further"),
        (lambda: _unasked(_paused(7), ReviewKind.WELFARE_CHECK), "due, and nobody is asked"),
        (lambda: _unasked(_paused(13), ReviewKind.WELFARE_CHECK), "missed, and nobody is asked"),
        (lambda: _requested(World(START)), "nobody waits for its destination's answer"),
        (lambda: _acknowledged(World(START)), "nobody waits for a first contact"),
        (lambda: _held(World(START)), "it rests without an end"),
        (lambda: _nobody(_lapsed()), "nobody is asked"),
    ],
)
def test_silence_is_named(silent: Callable[[], World], says: str) -> None:
    assert any(says in found for found in nothing_silent(silent().case, rules()))
