"""Ways to bring a condition to a wanted truth: which tests would have to come out otherwise, and by which values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Final, NamedTuple, TypeAlias

from services.router.rules.declarations import Choice, Fact, SetOf, WholeNumber, YesNo
from services.router.rules.explain import truth
from services.router.rules.language import (
    All,
    Any,
    AtLeast,
    AtMost,
    Condition,
    FactValue,
    Has,
    Known,
    Not,
    Test,
    Values,
    tests_of,
)

MOST_WAYS: Final = 64  # the smallest are kept; a condition that people wrote has a handful
MOST_TRIES: Final = 400  # values tried together for one way


class Wanted(NamedTuple):
    """A test, and whether it should hold."""

    test: Test
    holds: bool


Way: TypeAlias = tuple[Wanted, ...]


def ways_to(condition: Condition, facts: Mapping[str, Fact], values: Values, *, holds: bool) -> list[Way]:
    """The smallest sets of tests that are not as wanted and would have to be, smallest first. One empty way: it is."""
    match condition:
        case Not(part):
            return ways_to(part, facts, values, holds=not holds)
        case All(parts) | Any(parts):
            each = [ways_to(part, facts, values, holds=holds) for part in parts]
            return _together(each) if isinstance(condition, All) is holds else _smallest(w for ws in each for w in ws)
        case _:
            return [()] if truth(condition, facts, values) is holds else [(Wanted(condition, holds),)]


def _together(each: Sequence[list[Way]]) -> list[Way]:
    found: list[Way] = [()]
    for ways in each:
        found = _smallest(tuple(dict.fromkeys((*one, *other))) for one in found for other in ways)
    return found


def _smallest(ways: Iterator[Way]) -> list[Way]:
    return sorted(dict.fromkeys(ways), key=lambda way: (len({wanted.test.fact for wanted in way}), len(way)))[
        :MOST_WAYS
    ]


def changes_for(
    condition: Condition, way: Way, facts: Mapping[str, Fact], values: Values, *, holds: bool
) -> Iterator[dict[str, FactValue]]:
    """Values of the way's facts that bring the condition to the wanted truth, those near the present ones first."""
    names = sorted({wanted.test.fact for wanted in way})
    tried = [_values_to_try(facts[name], [t for t in tests_of(condition) if t.fact == name], values) for name in names]
    for those in islice(product(*tried), MOST_TRIES):
        changed = dict(zip(names, those, strict=True))
        if truth(condition, facts, {**values, **changed}) is holds:
            yield changed


def _values_to_try(fact: Fact, tests: Sequence[Test], values: Values) -> list[FactValue]:
    """Every value that the tests tell apart, without the present one, the nearest first."""
    now = values[fact.name]
    found: list[FactValue]
    match fact.type:
        case YesNo():
            found = [True, False]
        case Choice(members, ordered):
            place = members.index(str(now)) if ordered and now in members else None
            found = sorted(members, key=lambda each: 0 if place is None else abs(members.index(each) - place))
        case WholeNumber(low, high):
            told_apart = [int(test.bound) for test in tests if isinstance(test, AtLeast | AtMost)]
            bounds = {bound + step for bound in told_apart for step in (-1, 0, 1)}
            near = now if isinstance(now, int) else low
            found = [*sorted((b for b in bounds if low <= b <= high), key=lambda each: abs(each - near))]
        case SetOf():
            found = list(_sets_to_try(now if isinstance(now, frozenset) else frozenset(), tests))
    if any(isinstance(test, Known) for test in tests):
        found.append(None)
    return [value for value in dict.fromkeys(found) if value != now]


def _sets_to_try(now: frozenset[str], tests: Sequence[Test]) -> Iterator[frozenset[str]]:
    named = [frozenset(test.values) for test in tests if isinstance(test, Has)]
    for values in named:
        yield from (now | {value} for value in sorted(values))
    for values in named:
        yield now | values
        yield now - values
    yield now
    yield frozenset()
