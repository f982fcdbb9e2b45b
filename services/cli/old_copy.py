"""Whether the store was put back from an old copy: what was signed of its log lies outside of it too."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection

from schemas.log.checkpoint import Checkpoint, open_checkpoint
from schemas.log.errors import LogError
from schemas.log.note import Note, VerifierKey
from schemas.log.tiles import CHECKPOINT
from services.audit import store
from services.audit.keys import KeyUnusable, memory_of, read_keys
from services.ground.settings import Settings

RESTORED = "restored"  # the alarm that stands from a restore until somebody has seen to what was lost


def known_keys(connection: Connection, settings: Settings) -> list[VerifierKey]:
    """Every key that signed as far as the store knows, and those of the key file, which may be newer."""
    known = [VerifierKey.parse(row["verifier"]) for row in store.keys(connection)]
    try:
        keys = read_keys(settings.log_key)
    except KeyUnusable:
        return known
    return [*known, keys.current.verifier, *(each.key.verifier for each in keys.former)]


def signed_outside(settings: Settings) -> tuple[bytes | None, bytes | None]:
    """The checkpoint that lies beside the key, and the one that is published; None where one cannot be read.

    To be read before the store is: the log only grows, and so a store that is read later holds at least as much.
    """
    return _content(memory_of(settings.log_key)), _content(settings.log_folder / CHECKPOINT)


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def lacks_what_was_signed(
    outside: tuple[bytes | None, bytes | None], entries: int, keys: list[VerifierKey]
) -> str | None:
    """What to tell where the store holds fewer entries than were signed; None where it does not.

    What is not ours, or not what it should be, is left to whoever signs and publishes, who tell of that.
    """
    beside_the_key, published = outside
    signed = 0
    if beside_the_key is not None:
        with suppress(LogError):
            signed = Checkpoint.parse(Note.parse(beside_the_key).text).size
    if published is not None:
        with suppress(LogError):
            signed = max(signed, open_checkpoint(published, keys).checkpoint.size)
    if signed <= entries:
        return None
    return (
        f"the store holds {entries} entries of the audit log and {signed} were signed: it was put back from an old"
        " copy. Start nothing on it, and stop what runs; then onward audit restore (docs/running.md)"
    )
