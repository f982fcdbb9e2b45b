"""A question to a human as casework reads it back: what was asked, of whom, and what waits for the answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from schemas.receipt import Problem
from schemas.refusal import Unacceptable
from schemas.roles import may_answer, who_may_answer
from services.router.rules.decision import RouteDecided

if TYPE_CHECKING:
    from services.router.casework.steps import ReviewKind  # which stands on the case, which stands on this


@dataclass(frozen=True, slots=True)
class WaitingRoute:
    """A route that was decided and waits for a human's word, as it was when that was asked."""

    route: RouteDecided
    due_at: datetime  # by when the rules wanted it
    comes_back_on_her: bool = False  # his side would hear what the other party's own service told
    told_in: tuple[str, ...] = ()  # the events that want it and that its destination may read, as they came


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
    perhaps: tuple[str, ...] = ()  # other persons, for a question of identity
    answers: tuple[str, ...] = ()  # the ones to choose from; empty: in the human's own words
    waiting: WaitingRoute | None = None
    answered: bool = False
    put_at: datetime | None = None  # when it was put to this role; None: not known
    person_id: str | None = None  # whose it is, of persons who are one; None: it was asked just now


def refused(reason: str, place: str, message: str) -> Unacceptable:
    """That a decision cannot be taken, as its sender is told."""
    return Unacceptable(reason, [Problem(place=f"/data{place}", message=message)])


def require_role(role: str, asked: str) -> None:
    """Raise Unacceptable unless somebody in this role may answer what is asked of that one."""
    if not may_answer(role, asked):
        message = f"this is for {' or '.join(who_may_answer(asked))} to decide"
        raise refused("not_their_role", "/decided_by/role", message)
