"""What is left of an erased person, looked for in files and in what people are shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select, text

from services.ground import tables
from services.ground.database import Database
from services.ground.settings import Settings
from tests.support.system import System

FEW = 8  # words that are quicker looked for one by one
MARK = 4  # bytes by which the place of a word is found


async def secrets_of(database: Database, *names: str) -> dict[str, bytes]:
    """The keys of these persons, as long as they are there."""
    key = tables.person_keys.c
    rows = await database.read(lambda c: c.execute(select(key.name, key.key).where(key.name.in_(names))).all())
    return {str(name): bytes(secret) for name, secret in rows}


async def files_of_the_store(database: Database, settings: Settings, *, log_of_writes: bool = True) -> list[Path]:
    """Every file of the store; of PostgreSQL without its log of writes, where that is not asked for."""
    if settings.database_url is None:
        return [file for file in settings.data_dir.iterdir() if file.is_file()]
    await database.write(lambda c: c.execute(text("CHECKPOINT")).rowcount)  # now they hold what is kept, and only that
    folder = text("SELECT current_setting('data_directory')")
    files = files_below(Path(await database.read(lambda c: str(c.execute(folder).scalar_one()))))
    return files if log_of_writes else [file for file in files if "pg_wal" not in file.parts]


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder; none where it is elsewhere."""
    return [file for file in folder.rglob("*") if file.is_file()] if folder.exists() else []


def found_in(files: list[Path], *words: bytes) -> set[str]:
    """The names of the files that hold one of these."""
    found = set()
    for file in files:
        try:
            held = file.read_bytes()
        except FileNotFoundError:
            continue  # the server let it go
        if holds_any(held, words):
            found.add(file.name)
    return found


def holds_any(held: bytes, words: Sequence[bytes]) -> bool:
    """Whether one of these is anywhere in it. One look for all of many: one look each took most of a test's time."""
    if len(words) <= FEW or min(map(len, words)) < MARK:
        return any(word in held for word in words)
    beginnings: dict[bytes, list[bytes]] = {}
    first, second = (
        np.zeros(1 << 16, bool),
        np.zeros(1 << 16, bool),
    )  # which two bytes a word can begin, and go on, with
    for word in words:
        beginnings.setdefault(word[:MARK], []).append(word)
        first[int.from_bytes(word[:2], "little")] = second[int.from_bytes(word[2:4], "little")] = True
    for shift in (0, 1):
        pairs = np.frombuffer(held[shift : len(held) - (len(held) - shift) % 2], "<u2")
        for pair in np.flatnonzero(first[pairs[:-1]] & second[pairs[1:]]).tolist():
            at = 2 * pair + shift
            if any(held.startswith(word, at) for word in beginnings.get(held[at : at + MARK], ())):
                return True
    return False


async def entries(onward: System, operation: str) -> list[dict[str, Any]]:
    """The audit entries of one operation, from the log, oldest first."""
    import orjson

    rows = await onward.rows("SELECT entry FROM log_entries ORDER BY position")
    data = [orjson.loads(bytes(row["entry"]))["data"] for row in rows]
    return [entry for entry in data if entry["operation"] == operation]
