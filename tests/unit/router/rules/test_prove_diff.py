"""Two rule sets compared: what is said to be the same is the same for every event, and what differs is shown by one."""

from __future__ import annotations

import random

import pytest

from services.router.rules.decide import decide
from services.router.rules.language import Rule
from services.router.rules.loader import read_rule_set
from services.router.rules.prove.both import Both, NotComparable, declared_otherwise
from services.router.rules.prove.diff import ASK, SILENCE, Compared, compared, due_of, questions_in, said_of
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.made_up import Chance, rule_set
from tests.unit.router.rules.test_prove_faults import SHIPPED, changed

SHIPPED_RULES = read_rule_set(SHIPPED)


def differences(after: RuleSet, before: RuleSet = SHIPPED_RULES) -> dict[tuple[str, object], Compared]:
    """What differs, by topic."""
    return {(one.topic.sort, one.topic.key): one for one in compared(Both(before, after)) if one.verdict != "same"}


def test_a_rule_set_is_the_same_as_itself_and_the_solver_is_not_asked() -> None:
    both = Both(SHIPPED_RULES, read_rule_set(SHIPPED))
    found = list(compared(both))
    assert {one.verdict for one in found} == {"same"}
    assert len(found) == questions_in(both)
    assert both.solver.asked == 0


def test_rules_said_in_other_words_are_proved_to_be_the_same() -> None:
    """De Morgan, and a number's bounds: not the same formula, and the same for every event."""
    after = changed(
        (
            "floors.yaml",
            "any:\n    - behaviours: {has_any: [physical_assault, sexual_violence, weapon_used]}\n    - weapons: yes",
            """not:
      all:
      - behaviours: {has_none: [physical_assault, sexual_violence, weapon_used]}
      - weapons: no""",
        ),
        (
            "rules/relapse.yaml",
            "{event: relapse, relapses_28d: {at_least: 2}}",
            "{event: relapse, relapses_28d: {above: 1}}",
        ),
    )
    assert SHIPPED_RULES.rules != after.rules
    assert differences(after) == {}


def test_a_threshold_that_moved_is_narrowed_and_nothing_else_is() -> None:
    found = differences(changed(("rules/referral.yaml", "    age: {at_least: 18}", "    age: {at_least: 21}")))
    assert set(found) == {("route", "dapp"), ("withheld", "dapp"), (SILENCE, "")}
    [narrowed] = found["route", "dapp"].changes
    assert narrowed.way == "narrowed"
    assert narrowed.shown.witness.facts.values["age"] == 20
    assert "dapp" in {route.destination for route in narrowed.shown.before.routes}
    assert "dapp" not in {route.destination for route in narrowed.shown.after.routes}


def test_both_ways_are_told_apart() -> None:
    found = differences(changed(("rules/relapse.yaml", "has_all: [alcohol, cocaine]", "has_all: [alcohol, opioids]")))
    gp = found["route", "gp_follow_up"]
    assert [change.way for change in gp.changes] == [
        "widened",
        "narrowed",
        "more urgent",
        "less urgent",
        "sooner",
        "later",
    ]


def test_a_due_time_and_a_priority_that_changed_are_told() -> None:
    after = changed(
        (
            "floors.yaml",
            "victim_pregnant: yes}\n  then:\n  - route: victim_safety\n    priority: 1\n    due: 1 working day\n",
            "victim_pregnant: yes}\n  then:\n  - route: victim_safety\n    priority: 2\n    due: 3 working days\n",
        )
    )
    victim_safety = differences(after)["route", "victim_safety"]
    later = next(change for change in victim_safety.changes if change.way == "later")
    was, now = (str(due_of(decision, victim_safety.topic)) for decision in (later.shown.before, later.shown.after))
    assert "1 working day" in was
    assert "1 working day" not in now
    assert {"less urgent", "later"} <= {change.way for change in victim_safety.changes}


def test_questions_that_are_asked_more_are_told() -> None:
    after = changed(
        ("rules/risk.yaml", "    severity: {known: yes, at_least: high}\n", "    severity: {at_least: high}\n"),
    )
    [change] = differences(after)[ASK, "severity"].changes
    assert change.way == "asked more"
    assert not change.shown.before.questions
    assert [question.fact for question in change.shown.after.questions] == ["severity"]


def test_facts_that_are_declared_otherwise_are_named() -> None:
    after = changed(
        ("facts.yaml", "    from: victim.pregnant\n    unstated: absent\n", "    from: victim.pregnant\n"),
    )
    assert declared_otherwise(SHIPPED_RULES, after) == ["victim_pregnant"]
    assert differences(after) == {}, "of the same facts both decide the same"


def test_facts_of_two_types_do_not_compare() -> None:
    as_a_list = "risk_level: [high, very_high]"
    after = changed(
        ("facts.yaml", "    from: risk.highest\n    ordered: yes\n", "    from: risk.highest\n"),
        ("floors.yaml", "risk_level: {at_least: high}", as_a_list),
        ("invariants.yaml", "    - risk_level: {at_least: high}", f"    - {as_a_list}"),
        ("invariants.yaml", "    risk_level: {at_least: high}\n    risk_answers", f"    {as_a_list}\n    risk_answers"),
    )
    with pytest.raises(NotComparable, match="risk_level is ordered choice in the one rule set and choice in the other"):
        Both(SHIPPED_RULES, after)


def test_what_is_not_decided_in_time_is_not_proved() -> None:
    after = changed(("rules/referral.yaml", "    age: {at_least: 18}", "    age: {at_least: 21}"))
    found = {(one.topic.sort, one.topic.key): one.verdict for one in compared(Both(SHIPPED_RULES, after, lambda: 0.0))}
    assert found["route", "dapp"] == "not proved"
    assert found["route", "marac"] == "same", "no rule of it changed, which needs no solver"


def test_of_made_up_rules_no_event_shows_what_was_proved_to_be_the_same() -> None:
    """30 pairs that differ in a rule or two, 40 events each; what differs is confirmed by the engine as it is found."""
    for seed in range(30):
        chance = Chance(seed)
        rules = chance.rules()
        before, after = rule_set(rules), rule_set(_edited(rules, chance))
        same = {one.topic for one in compared(Both(before, after)) if one.verdict == "same"}
        for _ in range(40):
            event = chance.event()
            one, other = decide(before, event), decide(after, event)
            asked = [{question.fact: question.due for question in each.questions} for each in (one, other)]
            for topic in same:
                if topic.sort == ASK:
                    assert asked[0].get(str(topic.key)) == asked[1].get(str(topic.key)), f"seed {seed}: {topic}"
                elif topic.sort == SILENCE:
                    silent = [before.otherwise.review.question in {r.question for r in d.reviews} for d in (one, other)]
                    assert silent[0] is silent[1], f"seed {seed}: silence"
                elif topic.sort != "pause":
                    assert said_of(one, topic) == said_of(other, topic), f"seed {seed}: {topic}"


def _edited(rules: list[Rule], chance: Chance) -> list[Rule]:
    draw: random.Random = chance.random
    edited = list(rules)
    edited[draw.randrange(len(edited))] = Rule(
        draw.choice(edited).id + "-new", "Another.", chance.condition(2), (chance.action(),)
    )
    return edited


def test_a_change_of_a_promise_is_no_change_of_what_is_decided() -> None:
    after = changed(("invariants.yaml", "    within: 1 hour\n    tier: floor\n", "    within: 1 hour\n"))
    assert after.digest != SHIPPED_RULES.digest, "who weakens a promise has made another version"
    assert differences(after) == {}


def test_the_digest_of_an_unchanged_set_is_the_same() -> None:
    assert read_rule_set(SHIPPED).digest == SHIPPED_RULES.digest
