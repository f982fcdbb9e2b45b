"""Which tests of which rules the examples show both ways.

A test is shown to hold by an example in which it holds and decides: were it false, the rule would come out otherwise.
It is shown to fail by one in which it is false and decides. A test that is merely true somewhere, and changes nothing
there, is not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.router.rules.bits import Bits, places_in
from services.router.rules.explain import in_words
from services.router.rules.facts import Facts
from services.router.rules.language import Position, Rule, Test, tests_of
from services.router.rules.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Shown:
    """One test of one rule, and the examples (by place) that show it to hold and to fail."""

    rule: str
    test: str
    at: Position | None
    holds_in: tuple[int, ...]
    fails_in: tuple[int, ...]

    @property
    def both_ways(self) -> bool:
        """Is it shown to hold, and to fail?"""
        return bool(self.holds_in and self.fails_in)


def coverage_of(rules: RuleSet, examples: Sequence[Facts]) -> tuple[Shown, ...]:
    """Every test of every rule, by rule, in the order in which it is written."""
    bits = Bits(rules.facts, [facts.values for facts in examples])
    return tuple(_shown(bits, rule, test) for rule in rules.rules for test in tests_of(rule.when))


def _shown(bits: Bits, rule: Rule, test: Test) -> Shown:
    here, rail, otherwise = bits.of(test), bits.of(rule.when), bits.of(rule.when, flipped=test)
    decides = (rail.certain ^ otherwise.certain) | (rail.possible ^ otherwise.possible)
    holds, fails = here.certain & decides, ~here.possible & decides
    return Shown(rule.id, in_words(test), test.at or rule.at, tuple(places_in(holds)), tuple(places_in(fails)))
