"""Of destroyed keys nothing is left in PostgreSQL, whoever reads meanwhile and whatever it notes of its tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Select, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from services.ground import tables
from services.ground.database import Database
from services.ground.errors import StoreUnusable
from services.ground.keys import INDEX, destroy, make_keys
from services.ground.settings import Settings
from tests.support.erased import files_of_the_store, found_in

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
pytestmark = pytest.mark.parametrize("store", ["postgresql"], indirect=True)


async def test_an_older_reader_keeps_no_destroyed_key_alive(database: Database, settings: Settings) -> None:
    """VACUUM carries along what a transaction that began before may still see, whatever it reads."""
    [(gone, secret), (other, _)] = await database.write(lambda c: make_keys(c, 2, NOW))
    async with _older_reader(settings, select(tables.outbox.c.id)):
        await database.write(lambda c: destroy(c, [gone], NOW))
        await database.scrub_keys()
        assert found_in(await files_of_the_store(database, settings, log_of_writes=False), secret) == set()
    assert await database.read(lambda c: set(c.execute(select(tables.person_keys.c.name)).scalars())) == {INDEX, other}


async def test_who_reads_the_keys_is_not_waited_for_long(database: Database, settings: Settings) -> None:
    [(gone, _)] = await database.write(lambda c: make_keys(c, 1, NOW))
    async with _older_reader(settings, select(tables.person_keys.c.name)):
        await database.write(lambda c: destroy(c, [gone], NOW))
        with pytest.raises(StoreUnusable, match="reads the keys"):
            await database.scrub_keys()
        await database.write(lambda c: make_keys(c, 1, NOW))  # and nobody waits behind it
    await database.scrub_keys()


async def test_of_keys_that_were_there_when_statistics_were_made_nothing_is_left(
    database: Database, settings: Settings
) -> None:
    """What it notes of a column's values for its planner is a copy of them, which outlives the rows."""
    made = await database.write(lambda c: make_keys(c, 500, NOW))
    await database.write(lambda c: c.execute(text("ANALYZE keys.person_keys")).rowcount)
    assert found_in(await files_of_the_store(database, settings, log_of_writes=False), made[0][1])
    await database.write(lambda c: destroy(c, [name for name, _ in made], NOW))
    await database.scrub_keys()
    await database.write(lambda c: c.execute(text("ANALYZE keys.person_keys")).rowcount)
    files = await files_of_the_store(database, settings, log_of_writes=False)
    assert found_in(files, *(secret for _, secret in made)) == set()


@asynccontextmanager
async def _older_reader(settings: Settings, query: Select[Any]) -> AsyncIterator[None]:
    """A transaction that sees the store as it is now until the block ends."""
    assert settings.database_url is not None
    engine = create_async_engine(
        make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+asyncpg"),
        isolation_level="REPEATABLE READ",
    )
    async with engine.connect() as connection:
        await connection.execute(query)
        yield
    await engine.dispose()
