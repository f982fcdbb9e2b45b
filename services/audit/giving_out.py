"""Gives the log out on the queue, entry by entry in its own order, for whoever consumes it there.

The log is what is owed: how far it was given out is noted page by page, and all from there on is sent. A broker that
lost its end no longer has what was noted last, and is given the log again from the last page that it has; who reads
knows a repeat by its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

import orjson
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from sqlalchemy import Connection

from services.audit import store
from services.audit.store import Given
from services.ground.handler import Hands
from services.ground.log import logger
from services.ground.publisher import Confirmed, Outgoing, Publisher
from services.ground.streams import AUDIT
from services.ground.world import World

PAGE: Final = 256  # entries that are sent at once: the broker syncs them to disk together

log = logger("audit")


class _Owed(NamedTuple):
    """The next page of what is to be sent, after what was given out before."""

    given: Given
    messages: list[Outgoing]


class LogQueue:
    """One process's part of it: `act` is a duty of the audit service."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._publisher: Publisher | None = None
        self._look_again = 0.0  # on the loop's clock: when the broker is asked again whether it has all

    async def act(self, hands: Hands) -> None:
        """Send what the log has and the broker has not confirmed."""
        if self._publisher is None:
            publisher = Publisher(hands.connection, timeout_seconds=self._world.settings.publish_seconds)
            await publisher.start()
            self._publisher = publisher
        if (now := asyncio.get_running_loop().time()) >= self._look_again:
            await self._went_back(hands)
            self._look_again = now + self._world.settings.reconcile_seconds
        while (owed := await self._world.database.read(_owed)).messages:
            confirmed = await self._publisher.publish(owed.messages)
            before = min(each.stream_sequence for each in confirmed)
            if before <= owed.given.sequence and await self._went_back(hands):
                continue  # places are given a second time where what was in them is lost
            given = _after(owed, confirmed)
            await hands.write(lambda work, g=given: store.note_given(work.connection, g))  # type: ignore[misc]

    async def _went_back(self, hands: Hands) -> bool:
        """Look whether the broker lost something, and if so note from where on the log is to be given out again."""
        database, js = self._world.database, hands.connection.jetstream()
        given = await database.read(store.given)
        info = await js.stream_info(AUDIT)
        kept = None
        if given is not None and given.created == str(info.created):
            kept = await self._last_kept(js, given, first=info.state.first_seq)
        if kept is None:
            oldest = self._world.clock.now() - timedelta(days=self._world.settings.stream_max_age_days)
            begin = await database.read(lambda c: store.first_since(c, oldest)) if given else 0
            kept = Given(begin, 0, "", str(info.created))
        if kept == given:
            return False
        if given is not None:
            log.error("broker_lost_messages", stream=AUDIT, given_again_from=kept.position)
        await hands.write(lambda work: store.go_back(work.connection, kept))
        return True

    async def _last_kept(self, js: JetStreamContext, newest: Given, *, first: int) -> Given | None:
        """The last page of which the broker has what it confirmed; None where it has none. It loses from the end."""
        if await _keeps(js, newest, first=first):
            return newest
        pages = await self._world.database.read(store.all_given)
        low, high = 0, len(pages)  # those before `low` are kept, those from `high` on are not
        while low < high:
            middle = (low + high) // 2
            if await _keeps(js, pages[middle], first=first):
                low = middle + 1
            else:
                high = middle
        return pages[low - 1] if low else None


async def _keeps(js: JetStreamContext, page: Given, *, first: int) -> bool:
    if page.sequence == 0 or page.sequence < first:  # nothing was sent, or it is past its age
        return True
    try:
        message = await js.get_msg(AUDIT, page.sequence)
    except NotFoundError:
        return False
    return message.data is not None and orjson.loads(message.data)["id"] == page.entry_id


def _owed(connection: Connection) -> _Owed:
    given = store.given(connection)
    assert given is not None, "noted at the first look"
    rows = store.entries_from(connection, given.position, PAGE)
    return _Owed(
        given, [Outgoing(row["entry_id"], AUDIT, f"audit.{row['operation']}", bytes(row["entry"])) for row in rows]
    )


def _after(owed: _Owed, confirmed: Sequence[Confirmed]) -> Given:
    """How far the log is given out with this page, of which the broker keeps that in the newest place."""
    last = max(confirmed, key=lambda each: each.stream_sequence)
    return Given(owed.given.position + len(owed.messages), last.stream_sequence, last.id, owed.given.created)
