"""The rule set that ships: its examples, each a test, and promises that hold for every event."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from services.router.rules.decide import decide
from services.router.rules.events import EventKind
from services.router.rules.examples import read_examples
from services.router.rules.facts import facts_stated
from services.router.rules.language import Withhold
from services.router.rules.loader import load_rule_set
from services.router.rules.loading.examples import Example
from services.router.rules.outcomes import ExampleResult, run_example

FOLDER = Path(__file__).parents[4] / "rulesets" / "default"
RULES = load_rule_set(FOLDER)
EXAMPLES = read_examples(RULES, FOLDER)
DAY = date(2026, 3, 2)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example(example: Example) -> None:
    assert run_example(RULES, example).differences == ()


def test_every_rule_is_hit_by_an_example() -> None:
    hit = {matched.rule for example in EXAMPLES for matched in run_example(RULES, example).decision.matched}
    assert {rule.id for rule in RULES.rules} - hit == set()


def test_an_example_that_expects_something_else_fails() -> None:
    wrong = Example("wrong", EXAMPLES[0].at, EXAMPLES[0].facts, {**EXAMPLES[0].expected, "routes": {"dapp": 1}})
    result: ExampleResult = run_example(RULES, wrong)
    assert not result.passed
    assert result.differences == ("routes: expected dapp 1, got dapp 2",)


@pytest.mark.parametrize("kind", EventKind)
def test_no_kind_of_event_falls_through_every_rule(kind: EventKind) -> None:
    decision = decide(RULES, facts_stated(RULES, kind, {"context": "other"}, DAY))
    assert RULES.otherwise.review.question not in {review.question for review in decision.reviews}


def test_ordinary_progress_bothers_nobody() -> None:
    quiet = ("acknowledged", "accepted", "waitlisted", "first_contact", "started", "attended", "resumed")
    for name in quiet:
        facts = facts_stated(RULES, EventKind(f"progress_{name}"), {"destination": "addiction_service"}, DAY)
        decision = decide(RULES, facts)
        assert decision.records
        asked = (decision.reviews, decision.questions, decision.holds, decision.escalations)
        assert asked == ((), (), (), ())


def test_only_voluntary_destinations_are_ever_withheld() -> None:
    withheld = {
        destination
        for rule in RULES.rules
        for action in rule.then
        if isinstance(action, Withhold)
        for destination in action.destinations
    }
    assert all(RULES.destinations[name].voluntary for name in withheld)
    assert {name for name, each in RULES.destinations.items() if each.voluntary} == withheld


def test_nothing_of_the_other_party_is_shared_on_the_persons_side() -> None:
    for destination in RULES.destinations.values():
        if destination.side == "person":
            assert not [path for path in destination.share if {"victim", "children", "narrative"} & {*path.split(".")}]
