"""From a decision to what is done."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest

from schemas.vocabulary import LegStatus, RouteAction, TimerKind
from services.ground.settings import Settings
from services.router.casework.act import Acting, act
from services.router.casework.case import Case, Leg
from services.router.casework.pathway import put
from services.router.casework.steps import (
    Command,
    LegOpened,
    PauseOffered,
    ReviewAsked,
    ReviewKind,
    Step,
    TimerSet,
)
from services.router.rules.decide import decide
from services.router.rules.decision import Decision, NotifyDecided, OfferDecided, Reason, RouteDecided
from services.router.rules.due import Due
from services.router.rules.events import EventKind
from services.router.rules.facts import facts_stated
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import RuleSet

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
WHY = (Reason("a-rule", "Because."),)
KNOWN = {"age": "1990-05-17", "in_dapp_area": "Northshire", "consent": "yes"}  # as a case remembers it


@cache
def _rules() -> RuleSet:
    return load_rule_set(Settings().rules_dir)


def _decision(**parts: object) -> Decision:
    quiet = decide(_rules(), facts_stated(_rules(), EventKind.PROGRESS_ATTENDED, {}, NOW.date()))
    empty = dict.fromkeys(
        ("routes", "offers", "notifies", "reviews", "holds", "resumes", "escalations", "questions"), ()
    )
    return replace(quiet, **{**empty, **parts})  # type: ignore[arg-type]


def _route(
    destination: str = "dapp", *, priority: int = 2, tier: str = "ordinary", confirm: str | None = None
) -> RouteDecided:
    return RouteDecided(destination, priority, Due(working_days=2), tier, confirm, WHY)  # type: ignore[arg-type]


def _act(case: Case, decision: Decision) -> list[Step]:
    numbers = itertools.count()
    return act(decision, Acting(case, _rules(), NOW, lambda: f"id-{next(numbers):04d}"))


def _somebody(**known: str) -> Case:
    return Case("person", NOW, remembered={**KNOWN, **known})


def _open_leg(destination: str = "dapp", *, priority: int = 3) -> Case:
    leg = Leg("leg-1", destination, LegStatus.ON_PROGRAMME, NOW, priority, None, NOW, commands=1)
    return Case("person", NOW, legs={"leg-1": leg}, remembered=KNOWN)


def test_a_route_opens_a_leg_commands_it_and_watches_for_its_answer() -> None:
    case = _somebody()
    steps = _act(case, _decision(routes=(_route(),)))
    [opened] = [step for step in steps if isinstance(step, LegOpened)]
    [command] = [step for step in steps if isinstance(step, Command)]
    [timer] = [step for step in steps if isinstance(step, TimerSet)]
    assert opened.leg.status is LegStatus.REQUESTED
    assert (command.action, command.number, command.reasons) == (RouteAction.REFER, 1, WHY)
    assert (timer.kind, timer.leg_id) == (TimerKind.ACKNOWLEDGEMENT, opened.leg.id)
    assert timer.due_at > NOW


def test_a_second_route_to_an_open_leg_steps_it_up_and_opens_no_other() -> None:
    case = _open_leg(priority=3)
    steps = _act(case, _decision(routes=(_route(priority=1),)))
    [command] = [step for step in steps if isinstance(step, Command)]
    assert (command.action, command.number) == (RouteAction.STEP_UP, 2)
    assert len(case.legs) == 1
    assert case.legs["leg-1"].priority == 1


@pytest.mark.parametrize(
    ("kind", "told_in"),
    [("relapse", ("event",)), ("referral", ("event",)), ("progress_missed", ()), ("timer_review", ())],
)
def test_a_leg_keeps_of_which_news_it_was_sent_and_nothing_of_how_far_others_are(
    kind: str, told_in: tuple[str, ...]
) -> None:
    case = _open_leg()
    acting = Acting(case, _rules(), NOW, lambda: "id", event_id="event", kind=kind)
    for _ in range(2):
        act(_decision(routes=(_route(),)), acting)
    assert case.legs["leg-1"].told_in == told_in


def test_stepping_up_never_makes_a_leg_less_urgent() -> None:
    case = _open_leg(priority=1)
    _act(case, _decision(routes=(_route(priority=3),)))
    assert case.legs["leg-1"].priority == 1


def test_a_closed_leg_does_not_stand_in_the_way_of_a_new_one() -> None:
    case = _open_leg()
    case.legs["leg-1"] = put(_rules().pathway, case.legs["leg-1"], LegStatus.DECLINED, now=NOW)
    steps = _act(case, _decision(routes=(_route(),)))
    assert [step for step in steps if isinstance(step, LegOpened)]


def test_a_route_that_a_human_must_confirm_waits_and_sends_nothing() -> None:
    case = Case("person", NOW)
    steps = _act(case, _decision(routes=(_route(confirm="human"),)))
    [asked] = [step for step in steps if isinstance(step, ReviewAsked)]
    assert (asked.kind, asked.destination) == (ReviewKind.CONFIRM_ROUTE, "dapp")
    assert not [step for step in steps if isinstance(step, Command)]


def test_consent_that_is_on_record_is_not_asked_for() -> None:
    for said, asked in (("yes", 0), ("no", 1), ("none", 1)):
        decision = _decision(routes=(_route("mutual_aid"),))
        facts = replace(decision.facts, values={**decision.facts.values, "consent": said})
        steps = _act(Case("person", NOW, remembered={**KNOWN, "consent": said}), replace(decision, facts=facts))
        assert len([step for step in steps if isinstance(step, ReviewAsked)]) == asked, said


def test_news_opens_a_leg_where_there_is_none() -> None:
    steps = _act(Case("person", NOW), _decision(notifies=(NotifyDecided("victim_safety", "a pause", WHY),)))
    [command] = [step for step in steps if isinstance(step, Command)]
    assert (command.leg.destination, command.action) == ("victim_safety", RouteAction.NOTIFY)


def test_an_offer_is_made_on_an_open_leg_and_moves_nothing() -> None:
    case = _open_leg()
    steps = _act(case, _decision(offers=(OfferDecided("dapp", 28, 7, Due(working_days=5), WHY),)))
    assert [(s.offer.leg_id, s.offer.for_days) for s in steps if isinstance(s, PauseOffered)] == [("leg-1", 28)]
    assert case.legs["leg-1"].status is LegStatus.ON_PROGRAMME


def test_every_question_has_a_timer_that_keeps_it_from_being_forgotten() -> None:
    decision = decide(_rules(), facts_stated(_rules(), EventKind.REFERRAL, {}, NOW.date()))
    steps = _act(Case("person", NOW), decision)
    asked = {step.id for step in steps if isinstance(step, ReviewAsked)}
    assert asked
    assert asked == {step.review_id for step in steps if isinstance(step, TimerSet) and step.review_id}


def test_numbers_of_a_legs_commands_have_no_gap() -> None:
    case = _somebody()
    numbers = []
    for _ in range(3):
        steps = _act(case, _decision(routes=(_route(),), notifies=(NotifyDecided("dapp", "news", WHY),)))
        numbers += [step.number for step in steps if isinstance(step, Command)]
    assert numbers == list(range(1, 7))
