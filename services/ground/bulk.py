"""Many rows by one statement, without SQLAlchemy's work on each: compiled once, rows go to the driver as tuples.

A batch writes thousands of rows, and preparing each row's parameters cost more than the store did
(docs/performance.md). The statements are SQLAlchemy's own, and values pass
through the same column types.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

Processor = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class _Ready:
    sql: str
    columns: tuple[tuple[str, Processor | None], ...]  # in the order of the placeholders


_ready: dict[tuple[Hashable, ...], _Ready] = {}


def run_many(
    connection: Connection, key: Hashable, build: Callable[[], UpdateBase], rows: Sequence[Mapping[str, object]]
) -> None:
    """Run the statement for each row; all rows have the same names. `key` tells this statement from all others."""
    if not rows:
        return
    names = tuple(rows[0])
    known = (connection.dialect.name, key, names)
    ready = _ready.get(known)
    if ready is None:
        ready = _ready[known] = _prepare(connection, build(), names)
    columns = [_values([row[name] for row in rows], processor) for name, processor in ready.columns]
    connection.exec_driver_sql(ready.sql, list(zip(*columns, strict=True)))


def _prepare(connection: Connection, statement: UpdateBase, names: Sequence[str]) -> _Ready:
    dialect = connection.dialect
    compiled = statement.compile(dialect=dialect, column_keys=list(names), for_executemany=True)
    assert isinstance(compiled, SQLCompiler)
    assert compiled.positiontup is not None
    types = {name: compiled.binds[name].type.dialect_impl(dialect) for name in compiled.positiontup}
    return _Ready(compiled.string, tuple((name, types[name].bind_processor(dialect)) for name in compiled.positiontup))


def _values(values: list[object], processor: Processor | None) -> Iterable[object]:
    if processor is None:
        return values
    if isinstance(values[0], datetime):  # most of a batch's moments are the same one
        once = {value: processor(value) for value in set(values)}
        return [once[value] for value in values]
    return map(processor, values)
