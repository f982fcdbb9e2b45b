"""Accepted is kept: real processes killed at random under load, the broker included."""

from __future__ import annotations

import asyncio
import json
import random

import pytest
from sqlalchemy import text

from services.cli.wiring import SERVICES
from services.ground.settings import Settings
from services.ground.settle import settle
from tests.support.checks import problems_of
from tests.support.events import Event, referral_of, risk
from tests.support.planted import PLANTS
from tests.support.processes import BROKER, Processes, processes

VICTIMS = (*SERVICES, BROKER)
PAUSE_SECONDS = (0.5, 1.3)  # between kills: a service needs about one to start
SETTLE_SECONDS = 150.0
SEEN_AS = {"ack_before_commit": "acknowledged and lost", "publish_without_an_outbox": "decided 0 times"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [16, pytest.param(150, marks=pytest.mark.soak)])
async def test_whatever_is_killed_when_every_acknowledged_message_is_routed_once_and_audited(
    settings: Settings, kills: int
) -> None:
    seed = kills
    async with processes(settings) as system:
        acknowledged: list[str] = []
        stop = asyncio.Event()
        load = asyncio.create_task(_load(system, acknowledged, stop))
        chance = random.Random(seed)
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
            system.kill(chance.choice(VICTIMS))
        stop.set()
        await load
        await settle(system.world, system.connection, seconds=SETTLE_SECONDS)
        found = await problems_of(system.database, system.connection, acknowledged=acknowledged)
        print(f"{system.kills} kills, {len(acknowledged)} acknowledged, {len(found)} problems, seed {seed}")  # noqa: T201
        assert found == []
        aside = await system.database.read(lambda c: c.execute(text("SELECT reason FROM quarantine")).all())
        assert aside == [], "nothing that was sent is bad"
        assert len(acknowledged) > kills, "the load went on while things were killed"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("plant", sorted(PLANTS))
async def test_the_same_check_sees_the_loss_when_the_mistake_is_planted(settings: Settings, plant: str) -> None:
    one_at_a_time = settings.model_copy(update={"batch_size": 1})
    async with processes(one_at_a_time) as system:
        planted = system.running["intake"]
        planted.kill()
        planted.wait()
        system.start("intake", module="tests.support.planted", words=(plant,))
        acknowledged: list[str] = []
        for number in range(1, 6):
            await _send(system, referral_of(number), "referral", acknowledged)
        for _ in range(300):
            if system.running["intake"].poll() is not None:
                break
            await asyncio.sleep(0.1)
        assert system.running["intake"].returncode == -9, "the planted service died at its worst moment"
        system.start("intake")
        await settle(system.world, system.connection, seconds=SETTLE_SECONDS)
        found = await problems_of(system.database, system.connection, acknowledged=acknowledged)
        assert any(problem.startswith(SEEN_AS[plant]) for problem in found), found


async def _load(system: Processes, acknowledged: list[str], stop: asyncio.Event) -> None:
    """Referrals of new persons, and relapses of known ones, one after the other until told to stop."""
    number = 0
    while not stop.is_set():
        number += 1
        if number % 4:
            await _send(system, referral_of(number), "referral", acknowledged)
        else:
            about = {"identifiers": {"crn": f"X{number - 1:06d}"}}
            await _send(system, risk(id=f"relapse-{number}", about=about), "risk", acknowledged)
        await asyncio.sleep(0.02)


async def _send(system: Processes, event: Event, channel: str, acknowledged: list[str]) -> None:
    if await system.publish(event["source"], channel, event["id"], json.dumps(event).encode()):
        acknowledged.append(event["id"])
