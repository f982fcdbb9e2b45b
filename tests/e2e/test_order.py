"""A person's events stay in order with two routers, and when one of them is killed."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict

import pytest
from sqlalchemy import text

from services.ground.settings import Settings
from services.ground.settle import settle
from tests.support.checks import problems_of
from tests.support.events import Event, referral_of, risk
from tests.support.processes import Processes, processes

PERSONS = 12
EVENTS = 5  # of each person


@pytest.mark.timeout(180)
async def test_events_of_one_person_stay_in_order_with_two_routers_and_when_one_is_killed(settings: Settings) -> None:
    async with processes(settings) as system:
        system.start("router", name="router-2")
        await _until_shared(system)
        sent: list[str] = []
        for turn in range(EVENTS):
            for person in range(1, PERSONS + 1):
                event = referral_of(person) if turn == 0 else _relapse(person, turn)
                channel = "referral" if turn == 0 else "risk"
                assert await system.publish(event["source"], channel, event["id"], json.dumps(event).encode())
                sent.append(event["id"])
            if turn == EVENTS // 2:
                system.running["router-2"].kill()
                system.running["router-2"].wait()
        await settle(system.world, system.connection, seconds=60)
        # Lost, doubled, unaudited, or out of order on any leg:
        assert await problems_of(system.database, system.connection, acknowledged=sent) == []
        decided = await _decided(system)
        assert len(decided) == PERSONS
        for person_id, numbers in decided.items():
            assert numbers == list(range(1, EVENTS + 1)), person_id
        assert len(await _owners(system)) == 1, "the other router took its partitions"


def _relapse(person: int, turn: int) -> Event:
    return risk(id=f"relapse-{person}-{turn}", about={"identifiers": {"crn": f"X{person:06d}"}})


async def _until_shared(system: Processes) -> None:
    """Until both routers hold partitions."""
    for _ in range(300):
        if len(await _owners(system)) == 2:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the routers do not share the partitions")


async def _owners(system: Processes) -> set[str]:
    query = text("SELECT DISTINCT owner FROM leases WHERE service = 'router' AND owner IS NOT NULL")
    return set(await system.database.read(lambda c: list(c.execute(query).scalars())))


async def _decided(system: Processes) -> dict[str, list[int]]:
    """The numbers of each person's events, in the order in which they were decided."""
    query = text(
        "SELECT e.person_id, e.sequence FROM decisions d JOIN case_events e ON e.event_id = d.event_id ORDER BY d.id"
    )
    order: dict[str, list[int]] = defaultdict(list)
    for person, sequence in await system.database.read(lambda c: [tuple(row) for row in c.execute(query)]):
        order[person].append(sequence)
    return order
