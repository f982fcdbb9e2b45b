"""What destinations themselves said of their places: full for a while, or taking people again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from schemas.vocabulary import ProgressKind
from services.router.rules.calendar import local_day
from services.router.rules.directory import Intake
from services.router.rules.ruleset import Destination

FULL_FOR: Final = timedelta(days=14)  # after that a destination is asked again: places come free without anybody saying
TAKES_AGAIN: Final = frozenset({ProgressKind.ACCEPTED, ProgressKind.STARTED})


class CapacityHeard(NamedTuple):
    """A destination said that it is full, or showed that it is not. It holds for everybody, not for one case."""

    destination: str
    full_until: datetime | None  # None: it takes people
    said_at: datetime  # when it was so; the latest word counts, whenever it arrives


@dataclass(slots=True)
class Places:
    """The latest word of each destination. Shared by a batch, so that one person's answer helps the next person."""

    heard: dict[str, CapacityHeard] = field(default_factory=dict)

    def hear(self, destination: str, kind: ProgressKind, said_at: datetime) -> list[CapacityHeard]:
        """Learn from a progress event. Nothing where it says nothing of places, or something newer is known.

        That somebody was taken is kept also where nothing was full: the word that it was may still be on its way.
        """
        before = self.heard.get(destination)
        if kind is ProgressKind.NO_CAPACITY:
            now = CapacityHeard(destination, said_at + FULL_FOR, said_at)
        elif kind in TAKES_AGAIN:
            now = CapacityHeard(destination, None, said_at)
        else:
            return []
        if before is not None and before.said_at >= said_at:
            return []
        self.heard[destination] = now
        return [now]

    def full(self, destination: Destination, now: datetime) -> str | None:
        """Why nobody can be taken, in words: by the directory, or by the destination's own later word."""
        heard, listed = self.heard.get(destination.id), destination.capacity
        if heard is not None and heard.full_until is not None and heard.full_until > now:
            return f"has no capacity, by its own word, until {_day(heard.full_until)}"
        if listed is None or listed.intake is not Intake.NO_CAPACITY:
            return None
        if heard is not None and heard.full_until is None and _after(heard.said_at, listed.as_of):
            return None  # it took somebody since that was written
        return "has no capacity, by the directory"

    def learned(self, destination: Destination, now: datetime) -> bool:
        """Is it full by its own word alone?"""
        listed = destination.capacity
        return self.full(destination, now) is not None and (listed is None or listed.intake is not Intake.NO_CAPACITY)


def places_of(heard: Mapping[str, CapacityHeard]) -> Places:
    """The words that were kept."""
    return Places(dict(heard))


def _after(moment: datetime, day: date | None) -> bool:
    """Certainly after that day; where the day is not known, nothing is certain."""
    return day is not None and local_day(moment) > day


def _day(moment: datetime) -> str:
    day = local_day(moment)
    return f"{day.day} {day:%B %Y}"
