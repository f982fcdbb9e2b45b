"""The store on both databases: migrated as declared, safe as set, honest about time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import StatementError

from services.ground import tables
from services.ground.database import Database, open_database
from services.ground.errors import NotMigrated, StoreUnusable
from services.ground.migration import require_schema, upgrade_schema
from services.ground.settings import Settings
from services.migrations.tables import metadata


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    opened = await open_database(settings)
    yield opened
    await opened.close()


async def test_the_migrations_make_the_tables_that_the_code_declares(database: Database) -> None:
    await database.write(upgrade_schema)
    difference = await database.read(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
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


async def test_moments_come_back_aware_and_naive_ones_never_go_in(database: Database) -> None:
    await database.write(upgrade_schema)
    row = {"stream": "CASE", "subject": "s", "id": "1", "service": "x", "partition": 0, "payload": b""}
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
