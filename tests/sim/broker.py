"""A model of JetStream, as far as Onward uses it: streams, durable pull consumers, confirmations, atomic batches.

It promises what the broker promises and no more: at least once, in any order once something was delivered twice, no
repeat of a message id within the window. And it can lose what it confirmed, as one flipped bit in its files does.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from services.ground.settings import Settings
from services.ground.streams import INTAKE, SUBJECTS, TAKES, Feed, feeds_of
from tests.sim.chaos import Chaos, Fault
from tests.sim.loop import Process, VirtualLoop

if TYPE_CHECKING:
    from tests.sim.client import SimClient

TOKENS: Final = {pattern.partition(".")[0]: (name, pattern.count(".") + 1) for name, pattern in SUBJECTS.items()}
FORGOTTEN_ACKS = 4  # of each consumer, at most, when the broker crashes
_EXPIRES = re.compile(rb'"batch":(\d+),"expires":(\d+)')

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream, at its place."""

    sequence: int
    subject: str
    payload: bytes
    id: str | None  # its Nats-Msg-Id


@dataclass(frozen=True, slots=True)
class Appended:
    """What somebody who listens all the time has seen: nothing is taken back of it."""

    stream: str
    message: Message
    generation: int  # of the stream's content: how often the broker had lost something by then


@dataclass
class Stream:
    """What it holds, from sequence 1 without a gap."""

    name: str
    created: str
    messages: list[Message] = field(default_factory=list)
    known: dict[str, tuple[int, float]] = field(default_factory=dict)  # message id: sequence, when

    @property
    def last(self) -> int:
        """The newest message's place."""
        return len(self.messages)


@dataclass(slots=True)
class _Request:
    client: SimClient
    inbox: str
    left: int


@dataclass(slots=True)
class _InHand:
    tries: int
    until: float


@dataclass
class Durable:
    """One durable pull consumer."""

    feed: Feed
    waiting: deque[int] = field(default_factory=deque)  # never delivered
    again: deque[int] = field(default_factory=deque)  # to be delivered once more
    in_hand: dict[int, _InHand] = field(default_factory=dict)
    tries: dict[int, int] = field(default_factory=dict)
    requests: deque[_Request] = field(default_factory=deque)
    done: deque[int] = field(default_factory=lambda: deque(maxlen=FORGOTTEN_ACKS))

    def matches(self, subject: str) -> bool:
        """Whether the feed's filter lets a subject of its stream through."""
        pattern = self.feed.filter_subject.split(".")
        return all(p in ("*", token) for p, token in zip(pattern, subject.split("."), strict=True))

    @property
    def idle(self) -> bool:
        """Whether everything is acknowledged."""
        return not (self.waiting or self.again or self.in_hand)


class Broker:
    """The server. Its process is never frozen; when it is away, no connection reaches it."""

    def __init__(self, loop: VirtualLoop, chaos: Chaos, settings: Settings, *, window: float) -> None:
        self.loop, self.chaos = loop, chaos
        self.process = Process("broker")
        self.clients: list[SimClient] = []
        self.up = True
        self.losses = 0  # how often confirmed messages were lost
        self.appended: list[Appended] = []
        self.listeners: list[Callable[[Appended], None]] = []
        self._window = window
        self._backoff = settings.redelivery_seconds
        self._feeds = [feed for service in TAKES for feed in feeds_of(service, settings)]
        self._batches: dict[str, list[tuple[str, bytes, Headers]]] = {}
        self.streams: dict[str, Stream] = {}
        self.durables: dict[str, Durable] = {}
        self._create()

    def _create(self) -> None:
        created = f"{self.loop.time():.6f}"
        self.streams = {name: Stream(name, created) for name in SUBJECTS}
        self.durables = {feed.durable: Durable(feed) for feed in self._feeds}
        self._by_stream: dict[str, list[Durable]] = {name: [] for name in SUBJECTS}
        for durable in self.durables.values():
            self._by_stream[durable.feed.stream].append(durable)

    # What clients say

    def on_publish(self, client: SimClient, subject: str, payload: bytes, reply: str, headers: Headers) -> None:
        """A message arrived over a connection."""
        if subject.startswith("$JS.ACK."):
            self._on_ack(subject, payload)
        elif subject.startswith("$JS.API.CONSUMER.MSG.NEXT."):
            self._on_request(client, subject.rpartition(".")[2], payload, reply)
        else:
            answer = self._on_message(client, subject, payload, headers)
            if answer is not None and reply and not self.chaos.strikes(Fault.UNCONFIRMED, client.name):
                client.receive(reply, orjson.dumps(answer))

    def _on_message(
        self, client: SimClient, subject: str, payload: bytes, headers: Headers
    ) -> dict[str, object] | None:
        name, tokens = TOKENS.get(subject.partition(".")[0], ("", 0))
        if subject.count(".") + 1 != tokens:
            raise AssertionError(f"no stream takes {subject}")
        if self.chaos.strikes(Fault.REJECTED, client.name):
            return {"error": {"code": 503, "description": "planted"}}
        batch = headers.get("Nats-Batch-Id")
        if batch is not None:
            return self._on_batch(self.streams[name], batch, subject, payload, headers)
        return self._store(self.streams[name], subject, payload, headers.get("Nats-Msg-Id"))

    def _on_batch(
        self, stream: Stream, batch: str, subject: str, payload: bytes, headers: Headers
    ) -> dict[str, object] | None:
        """All or nothing: a gap, or one message that is known, refuses the whole batch."""
        number = int(headers["Nats-Batch-Sequence"])
        rows = self._batches.setdefault(batch, []) if number == 1 else self._batches.get(batch)
        if number == 1 and rows:
            rows.clear()
        if rows is None or len(rows) != number - 1:
            self._batches.pop(batch, None)
            return {"error": {"code": 400, "description": "batch incomplete"}}
        rows.append((subject, payload, headers))
        if "Nats-Batch-Commit" not in headers:
            return None
        del self._batches[batch]
        if any(self._known(stream, each["Nats-Msg-Id"]) for _, _, each in rows):
            return {"error": {"code": 400, "description": "batch holds a message that is stored already"}}
        for each_subject, each_payload, each_headers in rows:
            answer = self._store(stream, each_subject, each_payload, each_headers["Nats-Msg-Id"])
        return {**answer, "batch": batch, "count": len(rows)}

    def _known(self, stream: Stream, id_: str | None) -> int | None:
        sequence, at = stream.known.get(id_ or "", (0, 0.0))
        return sequence if sequence and self.loop.time() - at < self._window else None

    def _store(self, stream: Stream, subject: str, payload: bytes, id_: str | None) -> dict[str, object]:
        if known := self._known(stream, id_):
            return {"stream": stream.name, "seq": known, "duplicate": True}
        message = Message(stream.last + 1, subject, payload, id_)
        stream.messages.append(message)
        if id_ is not None:
            stream.known[id_] = (message.sequence, self.loop.time())
        seen = Appended(stream.name, message, self.losses)
        self.appended.append(seen)
        for listener in self.listeners:
            listener(seen)
        for durable in self._by_stream[stream.name]:
            if durable.matches(subject):
                durable.waiting.append(message.sequence)
                self._pump(durable)
        return {"stream": stream.name, "seq": message.sequence}

    # Consumers

    def _on_request(self, client: SimClient, name: str, payload: bytes, inbox: str) -> None:
        asked = _EXPIRES.search(payload)
        assert asked is not None
        request = _Request(client, inbox, int(asked[1]))
        durable = self.durables[name]
        durable.requests.append(request)
        self.loop.call_later(int(asked[2]) / 1e9, self._expire, durable, request, context=self.process.context)
        self._pump(durable)

    def _expire(self, durable: Durable, request: _Request) -> None:
        if request.left and request in durable.requests:
            durable.requests.remove(request)
            status = {"Status": "408", "Nats-Pending-Messages": str(request.left)}
            request.client.receive(request.inbox, b"", headers=status)

    def _pump(self, durable: Durable) -> None:
        """Deliver what there is to whoever asked."""
        while durable.requests and (durable.again or durable.waiting):
            request = durable.requests[0]
            request.left -= 1
            if not request.left:
                durable.requests.popleft()
            self._deliver(durable, self._next(durable), request)

    def _next(self, durable: Durable) -> int:
        if durable.again:
            return durable.again.popleft()
        if len(durable.waiting) > 1 and self.chaos.strikes(Fault.REORDERED, durable.feed.durable):
            durable.waiting.rotate(-1)
            sequence = durable.waiting.popleft()
            durable.waiting.rotate(1)
            return sequence
        return durable.waiting.popleft()

    def _deliver(self, durable: Durable, sequence: int, request: _Request) -> None:
        tries = durable.tries[sequence] = durable.tries.get(sequence, 0) + 1
        durable.in_hand[sequence] = _InHand(tries, self.loop.time() + self._wait(tries))
        self._look_later(durable, sequence)
        stream, name = durable.feed.stream, durable.feed.durable
        if self.chaos.strikes(Fault.DELIVERY_LOST, name):
            return
        message = self.streams[stream].messages[sequence - 1]
        ack = f"$JS.ACK.{stream}.{name}.{tries}.{sequence}.{sequence}.0.0"
        request.client.receive(request.inbox, message.payload, subject=message.subject, reply=ack)
        if self.chaos.strikes(Fault.DELIVERED_TWICE, name):
            durable.again.append(sequence)

    def _wait(self, tries: int) -> float:
        return self._backoff[min(tries, len(self._backoff)) - 1]

    def _look_later(self, durable: Durable, sequence: int) -> None:
        until = durable.in_hand[sequence].until
        self.loop.call_at(until, self._look, durable, sequence, context=self.process.context)

    def _look(self, durable: Durable, sequence: int) -> None:
        """What nobody acknowledged in time is delivered again."""
        held = durable.in_hand.get(sequence)
        if held is None or self.durables.get(durable.feed.durable) is not durable:
            return
        if held.until > self.loop.time():
            self._look_later(durable, sequence)
        else:
            self._deliver_again(durable, sequence)

    def _deliver_again(self, durable: Durable, sequence: int) -> None:
        durable.in_hand.pop(sequence, None)
        if sequence not in durable.again:
            durable.again.append(sequence)
        self._pump(durable)

    def _on_ack(self, subject: str, word: bytes) -> None:
        _, _, _, name, _, sequence_text, *_ = subject.split(".")
        durable, sequence = self.durables[name], int(sequence_text)
        held = durable.in_hand.get(sequence)
        if word == b"+ACK":
            if sequence in durable.again:
                durable.again.remove(sequence)
            if durable.in_hand.pop(sequence, None) is not None:
                durable.done.append(sequence)
        elif held is not None and word == b"+WPI":
            held.until = self.loop.time() + self._wait(held.tries)
        elif held is not None:
            self._deliver_again(durable, sequence)

    # What happens to it

    def forget_requests(self, client: SimClient) -> None:
        """A connection is gone, and what was asked over it."""
        for durable in self.durables.values():
            if any(request.client is client for request in durable.requests):
                durable.requests = deque(request for request in durable.requests if request.client is not client)

    def forget_acknowledgements(self, which: Iterable[Durable] | None = None) -> None:
        """The last ones were not written down: the messages are delivered again."""
        for durable in which or self.durables.values():
            durable.again.extend(sequence for sequence in durable.done if sequence not in durable.again)
            durable.done.clear()

    def cut(self, name: str, lost: int) -> None:
        """The end of a stream is gone, confirmed or not, and its places are given again."""
        stream = self.streams[name]
        self.losses += 1
        gone = stream.messages[stream.last - lost :]
        del stream.messages[stream.last - lost :]
        for message in gone:
            stream.known.pop(message.id or "", None)
        for durable in self._by_stream[name]:
            for places in (durable.waiting, durable.again, durable.done):
                for sequence in [s for s in places if s > stream.last]:
                    places.remove(sequence)
            for held in (durable.in_hand, durable.tries):
                for sequence in [s for s in held if s > stream.last]:
                    del held[sequence]

    def wipe(self) -> None:
        """Everything is gone; the streams were declared anew."""
        self.losses += 1
        self._create()

    def busy(self) -> str | None:
        """The first consumer that is not done."""
        for name, durable in self.durables.items():
            if not durable.idle:
                waiting = len(durable.waiting) + len(durable.again)
                return f"{name} has {waiting} to take and {len(durable.in_hand)} in hand"
        return None

    def sent_to_intake(self) -> list[Appended]:
        """Everything that sources ever got stored."""
        return [seen for seen in self.appended if seen.stream == INTAKE]
