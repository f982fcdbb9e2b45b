"""Files that are there whole or not at all, whatever dies when."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

EVERYBODY_READS: Final = 0o644


def write_whole(file: Path, content: bytes, *, mode: int = EVERYBODY_READS) -> None:
    """Write a file beside its place, sync it to disk, and put it there in one step. Its folder must exist."""
    put_whole(file, content, mode=mode)
    sync_folder(file.parent)


def put_whole(file: Path, content: bytes, *, mode: int = EVERYBODY_READS) -> None:
    """The same, for whoever syncs the folder later (`sync_folder`): a power cut before that may undo it."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(file)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def mark_of(file: Path) -> tuple[int, ...] | None:
    """What changes whenever a file is changed, replaced or closed to somebody; None where there is none to be seen."""
    try:
        now = file.stat()
    except OSError:
        return None
    return now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


def sync_folder(folder: Path) -> None:
    """Have a folder's names on disk: without it a power cut can undo a rename."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
