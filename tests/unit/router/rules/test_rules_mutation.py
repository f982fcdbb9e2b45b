"""What the examples of the shipped rules show of them, and that the quick way to try a mistake is the right one."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from services.ground.settings import Settings
from services.router.rules.bits import Bits
from services.router.rules.coverage import coverage_of
from services.router.rules.examples import read_examples
from services.router.rules.explain import truth
from services.router.rules.loader import load_rule_set
from services.router.rules.mistakes import RuleSetRefused
from services.router.rules.mutants import Mutant, mutants_of
from services.router.rules.mutation import Tried, score_of, try_mutants
from services.router.rules.outcomes import run_example
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.small_rule_set import write

FOLDER = Settings().rules_dir
RULES = load_rule_set(FOLDER)
EXAMPLES = read_examples(RULES, FOLDER)
MUTANTS = tuple(mutants_of(RULES))

EXAMPLE = """\
examples:
- name: An adult
  facts: {event: referral, age: 30, behaviours: []}
  expect: {routes: {dapp: 2}}
"""
TWINS = """\
- name: At the threshold
  facts: {event: referral, behaviours: []}
  each: {age: [18]}
  expect: {routes: {dapp: 2}}
- name: Below it
  facts: {event: referral, age: 17, behaviours: []}
  expect: {otherwise: yes}
- name: Something else
  facts: {event: relapse, age: 30, behaviours: threats_to_kill}
  expect: {otherwise: yes}
- name: A threat
  facts: {age: 10, behaviours: threats_to_kill}
  each: {event: [referral, new_incident]}
  expect: {routes: {victim_safety: 1}}
- name: Nobody says what was done
  facts: {event: new_incident, age: 30}
  expect: {routes: {victim_safety: 1}, questions: behaviours}
- name: Something else was done
  facts: {event: new_incident, age: 30, behaviours: stalking}
  expect: {otherwise: yes}
"""


@cache
def tried_in_shipped() -> tuple[Tried, ...]:
    return tuple(try_mutants(RULES, EXAMPLES))


def tried(folder: Path, examples: str) -> tuple[RuleSet, list[Tried]]:
    write(folder, {"examples/some.yaml": examples})
    rules = load_rule_set(folder)
    return rules, list(try_mutants(rules, read_examples(rules, folder)))


def test_there_are_at_least_sixty_examples() -> None:
    assert len(EXAMPLES) >= 60


def test_every_test_of_every_rule_is_shown_to_hold_and_to_fail() -> None:
    shown = coverage_of(RULES, [example.facts for example in EXAMPLES])
    assert len(shown) > 100
    assert [f"{one.at} {one.rule}: {one.test}" for one in shown if not one.both_ways] == []


def test_the_examples_notice_nineteen_of_twenty_small_mistakes() -> None:
    score = score_of(tried_in_shipped())
    assert score.tried > 800
    assert score.share >= 0.95, [str(mutant) for mutant in score.survivors]


@pytest.mark.parametrize("place", range(0, len(MUTANTS), 30), ids=lambda place: str(MUTANTS[place]))
def test_the_quick_way_says_what_deciding_by_the_mistaken_rules_says(place: int) -> None:
    one = tried_in_shipped()[place]
    rules = _mistaken(one.mutant)
    noticed = any(not run_example(rules, example).passed for example in EXAMPLES)
    assert noticed == (one.noticed_by is not None)
    if one.noticed_by is not None:
        assert not run_example(rules, one.noticed_by).passed


def _mistaken(mutant: Mutant) -> RuleSet:
    instead = dict(mutant.rules)
    there = [instead.get(place, rule) for place, rule in enumerate(RULES.rules)]
    return replace(RULES, rules=tuple(rule for rule in there if rule is not None))


def test_the_bits_of_a_condition_are_its_truth() -> None:
    bits = Bits(RULES.facts, [example.facts.values for example in EXAMPLES])
    for rule in RULES.rules:
        certain, possible = bits.of(rule.when)
        for place, example in enumerate(EXAMPLES):
            is_so = truth(rule.when, RULES.facts, example.facts.values)
            assert (bool(certain >> place & 1), bool(possible >> place & 1)) == (is_so is True, is_so is not False)


def test_one_example_leaves_mistakes_that_nobody_notices(tmp_path: Path) -> None:
    rules, found = tried(tmp_path, EXAMPLE)
    survivors = {str(mutant) for mutant in score_of(found).survivors}
    assert any(one.endswith("referral: 19 instead of 18: age is at least 18") for one in survivors), survivors
    assert "floors.yaml:4:3: floor-threats removed" in survivors
    [example] = read_examples(rules, tmp_path)
    assert not any(one.both_ways for one in coverage_of(rules, [example.facts]))


def test_twins_on_both_sides_notice_every_mistake(tmp_path: Path) -> None:
    rules, found = tried(tmp_path, EXAMPLE + TWINS)
    assert [str(mutant) for mutant in score_of(found).survivors if "confirmed" not in mutant.change] == []
    examples = read_examples(rules, tmp_path)
    assert len(examples) == 8, "each makes an example of every value"
    assert all(one.both_ways for one in coverage_of(rules, [example.facts for example in examples]))


def test_an_example_that_fails_already_notices_nothing(tmp_path: Path) -> None:
    _, found = tried(tmp_path, EXAMPLE.replace("dapp: 2", "dapp: 3"))
    assert score_of(found).share == 0


def test_a_mistake_in_a_term_is_one_edit_that_changes_every_rule_that_uses_it() -> None:
    mutants = [mutant for mutant in mutants_of(RULES) if mutant.change.endswith("spouse dropped from relationship")]
    assert [len(mutant.rules) for mutant in mutants] == [2, 2], "ex_spouse and spouse, each in both rules"
    assert all(mutant.at is not None and mutant.at.file == "terms.yaml" for mutant in mutants)


def test_every_mistake_tells_where_it_is() -> None:
    assert all(mutant.at is not None for mutant in mutants_of(RULES))


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("each: [18]", "3:9: each stands beside facts: one fact, and the list of its values"),
        ("each: {age: [18], event: [referral]}", "3:9: each stands beside facts: one fact, and the list of its values"),
        ("each: {behaviours: [stalking]}", "3:10: behaviours is a fact of this example already"),
        ("each: {aeg: [18]}", "3:10: no fact 'aeg'; did you mean 'age'?"),
        ("each: {age: [young]}", "3:10: that is no value of age, which is int"),
        ("each: {age: 18}", "3:15: age is a list, got int 18"),
    ],
)
def test_a_mistake_in_each_is_told_with_its_place(tmp_path: Path, written: str, says: str) -> None:
    example = f"examples:\n- name: Some\n  {written}\n  facts: {{event: referral, behaviours: []}}\n  expect: {{}}\n"
    write(tmp_path, {"examples/some.yaml": example})
    with pytest.raises(RuleSetRefused) as refused:
        read_examples(load_rule_set(tmp_path), tmp_path)
    assert str(refused.value) == f"examples/some.yaml:{says}"
