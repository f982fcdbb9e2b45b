"""The log's tables: its entries, its tree, and the checkpoints over it, which are only ever added to; and its state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
)

from services.ground.database import metadata
from services.ground.driver import rows_of
from services.ground.sql import insert_missing, upsert
from services.ground.tables import Moment, audit_entries

log_entries = Table(
    "log_entries",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # 0, 1, 2, ... without a gap
    Column("entry_id", Text, nullable=False, unique=True),
    Column("operation", Text, nullable=False),
    Column("person_id", Text),
    Column("correlation_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("entry", LargeBinary, nullable=False),  # the exact bytes: they are the leaf
)
Index("log_entries_of_person", log_entries.c.person_id)
Index("log_entries_of_event", log_entries.c.correlation_id)

log_tiles = Table(  # the RFC 6962 tree in the shape of C2SP tlog-tiles: 256 hashes side by side of every eighth level
    "log_tiles",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),  # 32 bytes each; only the last tile of a level is written again
)

log_checkpoints = Table(  # what was signed
    "log_checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),  # the signed note, with no cosignature
    Column("signed_at", Moment, nullable=False),
)

log_cosignatures = Table(  # by witnesses
    "log_cosignatures",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", Text, primary_key=True),  # its name
    Column("line", Text, nullable=False),  # as it stands under the note
    Column("received_at", Moment, nullable=False),
)

log_given = Table(  # how far the log was given out on the queue, page by page
    "log_given",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # of the next entry that is to be sent
    Column("sequence", BigInteger, nullable=False),  # where the broker keeps the newest of the page before it; 0: none
    Column("entry_id", Text, nullable=False),  # which that is
    Column("created", Text, nullable=False),  # when the broker made the stream
)

log_keys = Table(  # every key that ever signed
    "log_keys",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # 1, 2, ... as they followed on each other
    Column("verifier", Text, nullable=False, unique=True),
    Column("since", Moment, nullable=False),
    Column("handover", LargeBinary),  # the note by which the key before it names it; None: there is no such note
)

log_alarms = Table(  # what is wrong with the log's signing now, for `onward status`
    "log_alarms",
    metadata,
    Column("name", Text, primary_key=True),
    Column("why", Text, nullable=False),
    Column("since", Moment, nullable=False),
)


class Given(NamedTuple):
    """How far the log was given out on the queue."""

    position: int  # of the next entry
    sequence: int  # where the broker keeps the newest of the page before it; 0: nothing was sent
    entry_id: str  # which that is
    created: str  # when the broker made the stream


PAGES_REACH_BACK: Final = 100_000  # entries: so much of the queue's end may be lost and only that is given out again

_waiting = audit_entries.c
_LAST = select(func.max(log_entries.c.position).label("last"))
_TILE = select(log_tiles.c.hashes).where(
    log_tiles.c.level == bindparam("level"), log_tiles.c.number == bindparam("number")
)
_ENTRIES = (
    select(log_entries.c.entry)
    .where(log_entries.c.position >= bindparam("first"), log_entries.c.position < bindparam("end"))
    .order_by(log_entries.c.position)
)
_WAITS = select(_waiting.number).limit(1)
_OLDEST = select(_waiting.number).order_by(_waiting.number).limit(bindparam("most")).scalar_subquery()
_TAKE = delete(audit_entries).where(_waiting.number.in_(_OLDEST)).returning(_waiting.number, _waiting.entry)
_FROM = (
    select(log_entries.c.position, log_entries.c.entry_id, log_entries.c.operation, log_entries.c.entry)
    .where(log_entries.c.position >= bindparam("first"))
    .order_by(log_entries.c.position)
    .limit(bindparam("most", type_=Integer))
)
_ALL_GIVEN = select(log_given).order_by(log_given.c.position)
_GIVEN = select(log_given).order_by(log_given.c.position.desc()).limit(1)
_FORGET_GIVEN = delete(log_given).where(log_given.c.position < bindparam("before"))
_SINCE = select(func.min(log_entries.c.position).label("first")).where(log_entries.c.at >= bindparam("since"))
_NEWEST = select(log_checkpoints).order_by(log_checkpoints.c.size.desc()).limit(1)


def length(connection: Connection) -> int:
    """How many entries the log has, which is the next position."""
    [row] = rows_of(connection, _LAST, {})
    return 0 if row["last"] is None else int(row["last"]) + 1


def something_waits(connection: Connection) -> bool:
    """Whether something was entered that the log has not taken."""
    return bool(rows_of(connection, _WAITS, {}))


def take_waiting(connection: Connection, most: int) -> list[bytes]:
    """Take out the oldest of what waits, in the order in which it was entered."""
    rows = rows_of(connection, _TAKE, {"most": most})
    return [bytes(row["entry"]) for row in sorted(rows, key=itemgetter("number"))]


def leave_out(connection: Connection, entries: Collection[bytes]) -> None:
    """These are in the log: none of them waits for it any more."""
    for row in connection.execute(select(audit_entries)).all():
        if bytes(row.entry) in entries:
            connection.execute(delete(audit_entries).where(_waiting.number == row.number))


def entries_from(connection: Connection, first: int, most: int) -> list[Mapping[str, Any]]:
    """What the queue is given of the entries from position `first` on, `most` at the most."""
    return rows_of(connection, _FROM, {"first": first, "most": most})


def given(connection: Connection) -> Given | None:
    """How far the log was given out; None where nobody has looked at the queue yet."""
    rows = rows_of(connection, _GIVEN, {})
    return Given(**rows[0]) if rows else None


def all_given(connection: Connection) -> list[Given]:
    """How far it was after each of the last pages, oldest first."""
    return [Given(**row) for row in rows_of(connection, _ALL_GIVEN, {})]


def note_given(connection: Connection, given: Given) -> None:
    """So far it is. What is far behind is forgotten."""
    upsert(connection, log_given, [given._asdict()], update=("sequence", "entry_id", "created"))
    rows_of(connection, _FORGET_GIVEN, {"before": given.position - PAGES_REACH_BACK})


def go_back(connection: Connection, given: Given) -> None:
    """No further than this."""
    connection.execute(delete(log_given).where(log_given.c.position > given.position))
    upsert(connection, log_given, [given._asdict()], update=("sequence", "entry_id", "created"))


def first_since(connection: Connection, since: datetime) -> int:
    """The position of the first entry of a moment or later; the log's length where there is none."""
    [row] = rows_of(connection, _SINCE, {"since": since})
    return length(connection) if row["first"] is None else int(row["first"])


def entries_between(connection: Connection, first: int, end: int) -> list[bytes]:
    """The exact bytes of the entries from position `first` up to `end`, which is not among them."""
    return [bytes(row["entry"]) for row in rows_of(connection, _ENTRIES, {"first": first, "end": end})]


def tile(connection: Connection, level: int, number: int) -> bytes | None:
    """The hashes of a tile of the tree, as they lie side by side; None where there is none."""
    rows = rows_of(connection, _TILE, {"level": level, "number": number})
    return bytes(rows[0]["hashes"]) if rows else None


def keep_tiles(connection: Connection, tiles: Sequence[Mapping[str, object]]) -> None:
    """Write tiles, as rows, over what was there of them."""
    upsert(connection, log_tiles, tiles, update=["hashes"])


def newest_checkpoint(connection: Connection) -> Mapping[str, Any] | None:
    """What was signed last."""
    rows = rows_of(connection, _NEWEST, {})
    return rows[0] if rows else None


def keep_checkpoint(connection: Connection, *, size: int, root: bytes, note: bytes, now: datetime) -> None:
    """Add what was signed; nothing where this size is there."""
    insert_missing(connection, log_checkpoints, [{"size": size, "root": root, "note": note, "signed_at": now}])


def cosignatures(connection: Connection, size: int) -> dict[str, str]:
    """The signature lines under the checkpoint of this size, by witness."""
    line = log_cosignatures.c
    found = connection.execute(select(line.witness, line.line).where(line.size == size).order_by(line.witness))
    return {row.witness: row.line for row in found}


def keep_cosignatures(connection: Connection, size: int, lines: Mapping[str, str], now: datetime) -> None:
    """Add what witnesses signed."""
    rows = [{"size": size, "witness": name, "line": line, "received_at": now} for name, line in lines.items()]
    insert_missing(connection, log_cosignatures, rows)


def keys(connection: Connection) -> list[Mapping[str, Any]]:
    """Every key that signed, the first one first."""
    found = connection.execute(select(log_keys).order_by(log_keys.c.number))
    return [dict(row) for row in found.mappings()]


def keep_key(connection: Connection, verifier: str, *, handover: bytes | None, now: datetime) -> None:
    """Add a key that signs from now on; nothing where it is there."""
    number = 1 + len(keys(connection))
    row = {"number": number, "verifier": verifier, "since": now, "handover": handover}
    insert_missing(connection, log_keys, [row])


def state(connection: Connection) -> dict[str, Any]:
    """How long the log is and how much of it is signed, since when, by which witnesses; what waits, since when."""
    newest, size = newest_checkpoint(connection), length(connection)
    signed = newest["size"] if newest is not None else 0
    unsigned = connection.execute(select(log_entries.c.at).where(log_entries.c.position == signed)).scalar()
    waiting = connection.execute(select(func.count()).select_from(audit_entries)).scalar_one()
    entered = _entered_at(connection) if waiting else None
    waits = min(filter(None, (unsigned, entered)), default=None)
    return {
        "entries": size,
        "waiting": waiting,  # to be appended
        "entered_at": entered,  # the oldest of those
        "signed": signed,
        "signed_at": newest["signed_at"] if newest is not None else None,
        "witnesses": list(cosignatures(connection, signed)),
        "waits_since": waits if newest is None or waits is None else max(waits, newest["signed_at"]),
        "alarms": alarms(connection),
    }


def _entered_at(connection: Connection) -> datetime | None:
    """When the oldest entry that waits to be appended was entered."""
    entry = connection.execute(select(_waiting.entry).order_by(_waiting.number).limit(1)).scalar()
    try:
        return datetime.fromisoformat(orjson.loads(entry)["time"]) if entry is not None else None
    except (ValueError, KeyError, TypeError):
        return None  # whoever appends it says so


def raise_alarm(connection: Connection, name: str, why: str, now: datetime) -> None:
    """Tell `onward status` what is wrong. Since when it is stays as it was first said."""
    upsert(connection, log_alarms, [{"name": name, "why": why, "since": now}], update=["why"])


def end_alarm(connection: Connection, name: str) -> None:
    """It is well again."""
    connection.execute(delete(log_alarms).where(log_alarms.c.name == name))


def alarms(connection: Connection) -> list[Mapping[str, Any]]:
    """What is wrong now."""
    return [dict(row) for row in connection.execute(select(log_alarms).order_by(log_alarms.c.name)).mappings()]
