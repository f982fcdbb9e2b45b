"""The generated code says what Kleene's three-valued logic says: unknown is neither yes nor no."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from services.router.rules import language
from services.router.rules.compile import compile_explainer, compile_matchers
from services.router.rules.explain import hanging_on, in_words, truth
from services.router.rules.language import Condition, FactValue, Not, Rule, facts_in
from tests.unit.router.rules.naive import NO, UNKNOWN, YES, kleene
from tests.unit.router.rules.strategies import FACTS, KINDS, conditions, known_values, partly_known_values

Values = dict[str, FactValue]


def verdict(condition: Condition, values: Values) -> int:
    """What the generated code says."""
    kind = str(values["event"])
    hit, ask = compile_matchers([Rule("r", "b", condition, ())], FACTS, [kind])[kind](values)
    return YES if hit else UNKNOWN if ask else NO


def asks_whether_known(condition: Condition) -> bool:
    """Does it test whether something is known? Then an answer can turn it round."""
    return any(isinstance(test, language.Known) for test in language.tests_of(condition))


@settings(max_examples=1_000, deadline=None)
@given(conditions(), partly_known_values())
def test_generated_code_agrees_with_a_plain_reading_of_the_tree(condition: Condition, values: Values) -> None:
    assert verdict(condition, values) == kleene(condition, FACTS, values)


@settings(max_examples=300, deadline=None)
@given(conditions(), partly_known_values())
def test_the_walk_over_the_tree_agrees_as_well(condition: Condition, values: Values) -> None:
    walked = {True: YES, None: UNKNOWN, False: NO}[truth(condition, FACTS, values)]
    assert walked == kleene(condition, FACTS, values)


@settings(max_examples=300, deadline=None)
@given(conditions(), partly_known_values())
def test_not_turns_yes_and_no_round_and_leaves_unknown(condition: Condition, values: Values) -> None:
    assert verdict(Not(condition), values) == YES - verdict(condition, values)


@settings(max_examples=500, deadline=None)
@given(conditions(), partly_known_values(), known_values())
def test_what_is_certain_stays_so_whatever_the_answers_will_be(
    condition: Condition, values: Values, answers: Values
) -> None:
    if not asks_whether_known(condition):
        filled = {name: answers[name] if value is None else value for name, value in values.items()}
        said = verdict(condition, values)
        assert said in (UNKNOWN, verdict(condition, filled))


@settings(max_examples=500, deadline=None)
@given(conditions(), partly_known_values(), known_values())
def test_the_tests_that_are_shown_are_enough_for_the_rule_to_hold(
    condition: Condition, values: Values, others: Values
) -> None:
    if verdict(condition, values) == YES:
        shown = {fact for _, fact in compile_explainer(condition, FACTS, "what makes it hold")(values)}
        changed = {name: values[name] if name in shown or name == "event" else others[name] for name in values}
        assert kleene(condition, FACTS, changed) == YES


@settings(max_examples=500, deadline=None)
@given(conditions(), partly_known_values())
def test_every_test_that_is_shown_is_true(condition: Condition, values: Values) -> None:
    if verdict(condition, values) == YES:
        by_words = {in_words(test): test for test in language.tests_of(condition)}
        for said, fact in compile_explainer(condition, FACTS, "what makes it hold")(values):
            wanted = NO if said.startswith("not: ") else YES
            test = by_words[said.removeprefix("not: ")]
            assert (fact, kleene(test, FACTS, values)) == (test.fact, wanted)


@settings(max_examples=500, deadline=None)
@given(conditions(), partly_known_values(), known_values())
def test_only_facts_that_the_rule_hangs_on_can_settle_it(condition: Condition, values: Values, answers: Values) -> None:
    if kleene(condition, FACTS, values) == UNKNOWN and not asks_whether_known(condition):
        asked = hanging_on(condition, FACTS, values)
        assert asked
        assert all(values[name] is None for name in asked)
        idle = [name for name, value in values.items() if value is None and name not in asked]
        filled = {**values, **{name: answers[name] for name in idle}}
        assert kleene(condition, FACTS, filled) == UNKNOWN
        settled = {**values, **{name: answers[name] for name in asked}}
        assert kleene(condition, FACTS, settled) != UNKNOWN


@pytest.mark.parametrize("kind", KINDS)
@given(condition=conditions())
def test_the_same_tree_makes_the_same_hash(kind: str, condition: Condition) -> None:
    assert hash(condition) == hash(condition)
    assert set(facts_in(condition)) <= set(FACTS)
