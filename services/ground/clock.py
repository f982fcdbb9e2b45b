"""Time as a parameter. Nothing else in services/ or schemas/ reads the wall clock (a test holds that)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")  # what people read; the store holds UTC


class Clock(Protocol):
    """Tells the time, in UTC."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class WallClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)


class SetClock:
    """A clock that stands still until it is moved: for tests, simulations and the demo's weeks."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The moment it was last set to."""
        return self._now

    def move(self, by: timedelta) -> None:
        """Let time pass (or jump back, as real clocks do)."""
        self._now += by

    def set(self, to: datetime) -> None:
        """Go to a moment."""
        self._now = to.astimezone(UTC)


def for_people(moment: datetime) -> str:
    """A moment as people in the United Kingdom read it, e.g. `Mon 23 Nov 2026 16:05`."""
    return moment.astimezone(LONDON).strftime("%a %d %b %Y %H:%M")
