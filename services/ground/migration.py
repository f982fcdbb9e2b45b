"""The database schema's version: brought up by `onward migrate`, required by everything else."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from services.ground.errors import NotMigrated
from services.ground.keys import make_keys_table, require_keys

SCRIPTS = Path(__file__).resolve().parents[1] / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@cache
def newest_version() -> str | None:
    """The schema version that this code expects."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def keep_keys(connection: Connection) -> None:
    """Make where keys are kept, in the caller's transaction: one of its own, before `upgrade_schema`.

    Raises KeyLost where the schema is there and its keys are not: new ones would open nothing.
    """
    if MigrationContext.configure(connection).get_current_revision() is None:
        make_keys_table(connection)
    else:
        require_keys(connection)


def upgrade_schema(connection: Connection) -> None:
    """Bring the schema to the newest version, in the caller's transaction."""
    command.upgrade(_config(connection), "head")


def require_schema(connection: Connection) -> None:
    """Raise NotMigrated unless the schema is of this code's version, and KeyLost where its keys are not there."""
    there = MigrationContext.configure(connection).get_current_revision()
    if there != newest_version():
        raise NotMigrated(f"the database schema is at {there or 'nothing'}, this code needs {newest_version()}")
    require_keys(connection)
