"""Tests that no example shows both to hold and to fail, with an event for the side that is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from services.router.rules.coverage import coverage_of
from services.router.rules.explain import in_words
from services.router.rules.facts import Facts
from services.router.rules.language import Position, tests_of
from services.router.rules.prove.circuit import FALSE, TRUE, Formula
from services.router.rules.prove.proofs import Proofs
from services.router.rules.prove.witness import Witness
from services.router.rules.prove.world import settled


class Missing(NamedTuple):
    """A side of a test that no example shows, and the smallest event that would (None: there is none)."""

    rule: str
    test: str
    at: Position | None
    side: Literal["hold", "fail"]
    witness: Witness | None


def missing_twins(proofs: Proofs, examples: Sequence[Facts]) -> Iterator[Missing]:
    """Every side of every test that decides there, and that no example shows."""
    shown = iter(coverage_of(proofs.rules, examples))
    for rule in proofs.rules.rules:
        for test in tests_of(rule.when):
            one = next(shown)
            if one.both_ways:
                continue
            here, now = proofs.space.rails(test), proofs.periods.in_force(rule)
            sides: list[tuple[Literal["hold", "fail"], Formula, Formula, bool]] = [
                ("hold", here.certain, FALSE, not one.holds_in),
                ("fail", -here.possible, TRUE, not one.fails_in),
            ]
            for side, so, contrary, is_missing in sides:
                if is_missing:
                    rails, other = proofs.space.rails(rule.when), settled(proofs.space, rule.when, test, contrary)
                    wanted = (so, proofs.space.differ(rails, other), now)
                    can = proofs.solver.can(*wanted) == "yes"
                    witness = proofs.witnesses.smallest(*wanted) if can else None
                    yield Missing(rule.id, in_words(test), one.at, side, witness)
