"""In one process, on a store with one writer, a service takes at once what another one hands on to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from schemas.refusal import Unacceptable
from services.ground.errors import LeaseLost
from services.ground.settings import Settings
from tests.support.events import referral_of
from tests.support.system import System, system

SQLITE_ONLY = "on PostgreSQL services act at once, and hand on by the queue"


@pytest.fixture(autouse=True)
def _one_writer(store: str) -> None:
    if store != "sqlite":
        pytest.skip(SQLITE_ONLY)


async def test_what_is_handed_on_is_taken_and_never_sent(settings: Settings) -> None:
    async with system(settings) as onward:
        await onward.publish(referral_of(1))
        await onward.settle()
        assert await onward.messages("CASE") == []
        assert await onward.messages("DISPATCH") == []
        await _is_routed_once(onward)
        assert await onward.rows("SELECT id FROM outbox WHERE stream IN ('CASE', 'DISPATCH')") == []
        taken = {name: service.consumer.tally.taken for name, service in onward.services.items() if service.consumer}
        assert taken["router"] == 1
        assert taken["dispatch"] == await onward.count("deliveries")
        consumer = onward.services["intake"].consumer
        assert consumer is not None
        await consumer.reconcile()
        assert await onward.messages("CASE") == [], "its reader has it"


@pytest.mark.parametrize("service", ["router", "dispatch"])
async def test_what_a_reader_trips_over_goes_by_the_queue(settings: Settings, service: str) -> None:
    async with system(settings) as onward:
        consumer: Any = onward.services[service].consumer
        take = consumer.handler.take
        tripped: list[int] = []

        def trip(messages: Sequence[Any], work: Any) -> None:
            take(messages, work)  # what it has done by then must be undone
            if not tripped:
                tripped.append(len(messages))
                raise RuntimeError("planted")

        consumer.handler.take = trip
        await onward.publish(referral_of(1))
        await onward.settle()
        assert tripped
        assert len(await onward.messages("CASE" if service == "router" else "DISPATCH")) == tripped[0]
        await _is_routed_once(onward)


async def test_what_would_be_set_aside_is_set_aside_by_its_place_in_the_stream(settings: Settings) -> None:
    async with system(settings) as onward:
        consumer: Any = onward.services["router"].consumer

        def refuse(messages: Sequence[Any], work: Any) -> None:
            for message in messages:
                consumer.handler.refuse(message.delivery, Unacceptable("planted"), work, key=message.key)

        consumer.handler.take = refuse
        await onward.publish(referral_of(1))
        await onward.settle()
        [aside] = await onward.rows("SELECT delivery, reason FROM quarantine")
        assert aside["reason"] == "planted"
        assert aside["delivery"].startswith("router:CASE:1:")


async def test_a_reader_that_lost_its_partition_takes_nothing_of_it(settings: Settings) -> None:
    async with system(settings) as onward:
        router: Any = onward.services["router"].consumer
        look = router._look_after_partitions

        async def later() -> None:
            return

        router._look_after_partitions = later  # it does not know yet
        await onward.world.database.write(
            lambda c: c.execute(text("UPDATE leases SET owner = 'another' WHERE service = 'router'"))
        )
        await onward.publish(referral_of(1))
        await _until_sent(onward)
        assert await onward.count("decisions") == 0
        with pytest.raises(LeaseLost):
            await router._fenced({router.partitions[0]}, lambda work: None)
        await onward.world.database.write(
            lambda c: c.execute(text("UPDATE leases SET owner = NULL, until = NULL WHERE service = 'router'"))
        )
        router._look_after_partitions = look
        await look()
        await onward.settle()
        await _is_routed_once(onward)


async def _until_sent(onward: System) -> None:
    for _ in range(300):
        if await onward.messages("CASE"):
            return
    raise AssertionError("it was not sent")


async def _is_routed_once(onward: System) -> None:
    assert await onward.count("decisions") == 1
    assert await onward.count("deliveries") == await onward.count("legs") == len(await onward.messages("ROUTE")) > 1
    assert (await onward.rows("SELECT count(*) AS n FROM outbox WHERE sent_at IS NULL"))[0]["n"] == 0
    assert await onward.count("quarantine") == 0
