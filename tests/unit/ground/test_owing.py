"""What a partition owes goes first, and no batch is sent before one that was committed before it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from nats.aio.client import Client

from services.ground.clock import SetClock
from services.ground.consumer import Consumer
from services.ground.publisher import Confirmed, Outgoing
from services.ground.settings import Settings
from tests.support.toy import ToyHandler

PARTITION = 0
OWNER = ("audit", PARTITION)


class _SlowRelay:
    """Each call reads what is owed at once, and is done when it is told."""

    def __init__(self) -> None:
        self.calls: list[asyncio.Event] = []

    async def send_unsent(self, partitions: Sequence[int], *, older_than_seconds: float) -> None:
        """Wait to be told."""
        self.calls.append(asyncio.Event())
        await self.calls[-1].wait()


class _Publisher:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def publish(self, messages: Sequence[Outgoing]) -> list[Confirmed]:
        """All is well with each."""
        self.sent += [message.id for message in messages]
        return [Confirmed(message.id, number) for number, message in enumerate(messages, 1)]


class _Service(ToyHandler):
    service = "audit"  # has a feed


async def test_no_batch_overtakes_one_that_asks_what_is_owed() -> None:
    consumer, relay, publisher = _consumer()
    consumer._together.owe([OWNER])
    sending = [
        asyncio.create_task(consumer._sender.publish([_message(id_)], [])) for id_ in ("first", "second", "third")
    ]
    await asyncio.sleep(0.01)
    assert publisher.sent == []
    relay.calls[0].set()
    await asyncio.gather(*sending)
    assert publisher.sent == ["first", "second", "third"]
    assert len(relay.calls) == 1, "nothing is owed any more"


async def test_a_commit_whose_answer_is_lost_while_others_send_what_is_owed_is_not_forgotten() -> None:
    consumer, relay, publisher = _consumer()
    consumer._together.owe([OWNER])
    sending = [asyncio.create_task(consumer._sender.publish([_message(id_)], [])) for id_ in ("first", "second")]
    await asyncio.sleep(0.01)
    consumer._together.owe([OWNER])  # after the first has read what is owed
    relay.calls[0].set()
    await asyncio.sleep(0.01)
    assert publisher.sent == ["first"]
    assert len(relay.calls) == 2, "the second asks again"
    relay.calls[1].set()
    await asyncio.gather(*sending)
    assert not consumer._together._owing


def _consumer() -> tuple[Consumer[Any], _SlowRelay, _Publisher]:
    consumer = Consumer(
        _Service(),
        settings=Settings(),
        clock=SetClock(datetime(2026, 3, 2, tzinfo=UTC)),
        database=cast(Any, None),
        connection=Client(),
    )
    consumer._epochs = {PARTITION: 1}
    consumer._together.join(consumer)
    relay, publisher = _SlowRelay(), _Publisher()
    consumer._sender.relay, consumer._sender.publisher = cast(Any, relay), cast(Any, publisher)
    return consumer, relay, publisher


def _message(id_: str) -> Outgoing:
    return Outgoing(id_, "ROUTE", "route.dapp", b"{}")
