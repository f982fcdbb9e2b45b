"""What a picture is made from: the rows of one case, typed, without anything that it does not show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Side = Literal["person", "other_party", "panel", "unknown"]


@dataclass(frozen=True, slots=True)
class LegRow:
    """One referral to one destination."""

    id: str
    destination: str
    status: str
    since: datetime
    priority: int
    due_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class MoveRow:
    """One row of a leg's history."""

    id: str
    leg_id: str
    at: datetime
    from_status: str | None
    to_status: str
    because: str
    event_id: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened. Of its content only what it is about."""

    event_id: str
    sequence: int
    kind: str
    occurred_at: datetime
    taken_at: datetime
    source: str
    leg_id: str | None = None  # the leg that it names
    review_id: str | None = None  # the question that it answers
    reasons: tuple[str, ...] = ()  # of the rules that it met


@dataclass(frozen=True, slots=True)
class OfferRow:
    """A pause that was offered."""

    id: str
    leg_id: str
    offered_at: datetime
    for_days: int
    event_id: str
    answer: str | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class PauseRow:
    """A pause that was agreed."""

    id: str
    leg_id: str
    reason: str
    from_date: date
    until_date: date
    agreed_at: datetime
    event_id: str
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A welfare check of a pause."""

    id: str
    leg_id: str
    due_at: datetime
    status: str  # planned, due, done, missed, rescheduled, muted, not_needed
    outcome: str | None = None
    at: datetime | None = None  # when it became what it is
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question to a human."""

    id: str
    kind: str
    question: str
    role: str
    asked_at: datetime
    due_at: datetime
    event_id: str
    leg_id: str | None
    destination: str | None
    answered_at: datetime | None
    answered_by: str | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class TimerRow:
    """A promise to look again that has not fallen due."""

    id: str
    kind: str
    due_at: datetime
    leg_id: str | None
    review_id: str | None


@dataclass(frozen=True, slots=True)
class SentRow:
    """Something that was handed over to a leg's destination."""

    leg_id: str
    action: str
    event_id: str
    handed_over_at: datetime


@dataclass(frozen=True, slots=True)
class CaseRows:
    """All that a picture of one person's case needs."""

    person_id: str
    legs: tuple[LegRow, ...] = ()
    moves: tuple[MoveRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    offers: tuple[OfferRow, ...] = ()
    pauses: tuple[PauseRow, ...] = ()
    checks: tuple[CheckRow, ...] = ()
    questions: tuple[QuestionRow, ...] = ()
    timers: tuple[TimerRow, ...] = ()
    sent: tuple[SentRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """What the rule set says of a destination."""

    label: str
    side: Side
    source: str  # who speaks for it


@dataclass(frozen=True, slots=True)
class Directory:
    """The destinations by id. One that is no longer in the rule set has no known side."""

    places: Mapping[str, Place] = field(default_factory=dict)

    def label(self, destination: str) -> str:
        """What people call it."""
        known = self.places.get(destination)
        return known.label if known else destination.replace("_", " ").capitalize()

    def side(self, destination: str) -> Side:
        """Whose side it is on."""
        known = self.places.get(destination)
        return known.side if known else "unknown"

    def speaks_for(self, source: str) -> list[str]:
        """The destinations that a source speaks for."""
        return [id_ for id_, place in self.places.items() if place.source == source]
