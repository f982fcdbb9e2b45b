"""What the other party's service tells of him reaches his side after a human's word, or where a life is in danger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from schemas.base import LegId
from schemas.person import PersonRef
from schemas.refusal import Unacceptable
from schemas.risk import RiskReported
from schemas.roles import who_may_answer
from schemas.vocabulary import ContextKind, ProgressKind, RiskKind
from services.router.casework.act import Acting, act
from services.router.casework.placing import TOLD_BY_HER
from services.router.casework.steps import Command, ReviewAsked, ReviewKind, Step
from services.router.rules.decide import decide
from services.router.rules.decision import Reason, RouteDecided
from services.router.rules.due import Due
from services.router.rules.events import CaseEvent, kind_of
from services.router.rules.facts import facts_of
from tests.unit.router.casework.resting_world import DAPP, World, rules

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
HER_SERVICE = rules().destinations["victim_safety"].source
HIS_SERVICE = rules().destinations["dapp"].source


def _told(kind: RiskKind, by: str) -> tuple[World, list[Step]]:
    world = World(START)
    about = PersonRef(leg_id=LegId(DAPP))
    more = {"context": {"kind": ContextKind.HOLIDAY}} if kind is RiskKind.CONTEXTUAL else {}
    said = RiskReported.model_validate({"about": about, "kind": kind, "occurred_at": START, **more})
    return world, world.take(said, by)


def _commanded(steps: list[Step], side: str = "person") -> set[str]:
    commands = {step.leg.destination for step in steps if isinstance(step, Command)}
    return {name for name in commands if rules().destinations[name].side == side}


@pytest.mark.parametrize("kind", sorted(set(RiskKind) - {RiskKind.SUICIDAL_IDEATION}))
def test_nothing_that_she_told_goes_to_his_side_by_itself(kind: RiskKind) -> None:
    world, steps = _told(kind, HER_SERVICE)
    assert _commanded(steps) == set()
    assert world.offers == []
    asked = {step.destination for step in steps if isinstance(step, ReviewAsked) and step.waiting is not None}
    _, otherwise = _told(kind, HIS_SERVICE)
    routed = {step.leg.destination for step in otherwise if isinstance(step, Command)}
    assert asked >= {name for name in routed - {"dapp"} if rules().destinations[name].side == "person"}, (
        "nor is it lost"
    )


def test_new_violence_that_she_tells_of_waits_for_a_word_before_the_programme_hears_of_it() -> None:
    world, steps = _told(RiskKind.NEW_INCIDENT, HER_SERVICE)
    [asked] = [r for r in world.reviews(ReviewKind.CONFIRM_ROUTE) if r.destination == "dapp"]
    assert asked.question.startswith(TOLD_BY_HER)
    assert "facilitator" not in who_may_answer(asked.role), "who works in the programme is not who decides that"
    assert _commanded(steps, "other_party") == {"victim_safety"}
    _, told_by_police = _told(RiskKind.NEW_INCIDENT, "northshire-police")
    assert "dapp" in _commanded(told_by_police)


def test_a_pause_that_her_word_would_offer_is_put_to_a_human() -> None:
    world, _ = _told(RiskKind.RELAPSE, HER_SERVICE)
    [asked] = [review for review in world.reviews(ReviewKind.RULE) if review.leg_id == DAPP]
    assert "Should a pause" in asked.question
    offered, _ = _told(RiskKind.RELAPSE, HIS_SERVICE)
    assert len(offered.offers) == 1


def test_a_life_in_danger_waits_for_nobodys_word() -> None:
    _, steps = _told(RiskKind.SUICIDAL_IDEATION, HER_SERVICE)
    assert _commanded(steps) == {"mental_health_team"}


def test_that_she_missed_an_appointment_is_not_taken_for_him() -> None:
    world = World(START)
    with pytest.raises(Unacceptable) as refused:
        world.progress(ProgressKind.MISSED, leg="victim_safety")
    assert refused.value.reason == "not_of_the_person"
    assert world.steps == []
    world.progress(ProgressKind.MISSED)
    assert [review.kind for review in world.case.reviews.values()] == [ReviewKind.HOLD]


def test_what_she_told_is_asked_beside_what_was_asked_before_and_neither_twice() -> None:
    about = PersonRef(leg_id=LegId(DAPP))
    world = World(START)
    for by in (HIS_SERVICE, HER_SERVICE) * 2:
        world.now += timedelta(hours=1)
        world.take(RiskReported(about=about, kind=RiskKind.RELAPSE, occurred_at=world.now), by)
    asked = [r.question for r in world.reviews(ReviewKind.CONFIRM_ROUTE) if r.destination == "residential_rehab"]
    assert [question.startswith(TOLD_BY_HER) for question in asked] == [True, False]


def _wants(world: World, route: RouteDecided, by: str) -> None:
    """Rules want a route for something that this source told."""
    world.now += timedelta(hours=1)
    said = RiskReported(about=PersonRef(leg_id=LegId(DAPP)), kind=RiskKind.PROTECTIVE, occurred_at=world.now)
    event = CaseEvent(kind_of(said), said, world.now, world.now)
    decision = decide(rules(), facts_of(rules(), event, world.case.view(), world.now))
    acting = Acting(world.case, rules(), world.now, world.id, event_id=world.id(), kind=kind_of(said).value, told_by=by)
    act(replace(decision, routes=(route,)), acting)


@pytest.mark.parametrize("first", [HER_SERVICE, HIS_SERVICE])
def test_a_route_to_her_own_side_that_waits_for_a_word_is_asked_for_once_whoever_tells(first: str) -> None:
    world = World(START)
    route = RouteDecided("childrens_services", 2, Due(hours=24), "ordinary", "human", (Reason("a", "A."),))
    for by in (first, HER_SERVICE, HIS_SERVICE, HER_SERVICE):
        _wants(world, route, by)
    [asked] = [r for r in world.reviews(ReviewKind.CONFIRM_ROUTE) if r.destination == "childrens_services"]
    assert TOLD_BY_HER not in asked.question
    assert asked.answers == ("confirm",), "what protects her is never refused"
