"""Replay says of every decision what `decide` says of it, whatever the rules and whatever is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.router.rules.language import FactValue, Rule
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.replayed import decided, history_of, past_of, replayed
from tests.unit.router.rules.small_rule_set import load
from tests.unit.router.rules.strategies import FACTS, partly_known_values, rule_lists

Values = dict[str, FactValue]
DAYS = [date(2026, 3, day) for day in (1, 2, 3, 4)]
often = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    return load(tmp_path_factory.mktemp("small"))


def made(small: RuleSet, rules: list[Rule]) -> RuleSet:
    in_order = tuple(sorted(rules, key=lambda rule: rule.id))
    return RuleSet("sha256:test", FACTS, small.destinations, small.calendar, in_order, small.otherwise, small.pathway)


@st.composite
def dated_rules(draw: st.DrawFn) -> list[Rule]:
    """Rules, some of them in force on some days only."""
    return [
        replace(
            rule, from_day=draw(st.sampled_from([None, None, *DAYS])), until_day=draw(st.sampled_from([None, *DAYS]))
        )
        if draw(st.integers(0, 3)) == 0
        else rule
        for rule in draw(rule_lists())
    ]


pasts = st.lists(st.tuples(partly_known_values(), st.sampled_from(DAYS)), min_size=1, max_size=40)


@often
@given(dated_rules(), pasts)
def test_replay_says_what_decide_says(small: RuleSet, rules: list[Rule], past: list[tuple[Values, date]]) -> None:
    by = made(small, rules)
    history = history_of(past_of([values for values, _ in past], by.digest, days=[day for _, day in past]), by)
    said = [decided(by, values, day) for values, day in sorted(past, key=lambda each: each[1])]
    assert [outcome.done for outcome in replayed(history, by)] == [outcome.done for outcome in said]
