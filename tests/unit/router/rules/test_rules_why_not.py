"""Why a destination was not routed to: every change that is told leads there, and none with fewer facts does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from services.ground.settings import Settings
from services.router.rules import language
from services.router.rules.decide import decide
from services.router.rules.declarations import Choice, Fact, SetOf, WholeNumber
from services.router.rules.events import EventKind
from services.router.rules.examples import read_examples
from services.router.rules.facts import Facts, facts_stated
from services.router.rules.language import AtLeast, AtMost, FactValue
from services.router.rules.loader import load_rule_set
from services.router.rules.loading.examples import Example
from services.router.rules.why_not import facts_kept, why_not

FOLDER = Settings().rules_dir
RULES = load_rule_set(FOLDER)
EXAMPLES = read_examples(RULES, FOLDER)
DAY = date(2026, 3, 2)
QUIET = {"risk_level": "standard", "children_present": False, "concerns": [], "substances": []}


def facts_of(kind: str, **stated: object) -> Facts:
    return facts_stated(RULES, EventKind(kind), stated, DAY)


def routed(facts: Facts) -> set[str]:
    return {route.destination for route in decide(RULES, facts).routes}


def every_value(fact: Fact) -> Iterator[FactValue]:
    """Every value that a rule can tell from another, for one change of one fact."""
    match fact.type:
        case Choice(values):
            yield from values
        case WholeNumber(low, high):
            for test in (
                test for rule in RULES.rules for test in language.tests_of(rule.when) if test.fact == fact.name
            ):
                if isinstance(test, AtLeast | AtMost):
                    yield from (n for n in (int(test.bound) + step for step in (-1, 0, 1)) if low <= n <= high)
        case SetOf(values):
            yield frozenset()
            yield frozenset(values)
            yield from (frozenset({value}) for value in values)
        case _:
            yield from (True, False)


def one_change_leads(facts: Facts, destination: str) -> bool:
    return any(
        destination in routed(replace(facts, values={**facts.values, name: value}))
        for name, fact in RULES.facts.items()
        for value in every_value(fact)
    )


@pytest.mark.parametrize("example", EXAMPLES[::9], ids=lambda example: example.name)
def test_the_nearest_change_leads_there_and_none_with_fewer_facts_does(example: Example) -> None:
    facts = example.facts
    for destination in RULES.destinations:
        found = why_not(RULES, facts, destination)
        assert (found.standing == "routed") == (destination in routed(facts))
        if found.standing == "routed" or not (found.rules or found.reasons):
            continue
        assert found.nearest is not None
        changed = {change.fact: change.to for change in found.nearest.changes}
        assert destination in routed(replace(facts, values={**facts.values, **changed}))
        if len(changed) == 2:
            assert not one_change_leads(facts, destination), destination


def test_the_failing_test_tells_value_origin_and_line() -> None:
    found = why_not(RULES, facts_of("relapse", substances="alcohol", dapp="on_programme"), "residential_rehab")
    [nearest, *_] = found.rules
    assert nearest.rule == "relapse-again"
    [failing] = nearest.failing
    assert (failing.test, failing.value, failing.origin) == ("relapses_28d is at least 2", 1, "window")
    assert str(failing.at).startswith("rules/relapse.yaml:")
    assert found.nearest is not None
    assert [tuple(change) for change in found.nearest.changes] == [("relapses_28d", 1, 2)]


def test_what_is_not_known_is_told_as_such_and_answered_by_the_nearest_change() -> None:
    found = why_not(RULES, facts_of("referral", relationship="partner", behaviours="verbal_abuse", **QUIET), "dapp")
    [rule] = [rule for rule in found.rules if rule.rule == "referral-dapp"]
    assert rule.truth == "unknown"
    assert [(test.fact, test.value, test.origin) for test in rule.failing] == [("age", None, "not stated")]
    assert found.nearest is not None
    assert [tuple(change) for change in found.nearest.changes] == [("age", None, 18)]


def test_what_was_held_back_tells_by_which_rule_and_what_would_release_it() -> None:
    facts = facts_of("referral", age=40, relationship="partner", behaviours="verbal_abuse", consent="no", **QUIET)
    found = why_not(RULES, facts, "dapp")
    assert found.standing == "withheld"
    assert [reason.rule for reason in found.held_back_by] == ["consent-refused"]
    assert found.nearest is not None
    assert [change.fact for change in found.nearest.changes] == ["consent"]


def test_two_rules_that_hold_back_are_both_answered() -> None:
    facts = facts_of("referral", age=17, relationship="partner", behaviours="verbal_abuse", consent="no", **QUIET)
    found = why_not(RULES, facts, "dapp")
    assert found.nearest is not None
    assert [change.fact for change in found.nearest.changes] == ["age", "consent"]


def test_what_a_floor_routes_is_told_as_routed_by_a_floor() -> None:
    found = why_not(RULES, facts_of("threat"), "victim_safety")
    assert (found.standing, found.tier, found.nearest) == ("routed", "floor", None)
    assert "floor-threat" in {reason.rule for reason in found.reasons}


def test_where_no_rule_routes_to_nothing_is_invented() -> None:
    nowhere = next(
        name
        for name in RULES.destinations
        if not why_not(RULES, facts_of("referral"), name).rules and name not in routed(facts_of("referral"))
    )
    assert why_not(RULES, facts_of("relapse"), nowhere).nearest is None


def test_facts_that_were_kept_come_back_as_they_were() -> None:
    for example in EXAMPLES:
        bare = facts_stated(RULES, EventKind(str(example.facts.values["event"])), {}, example.facts.day)
        again = facts_kept(RULES, example.facts.to_json(), example.facts.origins, bare)
        assert again.values == example.facts.values
