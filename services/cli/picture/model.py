"""What a picture shows, before anybody has decided where: lanes over time, numbered events, what is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.cli.picture.words import Family, local


class MarkKind(StrEnum):
    """A small mark on a lane. Each has its own shape."""

    CHECK_DUE = "check_due"
    CHECK_DONE = "check_done"
    CHECK_MISSED = "check_missed"
    CHECK_OFF = "check_off"  # moved to another time, muted, or no longer needed
    OFFER_OPEN = "offer_open"
    OFFER_AGREED = "offer_agreed"
    OFFER_DECLINED = "offer_declined"
    SENT = "sent"  # the destination was told something


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that has one time, on a lane."""

    kind: MarkKind
    at: datetime
    says: str


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a lane in one status. `says` holds the same in shorter and shorter words, to fit where it stands."""

    start: datetime
    end: datetime
    family: Family
    label: str
    says: tuple[str, ...]
    ahead: bool = False  # still to come, if nothing changes


@dataclass(frozen=True, slots=True)
class Lane:
    """One leg over time. A leg that was reopened goes on here."""

    leg_id: str
    label: str
    other_side: bool  # not on the person's side: never to be shown to the person
    is_open: bool
    family: Family
    status: str  # where it stands, in words
    detail: str  # since when, until when, or why it was closed
    priority: int
    told: int  # how often its destination was told something
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, numbered in the order in which it did."""

    number: int
    id: str
    at: datetime
    says: str
    source: str
    told_at: datetime | None  # when we were told, if that was a day or more later
    effects: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a human: on the picture where it is due, or where it was answered."""

    number: int
    at: datetime
    says: str
    kind: str
    role: str
    about: str | None  # a lane's label
    asked_at: datetime
    due_at: datetime
    answered_at: datetime | None
    answer: str
    late: bool

    @property
    def name(self) -> str:
        """As it is marked: `Q1`."""
        return f"Q{self.number}"


@dataclass(frozen=True, slots=True)
class Due:
    """Something that is to be done next."""

    at: datetime
    says: str
    about: str  # a lane's label, or the role that is asked
    when: str  # `in 3 days`
    late: bool

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        end = "" if self.says.endswith((".", "?", "!")) else "."
        return f"{local(self.at)} ({self.when}), {self.about}: {self.says}{end}"


@dataclass(frozen=True, slots=True)
class Rest:
    """A pause, or the offer of one, in words."""

    about: str
    what: str
    when: str
    became: str


@dataclass(frozen=True, slots=True)
class Check:
    """A welfare check, in words."""

    about: str
    due_at: datetime
    became: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One case. All that a renderer needs; none of them looks anywhere else."""

    person_id: str
    now: datetime
    warning: str | None  # who must not see it
    for_whom: str
    summary: tuple[str, ...]
    start: datetime  # of what is drawn
    end: datetime
    lanes: tuple[Lane, ...]
    events: tuple[Event, ...]
    questions: tuple[Question, ...]
    dues: tuple[Due, ...]
    rests: tuple[Rest, ...]
    checks: tuple[Check, ...]
    unnumbered: int  # timers that fell due: what they asked is drawn, they are not
