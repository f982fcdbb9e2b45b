"""Time-ordered ids (UUIDv7): a table's newest rows lie together, which keeps inserts cheap at any size."""

from __future__ import annotations

import os
import threading
from datetime import datetime


class _Ticks:
    """Milliseconds and a 12-bit count, always rising in this process, also when the clock jumps back."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self, milliseconds: int) -> int:
        with self._lock:
            self._last = max(milliseconds << 12, self._last + 1)
            return self._last


_ticks = _Ticks()


def new_id(now: datetime) -> str:
    """A UUIDv7 (RFC 9562) of this moment, as text. In one process a later call's id always sorts later."""
    ticks = _ticks.next(int(now.timestamp() * 1000))
    head = f"{ticks >> 12:012x}"
    tail = os.urandom(8).hex()
    variant = "89ab"[int(tail[0], 16) & 3]
    return f"{head[:8]}-{head[8:]}-7{ticks & 0xFFF:03x}-{variant}{tail[1:4]}-{tail[4:]}"
