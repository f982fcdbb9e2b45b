"""What a rule is: a frozen, hashable tree of tests, and the actions that it asks for.

The tree is the meaning; YAML is one way to write it. Every reading (decide; later replay and prove) starts from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from services.router.rules.due import Due

FactValue: TypeAlias = bool | int | str | frozenset[str] | None  # None: unknown
Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
Values: TypeAlias = Mapping[str, FactValue]


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands in a rule set's files; lines and columns start at 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Is:
    """A yes/no fact has this answer."""

    fact: str
    value: bool
    at: Position | None = field(default=None, compare=False, repr=False)  # where it is written


@dataclass(frozen=True, slots=True)
class In:
    """A choice is one of these values (sorted)."""

    fact: str
    values: tuple[str, ...]
    at: Position | None = field(default=None, compare=False, repr=False)  # where it is written


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A whole number, or an ordered choice, is this or more."""

    fact: str
    bound: int | str
    at: Position | None = field(default=None, compare=False, repr=False)  # where it is written


@dataclass(frozen=True, slots=True)
class AtMost:
    """A whole number, or an ordered choice, is this or less."""

    fact: str
    bound: int | str
    at: Position | None = field(default=None, compare=False, repr=False)  # where it is written


@dataclass(frozen=True, slots=True)
class Has:
    """A set holds any, or all, of these values (sorted)."""

    fact: str
    values: tuple[str, ...]
    how: Literal["any", "all"]
    at: Position | None = field(default=None, compare=False, repr=False)  # where it is written


@dataclass(frozen=True, slots=True)
class Known:
    """The fact is known, whatever it is. The only test that is never unknown itself."""

    fact: str
    at: Position | None = field(default=None, compare=False, repr=False)  # where it is written


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds. No parts: true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds. No parts: false."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold; unknown stays unknown."""

    part: Condition


Test: TypeAlias = Is | In | AtLeast | AtMost | Has | Known
Condition: TypeAlias = Test | All | Any | Not

OFFER_ANSWERED_WITHIN: Final = Due(working_days=5)  # where a rule does not say

Priority: TypeAlias = Literal[1, 2, 3, 4]  # 1 is the most urgent
IfUnknown: TypeAlias = Literal["ask", "act", "note"]
Tier: TypeAlias = Literal["floor", "ordinary"]


class Role(StrEnum):
    """Who answers a review or an escalation."""

    FACILITATOR = "facilitator"
    DUTY_WORKER = "duty_worker"
    CASE_MANAGER = "case_manager"
    CLINICIAN = "clinician"
    PROGRAMME_MANAGER = "programme_manager"
    SAFEGUARDING_LEAD = "safeguarding_lead"


@dataclass(frozen=True, slots=True)
class Route:
    """Refer the person to a destination."""

    destination: str
    priority: Priority
    due: Due
    confirm: Literal["human"] | None = None  # human: proposed, and sent once somebody confirmed it


@dataclass(frozen=True, slots=True)
class OfferPause:
    """Offer a pause of one leg; taken up or declined by the person."""

    destination: str
    for_days: int
    welfare_check_days: int
    answer_within: Due = OFFER_ANSWERED_WITHIN


@dataclass(frozen=True, slots=True)
class ProposeResume:
    """Propose that a paused leg goes on."""

    destination: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A task for a human beside the routes; it never delays a route that is certain."""

    text: str
    due: Due


@dataclass(frozen=True, slots=True)
class Review:
    """A question that a human answers."""

    question: str
    role: Role
    due: Due


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell a destination's open leg something."""

    destination: str
    what: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """Bring the case before a role."""

    role: Role
    due: Due


@dataclass(frozen=True, slots=True)
class Withhold:
    """Take back ordinary routes to these destinations (sorted); floors stay."""

    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """Nothing needs doing, and the rule says so."""

    text: str


Action: TypeAlias = Route | OfferPause | ProposeResume | Hold | Review | Notify | Escalate | Withhold | Record


@dataclass(frozen=True, slots=True)
class Rule:
    """When this, then that, because. Where it stands in a file is no part of what it means."""

    id: str
    because: str
    when: Condition
    then: tuple[Action, ...]
    if_unknown: IfUnknown = "ask"
    tier: Tier = "ordinary"
    from_day: date | None = None  # in force from this day on (inclusive), Europe/London
    until_day: date | None = None  # and up to this day (inclusive)
    at: Position | None = field(default=None, compare=False)

    def in_force(self, day: date) -> bool:
        """Does the rule apply on this day?"""
        return (self.from_day is None or self.from_day <= day) and (self.until_day is None or day <= self.until_day)


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What stands where no rule says what to do, and what is asked where rules contradict one another."""

    review: Review
    contradiction: str  # the question where a pause and a resume of one leg meet; `{destination}` is filled in


def tests_of(condition: Condition) -> Iterator[Test]:
    """Every test of a condition, in the order in which it is written."""
    match condition:
        case All(parts) | Any(parts):
            for part in parts:
                yield from tests_of(part)
        case Not(part):
            yield from tests_of(part)
        case _:
            yield condition


def facts_in(condition: Condition) -> tuple[str, ...]:
    """The names of the facts that a condition reads, sorted."""
    return tuple(sorted({test.fact for test in tests_of(condition)}))
