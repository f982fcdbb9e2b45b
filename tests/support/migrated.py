"""Migrated stores to begin with: each kind is migrated once in a process, by the real migrations, and then copied.

To migrate anew for each of hundreds of tests took longer than many of them. What the migrations make of an empty store
is looked at by tests that are marked `empty_store`.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from services.ground.database import open_database
from services.ground.migration import keep_keys, upgrade_schema
from services.ground.settings import Settings
from tests.support.postgres import new_database

_databases: dict[str, str] = {}  # the migrated one of each server
_folders: list[tempfile.TemporaryDirectory[str]] = []  # the migrated one; gone with the process


async def copy_files(into: Path) -> None:
    """Put the files of a migrated SQLite store into a folder."""
    if not _folders:
        made = tempfile.TemporaryDirectory(prefix="onward-migrated-")
        await _migrate(Settings(data_dir=Path(made.name)))
        _folders.append(made)
    await asyncio.to_thread(shutil.copytree, _folders[0].name, into, dirs_exist_ok=True)


async def copied_database(server: str) -> str:
    """The address of a new, migrated database on a server."""
    if server not in _databases:
        made = await new_database(server)
        await _migrate(Settings(data_dir=Path(), database_url=made))
        _databases[server] = made
    return await new_database(server, like=_databases[server])


async def _migrate(settings: Settings) -> None:
    database = await open_database(settings)
    try:
        await database.write(keep_keys)
        await database.write(upgrade_schema)
    finally:
        await database.close()
