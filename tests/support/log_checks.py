"""What must be true of the audit log, whatever was killed on the way. Lists of problems; empty is well.

Roots are computed here from the entries alone, in one go, with nothing of what the services compute them with.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, text

from schemas.log.canonical import canonical
from schemas.log.checkpoint import Checkpoint, open_checkpoint
from schemas.log.errors import LogError, Missing
from schemas.log.note import Note, VerifierKey
from schemas.log.reader import verify_log
from schemas.log.tiles import bundles_between, read_entries
from schemas.log.trust import Trust
from services.audit.keys import last_signed
from services.ground.database import Database
from services.ground.settings import Settings

TILE = 256
SIGNED_WITHIN_SECONDS = 30.0

Rows = Callable[[str], list[dict[str, Any]]]


def log_problems(rows: Rows) -> list[str]:
    """Where the entries, the tree and the checkpoints of a store do not agree."""
    entries = [bytes(row["entry"]) for row in rows("SELECT entry FROM log_entries ORDER BY position")]
    levels = _levels([hashlib.sha256(b"\x00" + entry).digest() for entry in entries])
    return [
        *(f"not canonical: entry {at}" for at, entry in enumerate(entries) if entry != _in_canonical_form(entry)),
        *_tree_differs(rows, levels),
        *_checkpoints_differ(rows, levels),
    ]


def _in_canonical_form(entry: bytes) -> bytes:
    return canonical(orjson.loads(entry))


def _levels(leaves: list[bytes]) -> list[list[bytes]]:
    """The hashes of all complete subtrees, leaves first."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = zip(below[::2], below[1::2], strict=False)
        levels.append([hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs])
    return levels


def root_at(levels: list[list[bytes]], size: int) -> bytes:
    """The root of the first `size` leaves: over the complete subtrees that they fall into, right to left."""
    root = None
    for level in range(size.bit_length()):
        if size >> level & 1:
            left = levels[level][(size >> level) - 1]
            root = left if root is None else hashlib.sha256(b"\x01" + left + root).digest()
    return hashlib.sha256(b"").digest() if root is None else root


def _tree_differs(rows: Rows, levels: list[list[bytes]]) -> Iterator[str]:
    there = {
        (row["level"], row["number"]): bytes(row["hashes"])
        for row in rows("SELECT level, number, hashes FROM log_tiles")
    }
    right = {
        (level // 8, at // TILE): b"".join(hashes[at : at + TILE])
        for level, hashes in enumerate(levels)
        if level % 8 == 0
        for at in range(0, len(hashes), TILE)
    }
    for place in sorted(there.keys() | right.keys()):
        if there.get(place) != right.get(place):
            have, need = len(there.get(place, b"")) // 32, len(right.get(place, b"")) // 32
            yield f"the tree and the entries differ: tile {place} has {have} hashes of {need}"


def _checkpoints_differ(rows: Rows, levels: list[list[bytes]]) -> Iterator[str]:
    keys = [VerifierKey.parse(row["verifier"]) for row in rows("SELECT verifier FROM log_keys")]
    for row in rows("SELECT size, root, note FROM log_checkpoints ORDER BY size"):
        size, root = row["size"], bytes(row["root"])
        if size > len(levels[0]):
            yield f"signed for {size} entries and there are {len(levels[0])}"
            continue
        if root != root_at(levels, size):
            yield f"the checkpoint of {size} entries has another root"
        try:
            signed = open_checkpoint(bytes(row["note"]), keys).checkpoint
        except LogError as error:
            yield f"the checkpoint of {size} entries: {error}"
            continue
        if (signed.size, signed.root) != (size, root):
            yield f"the note of {size} entries says something else"


async def signed_log_problems(database: Database, settings: Settings) -> list[str]:
    """The same of what is outside of the store: what the key remembers, and what is published.

    As it is now, which must be well at any moment; and when all entries are signed and published, which must come.
    """
    found = await outside_problems(database, settings)
    deadline = asyncio.get_running_loop().time() + SIGNED_WITHIN_SECONDS
    while not (done := await database.read(lambda c: _all_is_published(c, settings))):
        if asyncio.get_running_loop().time() > deadline:
            return [*found, "not all entries are signed and published"]
        await asyncio.sleep(0.05)
    assert done
    return [*found, *await outside_problems(database, settings)]


async def outside_problems(database: Database, settings: Settings) -> list[str]:
    """Where what the key remembers, or what is published, does not go with the store or in itself, as it is now."""
    return await database.read(lambda c: _outside(c, settings))


def _all_is_published(connection: Connection, settings: Settings) -> bool:
    """Whether the checkpoint that is published is over every entry."""
    file = settings.log_folder / "checkpoint"
    size = connection.execute(text("SELECT count(*) FROM log_entries")).scalar_one()
    return bool(size == (Checkpoint.parse(Note.parse(file.read_bytes()).text).size if file.exists() else 0))


def _outside(connection: Connection, settings: Settings) -> list[str]:
    remembered, file = last_signed(settings.log_key), settings.log_folder / "checkpoint"
    published = file.read_bytes() if file.exists() else None  # before the store, which may go on meanwhile

    def rows(query: str) -> list[dict[str, Any]]:
        return [dict(row) for row in connection.execute(text(query)).mappings()]

    entries = [bytes(row["entry"]) for row in rows("SELECT entry FROM log_entries ORDER BY position")]
    levels = _levels([hashlib.sha256(b"\x00" + entry).digest() for entry in entries])
    keys = [VerifierKey.parse(row["verifier"]) for row in rows("SELECT verifier FROM log_keys")]
    found = []
    for where, note in (("beside the key", remembered), ("published", published)):
        if note is None:
            continue
        try:
            signed = open_checkpoint(note, keys).checkpoint
        except LogError as error:
            found.append(f"the checkpoint {where}: {error}")
            continue
        if signed.size > len(entries):
            found.append(f"the checkpoint {where} is over {signed.size} entries and there are {len(entries)}")
        elif signed.root != root_at(levels, signed.size):
            found.append(f"the checkpoint {where} has another root than the {signed.size} entries")
        elif where == "published":
            found += _files_differ(settings.log_folder, keys, signed, entries)
    return found


def _files_differ(folder: Path, keys: list[VerifierKey], signed: Checkpoint, entries: list[bytes]) -> list[str]:
    """As a consumer verifies it, from the root down; and what they read is what the store has."""
    fetch = fetch_from(folder)
    try:
        verify_log(fetch, Trust(keys))
        published = [entry for tile in bundles_between(0, signed.size) for entry in read_entries(fetch, tile)[0]]
    except LogError as error:
        return [f"published: {error}"]
    return [] if published == entries[: signed.size] else ["the published entries are not the store's"]


def fetch_from(folder: Path) -> Callable[[str], bytes]:
    """The log as whoever was given its folder reads it."""

    def fetch(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except FileNotFoundError:
            raise Missing(path) from None

    return fetch
