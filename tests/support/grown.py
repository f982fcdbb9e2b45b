"""Lets a system's log grow, and waits for what is to come of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from schemas.log.checkpoint import SignedCheckpoint, open_checkpoint
from schemas.log.errors import NotSigned
from schemas.log.note import VerifierKey
from services.audit.keys import read_keys
from tests.support.events import referral_of
from tests.support.system import System

WAIT_SECONDS = 30.0


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    """Wait for it."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while not await done():
        assert asyncio.get_running_loop().time() < deadline, "it did not come"
        await asyncio.sleep(0.02)


async def grow(onward: System, *numbers: int) -> None:
    """Let the log grow by what these persons' referrals leave in it."""
    for number in numbers:
        await onward.publish(referral_of(number))
    await onward.settle()


async def published(onward: System, keys: list[VerifierKey] | None = None) -> SignedCheckpoint:
    """The checkpoint over all entries that there are, once it is published."""
    size = await onward.count("log_entries")
    file = onward.world.settings.log_folder / "checkpoint"
    trusted = keys or [read_keys(onward.world.settings.log_key).current.verifier]
    found: list[SignedCheckpoint] = []

    async def is_there() -> bool:
        with suppress(FileNotFoundError, NotSigned):  # by these keys not yet
            found[:] = [open_checkpoint(file.read_bytes(), trusted)]
        return bool(found) and found[0].checkpoint.size == size

    await until(is_there)
    return found[0]


async def alarmed(onward: System, name: str, why: str) -> bool:
    """Whether there is this alarm of the log."""
    found = await onward.rows("SELECT why FROM log_alarms WHERE name = :name", name=name)
    return any(why in row["why"] for row in found)


async def seen_by(onward: System, *witnesses: str) -> bool:
    """Whether the checkpoint over all entries is published with the signatures of these witnesses and of no others."""
    size = await onward.count("log_entries")
    rows = await onward.rows("SELECT witness FROM log_cosignatures WHERE size = :size", size=size)
    file = onward.world.settings.log_folder / "checkpoint"
    shown = file.read_text() if file.exists() else ""
    return {row["witness"] for row in rows} == set(witnesses) and all(f"— {name} " in shown for name in witnesses)
