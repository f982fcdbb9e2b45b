"""Conditions in CEL, for Google's own engine to judge: it knows nothing of ours.

A fact that is not known is a key that is not there. CEL makes an error of that, and its && and || let an error pass
only where the other side does not settle it: Kleene's logic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from cel_expr_python import cel

from services.router.rules.declarations import Choice, Fact
from services.router.rules.language import All, Any, AtLeast, AtMost, Condition, Has, In, Is, Known, Not, Test, Values
from tests.unit.router.rules.naive import NO, UNKNOWN, YES

_ENV = cel.NewEnv(variables={"f": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})


def in_cel(condition: Condition, facts: Mapping[str, Fact]) -> str:
    """A condition as a CEL expression over a map `f` of the facts that are known."""
    match condition:
        case All(parts) | Any(parts):
            is_all = isinstance(condition, All)
            return (
                "(" + (" && " if is_all else " || ").join(in_cel(p, facts) for p in parts) + ")"
                if parts
                else ("true" if is_all else "false")
            )
        case Not(part):
            return f"!({in_cel(part, facts)})"
        case _:
            return _test(condition, facts[condition.fact])


def _test(test: Test, fact: Fact) -> str:
    name = f"f.{test.fact}"
    match test:
        case Known():
            return f"has({name})"
        case Is(_, value):
            return name if value else f"!{name}"
        case In(_, values):
            return f"{name} in {json.dumps(values)}"
        case AtLeast(_, bound) | AtMost(_, bound):
            sign = ">=" if isinstance(test, AtLeast) else "<="
            if isinstance(fact.type, Choice):  # the grades that are so, one by one
                place = fact.type.values.index(str(bound))
                grades = fact.type.values[place:] if sign == ">=" else fact.type.values[: place + 1]
                return "(" + " || ".join(f"{name} == {json.dumps(grade)}" for grade in grades) + ")"
            return f"{name} {sign} {bound}"
        case Has(_, values, how):
            word = " && " if how == "all" else " || "
            return "(" + word.join(f"{json.dumps(value)} in {name}" for value in values) + ")"


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> cel.Expression:
    return _ENV.compile(expression)


def judged(condition: Condition, facts: Mapping[str, Fact], values: Values) -> int:
    """What Google's engine makes of it."""
    known = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in values.items()
        if value is not None
    }
    found = _compiled(in_cel(condition, facts)).eval(data={"f": known})
    if found.type() == cel.Type.ERROR:
        return UNKNOWN
    return YES if found.plain_value() is True else NO
