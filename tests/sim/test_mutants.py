"""The simulation can fail: each mistake that is planted in the real code is caught, within few seeds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.sim.mutants import MUTANTS
from tests.sim.runner import processes, until_caught

MOST_SEEDS = 100
LEAST_MUTANTS = 25
FROM = 0


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """A process in which mistakes may be planted."""
    with processes(1) as running:
        yield running


def test_there_are_many() -> None:
    assert len(MUTANTS) >= LEAST_MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_mistake_is_caught(pool: ProcessPoolExecutor, mutant: str) -> None:
    played, outcome = pool.submit(until_caught, mutant, range(FROM, FROM + MOST_SEEDS)).result()
    assert outcome is not None, f"{mutant} was not seen in {played} seeds"
    print(f"{mutant}: seed {played}, {outcome.problems[0]}")  # noqa: T201
