"""Signs the log as it grows: one checkpoint after another of one and the same history, and never of another one.

What the key has signed is written down beside it before anybody sees it. So a store that was put back from an old copy,
whose next entries would make another history, is noticed here although everything in it goes together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from schemas.log.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from schemas.log.errors import LogError
from schemas.log.handover import hand_over
from schemas.log.merkle import consistency_proof, root_of, verify_consistency
from schemas.log.note import Note, VerifierKey
from schemas.log.tiles import CHECKPOINT
from services.audit import store, tree
from services.audit.alarm import Alarm
from services.audit.files import mark_of
from services.audit.keys import KeyUnusable, LogKeys, last_signed, memory_of, read_keys, remember_signed
from services.ground.errors import OnwardError
from services.ground.handler import Write
from services.ground.log import logger
from services.ground.work import Work
from services.ground.world import World

log = logger("audit")


class HistoryForked(OnwardError):
    """The store's log is not the one that was signed before: it is not signed."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the audit log is not signed any further: {what}. The store was put back from an old copy, or somebody"
            " changed it: stop the services, keep a copy of all as it is, then onward audit restore (docs/running.md)"
        )


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that was signed before, and where it is written down."""

    checkpoint: Checkpoint
    where: str


@dataclass(frozen=True, slots=True)
class _Next:
    """What is to be signed and what is to be noted of the keys; `checkpoint` None: the log has not grown."""

    checkpoint: Checkpoint | None
    new_key: VerifierKey | None
    handover: bytes | None


class Signer:
    """One process's part of the signing: `act` is a duty of the audit service."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._alarm = Alarm("signing")
        self._at_rest: object = None  # the files and the store as they were when there was nothing to sign

    async def act(self, write: Write) -> None:
        """Sign the log if it has grown. Raises KeyUnusable or HistoryForked, having told `onward status` why."""
        await self._alarm.around(self._sign(write), write)

    async def _sign(self, write: Write) -> None:
        settings, now = self._world.settings, self._world.clock.now()
        there = (await asyncio.to_thread(self._marks), await self._world.database.read(_sizes))
        if there == self._at_rest:
            return
        self._at_rest = None
        keys = await asyncio.to_thread(read_keys, settings.log_key)
        signed = await asyncio.to_thread(self._signed_elsewhere, keys)
        # Of what is committed and on disk: a transaction that is still to be committed may yet come to nothing.
        what = await self._world.database.read(lambda c: _next(c, keys, signed))
        if what.new_key is not None:
            await write(lambda work: _keep_key(work, what))
        if what.checkpoint is None:
            self._at_rest = there
            return
        checkpoint = what.checkpoint
        note = sign_checkpoint(checkpoint, *keys.signing(now))
        await asyncio.to_thread(remember_signed, settings.log_key, note)
        await write(
            lambda work: store.keep_checkpoint(
                work.connection, size=checkpoint.size, root=checkpoint.root, note=note, now=work.now
            )
        )
        log.debug("log_signed", size=checkpoint.size)

    def _marks(self) -> list[tuple[int, ...] | None]:
        settings = self._world.settings
        files = (settings.log_key, memory_of(settings.log_key), settings.log_folder / CHECKPOINT)
        return [mark_of(file) for file in files]

    def _signed_elsewhere(self, keys: LogKeys) -> list[Signed]:
        """What was signed before and is written down outside of the store: beside the key, and where we publish."""
        settings = self._world.settings
        ours = [keys.current.verifier, *(each.key.verifier for each in keys.former)]
        memory = last_signed(settings.log_key)
        if memory is None:
            return self._published(ours)
        where = str(memory_of(settings.log_key))
        try:
            found = Checkpoint.parse(Note.parse(memory).text)  # by a former key perhaps; nobody else writes there
        except LogError:
            raise KeyUnusable(f"{where} is not what the audit log's key signed last: put it back from a copy") from None
        return [Signed(found, where), *self._published(ours)]

    def _published(self, ours: Sequence[VerifierKey]) -> list[Signed]:
        file = self._world.settings.log_folder / CHECKPOINT
        try:
            return [Signed(open_checkpoint(file.read_bytes(), ours).checkpoint, str(file))]
        except (OSError, LogError):
            return []  # not there, or not ours: it binds nobody


def _sizes(connection: Connection) -> tuple[int, int]:
    """How long the log is, and how long it was when it was signed last."""
    newest = store.newest_checkpoint(connection)
    return store.length(connection), newest["size"] if newest is not None else 0


def _next(connection: Connection, keys: LogKeys, signed: Sequence[Signed]) -> _Next:
    """What is to be done, or HistoryForked."""
    new_key, handover = _new_key(store.keys(connection), keys)
    newest = store.newest_checkpoint(connection)
    size = store.length(connection)
    for each in signed:
        if each.checkpoint.size > size:
            raise HistoryForked(f"the store holds {size} entries and {each.checkpoint.size} were signed ({each.where})")
    before = newest["size"] if newest is not None else 0
    if size == before:
        return _Next(None, new_key, handover)
    root = root_of(size, tree.reader(connection, size))
    kept = [Signed(Checkpoint(keys.current.name, before, bytes(newest["root"])), "the store")] if newest else []
    for each in (*kept, *signed):
        _require_growth(connection, each, size, root)
    return _Next(Checkpoint(keys.current.name, size, root), new_key, handover)


def _require_growth(connection: Connection, old: Signed, size: int, root: bytes) -> None:
    proof = consistency_proof(old.checkpoint.size, size, tree.reader(connection, size))
    try:
        verify_consistency(old.checkpoint.size, old.checkpoint.root, size, root, proof)
    except LogError:
        raise HistoryForked(
            f"its first {old.checkpoint.size} entries are not those that were signed ({old.where})"
        ) from None


def _new_key(known: Sequence[Mapping[str, Any]], keys: LogKeys) -> tuple[VerifierKey | None, bytes | None]:
    """The current key where it is new here, with the note by which the one before it names it."""
    verifiers = [row["verifier"] for row in known]
    current = keys.current
    if str(current.verifier) in verifiers:
        return None, None
    if not verifiers:
        return current.verifier, None
    former = next((each.key for each in keys.former if str(each.key.verifier) == verifiers[-1]), None)
    if former is None:
        raise KeyUnusable(
            f"the audit log was signed by {verifiers[-1]} and its key file holds another key: put the right one back"
        )
    return current.verifier, hand_over(former, current)


def _keep_key(work: Work, what: _Next) -> None:
    store.keep_key(work.connection, str(what.new_key), handover=what.handover, now=work.now)
