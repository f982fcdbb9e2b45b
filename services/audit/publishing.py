"""Publishes the log as files that any web server can give out: tiles and bundles first, then the checkpoint over them.

All are made from the store, and one file has one content for ever, so what is there is left alone and what is not is
made again: after a crash, after somebody cleared the folder, or on a machine that never published before.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from schemas.log.checkpoint import open_checkpoint
from schemas.log.errors import LogError
from schemas.log.handover import handovers_line
from schemas.log.note import VerifierKey, with_signatures
from schemas.log.tiles import CHECKPOINT, WIDTH, Tile, bundles_between, encode_bundle, tiles_between
from services.audit import store
from services.audit.alarm import Alarm
from services.audit.cosigning import Cosigners
from services.audit.files import put_whole, sync_folder, write_whole
from services.audit.signing import HistoryForked
from services.audit.tree import TreeDamaged, hashes_of
from services.ground.errors import OnwardError
from services.ground.handler import Write
from services.ground.world import World

PAGE: Final = 16  # tiles and bundles that are read and written in one go: up to 16 MB, 200 KB as a rule


class PublishingFailed(OnwardError):
    """The folder does not take the log."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(
            f"the audit log cannot be published in {folder}: {error.strerror or type(error).__name__};"
            " make room or see to its rights, or set ONWARD_LOG_DIR"
        )


class LogFiles:
    """One process's part of the publishing: `act` is a duty of the audit service."""

    def __init__(self, world: World) -> None:
        """Raises SettingsRefused for a witness that is not one."""
        self._world = world
        self._folder = world.settings.log_folder
        self._alarm = Alarm("publishing")
        self._cosigners = Cosigners(world)
        self._size = 0  # of the log whose files are known to be there
        self._checkpoint = b""  # as it was written last

    async def act(self, write: Write) -> None:
        """Publish what was signed last, if it is not. Raises PublishingFailed, having told `onward status` why."""
        await self._alarm.around(self._publish(write), write)

    async def _publish(self, write: Write) -> None:
        newest = await self._world.database.read(store.newest_checkpoint)
        if newest is None:
            return
        keys = await self._world.database.read(store.keys)
        try:
            there = await asyncio.to_thread(self._there)
            if there != self._checkpoint:  # then the rest may not be as we left it either
                self._require_older(there, keys, newest)
                self._size, self._checkpoint = 0, b""
            if newest["size"] > self._size:
                await self._write_tiles(newest["size"])
            note = _with_handovers(bytes(newest["note"]), keys)
            await self._cosigners.cosign(newest["size"], note, write)
            await self._write_checkpoint(newest["size"], note)
        except OSError as error:
            raise PublishingFailed(self._folder, error) from error

    def _there(self) -> bytes:
        """The checkpoint that is published; nothing where none is."""
        try:
            return (self._folder / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return b""

    def _require_older(self, there: bytes, keys: Sequence[Mapping[str, Any]], newest: Mapping[str, Any]) -> None:
        """Raise HistoryForked where a later checkpoint of ours, or another one, would be written over."""
        try:
            published = open_checkpoint(there, [VerifierKey.parse(key["verifier"]) for key in keys]).checkpoint
        except LogError:
            return  # not ours
        if published.size > newest["size"] or (
            published.size == newest["size"] and published.root != bytes(newest["root"])
        ):
            raise HistoryForked(
                f"{self._folder / CHECKPOINT} is of {published.size} entries and the store's last of {newest['size']}"
            )

    async def _write_tiles(self, size: int) -> None:
        tiles = chain(tiles_between(self._size, size), bundles_between(self._size, size))
        while page := list(islice(tiles, PAGE)):
            if missing := await asyncio.to_thread(self._missing, page):
                found = await self._world.database.read(lambda c, m=missing: _content(c, m))  # type: ignore[misc]
                await asyncio.to_thread(lambda f=found: _sync(self._put(f)))  # type: ignore[misc]
            await asyncio.to_thread(self._clear, page)
        self._size = size

    def _clear(self, tiles: Iterable[Tile]) -> None:
        """Remove the partial ones under full ones, which begin with them: readers fall back to those."""
        for tile in tiles:
            if tile.width == WIDTH:
                shutil.rmtree(self._folder / f"{tile.path}.p", ignore_errors=True)

    def _missing(self, tiles: Iterable[Tile]) -> list[Tile]:
        return [tile for tile in tiles if not (self._folder / tile.path).exists()]

    def _put(self, files: Mapping[str, bytes]) -> set[Path]:
        """Write files. Returns the folders whose names are to be synced."""
        folders: set[Path] = set()
        for path, content in files.items():
            file = self._folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            put_whole(file, content)
            folders.update(_up_to(file.parent, self._folder))
        return folders

    async def _write_checkpoint(self, size: int, note: bytes) -> None:
        lines = await self._world.database.read(lambda c: store.cosignatures(c, size))
        note = with_signatures(note, lines.values())
        if note != self._checkpoint:
            await asyncio.to_thread(write_whole, self._folder / CHECKPOINT, note)
            self._checkpoint = note


def _with_handovers(note: bytes, keys: Sequence[Mapping[str, Any]]) -> bytes:
    """The checkpoint with the notes by which former keys name those that followed, where there are any."""
    notes = [bytes(key["handover"]) for key in keys if key["handover"] is not None]
    name = VerifierKey.parse(keys[0]["verifier"]).name if notes else ""
    return with_signatures(note, [handovers_line(name, notes)]) if notes else note


def _content(connection: Connection, tiles: Sequence[Tile]) -> dict[str, bytes]:
    """What the files of these tiles and bundles hold, by path."""
    return {
        tile.path: _bundle(connection, tile) if tile.level is None else hashes_of(connection, tile) for tile in tiles
    }


def _bundle(connection: Connection, tile: Tile) -> bytes:
    first = tile.number * WIDTH
    entries = store.entries_between(connection, first, first + tile.width)
    if len(entries) != tile.width:
        raise TreeDamaged(f"entries are missing after position {first + len(entries)}")
    return encode_bundle(entries)


def _up_to(folder: Path, top: Path) -> Iterator[Path]:
    """A folder and those around it, up to the top."""
    while folder != top:
        yield folder
        folder = folder.parent
    yield top


def _sync(folders: Iterable[Path]) -> None:
    for folder in folders:
        sync_folder(folder)
