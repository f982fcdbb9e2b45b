"""A real SQLite store in memory, whose transactions run at once where they are called, and can fail as stores fail.

A process that dies in a transaction leaves nothing of it, and one that dies after the commit all of it: there is no
third outcome, so dying just before and just after the commit stands for dying at any statement.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache, cached_property
from typing import Any, TypeVar

import orjson
import pytest
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from services.ground import driver
from services.ground.keys import Keyring, carry
from services.ground.migration import keep_keys, upgrade_schema
from services.ground.sealing import PersonKey, name_in, without_mark
from tests.sim.chaos import Chaos, Fault
from tests.sim.loop import Process, VirtualLoop, current
from tests.support.faulty import name_of

T = TypeVar("T")

LATENCY_SECONDS = 0.003
SLOW_SECONDS = (1.0, 8.0)
TAKES_TIME = 0.3  # of all answers
NEVER_REWRITTEN = (
    "leg_history",
    "case_events",
    "decisions",
    "human_decisions",
    "raw_messages",
    "log_entries",
    "log_checkpoints",
    "log_cosignatures",
    "log_keys",
)
NEVER_TAKEN_AWAY = (
    "legs",
    "cases",
    "reviews",
    "offers",
    "pauses",
    "welfare_checks",
    "timers",
    "accepted_events",
    "log_tiles",
)
MOST_STATEMENTS = 14  # the one that fails is among so many, if there are so many
AWAY_SECONDS = 0.05  # until a store that is away refuses

_KEPT = {"cached_statements": 1_000}  # prepared: of one kind and number of rows each
_JSON = {"json_serializer": lambda value: orjson.dumps(value).decode(), "json_deserializer": orjson.loads}


def failed() -> OperationalError:
    """What the driver raises when the store is away."""
    return OperationalError("planted", None, RuntimeError("planted"))


class Store:
    """The one database of a simulated world. The engine is made once and emptied for each world."""

    dialect = "sqlite"

    def __init__(self) -> None:
        self._engine = create_engine("sqlite://", poolclass=StaticPool, connect_args=_KEPT, **_JSON)
        event.listen(self._engine, "connect", _prepare)
        self._engine.dialect.do_begin = _begin  # type: ignore[method-assign, assignment]
        self.connection = self._engine.connect()
        carry(self.connection.info, Keyring())
        with self.connection.begin():
            keep_keys(self.connection)
            upgrade_schema(self.connection)
            self.driver.execute("UPDATE keys.person_keys SET key = zeroblob(32)")  # the same in each interpreter
        self._keys: dict[str, PersonKey] = {}
        self.driver.create_function("opened", 2, self._opened)
        self.shrunk: list[str] = []  # what was taken away or rewritten that is only ever added to
        self._watch_history()
        self._tables = [
            name for (name,) in self.driver.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        ]
        self._emptied = [name for name in self._tables if not self.rows(f"SELECT 1 FROM {name} LIMIT 1")]  # noqa: S608

    @cached_property
    def driver(self) -> sqlite3.Connection:
        """The driver's own connection, for looking in."""
        driver = self.connection.connection.dbapi_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver

    def empty(self) -> None:
        """As it was when it was made: by its rows, as a copy of the file would have every statement prepared again."""
        for name in self._emptied:
            self.driver.execute(f"DELETE FROM {name}")  # noqa: S608
        self.driver.execute("DELETE FROM keys.person_keys WHERE name <> 'index'")
        self._keys.clear()
        carry(self.connection.info, Keyring())
        self.shrunk.clear()

    def _watch_history(self) -> None:
        """Whatever a transaction does to a row that is to stay, it is noted; also where it is rolled back."""
        self.driver.create_function("shrunk", 1, self.shrunk.append)
        for table in (*NEVER_REWRITTEN, *NEVER_TAKEN_AWAY):
            for verb in ("DELETE", "UPDATE") if table in NEVER_REWRITTEN else ("DELETE",):
                self.driver.execute(
                    f"CREATE TRIGGER {verb}_{table} BEFORE {verb} ON {table}"
                    f" BEGIN SELECT shrunk('{verb.lower()} of {table}'); END"
                )

    def _opened(self, place: str, kept: bytes | None) -> bytes | None:
        """What a value holds that is kept sealed, for queries: `opened('payloads.payload/' || id, payload)`."""
        name = None if kept is None else name_in(kept)
        if kept is None or name is None:
            return kept and without_mark(kept)
        if name not in self._keys:
            [(secret,)] = self.driver.execute("SELECT key FROM keys.person_keys WHERE name = ?", [name]).fetchall()
            self._keys[name] = PersonKey(name, secret)
        return self._keys[name].open(kept, place.encode())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds, outside of any transaction."""
        return self.driver.execute(query).fetchall()

    def content(self) -> list[str]:
        """Everything, as text, in one order."""
        return sorted(f"{name} {row!r}" for name in self._tables for row in self.rows(f"SELECT * FROM {name}"))  # noqa: S608

    @contextmanager
    def failing_after(self, statements: int) -> Iterator[None]:
        """Let a statement fail, once, after so many: of those through SQLAlchemy and of those straight to the driver.

        Nothing watches the statements of the many transactions in which none is to fail: that cost more than they do.
        """
        left, dialect, run = statements, self._engine.dialect, driver.run

        def next_one() -> None:
            nonlocal left
            left -= 1
            if left == -1:
                raise failed()

        def executed(*arguments: Any) -> Any:
            next_one()
            return type(dialect).do_execute(dialect, *arguments)

        def executed_many(*arguments: Any) -> Any:
            next_one()
            return type(dialect).do_executemany(dialect, *arguments)

        def seen(connection: Connection, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
            next_one()
            return run(connection, sql, values)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dialect, "do_execute", executed)
            patch.setattr(dialect, "do_executemany", executed_many)
            patch.setattr(driver, "run", seen)
            yield


def _begin(connection: Any) -> None:
    connection.driver_connection.execute("BEGIN")


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("ATTACH DATABASE ':memory:' AS keys")


@cache
def the_store() -> Store:
    """This interpreter's."""
    return Store()


class SimDatabase:
    """A process's way to the store."""

    dialect = "sqlite"

    def __init__(self, store: Store, process: Process, loop: VirtualLoop, chaos: Chaos) -> None:
        self._store, self._process, self._loop, self._chaos = store, process, loop, chaos
        self.keyring = Keyring()  # a process has its own, and loses it when it dies
        self.away = False
        self.sick = False  # every transaction has a statement that fails, or nearly every one
        self._back = asyncio.Lock()  # who commits first hears of it first: one thread writes, and tells them in turn

    async def write(self, body: Callable[[Connection], T]) -> T:
        """As the real one, or an error, or never: before, during or after it."""
        name, who = name_of(body), self._process.name
        await self._way_in(who)
        strikes = self._chaos.strikes
        connection = self._store.connection
        fails = self.sick or strikes(Fault.STATEMENT, who)
        fails_after = int(self._chaos.chance.random() * MOST_STATEMENTS) if fails else None
        with nullcontext() if fails_after is None else self._store.failing_after(fails_after):
            transaction = connection.begin()
            carry(connection.info, self.keyring)
            try:
                result = body(connection)
                if strikes(Fault.COMMIT_REFUSED, who):
                    raise failed()
            except BaseException as error:
                transaction.rollback()
                self._chaos.trace.note(who, f"rolled back {name}: {type(error).__name__}")
                raise
        if strikes(Fault.CRASH_BEFORE_COMMIT, who):
            transaction.rollback()
            await self._die()
        transaction.commit()
        self._chaos.trace.note(who, f"committed {name}")
        if strikes(Fault.CRASH_AFTER_COMMIT, who):
            await self._die()
        async with self._back:
            await self._way_back(who)
        if strikes(Fault.COMMIT_UNSEEN, who):
            raise failed()
        return result

    async def read(self, body: Callable[[Connection], T]) -> T:
        """As the real one, or an error."""
        await self._way_in(self._process.name)
        transaction = self._store.connection.begin()
        carry(self._store.connection.info, self.keyring)
        try:
            result = body(self._store.connection)
        finally:
            transaction.rollback()
        await self._way_back(self._process.name)
        return result

    async def scrub_keys(self) -> None:
        """It is in memory."""

    async def close(self) -> None:
        """The store is the world's."""

    async def _way_in(self, who: str) -> None:
        await self._way(who)
        if self.away or self._chaos.strikes(Fault.BEGIN, who):
            await asyncio.sleep(AWAY_SECONDS)
            raise failed()

    async def _way(self, who: str) -> None:
        slow = self._chaos.strikes(Fault.STORE_SLOW, who)
        chance = self._chaos.chance
        await asyncio.sleep(chance.uniform(*SLOW_SECONDS) if slow else chance.random() * LATENCY_SECONDS)

    async def _way_back(self, who: str) -> None:
        """Mostly the caller goes on at once, as when the store is in the same machine."""
        if self._chaos.chance.random() < TAKES_TIME:
            await self._way(who)

    async def _die(self) -> None:
        self._loop.kill(current())
        await self._loop.create_future()
