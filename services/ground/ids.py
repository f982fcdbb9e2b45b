"""Time-ordered ids (UUIDv7): a table's newest rows lie together, which keeps inserts cheap at any size."""

from __future__ import annotations

import os
import threading
from datetime import datetime

_AT_ONCE = 512  # tails asked of the system together: each question lets go of the interpreter's lock, and a batch asks
# for thousands of ids


class _Ticks:
    """Milliseconds and a 12-bit count, always rising in this process, also when the clock jumps back."""

    def __init__(self) -> None:
        self._last = 0
        self._tails: list[str] = []
        self._lock = threading.Lock()

    def next(self, milliseconds: int) -> tuple[int, str]:
        """The next tick, and a tail of random digits that nobody else has."""
        with self._lock:
            self._last = last = max(milliseconds << 12, self._last + 1)
            if not self._tails:
                self._tails = _random_tails()
            return last, self._tails.pop()

    def forget(self) -> None:
        """Ask the system anew: a forked process must not have its parent's digits."""
        self._lock = threading.Lock()
        self._tails = []


def _random_tails() -> list[str]:
    """The last two groups of as many ids, with the variant's bits set."""
    digits = os.urandom(8 * _AT_ONCE).hex()
    tails = [digits[start : start + 16] for start in range(0, len(digits), 16)]
    return [f"{'89ab'[int(tail[0], 16) & 3]}{tail[1:4]}-{tail[4:]}" for tail in tails]


_ticks = _Ticks()
os.register_at_fork(after_in_child=_ticks.forget)


def new_id(now: datetime) -> str:
    """A UUIDv7 (RFC 9562) of this moment, as text. In one process a later call's id always sorts later."""
    return id_at(milliseconds_of(now))


def milliseconds_of(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp() * 1000)


def id_at(milliseconds: int) -> str:
    """The same as `new_id`, for a moment that many ids share."""
    ticks, tail = _ticks.next(milliseconds)
    head = f"{ticks >> 12:012x}"
    return f"{head[:8]}-{head[8:]}-7{ticks & 0xFFF:03x}-{tail}"
