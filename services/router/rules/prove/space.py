"""All events there can be, as variables: what is known, and which of the values that some test tells apart.

A value that no test tells from another is not told apart here either: both are one rung of the fact's ladder. Ladders
(numbers, choices) say "at least this rung", so that exactly one rung is taken without saying so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from services.router.rules.compile import EVENT
from services.router.rules.declarations import Choice, Fact, SetOf, WholeNumber, YesNo
from services.router.rules.events import EventKind
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
    tests_of,
)
from services.router.rules.prove.circuit import FALSE, TRUE, Circuit, Formula
from services.router.rules.prove.kinds import can_be_unknown, fixed_for, least_for, must_state, never_more


@dataclass(frozen=True, slots=True)
class Rails:
    """Where a condition certainly holds, and where it does not certainly fail: between them it is unknown."""

    certain: Formula
    possible: Formula


@dataclass(frozen=True, slots=True)
class YesNoFact:
    """Known, and yes. Yes implies known."""

    known: Formula
    yes: Formula


@dataclass(frozen=True, slots=True)
class Ladder:
    """Known, and "at least rung n" for each rung above the lowest; each implies the one below, and known."""

    known: Formula
    rungs: tuple[tuple[int | str, ...], ...]  # of numbers the least of each; of choices all values
    starts: tuple[int, ...]  # of numbers: the least of each rung; of choices: the place of each rung
    at_least: tuple[Formula, ...]  # one for every rung: the first is `known`


@dataclass(frozen=True, slots=True)
class Members:
    """Known, and which of the members that some test names are in. Being in implies known."""

    known: Formula
    members: Mapping[str, Formula]


FactVariables = YesNoFact | Ladder | Members


class Space:
    """The variables of a set of facts, as far as these conditions tell values apart."""

    def __init__(self, circuit: Circuit, facts: Mapping[str, Fact], conditions: Iterable[Condition]) -> None:
        self.circuit = circuit
        self.facts = facts
        self._tests: dict[str, list[Test]] = {}
        for condition in conditions:
            for test in tests_of(condition):
                self._tests.setdefault(test.fact, []).append(test)
        self._variables: dict[str, FactVariables] = {}
        self._rails: dict[Condition, Rails] = {}
        self._cuts = self._cuts_of_numbers()
        named = [name for name in facts if name == EVENT or name in self._tests]
        for name in named:
            self._variables[name] = self._made(facts[name])
        self._what_kinds_fix(named)
        self._what_counts_keep(named)

    @property
    def named(self) -> tuple[str, ...]:
        """The facts that some test names, and the kind of event."""
        return tuple(self._variables)

    def of(self, name: str) -> FactVariables:
        """The variables of one of them."""
        return self._variables[name]

    def known(self, name: str) -> Formula:
        """The fact is known."""
        return self._variables[name].known

    def rails(self, condition: Condition) -> Rails:
        """Both rails of a condition."""
        found = self._rails.get(condition)
        if found is None:
            found = self._rails[condition] = self._made_rails(condition)
        return found

    def is_value(self, name: str, value: FactValue) -> Formula:
        """The fact is this, or something that no test tells from it."""
        kept = self._variables[name]
        if value is None:
            return -kept.known
        every = self.circuit.every
        match kept:
            case YesNoFact():
                return kept.yes if value is True else every((kept.known, -kept.yes))
            case Ladder():
                return self._on_rung(kept, self._rung(self.facts[name], kept, value))
            case Members():
                there = value if isinstance(value, frozenset) else frozenset()
                inside = (var if member in there else -var for member, var in kept.members.items())
                return every((kept.known, *inside))

    def differ(self, one: Rails, other: Rails) -> Formula:
        """One of the two holds where the other does not, or hangs on an unknown where the other does not."""
        differ = self.circuit.differ
        return self.circuit.some((differ(one.certain, other.certain), differ(one.possible, other.possible)))

    def _made_rails(self, condition: Condition) -> Rails:
        circuit = self.circuit
        match condition:
            case All(parts):
                rails = [self.rails(part) for part in parts]
                return Rails(circuit.every(r.certain for r in rails), circuit.every(r.possible for r in rails))
            case Any(parts):
                rails = [self.rails(part) for part in parts]
                return Rails(circuit.some(r.certain for r in rails), circuit.some(r.possible for r in rails))
            case Not(part):
                inner = self.rails(part)
                return Rails(-inner.possible, -inner.certain)
            case _:
                return self._test(condition)

    def _test(self, test: Test) -> Rails:
        kept, circuit = self._variables[test.fact], self.circuit
        if isinstance(test, Known):
            return Rails(kept.known, kept.known)
        holds = self._holds(test, kept)
        certain = circuit.every((kept.known, holds))
        return Rails(certain, circuit.some((-kept.known, holds)))

    def _holds(self, test: Test, kept: FactVariables) -> Formula:
        """Where the fact is known: the test holds."""
        fact = self.facts[test.fact]
        match test, kept:
            case Is(_, wanted), YesNoFact():
                return kept.yes if wanted else -kept.yes
            case In(_, values), Ladder():
                return self._among(kept, values)
            case AtLeast(_, bound), Ladder():
                return self._from_rung(kept, self._rung(fact, kept, bound))
            case AtMost(_, bound), Ladder():
                return -self._from_rung(kept, self._rung(fact, kept, bound) + 1)
            case Has(_, values, how), Members():
                inside = (kept.members[value] for value in values)
                return self.circuit.every(inside) if how == "all" else self.circuit.some(inside)
        raise TypeError(f"{type(test).__name__} is no test of a {fact.type}")

    def _among(self, kept: Ladder, values: tuple[str, ...]) -> Formula:
        """Runs of rungs next to one another are one."""
        inside = [any(value in values for value in rung) for rung in kept.rungs]
        runs: list[Formula] = []
        for rung, here in enumerate(inside):
            if here and (rung == 0 or not inside[rung - 1]):
                after = next((n for n in range(rung, len(inside)) if not inside[n]), len(inside))
                runs.append(self.circuit.every((self._from_rung(kept, rung), -self._from_rung(kept, after))))
        return self.circuit.some(runs)

    def _from_rung(self, kept: Ladder, rung: int) -> Formula:
        if rung <= 0:
            return TRUE
        return kept.at_least[rung] if rung < len(kept.at_least) else FALSE

    def _on_rung(self, kept: Ladder, rung: int) -> Formula:
        return self.circuit.every((kept.known, self._from_rung(kept, rung), -self._from_rung(kept, rung + 1)))

    def rung(self, name: str, value: FactValue) -> int:
        """The rung of a ladder fact on which a value stands."""
        kept = self._variables[name]
        assert isinstance(kept, Ladder)
        return self._rung(self.facts[name], kept, value)

    def _rung(self, fact: Fact, kept: Ladder, value: FactValue) -> int:
        if isinstance(fact.type, Choice):
            return next(place for place, rung in enumerate(kept.rungs) if value in rung)
        return bisect_right(kept.starts, int(str(value))) - 1

    def _made(self, fact: Fact) -> FactVariables:
        circuit = self.circuit
        known = circuit.variable() if can_be_unknown(fact) else TRUE
        match fact.type:
            case YesNo():
                yes = circuit.variable()
                circuit.holds_always(-yes, known)
                return YesNoFact(known, yes)
            case SetOf():
                named = {v for test in self._tests.get(fact.name, ()) if isinstance(test, Has) for v in test.values}
                members = {value: circuit.variable() for value in fact.type.values if value in named}
                for member in members.values():
                    circuit.holds_always(-member, known)
                return Members(known, members)
            case Choice(values, ordered):
                rungs = self._rungs(fact.name, values, ordered=ordered)
                return self._ladder(known, rungs, range(len(rungs)))
            case WholeNumber(low):
                starts = (low, *sorted(self._cuts[fact.name]))
                return self._ladder(known, [(start,) for start in starts], starts)

    def _ladder(self, known: Formula, rungs: Iterable[tuple[int | str, ...]], starts: Iterable[int]) -> Ladder:
        rungs = tuple(rungs)
        at_least = (known, *(self.circuit.variable() for _ in rungs[1:]))
        for lower, higher in pairwise(at_least):
            self.circuit.holds_always(-higher, lower)
        return Ladder(known, rungs, tuple(starts), at_least)

    def _rungs(self, name: str, values: tuple[str, ...], *, ordered: bool) -> list[tuple[int | str, ...]]:
        """Values that no test tells apart stand on one rung; of ordered ones, those that stand side by side."""
        if name == EVENT:
            return [(value,) for value in values]
        tests = self._tests.get(name, ())
        alike: dict[tuple[bool, ...], list[int | str]] = {}
        found: list[list[int | str]] = []
        for place, value in enumerate(values):
            sign = tuple(_tells(test, values, place) for test in tests)
            if sign not in alike:
                found.append(alike.setdefault(sign, []))
            elif ordered and alike[sign] is not found[-1]:
                alike[sign] = []
                found.append(alike[sign])
            alike[sign].append(value)
        return [tuple(rung) for rung in found]

    def _cuts_of_numbers(self) -> dict[str, set[int]]:
        """Where a number's tests change. Counts that bound one another are cut at the same places."""
        cuts: dict[str, set[int]] = {}
        for name, fact in self.facts.items():
            if isinstance(fact.type, WholeNumber):
                bounds = [(t, int(t.bound)) for t in self._tests.get(name, ()) if isinstance(t, AtLeast | AtMost)]
                found = {bound if isinstance(test, AtLeast) else bound + 1 for test, bound in bounds}
                if any(least_for(fact, kind) for kind in EventKind):
                    found.add(1)
                cuts[name] = {cut for cut in found if fact.type.low < cut <= fact.type.high}
        bound = never_more(self.facts)
        while any(cuts[fewer] != cuts[more] for fewer, more in bound):
            for fewer, more in bound:
                cuts[fewer] = cuts[more] = cuts[fewer] | cuts[more]
        return cuts

    def _what_kinds_fix(self, named: Iterable[str]) -> None:
        event = self._variables[EVENT]
        assert isinstance(event, Ladder)
        for name in named:
            fact, kept = self.facts[name], self._variables[name]
            fixed: dict[Formula, list[str]] = {}
            for kind in EventKind:
                value, least = fixed_for(fact, kind), least_for(fact, kind)
                if must_state(fact, kind):
                    fixed.setdefault(-self.is_value(name, fact.silent), []).append(kind.value)
                if value is not None:
                    fixed.setdefault(self.is_value(name, value), []).append(kind.value)
                if least is not None and isinstance(kept, Ladder):
                    fixed.setdefault(self._from_rung(kept, self._rung(fact, kept, least)), []).append(kind.value)
            for so, kinds in fixed.items():
                self.circuit.holds_always(-self._among(event, tuple(kinds)), so)

    def _what_counts_keep(self, named: Iterable[str]) -> None:
        there = set(named)
        for fewer, more in never_more(self.facts):
            if {fewer, more} <= there:
                one, other = self._variables[fewer], self._variables[more]
                assert isinstance(one, Ladder)
                assert isinstance(other, Ladder)
                for less, greater in zip(one.at_least[1:], other.at_least[1:], strict=True):
                    self.circuit.holds_always(-less, greater)


def _tells(test: Test, values: tuple[str, ...], place: int) -> bool:
    match test:
        case In(_, members):
            return values[place] in members
        case AtLeast(_, bound):
            return place >= values.index(str(bound))
        case AtMost(_, bound):
            return place <= values.index(str(bound))
    return False
