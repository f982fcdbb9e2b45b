"""Sends what the store says is to be sent and is not confirmed: after a crash, after an outage, after a lost broker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, exists, func, select, update

from services.ground import streams, tables
from services.ground.bulk import run_many
from services.ground.publisher import Confirmed, Outgoing
from services.ground.sql import upsert

PAGE = 1000

# Whose inbox shows that a message of the stream arrived. Other streams are read outside of Onward.
READERS = {streams.CASE: "router", streams.DISPATCH: "dispatch", streams.AUDIT: "audit"}


def unsent(
    connection: Connection, service: str, partitions: Sequence[int], *, before: datetime, after: str = ""
) -> list[Outgoing]:
    """A page of rows that these partitions owe, oldest first, made before a moment and after an id."""
    row = tables.outbox.c
    found = connection.execute(
        select(row.id, row.stream, row.subject, row.payload)
        .where(
            row.sent_at.is_(None),
            row.service == service,
            row.partition.in_(list(partitions)),
            row.created_at <= before,
            row.id > after,
        )
        .order_by(row.id)
        .limit(PAGE)
    )
    return [Outgoing(r.id, r.stream, r.subject, r.payload) for r in found]


def mark_sent(connection: Connection, confirmed: Sequence[Confirmed], now: datetime) -> None:
    """Note what the broker confirmed."""
    row = tables.outbox.c
    run_many(
        connection,
        "outbox.mark_sent",
        lambda: (
            update(tables.outbox)
            .where(row.id == bindparam("row"))
            .values(sent_at=bindparam("at"), stream_sequence=bindparam("number"))
        ),
        [{"row": c.id, "at": now, "number": c.stream_sequence} for c in confirmed],
    )


def not_taken(connection: Connection, service: str, stream: str, *, before_id: str) -> list[Outgoing]:
    """Rows sent to a stream of ours, up to an id, that its reader has neither taken nor quarantined.

    How far all is well is noted, so that the next call looks at newer rows only; a row that stays untaken is found
    again each time.
    """
    row, inbox, aside = tables.outbox.c, tables.inbox.c, tables.quarantine.c
    mark = connection.execute(
        select(tables.reconciled.c.up_to).where(
            tables.reconciled.c.service == service, tables.reconciled.c.stream == stream
        )
    ).scalar()
    reader = READERS[stream]
    source = f"onward-{service}"
    taken = exists().where(inbox.consumer == reader, inbox.source == source, inbox.id == row.id)
    set_aside = exists().where(and_(aside.service == reader, aside.source == source, aside.message_id == row.id))
    missing = connection.execute(
        select(row.id, row.stream, row.subject, row.payload)
        .where(row.stream == stream, row.service == service, row.id > (mark or ""), row.id < before_id)
        .where(row.sent_at.is_not(None), ~taken, ~set_aside)
        .order_by(row.id)
        .limit(PAGE)
    ).all()
    up_to = missing[0].id if missing else before_id
    well = select(row.id).where(row.stream == stream, row.id < up_to).order_by(row.id.desc()).limit(1)
    last_well = connection.execute(well).scalar()
    if last_well is not None:
        upsert(
            connection,
            tables.reconciled,
            [{"service": service, "stream": stream, "up_to": last_well}],
            update=["up_to"],
        )
    return [Outgoing(r.id, r.stream, r.subject, r.payload) for r in missing]


def owe_again(connection: Connection, stream: str, *, created: str, last_sequence: int) -> int:
    """Notice a broker that lost messages, and owe them again. Returns how many rows that are.

    `created` is when the broker made the stream and `last_sequence` its newest message: a stream made anew, or one that
    ends before what it once confirmed, has lost something (one flipped bit in its file is enough).
    """
    seen = connection.execute(
        select(tables.streams_seen.c.created).where(tables.streams_seen.c.stream == stream)
    ).scalar()
    upsert(connection, tables.streams_seen, [{"stream": stream, "created": created}], update=["created"])
    row = tables.outbox.c
    made_anew = seen is not None and seen != created
    if not made_anew:
        newest = select(row.stream_sequence).where(row.stream == stream, row.stream_sequence.is_not(None))
        recent = newest.order_by(row.id.desc()).limit(PAGE).subquery()
        if (connection.execute(select(func.max(recent.c.stream_sequence))).scalar() or 0) <= last_sequence:
            return 0
    lost = row.sent_at.is_not(None) if made_anew else row.stream_sequence > last_sequence
    return connection.execute(
        update(tables.outbox).where(row.stream == stream, lost).values(sent_at=None, stream_sequence=None)
    ).rowcount


def id_before(moment: datetime) -> str:
    """The smallest id of a moment: ids are time-ordered, so this bounds what was made before it."""
    head = f"{int(moment.timestamp() * 1000):012x}"
    return f"{head[:8]}-{head[8:]}"
