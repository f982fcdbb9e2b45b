"""How the facts of one kind of event are got: worked out once a rule set, so that most facts cost nothing an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from pydantic import BaseModel

from services.router.rules.declarations import (
    NONE,
    CountWithin,
    DaysInStatus,
    DaysSince,
    DaysToHoliday,
    Fact,
    FromEvent,
    KindOfEvent,
    LegOfEvent,
    StatusOfLeg,
)
from services.router.rules.events import EventKind, payload_of
from services.router.rules.fields import Read
from services.router.rules.language import FactValue
from services.router.rules.measures import Convert, Keep, converter, keeper, top

CASE, CALENDAR, WINDOW, ANSWER, EXAMPLE, UNSTATED = "case", "calendar", "window", "answer", "example", "not stated"


class FieldStep(NamedTuple):
    """One fact that the payload may state."""

    name: str
    fact: Fact
    source: FromEvent
    convert: Convert
    read: Read | None  # None: this payload has no such field; only what is remembered can tell
    origin: str


class KeepStep(NamedTuple):
    """One fact that the case is to remember."""

    name: str
    read: Read
    keep: Keep


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for every event of a kind, and what has to be looked up."""

    values: MappingProxyType[str, FactValue]  # of a person who is new to us, where the event states nothing
    origins: MappingProxyType[str, str]
    fields: tuple[FieldStep, ...]
    remembered: tuple[KeepStep, ...]  # those of them that the case is to remember where this event states them
    legs: frozenset[str]
    days_in_status: tuple[tuple[str, Fact, DaysInStatus], ...]
    windows: tuple[tuple[str, Fact, CountWithin | DaysSince], ...]
    days_to_holiday: tuple[tuple[str, Fact], ...]


def plan_for(facts: Mapping[str, Fact], kind: EventKind) -> Plan:
    """The plan for one kind of event."""
    payload = payload_of(kind)
    said = {name: _before_any_event(fact, kind) for name, fact in facts.items()}
    steps = [_field_step(fact, fact.source, payload) for fact in facts.values() if isinstance(fact.source, FromEvent)]
    fields = tuple(step for step in steps if step.read is not None or step.source.remembered)
    return Plan(
        values=MappingProxyType({name: value for name, (value, _) in said.items()}),
        origins=MappingProxyType({name: origin for name, (_, origin) in said.items()}),
        fields=fields,
        remembered=tuple(
            KeepStep(step.name, step.read, keeper(step.fact, step.source))
            for step in fields
            if step.source.remembered and step.read is not None
        ),
        legs=frozenset(fact.source.destination for fact in facts.values() if isinstance(fact.source, StatusOfLeg)),
        days_in_status=tuple(
            (name, fact, fact.source) for name, fact in facts.items() if isinstance(fact.source, DaysInStatus)
        ),
        windows=tuple(
            (name, fact, fact.source)
            for name, fact in facts.items()
            if isinstance(fact.source, (CountWithin, DaysSince))
        ),
        days_to_holiday=tuple((name, fact) for name, fact in facts.items() if isinstance(fact.source, DaysToHoliday)),
    )


def _before_any_event(fact: Fact, kind: EventKind) -> tuple[FactValue, str]:
    """Value and origin where the case is empty and the event states nothing."""
    match fact.source:
        case KindOfEvent():
            return kind.value, "event /kind"
        case LegOfEvent():
            return NONE, "event"
        case StatusOfLeg():
            return NONE, CASE
        case DaysInStatus() | DaysSince() as source:
            return top(fact), WINDOW if isinstance(source, DaysSince) else CASE
        case CountWithin(kinds):
            return int(kind in kinds), WINDOW
        case DaysToHoliday():
            return None, CALENDAR
        case FromEvent(measure="given"):
            return False, UNSTATED
        case FromEvent():
            return fact.silent, UNSTATED


def _field_step(fact: Fact, source: FromEvent, payload: type[BaseModel]) -> FieldStep:
    convert = converter(fact, source)
    for field in source.fields:
        if field.payload is payload:
            return FieldStep(fact.name, fact, source, convert, field.read, f"event {field.pointer}")
    return FieldStep(fact.name, fact, source, convert, None, CASE)
