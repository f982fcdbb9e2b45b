"""A question to a human as casework reads it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from schemas.receipt import Problem
from schemas.refusal import Unacceptable

if TYPE_CHECKING:
    from services.router.casework.steps import ReviewKind  # which stands on the case, which stands on this


@dataclass(frozen=True, slots=True)
class Review:
    """One question. It is answered once."""

    id: str
    kind: ReviewKind
    question: str
    role: str
    due_at: datetime
    event_id: str  # the event that it was asked about
    decision_id: str | None = None
    leg_id: str | None = None
    fact: str | None = None
    destination: str | None = None
    answers: tuple[str, ...] = ()  # the ones to choose from; empty: in the human's own words
    answered: bool = False
    put_at: datetime | None = None  # when it was put to this role; None: not known


def refused(reason: str, place: str, message: str) -> Unacceptable:
    """That a decision cannot be taken, as its sender is told."""
    return Unacceptable(reason, [Problem(place=f"/data{place}", message=message)])
