"""The shipped rules ask little: of what a hub hears in a year, at most one event in ten comes to a question, and no
floor is passed over because something was not known.

How often a box is left empty is an assumption, written down here: police forms are filled in for the incident itself,
less so for what an officer seldom asks about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from random import Random
from typing import Final

from services.ground.settings import Settings
from services.router.rules.decide import decide
from services.router.rules.decision import Decision
from services.router.rules.events import EventKind
from services.router.rules.facts import Facts, facts_stated
from services.router.rules.language import Route, Rule
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.naive import NO, kleene

EVENTS: Final = 5_000
DAY: Final = date(2026, 3, 2)
RULES: Final = load_rule_set(Settings().rules_dir)

# How often each kind comes, in a hundred.
KINDS: Final[Mapping[EventKind, int]] = {
    EventKind.REFERRAL: 14,
    EventKind.NEW_INCIDENT: 5,
    EventKind.RELAPSE: 6,
    EventKind.MISSED_SESSION: 9,
    EventKind.DISENGAGED: 3,
    EventKind.LOW_MOOD: 3,
    EventKind.SUICIDAL_IDEATION: 1,
    EventKind.BREACH_OF_ORDER: 2,
    EventKind.THREAT: 1,
    EventKind.PROTECTIVE: 3,
    EventKind.CONTEXTUAL: 3,
    EventKind.PROGRESS_ACKNOWLEDGED: 14,
    EventKind.PROGRESS_ACCEPTED: 8,
    EventKind.PROGRESS_FIRST_CONTACT: 7,
    EventKind.PROGRESS_STARTED: 5,
    EventKind.PROGRESS_ATTENDED: 12,
    EventKind.PROGRESS_MISSED: 4,
}
HARM: Final = (EventKind.REFERRAL, EventKind.NEW_INCIDENT, EventKind.THREAT)

# What is left empty, in a hundred, of what is never taken for a no where it is empty.
EMPTY: Final[Mapping[str, int]] = {
    "age": 1,
    "relationship": 1,
    "behaviours": 1,
    "risk_level": 3,
    "children_present": 3,
    "concerns": 4,
    "substances": 4,
    "severity": 10,
}


def _an_event(random: Random) -> Facts:
    """An event of somebody who was referred, with what a form holds of it."""
    kind = random.choices(list(KINDS), list(KINDS.values()))[0]
    said: dict[str, object] = {
        "age": random.randint(18, 70) if random.random() < 0.98 else random.randint(15, 17),
        "relationship": random.choice(("partner", "ex_partner", "spouse", "parent")),
        "in_dapp_area": random.random() < 0.9,
        "days_to_holiday": random.randint(0, 120),
    }
    if kind in HARM:
        said |= {
            "behaviours": _some(random, ("physical_assault", "threats", "coercive_control", "strangulation"), 1),
            "risk_level": random.choices(("standard", "medium", "high"), (60, 30, 10))[0],
            "children_present": random.random() < 0.4,
        }
    if kind is EventKind.REFERRAL:
        said |= {
            "concerns": _some(random, ("low_mood", "anxiety"), 0),
            "substances": _some(random, ("alcohol", "cannabis"), 0),
        }
    if kind is EventKind.RELAPSE:
        said["substances"] = ["alcohol"]
    if kind in (EventKind.RELAPSE, EventKind.LOW_MOOD, EventKind.BREACH_OF_ORDER):
        said["severity"] = random.choice(("low", "medium", "high"))
    for name, often in EMPTY.items():
        if name in said and random.random() < often / 100:
            said[name] = None
    return facts_stated(RULES, kind, said, DAY)


def _some(random: Random, among: tuple[str, ...], least: int) -> list[str]:
    return random.sample(among, random.choice((least, 1)))


@cache
def _decided() -> list[tuple[Facts, Decision]]:
    random = Random(20261125)
    return [(facts, decide(RULES, facts)) for facts in (_an_event(random) for _ in range(EVENTS))]


def passed_over(rules: RuleSet, facts: Facts, decision: Decision) -> list[str]:
    """Floors that may hold, were neither acted on nor asked about, and would have asked for more than is done."""
    heeded = {matched.rule for matched in decision.matched}
    heeded |= {rule for question in decision.questions for rule in question.rules}
    known = dict(rules.facts), dict(facts.values)
    may_hold = [rule for rule in rules.rules if rule.tier == "floor" and kleene(rule.when, *known) != NO]
    return [rule.id for rule in may_hold if rule.id not in heeded and not _done_anyway(rule, decision)]


def _done_anyway(rule: Rule, decision: Decision) -> bool:
    routed = {route.destination: route for route in decision.routes if not route.confirm}
    return all(
        isinstance(action, Route)
        and action.destination in routed
        and routed[action.destination].priority <= action.priority
        for action in rule.then
    )


def test_at_most_one_event_in_ten_comes_to_a_question() -> None:
    asking = [decision for _, decision in _decided() if decision.questions]
    assert 0 < len(asking) <= EVENTS / 10, f"{len(asking)} of {EVENTS}"


def test_no_floor_is_passed_over_because_something_was_not_known() -> None:
    passed = [one for facts, decision in _decided() for one in passed_over(RULES, facts, decision)]
    assert passed == []


def test_a_floor_that_is_passed_over_would_be_seen() -> None:
    unknown = [(facts, decision) for facts, decision in _decided() if any(q.rules for q in decision.questions)]
    silent = [(facts, replace(decision, questions=(), matched=())) for facts, decision in unknown]
    assert any(passed_over(RULES, facts, decision) for facts, decision in silent)
