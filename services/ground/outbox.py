"""Sends what the store says is to be sent and is not confirmed: after a crash, after an outage, after a lost broker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson
from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, text, update

from services.ground import streams, tables
from services.ground.publisher import Confirmed, Outgoing
from services.ground.sql import upsert

PAGE = 1000
NEWEST_PLACES = 1_000_000  # of a stream, that are looked through for two rows in one place: a tenth of a second

# Whose inbox shows that a message of the stream arrived. Other streams are read outside of Onward.
READERS = {streams.CASE: "router", streams.DISPATCH: "dispatch", streams.AUDIT: "audit"}

# One statement whatever the number of rows: row by row cost more than all else that a transaction does.
_MARK_SENT = {
    "sqlite": text(
        "UPDATE outbox SET sent_at = :at, stream_sequence = it.value ->> 1"
        " FROM json_each(:sent) AS it WHERE outbox.id = it.value ->> 0"
    ).bindparams(bindparam("at", type_=tables.Moment())),
    "postgresql": text(
        "UPDATE outbox SET sent_at = :at, stream_sequence = it.number"
        " FROM unnest(CAST(:ids AS text[]), CAST(:numbers AS bigint[])) AS it(id, number) WHERE outbox.id = it.id"
    ).bindparams(bindparam("at", type_=tables.Moment())),
}


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
    for start in range(0, len(confirmed), PAGE):
        part = confirmed[start : start + PAGE]
        connection.execute(_MARK_SENT[connection.dialect.name], _sent(connection.dialect.name, part, now))


def _sent(dialect: str, confirmed: Sequence[Confirmed], now: datetime) -> dict[str, object]:
    ids, numbers = [c.id for c in confirmed], [c.stream_sequence for c in confirmed]
    if dialect == "postgresql":
        return {"at": now, "ids": ids, "numbers": numbers}
    return {"at": now, "sent": orjson.dumps(list(zip(ids, numbers, strict=True))).decode()}


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
    untaken = connection.execute(
        select(row.id, row.stream, row.subject, row.payload, row.sent_at)
        .where(row.stream == stream, row.service == service, row.id > (mark or ""), row.id < before_id)
        .where(~taken, ~set_aside)
        .order_by(row.id)
        .limit(PAGE)
    ).all()
    # A row not sent yet holds the mark back as well: once sent it must still be looked at.
    up_to = untaken[0].id if untaken else before_id
    well = select(row.id).where(row.stream == stream, row.id < up_to).order_by(row.id.desc()).limit(1)
    last_well = connection.execute(well).scalar()
    if last_well is not None:
        upsert(
            connection,
            tables.reconciled,
            [{"service": service, "stream": stream, "up_to": last_well}],
            update=["up_to"],
        )
    return [Outgoing(r.id, r.stream, r.subject, r.payload) for r in untaken if r.sent_at is not None]


def newest_confirmed(connection: Connection, stream: str) -> int:
    """The newest place in a stream that the broker confirmed to any of us; 0 where it confirmed none."""
    row = tables.outbox.c
    newest = select(func.max(row.stream_sequence)).where(row.stream == stream, row.stream_sequence.is_not(None))
    return int(connection.execute(newest).scalar() or 0)


def given_twice(connection: Connection, stream: str, *, newest: int) -> list[int]:
    """Places of a stream that the broker gave to two messages: it lost the first one, and went on from before it.

    That it lost something shows in its newest place only until as much was published again. A page of them.
    """
    row = tables.outbox.c
    place = row.stream_sequence
    twice = (
        select(place)
        .where(row.stream == stream, place > max(0, newest - NEWEST_PLACES))
        .group_by(place)
        .having(func.count() > 1)
        .limit(PAGE)
    )
    return list(connection.execute(twice).scalars())


def owe_again(
    connection: Connection,
    stream: str,
    *,
    created: str,
    last_sequence: int,
    confirmed: int,
    twice: Sequence[int] = (),
) -> int:
    """Notice a broker that lost messages, and owe them again. Returns how many rows that are.

    `created` is when the broker made the stream and `last_sequence` its newest message: a stream made anew, or one that
    ends before what it once confirmed, has lost something (one flipped bit in its file is enough). `confirmed` is
    `newest_confirmed`, read before the broker was asked: what is confirmed meanwhile is no loss. Of two rows at one
    place, `twice`, either may be the lost one: both are owed, and the broker knows the other by its id.
    """
    seen = connection.execute(
        select(tables.streams_seen.c.created).where(tables.streams_seen.c.stream == stream)
    ).scalar()
    if seen != created:
        upsert(connection, tables.streams_seen, [{"stream": stream, "created": created}], update=["created"])
    row = tables.outbox.c
    if seen is not None and seen != created:
        lost = row.sent_at.is_not(None)
    elif confirmed > last_sequence or twice:
        after_its_end = row.stream_sequence.between(last_sequence + 1, confirmed)
        lost = or_(after_its_end, row.stream_sequence.in_(list(twice)))
    else:
        return 0
    return connection.execute(
        update(tables.outbox).where(row.stream == stream, lost).values(sent_at=None, stream_sequence=None)
    ).rowcount


def id_before(moment: datetime) -> str:
    """The smallest id of a moment: ids are time-ordered, so this bounds what was made before it."""
    head = f"{int(moment.timestamp() * 1000):012x}"
    return f"{head[:8]}-{head[8:]}"
