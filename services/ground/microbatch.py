"""Our pull subscription: takes what is there, never waits to fill a batch, several durable consumers at once.

FastStream's batch subscriber lingers until a batch is full or its time is up (docs/decisions/0002), so this one
keeps a window of messages asked for ahead, over public calls of the client alone.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from services.ground.log import logger
from services.ground.streams import Feed

PULL_EXPIRES_SECONDS = 20.0
WAIT_SECONDS = 1.0  # for a first message, before looking whether requests are still standing
LEAST_WINDOW = 32  # of one feed
STALE_SECONDS = 5.0  # past its expiry a pull is lost (the server restarted), and is asked for again

SUBJECT_MOST = 255  # characters; schemas.base.Subject allows no more

_PLAIN = re.compile(rf"[!-~]{{1,{SUBJECT_MOST}}}")
_NOT_PLAIN = re.compile("[^!-~]")

log = logger("microbatch")


class Delivery(NamedTuple):
    """One message as the broker delivered it."""

    subject: str
    raw: bytes
    ack_subject: str
    stream: str
    stream_sequence: int
    partition: int


class _Pull:
    """One feed's standing requests, and what has come and is not yet taken."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.inbox = ""
        self.subscription: Subscription | None = None
        self.asked = 0  # messages asked for and not yet come
        self.buffered = 0
        self.until = 0.0  # when the newest request expires, on the loop's clock


class Microbatch:
    """Messages of the feeds that were opened, in the order in which each feed delivers them."""

    def __init__(self, connection: Client, *, window: int) -> None:
        self._connection = connection
        self._window = window  # messages asked for ahead, all feeds together
        self._held: dict[str, None] = {}  # delivered to us and neither acknowledged nor left: their ack subjects
        self._pulls: dict[int, _Pull] = {}
        self._ready: deque[tuple[_Pull, Delivery]] = deque()
        self._arrived = asyncio.Event()

    async def open(self, feed: Feed) -> None:
        """Begin to pull a feed."""
        pull = _Pull(feed)
        pull.inbox = self._connection.new_inbox()
        pull.subscription = await self._connection.subscribe(pull.inbox, cb=partial(self._on_message, pull))
        self._pulls[feed.partition] = pull
        await self._top_up(pull)

    async def close(self, partition: int) -> None:
        """Stop pulling a feed and hand what is buffered of it back at once, for whoever takes it over."""
        pull = self._pulls.pop(partition, None)
        if pull is None or pull.subscription is None:
            return
        handed_back = [delivery for of, delivery in self._ready if of is pull]
        self._ready = deque(item for item in self._ready if item[0] is not pull)
        self.leave(handed_back)  # first: what the broker is not told of it must not be kept alive for ever
        with suppress(NatsError):
            await pull.subscription.unsubscribe()
            for delivery in handed_back:
                await self._connection.publish(delivery.ack_subject, b"-NAK")

    async def next(self, most: int) -> list[Delivery]:
        """Wait a moment for a message, then return all that is there, `most` at the most; perhaps nothing."""
        if not self._ready:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), WAIT_SECONDS)
            except TimeoutError:
                await self._ask_again()
        batch: list[Delivery] = []
        while self._ready and len(batch) < most:
            pull, delivery = self._ready.popleft()
            pull.buffered -= 1
            batch.append(delivery)
        for pull in list(self._pulls.values()):
            await self._top_up(pull)
        return batch

    def wake(self) -> None:
        """Let `next` return at once."""
        self._arrived.set()

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are done."""
        for delivery in deliveries:
            self._held.pop(delivery.ack_subject, None)
            await self._connection.publish(delivery.ack_subject, b"+ACK")

    def leave(self, deliveries: Sequence[Delivery]) -> None:
        """Say nothing of these: the broker delivers them again, with the consumer's backoff."""
        for delivery in deliveries:
            self._held.pop(delivery.ack_subject, None)

    async def keep_alive(self) -> None:
        """Tell the broker that what we hold is in progress.

        Without it a backlog that takes longer than the first backoff is delivered again while it is being worked off,
        which makes the backlog longer.
        """
        for ack_subject in list(self._held):
            await self._connection.publish(ack_subject, b"+WPI")

    async def _on_message(self, pull: _Pull, message: Msg) -> None:
        if message.subject == pull.inbox and message.headers and "Status" in message.headers:
            self._on_status(pull, message.headers)
            return
        pull.asked -= 1
        if self._pulls.get(pull.feed.partition) is not pull:
            return  # came after close(): the server delivers it again, to the next owner
        sequence = int(message.reply.split(".", 7)[5])  # $JS.ACK.<stream>.<consumer>.<tries>.<sequence>...
        delivery = Delivery(
            _plain(message.subject), message.data, message.reply, pull.feed.stream, sequence, pull.feed.partition
        )
        pull.buffered += 1
        self._held[message.reply] = None
        self._ready.append((pull, delivery))
        self._arrived.set()

    def _on_status(self, pull: _Pull, headers: Mapping[str, str]) -> None:
        """404, 408 and 409 end a request early and tell how much of it was left."""
        status, left = headers["Status"], headers.get("Nats-Pending-Messages")
        if status == "100":  # a heartbeat
            return
        pull.asked = max(0, pull.asked - int(left)) if left else 0
        if status not in ("404", "408"):
            log.info("pull_ended", status=status, why=headers.get("Description"), durable=pull.feed.durable)

    async def _ask_again(self) -> None:
        now = asyncio.get_running_loop().time()
        for pull in list(self._pulls.values()):
            if pull.asked and now > pull.until + STALE_SECONDS:
                pull.asked = 0
            await self._top_up(pull)

    def reconnected(self) -> None:
        """The connection was lost and is back: requests made over the old one are void."""
        for pull in self._pulls.values():
            pull.asked = 0

    async def _top_up(self, pull: _Pull) -> None:
        share = max(LEAST_WINDOW, self._window // len(self._pulls)) if self._pulls else 0
        want = share - pull.asked - pull.buffered
        if want < max(1, share // 2) or not self._connection.is_connected:
            return
        pull.asked += want
        pull.until = asyncio.get_running_loop().time() + PULL_EXPIRES_SECONDS
        request = b'{"batch":%d,"expires":%d}' % (want, int(PULL_EXPIRES_SECONDS * 1e9))
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{pull.feed.stream}.{pull.feed.durable}"
        try:
            await self._connection.publish(subject, request, reply=pull.inbox)
        except NatsError as error:  # asked again at the next turn; what has come already must still be handed on
            pull.asked -= want
            log.warning("pull_not_sent", durable=pull.feed.durable, error=type(error).__name__)


def _plain(subject: str) -> str:
    """A subject that can be kept and told. No source of ours has another one, but the broker takes any bytes."""
    return subject if _PLAIN.fullmatch(subject) else _NOT_PLAIN.sub("?", subject)[:SUBJECT_MOST]
