"""Waits until the whole system has nothing in hand: for whoever publishes something and looks what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.errors import ServiceUnavailableError
from sqlalchemy import bindparam, text

from services.ground import tables
from services.ground.errors import OnwardError
from services.ground.streams import SERVICES, Feed, feeds_of
from services.ground.world import World

POLL_SECONDS = 0.02
_UNSENT = text("SELECT count(*) FROM outbox WHERE sent_at IS NULL")
# What is to be appended to the log, and what of it is to be given out.
_ENTERED = text(
    "SELECT (SELECT count(*) FROM audit_entries)"
    " + (SELECT count(*) FROM log_entries WHERE position >= (SELECT coalesce(max(position), 0) FROM log_given))"
)
# A timer's message has no message behind it that stays unacknowledged until it is published.
_DUE = text(
    "SELECT (SELECT count(*) FROM timers WHERE fired_at IS NULL AND cancelled_at IS NULL AND due_at <= :now)"
    " + (SELECT count(*) FROM outbox WHERE sent_at IS NULL AND stream = 'INTAKE')"
).bindparams(bindparam("now", type_=tables.Moment()))


async def settle(world: World, connection: Client, *, seconds: float, names: Sequence[str] = SERVICES) -> None:
    """Wait until these services have nothing to take, no timer is due and nothing waits to be sent.

    At two looks one after the other: the router hands some events on to itself, perhaps to a partition that the first
    look had passed already.
    Raises OnwardError naming who is still busy.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while busy := await _busy(world, connection, names) or await _busy(world, connection, names):
        if loop.time() > deadline:
            raise OnwardError(f"still busy after {seconds:g} s: {busy}")
        await asyncio.sleep(POLL_SECONDS)


async def _busy(world: World, connection: Client, names: Sequence[str]) -> str | None:
    """The first thing that is not done, in the order of a message's way: what one leaves behind, the next has."""
    if "router" in names:
        now = world.clock.now()
        due = await world.database.read(lambda c: c.execute(_DUE, {"now": now}).scalar_one())
        if due:
            return f"{due} timers that fell due"
    js = connection.jetstream()
    for name in names:
        feeds = feeds_of(name, world.settings)
        if feeds and (busy := await _busy_feeds(js, feeds)):
            return busy
    unsent = await world.database.read(lambda c: c.execute(_UNSENT).scalar_one())
    if unsent:
        return f"{unsent} to send"
    entered = await world.database.read(lambda c: c.execute(_ENTERED).scalar_one()) if "audit" in names else 0
    return f"{entered} entries for the log or of it" if entered else None


async def _busy_feeds(js: JetStreamContext, feeds: Sequence[Feed]) -> str | None:
    """The first of a stream's feeds with something to take or in hand. One question for all: one for each kept both of
    us busy.
    """
    stream = feeds[0].stream
    try:
        there = {info.name: info for info in await js.consumers_info(stream)}
        while any(feed.durable not in there for feed in feeds) and (
            more := await js.consumers_info(stream, len(there))
        ):
            there |= {info.name: info for info in more}  # so many that they are told in parts
    except (NatsTimeout, ServiceUnavailableError):  # it was killed before it answered, or starts just now
        return f"the broker does not answer for {stream}"
    for feed in feeds:
        info = there.get(feed.durable)
        if info is None:  # of a cluster, one of whose servers did not tell of it in time
            return f"the broker does not answer for {feed.durable}"
        if info.num_pending or info.num_ack_pending:
            return f"{feed.durable} has {info.num_pending} to take and {info.num_ack_pending} in hand"
    return None
