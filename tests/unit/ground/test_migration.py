"""The schema's version that this code asks for is the one that its migrations end in."""

from __future__ import annotations

from alembic.script import ScriptDirectory

from services.ground.migration import NEWEST, SCRIPTS


def test_the_version_that_is_asked_for_is_the_last_migration() -> None:
    assert ScriptDirectory(str(SCRIPTS)).get_current_head() == NEWEST
