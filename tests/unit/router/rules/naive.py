"""Kleene's logic written a second time, plainly, to hold the generated code against: no 0, unknown 1, yes 2."""

from __future__ import annotations

from services.router.rules.declarations import Choice, Fact
from services.router.rules.language import All, Any, AtLeast, AtMost, Condition, FactValue, Has, In, Is, Known, Not

NO, UNKNOWN, YES = 0, 1, 2


def kleene(condition: Condition, facts: dict[str, Fact], values: dict[str, FactValue]) -> int:
    """The truth of a condition: all is the least of its parts, any the greatest, not the opposite."""
    if isinstance(condition, All):
        return min([YES, *(kleene(part, facts, values) for part in condition.parts)])
    if isinstance(condition, Any):
        return max([NO, *(kleene(part, facts, values) for part in condition.parts)])
    if isinstance(condition, Not):
        return YES - kleene(condition.part, facts, values)
    value = values[condition.fact]
    if isinstance(condition, Known):
        return NO if value is None else YES
    if value is None:
        return UNKNOWN
    return YES if _holds(condition, facts[condition.fact], value) else NO


def _holds(condition: Condition, fact: Fact, value: FactValue) -> bool:
    if isinstance(condition, Is):
        return value == condition.value
    if isinstance(condition, In):
        return any(value == member for member in condition.values)
    if isinstance(condition, Has):
        there = [member in value for member in condition.values if isinstance(value, frozenset)]
        return all(there) if condition.how == "all" else any(there)
    assert isinstance(condition, (AtLeast, AtMost))
    if isinstance(fact.type, Choice):
        place, bound = fact.type.values.index(str(value)), fact.type.values.index(str(condition.bound))
    else:
        place, bound = int(str(value)), int(condition.bound)
    return place >= bound if isinstance(condition, AtLeast) else place <= bound
