"""What a rule set said of one event: what to do, why, what is not known, and by which version of the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from services.router.rules.due import Due
from services.router.rules.language import FactValue, IfUnknown, Json, Priority, Role, Tier

if TYPE_CHECKING:
    from services.router.rules.facts import Facts  # which stands on the rule set, which stands on this


class Reason(NamedTuple):
    """A rule that asked for something, and its sentence."""

    rule: str
    because: str


Reasons: TypeAlias = tuple[Reason, ...]


class RouteDecided(NamedTuple):
    """Refer to a destination: the best priority and the earliest due of the rules that ask for it."""

    destination: str
    priority: Priority
    due: Due
    tier: Tier  # floor: at least one safety rule asks for it
    confirm: Literal["human"] | None  # human: every rule that asks for it wants a human to confirm first
    reasons: Reasons


class OfferDecided(NamedTuple):
    """Offer a pause of one leg: the longest asked for, with the most frequent welfare checks asked for."""

    destination: str
    for_days: int
    welfare_check_days: int
    answer_within: Due
    reasons: Reasons


class ResumeDecided(NamedTuple):
    """Propose that a paused leg goes on."""

    destination: str
    reasons: Reasons


class HoldDecided(NamedTuple):
    """A task for a human beside the routes."""

    text: str
    due: Due
    reasons: Reasons


class ReviewDecided(NamedTuple):
    """A question for a human. Reasons are empty where no rule matched at all."""

    question: str
    role: Role
    due: Due
    reasons: Reasons


class NotifyDecided(NamedTuple):
    """Tell a destination something."""

    destination: str
    what: str
    reasons: Reasons


class EscalationDecided(NamedTuple):
    """Bring the case before a role."""

    role: Role
    due: Due
    reasons: Reasons


class Recorded(NamedTuple):
    """Nothing needs doing, and a rule said so."""

    text: str
    reasons: Reasons


class Withheld(NamedTuple):
    """What ordinary rules asked for and other rules took back. A floor may still route there."""

    destination: str
    priority: Priority
    held_back_by: Reasons
    reasons: Reasons


class Question(NamedTuple):
    """One unknown fact that could change the outcome, with the most urgent due of the rules that hang on it."""

    fact: str
    question: str
    due: Due
    rules: tuple[str, ...]


class TrueTest(NamedTuple):
    """A test that helped a rule to hold, the fact's value then, and where that came from."""

    test: str
    fact: str
    value: FactValue
    origin: str


class Matched(NamedTuple):
    """A rule that was acted on."""

    rule: str
    because: str
    tier: Tier
    certain: bool  # no: a floor that acted although a fact is unknown
    tests: tuple[TrueTest, ...]


class Unknown(NamedTuple):
    """A rule that hangs on unknown facts."""

    rule: str
    if_unknown: IfUnknown
    facts: tuple[str, ...]


class Outcome(NamedTuple):
    """What rules ask for together, each part in order."""

    routes: tuple[RouteDecided, ...]
    offers: tuple[OfferDecided, ...]
    resumes: tuple[ResumeDecided, ...]
    holds: tuple[HoldDecided, ...]
    reviews: tuple[ReviewDecided, ...]
    notifies: tuple[NotifyDecided, ...]
    escalations: tuple[EscalationDecided, ...]
    records: tuple[Recorded, ...]
    withheld: tuple[Withheld, ...]


@dataclass(slots=True)  # not frozen: of so many fields that takes four times as long to make
class Decision:
    """Everything that one event leads to. Never empty: where no rule says what to do, a review asks a human."""

    digest: str
    facts: Facts
    routes: tuple[RouteDecided, ...]
    offers: tuple[OfferDecided, ...]
    resumes: tuple[ResumeDecided, ...]
    holds: tuple[HoldDecided, ...]
    reviews: tuple[ReviewDecided, ...]
    notifies: tuple[NotifyDecided, ...]
    escalations: tuple[EscalationDecided, ...]
    records: tuple[Recorded, ...]
    withheld: tuple[Withheld, ...]
    questions: tuple[Question, ...]
    matched: tuple[Matched, ...]
    unknown: tuple[Unknown, ...]

    def to_json(self) -> dict[str, Json]:
        """Plain JSON; equal decisions give equal text."""
        said: dict[str, Json] = {"digest": self.digest, "facts": self.facts.to_json()}
        for name in PARTS:
            said[name] = [plain(item) for item in getattr(self, name)]
        return said


OUTCOME = Outcome._fields
DUE_PARTS = ("hours", "working_days", "working_hours")
PARTS = (*OUTCOME, "questions", "matched", "unknown")


def plain(value: object) -> Json:
    """A part of a decision as plain JSON."""
    if isinstance(value, Due):
        return {name: number for name in DUE_PARTS if (number := getattr(value, name)) is not None}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, frozenset):
        return [plain(item) for item in sorted(value)]
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)
