"""Time-ordered ids (UUIDv7): a table's newest rows lie together, which keeps inserts cheap at any size."""

from __future__ import annotations

import os
import threading
from datetime import datetime

_COUNTS = [f"-7{count:03x}-" for count in range(1 << 12)]  # the version, and the count within the millisecond
_VARIANTS = ["89ab"[byte & 3] for byte in range(256)]


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
    random = os.urandom(8 * count)
    digits = random.hex()
    ids: list[str] = []
    while len(ids) < count:  # those of one millisecond at a time: they begin with the same digits
        tick, start = ticks[len(ids)], len(ids)
        head = f"{tick >> 28:08x}-{tick >> 12 & 0xFFFF:04x}"
        first = tick & 0xFFF
        here = range(start, min(count, start + (1 << 12) - first))
        ids += [
            f"{head}{_COUNTS[first + at - start]}{_VARIANTS[random[8 * at]]}"
            f"{digits[16 * at + 1 : 16 * at + 4]}-{digits[16 * at + 4 : 16 * at + 16]}"
            for at in here
        ]
    return ids
