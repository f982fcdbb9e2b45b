"""The real services, seed by seed, in a world where everything fails: nothing is lost, doubled, overtaken or silent."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.sim.chaos import Fault
from tests.sim.mutants import MUTANTS, NEEDS, planted
from tests.sim.play import Outcome, play

SEEDS = 1_000
PARTS = 10  # so that they are shared out between the cores
SOAK_SEEDS = 20_000
MUTANT_SEEDS = 120

# Found in longer searches only: what is needed for them to show comes together in few worlds.
RARE = {"owed_is_forgotten_by_the_second", "all_commands_at_once"}
RARE_SEEDS = 3_000

# A world ends in the midst of everything, as a power cut does: what was never awaited then says so.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def _seeds(part: int, seeds: int) -> Iterable[int]:
    chosen = os.environ.get("ONWARD_SIM_SEED")
    if chosen is not None:
        return [int(chosen)] if part == 0 else []
    return range(part, seeds, PARTS)


def _survive(seeds: Iterable[int]) -> Counter[str]:
    faults: Counter[str] = Counter()
    seconds = 0.0
    for seed in seeds:
        outcome = play(seed)
        faults += outcome.faults
        seconds += outcome.seconds
        assert not outcome.problems, _told(outcome)
    print(f"{sum(faults.values())} faults in {seconds / 3600:.1f} simulated hours: {dict(faults.most_common())}")  # noqa: T201
    return faults


def _told(outcome: Outcome) -> str:
    last = "\n".join(outcome.lines[-60:])
    problems = "\n".join(outcome.problems)
    return f"ONWARD_SIM_SEED={outcome.seed} plays it again\n{problems}\nits last steps:\n{last}"


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_fails_nothing_is_lost_doubled_or_overtaken(part: int) -> None:
    _survive(_seeds(part, SEEDS))


@pytest.mark.soak
@pytest.mark.skipif("ONWARD_SOAK" not in os.environ, reason="a long campaign: make soak")
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_lost_in_many_more_worlds(part: int) -> None:
    _survive(_seeds(part, SOAK_SEEDS))


def test_every_kind_of_fault_occurs() -> None:
    struck: Counter[str] = Counter()
    for seed in range(150):
        struck += play(seed).faults
    assert {str(fault) for fault in Fault} - set(struck) == set()


def test_a_seed_plays_the_same_again_and_another_one_does_not() -> None:
    once, again, other = play(7), play(7), play(8)
    assert once.digest == again.digest
    assert once.digest != other.digest


@pytest.mark.parametrize("name", sorted(set(MUTANTS) - RARE))
def test_a_planted_mistake_is_found(name: str) -> None:
    _found(name, MUTANT_SEEDS)


@pytest.mark.soak
@pytest.mark.skipif("ONWARD_SOAK" not in os.environ, reason="a long campaign: make soak")
@pytest.mark.parametrize("name", sorted(RARE))
def test_a_mistake_that_rarely_shows_is_found_in_the_end(name: str) -> None:
    _found(name, RARE_SEEDS)


def _found(name: str, seeds: int) -> None:
    with planted(name):
        for seed in range(seeds):
            if play(seed, stressing=NEEDS.get(name, ())).problems:
                print(f"{name}: found with the {seed + 1}. seed")  # noqa: T201
                return
    pytest.fail(f"{name} was not found in {seeds} seeds")
