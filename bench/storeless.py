"""The fastest client that we know: decodes, publishes as many messages, keeps nothing and decides nothing.

Continuous pull of what is there, publishes pipelined over one reply inbox, three batches overlapped. What it leaves out
is what Onward is for, so its rate is the ceiling that the router step is held against.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

import nats
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from bench import events
from services.ground.settings import Settings

BATCH = 256
WINDOW = 1024
OVERLAP = 3
ATOMIC_MOST = 1000
AUDIT = b'{"operation":"alter","fields":["status"],"purpose":"routing","because":[' + b'"x",' * 90 + b'"x"]}'

Atomic = Literal["whole batch"] | None


class _Storeless:
    def __init__(self, connection: Client, stream: str, atomic: Atomic) -> None:
        self._connection = connection
        self._stream = stream
        self._atomic = atomic
        self._ready: deque[Msg] = deque()
        self._arrived = asyncio.Event()
        self._asked = 0
        self._inbox = connection.new_inbox()
        self._replies = connection.new_inbox()
        self._waiting: dict[str, list[int]] = {}  # by reply subject: how many confirmations are still to come
        self._done: dict[str, asyncio.Future[None]] = {}
        self._number = 0
        self._overlap = asyncio.Semaphore(OVERLAP)
        self._tasks: set[asyncio.Task[None]] = set()

    async def work(self) -> None:
        """Until cancelled."""
        await self._connection.subscribe(self._inbox, cb=self._on_message)
        await self._connection.subscribe(f"{self._replies}.*", cb=self._on_reply)
        while True:
            await self._top_up()
            if not self._ready:
                self._arrived.clear()
                await self._arrived.wait()
            batch = [self._ready.popleft() for _ in range(min(BATCH, len(self._ready)))]
            await self._overlap.acquire()
            task = asyncio.create_task(self._take(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take(self, batch: list[Msg]) -> None:
        messages: list[tuple[str, bytes]] = []
        for message in batch:
            event = orjson.loads(message.data)
            number = int((event.get("originid") or event["id"]).rpartition("-")[2])
            messages += [(f"route.{name}", message.data) for name in events.routes_of(number)]
            messages.append(("route.audit", AUDIT))
        if self._atomic:
            await self._publish_atomic(messages)
        else:
            await self._publish(messages)
        for message in batch:
            await self._connection.publish(message.reply, b"+ACK")
        self._overlap.release()

    async def _publish(self, messages: list[tuple[str, bytes]]) -> None:
        reply, done = self._expect(len(messages))
        for subject, payload in messages:
            await self._connection.publish(subject, payload, reply=reply)
        await done

    async def _publish_atomic(self, messages: list[tuple[str, bytes]]) -> None:
        for start in range(0, len(messages), ATOMIC_MOST):
            part = messages[start : start + ATOMIC_MOST]
            reply, done = self._expect(1)
            for number, (subject, payload) in enumerate(part, 1):
                headers = {"Nats-Batch-Id": reply, "Nats-Batch-Sequence": str(number)}
                if number == len(part):
                    headers["Nats-Batch-Commit"] = "1"
                    await self._connection.publish(subject, payload, reply=reply, headers=headers)
                else:
                    await self._connection.publish(subject, payload, headers=headers)
            await done

    def _expect(self, confirmations: int) -> tuple[str, asyncio.Future[None]]:
        self._number += 1
        reply = f"{self._replies}.{self._number}"
        self._waiting[reply] = [confirmations]
        self._done[reply] = asyncio.get_running_loop().create_future()
        return reply, self._done[reply]

    async def _on_reply(self, message: Msg) -> None:
        if b'"error"' in message.data:
            raise RuntimeError("the broker refused a message")
        left = self._waiting[message.subject]
        left[0] -= 1
        if left[0] == 0:
            del self._waiting[message.subject]
            self._done.pop(message.subject).set_result(None)

    async def _on_message(self, message: Msg) -> None:
        if message.subject == self._inbox:
            self._asked = 0  # a request ended
        else:
            self._asked -= 1
            self._ready.append(message)
        self._arrived.set()

    async def _top_up(self) -> None:
        want = WINDOW - self._asked - len(self._ready)
        if want >= WINDOW // 2:
            self._asked += want
            request = b'{"batch":%d,"expires":20000000000}' % want
            subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.storeless"
            await self._connection.publish(subject, request, reply=self._inbox)


@asynccontextmanager
async def storeless(settings: Settings, stream: str, *, atomic: Atomic) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """This client on the stream, ready to start."""
    assert settings.nats_url is not None
    connection = await nats.connect(settings.nats_url, pending_size=64 * 1024 * 1024)
    await connection.jetstream().add_consumer(
        stream, ConsumerConfig(durable_name="storeless", ack_policy=AckPolicy.EXPLICIT, max_ack_pending=4096)
    )
    client = _Storeless(connection, stream, atomic)
    tasks: list[asyncio.Task[None]] = []

    async def start() -> None:
        tasks.append(asyncio.create_task(client.work()))

    try:
        yield start
    finally:
        for task in tasks:
            task.cancel()
        await connection.close()
