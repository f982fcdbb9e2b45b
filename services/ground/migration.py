"""The database schema's version: brought up by `onward migrate`, required by everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from services.ground.errors import NotMigrated

SCRIPTS: Final = Path(__file__).resolve().parents[1] / "migrations"
NEWEST: Final = "0001"  # the last of them, and the schema's version that this code needs


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
    """Raise NotMigrated unless the schema is of this code's version."""
    kept = inspect(connection).has_table("alembic_version")
    there = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() if kept else None
    if there != NEWEST:
        raise NotMigrated(f"the database schema is at {there or 'nothing'}, this code needs {NEWEST}")
