"""A bare FastStream handler with if/else, as its documentation shows one: publishes its routes and keeps nothing.

At least once, without deduplication, order, state, audit or explanation. A push durable, and the routes of one event
published together, which is its best plain form; `workers` handles that many events at once.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from faststream.nats import JStream, NatsBroker
from nats.js.api import DeliverPolicy

from services.ground.settings import Settings


def destinations(data: dict[str, Any]) -> list[str]:
    """What the referral needs, as anybody would write it first."""
    found = []
    behaviours = data["incident"]["behaviours"]
    if data["relationship"] in ("partner", "ex_partner") and behaviours:
        found.append("dapp")
    if "physical_assault" in behaviours or "threats_to_kill" in behaviours:
        found.append("victim_safety")
    if data["needs"]["substances"]:
        found.append("addiction_service")
    if data["needs"]["mental_health"]:
        found.append("mental_health_team")
    return found


@asynccontextmanager
async def bare(settings: Settings, stream: str, *, workers: int) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The handler's broker, ready to start."""
    broker = NatsBroker(settings.nats_url or "", logger=None, pending_size=64 * 1024 * 1024)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it advises a queue group to scale out; one process is measured
        subscriber = broker.subscriber(
            f"{stream.lower()}.*.*",
            stream=JStream(stream, declare=False),
            durable="bare",
            deliver_policy=DeliverPolicy.ALL,
            max_workers=workers,
        )

    @subscriber
    async def handle(event: dict[str, Any]) -> None:
        await asyncio.gather(
            *(broker.publish(event, f"route.{name}", stream="ROUTE") for name in destinations(event["data"]))
        )

    try:
        await broker.connect()
        yield broker.start
    finally:
        await broker.stop()
