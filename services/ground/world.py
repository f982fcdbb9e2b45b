"""What a process of Onward needs from outside, opened and checked in one place: settings, clock, store, broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoServersError

from services.ground.clock import Clock
from services.ground.database import Database, open_database
from services.ground.errors import BrokerUnreachable, StoreUnusable
from services.ground.log import logger
from services.ground.nats_server import ChildNatsServer, Stay, running_server
from services.ground.settings import Settings
from services.ground.together import Together

# Of every connection that lives for longer than a question: it waits for a broker that is away, however long.
CONNECTION: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "connect_timeout": 2,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.2,  # the client sleeps for it
        "pending_size": 64 * 1024 * 1024,  # what the client buffers while it is reconnecting
    }
)


@dataclass(frozen=True)
class World:
    """One process's surroundings."""

    settings: Settings
    clock: Clock
    database: Database
    nats_url: str
    server: ChildNatsServer | None = None  # when this process runs the broker
    together: Together = field(default_factory=Together)  # what its services share where the store has one writer


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Database]:
    """Open the store alone, for those who only look; close it at the end. Raises StoreUnusable, also where none is."""
    if settings.database_url is None and not settings.sqlite_file.exists():
        raise StoreUnusable(
            f"nothing has run in {settings.data_dir.resolve()}: start it with `onward up`, or set ONWARD_DATA_DIR to "
            "where it runs"
        )
    database = await open_database(settings)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_world(settings: Settings, clock: Clock, *, stay: Stay = "serving") -> AsyncIterator[World]:
    """Open the store and find the broker, or start one; close both at the end.

    Raises StoreUnusable or BrokerUnreachable with what to do.
    """
    server: ChildNatsServer | None = None
    url = settings.nats_url or await running_server(settings)
    database = await open_database(settings)
    try:
        if url is None:
            server = ChildNatsServer(settings, stay=stay)
            await server.start()
            url = server.url
        yield World(settings, clock, database, url, server)
    finally:
        await database.close()
        if server is not None:
            await server.stop()


async def connect(world: World, *, name: str) -> Client:
    """A connection to the broker, made in limited time. Raises BrokerUnreachable."""
    seconds = world.settings.connect_seconds
    log = logger(name)

    async def on_error(error: Exception) -> None:
        log.warning("broker_error", error=type(error).__name__)

    try:
        return await asyncio.wait_for(
            nats.connect(world.nats_url.split(","), name=name, error_cb=on_error, **CONNECTION), seconds
        )
    except (OSError, NatsError, NoServersError, TimeoutError) as error:
        raise BrokerUnreachable(world.nats_url, seconds=seconds, detail=type(error).__name__) from error
