"""What PostgreSQL notes of a column's values for its planner is a copy of them, which outlives the rows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from services.ground.database import open_database
from services.ground.keys import destroy, make_keys
from services.ground.settings import Settings
from tests.support.erased import files_of_the_store, found_in

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
async def test_of_keys_that_were_there_when_statistics_were_made_nothing_is_left(settings: Settings) -> None:
    database = await open_database(settings)
    try:
        made = await database.write(lambda c: make_keys(c, 500, NOW))
        await database.write(lambda c: c.execute(text("ANALYZE keys.person_keys")).rowcount)
        assert found_in(await files_of_the_store(database, settings, log_of_writes=False), made[0][1])
        await database.write(lambda c: destroy(c, [name for name, _ in made], NOW))
        await database.scrub_keys()
        await database.write(lambda c: c.execute(text("ANALYZE keys.person_keys")).rowcount)
        files = await files_of_the_store(database, settings, log_of_writes=False)
        assert found_in(files, *(secret for _, secret in made)) == set()
    finally:
        await database.close()
