"""What casework can want done. Each step becomes rows of history, and commands, in the event's own transaction."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from schemas.vocabulary import LegStatus, PauseReason, RouteAction
from services.router.casework.case import Leg
from services.router.casework.reviews import WaitingRoute
from services.router.rules.decision import Decision, Reasons


class ReviewKind(StrEnum):
    """What a human is asked."""

    RULE = "rule"  # a rule wants a human to look
    HOLD = "hold"  # a task beside the routes
    RESUME = "resume"  # should a paused leg go on?
    ESCALATION = "escalation"  # brought before a role
    FACT = "fact"  # a fact that could change the outcome is not known
    CONFIRM_ROUTE = "confirm_route"  # a route that waits for a human's word
    LINK = "link"  # is this somebody that we know?
    TWO_LEGS = "two_legs"  # two persons who are one have a leg each to one destination


class TimerKind(StrEnum):
    """What a timer asks to be looked at. Acting on due timers is not built yet; they are set and shown."""

    ACKNOWLEDGEMENT = "acknowledgement"  # has the destination answered?
    REVIEW = "review"  # has a human answered?
    WELFARE_CHECK = "welfare_check"
    PAUSE_REVIEW = "pause_review"  # resume, extend or close?


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
    waiting: WaitingRoute | None = None


class ReviewAnswered(NamedTuple):
    """A human answered; what follows from it are steps of their own."""

    review_id: str
    by: str
    answer: str


class ReviewSnoozed(NamedTuple):
    """A question was put off: it is due, and looked at again, at another time."""

    review_id: str
    until: datetime
    timer_id: str  # of the timer that is set where the question's own has rung already


class DecidedAgain(NamedTuple):
    """An event was decided again with what a human answered. The steps after this one follow from it."""

    id: str
    event_id: str  # the event that was decided again
    first_decision: str | None
    decision: Decision


class PersonsRuledOut(NamedTuple):
    """Of the persons that a question of identity names, these are still to be asked about."""

    review_id: str
    perhaps: tuple[str, ...]


class CasePlaced(NamedTuple):
    """Whose case somebody's is part of from now on, and who is part of theirs."""

    person_id: str
    merged_into: str | None
    joined: tuple[str, ...]


class LegParted(NamedTuple):
    """A leg that leaves the case with its person goes on for itself again."""

    leg: Leg


class PauseOffered(NamedTuple):
    """An offer, not a pause: the person may choose to go on."""

    id: str
    leg_id: str
    for_days: int
    welfare_check_days: int


class OfferAnswered(NamedTuple):
    """The newest open offer on a leg was taken up or declined."""

    leg_id: str
    status: str  # agreed, declined


class PauseAgreed(NamedTuple):
    """A pause of one leg, agreed by person and facilitator."""

    id: str
    leg_id: str
    reason: PauseReason
    from_date: date
    until_date: date
    held_from: LegStatus


class PauseEnded(NamedTuple):
    """A leg goes on."""

    leg_id: str


class TimerSet(NamedTuple):
    """A promise to look again."""

    id: str
    kind: TimerKind
    due_at: datetime
    leg_id: str | None = None
    review_id: str | None = None


Step: TypeAlias = (
    LegOpened
    | LegMoved
    | Command
    | ReviewAsked
    | ReviewAnswered
    | ReviewSnoozed
    | DecidedAgain
    | PersonsRuledOut
    | CasePlaced
    | LegParted
    | PauseOffered
    | OfferAnswered
    | PauseAgreed
    | PauseEnded
    | TimerSet
)
