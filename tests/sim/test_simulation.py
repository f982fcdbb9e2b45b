"""Whatever goes wrong, in whatever order: everything accepted is routed once in effect, in order, audited or set aside.

`ONWARD_SIM_SEED=17 pytest tests/sim/test_simulation.py` plays one seed again and shows all that happened in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.sim.chaos import Fault
from tests.sim.mutants import NEEDS
from tests.sim.play import Outcome
from tests.sim.runner import Played, play_all, play_once, processes

SEEDS = 1_000
SOAK_SEEDS = 30_000
FIRST_OF_SOAK = 1_000_000
EACH_FAULT = 20  # times at the least, in 1,000 seeds
SHOWN = 40  # last lines of a seed that failed
REPLAYED = range(500, 512)
HARD = sorted({tuple(sorted(fault.name for fault in needed)) for needed in NEEDS.values()})  # each once


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """Processes that do nothing but simulate."""
    with processes() as running:
        yield running


@pytest.mark.skipif("ONWARD_SIM_SEED" not in os.environ, reason="ONWARD_SIM_SEED names a seed to be played again")
def test_the_seed_that_was_asked_for(pool: ProcessPoolExecutor) -> None:
    outcome = pool.submit(play_once, int(os.environ["ONWARD_SIM_SEED"])).result()
    print(*outcome.lines, f"digest {outcome.digest}", sep="\n")  # noqa: T201
    assert outcome.problems == []


@pytest.mark.timeout(900)  # of a busy machine: a quiet one takes little more than one minute
def test_whatever_goes_wrong_all_is_routed_once_in_order_and_audited(pool: ProcessPoolExecutor) -> None:
    played = play_all(pool, range(SEEDS))
    print(played.summary())  # noqa: T201
    assert not played.failed, _told(played)
    struck = played.faults
    assert {fault: struck[fault] for fault in Fault if struck[fault] < EACH_FAULT} == {}, "every kind did occur"


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_more_seeds(pool: ProcessPoolExecutor) -> None:
    played = play_all(pool, range(FIRST_OF_SOAK, FIRST_OF_SOAK + SOAK_SEEDS))
    print(played.summary())  # noqa: T201
    assert not played.failed, _told(played)


@pytest.mark.parametrize("stressing", HARD, ids=" ".join)
def test_worlds_that_are_hard_in_one_way_are_mastered_too(
    pool: ProcessPoolExecutor, stressing: tuple[str, ...]
) -> None:
    """Those in which planted mistakes are looked for: without the mistake nothing is wrong in them."""
    played = play_all(pool, range(6), stressing=[Fault[name] for name in stressing])
    assert not played.failed, _told(played, " ".join(stressing))


@pytest.mark.timeout(120)
def test_a_seed_is_played_the_same_way_each_time(pool: ProcessPoolExecutor) -> None:
    first = {outcome.seed: outcome.digest for outcome in play_all(pool, list(REPLAYED)).outcomes}
    with processes(1, hash_seed="1") as another:  # where Python orders its sets in another way, and in another order
        second = play_all(another, list(reversed(REPLAYED))).outcomes
    assert {outcome.seed: outcome.digest for outcome in second} == first
    assert len(set(first.values())) == len(REPLAYED), "each seed is another world"


def _told(played: Played, stressing: str = "") -> str:
    return "\n\n".join(_one(outcome, stressing) for outcome in played.failed[:3])


def _one(outcome: Outcome, stressing: str) -> str:
    again = f"ONWARD_SIM_SEED={outcome.seed} pytest tests/sim/test_simulation.py -rP"
    return "\n".join(
        [
            f"seed {outcome.seed} ({len(outcome.problems)} problems) {stressing}",
            f"play it again: {again}",
            *outcome.problems[:10],
            "its last lines:",
            *outcome.lines[-SHOWN:],
        ]
    )
