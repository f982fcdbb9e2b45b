"""Makes a store large: the rows of a real run, copied under ids of their own.

A copy's ids begin with its number in place of the moment, so they are older than all real ones, in order, and unique.
Its persons have keys of their own, and what is sealed is sealed anew for where it lies: every row can be read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Column, Connection, MetaData, Table, select, text

from services.ground import tables
from services.ground.bulk import Row
from services.ground.database import metadata
from services.ground.keys import keyring_of
from services.ground.sealing import KEY_BYTES, PersonKey, Sealed, name_in, place_of
from services.ground.sql import insert_all

BELOW: Final = 1_000_000  # places of the seed's messages in their streams are fewer

# Every table that grows with the router's work, and its columns that hold ids of ours.
TABLES: Final = {
    "cases": ("person_id", "referral_event"),
    "case_events": ("event_id", "person_id"),
    "decisions": ("id", "event_id", "person_id"),
    "legs": ("id", "person_id", "referral_event"),
    "leg_history": ("id", "leg_id", "event_id", "decision_id"),
    "timers": ("id", "person_id", "leg_id", "review_id"),
    "reviews": ("id", "person_id", "event_id", "decision_id", "leg_id"),
    "inbox": ("id",),
    "positions": ("key",),
    "outbox": ("id",),
    "payloads": ("id",),
}


class Seed:
    """The rows that a copy is made of, and what was sealed in them."""

    def __init__(self, connection: Connection) -> None:
        """Set the rows that are there aside."""
        for name in TABLES:
            connection.execute(text(f"CREATE TABLE seed_{name} AS SELECT * FROM {name}"))  # noqa: S608 - our own names
        # What the router sent was taken by dispatch, or the reconciler would send the copies again.
        taken = "INSERT INTO seed_inbox SELECT 'dispatch', 'onward-router', id, created_at FROM seed_outbox"
        connection.execute(text(taken))
        self.decisions = int(connection.execute(text("SELECT count(*) FROM seed_decisions")).scalar_one())
        self._opened = {name: list(_opened(connection, name)) for name in TABLES if sealed_in(name)}

    def copy(self, connection: Connection, number: int) -> None:
        """Add one copy."""
        prefix = f"{number:08x}"
        keys: dict[str, PersonKey] = {}
        for name, ids in TABLES.items():
            if name not in self._opened:
                _copy_as_it_is(connection, name, ids, number)
                continue
            rows = [_copied(name, row, prefix, keys) for row in self._opened[name]]
            insert_all(connection, metadata.tables[name], rows)
        made_at = next(iter(self._opened["case_events"]))[0]["taken_at"]
        persons = [{"name": name, "key": key.secret, "made_at": made_at} for name, key in keys.items()]
        insert_all(connection, tables.person_keys, persons)


_Opened = tuple[dict[str, Any], dict[str, tuple[str | None, bytes]]]  # a row; and of its sealed columns whose, and what


@cache
def sealed_in(table: str) -> tuple[Column[Any], ...]:
    """The columns of a table whose values are sealed."""
    return tuple(column for column in metadata.tables[table].columns if isinstance(column.type, Sealed))


def _opened(connection: Connection, name: str) -> Iterator[_Opened]:
    seed = metadata.tables[name].to_metadata(MetaData(), name=f"seed_{name}")
    for found in connection.execute(select(seed)).mappings():
        row = dict(found)
        yield row, dict(open_row(connection, metadata.tables[name], row))


def open_row(connection: Connection, table: Table, row: Row) -> Iterator[tuple[str, tuple[str | None, bytes]]]:
    """What is sealed in a row, by column: whose it is, if anybody's, and what it says. Raises NotOpened, KeyLost."""
    place = [row[column.name] for column in table.primary_key]
    for column in sealed_in(table.name):
        kept = row[column.name]
        if not isinstance(kept, bytes):
            continue
        name = name_in(kept)
        if name is None:
            yield column.name, (None, kept)
        else:
            key = keyring_of(connection).key(connection, name)
            yield column.name, (name, key.open(kept, place_of(column, *place)))


def _copied(table: str, opened: _Opened, prefix: str, keys: dict[str, PersonKey]) -> Row:
    """A row under its copy's ids, with what was opened sealed for it. `keys`: those of the copy's persons so far."""
    row, said = opened
    ids = {name: prefix + row[name][8:] for name in TABLES[table] if row[name] is not None}
    copy = {**row, **ids}
    place = [copy[column.name] for column in metadata.tables[table].primary_key]
    for column in sealed_in(table):
        if column.name in said:
            whose, what = said[column.name]
            if whose is not None:
                whose = prefix + whose[8:]
                key = keys.get(whose) or keys.setdefault(whose, PersonKey(whose, os.urandom(KEY_BYTES)))
                copy[column.name] = key.seal(what, place_of(column, *place))
    return copy


def _copy_as_it_is(connection: Connection, name: str, ids: Sequence[str], number: int) -> None:
    """Copy a table with nothing sealed. Two copies at one place in a stream would mean that the broker lost one."""
    columns = [column.name for column in metadata.tables[name].columns]
    shown = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(_changed(column, ids) for column in columns)
    query = f"INSERT INTO {name} ({shown}) SELECT {values} FROM seed_{name}"  # noqa: S608 - our own names
    given = {"prefix": f"{number:08x}"} | ({"below": number * BELOW} if ":below" in query else {})
    connection.execute(text(query), given)


def _changed(column: str, ids: Sequence[str]) -> str:
    if column == "stream_sequence":
        return '"stream_sequence" - :below'
    return f':prefix || substr("{column}", 9)' if column in ids else f'"{column}"'


def require_open(connection: Connection, number: int) -> int:
    """Open all that is sealed in one copy. Returns how many values that were; raises NotOpened, KeyLost."""
    count = 0
    for name in filter(sealed_in, TABLES):
        table = metadata.tables[name]
        first = next(iter(table.primary_key.columns))
        found = connection.execute(select(table).where(first.startswith(f"{number:08x}"))).mappings()
        count += sum(1 for row in found for _ in open_row(connection, table, dict(row)))
    return count


def forget_seed(connection: Connection) -> None:
    """Leave nothing behind but the copies, and let the store look at how it has grown."""
    for name in TABLES:
        connection.execute(text(f"DROP TABLE seed_{name}"))
    connection.execute(text("ANALYZE"))
