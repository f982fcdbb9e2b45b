"""The log is signed as it grows, published as files, and no other history of it is ever signed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from schemas.log.checkpoint import SignedCheckpoint, open_checkpoint
from schemas.log.errors import Missing
from schemas.log.merkle import root_of
from schemas.log.note import VerifierKey
from schemas.log.tiles import TileReader, bundles_between, decode_bundle, fetch_tile
from services.audit.keys import read_keys
from services.ground.settings import Settings
from tests.support.events import referral_of
from tests.support.system import System, system

WAIT_SECONDS = 20.0


def fetch_from(folder: Path) -> Callable[[str], bytes]:
    """The log as whoever was given its folder reads it."""

    def fetch(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except FileNotFoundError:
            raise Missing(path) from None

    return fetch


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    """Wait for it."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while not await done():
        assert asyncio.get_running_loop().time() < deadline, "it did not come"
        await asyncio.sleep(0.02)


async def published(onward: System) -> SignedCheckpoint:
    """The checkpoint over all entries that there are, once it is published."""
    size = await onward.count("log_entries")
    folder = onward.world.settings.log_folder
    keys = [VerifierKey.parse(row["verifier"]) for row in await onward.rows("SELECT verifier FROM log_keys")]
    found: list[SignedCheckpoint] = []

    async def is_there() -> bool:
        file = folder / "checkpoint"
        if file.exists():
            found[:] = [
                open_checkpoint(file.read_bytes(), keys or [read_keys(onward.world.settings.log_key).current.verifier])
            ]
        return bool(found) and found[0].checkpoint.size == size

    await until(is_there)
    return found[0]


async def test_what_is_published_is_the_log_and_is_signed(settings: Settings) -> None:
    async with system(settings) as onward:
        for number in range(1, 4):
            await onward.publish(referral_of(number))
        await onward.settle()
        signed = await published(onward)
        fetch = fetch_from(settings.log_folder)
        size = signed.checkpoint.size
        assert root_of(size, TileReader(fetch, size)) == signed.checkpoint.root
        entries = [entry for tile in bundles_between(0, size) for entry in decode_bundle(fetch_tile(fetch, tile))]
        kept = await onward.rows("SELECT entry FROM log_entries ORDER BY position")
        assert entries == [bytes(row["entry"]) for row in kept]
        on_the_queue = [message["id"] for message in await onward.messages("AUDIT")]
        assert sorted(json.loads(entry)["id"] for entry in entries) == sorted(on_the_queue)
