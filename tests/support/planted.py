"""A service with a planted mistake, or a sudden end: `python -m tests.support.planted ack_before_commit intake`.

Each plant does what a tired developer might, and dies at the worst moment for it, so that the checks must see the loss.
Each death is of a service without mistakes, at a point where it must cost nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from nats.aio.client import Client
from sqlalchemy import Connection

from services.audit import store as log_store
from services.audit.giving_out import LogQueue
from services.cli.main import app
from services.ground.database import PostgresDatabase, SqliteDatabase
from services.ground.handler import Hands
from services.ground.microbatch import Delivery, Microbatch
from services.ground.publisher import Confirmed, Outgoing, Publisher
from services.ground.work import Key, Work
from services.intake import store as intake_store
from tests.support.statements import watched_statements

_WATCHING = ExitStack()  # for as long as the process lives

AFTER_BATCHES = 2
FLUSH_SECONDS = 0.2  # until what was said to the broker has reached it
TAKEN = ("INSERT INTO inbox", "INSERT INTO raw_messages", "INSERT INTO log_entries")  # only where something is taken


def die() -> None:
    """At once: nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def ack_before_commit() -> None:
    """Acknowledge first, then begin the transaction, and die in between."""
    take = Microbatch.next
    batches = 0

    async def hasty(self: Microbatch, most: int) -> list[Delivery]:
        nonlocal batches
        batch = await take(self, most)
        batches += bool(batch)
        if batches == AFTER_BATCHES:
            await self.ack(batch)
            await asyncio.sleep(FLUSH_SECONDS)
            die()
        return batch

    Microbatch.next = hasty  # type: ignore[method-assign]


def publish_without_an_outbox() -> None:
    """Keep what is to be sent in memory alone, and die before it is sent."""
    publish = Publisher.publish
    batches = 0

    async def forgetful(self: Publisher, messages: Sequence[Outgoing]) -> list[Confirmed]:
        nonlocal batches
        batches += bool(messages)
        if batches == AFTER_BATCHES:
            die()
        return await publish(self, messages)

    Work.finish = lambda self: None  # type: ignore[method-assign]
    Publisher.publish = forgetful  # type: ignore[method-assign]


def inbox_key_forgotten() -> None:
    """Take every message for a new one, and lose the first acknowledgements so that some come again."""
    acknowledge = Microbatch.ack
    batches = 0

    def all_are_new(self: Work, keys: Sequence[Key]) -> set[Key]:
        return set(keys)

    async def lost(self: Microbatch, deliveries: Sequence[Delivery]) -> None:
        nonlocal batches
        batches += bool(deliveries)
        if batches > AFTER_BATCHES:
            await acknowledge(self, deliveries)

    Work.first_time = all_are_new  # type: ignore[method-assign]
    intake_store.accepted_before = lambda connection, keys: {}
    Microbatch.ack = lost  # type: ignore[method-assign]


def before_commit() -> None:
    """Die when all is written and nothing kept."""
    _around_batches(before_commit=die)


def before_publish() -> None:
    """Die when all is kept and nothing sent."""
    _around_batches(after_commit=die)


def before_ack() -> None:
    """Die when all is sent and nothing acknowledged; audit, when the log is given out and that is not noted."""
    publish, note = Client.publish, log_store.note_given

    async def mortal(self: Client, subject: str, payload: bytes = b"", *args: Any, **named: Any) -> None:
        if payload == b"+ACK":
            die()
        await publish(self, subject, payload, *args, **named)

    def noting(connection: Connection, given: log_store.Given) -> None:
        if given.position:
            die()
        note(connection, given)

    Client.publish = mortal  # type: ignore[method-assign]
    log_store.note_given = noting


def before_mark_sent() -> None:
    """Die when all is acknowledged and not yet marked as sent; audit, when all is done."""
    acknowledge, give_out = Microbatch.ack, LogQueue.act

    async def last(self: Microbatch, deliveries: Sequence[Delivery]) -> None:
        await acknowledge(self, deliveries)
        await asyncio.sleep(FLUSH_SECONDS)
        die()

    async def given_out(self: LogQueue, hands: Hands) -> None:
        before = await self._world.database.read(log_store.given)
        await give_out(self, hands)
        after = await self._world.database.read(log_store.given)
        if before and after and after.position > before.position:
            die()

    Microbatch.ack = last  # type: ignore[method-assign]
    LogQueue.act = given_out  # type: ignore[method-assign]


def _around_batches(
    *, before_commit: Callable[[], None] | None = None, after_commit: Callable[[], None] | None = None
) -> None:
    """Do something in every transaction that takes messages."""
    taking: set[int] = set()

    def note(connection: Connection, statement: str) -> None:
        if statement.startswith(TAKEN):
            taking.add(id(connection))

    def wrapped(write: Callable[..., Any]) -> Callable[..., Any]:
        async def writing(self: object, body: Callable[[Connection], Any]) -> Any:
            took = False

            def watched(connection: Connection) -> Any:
                nonlocal took
                taking.discard(id(connection))
                result = body(connection)
                took = id(connection) in taking
                if took and before_commit:
                    before_commit()
                return result

            result = await write(self, watched)
            if took and after_commit:
                after_commit()
            return result

        return writing

    _WATCHING.enter_context(watched_statements(note))
    SqliteDatabase.write = wrapped(SqliteDatabase.write)  # type: ignore[method-assign]
    PostgresDatabase.write = wrapped(PostgresDatabase.write)  # type: ignore[method-assign]


PLANTS = {plant.__name__: plant for plant in (ack_before_commit, publish_without_an_outbox, inbox_key_forgotten)}
DEATHS = {death.__name__: death for death in (before_commit, before_publish, before_ack, before_mark_sent)}

if __name__ == "__main__":
    (PLANTS | DEATHS)[sys.argv[1]]()
    app(["run", sys.argv[2]])
