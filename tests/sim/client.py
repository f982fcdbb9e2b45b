"""The part of the NATS client that Onward uses, over a connection that is slow, breaks and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeVar

from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.errors import BadRequestError, NotFoundError

from tests.sim.broker import Broker, Headers
from tests.sim.chaos import Fault
from tests.sim.loop import Process

T = TypeVar("T")

LATENCY_SECONDS = 0.004  # at most, one way, when all is well
SLOW_SECONDS = (0.5, 6.0)
ANSWER_SECONDS = 5.0
SUSPENDS = 0.25  # how often a publish gives way before it is done, as one that flushes does


@dataclass(frozen=True, slots=True)
class Msg:
    """What a subscription's callback is given."""

    subject: str
    reply: str
    data: bytes
    headers: Headers | None


class Subscription:
    """Of one client to one subject."""

    def __init__(self, client: SimClient, subject: str) -> None:
        self._client, self._subject = client, subject

    async def unsubscribe(self) -> None:
        """Hear no more of it."""
        self._client.callbacks.pop(self._subject, None)


class SimClient:
    """One connection of one process."""

    max_payload = 1 << 20

    def __init__(self, name: str, process: Process, broker: Broker) -> None:
        self.name = name
        self.process = process
        self.callbacks: dict[str, Callable[[Msg], Awaitable[None]]] = {}
        self.on_reconnected: Callable[[], None] | None = None
        self._broker, self._loop, self._chaos = broker, broker.loop, broker.chaos
        self._connected = broker.up
        self._epoch = 0  # of the connection: what is under way when it breaks is lost
        self._up_to = self._down_to = 0.0  # when the newest message under way arrives: none overtakes another
        self._buffer: list[tuple[str, bytes, str, Headers]] = []
        self._inboxes = 0
        broker.clients.append(self)

    # What the ground calls

    @property
    def is_connected(self) -> bool:
        """Whether the broker can be reached, as far as the client knows."""
        return self._connected

    def new_inbox(self) -> str:
        """A subject of our own."""
        self._inboxes += 1
        return f"_INBOX.{self.name}-{self._inboxes}"

    async def subscribe(self, subject: str, *, cb: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Have a callback called with what comes."""
        await asyncio.sleep(0)
        self.callbacks[subject] = cb
        return Subscription(self, subject)

    async def publish(
        self, subject: str, payload: bytes = b"", reply: str = "", headers: Headers | None = None
    ) -> None:
        """Send; it may never arrive, and nobody is told."""
        chaos = self._chaos
        if chaos.chance.random() < SUSPENDS:
            await asyncio.sleep(0)
        if chaos.strikes(Fault.REFUSED, self.name):
            raise NatsError
        if not self._connected:
            self._buffer.append((subject, payload, reply, headers or {}))  # sent once it is back, however late
            return
        self._send(subject, payload, reply, headers or {})

    def jetstream(self) -> SimJetStream:
        """Questions to the broker."""
        return SimJetStream(self)

    # The connection

    def _send(self, subject: str, payload: bytes, reply: str, headers: Headers) -> None:
        ack = subject.startswith("$JS.ACK.")
        if self._chaos.strikes(Fault.ACK_LOST if ack else Fault.LOST, self.name):
            return
        if not ack:
            self._chaos.trace.note(self.name, f"> {subject} {headers.get('Nats-Msg-Id', '')}")
        self._up_to = max(self._up_to, self._loop.time() + self._delay())
        self._loop.call_at(
            self._up_to,
            self._arrive,
            self._epoch,
            (subject, payload, reply, headers),
            context=self._broker.process.context,
        )

    def _arrive(self, epoch: int, message: tuple[str, bytes, str, Headers]) -> None:
        if epoch == self._epoch:
            self._broker.on_publish(self, *message)

    def receive(
        self, to: str, payload: bytes, *, subject: str = "", reply: str = "", headers: Headers | None = None
    ) -> None:
        """The broker sends something down this connection, to one of our subjects."""
        self._down_to = max(self._down_to, self._loop.time() + self._delay())
        message = Msg(subject or to, reply, payload, headers)
        self._loop.call_at(self._down_to, self._take, self._epoch, to, message, context=self.process.context)

    def _take(self, epoch: int, to: str, message: Msg) -> None:
        if epoch != self._epoch:
            return
        callback = self.callbacks.get(to) or self.callbacks.get(f"{to.rpartition('.')[0]}.*")
        if callback is None:
            return
        if message.reply:
            self._chaos.trace.note(self.name, f"< {message.subject} {message.reply}")
        try:
            callback(message).__await__().send(None)
        except StopIteration:
            return
        raise AssertionError("the callbacks of the ground never wait; let the model's do so too")

    def _delay(self) -> float:
        if self._chaos.strikes(Fault.LATE, self.name):
            return self._chaos.chance.uniform(*SLOW_SECONDS)
        return self._chaos.chance.random() * LATENCY_SECONDS

    def disconnect(self) -> None:
        """The connection breaks. The broker forgets what was asked over it."""
        self._connected = False
        self._epoch += 1
        self._up_to = self._down_to = 0.0
        self._broker.forget_requests(self)

    def reconnect(self) -> None:
        """It is back: what waited is sent, and the process is told."""
        if self._connected or self.process.dead or not self._broker.up:
            return
        self._connected = True
        waiting, self._buffer = self._buffer, []
        for message in waiting:
            self._send(*message)
        if self.on_reconnected is not None:
            self._loop.call_soon(self.on_reconnected, context=self.process.context)

    def gone(self) -> None:
        """The process is dead; what it had sent is still under way."""
        self._broker.forget_requests(self)
        if self in self._broker.clients:
            self._broker.clients.remove(self)

    async def ask(self, question: Callable[[], T]) -> T:
        """A question to the broker and its answer, each over the connection. Raises what the real client raises."""
        if not self._connected:
            await asyncio.sleep(ANSWER_SECONDS)
            raise NatsTimeout
        answer: asyncio.Future[T] = self._loop.create_future()
        epoch = self._epoch

        def arrive() -> None:
            if epoch == self._epoch:
                back = self._loop.time() + self._delay()
                self._loop.call_at(back, settle, question(), context=self.process.context)

        def settle(result: T) -> None:
            if epoch == self._epoch and not answer.done():
                answer.set_result(result)

        self._loop.call_at(self._loop.time() + self._delay(), arrive, context=self._broker.process.context)
        try:
            return await asyncio.wait_for(answer, ANSWER_SECONDS)
        except TimeoutError:
            raise NatsTimeout from None


class SimJetStream:
    """Answers of the broker about itself."""

    def __init__(self, client: SimClient) -> None:
        self._client = client

    async def stream_info(self, name: str) -> Any:
        """When a stream was made and where it ends."""

        def look() -> Any:
            stream = self._client._broker.streams[name]
            state = SimpleNamespace(first_seq=min(1, stream.last), last_seq=stream.last)
            return SimpleNamespace(created=stream.created, state=state)

        return await self._client.ask(look)

    async def get_msg(self, name: str, sequence: int) -> Any:
        """The message in a place of a stream."""
        if sequence < 1:
            raise BadRequestError

        def look() -> Any:
            messages = self._client._broker.streams[name].messages
            return SimpleNamespace(data=messages[sequence - 1].payload) if sequence <= len(messages) else None

        found = await self._client.ask(look)
        if found is None:
            raise NotFoundError
        return found
