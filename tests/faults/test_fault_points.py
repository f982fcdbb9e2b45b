"""Every fault point of every consumer, on both stores: whatever call fails, once or until mended, nothing is lost.

The points are found by running a load and noting each call of the store and of the broker that it makes. Then each is
failed in turn, one in each of the four services at a time, with new events each time. (A process that dies at such a
point is test_deaths.py's.)
"""

from __future__ import annotations

import pytest

from services.ground import consumer, microbatch, publisher
from services.ground.settings import Settings
from tests.support.faulty import faulty_system
from tests.support.sweep import OF_MESSAGES, ONCE_MORE, Scenario, Sweep, looked_through, taken_over

QUICK = {
    "partitions": 2,
    "lease_seconds": 0.6,
    "sweep_seconds": 0.2,
    "redelivery_seconds": (0.2, 0.2, 0.3),
    "publish_seconds": 0.2,
    "reconcile_seconds": 60,
    "window": 8,
}
LEAST_POINTS = 400  # of the 480 or so that are tried on each store, 550 in a soak: some are not met each time
SCENARIOS = (
    Scenario("a load"),
    Scenario("a load whose first transaction failed", kinds=ONCE_MORE),
    Scenario("a partition taken over", prepare=taken_over),
    Scenario("looking for what was lost", prepare=looked_through),
    Scenario("a load, until mended", lasting=True, only_new=False, every_number=False),
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["tried", "whole"])
async def test_a_failure_at_any_point_loses_and_doubles_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    monkeypatch.setattr(consumer, "PAUSE_SECONDS", (0.05, 0.1, 0.2))
    monkeypatch.setattr(microbatch, "LEAST_WINDOW", 8)
    monkeypatch.setattr(publisher, "RETRY_SECONDS", (0.05, 0.2))
    async with faulty_system(settings.model_copy(update=QUICK)) as onward:
        sweep = Sweep(onward, whole)
        for scenario in SCENARIOS:
            await sweep.cover(scenario)
        monkeypatch.setattr(publisher, "ATOMIC_FROM", 2)
        await sweep.cover(Scenario("messages in atomic batches", kinds=OF_MESSAGES, only_new=False, every_number=False))
        assert sweep.covered.total() > LEAST_POINTS
        print(*sweep.summary(), *sweep.not_met, sep="\n")  # noqa: T201
        assert await sweep.problems() == []
