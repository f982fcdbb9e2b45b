"""Runs the statements of every unit of work on SQLite past SQLAlchemy's work on each execution.

SQLAlchemy compiles a statement once, and its column types still turn values into what the driver takes and back; the
driver runs it. Executing through SQLAlchemy cost 16 to 28 microseconds a statement against 1.4 to 4, and a batch of one
message has about twenty (docs/performance.md). PostgreSQL is reached through SQLAlchemy as ever.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection, Executable
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

Processor = Callable[[Any], Any]


def run(connection: Connection, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    """Run one statement of SQLite's own. Returns its rows, as the driver gives them.

    Raises SQLAlchemy's errors, as if SQLAlchemy had run it.
    """
    driver = cast(sqlite3.Connection, connection.connection.dbapi_connection)
    try:
        return driver.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            sql, tuple(values), error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


def rows_of(connection: Connection, statement: Executable, values: Mapping[str, object]) -> list[Mapping[str, Any]]:
    """The rows of a statement that was made once, with a `bindparam` for each of `values`; no list to expand."""
    if connection.dialect.name != "sqlite":
        result = connection.execute(statement, dict(values))
        return [dict(row) for row in result.mappings()] if result.returns_rows else []
    ready = _ready(connection.dialect, statement)
    flat = list(ready.values({**ready.fixed, **values} if ready.fixed else values))
    for place, processor in ready.written:
        flat[place] = processor(flat[place])
    rows = run(connection, ready.sql, flat)
    if not ready.names:
        return []
    found: list[dict[str, Any]] = [dict(zip(ready.names, row, strict=True)) for row in rows]
    for name, processor in ready.read:
        for row in found:
            row[name] = processor(row[name])
    return cast("list[Mapping[str, Any]]", found)


def taker(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Takes these values out of a row, in this order."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda row: tuple([row[name] for name in names])


@dataclass(frozen=True, slots=True)
class _Ready:
    sql: str
    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]  # in the order of the placeholders
    written: tuple[tuple[int, Processor], ...]  # by place among them, where the driver does not take what we have
    fixed: Mapping[str, object]  # the statement's own values
    names: tuple[str, ...]  # of the columns that come back
    read: tuple[tuple[str, Processor], ...]  # by name, where we want other than the driver gives


@lru_cache(maxsize=256)
def _ready(dialect: Dialect, statement: Executable) -> _Ready:
    compiled = cast(ClauseElement, statement).compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    order = compiled.positiontup or ()
    written = [compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in order]
    columns = list(getattr(statement, "selected_columns", getattr(statement, "exported_columns", ())))
    results = [(column.name, column.type.dialect_impl(dialect).result_processor(dialect, None)) for column in columns]
    return _Ready(
        str(compiled),
        taker(order),
        tuple((place, processor) for place, processor in enumerate(written) if processor is not None),
        {name: compiled.binds[name].value for name in order if not compiled.binds[name].required},
        tuple(column.name for column in columns),
        tuple((name, processor) for name, processor in results if processor is not None),
    )
