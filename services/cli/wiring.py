"""Puts services, store and broker together: one service alone, or all in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import Final

from nats.aio.client import Client
from sqlalchemy import Connection

from services.audit.app import audit
from services.audit.keys import make_first_key
from services.audit.store import newest_checkpoint
from services.cli.sending import send_now
from services.dispatch.app import dispatch
from services.ground import outbox, streams
from services.ground.clock import Clock, WallClock
from services.ground.collector import calm_collector
from services.ground.migration import keep_keys, upgrade_schema
from services.ground.publisher import Outgoing
from services.ground.service import Service
from services.ground.settings import Settings
from services.ground.work import Work
from services.ground.world import World, connect, open_world
from services.intake.app import intake
from services.router.app import router
from services.router.rules.loader import files_in, read_rule_set
from services.router.versions import in_force, keep_first

SERVICES: Final[Mapping[str, Callable[[World], Awaitable[Service]]]] = MappingProxyType(
    {"intake": intake, "router": router, "dispatch": dispatch, "audit": audit}
)


async def migrate(world: World) -> None:
    """Bring the database schema, the streams and the consumers to what this code and these settings need.

    Where no rules are in force yet, the installation's own are from now on. Raises RuleSetRefused for those. Where the
    audit log was never signed, its key is made. Raises KeyMissing where it was signed and its key is not there.
    """
    await world.database.write(keep_keys)
    await world.database.write(upgrade_schema)
    signed = await world.database.read(newest_checkpoint) is not None
    make_first_key(world.settings.log_key, world.settings.log_origin, signed_before=signed)
    connection = await connect(world, name="onward-migrate")
    try:
        js = connection.jetstream(timeout=world.settings.connect_seconds)
        await streams.declare(js, world.settings)
        created = {name: str((await js.stream_info(name)).created) for name in streams.SUBJECTS}
        await world.database.write(lambda c: outbox.note_streams(c, created))
        await _first_rules(world, connection)
    finally:
        await connection.close()


async def _first_rules(world: World, connection: Client) -> None:
    if await world.database.read(in_force) is not None:
        return
    files = files_in(world.settings.rules_dir)
    digest = read_rule_set(files).digest

    def keep(store: Connection) -> list[Outgoing]:
        work = Work(store, service="router", now=world.clock.now())
        keep_first(work, digest, files, world.settings.organisation)
        work.finish()
        return work.outgoing

    await send_now(world, connection, await world.database.write(keep))


@asynccontextmanager
async def running(world: World, names: Sequence[str]) -> AsyncIterator[dict[str, Service]]:
    """Services, started in the order of a message's way and stopped in that order too."""
    async with AsyncExitStack() as stack:
        started: dict[str, Service] = {}
        for name in names:
            started[name] = await SERVICES[name](world)
        calm_collector()
        for service in reversed(started.values()):
            stack.push_async_callback(service.stop)  # also one that could not start lets go of its connection
            await service.start()
        yield started


@asynccontextmanager
async def whole_system(
    settings: Settings, clock: Clock | None = None
) -> AsyncIterator[tuple[World, dict[str, Service]]]:
    """Everything in this process, migrated and running."""
    async with open_world(settings, clock or WallClock()) as world:
        await migrate(world)
        async with running(world, list(SERVICES)) as services:
            yield world, services
