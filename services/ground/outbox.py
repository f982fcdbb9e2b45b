"""Sends what the store says is to be sent and is not confirmed: after a crash, after an outage, after a lost broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    bindparam,
    exists,
    func,
    or_,
    select,
    text,
    update,
)

from services.ground import streams, tables
from services.ground.driver import rows_of
from services.ground.opening import opened
from services.ground.publisher import Confirmed, Outgoing
from services.ground.sealing import ERASED
from services.ground.sql import insert_missing, select_in, upsert

PAGE = 1000
NEWEST_PLACES = 1_000_000  # of a stream, that are looked through for two rows in one place: a tenth of a second

# Whose inbox shows that a message of the stream arrived. Other streams are read outside of Onward.
READERS = {streams.CASE: "router", streams.DISPATCH: "dispatch"}

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

_row, _inbox, _aside, _reconciled = tables.outbox.c, tables.inbox.c, tables.quarantine.c, tables.reconciled.c
_carries = tables.payloads.c

# Made once, because making a statement takes longer than running it.
_MESSAGE = (_row.id, _row.stream, _row.subject, _carries.payload, _carries.id.label("carried"))
_UNSENT = (
    select(*_MESSAGE)
    .where(
        _carries.id == _row.id,
        _row.sent_at.is_(None),
        _row.service == bindparam("service"),
        _row.created_at <= bindparam("before"),
        _row.id > bindparam("after"),
    )
    .order_by(_row.id)
    .limit(PAGE)
)
_NOT_TAKEN = (
    select(*_MESSAGE, _row.sent_at)
    .where(
        _carries.id == _row.id,
        _row.stream == bindparam("stream"),
        _row.service == bindparam("service"),
        _row.id > bindparam("after"),
        _row.id < bindparam("before"),
        ~exists().where(
            _inbox.consumer == bindparam("reader"), _inbox.source == bindparam("source"), _inbox.id == _row.id
        ),
        ~exists().where(
            _aside.service == bindparam("reader"), _aside.source == bindparam("source"), _aside.message_id == _row.id
        ),
    )
    .order_by(_row.id)
    .limit(PAGE)
)
_RECONCILED = select(_reconciled.up_to).where(
    _reconciled.service == bindparam("service"), _reconciled.stream == bindparam("stream")
)
_LAST_BEFORE = select(_row.id).where(_row.id < bindparam("before")).order_by(_row.id.desc()).limit(1)  # of any stream
_NEWEST_PLACE = select(func.max(_row.stream_sequence).label("newest")).where(
    _row.stream == bindparam("stream"), _row.stream_sequence.is_not(None)
)
_TWICE = (
    select(_row.stream_sequence)
    .where(_row.stream == bindparam("stream"), _row.stream_sequence > bindparam("after"))
    .group_by(_row.stream_sequence)
    .having(func.count() > 1)
    .limit(PAGE)
)
_SEEN = select(tables.streams_seen.c.created).where(tables.streams_seen.c.stream == bindparam("stream"))


class Owed(NamedTuple):
    """A page of what is to be sent."""

    messages: list[Outgoing]
    erased: list[str]  # rows of which nothing is left to be sent
    last: str | None  # the newest row of all; none where the page is empty


def unsent(
    connection: Connection, service: str, partitions: Sequence[int], *, before: datetime, after: str = ""
) -> Owed:
    """A page of rows that these partitions owe, oldest first, made before a moment and after an id."""
    of = [(partition,) for partition in partitions]
    values: dict[str, object] = {"service": service, "before": before, "after": after}
    rows: list[Mapping[str, Any]] = select_in(connection, _UNSENT, (_row.partition,), of, gently=True, **values)
    return Owed(
        [_outgoing(row) for row in rows if row["payload"] != ERASED],
        [row["id"] for row in rows if row["payload"] == ERASED],
        rows[-1]["id"] if rows else None,
    )


def _outgoing(row: Mapping[str, Any]) -> Outgoing:
    return Outgoing(row["id"], row["stream"], row["subject"], row["payload"])


def pass_over(connection: Connection, erased: Sequence[str], now: datetime) -> None:
    """These are not to be sent any more: whom they were about is erased."""
    connection.execute(update(tables.outbox).where(_row.id.in_(list(erased))).values(sent_at=now))


def mark_sent(connection: Connection, confirmed: Sequence[Confirmed], now: datetime) -> None:
    """Note what the broker confirmed."""
    for start in range(0, len(confirmed), PAGE):
        part = confirmed[start : start + PAGE]
        rows_of(connection, _MARK_SENT[connection.dialect.name], _sent(connection.dialect.name, part, now))


def _sent(dialect: str, confirmed: Sequence[Confirmed], now: datetime) -> dict[str, object]:
    ids, numbers = [c.id for c in confirmed], [c.stream_sequence for c in confirmed]
    if dialect == "postgresql":
        return {"at": now, "ids": ids, "numbers": numbers}
    return {"at": now, "sent": orjson.dumps(list(zip(ids, numbers, strict=True))).decode()}


def not_taken(connection: Connection, service: str, stream: str, *, before_id: str) -> list[Outgoing]:
    """Rows sent to a stream of ours, up to an id, that its reader has neither taken nor quarantined.

    How far all is well is noted, so that the next call looks at newer rows only; a row that stays untaken is found
    again each time, unless whom it is about is erased.
    """
    of = {"service": service, "stream": stream}
    mark = _only(connection, _RECONCILED, of)
    wanted = of | {"reader": READERS[stream], "source": f"onward-{service}", "after": mark or "", "before": before_id}
    found = opened(connection, _NOT_TAKEN, rows_of(connection, _NOT_TAKEN, wanted), gently=True)
    untaken = [row for row in found if row["payload"] != ERASED]
    # A row not sent yet holds the mark back as well: once sent it must still be looked at.
    up_to = untaken[0]["id"] if untaken else found[-1]["id"] if len(found) == PAGE else before_id
    last_well = _only(connection, _LAST_BEFORE, {"before": up_to})
    if last_well is not None and last_well != mark:
        upsert(
            connection,
            tables.reconciled,
            [{"service": service, "stream": stream, "up_to": last_well}],
            update=["up_to"],
        )
    return [_outgoing(row) for row in untaken if row["sent_at"] is not None]


def newest_confirmed(connection: Connection, stream: str) -> int:
    """The newest place in a stream that the broker confirmed to any of us; 0 where it confirmed none."""
    return int(_only(connection, _NEWEST_PLACE, {"stream": stream}) or 0)


def given_twice(connection: Connection, stream: str, *, newest: int) -> list[int]:
    """Places of a stream that the broker gave to two messages: it lost the first one, and went on from before it.

    That it lost something shows in its newest place only until as much was published again. A page of them.
    """
    values = {"stream": stream, "after": max(0, newest - NEWEST_PLACES)}
    return [row["stream_sequence"] for row in rows_of(connection, _TWICE, values)]


def note_streams(connection: Connection, created: Mapping[str, str]) -> None:
    """Note when the broker made each stream, where that is not known yet: from now on one made anew has lost something.

    Noted with their making. A service that noted it when it first looked could look after the loss.
    """
    insert_missing(connection, tables.streams_seen, [{"stream": s, "created": at} for s, at in created.items()])


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
    seen = _only(connection, _SEEN, {"stream": stream})
    if seen != created:
        upsert(connection, tables.streams_seen, [{"stream": stream, "created": created}], update=["created"])
    if seen is not None and seen != created:
        lost: ColumnElement[bool] = _row.sent_at.is_not(None)
    elif confirmed > last_sequence or twice:
        after_its_end = _row.stream_sequence.between(last_sequence + 1, confirmed)
        lost = or_(after_its_end, _row.stream_sequence.in_(list(twice)))
    else:
        return 0
    return connection.execute(
        update(tables.outbox)
        .where(_row.stream == stream, lost, exists().where(_carries.id == _row.id))  # what was let go of is not owed
        .values(sent_at=None, stream_sequence=None)
    ).rowcount


def _only(connection: Connection, statement: Executable, values: Mapping[str, object]) -> Any:
    """The one value of the first row that a statement finds; None where it finds none."""
    rows = rows_of(connection, statement, values)
    return next(iter(rows[0].values())) if rows else None


def id_before(moment: datetime) -> str:
    """The smallest id of a moment: ids are time-ordered, so this bounds what was made before it."""
    head = f"{int(moment.timestamp() * 1000):012x}"
    return f"{head[:8]}-{head[8:]}"
