"""Gives the log out on the queue, entry by entry in its own order, for whoever consumes it there.

The log is what is owed: how far it was given out is one row, and all from there on is sent. A broker that lost its end
is noticed by the places that it gives, and gets it again; who reads knows a repeat by its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

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
        self._look_again = 0.0  # on the loop's clock: when the broker is asked again what it has

    async def act(self, hands: Hands) -> None:
        """Send what the log has and the broker has not confirmed."""
        if self._publisher is None:
            publisher = Publisher(hands.connection, timeout_seconds=self._world.settings.publish_seconds)
            await publisher.start()
            self._publisher = publisher
        if (now := asyncio.get_running_loop().time()) >= self._look_again:
            await self._look(hands)
            self._look_again = now + self._world.settings.reconcile_seconds
        while (owed := await self._world.database.read(_owed)).messages:
            confirmed = await self._publisher.publish(owed.messages)
            given = _after(owed, confirmed)
            await hands.write(lambda work, g=given: store.note_given(work.connection, g))  # type: ignore[misc]

    async def _look(self, hands: Hands) -> None:
        """Notice a broker that made the stream anew, or that ends before what it confirmed."""
        given = await self._world.database.read(store.given)
        info = await hands.connection.jetstream().stream_info(AUDIT)
        created = str(info.created)
        if given.created == created and info.state.last_seq >= given.sequence:
            return
        if given.created == created:
            again = _back(given, given.sequence - info.state.last_seq)
        else:
            oldest = self._world.clock.now() - timedelta(days=self._world.settings.stream_max_age_days)
            begin = await self._world.database.read(lambda c: store.first_since(c, oldest)) if given.created else 0
            again = Given(begin, 0, created)
        await hands.write(lambda work: store.note_given(work.connection, again))


def _owed(connection: Connection) -> _Owed:
    given = store.given(connection)
    rows = store.entries_from(connection, given.position, PAGE)
    return _Owed(
        given, [Outgoing(row["entry_id"], AUDIT, f"audit.{row['operation']}", bytes(row["entry"])) for row in rows]
    )


def _after(owed: _Owed, confirmed: Sequence[Confirmed]) -> Given:
    """How far the log is given out now. What is stored in a place from before has that of another, which is lost."""
    given = owed.given
    newest = max(given.sequence, *(each.stream_sequence for each in confirmed))
    stored = min((each.stream_sequence for each in confirmed if not each.again), default=newest + 1)
    if stored <= given.sequence:
        return _back(given, given.sequence - stored + 1)
    return Given(given.position + len(owed.messages), newest, given.created)


def _back(given: Given, lost: int) -> Given:
    """Where to go on from where so many messages were lost from the end: there, and a page before it.

    For within a page the broker may keep entries in another order than the log's.
    """
    log.error("broker_lost_messages", stream=AUDIT, lost=lost)
    return Given(max(0, given.position - lost - PAGE), 0, given.created)
