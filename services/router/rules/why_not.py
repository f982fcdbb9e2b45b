"""Why a destination was not routed to: the tests that failed, and the fewest facts that would have had to differ.

The nearest change is found by trying: every change that is told was decided on, and did route.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, Literal, NamedTuple, TypeAlias

from services.router.rules.compile import EVENT
from services.router.rules.decide import decide
from services.router.rules.decision import Decision, Reason
from services.router.rules.explain import in_words, truth
from services.router.rules.facts import Facts
from services.router.rules.language import FactValue, Position, Route, Rule, Tier, Withhold
from services.router.rules.ruleset import RuleSet
from services.router.rules.ways import changes_for, ways_to

MOST_DECISIONS: Final = 3_000  # tried before it is said that no near change was found

Standing: TypeAlias = Literal["routed", "withheld", "not routed"]
Changed: TypeAlias = dict[str, FactValue]


class Failing(NamedTuple):
    """A test that kept a rule from holding, with what the fact was."""

    test: str
    fact: str
    value: FactValue  # None: not known, which is not the same as no
    origin: str
    at: Position | None


class Kept(NamedTuple):
    """A rule that routes there and did not, and the smallest set of tests that kept it from it."""

    rule: str
    because: str
    tier: Tier
    truth: Literal["false", "unknown"]
    failing: tuple[Failing, ...]


class Change(NamedTuple):
    """One fact as it was, and as it would have had to be."""

    fact: str
    was: FactValue
    to: FactValue


class Nearest(NamedTuple):
    """The fewest facts that would have had to differ, and the rules that would then have routed."""

    changes: tuple[Change, ...]
    rules: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class WhyNot:
    """How a destination stands in a decision, and why."""

    destination: str
    standing: Standing
    tier: Tier | None  # where it was routed: a floor cannot be withheld
    reasons: tuple[Reason, ...]  # the rules that asked for it
    held_back_by: tuple[Reason, ...]
    rules: tuple[Kept, ...]  # those that route there and did not hold, the nearest first
    nearest: Nearest | None


def why_not(rules: RuleSet, facts: Facts, destination: str) -> WhyNot:
    """Why the facts do not lead to a destination; where they do, by which rules."""
    decision = decide(rules, facts)
    routed = next((route for route in decision.routes if route.destination == destination), None)
    held = next((each for each in decision.withheld if each.destination == destination), None)
    kept = sorted(_kept(rules, facts, destination), key=lambda one: (len(one.failing), one.truth == "false", one.rule))
    return WhyNot(
        destination,
        "routed" if routed else "withheld" if held else "not routed",
        routed.tier if routed else None,
        routed.reasons if routed else held.reasons if held else (),
        held.held_back_by if held else (),
        tuple(kept),
        None if routed else nearest_change(rules, facts, destination),
    )


def nearest_change(rules: RuleSet, facts: Facts, destination: str) -> Nearest | None:
    """The fewest facts that would have led there; another kind of event only where as many others would not do."""
    order = count()
    waiting: list[tuple[int, bool, int, Changed]] = [(0, False, next(order), {})]
    seen: set[frozenset[tuple[str, FactValue]]] = set()
    for _ in range(MOST_DECISIONS):
        if not waiting:
            return None
        changed = heapq.heappop(waiting)[-1]
        there = replace(facts, values={**facts.values, **changed})
        decision = decide(rules, there)
        route = next((route for route in decision.routes if route.destination == destination), None)
        if route is not None:
            changes = (Change(name, facts.values[name], value) for name, value in sorted(changed.items()))
            return Nearest(tuple(changes), route.reasons)
        for further in _further(rules, there, decision, destination):
            both = {
                name: value for name, value in {**changed, **further}.items() if _differs(facts.values[name], value)
            }
            key = frozenset(both.items())
            if key not in seen:
                seen.add(key)
                heapq.heappush(waiting, (len(both), EVENT in both, next(order), both))
    return None


def _differs(one: FactValue, other: FactValue) -> bool:
    return type(one) is not type(other) or one != other


def _further(rules: RuleSet, facts: Facts, decision: Decision, destination: str) -> Iterator[Changed]:
    """What would make one more rule route there, or one rule fewer hold it back."""
    held = {
        reason.rule for each in decision.withheld if each.destination == destination for reason in each.held_back_by
    }
    for rule in rules.in_force(facts.day):
        routes = any(isinstance(action, Route) and action.destination == destination for action in rule.then)
        holds_back = rule.id in held and any(
            isinstance(action, Withhold) and destination in action.destinations for action in rule.then
        )
        if holds_back:
            yield from _changes(rules, rule, facts, holds=False)
        elif routes and truth(rule.when, rules.facts, facts.values) is not True:
            yield from _changes(rules, rule, facts, holds=True)


def _changes(rules: RuleSet, rule: Rule, facts: Facts, *, holds: bool) -> Iterator[Changed]:
    for way in ways_to(rule.when, rules.facts, facts.values, holds=holds):
        yield from changes_for(rule.when, way, rules.facts, facts.values, holds=holds)


def _kept(rules: RuleSet, facts: Facts, destination: str) -> Iterator[Kept]:
    for rule in rules.in_force(facts.day):
        if not any(isinstance(action, Route) and action.destination == destination for action in rule.then):
            continue
        is_so = truth(rule.when, rules.facts, facts.values)
        if is_so is not True:
            failing = _failing(rules, rule, facts)
            yield Kept(rule.id, rule.because, rule.tier, "unknown" if is_so is None else "false", failing)


def _failing(rules: RuleSet, rule: Rule, facts: Facts) -> tuple[Failing, ...]:
    way = ways_to(rule.when, rules.facts, facts.values, holds=True)[0]
    return tuple(
        Failing(
            in_words(test) if holds else f"not: {in_words(test)}",
            test.fact,
            facts.values[test.fact],
            facts.origins[test.fact],
            test.at,
        )
        for test, holds in way
    )


def facts_kept(rules: RuleSet, values: Mapping[str, object], origins: Mapping[str, str], facts: Facts) -> Facts:
    """The facts of a decision that was kept, as they were then; what was not a fact then is as in `facts`."""
    known = {name: None if value is None else rules.facts[name].value_of(value) for name, value in values.items()}
    told = {name: origins.get(name, "not stated" if known[name] is None else "the decision") for name in known}
    return replace(facts, values={**facts.values, **known}, origins={**facts.origins, **told})
