"""What would come of a candidate with one of its thresholds elsewhere: worked out for every place that matters.

A threshold is known by where it is written; a term's stands in every rule that uses the term, and moves in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from services.router.rules.declarations import WholeNumber
from services.router.rules.language import All, Any, AtLeast, AtMost, Condition, Not, Position, Rule, tests_of
from services.router.rules.replay.compare import Difference, Replay
from services.router.rules.replay.past import Numbers
from services.router.rules.replay.workload import Workload
from services.router.rules.ruleset import RuleSet

STEPS_MOST: Final = 41  # of one threshold; where more values occur, those near it and some further off

Bound: TypeAlias = AtLeast | AtMost


@dataclass(frozen=True)
class Threshold:
    """A bound of a whole number that rules test, and the places that it can be moved to."""

    test: Bound
    rules: tuple[str, ...]  # that it stands in
    places: tuple[int, ...]  # in rising order, its own among them

    @property
    def at(self) -> Position | None:
        """Where it is written."""
        return self.test.at


class Step(NamedTuple):
    """What comes of one place of a threshold."""

    bound: int
    difference: Difference
    held: int  # how often its rules hold
    work: Mapping[str, Numbers]  # by destination, of each week


def thresholds_of(replay: Replay, candidate: RuleSet) -> list[Threshold]:
    """Every threshold of a candidate that moving could change something of."""
    found: dict[tuple[Bound, Position | None], list[str]] = {}
    for rule in candidate.rules:
        for test in tests_of(rule.when):
            if isinstance(test, (AtLeast, AtMost)) and isinstance(candidate.facts[test.fact].type, WholeNumber):
                rules = found.setdefault((test, test.at), [])
                if rule.id not in rules:
                    rules.append(rule.id)
    thresholds = (Threshold(test, tuple(rules), _places(replay, candidate, test)) for (test, _), rules in found.items())
    return [each for each in thresholds if len(each.places) > 1]


def steps_of(replay: Replay, workload: Workload, candidate: RuleSet, threshold: Threshold) -> Iterator[Step]:
    """What comes of each place, against the same base as the candidate itself."""
    nowhere = replay.history.space.nowhere
    for bound in threshold.places:
        difference = replay.against(moved(candidate, threshold.test, bound))
        held = sum(difference.after.hits(rule, nowhere)[0] for rule in threshold.rules)
        yield Step(bound, difference, held, workload.after(difference))


def moved(rules: RuleSet, test: Bound, bound: int) -> RuleSet:
    """The same rules with one bound elsewhere, wherever this very test stands. It keeps the digest that it had."""
    if bound == test.bound:
        return rules
    return replace(rules, rules=tuple(_with(rule, test, bound) for rule in rules.rules))


def _with(rule: Rule, test: Bound, bound: int) -> Rule:
    when = _moved(rule.when, test, bound)
    return rule if when is rule.when else replace(rule, when=when)


def _moved(condition: Condition, test: Bound, bound: int) -> Condition:
    match condition:
        case All(parts) | Any(parts):
            there = tuple(_moved(part, test, bound) for part in parts)
            same = all(new is old for new, old in zip(there, parts, strict=True))
            return condition if same else type(condition)(there)
        case Not(part):
            inner = _moved(part, test, bound)
            return condition if inner is part else Not(inner)
        case AtLeast() | AtMost() if condition == test and condition.at == test.at:
            return replace(condition, bound=bound)
    return condition


def _places(replay: Replay, candidate: RuleSet, test: Bound) -> tuple[int, ...]:
    """The numbers at which the test turns for some decision, and its own."""
    column = replay.history.columns.of(candidate)[test.fact]
    kind = candidate.facts[test.fact].type
    assert isinstance(kind, WholeNumber)
    codes = np.flatnonzero(np.bincount(column.codes, minlength=len(column.values)))
    seen = {int(column.numbers[code]) for code in codes.tolist() if column.known[code]}
    turn = {number + 1 for number in seen} if isinstance(test, AtLeast) else {number - 1 for number in seen}
    own = int(test.bound)
    several = sorted({number for number in seen | turn if kind.low <= number <= kind.high} | {own})
    if len(several) <= STEPS_MOST:
        return tuple(several)
    nearest = sorted(several, key=lambda number: abs(number - own))[: STEPS_MOST // 2]
    far = [several[int(place)] for place in np.linspace(0, len(several) - 1, STEPS_MOST - len(nearest))]
    return tuple(sorted({*nearest, *far}))
