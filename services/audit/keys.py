"""The key that signs the log, in a file of its own: apart from the database, so that who can write there cannot sign.

The file has a key a line (`PRIVATE+KEY+...`, as Go's sumdb/note writes them): first the one that signs, below it a
former one with the moment until which it signs as well. Beside the file lies what was signed last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from schemas.log.errors import LogError
from schemas.log.note import SigningKey
from services.audit.files import write_whole
from services.ground.errors import OnwardError

OWNER_ALONE: Final = 0o600
_OTHERS: Final = 0o007


class KeyUnusable(OnwardError):
    """The log cannot be signed with what is in the key's file."""


class KeyMissing(KeyUnusable):
    """The key's file is not there."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"the audit log's key {file} is not there, so nothing is signed; put it back from its copy, or where it is"
            " lost for good begin with a new one: onward audit keys rotate --lost"
        )


@dataclass(frozen=True, slots=True)
class Former:
    """A key that was followed by another one."""

    key: SigningKey
    until: datetime  # it signs as well until then


@dataclass(frozen=True, slots=True)
class LogKeys:
    """What signs the log."""

    current: SigningKey
    former: tuple[Former, ...] = ()

    def signing(self, now: datetime) -> list[SigningKey]:
        """The keys that sign a checkpoint now, the current one first."""
        return [self.current, *(each.key for each in self.former if now < each.until)]

    def followed_by(self, new: SigningKey, *, now: datetime, until: datetime) -> LogKeys:
        """The keys after a rotation: `new` signs, and the one before it as well until then."""
        kept = [each for each in self.former if now < each.until]
        return LogKeys(new, (Former(self.current, until), *kept))


def read_keys(file: Path) -> LogKeys:
    """The keys of a file. Raises KeyMissing or KeyUnusable, which never repeat a key."""
    try:
        if file.stat().st_mode & _OTHERS:
            raise KeyUnusable(f"the audit log's key {file} can be read by anybody: chmod 600 it")
        lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
    except FileNotFoundError:
        raise KeyMissing(file) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(f"the audit log's key {file} cannot be read: {type(error).__name__}") from None
    try:
        [[current], *others] = lines
        former = tuple(Former(SigningKey.parse(key), datetime.fromisoformat(until)) for key, until in others)
        return LogKeys(SigningKey.parse(current), former)
    except (ValueError, LogError):
        raise KeyUnusable(f"{file} is not a key of an audit log: put it back from its copy") from None


def write_keys(file: Path, keys: LogKeys) -> None:
    """Write the keys, for their owner alone: all of them or nothing. Raises KeyUnusable."""
    lines = [keys.current.secret(), *(f"{each.key.secret()} {each.until.isoformat()}" for each in keys.former)]
    _write(file, "".join(f"{line}\n" for line in lines).encode())


def make_first_key(file: Path, origin: str, *, signed_before: bool) -> None:
    """Make the key of a log that was never signed. Does nothing where it is there; KeyMissing if the log was signed."""
    if file.exists():
        read_keys(file)
        return
    if signed_before:
        raise KeyMissing(file)
    write_keys(file, LogKeys(SigningKey.generate(origin)))


def memory_of(file: Path) -> Path:
    """Where what this key signed last is kept: the one thing that tells when a store was put back from an old copy."""
    return file.with_suffix(".signed")


def last_signed(file: Path) -> bytes | None:
    """The note that the key of this file signed last; None where it signed none."""
    try:
        return memory_of(file).read_bytes()
    except FileNotFoundError:
        return None


def remember_signed(file: Path, note: bytes) -> None:
    """Keep what is signed, before anybody sees it: from then on no other history is signed. Raises KeyUnusable."""
    _write(memory_of(file), note)


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(file, content, mode=OWNER_ALONE)
    except OSError as error:
        raise KeyUnusable(
            f"{file} cannot be written ({error.strerror or type(error).__name__}), so the audit log cannot be signed:"
            " make room or see to its folder's rights, or set ONWARD_LOG_KEY_FILE"
        ) from error
