"""Three readings of one rule (decide, the proof, Google's CEL) and what they all say of the same events: the same."""

from __future__ import annotations

import pytest

from services.router.rules.decide import decide
from tests.unit.router.rules.agreement import Proved, cel_verdicts, made_up, verdicts

CI, SOAK = 10_000, 100_000
EVENTS = 25  # of one rule set


def verdicts_that_differ(wanted: int, first_seed: int) -> tuple[int, list[str]]:
    """How many verdicts were compared, and those that were not the same three times."""
    compared, different, seed = 0, [], first_seed
    while compared < wanted:
        rules, events = made_up(seed, EVENTS)
        proved = Proved(rules)
        for event in events:
            decided = verdicts(rules.rules, event)
            if cel_verdicts(rules.rules, event) != decided:
                different.append(f"seed {seed}: decide and CEL, of {event.values}")
            this_event = proved.event(event)
            if proved.made.solver.can(*this_event) != "yes":
                different.append(f"seed {seed}: the proof knows no such event: {event.values}")
            if proved.made.solver.can(*this_event, proved.not_as(decided)) != "no":
                different.append(f"seed {seed}: decide and the proof, of {event.values}")
            compared += len(rules.rules)
        seed += 1
    return compared, different


def test_decide_the_proof_and_cel_say_the_same_of_10_000_conditions() -> None:
    compared, different = verdicts_that_differ(CI, first_seed=0)
    assert compared >= CI
    assert different == []


@pytest.mark.soak
def test_decide_the_proof_and_cel_say_the_same_of_100_000_conditions() -> None:
    compared, different = verdicts_that_differ(SOAK, first_seed=1_000_000)
    assert compared >= SOAK
    assert different == []


def test_the_proof_combines_as_the_engine_does() -> None:
    """Every trait of every topic, every question with its due, and silence: of 1,500 made up events."""
    for seed in range(60):
        rules, events = made_up(seed, EVENTS)
        proved = Proved(rules)
        for event in events:
            assert list(proved.differences(event)) == [], f"seed {seed}: {event.values} {decide(rules, event)}"
