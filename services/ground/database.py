"""The store: the same SQLAlchemy Core code on SQLite (default) and PostgreSQL.

A transaction's body is a plain function of a connection. On SQLite it runs in the one writer thread: one hop a
transaction in place of several a statement (docs/decisions/0001). On PostgreSQL it runs over asyncpg.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import orjson
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from services.ground.errors import StoreUnusable
from services.ground.keys import Keyring, carry
from services.ground.log import logger
from services.ground.schema import metadata as metadata
from services.ground.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

_JSON = {"json_serializer": lambda value: orjson.dumps(value).decode(), "json_deserializer": orjson.loads}
SQLITE_CACHE_KIB = 64_000
SQLITE_WAL_PAGES = 8_000  # 32 MB between checkpoints; at SQLite's own 4 MB nearly every batch pays for one
SQLITE_STATEMENTS = 1_000  # that the driver knows already: those of `bulk` in each of their lengths, and the rest
SQLITE_CHECKED_BYTES = 256 * 2**20  # larger files are not read through at each start: 16 GB took over half a minute
BUSY_MILLISECONDS = 5_000
LOCK_NOT_AVAILABLE = "55P03"  # of PostgreSQL
READ_JUST_NOW = "somebody reads the keys just now, so a destroyed one is still in a file of theirs; again"

log = logger("store")


class Database(Protocol):
    """Runs functions in transactions."""

    dialect: str  # "sqlite" or "postgresql"
    keyring: Keyring  # the keys that this process has at hand

    async def write(self, body: Callable[[Connection], T]) -> T:
        """Run `body` in one transaction: all of it is kept when this returns, none of it when this raises.

        `body` may run again after a failure, so it must have no effect outside its connection.
        """
        ...

    async def read(self, body: Callable[[Connection], T]) -> T:
        """Run `body` on a consistent view of the store; what it writes is refused or rolled back."""
        ...

    async def scrub_keys(self) -> None:
        """Leave nothing of destroyed keys behind in the files of the keys: to be called after `keys.destroy`."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class SqliteDatabase:
    """SQLite with WAL and synchronous=FULL: one writer thread, readers beside it."""

    dialect = "sqlite"

    def __init__(self, *, writing: Engine, reading: Engine, keyring: Keyring) -> None:
        """`keyring` is what the connections of both engines carry."""
        self._writing, self._reading = writing, reading
        self.keyring = keyring
        self._waiting: deque[tuple[Callable[[Connection], Any], Future[Any]]] = deque()
        self._connection: Connection | None = None  # kept: a new one a transaction cost an eighth of a small one
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="store-reader")

    async def write(self, body: Callable[[Connection], T]) -> T:
        """One transaction in the writer thread, shared with whatever else waits for that thread."""
        outcome: Future[T] = Future()
        self._waiting.append((body, outcome))
        self._writer.submit(self._write_waiting)
        return await asyncio.wrap_future(outcome)

    def _write_waiting(self) -> None:
        """All that wait go into one transaction, each in a savepoint of its own, because each commit is a disk sync."""
        group = [self._waiting.popleft() for _ in range(len(self._waiting))]
        group = [(body, outcome) for body, outcome in group if outcome.set_running_or_notify_cancel()]
        if not group:
            return  # an earlier call took them along
        results: list[tuple[Any, BaseException | None]] = []
        try:
            if self._connection is None:
                self._connection = self._writing.connect()
            with self._connection.begin():
                for body, _ in group:
                    results.append(
                        _attempt(self._connection, body) if len(group) > 1 else (body(self._connection), None)
                    )
        except BaseException as error:  # noqa: BLE001 - nothing was committed, and every caller is told why
            results = [(None, error)] * len(group)
            self._hang_up()
        for (_, outcome), (result, failed) in zip(group, results, strict=True):
            if failed is None:
                outcome.set_result(result)
            else:
                outcome.set_exception(failed)

    def _hang_up(self) -> None:
        """Let the connection go: the next transaction starts with another one, whatever has happened to this one."""
        if self._connection is not None:
            with suppress(SQLAlchemyError):
                self._connection.close()
        self._connection = None

    async def read(self, body: Callable[[Connection], T]) -> T:
        """A read transaction in a reader thread, beside the writer."""

        def transaction() -> T:
            with self._reading.connect() as connection:
                return body(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, transaction)

    async def scrub_keys(self) -> None:
        """Write what is destroyed over in the file too, and empty the log of writes. Readers are waited for."""

        def scrub() -> None:
            with self._writing.connect() as connection:
                driver = cast(sqlite3.Connection, connection.connection.dbapi_connection)
                busy, _, _ = driver.execute("PRAGMA keys.wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise StoreUnusable(READ_JUST_NOW)

        await asyncio.get_running_loop().run_in_executor(self._writer, self._alone, scrub)

    def _alone(self, act: Callable[[], T]) -> T:
        """Do something in the writer thread without the connection that is kept there."""
        self._hang_up()
        return act()

    async def close(self) -> None:
        """Finish what runs, then close."""
        await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self._readers.shutdown)
        self._hang_up()
        self._writing.dispose()
        self._reading.dispose()


def _attempt(connection: Connection, body: Callable[[Connection], T]) -> tuple[T | None, Exception | None]:
    """The body's result, or what it raised, in a savepoint: its neighbours in the transaction stay unharmed."""
    try:
        with connection.begin_nested():
            return body(connection), None
    except Exception as error:
        driver = cast(sqlite3.Connection, connection.connection.dbapi_connection)
        if not driver.in_transaction:
            raise  # a full disk, for one, ends the whole transaction
        return None, error


class PostgresDatabase:
    """PostgreSQL through asyncpg."""

    dialect = "postgresql"

    def __init__(self, engine: AsyncEngine, keyring: Keyring) -> None:
        """`keyring` is what the engine's connections carry."""
        self._engine = engine
        self.keyring = keyring

    async def write(self, body: Callable[[Connection], T]) -> T:
        """One transaction on a pooled connection."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(body)

    async def read(self, body: Callable[[Connection], T]) -> T:
        """A transaction that is always rolled back."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(body)

    async def scrub_keys(self) -> None:
        """Write the table of keys anew, without what is destroyed. PostgreSQL's own log is recycled in its time.

        By a column's type and not by VACUUM, which carries along what an older transaction may still see. Such a one
        would find the table empty, so ours read what is committed by then (READ COMMITTED, PostgreSQL's own choice).
        """
        try:
            async with self._engine.begin() as connection:
                await connection.execute(text(f"SET LOCAL lock_timeout = {BUSY_MILLISECONDS}"))  # all wait behind it
                await connection.execute(
                    text("ALTER TABLE keys.person_keys ALTER COLUMN key TYPE bytea USING substr(key, 1)")
                )
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            raise StoreUnusable(READ_JUST_NOW) from error

    async def close(self) -> None:
        """Close the pool."""
        await self._engine.dispose()


async def open_database(settings: Settings) -> Database:
    """The store that the settings name, checked: reachable, and safe against a power cut.

    Raises StoreUnusable with what to do.
    """
    if settings.database_url is None:
        return await asyncio.to_thread(_open_sqlite, settings)
    return await _open_postgres(settings)


def _open_sqlite(settings: Settings) -> Database:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    settings.keys_file.touch(mode=0o600)
    keyring = Keyring()
    # IMMEDIATE takes the write lock at once: a deferred transaction that upgrades can fail halfway.
    writing = _sqlite_engine(settings, keyring, begin="BEGIN IMMEDIATE", connections=1)
    reading = _sqlite_engine(settings, keyring, begin="BEGIN", connections=2)
    try:
        with writing.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
            damage = _damage(connection, settings)
    except SQLAlchemyError as error:
        raise StoreUnusable(f"cannot open {settings.sqlite_file}: {error.__class__.__name__}") from error
    if mode != "wal":
        raise StoreUnusable(
            f"{settings.sqlite_file} is on a file system without WAL (a network one?); move ONWARD_DATA_DIR"
        )
    if damage != "ok":
        raise StoreUnusable(f"{settings.sqlite_file} or {settings.keys_file} is damaged; restore it from a backup")
    return SqliteDatabase(writing=writing, reading=reading, keyring=keyring)


def _damage(connection: Connection, settings: Settings) -> str:
    """What is wrong with the file; "ok" where nothing is, or where looking would take as long as to hold up a start."""
    if settings.sqlite_file.stat().st_size > SQLITE_CHECKED_BYTES:
        log.info("store_not_checked_whole", above=SQLITE_CHECKED_BYTES)
        return "ok"
    return str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())  # of every attached file


def _sqlite_engine(settings: Settings, keyring: Keyring, *, begin: str, connections: int) -> Engine:
    engine = create_engine(
        f"sqlite:///{settings.sqlite_file}",
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,  # an error's text is nobody's content
        connect_args={"cached_statements": SQLITE_STATEMENTS},
        **_JSON,
    )

    def prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        _prepare_sqlite(connection, settings.keys_file)
        carry(record.info, keyring)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, keys_file: Path) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: see _sqlite_engine
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # NORMAL loses commits at a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    cursor.execute(f"PRAGMA wal_autocheckpoint={SQLITE_WAL_PAGES}")
    cursor.execute(f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}")
    cursor.execute("ATTACH DATABASE ? AS keys", (str(keys_file),))
    cursor.execute("PRAGMA keys.journal_mode=WAL")
    cursor.execute("PRAGMA keys.synchronous=FULL")
    cursor.execute("PRAGMA keys.secure_delete=ON")  # a destroyed key is written over
    cursor.execute("PRAGMA temp_store=MEMORY")  # what a savepoint would undo is not written to a file of its own
    cursor.close()


async def _open_postgres(settings: Settings) -> Database:
    from sqlalchemy.ext.asyncio import create_async_engine  # it brings the whole ORM: SQLite need not wait for it

    assert settings.database_url is not None
    url = make_url(settings.database_url.get_secret_value())
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() != "postgresql":
        raise StoreUnusable(f"ONWARD_DATABASE_URL: {url.get_backend_name()} is not supported; give postgresql://...")
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=5,
        pool_pre_ping=True,
        hide_parameters=True,
        **_JSON,
        connect_args={"timeout": settings.connect_seconds, "command_timeout": 60},
    )
    keyring = Keyring()
    event.listen(engine.sync_engine, "connect", lambda _, record: carry(record.info, keyring))
    try:
        async with engine.connect() as connection:
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                value = (await connection.execute(text(f"SHOW {name}"))).scalar_one()
                if value == "off":
                    raise StoreUnusable(f"{shown}: {name} is off, so accepted messages could be lost; turn it on")
    except (OSError, TimeoutError, OperationalError, SQLAlchemyError) as error:
        await engine.dispose()
        raise StoreUnusable(f"cannot reach {shown}: {error.__class__.__name__}; check ONWARD_DATABASE_URL") from error
    return PostgresDatabase(engine, keyring)
