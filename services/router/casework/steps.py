"""What casework can want done. Each step becomes rows of history, and commands, in the event's own transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from schemas.vocabulary import RouteAction, TimerKind
from services.router.casework.case import Leg
from services.router.casework.resting import Offer, Pause, WelfareCheck
from services.router.rules.decision import Reasons


class ReviewKind(StrEnum):
    """What a human is asked."""

    RULE = "rule"  # a rule wants a human to look
    HOLD = "hold"  # a task beside the routes
    RESUME = "resume"  # should a paused leg go on?
    ESCALATION = "escalation"  # brought before a role
    FACT = "fact"  # a fact that could change the outcome is not known
    CONFIRM_ROUTE = "confirm_route"  # a route that waits for a human's word
    LINK = "link"  # is this somebody that we know?
    OFFER_LAPSED = "offer_lapsed"  # an offered pause was not answered in time: agree or decline?
    PAUSE_END = "pause_end"  # a pause is over: resume, extend or close?
    WELFARE_CHECK = "welfare_check"  # a welfare check is due, or was missed: how is he?


class LegOpened(NamedTuple):
    """A new leg."""

    leg: Leg
    reasons: Reasons


class LegMoved(NamedTuple):
    """A leg changed its status, or how urgent it is."""

    before: Leg
    leg: Leg
    because: str


class Command(NamedTuple):
    """Something to be sent to a leg's destination. `number` counts the leg's commands from 1."""

    leg: Leg
    action: RouteAction
    number: int
    reasons: Reasons


class ReviewAsked(NamedTuple):
    """A question to a human."""

    id: str
    kind: ReviewKind
    question: str
    role: str
    due_at: datetime
    leg_id: str | None = None
    fact: str | None = None
    destination: str | None = None
    answers: tuple[str, ...] = ()  # the ones to choose from; empty: in the human's own words


class ReviewAnswered(NamedTuple):
    """A human answered. Acting on the answer is casework's next part; it is kept and shown."""

    review_id: str
    by: str
    answer: str


class PauseOffered(NamedTuple):
    """An offer, not a pause: the person may choose to go on."""

    offer: Offer


class OfferAnswered(NamedTuple):
    """An offer was taken up or declined, or lapsed, or gave way to another."""

    offer: Offer  # as it stands now


class PauseAgreed(NamedTuple):
    """A pause of one leg, agreed by person and facilitator."""

    pause: Pause


class PauseChanged(NamedTuple):
    """A pause is longer or shorter now, has other terms, or its end is being asked about."""

    pause: Pause


class PauseEnded(NamedTuple):
    """A leg rests no longer."""

    pause: Pause


class CheckPlanned(NamedTuple):
    """A welfare check that was not there before."""

    check: WelfareCheck


class CheckChanged(NamedTuple):
    """What became of a welfare check."""

    check: WelfareCheck


class TimerSet(NamedTuple):
    """A promise to look again."""

    id: str
    kind: TimerKind
    due_at: datetime
    leg_id: str | None = None
    review_id: str | None = None


Resting: TypeAlias = (  # what is kept of offers, pauses and welfare checks
    PauseOffered | OfferAnswered | PauseAgreed | PauseChanged | PauseEnded | CheckPlanned | CheckChanged
)
Step: TypeAlias = (
    LegOpened
    | LegMoved
    | Command
    | ReviewAsked
    | ReviewAnswered
    | PauseOffered
    | OfferAnswered
    | PauseAgreed
    | PauseChanged
    | PauseEnded
    | CheckPlanned
    | CheckChanged
    | TimerSet
)


def records_of(steps: Iterable[Step]) -> list[tuple[str, str]]:
    """The records that steps make or change, as (kind, id), each once: legs first, for lists are cut."""
    found: dict[str, set[str]] = {kind: set() for kind in ("leg", "review", "offer", "pause", "welfare_check")}
    for step in steps:
        match step:
            case LegOpened() | LegMoved() | Command():
                found["leg"].add(step.leg.id)
            case ReviewAsked():
                found["review"].add(step.id)
            case PauseOffered(offer) | OfferAnswered(offer):
                found["offer"].add(offer.id)
            case PauseAgreed(pause) | PauseChanged(pause) | PauseEnded(pause):
                found["pause"].add(pause.id)
            case CheckPlanned(check) | CheckChanged(check):
                found["welfare_check"].add(check.id)
            case _:
                pass
    return [(kind, id_) for kind, ids in found.items() for id_ in sorted(ids)]
