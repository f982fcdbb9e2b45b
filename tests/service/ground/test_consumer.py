"""A consumer goes on after whatever happens to it, or says that it does not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from nats.errors import Error as NatsError
from sqlalchemy.exc import OperationalError

from services.ground.errors import LeaseLost
from services.ground.settings import Settings
from tests.support.events import referral_of
from tests.support.system import system


async def test_a_lease_lost_while_the_store_is_away_does_not_end_the_loop(settings: Settings) -> None:
    async with system(settings) as onward:
        consumer: Any = onward.services["router"].consumer
        transact, renew = consumer._transact, consumer._look_after_partitions
        struck: list[str] = []

        async def lost(batch: object, act: object) -> Any:
            if not struck:
                struck.append("lease")
                raise LeaseLost("router")
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
