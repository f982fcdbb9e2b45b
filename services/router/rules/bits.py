"""Conditions over many events at once: one bit an event, on two rails ("certainly true", "not certainly false").

The same logic as `explain.truth`, a thousand times over in a few operations on whole numbers. Tests are looked at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.router.rules.declarations import Fact
from services.router.rules.explain import truth
from services.router.rules.language import All, Any, Condition, Not, Test, Values


class Rails(NamedTuple):
    """Of which events a condition is certainly true, and of which not certainly false. What is in one is in both."""

    certain: int
    possible: int


@dataclass(slots=True)
class Bits:
    """The events, and what was found out about them."""

    facts: Mapping[str, Fact]
    values: Sequence[Values]
    _tests: dict[Test, Rails] = field(default_factory=dict)

    @property
    def everywhere(self) -> int:
        """Every event's bit."""
        return (1 << len(self.values)) - 1

    def of(self, condition: Condition, flipped: Test | None = None) -> Rails:
        """Where a condition holds; with one test (this very one, not its equals) turned into its contrary."""
        match condition:
            case All(parts):
                certain = possible = self.everywhere
                for part in parts:
                    rails = self.of(part, flipped)
                    certain, possible = certain & rails.certain, possible & rails.possible
                return Rails(certain, possible)
            case Any(parts):
                certain = possible = 0
                for part in parts:
                    rails = self.of(part, flipped)
                    certain, possible = certain | rails.certain, possible | rails.possible
                return Rails(certain, possible)
            case Not(part):
                return self._contrary(self.of(part, flipped))
            case _:
                found = self._test(condition)
                return self._contrary(found) if condition is flipped else found

    def _contrary(self, rails: Rails) -> Rails:
        return Rails(self.everywhere & ~rails.possible, self.everywhere & ~rails.certain)

    def _test(self, test: Test) -> Rails:
        found = self._tests.get(test)
        if found is None:
            certain = possible = 0
            for place, values in enumerate(self.values):
                holds = truth(test, self.facts, values)
                certain |= (holds is True) << place
                possible |= (holds is not False) << place
            found = self._tests[test] = Rails(certain, possible)
        return found


def places_in(bits: int) -> list[int]:
    """The places of the bits that are set, in rising order."""
    found = []
    while bits:
        lowest = bits & -bits
        found.append(lowest.bit_length() - 1)
        bits ^= lowest
    return found
