"""Yes/no formulas as one graph: equal formulas are one node, so what is the same is seen to be so without a solver.

A formula is a whole number: a node, or minus it for its contrary. 1 is true, -1 is false. A node is a variable, or "all
of these". Nothing here knows what a rule is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

Formula: TypeAlias = int

TRUE: Final[Formula] = 1
FALSE: Final[Formula] = -1


class Circuit:
    """The formulas so far. They only grow, and a number means the same for ever."""

    def __init__(self) -> None:
        self._parts: list[tuple[Formula, ...]] = [(), ()]  # of each node, () for a variable; 0 is none, 1 is true
        self._known: dict[tuple[Formula, ...], Formula] = {}
        self.facts: list[tuple[Formula, ...]] = []  # clauses that hold of every event: at least one of each

    def variable(self) -> Formula:
        """A new variable."""
        self._parts.append(())
        return len(self._parts) - 1

    def parts(self, node: Formula) -> tuple[Formula, ...]:
        """What a node is all of; nothing for a variable."""
        return self._parts[abs(node)]

    def every(self, formulas: Iterable[Formula]) -> Formula:
        """All of these hold."""
        found: dict[Formula, None] = {}
        for formula in formulas:
            inner = self._parts[formula] if formula > 1 else ()
            for part in inner or (formula,):
                if part == FALSE or -part in found:
                    return FALSE
                if part != TRUE:
                    found[part] = None
        if not found:
            return TRUE
        if len(found) == 1:
            return next(iter(found))
        key = tuple(sorted(found))
        node = self._known.get(key)
        if node is None:
            self._parts.append(key)
            node = self._known[key] = len(self._parts) - 1
        return node

    def some(self, formulas: Iterable[Formula]) -> Formula:
        """At least one of these holds."""
        return -self.every([-formula for formula in formulas])

    def differ(self, one: Formula, other: Formula) -> Formula:
        """Exactly one of the two holds."""
        if one == other:
            return FALSE
        return self.some((self.every((one, -other)), self.every((-one, other))))

    def chosen(self, which: Formula, then: Formula, otherwise: Formula) -> Formula:
        """`then` where `which` holds, else `otherwise`."""
        return self.some((self.every((which, then)), self.every((-which, otherwise))))

    def holds_always(self, *clause: Formula) -> None:
        """Of every event at least one of these is so."""
        if TRUE not in clause:
            self.facts.append(tuple(part for part in clause if part != FALSE))

    def value(self, formula: Formula, variables: Mapping[Formula, bool]) -> bool:
        """What a formula comes to under an assignment of its variables."""
        return self._value(abs(formula), variables, {1: True}) is (formula > 0)

    def _value(self, node: int, variables: Mapping[Formula, bool], known: dict[int, bool]) -> bool:
        found = known.get(node)
        if found is None:
            parts = self._parts[node]
            if parts:
                found = all(self._value(abs(part), variables, known) is (part > 0) for part in parts)
            else:
                found = variables[node]
            known[node] = found
        return found
