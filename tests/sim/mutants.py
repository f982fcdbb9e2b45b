"""Mistakes that a tired developer makes, planted in the real code one at a time. The simulation must catch each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from tests.sim import planted_casework, planted_handing_on, planted_log, planted_sending, planted_taking
from tests.sim.chaos import Fault
from tests.sim.people import CASEWORK, JOINED, STEADY, Load

MUTANTS: Final[dict[str, Callable[[pytest.MonkeyPatch], None]]] = {
    plant.__name__: plant
    for plant in (
        *planted_handing_on.PLANTS,
        *planted_sending.PLANTS,
        *planted_taking.PLANTS,
        *planted_casework.PLANTS,
        *planted_log.PLANTS,
    )
}

# Of mistakes that show only where several things go wrong within a second: what goes wrong often in their worlds.
NEEDS: Final[dict[str, tuple[Fault, ...]]] = {
    "timeout_is_failure": (Fault.LOST, Fault.REJECTED),
    "publish_before_commit": (Fault.COMMIT_REFUSED, Fault.STATEMENT),
    "no_relay_at_takeover": (Fault.CRASH_AFTER_COMMIT, Fault.CRASH),
    "newer_before_owed": (Fault.COMMIT_UNSEEN, Fault.REFUSED),
    "all_commands_at_once": (Fault.REJECTED, Fault.LOST),
    "handed_on_to_one_who_lost_it": (Fault.PAUSE, Fault.CLOCK, Fault.STORE_SLOW, Fault.CRASH),
    "half_taken_is_kept": (Fault.TRIPPED,),
    "no_fence": (Fault.PAUSE, Fault.CLOCK, Fault.STORE_SLOW),
    "number_kept_in_memory": (Fault.COMMIT_REFUSED, Fault.CRASH_BEFORE_COMMIT),
    "an_outage_is_an_attempt": (Fault.STORE_SICK, Fault.STATEMENT),
    "tile_kept_in_memory": (Fault.COMMIT_REFUSED, Fault.STATEMENT),
    "case_kept_in_memory": (Fault.COMMIT_REFUSED, Fault.STATEMENT),
    "refused_passes_for_repeat": (Fault.TRIPPED,),
    "refused_holds_up_the_rest": (Fault.TRIPPED,),
    "no_reconciling": (Fault.BROKER_WIPED, Fault.BROKER_CUT),
    "held_after_it_was_let_go": (Fault.CRASH, Fault.STORE_SLOW, Fault.PAUSE),
    "only_the_end_of_a_stream": (Fault.BROKER_CUT,),
    "taken_out_first": (Fault.CRASH_AFTER_COMMIT, Fault.CRASH),
    "given_out_before_it_was_sent": (Fault.CRASH_AFTER_COMMIT, Fault.CRASH),
    "queue_that_loses_nothing": (Fault.BROKER_CUT, Fault.BROKER_WIPED),
    "timer_marked_in_a_transaction_of_its_own": (Fault.CRASH_AFTER_COMMIT, Fault.COMMIT_REFUSED),
}

# What is said in the worlds of those that need more of one thing.
LOADS: Final[dict[str, Load]] = {plant.__name__: CASEWORK for plant in planted_casework.PLANTS} | {
    "timer_of_a_question_with_another": JOINED,
    "handed_on_to_one_who_lost_it": STEADY,
}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """With this mistake in the code, or none."""
    with pytest.MonkeyPatch.context() as patch:
        if name is not None:
            MUTANTS[name](patch)
        yield
