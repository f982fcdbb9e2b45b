"""A whole system in the test's process, on a real broker and a real store, to publish to and look into."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import nats
from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeout
from sqlalchemy import text

from services.cli import wiring
from services.cli.wiring import SERVICES, migrate, running
from services.ground.clock import Clock, WallClock
from services.ground.service import Service
from services.ground.settings import Settings
from services.ground.settle import settle
from services.ground.world import World, connect, open_world
from services.intake.store import persons_by_identifier
from services.router import in_force
from services.router.rules.loader import read_rule_set
from services.router.rules.ruleset import RuleSet
from tests.support.opening import opened_row

SETTLE_SECONDS = 60.0


@cache
def _rule_set_of(files: tuple[tuple[str, bytes], ...]) -> RuleSet:
    return read_rule_set(dict(files))


# Nearly all of hundreds of systems in a process start with the same rules, which are read, and made into Python, once.
for _module in (wiring, in_force):
    _module.read_rule_set = lambda files: _rule_set_of(tuple(sorted(files.items())))  # type: ignore[attr-defined]


@dataclass
class System:
    """Onward as its users meet it: subjects to publish to and read from, and the store to look into."""

    world: World
    connection: Client
    services: dict[str, Service]

    async def publish(
        self, message: dict[str, Any] | bytes, *, channel: str = "referral", source: str | None = None
    ) -> None:
        """Publish as a source does, confirmed by the broker. `message` is an envelope, or any bytes."""
        raw = message if isinstance(message, bytes) else json.dumps(message).encode()
        name = source or (message["source"] if isinstance(message, dict) else "met-police")
        await self.connection.jetstream().publish(f"intake.{name}.{channel}", raw, stream="INTAKE")

    async def rows(self, query: str, **values: object) -> list[dict[str, Any]]:
        """Rows of a query, as plain dictionaries, with what is sealed in them opened (JSON as text)."""
        return await self.world.database.read(
            lambda c: [opened_row(c, dict(row)) for row in c.execute(text(query), values).mappings().all()]
        )

    async def person_with(self, kind: str, value: str) -> str:
        """Whose an identifier is."""
        return (await self.world.database.read(lambda c: persons_by_identifier(c, {(kind, value)})))[kind, value]

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        return int((await self.rows(f"SELECT count(*) AS n FROM {table}"))[0]["n"])  # noqa: S608

    async def messages(self, stream: str, subject: str = ">") -> list[dict[str, Any]]:
        """Every message that a stream holds, oldest first: its envelope, decoded."""
        return await messages_of(self.connection, stream, subject)

    async def entered(self, *operations: str) -> list[dict[str, Any]]:
        """What was entered for the audit log, of these operations or all: what it has, then what waits for it."""
        rows = await self.rows(
            "SELECT 0 AS waits, position AS place, entry FROM log_entries"
            " UNION ALL SELECT 1, number, entry FROM audit_entries ORDER BY waits, place"
        )
        found: list[dict[str, Any]] = [json.loads(row["entry"])["data"] for row in rows]
        return [entry for entry in found if not operations or entry["operation"] in operations]

    async def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until no service has anything to take and nothing waits to be sent."""
        await settle(self.world, self.connection, seconds=seconds)


async def messages_of(connection: Client, stream: str, subject: str = ">") -> list[dict[str, Any]]:
    """Every message that a stream holds, oldest first: its envelope, decoded."""
    js = connection.jetstream()
    state = (await js.stream_info(stream)).state
    if state.messages == 0:
        return []
    subscription = await js.subscribe(subject, stream=stream, ordered_consumer=True)
    found: list[dict[str, Any]] = []
    try:
        while True:
            message = await subscription.next_msg(timeout=0.5)
            found.append({"subject": message.subject, **json.loads(message.data)})
            if message.metadata.num_pending == 0:
                return found
    except NatsTimeout:
        return found
    finally:
        await subscription.unsubscribe()


@asynccontextmanager
async def system(
    settings: Settings, *, clock: Clock | None = None, names: Sequence[str] = tuple(SERVICES)
) -> AsyncIterator[System]:
    """A migrated system with these services running."""
    async with open_world(settings, clock or WallClock()) as world:
        await migrate(world)
        connection = await connect(world, name="test")
        try:
            async with running(world, names) as services:
                yield System(world, connection, services)
        finally:
            await connection.close()


async def client(url: str) -> Client:
    """A bare connection, as a partner's system would make it."""
    return await nats.connect(url)
