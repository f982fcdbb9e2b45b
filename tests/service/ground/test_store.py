"""The store on both databases: migrated as declared, safe as set, honest about time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, event, insert, select, text
from sqlalchemy.exc import StatementError

from services.ground import database as database_module
from services.ground import tables
from services.ground.database import Database, open_database
from services.ground.errors import NotMigrated, StoreUnusable
from services.ground.migration import require_schema, upgrade_schema
from services.ground.settings import Settings
from services.ground.sql import insert_all, insert_new
from services.migrations.tables import metadata

pytestmark = pytest.mark.empty_store  # what the migrations make is looked at here


async def test_the_migrations_make_the_tables_that_the_code_declares(database: Database) -> None:
    await database.write(upgrade_schema)
    schemas = {"include_schemas": True}  # the keys have one of their own
    difference = await database.read(lambda c: compare_metadata(MigrationContext.configure(c, opts=schemas), metadata))
    assert difference == []


async def test_a_database_that_is_not_migrated_is_refused_with_the_mend(database: Database) -> None:
    with pytest.raises(NotMigrated, match="onward migrate"):
        await database.read(require_schema)
    await database.write(upgrade_schema)
    await database.read(require_schema)


async def test_a_body_that_raises_leaves_nothing_behind(database: Database) -> None:
    await database.write(upgrade_schema)

    def half(connection: Connection) -> None:
        row = {"consumer": "x", "source": "s", "id": "1", "taken_at": datetime(2026, 1, 1, tzinfo=UTC)}
        connection.execute(insert(tables.inbox), row)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.write(half)
    assert await database.read(lambda c: c.execute(select(tables.inbox)).all()) == []


async def test_what_waits_together_is_kept_together_except_what_fails(database: Database) -> None:
    await database.write(upgrade_schema)
    outcomes = await asyncio.gather(
        database.write(_slow), *(database.write(_entering(number)) for number in range(6)), return_exceptions=True
    )
    failed = [number for number, outcome in enumerate(outcomes[1:]) if isinstance(outcome, ValueError)]
    assert failed == [1, 3, 5]
    assert outcomes[1::2] == [0, 2, 4], "each caller gets what its own body returned"
    assert await _entered(database) == ["0", "2", "4"]


async def test_all_that_share_a_commit_hear_that_it_failed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if database.dialect != "sqlite":
        pytest.skip("on PostgreSQL each has a connection and a commit of its own")
    await database.write(upgrade_schema)

    def fail(connection: Connection) -> None:
        raise OSError("disk full")

    writing = database._writing  # type: ignore[attr-defined]
    slow = asyncio.create_task(database.write(_slow))
    await asyncio.sleep(0.1)
    event.listen(writing, "commit", fail)
    waiting = [database.write(_entering(number)) for number in (0, 2)]
    outcomes = await asyncio.gather(slow, *waiting, return_exceptions=True)
    event.remove(writing, "commit", fail)
    assert [type(outcome) for outcome in outcomes[1:]] == [OSError, OSError]
    assert await _entered(database) == []
    assert await database.write(_entering(4)) == 4, "the next transaction is not harmed"


async def test_a_caller_that_gave_up_harms_nobody(database: Database) -> None:
    await database.write(upgrade_schema)
    slow = asyncio.create_task(database.write(_slow))
    await asyncio.sleep(0.1)
    gone = asyncio.create_task(database.write(_entering(0)))
    stays = asyncio.create_task(database.write(_entering(2)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([slow, gone, stays])
    assert stays.result() == 2
    assert "2" in await _entered(database)


def _slow(connection: Connection) -> None:
    """Long enough for the others to gather behind it."""
    time.sleep(0.4)


def _entering(number: int) -> Callable[[Connection], int]:
    def enter(connection: Connection) -> int:
        row = {"consumer": "x", "source": "s", "id": str(number), "taken_at": datetime(2026, 1, 1, tzinfo=UTC)}
        connection.execute(insert(tables.inbox), row)
        if number % 2:
            raise ValueError(number)
        return number

    return enter


async def _entered(database: Database) -> list[str]:
    return await database.read(lambda c: list(c.execute(select(tables.inbox.c.id).order_by(text("id"))).scalars()))


async def test_a_key_is_new_once_wherever_among_others_it_comes_again(database: Database) -> None:
    await database.write(upgrade_schema)
    at = datetime(2026, 3, 2, tzinfo=UTC)
    for place in range(7):  # on SQLite seven rows are three statements: of four, two and one
        rows = [{"consumer": "x", "source": f"s{place}", "id": str(number), "taken_at": at} for number in range(7)]
        await database.write(lambda c, there=rows[place]: insert_all(c, tables.inbox, [there]))  # type: ignore[misc]
        new = await database.write(lambda c, all_=rows: insert_new(c, tables.inbox, all_))  # type: ignore[misc]
        assert {id_ for _, _, id_ in new} == {str(number) for number in range(7) if number != place}


async def test_moments_come_back_aware_and_naive_ones_never_go_in(database: Database) -> None:
    await database.write(upgrade_schema)
    row = {"stream": "CASE", "subject": "s", "id": "1", "service": "x", "partition": 0}
    at = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    await database.write(lambda c: c.execute(insert(tables.outbox), {**row, "created_at": at}))
    assert await database.read(lambda c: c.execute(select(tables.outbox.c.created_at)).scalar_one()) == at
    naive = datetime(2026, 3, 29, 1, 30)  # noqa: DTZ001 - the mistake that is refused
    with pytest.raises(StatementError):
        await database.write(lambda c: c.execute(insert(tables.outbox), {**row, "id": "2", "created_at": naive}))


async def test_sqlite_keeps_a_commit_through_a_power_cut(database: Database) -> None:
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL's own settings are checked when it is opened")
    assert await database.write(lambda c: c.execute(text("PRAGMA synchronous")).scalar_one()) == 2, "FULL"
    assert await database.write(lambda c: c.execute(text("PRAGMA journal_mode")).scalar_one()) == "wal"


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_damaged_file_is_refused_at_the_start_unless_looking_would_hold_it_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await open_database(settings)
    await opened.write(upgrade_schema)
    root = await opened.read(
        lambda c: c.execute(text("SELECT rootpage FROM sqlite_master WHERE name = 'attempts'")).scalar_one()
    )
    await opened.close()
    content = bytearray(settings.sqlite_file.read_bytes())
    content[(root - 1) * 4096 : (root - 1) * 4096 + 100] = b"\xff" * 100
    settings.sqlite_file.write_bytes(content)
    with pytest.raises(StoreUnusable, match="damaged"):
        await open_database(settings)
    monkeypatch.setattr(database_module, "SQLITE_CHECKED_BYTES", 0)
    await (await open_database(settings)).close()


async def test_a_postgres_that_would_lose_commits_is_refused(settings: Settings) -> None:
    if settings.database_url is None:
        pytest.skip("about PostgreSQL")
    url = settings.database_url.get_secret_value()
    name = url.partition("?")[0].rpartition("/")[2]
    opened = await open_database(settings)
    await opened.write(lambda c: c.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off')))
    await opened.close()
    with pytest.raises(StoreUnusable, match="synchronous_commit is off"):
        await open_database(settings)


async def test_an_address_that_is_no_postgres_is_refused_without_its_password(tmp_path: object) -> None:
    wrong = Settings(database_url="mysql://onward:hunter2@localhost/x")
    with pytest.raises(StoreUnusable) as refused:
        await open_database(wrong)
    assert "hunter2" not in str(refused.value)
