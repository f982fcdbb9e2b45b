"""Small mistakes that somebody could make in a rule set's files, one at a time.

A mutant is one edit of one place as it is written: a mistake in a term changes every rule that uses the term.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

from services.router.rules.declarations import Choice, Fact, WholeNumber
from services.router.rules.explain import in_words
from services.router.rules.language import (
    Action,
    All,
    Any,
    AtLeast,
    AtMost,
    Condition,
    Has,
    In,
    Not,
    OfferPause,
    Position,
    Priority,
    Route,
    Rule,
    Test,
    Withhold,
    tests_of,
)
from services.router.rules.ruleset import RuleSet

Change: TypeAlias = tuple[str, Condition]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: where, what was changed, and the rules as they are with it (None: removed), by their places."""

    at: Position | None
    change: str
    rules: tuple[tuple[int, Rule | None], ...]

    def __str__(self) -> str:
        return f"{self.at}: {self.change}"


def mutants_of(rules: RuleSet) -> Iterator[Mutant]:
    """Every mutant: of conditions, of actions, and each rule removed."""
    yield from _of_conditions(rules)
    for place, rule in enumerate(rules.rules):
        yield Mutant(rule.at, f"{rule.id} removed", ((place, None),))
        for change, mutated in _of_actions(rule):
            yield Mutant(rule.at, f"{rule.id}: {change}", ((place, mutated),))


def _of_conditions(rules: RuleSet) -> Iterator[Mutant]:
    """A term is one tree that rules share, so what is the very same node is what is written once."""
    users: dict[int, tuple[Condition, list[int]]] = {}
    for place, rule in enumerate(rules.rules):
        for node in _nodes(rule.when):
            _, places = users.setdefault(id(node), (node, []))
            if place not in places:
                places.append(place)
    for node, places in users.values():
        first = rules.rules[places[0]]
        at = next((test.at for test in tests_of(node) if test.at is not None), first.at)
        whose = first.id if len(places) == 1 else f"{len(places)} rules"
        for change, instead in _instead_of(node, rules):
            mutated = tuple((place, _with(rules.rules[place], node, instead)) for place in places)
            yield Mutant(at, f"{whose}: {change}", mutated)


def _nodes(condition: Condition) -> Iterator[Condition]:
    yield condition
    match condition:
        case All(parts) | Any(parts):
            for part in parts:
                yield from _nodes(part)
        case Not(part):
            yield from _nodes(part)


def _with(rule: Rule, node: Condition, instead: Condition) -> Rule:
    return replace(rule, when=_replaced(rule.when, node, instead))


def _replaced(condition: Condition, node: Condition, instead: Condition) -> Condition:
    if condition is node:
        return instead
    match condition:
        case All(parts):
            return All(tuple(_replaced(part, node, instead) for part in parts))
        case Any(parts):
            return Any(tuple(_replaced(part, node, instead) for part in parts))
        case Not(part):
            return Not(_replaced(part, node, instead))
    return condition


def _instead_of(node: Condition, rules: RuleSet) -> Iterator[Change]:
    match node:
        case All(parts) | Any(parts):
            yield from _of_group(node, parts)
        case Not(part):
            yield f"'not' taken away from {_short(part)}", part
        case _:
            yield f"turned around: {in_words(node)}", Not(node)
            yield from _of_test(node, rules.facts[node.fact])


def _of_group(node: All | Any, parts: Sequence[Condition]) -> Iterator[Change]:
    if len(parts) < 2:
        return
    kind: Callable[[tuple[Condition, ...]], Condition] = type(node)
    for place, part in enumerate(parts):
        yield f"left out: {_short(part)}", kind((*parts[:place], *parts[place + 1 :]))
    if isinstance(node, All):
        yield f"any instead of all: {_short(node)}", Any(tuple(parts))
    else:
        yield f"all instead of any: {_short(node)}", All(tuple(parts))


def _of_test(test: Test, fact: Fact) -> Iterator[Change]:
    match test:
        case In(_, values) if len(values) > 1:
            for value in values:
                left = tuple(other for other in values if other != value)
                yield f"{value} dropped from {test.fact}", replace(test, values=left)
        case Has(_, values, how) if len(values) > 1:
            for value in values:
                left = tuple(other for other in values if other != value)
                yield f"{value} dropped from {test.fact}", replace(test, values=left)
            yield (
                f"has {'all' if how == 'any' else 'any'} instead: {_short(test)}",
                replace(test, how="all" if how == "any" else "any"),
            )
        case AtLeast(name, bound) | AtMost(name, bound):
            for shifted in _next_to(fact, bound):
                yield f"{shifted} instead of {bound}: {in_words(test)}", replace(test, bound=shifted)
            other = AtMost if isinstance(test, AtLeast) else AtLeast
            yield f"the other way: {in_words(test)}", other(name, bound, test.at)


def _next_to(fact: Fact, bound: int | str) -> list[int | str]:
    match fact.type:
        case WholeNumber(low, high):
            return [number for number in (int(bound) - 1, int(bound) + 1) if low <= number <= high]
        case Choice(values):
            place = values.index(str(bound))
            return [values[near] for near in (place - 1, place + 1) if 0 <= near < len(values)]
    return []


def _of_actions(rule: Rule) -> Iterator[tuple[str, Rule]]:
    if rule.if_unknown != "ask":
        yield f"if_unknown: ask instead of {rule.if_unknown}", replace(rule, if_unknown="ask")
    for place, action in enumerate(rule.then):
        before, after = rule.then[:place], rule.then[place + 1 :]
        if len(rule.then) > 1:
            yield f"without its {_named(action)}", replace(rule, then=(*before, *after))
        for change, other in _of_action(action):
            yield change, replace(rule, then=(*before, other, *after))


def _of_action(action: Action) -> Iterator[tuple[str, Action]]:
    match action:
        case Route(destination, priority, _, confirm):
            for near in (priority - 1, priority + 1):
                if 1 <= near <= 4:
                    yield (
                        f"priority {near} instead of {priority} to {destination}",
                        replace(action, priority=cast(Priority, near)),
                    )
            contrary = None if confirm else "human"
            yield (
                f"{destination} {'not confirmed' if confirm else 'confirmed'}",
                replace(action, confirm=cast("None", contrary)),
            )
        case OfferPause(destination, for_days):
            yield f"a pause of {destination} longer by a day", replace(action, for_days=for_days + 1)
        case Withhold(destinations) if len(destinations) > 1:
            for name in destinations:
                left = tuple(other for other in destinations if other != name)
                yield f"{name} dropped from withhold", Withhold(left)


def _named(action: Action) -> str:
    target = getattr(action, "destination", None) or getattr(action, "role", None)
    return type(action).__name__.lower() + (f" ({target})" if target else "")


def _short(condition: Condition) -> str:
    said = ", ".join(in_words(test) for test in tests_of(condition))
    return said if len(said) <= 70 else f"{said[:67]}..."
