"""Looks at every statement of every store in this process, whichever way it goes to the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from services.ground import driver

Note = Callable[[Connection, str], None]


@contextmanager
def watched_statements(note: Note) -> Iterator[None]:
    """Have `note` called before each statement; what it raises, the statement raises."""

    def by_sqlalchemy(connection: Connection, _cursor: object, sql: str, *_: object) -> None:
        note(connection, sql)

    def by_driver(connection: Connection, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        note(connection, sql)
        return run(connection, sql, values)

    run = driver.run
    event.listen(Engine, "before_cursor_execute", by_sqlalchemy)
    driver.run = by_driver
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", by_sqlalchemy)
        driver.run = run
