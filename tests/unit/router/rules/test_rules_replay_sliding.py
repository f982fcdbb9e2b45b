"""A threshold moves where it is written, in every rule that has it from there, and replay tells what comes of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from random import Random

import pytest

from services.router.rules.language import AtLeast
from services.router.rules.replay.compare import Replay
from services.router.rules.replay.report import report_of
from services.router.rules.replay.sliding import STEPS_MOST, moved, steps_of, thresholds_of
from services.router.rules.replay.workload import Workload
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.replayed import decided, history_of, past_of
from tests.unit.router.rules.small_rule_set import load

DAY = date(2026, 3, 2)
RULES = """\
rules:
- id: adult
  because: Adults go to the programme.
  when: {event: referral, term: grown}
  then:
  - {route: dapp, priority: 2}
- id: grown-up-help
  because: They are helped as well.
  when: {event: referral, term: grown}
  then:
  - {route: addiction, priority: 3}
- id: older
  because: The old rest.
  when: {event: referral, age: {at_least: 18}}
  then:
  - {route: rehab, priority: 3}
"""


@pytest.fixture
def rules(tmp_path: Path) -> RuleSet:
    return load(tmp_path, {"rules/some.yaml": RULES, "terms.yaml": "terms:\n  grown: {age: {at_least: 18}}\n"})


def past(rules: RuleSet, ages: list[int | None]) -> list[dict[str, object]]:
    return [{**dict.fromkeys(rules.facts, None), "event": "referral", "age": age} for age in ages]


def replay_of(rules: RuleSet, ages: list[int | None]) -> Replay:
    return Replay(history_of(past_of(past(rules, ages), rules.digest), rules), rules)  # type: ignore[arg-type]


def test_a_threshold_of_a_term_moves_in_every_rule_that_has_it_and_nowhere_else(rules: RuleSet) -> None:
    replay = replay_of(rules, [10, 17, 18, 19, 40, None])
    found = {each.rules: each for each in thresholds_of(replay, rules)}
    assert set(found) == {("adult", "grown-up-help"), ("older",)}
    term = found["adult", "grown-up-help"]
    assert str(term.at).startswith("terms.yaml:2")
    there = moved(rules, term.test, 40)
    bounds = {rule.id: str(rule.when) for rule in there.rules if rule.id != "floor-threats"}
    assert {id_ for id_, when in bounds.items() if "40" in when} == {"adult", "grown-up-help"}
    assert moved(rules, term.test, 18) is rules


def test_each_step_is_what_deciding_by_the_moved_rules_comes_to(rules: RuleSet) -> None:
    random = Random(3)
    ages: list[int | None] = [random.choice([None, 10, 17, 18, 19, 20, 40]) for _ in range(60)]
    replay = replay_of(rules, ages)
    [threshold] = [each for each in thresholds_of(replay, rules) if each.rules == ("older",)]
    assert threshold.places == (10, 11, 17, 18, 19, 20, 21, 40, 41)
    for step in steps_of(replay, Workload(replay), rules, threshold):
        there = moved(rules, threshold.test, step.bound)
        before, after = ([decided(each, values, DAY) for values in past(rules, ages)] for each in (rules, there))  # type: ignore[arg-type]
        changed = [place for place in range(len(ages)) if before[place].done != after[place].done]
        assert step.difference.changed.tolist() == changed
        assert step.held == sum(age is not None and age >= step.bound for age in ages)
        assert step.work["rehab"].sum() == step.held


def test_a_threshold_has_few_places_its_own_and_those_near_it_among_them(rules: RuleSet) -> None:
    replay = replay_of(rules, [*range(120)])
    [threshold] = [each for each in thresholds_of(replay, rules) if each.rules == ("older",)]
    assert isinstance(threshold.test, AtLeast)
    assert len(threshold.places) <= STEPS_MOST
    assert {0, 17, 18, 19, 120} <= set(threshold.places)


def test_a_report_names_ids_and_rules_and_no_value_of_a_fact(rules: RuleSet) -> None:
    replay = replay_of(rules, [10, 17, 18, None])
    lower = moved(rules, next(each.test for each in thresholds_of(replay, rules) if each.rules == ("older",)), 17)
    found = report_of(replay.against(lower), Workload(replay), kept={rules.digest: rules}, most=None)
    cases = found["cases"]
    assert isinstance(cases, list)
    [case] = cases
    assert isinstance(case, dict)
    assert case["person_id"] == "p000001"
    assert case["rules"] == [{"rule": "older", "before": "did not hold", "after": "held", "asks_otherwise": False}]
    assert found["changed"] == found["persons"] == 1
    assert "17" not in str(found["cases"]).replace("2026-03-02T12", "")
