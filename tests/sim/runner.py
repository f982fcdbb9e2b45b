"""Plays many seeds, in as many processes as there are cores; their order of sets is the same in each."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.sim.chaos import Fault
from tests.sim.mutants import LOADS, NEEDS, planted
from tests.sim.play import Outcome, play

CORES = 2  # those of a usual runner
LOOP, USUAL_LOOP_SECONDS = 1_000_000, 0.02  # a sum that tells how busy the machine is besides
AT_ONCE = 20  # seeds from one collection of the dead to the next


@dataclass
class Played:
    """What became of many seeds."""

    outcomes: list[Outcome] = field(default_factory=list)
    processor_seconds: float = 0.0
    slowness: float = 1.0  # of the processor meanwhile, against the usual one; never less than 1
    wall_seconds: float = 0.0

    @property
    def failed(self) -> list[Outcome]:
        """Those with problems."""
        return [outcome for outcome in self.outcomes if outcome.problems]

    @property
    def faults(self) -> Counter[str]:
        """How many of which kind were struck."""
        return sum((outcome.faults for outcome in self.outcomes), Counter[str]())

    def summary(self) -> str:
        """For people."""
        faults, days = self.faults, sum(outcome.seconds for outcome in self.outcomes) / 86_400
        messages = sum(outcome.messages for outcome in self.outcomes)
        steps = sum(outcome.steps for outcome in self.outcomes)
        head = (
            f"{len(self.outcomes)} seeds in {self.wall_seconds:.0f} s ({self.processor_seconds:.0f} s of processor,"
            f" {self.slowness:.1f} times slower than usual):"
            f" {messages} messages, {steps} steps, {days:.2f} simulated days, {faults.total()} faults"
        )
        return "\n".join([head, *(f"{n:>9} {fault}" for fault, n in faults.most_common())])


@contextmanager
def processes(number: int = CORES, *, hash_seed: str = "0") -> Iterator[ProcessPoolExecutor]:
    """Fresh interpreters: nothing that a test run loaded or patched is in them."""
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = hash_seed
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(number, mp_context=context, initializer=_prepare) as pool:
            yield pool
    finally:
        if before is None:
            del os.environ["PYTHONHASHSEED"]
        else:
            os.environ["PYTHONHASHSEED"] = before


def _prepare() -> None:
    gc.disable()
    warnings.simplefilter("ignore", RuntimeWarning)  # coroutines of processes that died before they began
    play(0)
    gc.collect()
    gc.freeze()  # what is loaded and compiled by now is not looked through again


def play_all(pool: ProcessPoolExecutor, seeds: Sequence[int], *, stressing: Collection[Fault] = ()) -> Played:
    """Play these seeds."""
    began, played = time.monotonic(), Played()
    parts = [seeds[start : start + AT_ONCE] for start in range(0, len(seeds), AT_ONCE)]
    loops = 0.0
    for outcomes, seconds, loop_seconds in pool.map(_play_part, parts, [tuple(stressing)] * len(parts)):
        played.outcomes += outcomes
        played.processor_seconds += seconds
        loops += loop_seconds
    played.slowness = max(1.0, loops / len(parts) / USUAL_LOOP_SECONDS)
    played.wall_seconds = time.monotonic() - began
    return played


def play_once(seed: int) -> Outcome:
    """Play one seed, and keep every line of it."""
    return play(seed, keep_lines=True)


def _play_part(seeds: Sequence[int], stressing: Collection[Fault]) -> tuple[list[Outcome], float, float]:
    began = time.process_time()
    outcomes = [play(seed, stressing=stressing) for seed in seeds]
    gc.collect()
    ended = time.process_time()
    sum(range(LOOP))
    return outcomes, ended - began, time.process_time() - ended


def until_caught(mutant: str, seeds: Iterable[int]) -> tuple[int, Outcome | None]:
    """How many seeds it took until the mistake showed, and how it did; None where none of them showed it."""
    played = 0
    with planted(mutant):
        for played, seed in enumerate(seeds, 1):
            outcome = play(seed, stressing=NEEDS.get(mutant, ()), load=LOADS.get(mutant))
            if played % AT_ONCE == 0:
                gc.collect()
            if outcome.problems:
                return played, outcome
    return played, None
