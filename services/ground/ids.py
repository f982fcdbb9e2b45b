"""Time-ordered ids (UUIDv7): a table's newest rows lie together, which keeps inserts cheap at any size."""

from __future__ import annotations

import os
import threading
from datetime import datetime

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class _Ticks:
    """Milliseconds and a 12-bit count, always rising in this process, also when the clock jumps back."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self, milliseconds: int, count: int) -> range:
        """The next ticks, for nobody else."""
        with self._lock:
            first = max(milliseconds << 12, self._last + 1)
            self._last = first + count - 1
        return range(first, first + count)

    def forget(self) -> None:
        """A forked process must not have to wait for its parent's lock."""
        self._lock = threading.Lock()


_ticks = _Ticks()
os.register_at_fork(after_in_child=_ticks.forget)


def new_id(now: datetime) -> str:
    """A UUIDv7 (RFC 9562) of this moment, as text. In one process a later call's id always sorts later."""
    return ids_at(milliseconds_of(now), 1)[0]


def milliseconds_of(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp() * 1000)


def ids_at(milliseconds: int, count: int) -> list[str]:
    """The same as `new_id`, for a moment that many ids share: in rising order."""
    ticks = _ticks.next(milliseconds, count)
    digits = os.urandom(8 * count).hex()
    return [
        f"{tick >> 28:08x}-{tick >> 12 & 0xFFFF:04x}-7{tick & 0xFFF:03x}"
        f"-{_VARIANT[digits[at]]}{digits[at + 1 : at + 4]}-{digits[at + 4 : at + 16]}"
        for tick, at in zip(ticks, range(0, 16 * count, 16), strict=True)
    ]
