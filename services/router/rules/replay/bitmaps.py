"""Conditions over the whole past: one bit a decision, on two rails ("certainly true", "not certainly false").

The same logic as the generated code of `compile`, a million times over in a few operations on bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.router.rules.declarations import Fact, WholeNumber
from services.router.rules.explain import truth
from services.router.rules.language import All, Any, AtLeast, AtMost, Condition, Not, Test
from services.router.rules.replay.columns import Column

Bits: TypeAlias = NDArray[np.uint64]  # a bit a decision, the first one the highest of its byte; those beyond are 0
Flags: TypeAlias = NDArray[np.bool_]

_MOST_RUNS: Final = 4  # of codes, above which each code is looked up


class Rails(NamedTuple):
    """Where a condition is certainly true, and where not certainly false. What is in one is in both.

    Where nothing is unknown both are the same object.
    """

    certain: Bits
    possible: Bits

    @property
    def unknown(self) -> Bits:
        """Where it is neither true nor false."""
        return self.possible & ~self.certain


@dataclass
class Space:
    """How many decisions there are, and bits for them."""

    size: int
    everywhere: Bits = field(init=False)
    nowhere: Bits = field(init=False)

    def __post_init__(self) -> None:
        self.nowhere = np.zeros(-(-self.size // 64), np.uint64)
        self.everywhere = self.pack(np.ones(self.size, np.bool_))

    def pack(self, flags: Flags) -> Bits:
        """Flags as bits."""
        bits = np.zeros(len(self.nowhere) * 8, np.uint8)
        packed = np.packbits(flags)
        bits[: len(packed)] = packed
        return bits.view(np.uint64)

    def places(self, bits: Bits) -> NDArray[np.intp]:
        """The places of the bits that are set, in rising order."""
        return np.flatnonzero(np.unpackbits(bits.view(np.uint8), count=self.size).view(np.bool_))


def count(bits: Bits) -> int:
    """How many bits are set."""
    return int(np.bitwise_count(bits).sum())


def at(bits: Bits, places: NDArray[np.intp]) -> NDArray[np.uint8]:
    """The bits at these places, 0 or 1 each."""
    found: NDArray[np.uint8] = bits.view(np.uint8)[places >> 3] >> (7 - (places & 7)).astype(np.uint8) & np.uint8(1)
    return found


@dataclass
class Bitmaps:
    """The rails of tests and conditions, each worked out once a column."""

    space: Space
    _tests: dict[tuple[Test, int], Rails] = field(default_factory=dict)
    _columns: dict[int, Column] = field(default_factory=dict)  # kept, so that no other one gets its number

    def rails(self, condition: Condition, columns: Mapping[str, Column], facts: Mapping[str, Fact]) -> Rails:
        """Where a condition holds."""

        def rails_of(part: Condition) -> Rails:
            return self.rails(part, columns, facts)

        match condition:
            case All(parts):
                return self._joined(np.bitwise_and, self.space.everywhere, [*map(rails_of, parts)])
            case Any(parts):
                return self._joined(np.bitwise_or, self.space.nowhere, [*map(rails_of, parts)])
            case Not(part):
                return self._contrary(rails_of(part))
            case _:
                column = columns[condition.fact]
                found = self._tests.get((condition, id(column)))
                if found is None:
                    found = self._tests[condition, id(column)] = self._test(condition, column, facts[condition.fact])
                    self._columns[id(column)] = column
                return found

    def hanging(
        self, condition: Condition, within: Bits, columns: Mapping[str, Column], facts: Mapping[str, Fact]
    ) -> Iterator[tuple[str, Bits]]:
        """The unknown facts that keep a condition unknown, each with where it does: `explain.hanging_on`, for all."""
        rails = self.rails(condition, columns, facts)
        if rails.certain is rails.possible:
            return
        here = within & rails.unknown
        if not here.any():
            return
        match condition:
            case All(parts) | Any(parts):
                for part in parts:
                    yield from self.hanging(part, here, columns, facts)
            case Not(part):
                yield from self.hanging(part, here, columns, facts)
            case _:
                yield condition.fact, here

    def _joined(self, join: np.ufunc, idle: Bits, parts: list[Rails]) -> Rails:
        """All or any of the parts, on each rail; on one of them where nothing is unknown."""
        if not parts:
            return Rails(idle, idle)
        certain: Bits = reduce(join, [part.certain for part in parts])
        if all(part.certain is part.possible for part in parts):
            return Rails(certain, certain)
        return Rails(certain, reduce(join, [part.possible for part in parts]))

    def _contrary(self, rails: Rails) -> Rails:
        certain = self.space.everywhere & ~rails.possible
        return Rails(certain, certain if rails.certain is rails.possible else self.space.everywhere & ~rails.certain)

    def _test(self, test: Test, column: Column, fact: Fact) -> Rails:
        certain, possible = _tables(test, column, fact)
        bits = self.space.pack(_spread(certain, column))
        return Rails(bits, bits if np.array_equal(certain, possible) else self.space.pack(_spread(possible, column)))


def _tables(test: Test, column: Column, fact: Fact) -> tuple[Flags, Flags]:
    """Of each code, whether a test is certainly true of its value, and whether it is not certainly false."""
    if isinstance(fact.type, WholeNumber) and isinstance(test, (AtLeast, AtMost)):
        bound = int(test.bound)
        holds = column.numbers >= bound if isinstance(test, AtLeast) else column.numbers <= bound
        return holds & column.known, holds | ~column.known
    facts = {test.fact: fact}
    said = [truth(test, facts, {test.fact: value}) for value in column.values]
    return np.array([each is True for each in said], np.bool_), np.array([each is not False for each in said], np.bool_)


def _spread(wanted: Flags, column: Column) -> Flags:
    """Which decisions have one of the wanted codes. Codes that follow one another are found by comparing."""
    edges = np.flatnonzero(np.diff(wanted.astype(np.int8), prepend=np.int8(0), append=np.int8(0)))
    if len(edges) > 2 * _MOST_RUNS:
        return wanted[column.codes]
    found = np.zeros(len(column.codes), np.bool_)
    for first, after in edges.reshape(-1, 2).tolist():
        if first == 0 and after == len(wanted):
            return ~found
        if after - first == 1:
            found |= column.codes == first
        elif first == 0:
            found |= column.codes < after
        elif after == len(wanted):
            found |= column.codes >= first
        else:
            found |= (column.codes >= first) & (column.codes < after)
    return found
