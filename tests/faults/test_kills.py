"""Accepted is kept: real processes killed at random under load, the broker included."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field

import pytest

from services.cli.wiring import SERVICES
from services.ground.settings import Settings
from services.ground.settle import settle
from tests.support.checks import problems_of
from tests.support.events import Event, referral_of, risk
from tests.support.poisons import Kind, Recipe, cook
from tests.support.processes import ALL, BROKER, Processes, processes

PAUSE_SECONDS = (0.2, 0.9)  # between kills: a service needs about half of one to start
PAUSE_OF_ALL_SECONDS = (1.0, 2.5)  # all of them need more
STARTS_WITHIN = 1200  # tenths of a second, on a busy machine
SETTLE_SECONDS = 150.0
POISONED = 0.04  # of the messages
KINDS = list(Kind)
SEEN_AS = {
    ("ack_before_commit", "intake"): "acknowledged and lost",
    ("ack_before_commit", "router"): "decided 0 times",
    ("ack_before_commit", "dispatch"): "leg ",
    ("publish_without_an_outbox", "intake"): "decided 0 times",
    ("publish_without_an_outbox", "router"): "leg ",
    ("publish_without_an_outbox", "dispatch"): "never left",
    ("inbox_key_forgotten", "intake"): "set aside without need",
    ("inbox_key_forgotten", "router"): "set aside without need",
    ("inbox_key_forgotten", "dispatch"): "set aside without need",
}
DEADLY = ("ack_before_commit", "publish_without_an_outbox")
IN_CI = (("ack_before_commit", "intake"), ("inbox_key_forgotten", "router"))
PLANTED = [pytest.param(*which, marks=() if which in IN_CI else pytest.mark.soak) for which in SEEN_AS]


@dataclass
class Sent:
    """What was published, as its sources know it."""

    acknowledged: list[str] = field(default_factory=list)  # ids of good messages
    poison: list[bytes] = field(default_factory=list)
    perhaps: list[bytes] = field(default_factory=list)  # poison whose confirmation never came


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [16, pytest.param(150, marks=pytest.mark.soak)])
async def test_whatever_is_killed_when_every_acknowledged_message_is_routed_once_and_audited(
    settings: Settings, kills: int
) -> None:
    await _kill(settings, kills, tuple(SERVICES), PAUSE_SECONDS)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.soak)])
async def test_the_same_holds_of_one_process_in_which_services_hand_on_to_each_other(
    settings: Settings, kills: int
) -> None:
    await _kill(settings, kills, (ALL,), PAUSE_OF_ALL_SECONDS)


async def _kill(settings: Settings, kills: int, names: tuple[str, ...], pause: tuple[float, float]) -> None:
    seed = kills
    async with processes(settings, names) as system:
        sent = Sent()
        stop = asyncio.Event()
        chance = random.Random(seed)
        load = asyncio.create_task(_load(system, sent, random.Random(seed + 1), stop))
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(*pause))
            system.kill(chance.choice((*names, BROKER)))
        stop.set()
        await load
        await settle(system.world, system.connection, seconds=SETTLE_SECONDS)
        found = await _problems(system, sent)
        print(  # noqa: T201
            f"{system.kills} kills, {len(sent.acknowledged)} acknowledged, {len(sent.poison)} poison,"
            f" {len(sent.perhaps)} poison unsure, {len(found)} problems, seed {seed}"
        )
        assert found == []
        assert len(sent.acknowledged) > kills, "the load went on while things were killed"
        assert sent.poison, "some of it was bad"


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("plant", "service"), PLANTED)
async def test_the_same_check_sees_the_loss_when_the_mistake_is_planted(
    settings: Settings, plant: str, service: str
) -> None:
    one_at_a_time = settings.model_copy(update={"batch_size": 1, "max_attempts": 2})
    async with processes(one_at_a_time) as system:
        system.replace(service, module="tests.support.planted", words=(plant,))
        sent = Sent()
        for number in range(1, 6):
            await _send(system, referral_of(number), "referral", sent)
        if plant in DEADLY:
            for _ in range(STARTS_WITHIN):
                if system.running[service].poll() is not None:
                    break
                await asyncio.sleep(0.1)
            assert system.running[service].returncode == -9, "the planted service died at its worst moment"
            system.start(service)
        await settle(system.world, system.connection, seconds=SETTLE_SECONDS)
        found = await _problems(system, sent)
        assert any(problem.startswith(SEEN_AS[plant, service]) for problem in found), found


async def _problems(system: Processes, sent: Sent) -> list[str]:
    return await problems_of(
        system.database,
        system.connection,
        acknowledged=sent.acknowledged,
        poison=sent.poison,
        perhaps=sent.perhaps,
        settings=system.settings,
    )


async def _load(system: Processes, sent: Sent, chance: random.Random, stop: asyncio.Event) -> None:
    """Referrals of new persons, relapses of known ones, and now and then poison, one by one until told to stop."""
    number = 0
    while not stop.is_set():
        number += 1
        if chance.random() < POISONED:
            await _send_poison(system, number, sent, chance)
        if number % 4:
            await _send(system, referral_of(number), "referral", sent)
        else:
            about = {"identifiers": {"crn": f"X{number - 1:06d}"}}
            await _send(system, risk(id=f"relapse-{number}", about=about), "risk", sent)
        await asyncio.sleep(0.02)


async def _send(system: Processes, event: Event, channel: str, sent: Sent) -> None:
    if await system.publish(event["source"], channel, event["id"], json.dumps(event).encode()):
        sent.acknowledged.append(event["id"])


async def _send_poison(system: Processes, number: int, sent: Sent, chance: random.Random) -> None:
    source = f"poisoner-{number}"  # so that no two are the same bytes of the same sender by chance
    recipe = Recipe(chance.choice(KINDS), number, b"%d" % number)
    poison = cook(recipe, source, number)
    confirmed = await system.publish(source, poison.channel, f"poison-{number}", poison.raw)
    (sent.poison if confirmed else sent.perhaps).append(poison.raw)
