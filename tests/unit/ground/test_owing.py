"""What a partition owes is forgotten only by whoever has sent it since it was owed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from nats.aio.client import Client

from services.ground.clock import SetClock
from services.ground.consumer import Consumer
from services.ground.settings import Settings
from tests.support.toy import ToyHandler

PARTITION = 0


class SlowRelay:
    """Each call reads what is owed at once, and is done when it is told."""

    def __init__(self) -> None:
        self.calls: list[asyncio.Event] = []

    async def send_unsent(self, partitions: Sequence[int], *, older_than_seconds: float) -> None:
        """Wait to be told."""
        self.calls.append(asyncio.Event())
        await self.calls[-1].wait()


class _Service(ToyHandler):
    service = "audit"  # has a feed


async def test_a_failure_while_two_send_what_is_owed_is_not_forgotten_by_the_second() -> None:
    consumer = Consumer(
        _Service(),
        settings=Settings(),
        clock=SetClock(datetime(2026, 3, 2, tzinfo=UTC)),
        database=cast(Any, None),
        connection=Client(),
    )
    relay = SlowRelay()
    consumer._relay = relay  # type: ignore[assignment]
    consumer._epochs = {PARTITION: 1}
    consumer._owe([PARTITION])
    first, second = [asyncio.create_task(consumer._send_owed()) for _ in range(2)]
    await asyncio.sleep(0)
    relay.calls[0].set()
    await first
    consumer._owe([PARTITION])  # a commit that the second has not seen: it had read what is owed before
    relay.calls[1].set()
    await second
    assert PARTITION in consumer._owing
