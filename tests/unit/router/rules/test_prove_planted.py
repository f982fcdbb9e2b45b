"""Mistakes planted in the code that makes rules into Python and in the code that proves: each is noticed."""

from __future__ import annotations

import pytest

from tests.unit.router.rules.agreement import Proved, cel_verdicts, made_up, verdicts
from tests.unit.router.rules.planted import IN_DECIDE, IN_PROOFS, Mistake, mutated_compiler, planted

SEEDS, EVENTS = 60, 25


@pytest.mark.parametrize("mistake", IN_DECIDE, ids=lambda mistake: mistake.name)
def test_cel_notices_a_mistake_in_what_decides(mistake: Mistake) -> None:
    compiled = mutated_compiler(mistake).compile_matchers
    assert any(
        verdicts(rules.rules, event, compiled) != cel_verdicts(rules.rules, event)
        for rules, events in (made_up(seed, EVENTS) for seed in range(SEEDS))
        for event in events
    )


@pytest.mark.parametrize("mistake", IN_PROOFS, ids=lambda mistake: mistake.name)
def test_the_engine_notices_a_mistake_in_what_proves(mistake: Mistake) -> None:
    with planted(mistake):
        assert _noticed()


def _noticed() -> bool:
    for seed in range(SEEDS):
        rules, events = made_up(seed, EVENTS)
        proved = Proved(rules)
        for event in events:
            if proved.made.solver.can(*proved.event(event), proved.not_as(cel_verdicts(rules.rules, event))) != "no":
                return True
            if next(proved.differences(event), None) is not None:
                return True
    return False


def test_without_a_mistake_nothing_is_noticed() -> None:
    assert not _noticed()
