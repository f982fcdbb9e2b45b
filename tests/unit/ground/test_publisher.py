"""How long a publisher waits for a broker that is slow, and for one that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from services.ground.publisher import ATOMIC_FROM, ATOMIC_MOST, Outgoing, Publisher

TIMEOUT_SECONDS = 0.2
HANG_SECONDS = 5.0  # a hang ends here: each waited for in turn takes 9 s, and minutes with the timeout of a real one

ROWS = [Outgoing(f"{s}-{n}", s, s.lower(), b"{}") for s in ("AUDIT", "CASE", "RECEIPT") for n in range(ATOMIC_FROM - 1)]


@dataclass(frozen=True)
class _Message:
    subject: str
    data: bytes


class _Broker:
    """Confirms what it is sent as `answer` says, or not at all."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.answer: Callable[[int, bool], bytes | None] = lambda number, _: b'{"seq":%d}' % number
        self.pause = 0.0
        self._deliver: Callable[[Any], Awaitable[None]] | None = None
        self._replies: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    def new_inbox(self) -> str:
        """A subject."""
        return "_INBOX.1"

    async def subscribe(self, subject: str, *, cb: Callable[[Any], Awaitable[None]]) -> None:
        """One listener."""
        self._deliver = cb

    async def publish(self, subject: str, payload: bytes, reply: str = "", headers: Mapping[str, str] = {}) -> None:
        """Takes it, and answers later."""
        self.sent.append(headers["Nats-Msg-Id"])
        answer = self.answer(len(self.sent), "Nats-Batch-Id" in headers)
        if reply and answer is not None:
            self._replies.put_nowait((reply, answer))

    async def reply(self) -> None:
        """Answers one after another, for ever."""
        while True:
            subject, data = await self._replies.get()
            await asyncio.sleep(self.pause)
            assert self._deliver is not None
            await self._deliver(_Message(subject, data))


async def test_a_broker_that_is_killed_with_many_unconfirmed_holds_up_for_one_timeout_not_for_one_each() -> None:
    broker = _Broker()
    broker.answer = lambda number, _: None if number <= len(ROWS) else b'{"seq":%d}' % number
    confirmed = await _published(broker, ROWS)
    assert sorted(confirmed) == sorted(row.id for row in ROWS)
    assert len(broker.sent) == 2 * len(ROWS), "all were sent again, once"


async def test_a_batch_that_is_sent_one_by_one_to_a_broker_that_is_killed_meanwhile_holds_up_for_one_timeout() -> None:
    rows = [Outgoing(f"{n}", "CASE", "case", b"{}") for n in range(ATOMIC_FROM * 3)]
    broker = _Broker()

    def refuse_then_die(number: int, in_batch: bool) -> bytes | None:
        if in_batch:
            return b'{"error":{"description":"there already"}}'
        return None if number <= 2 * len(rows) else b'{"seq":%d}' % number

    broker.answer = refuse_then_die
    assert await _published(broker, rows) == [row.id for row in rows]


async def test_a_slow_broker_that_goes_on_answering_is_waited_for() -> None:
    broker = _Broker()
    broker.pause = TIMEOUT_SECONDS / 10
    confirmed = await _published(broker, ROWS)
    assert sorted(confirmed) == sorted(row.id for row in ROWS)
    assert len(broker.sent) == len(ROWS), "none was sent again"


async def test_what_was_confirmed_before_the_broker_was_away_is_not_noted_as_sent() -> None:
    broker = _Broker()
    publisher = Publisher(cast(Any, broker), timeout_seconds=TIMEOUT_SECONDS)
    await publisher.start()
    answering = asyncio.create_task(broker.reply())
    try:
        before = await publisher.publish(ROWS[:2])
        assert publisher.still_kept(before) == before
        publisher.reconnected()
        after = await publisher.publish(ROWS[2:4])
        assert publisher.still_kept([*before, *after]) == after, "it may have lost the others meanwhile"
    finally:
        answering.cancel()


async def _published(broker: _Broker, rows: list[Outgoing]) -> list[str]:
    """The ids that were confirmed, in order."""
    assert len(rows) < ATOMIC_MOST
    publisher = Publisher(cast(Any, broker), timeout_seconds=TIMEOUT_SECONDS)
    await publisher.start()
    answering = asyncio.create_task(broker.reply())
    try:
        async with asyncio.timeout(HANG_SECONDS):
            return [confirmed.id for confirmed in await publisher.publish(rows)]
    finally:
        answering.cancel()
