"""The few statements that SQLite and PostgreSQL spell through different constructs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Connection,
    Delete,
    Select,
    Table,
    Update,
    any_,
    bindparam,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningInsert, UpdateBase

from services.ground.bulk import Row, insert_many, lengths_of
from services.ground.driver import rows_of, taker
from services.ground.opening import opened

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql  # at run time where it is needed: SQLite need not wait for it

Filtered = TypeVar("Filtered", Select[Any], Update | Delete)


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def insert_all(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows; nothing where there are none."""
    insert_many(connection, ("insert", table.name), table.insert, rows)


def insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows whose primary key is not there yet, for rows that mostly are there and where nobody asks which.

    `insert_new` expects new rows, and finds out by an error, which is the slow way, that these are not.
    """
    if not rows:
        return

    def build() -> UpdateBase:
        return _insert(connection.dialect.name, table).on_conflict_do_nothing()

    insert_many(connection, ("missing", table.name), build, _in_order(connection, table, rows))


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> set[tuple[object, ...]]:
    """Insert the rows whose primary key is not there yet. Returns the keys that were inserted."""
    new: set[tuple[object, ...]] = set()
    start = 0
    for length in lengths_of(connection, len(rows)):  # one statement each, so that an error undoes all of a part
        new |= _insert_part(connection, table, rows[start : start + length])
        start += length
    return new


def _insert_part(connection: Connection, table: Table, rows: Sequence[Row]) -> set[tuple[object, ...]]:
    if connection.dialect.name == "sqlite":
        # Mostly all are new, and asking which are costs a step of the driver for each.
        try:
            insert_all(connection, table, rows)
        except IntegrityError:  # which undid this one statement
            pass
        else:
            return set(map(_key_of(table), rows))
    statement = _insert_new(connection.dialect.name, table)
    return {tuple(found) for found in connection.execute(statement, _in_order(connection, table, rows))}


@lru_cache(maxsize=256)
def _key_of(table: Table) -> Callable[[Row], tuple[object, ...]]:
    """Takes the primary key out of a row."""
    return taker([column.name for column in table.primary_key.columns])


@lru_cache(maxsize=256)
def _insert_new(dialect: str, table: Table) -> ReturningInsert[tuple[object, ...]]:
    return _insert(dialect, table).on_conflict_do_nothing().returning(*table.primary_key.columns)


def _in_order(connection: Connection, table: Table, rows: Sequence[Row]) -> Sequence[Row]:
    """By key, where several transactions write at once: so they never wait for each other in a circle."""
    if connection.dialect.name == "sqlite":
        return rows  # one writer
    key = [column.name for column in table.primary_key.columns]
    return sorted(rows, key=lambda row: [str(row[name]) for name in key])


def upsert(
    connection: Connection, table: Table, rows: Sequence[Row], *, update: Sequence[str], latest_by: str | None = None
) -> None:
    """Insert rows, or set the `update` columns of those that are there. One row a key.

    `latest_by` names a column: a row that is there stays where it has the same or a later value in it.
    """
    if not rows:
        return

    def build() -> UpdateBase:
        statement = _insert(connection.dialect.name, table)
        return statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: statement.excluded[name] for name in update},
            where=None if latest_by is None else table.c[latest_by] < statement.excluded[latest_by],
        )

    key = ("upsert", table.name, tuple(update), latest_by)
    insert_many(connection, key, build, _in_order(connection, table, rows))


def select_in(
    connection: Connection,
    query: Select[Any],
    columns: tuple[ColumnClause[Any], ...],
    keys: Sequence[tuple[str | int, ...]],
    *,
    gently: bool = False,
    **values: object,
) -> list[Mapping[str, object]]:
    """Rows of `query` whose `columns`, of text or whole numbers, are among `keys`, with what is sealed in them opened.

    Raises Erased where somebody's key is destroyed; or `gently` gives ERASED in place of what is gone.

    `query` is made once, with a `bindparam` for each of `values`: making a statement takes longer than running it. The
    keys go as one value, because a list of placeholders is written out anew for each length.
    """
    if not keys:
        return []
    dialect = connection.dialect.name
    rows = rows_of(connection, _within(dialect, query, columns), {**_among(dialect, keys), **values})
    return list(opened(connection, query, rows, gently=gently))


def change_in(
    connection: Connection, change: Update | Delete, column: ColumnClause[Any], keys: Sequence[str], **values: object
) -> None:
    """Change or delete the rows whose `column` is among `keys`; `change` is made once, as the query of `select_in`."""
    if keys:
        dialect = connection.dialect.name
        statement = _within(dialect, change, (column,))
        rows_of(connection, statement, {**_among(dialect, [(key,) for key in keys]), **values})


@lru_cache(maxsize=256)
def _within(dialect: str, statement: Filtered, columns: tuple[ColumnClause[Any], ...]) -> Filtered:
    if dialect == "sqlite":
        each = func.json_each(bindparam("among")).table_valued("value")
        parts: list[ColumnElement[Any]] = [each.c.value.op("->>")(place) for place in range(len(columns))]
        return statement.where((tuple_(*columns) if len(columns) > 1 else columns[0]).in_(select(*parts)))
    from sqlalchemy.dialects.postgresql import ARRAY

    lists = [bindparam(f"among_{place}", type_=ARRAY(column.type)) for place, column in enumerate(columns)]
    if len(columns) == 1:
        return statement.where(columns[0] == any_(lists[0]))
    names = [f"part_{place}" for place in range(len(columns))]
    each = func.unnest(*lists).table_valued(*names, name="among").render_derived()
    return statement.where(tuple_(*columns).in_(select(*each.c)))


def _among(dialect: str, keys: Sequence[tuple[str | int, ...]]) -> dict[str, object]:
    if dialect == "sqlite":
        return {"among": orjson.dumps(keys).decode()}
    return {f"among_{place}": list(part) for place, part in enumerate(zip(*keys, strict=True))}
