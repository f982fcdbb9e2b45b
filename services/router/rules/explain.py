"""Which unknown facts a condition hangs on, and tests in words: a walk over the tree, for the few that need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from services.router.rules.declarations import Choice, Fact
from services.router.rules.language import (
    All,
    Any,
    AtLeast,
    AtMost,
    Condition,
    FactValue,
    Has,
    In,
    Is,
    Known,
    Not,
    Test,
    Values,
)

Truth: TypeAlias = bool | None  # None: unknown
Facts: TypeAlias = Mapping[str, Fact]


def truth(condition: Condition, facts: Facts, values: Values) -> Truth:
    """Kleene's three-valued truth of a condition."""
    match condition:
        case All(parts):
            truths = [truth(part, facts, values) for part in parts]
            return False if False in truths else None if None in truths else True
        case Any(parts):
            truths = [truth(part, facts, values) for part in parts]
            return True if True in truths else None if None in truths else False
        case Not(part):
            inner = truth(part, facts, values)
            return None if inner is None else not inner
        case Known(fact):
            return values[fact] is not None
        case _:
            value = values[condition.fact]
            return None if value is None else _holds(condition, facts[condition.fact], value)


def _holds(test: Test, fact: Fact, value: FactValue) -> bool:
    match test:
        case Is(_, wanted):
            return value is wanted
        case In(_, members):
            return value in members
        case AtLeast(_, bound) | AtMost(_, bound):
            place, wanted_place = _rank(fact, value), _rank(fact, bound)
            return place >= wanted_place if isinstance(test, AtLeast) else place <= wanted_place
        case Has(_, members, how) if isinstance(value, frozenset):
            return value.issuperset(members) if how == "all" else not value.isdisjoint(members)
    return False


def _rank(fact: Fact, value: FactValue) -> int:
    return fact.type.values.index(str(value)) if isinstance(fact.type, Choice) else int(str(value))


def hanging_on(condition: Condition, facts: Facts, values: Values) -> tuple[str, ...]:
    """The unknown facts that keep a condition unknown, sorted; facts that no longer matter are left out."""
    return tuple(sorted(set(_hanging(condition, facts, values))))


def _hanging(condition: Condition, facts: Facts, values: Values) -> Iterator[str]:
    if truth(condition, facts, values) is not None:
        return
    match condition:
        case All(parts) | Any(parts):
            for part in parts:
                yield from _hanging(part, facts, values)
        case Not(part):
            yield from _hanging(part, facts, values)
        case _:
            yield condition.fact


def in_words(test: Test) -> str:
    """A test as people say it."""
    match test:
        case Is(fact, value):
            return f"{fact} is {'yes' if value else 'no'}"
        case In(fact, (only,)):
            return f"{fact} is {only}"
        case In(fact, values):
            return f"{fact} is one of {', '.join(values)}"
        case AtLeast(fact, bound):
            return f"{fact} is at least {bound}"
        case AtMost(fact, bound):
            return f"{fact} is at most {bound}"
        case Has(fact, (only,), _):
            return f"{fact} has {only}"
        case Has(fact, values, how):
            return f"{fact} has {how} of {', '.join(values)}"
        case Known(fact):
            return f"{fact} is known"


def condition_in_words(condition: Condition) -> str:
    """A whole condition as people say it."""
    match condition:
        case All(parts) | Any(parts):
            word = " and " if isinstance(condition, All) else " or "
            said = word.join(condition_in_words(part) for part in parts)
            return f"({said})" if len(parts) > 1 else said
        case Not(part):
            return f"not {condition_in_words(part)}"
        case _:
            return in_words(condition)
