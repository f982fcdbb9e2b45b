"""Time-ordered ids (UUIDv7): a table's newest rows lie together, which keeps inserts cheap at any size."""

from __future__ import annotations

import os
import threading
from datetime import datetime

_TAIL_BYTES = 8
_AT_ONCE = 512  # tails asked of the system together: each question lets go of the interpreter's lock, and a batch asks
# for thousands of ids


class _Ticks:
    """Milliseconds and a 12-bit count, always rising in this process, also when the clock jumps back."""

    def __init__(self) -> None:
        self._last = 0
        self._random = ""
        self._at = 0
        self._lock = threading.Lock()

    def next(self, milliseconds: int) -> tuple[int, str]:
        """The next tick, and random digits that nobody else has."""
        with self._lock:
            self._last = max(milliseconds << 12, self._last + 1)
            if self._at >= len(self._random):
                self._random, self._at = os.urandom(_TAIL_BYTES * _AT_ONCE).hex(), 0
            start = self._at
            self._at = start + 2 * _TAIL_BYTES
            return self._last, self._random[start : self._at]

    def forget(self) -> None:
        """Ask the system anew: a forked process must not have its parent's digits."""
        self._lock = threading.Lock()
        self._random, self._at = "", 0


_ticks = _Ticks()
os.register_at_fork(after_in_child=_ticks.forget)


def new_id(now: datetime) -> str:
    """A UUIDv7 (RFC 9562) of this moment, as text. In one process a later call's id always sorts later."""
    ticks, tail = _ticks.next(int(now.timestamp() * 1000))
    head = f"{ticks >> 12:012x}"
    variant = "89ab"[int(tail[0], 16) & 3]
    return f"{head[:8]}-{head[8:]}-7{ticks & 0xFFF:03x}-{variant}{tail[1:4]}-{tail[4:]}"
