"""What casework can want done. Each step becomes rows of history, and commands, in the event's own transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from schemas.vocabulary import RouteAction, TimerKind
from services.router.casework.case import Leg
from services.router.casework.places import CapacityHeard
from services.router.casework.resting import Offer, Pause, WelfareCheck
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
    CONFLICT = "conflict"  # what was told of a leg cannot all be so
    CLOSED = "closed"  # a leg was closed, by a human or its destination: is that right?
    UNTIMED_HOLD = "untimed_hold"  # a human put a leg aside without an end: until when?
    DEADLINE = "deadline"  # a time has passed in which something should have happened
    OFFER_LAPSED = "offer_lapsed"  # an offered pause was not answered in time: agree or decline?
    PAUSE_END = "pause_end"  # a pause is over: resume, extend or close?
    WELFARE_CHECK = "welfare_check"  # a welfare check is due, or was missed: how is he?
    NO_DESTINATION = "no_destination"  # nobody is left who could take him, or one stays silent: where now?
    WHICH_LEG = "which_leg"  # two open legs do the same job: which stays?
    RETENTION = "retention"  # a closed case's time is over: dispose of it, or keep it?


class Effect(StrEnum):
    """What became of a leg by what was said of it."""

    OPENED = "opened"
    MOVED = "moved"
    NOTED = "noted"  # it says what is so already, or nothing of where the leg stands
    CONFLICT = "conflict"  # it cannot be so beside what is known: a human is asked
    CORRECTED = "corrected"  # a human says that it stood wrongly
    REOPENED = "reopened"
    CONCLUDED = "concluded"  # it had ended; now nothing more is to be done


class Word(NamedTuple):
    """What was said of a leg, when it happened and who answers for it."""

    said: str  # a ProgressKind or a DecisionKind
    occurred_at: datetime
    by: str | None = None  # the user, where a human decided
    reason: str | None = None  # a code of pathway.yaml


class LegOpened(NamedTuple):
    """A new leg."""

    leg: Leg
    reasons: Reasons
    note: str = ""  # for its history alone: in whose stead it is, and who was passed over


class LegMoved(NamedTuple):
    """A leg changed its status, or how urgent it is."""

    before: Leg
    leg: Leg
    because: str
    effect: Effect = Effect.MOVED
    word: Word | None = None


class LegNoted(NamedTuple):
    """Something was said of a leg that left it where it stands."""

    leg: Leg
    because: str
    effect: Effect
    word: Word


class Command(NamedTuple):
    """Something to be sent to a leg's destination. `number` counts the leg's commands from 1."""

    leg: Leg
    action: RouteAction
    number: int
    reasons: Reasons
    about: str | None = None  # the event whose content goes with it; None: the one that is acted on


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
    keep_until: date | None = None  # where a closed case is kept: when it is asked about again


class ReviewSnoozed(NamedTuple):
    """A question was put off: it is due, and looked at again, at another time."""

    review_id: str
    until: datetime


class RouteRaised(NamedTuple):
    """A route that waits for a human's word changed: another event wants it too, for more reasons, perhaps sooner."""

    review_id: str
    waiting: WaitingRoute
    due_at: datetime  # of the question


class DecidedAgain(NamedTuple):
    """An event was decided again with what a human answered. The steps after this one follow from it."""

    id: str
    event_id: str  # the event that was decided again
    first_decision: str | None
    decision: Decision


class OwnDecision(NamedTuple):
    """The steps after this one follow from the decision on the event itself again."""


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


class TimerCancelled(NamedTuple):
    """Promises that nobody waits for any more: one by its id, or those of a leg or a review, of some kinds or of all.

    They stay in the store with why. One that fell due already and is on its way asks nothing when it arrives.
    """

    why: str
    timer_id: str | None = None
    leg_id: str | None = None
    review_id: str | None = None
    kinds: tuple[TimerKind, ...] = ()  # empty: of every kind

    def means(self, id_: str, kind: TimerKind, leg_id: str | None, review_id: str | None) -> bool:
        """Whether a timer is among those."""
        if self.timer_id is not None:
            return id_ == self.timer_id
        same = (self.leg_id is not None and leg_id == self.leg_id) or (
            self.review_id is not None and review_id == self.review_id
        )
        return same and (not self.kinds or kind in self.kinds)


class ReviewMoved(NamedTuple):
    """A question goes to another role, or comes back to its own, with a new due time."""

    review_id: str
    role: str
    due_at: datetime


class NewsParted(NamedTuple):
    """Of what a leg was told, these events are of the one whose leg it is; the others are another person's again."""

    leg_id: str
    told_in: tuple[str, ...]


Resting: TypeAlias = (  # what is kept of offers, pauses and welfare checks
    PauseOffered | OfferAnswered | PauseAgreed | PauseChanged | PauseEnded | CheckPlanned | CheckChanged
)
Step: TypeAlias = (
    LegOpened
    | LegMoved
    | LegNoted
    | Command
    | ReviewAsked
    | ReviewAnswered
    | ReviewSnoozed
    | RouteRaised
    | DecidedAgain
    | OwnDecision
    | PersonsRuledOut
    | CasePlaced
    | LegParted
    | NewsParted
    | PauseOffered
    | OfferAnswered
    | PauseAgreed
    | PauseChanged
    | PauseEnded
    | CheckPlanned
    | CheckChanged
    | TimerSet
    | TimerCancelled
    | ReviewMoved
    | CapacityHeard
)


# Which record a step makes or changes, in this order, and which of a case's fields by that.
_CHANGES: Final[Mapping[str, str]] = {
    "decision": "decision",
    "leg": "status",
    "review": "question",
    "offer": "offer",
    "pause": "pause",
    "welfare_check": "welfare_check",
    "capacity": "full_until",
}
_KINDS: Final = tuple(_CHANGES)
_RECORDS: Final[Mapping[type, tuple[int, Callable[[object], str]]]] = {
    step: (_KINDS.index(kind), attrgetter(id_))
    for kind, id_, steps in (
        ("decision", "id", (DecidedAgain,)),
        ("leg", "leg.id", (LegOpened, LegMoved, LegNoted, LegParted, Command)),
        ("leg", "leg_id", (NewsParted,)),
        ("review", "id", (ReviewAsked,)),
        ("review", "review_id", (ReviewAnswered, ReviewMoved, ReviewSnoozed, RouteRaised)),
        ("offer", "offer.id", (PauseOffered, OfferAnswered)),
        ("pause", "pause.id", (PauseAgreed, PauseChanged, PauseEnded)),
        ("welfare_check", "check.id", (CheckPlanned, CheckChanged)),
        ("capacity", "destination", (CapacityHeard,)),
    )
    for step in steps
}


def records_of(steps: Iterable[Step]) -> list[tuple[str, str]]:
    """The records that steps make or change, as (kind, id), each once: decisions and legs first."""
    found: set[tuple[int, str]] = set()
    for step in steps:
        record = _RECORDS.get(type(step))
        if record is not None:
            place, id_of = record
            found.add((place, id_of(step)))
    return [(_KINDS[place], id_) for place, id_ in sorted(found)]


def changed_by(records: Iterable[tuple[str, str]]) -> list[str]:
    """What of a case is changed where these records, of (kind, id), are made or changed: as audit entries name it."""
    return sorted({_CHANGES[kind] for kind, _ in records if kind in _CHANGES})
