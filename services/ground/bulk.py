"""Many rows by few statements, without SQLAlchemy's work on each: compiled once, values go to the driver flat.

On SQLite many rows stand in one VALUES list, because the driver lets go of Python's lock at each step of a statement:
row by row, a busy event loop beside it takes the lock for milliseconds each time (docs/performance.md). The lists are
of a few lengths only, so that the driver knows each statement already: to read a new one takes as long as to run it.
The statements are SQLAlchemy's own, and values pass through the same column types.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from sqlalchemy import Connection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

from services.ground import driver

SQLITE_MOST_ROWS = 256  # in one statement: SQLite takes 32,766 values
POSTGRES_MOST_ROWS = 2_000

Row = Mapping[str, object]
Processor = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class _Ready:
    before: str  # the statement up to its first row of placeholders
    row: str
    after: str
    width: int
    values: Callable[[Row], tuple[object, ...]]  # in the order of the placeholders
    processors: tuple[tuple[int, Processor], ...]  # by place in the row

    statements: dict[int, str] = field(default_factory=dict)  # by their number of rows

    def statement(self, rows: int) -> str:
        sql = self.statements.get(rows)
        if sql is None:
            sql = self.statements[rows] = f"{self.before}{', '.join([self.row] * rows)}{self.after}"
        return sql


_ready: dict[tuple[Hashable, ...], _Ready] = {}


def insert_many(connection: Connection, key: Hashable, build: Callable[[], UpdateBase], rows: Sequence[Row]) -> None:
    """Run an INSERT for all rows, which have the same names. `key` tells this statement from all others."""
    if not rows:
        return
    ready, flat = _prepared(connection, key, build, rows)
    start = 0
    for length in lengths_of(connection, len(rows)):
        part, start = flat[start : start + length * ready.width], start + length * ready.width
        if connection.dialect.name == "sqlite":
            driver.run(connection, ready.statement(length), part)
        else:
            connection.exec_driver_sql(ready.statement(1), list(zip(*[iter(part)] * ready.width, strict=True)))


def lengths_of(connection: Connection, rows: int) -> Iterator[int]:
    """Into which parts so many rows are cut, a statement each: on SQLite of 256, 128, 64 and so on."""
    length = SQLITE_MOST_ROWS if connection.dialect.name == "sqlite" else POSTGRES_MOST_ROWS
    while rows:
        if length > rows:
            length = length // 2 if connection.dialect.name == "sqlite" else rows
            continue
        yield length
        rows -= length


def _prepared(
    connection: Connection, key: Hashable, build: Callable[[], UpdateBase], rows: Sequence[Row]
) -> tuple[_Ready, list[object]]:
    names = tuple(rows[0])
    known = (connection.dialect.name, key, names)
    ready = _ready.get(known)
    if ready is None:
        ready = _ready[known] = _prepare(connection, build(), names)
    flat = list(chain.from_iterable(map(ready.values, rows)))
    for place, processor in ready.processors:
        flat[place :: ready.width] = _processed(flat[place :: ready.width], processor)
    return ready, flat


def _prepare(connection: Connection, statement: UpdateBase, names: Sequence[str]) -> _Ready:
    dialect = connection.dialect
    compiled = statement.compile(dialect=dialect, column_keys=list(names), for_executemany=True)
    assert isinstance(compiled, SQLCompiler)
    assert compiled.positiontup is not None
    order = compiled.positiontup
    before, row, after = _around_values(compiled.string)
    types = [compiled.binds[name].type.dialect_impl(dialect) for name in order]
    processors = [(place, type_.bind_processor(dialect)) for place, type_ in enumerate(types)]
    return _Ready(
        before,
        row,
        after,
        width=len(order),
        values=driver.taker(order),
        processors=tuple((place, processor) for place, processor in processors if processor is not None),
    )


def _around_values(sql: str) -> tuple[str, str, str]:
    """What stands before, in and after the row of placeholders."""
    head, word, rest = sql.partition(" VALUES ")
    end, depth = 0, 0
    for end, character in enumerate(rest):  # noqa: B007 - casts have brackets of their own
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            break
    return head + word, rest[: end + 1], rest[end + 1 :]


def _processed(values: list[object], processor: Processor) -> Iterable[object]:
    if len(values) == 1:
        return (processor(values[0]),)
    if isinstance(values[0], datetime):  # most of a batch's moments are the same one
        once = {value: processor(value) for value in set(values)}
        return [once[value] for value in values]
    return [processor(value) for value in values]
