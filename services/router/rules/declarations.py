"""What a fact is: its name, its type, where it comes from and what silence means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import BaseModel

from services.router.rules.events import EventKind
from services.router.rules.language import FactValue
from services.router.rules.mistakes import ImpossibleValue

NONE = "none"  # no leg there; an event about no leg; a choice whose silence means absent
Measure: TypeAlias = Literal["value", "age", "count", "days_since", "days_until", "given", "answered_yes", "served"]


@dataclass(frozen=True, slots=True)
class YesNo:
    """Yes or no."""

    def __str__(self) -> str:
        return "yes/no"


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """A whole number of a range, both ends included. Values beyond it are brought to its nearer end."""

    low: int
    high: int

    def __str__(self) -> str:
        return "int"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these values; where ordered, they are in rising order."""

    values: tuple[str, ...]
    ordered: bool = False

    def __str__(self) -> str:
        return "ordered choice" if self.ordered else "choice"


@dataclass(frozen=True, slots=True)
class SetOf:
    """Any number of these values."""

    values: tuple[str, ...]

    def __str__(self) -> str:
        return "set"


FactType: TypeAlias = YesNo | WholeNumber | Choice | SetOf


@dataclass(frozen=True, slots=True)
class FieldPath:
    """One field of one payload: how it is called, and what reads it."""

    payload: type[BaseModel]
    path: str
    pointer: str  # for people and JSON: /person/date_of_birth
    read: Callable[[BaseModel], object] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FromEvent:
    """A field of the event, under the same or another name in each payload that has it."""

    fields: tuple[FieldPath, ...]
    measure: Measure = "value"
    remembered: bool = False  # where an event does not state it, the last one that did is believed
    among: tuple[str, ...] = ()  # of measure "served": the areas, in small letters


@dataclass(frozen=True, slots=True)
class KindOfEvent:
    """Which kind of event this is."""


@dataclass(frozen=True, slots=True)
class LegOfEvent:
    """Which destination's leg the event is about."""


@dataclass(frozen=True, slots=True)
class StatusOfLeg:
    """Where the leg to a destination stands."""

    destination: str


@dataclass(frozen=True, slots=True)
class DaysInStatus:
    """How many days the leg to a destination has stood where it stands."""

    destination: str


@dataclass(frozen=True, slots=True)
class CountWithin:
    """The most events of these kinds in one stretch of days that holds this event (itself counted)."""

    kinds: tuple[EventKind, ...]
    days: int


@dataclass(frozen=True, slots=True)
class DaysSince:
    """Days since the last earlier event of these kinds. Never: the top of the range."""

    kinds: tuple[EventKind, ...]


@dataclass(frozen=True, slots=True)
class DaysToHoliday:
    """Days until the next bank holiday or holiday season."""


Source: TypeAlias = (
    FromEvent | KindOfEvent | LegOfEvent | StatusOfLeg | DaysInStatus | CountWithin | DaysSince | DaysToHoliday
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that rules may test."""

    name: str
    says: str
    type: FactType
    source: Source
    ask: str  # the question put to a human when it is unknown and matters
    unstated: Literal["unknown", "absent"] = "unknown"

    @property
    def silent(self) -> FactValue:
        """The value where nobody stated one."""
        if self.unstated == "unknown":
            return None
        match self.type:
            case SetOf():
                return frozenset()
            case YesNo():
                return False
            case WholeNumber(low):
                return low
            case Choice():
                return NONE

    @property
    def answers(self) -> tuple[str, ...]:
        """What can be answered to `ask`. A number is answered with one, a set with some of these."""
        match self.type:
            case YesNo():
                return ("yes", "no")
            case Choice(values) | SetOf(values):
                return values
            case WholeNumber():
                return ()

    def value_said(self, said: str) -> FactValue:
        """A human's answer in text as this fact's value; of a set the values with commas between, or `none`."""
        if isinstance(self.type, SetOf) and said not in self.type.values:
            return self.value_of([] if said == NONE else [part.strip() for part in said.split(",")])
        return self.value_of(said)

    def value_of(self, stated: object) -> FactValue:
        """A stated answer as this fact's value: checked, never echoed."""
        match self.type:
            case YesNo() if isinstance(stated, bool):
                return stated
            case YesNo() if stated in ("yes", "no"):
                return stated == "yes"
            case WholeNumber(low, high) if isinstance(stated, int) and not isinstance(stated, bool):
                return max(low, min(high, stated))
            case WholeNumber() if isinstance(stated, str) and stated.isascii() and stated.isdigit():
                return self.value_of(int(stated[:9]))
            case Choice(values) if isinstance(stated, str) and stated in values:
                return str(stated)
            case SetOf(values) if isinstance(stated, str) and stated in values:
                return frozenset({str(stated)})
            case SetOf(values) if isinstance(stated, (list, tuple, set, frozenset)):
                if all(isinstance(value, str) and value in values for value in stated):
                    return frozenset(str(value) for value in stated)
        raise ImpossibleValue(self.name, str(self.type))
