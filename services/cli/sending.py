"""Sends what a command has just committed, so that it need not wait for a service."""

from __future__ import annotations

from collections.abc import Sequence

from nats.aio.client import Client

from services.ground import outbox
from services.ground.publisher import Outgoing, Publisher
from services.ground.world import World


async def send_now(world: World, connection: Client, messages: Sequence[Outgoing]) -> None:
    """Publish outbox rows and note that they were sent. What the broker does not confirm is left to the services."""
    publisher = Publisher(connection, timeout_seconds=world.settings.publish_seconds)
    await publisher.start()
    confirmed = await publisher.publish(messages)
    await world.database.write(lambda store: outbox.mark_sent(store, confirmed, world.clock.now()))
