"""A process that dies at a chosen point of its unit of work: started again, it repeats work and loses nothing."""

from __future__ import annotations

import asyncio
import json

import pytest

from services.cli.wiring import SERVICES
from services.ground.settings import Settings
from services.ground.settle import settle
from tests.support.checks import problems_of
from tests.support.events import Event, referral_of, risk
from tests.support.planted import DEATHS
from tests.support.processes import Processes, processes

STARTS_WITHIN = 1200  # tenths of a second, on a busy machine
SETTLE_SECONDS = 60.0


@pytest.mark.timeout(400)
@pytest.mark.parametrize("turns", [1, pytest.param(len(DEATHS), marks=pytest.mark.soak)])
async def test_every_service_may_die_at_every_point_of_its_unit_of_work(
    settings: Settings, store: str, turns: int
) -> None:
    """In each turn each service dies at another point; the two stores begin at different ones."""
    points = list(DEATHS)
    quick = settings.model_copy(update={"partitions": 2})
    async with processes(quick) as system:
        sent: list[str] = []
        poison: list[bytes] = []
        for number in range(1, turns + 1):
            first = number + (2 if store == "sqlite" else 0)
            for place, service in enumerate(SERVICES, first):
                system.replace(service, module="tests.support.planted", words=(points[place % len(points)],))
            bad = b'{"not": "a message %d"}' % number
            assert await system.publish("met-police", "referral", f"bad-{number}", bad)
            poison.append(bad)
            about = {"identifiers": {"crn": f"X{number:06d}"}}
            sent.append(await _send(system, referral_of(number), "referral"))
            for service in SERVICES:  # each gets its work from the one before, once that is alive again
                await _died(system, service)
                system.start(service)
            sent.append(await _send(system, risk(id=f"relapse-{number}", about=about), "risk"))
            await settle(system.world, system.connection, seconds=SETTLE_SECONDS)
        found = await problems_of(
            system.database, system.connection, acknowledged=sent, poison=poison, settings=settings
        )
        assert found == []
        print(f"{turns * len(SERVICES)} deaths on {store}")  # noqa: T201


async def _send(system: Processes, event: Event, channel: str) -> str:
    assert await system.publish(event["source"], channel, event["id"], json.dumps(event).encode())
    return str(event["id"])


async def _died(system: Processes, service: str) -> None:
    """Wait for it. A service that was not struck would show nothing."""
    for _ in range(STARTS_WITHIN):
        if system.running[service].poll() is not None:
            break
        await asyncio.sleep(0.1)
    assert system.running[service].returncode == -9, f"{service} is to die at its point"
