"""How the rules of one rule set stand with every decision of the past: which hold, and which hang on which fact.

What is done depends on nothing else (`decide.settle`), so decisions that all rules stand alike with are settled once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, reduce
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.router.rules.decide import settle
from services.router.rules.declarations import Fact
from services.router.rules.language import Rule, facts_in
from services.router.rules.replay.bitmaps import Bitmaps, Bits, Space, at, count
from services.router.rules.replay.columns import Column, Columns
from services.router.rules.replay.outcome import Outcome
from services.router.rules.replay.past import Past
from services.router.rules.ruleset import RuleSet

HOLDS: Final = ""  # in place of the fact that a rule hangs on

Key: TypeAlias = tuple[str, str]  # a rule's id, and a fact that it hangs on, or HOLDS
Rows: TypeAlias = Mapping[Key, Bits]  # where some bit is set
Stood: TypeAlias = dict[str, tuple[str, ...]]  # by rule that does not fail: HOLDS alone, or the facts that it hangs on
Marks: TypeAlias = NDArray[np.uint64]  # one number for all that stands so with a decision


@dataclass
class History:
    """The past, with all that was worked out about it; replaying again after a small edit is quick because of it."""

    past: Past
    columns: Columns
    space: Space = field(init=False)
    bitmaps: Bitmaps = field(init=False)
    _seen: dict[int, tuple[Rule, object, list[tuple[Key, Bits]]]] = field(default_factory=dict)
    _days: dict[tuple[int, int], Bits] = field(default_factory=dict)
    _of_rules: dict[tuple[object, ...], tuple[tuple[tuple[str, Column], ...], dict[str, Bits]]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        self.space = Space(len(self.past))
        self.bitmaps = Bitmaps(self.space)

    def rows_of(self, rules: RuleSet) -> dict[Key, Bits]:
        """Where each rule holds, and where it hangs on each fact."""
        columns = self.columns.of(rules)
        rows: dict[Key, Bits] = {}
        for rule in rules.rules:
            seen = self._seen.get(id(rule))
            if seen is None or seen[0] is not rule or seen[1] is not columns:
                of_rule = self._rule(rule, columns, rules.facts)
                seen = (rule, columns, [((rule.id, fact), bits) for fact, bits in of_rule.items()])
                self._seen[id(rule)] = seen
            rows.update(seen[2])
        return rows

    def _rule(self, rule: Rule, columns: Mapping[str, Column], facts: Mapping[str, Fact]) -> dict[str, Bits]:
        key = (rule.when, rule.from_day, rule.until_day)
        used, rows = self._of_rules.get(key, ((), {}))
        if used and all(columns[name] is column for name, column in used):
            return rows
        in_force = self._in_force(rule)
        rails = self.bitmaps.rails(rule.when, columns, facts)
        rows = {HOLDS: rails.certain & in_force}
        for fact, bits in self.bitmaps.hanging(rule.when, in_force, columns, facts):
            rows[fact] = rows[fact] | bits if fact in rows else bits
        rows = {fact: bits for fact, bits in rows.items() if bits.any()}
        self._of_rules[key] = (tuple((name, columns[name]) for name in facts_in(rule.when)), rows)
        return rows

    def _in_force(self, rule: Rule) -> Bits:
        if rule.from_day is None and rule.until_day is None:
            return self.space.everywhere
        first = rule.from_day.toordinal() if rule.from_day else 0
        last = rule.until_day.toordinal() if rule.until_day else 1 << 40
        if (first, last) not in self._days:
            self._days[first, last] = self.space.pack((self.past.day >= first) & (self.past.day <= last))
        return self._days[first, last]


@dataclass
class Standing:
    """One rule set over the past."""

    rules: RuleSet
    rows: dict[Key, Bits]
    settled: dict[int, Outcome] = field(default_factory=dict)  # by mark
    _place: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._place = {rule.id: place for place, rule in enumerate(self.rules.rules)}

    def has(self, rule: str) -> bool:
        """Is there such a rule?"""
        return rule in self._place

    def hits(self, rule: str, nowhere: Bits) -> tuple[int, int]:
        """How often a rule held, and how often it hung on something unknown."""
        return count(self.rows.get((rule, HOLDS), nowhere)), count(self.hangs(rule, nowhere))

    def hangs(self, rule: str, nowhere: Bits) -> Bits:
        """Where a rule hangs on something unknown."""
        return reduce(np.bitwise_or, self._hanging.get(rule, ()), nowhere)

    @cached_property
    def _hanging(self) -> dict[str, list[Bits]]:
        found: dict[str, list[Bits]] = {}
        for (rule, fact), bits in self.rows.items():
            if fact != HOLDS:
                found.setdefault(rule, []).append(bits)
        return found

    def marks(self, size: int) -> Marks:
        """Of every decision the sum of the numbers of the rows that it is in."""
        marks = np.zeros(size, np.uint64)
        space = Space(size)
        for key, bits in self.rows.items():
            marks[space.places(bits)] += number_of(key)
        return marks

    def stood(self, places: NDArray[np.intp]) -> list[Stood]:
        """For each of these decisions the rules that hold, and those that hang, with the facts that they hang on."""
        found: list[Stood] = [{} for _ in range(len(places))]
        for (rule, fact), bits in self.rows.items():
            for number in np.flatnonzero(at(bits, places)).tolist():
                found[number][rule] = (*found[number].get(rule, ()), fact)
        return found

    def outcomes(self, marks: Marks, places: NDArray[np.intp]) -> list[Outcome]:
        """What is done where the rules stand as these marks say, which each is so for the decision at its place."""
        listed = marks.tolist()
        new = [number for number, mark in enumerate(listed) if mark not in self.settled]
        for number, stood in zip(new, self.stood(places[new]), strict=True):
            self.settled[listed[number]] = self._outcome(stood)
        return [self.settled[mark] for mark in listed]

    def _outcome(self, stood: Stood) -> Outcome:
        in_order = sorted((self._place[rule], facts) for rule, facts in stood.items())
        certain = [place for place, facts in in_order if facts == (HOLDS,)]
        hanging = {place: tuple(sorted(facts)) for place, facts in in_order if facts != (HOLDS,)}
        return Outcome.of(settle(self.rules, certain, list(hanging), hanging.__getitem__))


@lru_cache(maxsize=65_536)
def number_of(key: Key) -> np.uint64:
    """A number of 64 bits for a row. Sums of such numbers tell apart which rows went into them.

    Of a million different sums two are alike with a chance of one in 37 million.
    """
    return np.uint64(int.from_bytes(hashlib.blake2b("\0".join(key).encode(), digest_size=8).digest(), "little"))
