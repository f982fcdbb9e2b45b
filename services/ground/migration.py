"""The database schema's version: brought up by `onward migrate`, required by everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from services.ground.errors import NotMigrated
from services.ground.keys import make_keys_table, require_keys

SCRIPTS: Final = Path(__file__).resolve().parents[1] / "migrations"
NEWEST: Final = "0001"  # the last of them, and the schema's version that this code needs


def keep_keys(connection: Connection) -> None:
    """Make where keys are kept, in the caller's transaction: one of its own, before `upgrade_schema`.

    Raises KeyLost where the schema is there and its keys are not: new ones would open nothing.
    """
    if _there(connection) is None:
        make_keys_table(connection)
    else:
        require_keys(connection)


def upgrade_schema(connection: Connection) -> None:
    """Bring the schema to the newest version, in the caller's transaction."""
    from alembic import command  # not before it is needed: a command that only looks should not wait for it
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def require_schema(connection: Connection) -> None:
    """Raise NotMigrated unless the schema is of this code's version, and KeyLost where its keys are not there."""
    there = _there(connection)
    if there != NEWEST:
        raise NotMigrated(f"the database schema is at {there or 'nothing'}, this code needs {NEWEST}")
    require_keys(connection)


def _there(connection: Connection) -> str | None:
    kept = inspect(connection).has_table("alembic_version")
    there = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() if kept else None
    return str(there) if there is not None else None
