"""What a closed feed leaves behind: nothing that is kept alive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from nats.errors import Error as NatsError

from services.ground.microbatch import Microbatch
from services.ground.streams import Feed

FEED = Feed("CASE", "router-0", 0, "case.0.*")


@dataclass(frozen=True)
class _Message:
    subject: str
    reply: str
    data: bytes = b"{}"
    headers: None = None


class _Connection:
    """Refuses to hand the first message back."""

    is_connected = True

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []
        self.deliver: Callable[[Any], Awaitable[None]] | None = None

    def new_inbox(self) -> str:
        """A subject."""
        return "_INBOX.1"

    async def subscribe(self, subject: str, *, cb: Callable[[Any], Awaitable[None]]) -> _Connection:
        """Itself is the subscription."""
        self.deliver = cb
        return self

    async def unsubscribe(self) -> None:
        """Fine."""

    async def publish(self, subject: str, payload: bytes = b"", reply: str = "") -> None:
        """Not every word arrives."""
        if payload == b"-NAK" and subject.endswith(".1.1.0.0"):
            raise NatsError
        self.said.append((subject, payload))


async def test_a_feed_that_could_not_be_handed_back_whole_is_not_kept_alive() -> None:
    connection = _Connection()
    subscription = Microbatch(cast(Any, connection), window=8)
    await subscription.open(FEED)
    assert connection.deliver is not None
    for number in (1, 2):
        await connection.deliver(_Message("case.0.risk", f"$JS.ACK.CASE.router-0.1.{number}.{number}.0.0"))
    await subscription.close(FEED.partition)
    connection.said.clear()
    await subscription.keep_alive()
    assert connection.said == [], "the broker delivers them again, in time"
