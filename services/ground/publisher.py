"""Publishes outbox rows: in order, confirmed one by one, pipelined; large groups as one atomic batch.

With `sync_interval: always` the server syncs to disk once for each plain message but once for a whole atomic batch,
so above a handful of messages the batch is several times quicker, and below it the plain way answers sooner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.ground.log import logger
from services.ground.streams import ROUTE

ATOMIC_FROM = 16  # messages for one stream
ATOMIC_MOST = 1000  # the server's limit for one batch
RETRY_SECONDS = (0.2, 5.0)  # the first pause and the longest

Answer = dict[str, object]  # a PubAck, or {"error": ...}, or nothing in time

log = logger("publisher")


class Outgoing(NamedTuple):
    """A message to be stored in a stream. `id` is its outbox row's and becomes the Nats-Msg-Id."""

    id: str
    stream: str
    subject: str
    payload: bytes


class Confirmed(NamedTuple):
    """The broker keeps it."""

    id: str
    stream_sequence: int  # where
    connection: int = 0  # over which it said so: the first is 0, and each time that we reconnect one more


class Publisher:
    """Sends outgoing messages over one connection, one call at a time, and waits for each confirmation."""

    def __init__(self, connection: Client, *, timeout_seconds: float) -> None:
        self._connection = connection
        self._timeout = timeout_seconds
        self._prefix = connection.new_inbox()
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._number = 0
        self._reconnects = 0
        self._order = asyncio.Lock()  # messages leave in the order of their transactions

    async def start(self) -> None:
        """Listen for confirmations."""
        await self._connection.subscribe(f"{self._prefix}.*", cb=self._on_reply)

    def reconnected(self) -> None:
        """The broker was away and is back, perhaps without what it kept."""
        self._reconnects += 1

    def still_kept(self, confirmed: Sequence[Confirmed]) -> list[Confirmed]:
        """Those that the broker confirmed since we last connected.

        The rest it may have lost since then. Noted late as sent, after everybody had looked for what it lost, they
        would never be sent again; not noted, they are.
        """
        return [each for each in confirmed if each.connection == self._reconnects]

    async def publish(self, messages: Sequence[Outgoing]) -> list[Confirmed]:
        """Send all, in order, and return once the broker confirmed each. Later calls wait for earlier ones.

        An unconfirmed message may be stored all the same, so it is sent again under the same id, until it is confirmed
        or the caller gives up (cancels): going on without it would put a person's later command before it.
        """
        async with self._order:
            confirmed: list[Confirmed] = []
            left = list(messages)
            pause = RETRY_SECONDS[0]
            while left:
                turn = _in_turn(left)
                try:
                    confirmed += await self._attempt(turn)
                except NatsError as error:
                    log.warning("publish_failed", error=type(error).__name__)
                done = {message.id for message in confirmed}
                left = [message for message in left if message.id not in done]
                if missing := sum(message.id not in done for message in turn):
                    log.warning("publish_again", messages=missing)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, RETRY_SECONDS[1])
            return confirmed

    async def _attempt(self, messages: Sequence[Outgoing]) -> list[Confirmed]:
        """Send all once. Returns those that the broker confirmed."""
        connection = self._reconnects
        waits: list[tuple[list[Outgoing], asyncio.Future[Answer]]] = []
        for (_, stream), group in groupby(sorted(messages, key=_by_stream), key=_by_stream):
            rows = list(group)
            for start in range(0, len(rows), ATOMIC_MOST):
                part = rows[start : start + ATOMIC_MOST]
                if len(part) >= ATOMIC_FROM:
                    waits.append((part, await self._send_atomic(stream, part)))
                else:
                    waits += [([row], await self._send(row)) for row in part]
        answers = await self._answers(waits)
        # One message that is stored already refuses its whole batch: then one by one, in order.
        again = [row for rows, answer in answers if len(rows) > 1 and "error" in answer for row in rows]
        singly = [([row], await self._send(row)) for row in _in_turn(again, atomic_from=ATOMIC_MOST + 1)]
        answers += await self._answers(singly)
        return [done for rows, answer in answers for done in _confirmed(rows, answer, connection)]

    async def _send(self, row: Outgoing) -> asyncio.Future[Answer]:
        reply, future = self._expect()
        headers = {"Nats-Msg-Id": row.id, "Nats-Expected-Stream": row.stream}
        await self._connection.publish(row.subject, row.payload, reply=reply, headers=headers)
        return future

    async def _send_atomic(self, stream: str, rows: Sequence[Outgoing]) -> asyncio.Future[Answer]:
        reply, future = self._expect()
        batch = rows[0].id
        for number, row in enumerate(rows, 1):
            headers = {
                "Nats-Msg-Id": row.id,
                "Nats-Expected-Stream": stream,
                "Nats-Batch-Id": batch,
                "Nats-Batch-Sequence": str(number),
            }
            if number == len(rows):
                headers["Nats-Batch-Commit"] = "1"
                await self._connection.publish(row.subject, row.payload, reply=reply, headers=headers)
            else:
                await self._connection.publish(row.subject, row.payload, headers=headers)
        return future

    def _expect(self) -> tuple[str, asyncio.Future[Answer]]:
        self._number += 1
        reply = f"{self._prefix}.{self._number}"
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[reply] = future
        future.add_done_callback(lambda _: self._waiting.pop(reply, None))
        return reply, future

    async def _on_reply(self, message: Msg) -> None:
        future = self._waiting.get(message.subject)
        if future is None or future.done():
            return
        if not message.data:  # no responders: no stream takes the subject
            future.set_result({"error": {"description": "no stream takes this subject"}})
            return
        future.set_result(orjson.loads(message.data))

    async def _answers(
        self, waits: Sequence[tuple[list[Outgoing], asyncio.Future[Answer]]]
    ) -> list[tuple[list[Outgoing], Answer]]:
        """What the broker says of each. It may be slow with all of them, but silent only once.

        All were sent before: when one has waited in vain, those behind it have waited as long, and a broker that was
        killed answers none. Were each waited for in turn, a hundred would hold up everything for minutes.
        """
        answers: list[tuple[list[Outgoing], Answer]] = []
        patience = self._timeout
        for rows, reply in waits:
            answer = await self._answer(reply, patience)
            answers.append((rows, answer))
            if not answer and patience:
                log.warning("publish_unconfirmed")
                patience = 0.0
        return answers

    async def _answer(self, reply: asyncio.Future[Answer], patience: float) -> Answer:
        try:
            answer = await asyncio.wait_for(reply, patience)
        except (TimeoutError, NatsError):
            return {}
        if "error" in answer:
            log.info("publish_refused", error=answer["error"])
        return answer


def _by_stream(message: Outgoing) -> tuple[bool, str]:
    """What leaves Onward first: somebody waits for it, and the broker syncs each message to disk in turn."""
    return message.stream != ROUTE, message.stream


def _in_turn(messages: Sequence[Outgoing], atomic_from: int | None = None) -> list[Outgoing]:
    """Those that may be sent now: of what leaves Onward one by one, the first about each leg.

    Were a second one on its way as well, it would stand before the first where the broker refuses the first. Readers
    of ours put that right by the numbers; a destination may not.
    """
    leaving = [message for message in messages if message.stream == ROUTE]
    if len(leaving) >= (atomic_from or ATOMIC_FROM) or len({m.subject for m in leaving}) == len(leaving):
        return list(messages)
    behind: set[str] = set()
    seen: set[tuple[str, object]] = set()
    for message in leaving:
        key = (message.subject, orjson.loads(message.payload).get("subject"))
        if key in seen:
            behind.add(message.id)
        seen.add(key)
    return [message for message in messages if message.id not in behind]


def _confirmed(rows: Sequence[Outgoing], answer: Answer, connection: int) -> list[Confirmed]:
    if "error" in answer or "seq" not in answer:
        return []
    last = answer["seq"]
    assert isinstance(last, int)
    return [Confirmed(row.id, last - (len(rows) - 1 - index), connection) for index, row in enumerate(rows)]
