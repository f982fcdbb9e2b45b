"""Mistakes in what a service sends: when it acknowledges, publishes, audits, and pays what it owes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
from sqlalchemy import Connection

from services.ground import outbox
from services.ground.consumer import Consumer
from services.ground.errors import LeaseLost
from services.ground.microbatch import Delivery
from services.ground.publisher import Answer, Confirmed, Outgoing, Publisher
from services.ground.relay import Relay
from services.ground.together import Together
from services.ground.work import Work

Patch = pytest.MonkeyPatch


def ack_before_commit(patch: Patch) -> None:
    """Acknowledge, then begin the transaction."""
    transact = Consumer._transact

    async def hasty(self: Consumer[Any], messages: Sequence[Delivery], act: Any) -> Any:
        await self._subscription.ack(messages)
        return await transact(self, messages, act)

    patch.setattr(Consumer, "_transact", hasty)


def ack_of_what_failed(patch: Patch) -> None:
    """An error is logged, and the batch is acknowledged all the same."""
    take = Consumer._take

    async def forgiving(self: Consumer[Any], messages: Sequence[Delivery]) -> None:
        try:
            await take(self, messages)
        except LeaseLost:
            raise
        except Exception:  # noqa: BLE001 - this is the mistake
            await self._subscription.ack(messages)

    patch.setattr(Consumer, "_take", forgiving)


def publish_before_commit(patch: Patch) -> None:
    """Publish from inside the transaction, which may yet be undone."""
    transact = Consumer._transact

    async def eager(self: Consumer[Any], messages: Sequence[Delivery], act: Callable[[Work], Any]) -> Any:
        def acting(work: Work) -> Any:
            result = act(work)
            asyncio.get_running_loop().create_task(self._sender.publisher.publish(list(work.outgoing)))
            return result

        return await transact(self, messages, acting)

    patch.setattr(Consumer, "_transact", eager)


def no_outbox(patch: Patch) -> None:
    """What is to be sent is kept in memory alone."""
    patch.setattr(Work, "finish", lambda self: None)


def sent_before_confirmed(patch: Patch) -> None:
    """Mark as sent what was handed to the client, and wait for nothing."""

    async def trusting(self: Publisher, reply: asyncio.Future[Answer], patience: float) -> Answer:
        return {"seq": 1_000_000}

    patch.setattr(Publisher, "_answer", trusting)


def fresh_id_per_retry(patch: Patch) -> None:
    """Each attempt is a new message to the broker."""
    send, numbers = Publisher._send, iter(range(1, 10**9))

    async def anew(self: Publisher, row: Outgoing) -> asyncio.Future[Answer]:
        return await send(self, row._replace(id=f"{row.id}-{next(numbers)}"))

    patch.setattr(Publisher, "_send", anew)


def timeout_is_failure(patch: Patch) -> None:
    """What was not confirmed in time is given up, for the sweep to find; newer commands go on."""

    async def once(self: Publisher, messages: Sequence[Outgoing]) -> list[Confirmed]:
        async with self._order:
            return await self._attempt(messages)

    patch.setattr(Publisher, "publish", once)


def audit_after_commit(patch: Patch) -> None:
    """The entry is written in a transaction of its own, when all is done."""
    audit, transact = Work.audit, Consumer._transact
    later: dict[int, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {}

    async def afterwards(self: Consumer[Any], messages: Sequence[Delivery], act: Callable[[Work], Any]) -> Any:
        work, result = await transact(self, messages, act)
        entries = later.pop(id(work), [])

        def write(connection: Connection) -> Work:
            second = Work(connection, service=work.service, now=work.now)
            for words, named in entries:
                audit(second, *words, **named)
            second.finish()
            return second

        if entries:
            work.outgoing += (await self._database.write(write)).outgoing
        return work, result

    def put_off(self: Work, *words: Any, **named: Any) -> None:
        later.setdefault(id(self), []).append((words, named))

    patch.setattr(Work, "audit", put_off)
    patch.setattr(Consumer, "_transact", afterwards)


def no_relay(patch: Patch) -> None:
    """What a crash left in the outbox stays there."""

    async def nothing(self: Relay, partitions: Sequence[int], *, older_than_seconds: float) -> None:
        return

    patch.setattr(Relay, "send_unsent", nothing)


def no_relay_at_takeover(patch: Patch) -> None:
    """A new owner begins at once; the sweep sends what the old one owed, behind it."""
    send_unsent = Relay.send_unsent

    async def swept(self: Relay, partitions: Sequence[int], *, older_than_seconds: float) -> None:
        if older_than_seconds:
            await send_unsent(self, partitions, older_than_seconds=older_than_seconds)

    patch.setattr(Relay, "send_unsent", swept)


def newer_before_owed(patch: Patch) -> None:
    """A commit whose answer was lost is left to the sweep; what comes after it leaves before it."""

    async def nothing(self: Together) -> None:
        return

    patch.setattr(Together, "send_owed", nothing)


def no_reconciling(patch: Patch) -> None:
    """What the broker confirmed is safe for ever."""

    async def nothing(self: Relay, js: Any, *, after_seconds: float) -> None:
        return

    patch.setattr(Relay, "reconcile", nothing)


def only_the_end_of_a_stream(patch: Patch) -> None:
    """A broker's loss is looked for in its newest place alone."""
    patch.setattr(outbox, "given_twice", lambda connection, stream, *, newest: [])


def all_commands_at_once(patch: Patch) -> None:
    """A leg's second command is on its way before the first is confirmed."""
    patch.setattr("services.ground.publisher._in_turn", lambda messages, atomic_from=None: list(messages))


PLANTS: Final = (
    ack_before_commit,
    ack_of_what_failed,
    publish_before_commit,
    no_outbox,
    sent_before_confirmed,
    fresh_id_per_retry,
    timeout_is_failure,
    audit_after_commit,
    no_relay,
    no_relay_at_takeover,
    newer_before_owed,
    no_reconciling,
    only_the_end_of_a_stream,
    all_commands_at_once,
)
