"""A consumer goes on after whatever happens to it, or says that it does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from nats.errors import Error as NatsError
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from services.ground import outbox
from services.ground.errors import LeaseLost
from services.ground.publisher import Confirmed
from services.ground.settings import Settings
from tests.support.events import referral_of
from tests.support.system import System, system


async def test_a_lease_lost_while_the_store_is_away_does_not_end_the_loop(settings: Settings) -> None:
    async with system(settings) as onward:
        consumer: Any = onward.services["intake"].consumer
        transact, renew = consumer._transact, consumer._look_after_partitions
        struck: list[str] = []

        async def lost(batch: object, act: object) -> Any:
            if not struck:
                struck.append("lease")
                raise LeaseLost("intake")
            return await transact(batch, act)

        async def away() -> None:
            if struck == ["lease"]:
                struck.append("store")
                raise OperationalError("planted", None, RuntimeError())
            await renew()

        consumer._transact, consumer._look_after_partitions = lost, away
        await onward.publish(referral_of(1))
        await onward.settle()
        assert struck == ["lease", "store"]
        assert consumer.working
        assert await onward.count("decisions") == 1


async def test_a_broker_that_refuses_a_pull_does_not_end_the_loop(settings: Settings) -> None:
    async with system(settings) as onward:
        consumer: Any = onward.services["router"].consumer
        take_next = consumer._subscription.next
        struck: list[str] = []

        async def refused(most: int) -> Any:
            if not struck:
                struck.append("pull")
                raise NatsError
            return await take_next(most)

        consumer._subscription.next = refused
        await asyncio.sleep(1.5)
        await onward.publish(referral_of(1))
        await onward.settle()
        assert struck
        assert await onward.count("decisions") == 1


async def test_a_service_whose_loop_has_ended_does_not_say_that_it_is_ready(settings: Settings) -> None:
    async with system(settings) as onward:
        consumer: Any = onward.services["audit"].consumer
        consumer._loop.cancel()
        await asyncio.sleep(0.1)
        reply = await onward.connection.request("ops.audit.ready", b"", timeout=5)
        assert json.loads(reply.data)["ready"] is False


async def test_what_is_confirmed_is_marked_once_however_batches_overlap(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked: list[str] = []
    mark_sent = outbox.mark_sent

    def counting(connection: Connection, confirmed: Sequence[Confirmed], now: datetime) -> None:
        marked.extend(one.id for one in confirmed)
        mark_sent(connection, confirmed, now)

    monkeypatch.setattr(outbox, "mark_sent", counting)
    small = settings.model_copy(update={"batch_size": 3, "sweep_seconds": 60})
    async with system(small) as onward:
        for number in range(1, 41):
            await onward.publish(referral_of(number))
        await onward.settle()
        assert sorted(marked) == sorted(row["id"] for row in await onward.rows("SELECT id FROM outbox"))


async def _until(onward: System, query: str, *, at_least: int) -> None:
    for _ in range(300):
        if next(iter((await onward.rows(query))[0].values())) >= at_least:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(query)
