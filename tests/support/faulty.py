"""A whole system whose every call of the store and the broker can be made to fail, service by service.

What can fail is found by running, not listed: a transaction is known by the function that is its body, a message by
what it is for, so that a new one is swept without anybody thinking of it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from nats.aio.client import Client
from sqlalchemy import Connection

from services.cli.wiring import SERVICES, migrate
from services.ground.clock import WallClock
from services.ground.database import Database
from services.ground.microbatch import Microbatch
from services.ground.publisher import Publisher
from services.ground.service import Service
from services.ground.settings import Settings
from services.ground.streams import SUBJECTS
from services.ground.world import connect, open_world
from tests.support.gate import Gate, Kind
from tests.support.statements import watched_statements
from tests.support.system import System

T = TypeVar("T")

ACKNOWLEDGEMENT = "acknowledgement"
NEVER = "999999999"  # a sequence that no stream has


@dataclass
class FaultySystem(System):
    """A system, and where each of its services can be made to fail."""

    gates: Mapping[str, Gate]


class FaultyDatabase:
    """A service's store, seen through its gate."""

    def __init__(self, inner: Database, gate: Gate) -> None:
        self._inner, self._gate = inner, gate
        self.dialect = inner.dialect
        self.keyring = inner.keyring

    async def write(self, body: Callable[[Connection], T]) -> T:
        """As the real one, or an error: before, during or after it."""
        place = name_of(body)
        self._gate.store(place, Kind.BEGIN)

        def watched(connection: Connection) -> T:
            with self._gate.transaction(connection, place):
                result = body(connection)
            self._gate.store(place, Kind.COMMIT_REFUSED)
            return result

        result = await self._inner.write(watched)
        self._gate.store(place, Kind.COMMIT_UNSEEN)
        return result

    async def read(self, body: Callable[[Connection], T]) -> T:
        """As the real one, or an error."""
        place = name_of(body)
        self._gate.store(place, Kind.BEGIN)

        def watched(connection: Connection) -> T:
            with self._gate.transaction(connection, place):
                return body(connection)

        return await self._inner.read(watched)

    async def scrub_keys(self) -> None:
        """As the real one."""
        await self._inner.scrub_keys()

    async def close(self) -> None:
        """Left to the owner of the real one."""


def name_of(body: Callable[..., object]) -> str:
    """Whose transaction it is, and for a lambda what that does: `Relay.reconcile: outbox.owe_again`."""
    if isinstance(body, partial):
        return name_of(body.func)
    whose = body.__qualname__.replace(".<locals>", "")
    if body.__name__ != "<lambda>":
        return whose
    return f"{whose.removesuffix('.<lambda>')}: {'.'.join(body.__code__.co_names[:2])}"


@asynccontextmanager
async def faulty_system(settings: Settings) -> AsyncIterator[FaultySystem]:
    """A migrated system with every service running behind a gate."""
    gates = {name: Gate() for name in SERVICES}
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(open_world(settings, WallClock()))
        await migrate(world)
        connection = await connect(world, name="test")
        stack.push_async_callback(connection.close)

        def before_statement(connection: Connection, _sql: str) -> None:
            for gate in gates.values():
                gate.statement(connection)

        stack.enter_context(watched_statements(before_statement))
        stack.enter_context(_watched_connections({f"onward-{name}": gate for name, gate in gates.items()}))
        services: dict[str, Service] = {}
        for name in reversed(list(SERVICES)):
            services[name] = await SERVICES[name](replace(world, database=FaultyDatabase(world.database, gates[name])))
            await services[name].start()
            stack.push_async_callback(services[name].stop)
            _watch_calls(services[name], gates[name])
        try:
            yield FaultySystem(world, connection, services, gates)
        finally:
            for gate in gates.values():
                gate.arm(None)


@contextmanager
def _watched_connections(gates: Mapping[str, Gate]) -> Iterator[None]:
    """Everything that a service says to the broker goes out through these two calls of the client."""
    publish, subscribe = Client.publish, Client.subscribe

    async def watched_publish(
        self: Client, subject: str, payload: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        gate = gates.get(str(self.options["name"]))
        place = _what(subject, payload)
        if gate is None or place is None:
            await publish(self, subject, payload, reply, headers)
            return
        gate.broker(place, Kind.REFUSED)
        if place in SUBJECTS:
            if gate.strikes(place, Kind.LOST):
                return
            if gate.strikes(place, Kind.REJECTED):
                headers = {**(headers or {}), "Nats-Expected-Last-Sequence": NEVER}
            if reply and gate.strikes(place, Kind.UNCONFIRMED):
                reply = self.new_inbox()
        elif place == ACKNOWLEDGEMENT and gate.strikes(place, Kind.LOST):
            return
        await publish(self, subject, payload, reply, headers)

    async def watched_subscribe(self: Client, subject: str, *args: Any, **named: Any) -> Any:
        gate = gates.get(str(self.options["name"]))
        if gate is not None:
            gate.broker("subscription", Kind.REFUSED)
        return await subscribe(self, subject, *args, **named)

    Client.publish, Client.subscribe = watched_publish, watched_subscribe  # type: ignore[method-assign]
    try:
        yield
    finally:
        Client.publish, Client.subscribe = publish, subscribe  # type: ignore[method-assign]


def _what(subject: str, payload: bytes) -> str | None:
    """What a message to the broker is for: a stream, or something that is said of a message or asked."""
    if subject.startswith("$JS.ACK."):
        return {b"+ACK": ACKNOWLEDGEMENT, b"+WPI": "in progress", b"-NAK": "handed back"}[payload]
    if subject.startswith("$JS.API.CONSUMER.MSG.NEXT."):
        return "pull"
    if subject.startswith("$JS.API."):
        return "question"
    stream = subject.partition(".")[0].upper()
    return stream if stream in SUBJECTS else None


def _watch_calls(service: Service, gate: Gate) -> None:
    """Every call of the subscription and the publishers that the consumer, or its sender, awaits."""
    consumer: Any = service.consumer
    for part in {id(p): p for p in (*vars(consumer).values(), *vars(consumer._sender).values())}.values():
        if isinstance(part, Microbatch | Publisher):
            for name, call in inspect.getmembers(part, inspect.iscoroutinefunction):
                if not name.startswith("_"):
                    setattr(part, name, _watched(call, f"{type(part).__name__}.{name}", gate))


def _watched(call: Callable[..., Awaitable[Any]], place: str, gate: Gate) -> Callable[..., Awaitable[Any]]:
    async def watched(*args: Any, **named: Any) -> Any:
        gate.broker(place, Kind.CALL)
        result = await call(*args, **named)
        if not result:  # what a call has handed over it cannot fail to hand over
            gate.broker(place, Kind.CALL_AFTER)
        return result

    return watched
