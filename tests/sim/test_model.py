"""The model itself: what it takes for the broker, for time and for death."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from services.ground.settings import Settings
from tests.sim.broker import Broker
from tests.sim.chaos import Chaos, Trace
from tests.sim.client import Msg, SimClient
from tests.sim.loop import Process, VirtualLoop

BACKOFF = (3.0, 6.0)
WINDOW = 60.0
PULL = b'{"batch":10,"expires":20000000000}'


class Calm:
    """A world in which nothing goes wrong, with one client."""

    def __init__(self) -> None:
        self.loop = VirtualLoop(Random(1))
        self.chaos = Chaos(Random(1), Trace(self.loop.time))
        self.chaos.calm()
        settings = Settings(partitions=1, redelivery_seconds=BACKOFF)
        self.broker = Broker(self.loop, self.chaos, settings, window=WINDOW)
        self.process = Process("one")
        self.client = SimClient("one", self.process, self.broker)
        self.heard: list[tuple[float, Msg]] = []

    async def hear(self, message: Msg) -> None:
        """Note it."""
        self.heard.append((self.loop.time(), message))

    async def send(self, payload: bytes, id_: str, **headers: str) -> None:
        """To CASE, confirmed to us."""
        named = {"Nats-Msg-Id": id_, **{name.replace("_", "-"): value for name, value in headers.items()}}
        await self.client.publish("case.0.risk", payload, reply="_CONFIRM.1", headers=named)

    def run(self, doing: object) -> None:
        """To its end."""
        try:
            self.loop.run(self.loop.spawn(self.process, doing))  # type: ignore[arg-type]
        finally:
            self.loop.end()


def test_a_message_is_delivered_again_until_it_is_acknowledged_and_a_repeated_id_is_dropped_within_the_window() -> None:
    world = Calm()

    async def act() -> None:
        await world.client.subscribe("_INBOX.1", cb=world.hear)
        await world.send(b"one", "1")
        await world.send(b"one", "1")
        await world.client.publish("$JS.API.CONSUMER.MSG.NEXT.CASE.router-0", PULL, reply="_INBOX.1")
        await asyncio.sleep(11)
        assert [round(at) for at, _ in world.heard] == [0, 3, 9]
        await world.client.publish(world.heard[-1][1].reply, b"+ACK")
        await asyncio.sleep(WINDOW)
        assert len([1 for _, message in world.heard if message.data]) == 3
        await world.send(b"one", "1")
        await asyncio.sleep(1)
        assert world.broker.streams["CASE"].last == 2, "after its window the broker knows it no more"

    world.run(act())


def test_an_atomic_batch_is_kept_whole_or_not_at_all() -> None:
    world = Calm()

    async def act() -> None:
        await world.client.subscribe("_CONFIRM.*", cb=world.hear)
        for first in ("1", "2"):  # the second batch holds a message of the first
            for number, id_ in enumerate((first, "3"), 1):
                more = {"Nats_Batch_Commit": "1"} if number == 2 else {}
                await world.send(b"x", id_, Nats_Batch_Id=first, Nats_Batch_Sequence=str(number), **more)
            await asyncio.sleep(1)
        assert [message.id for message in world.broker.streams["CASE"].messages] == ["1", "3"]
        assert [b"error" in message.data for _, message in world.heard] == [False, True]

    world.run(act())


def test_places_at_the_lost_end_of_a_stream_are_given_again() -> None:
    world = Calm()

    async def act() -> None:
        for id_ in ("1", "2", "3"):
            await world.send(b"x", id_)
        await asyncio.sleep(1)
        world.broker.cut("CASE", 2)
        await world.send(b"x", "3")
        await asyncio.sleep(1)
        assert [(m.sequence, m.id) for m in world.broker.streams["CASE"].messages] == [(1, "1"), (2, "3")]
        assert list(world.broker.durables["router-0"].waiting) == [1, 2]

    world.run(act())


def test_the_dead_do_nothing_more_and_the_frozen_do_it_later() -> None:
    world, did = Calm(), []
    dying, freezing = Process("dying"), Process("freezing")

    async def tick(process: Process) -> None:
        try:
            while True:
                await asyncio.sleep(1)
                did.append((process.name, world.loop.time()))
        finally:
            did.append((process.name, -1.0))

    async def act() -> None:
        keep = [world.loop.spawn(process, tick(process)) for process in (dying, freezing)]
        await asyncio.sleep(1.5)
        world.loop.kill(dying)
        world.loop.freeze(freezing)
        await asyncio.sleep(5)
        assert sorted(did) == [("dying", 1.0), ("freezing", 1.0)], "no finally either"
        world.loop.thaw(freezing)
        await asyncio.sleep(0.1)
        assert did[2:] == [("freezing", 6.5)]
        assert keep

    world.run(act())


def test_a_world_in_which_nothing_can_happen_any_more_says_so() -> None:
    world = Calm()

    async def act() -> None:
        await world.loop.create_future()

    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        world.run(act())
