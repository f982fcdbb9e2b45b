"""From an event, its case and a moment to plain facts. Rules see only these; they never read a clock.

A fact that nobody stated is None (unknown), unless its declaration says that silence means absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from services.router.rules.calendar import local_day
from services.router.rules.declarations import CountWithin, FromEvent
from services.router.rules.events import CaseEvent, CaseView, EventKind, Kept
from services.router.rules.extract import ANSWER, CASE, EXAMPLE, Plan
from services.router.rules.language import FactValue, Json
from services.router.rules.measures import KEPT_AS_STATED, from_kept, within
from services.router.rules.mistakes import UnknownFact
from services.router.rules.ruleset import RuleSet
from services.router.rules.windows import count_within, days_since


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one decision: every declared one has a value (None: unknown) and an origin."""

    values: Mapping[str, FactValue]
    origins: Mapping[str, str]  # "event /person/date_of_birth", "case", "calendar", "window", "answer", "not stated"
    day: date  # of the decision, Europe/London

    def to_json(self) -> dict[str, Json]:
        """The values as plain JSON, sets sorted."""
        return {
            name: [*sorted(value)] if isinstance(value, frozenset) else value for name, value in self.values.items()
        }


def facts_of(rules: RuleSet, event: CaseEvent, case: CaseView, now: datetime) -> Facts:
    """The facts as they are at the moment of the decision.

    Ages and days to come are counted from the day of the decision, windows from the day of the event.
    """
    plan = rules.plans[event.kind]
    today = local_day(now)
    values, origins = plan.values.copy(), plan.origins.copy()
    if event.destination is not None and event.destination in plan.legs:
        values["destination"] = event.destination
    _from_fields(plan, event, case, today, values, origins)
    _from_legs(plan, case, today, values)
    if case.events:
        _from_history(plan, event, case, values)
    for name, fact in plan.days_to_holiday:
        values[name] = within(fact, rules.calendar.days_to_holiday(today))
    return Facts(values, origins, today)


def remember(rules: RuleSet, event: CaseEvent, remembered: Mapping[str, Kept]) -> Mapping[str, Kept]:
    """What the case should remember after this event, as plain JSON: dates as dates, so that ages do not grow stale.

    `remembered` is what it remembers before.
    """
    kept: dict[str, Kept] = dict(remembered)
    for step in rules.plans[event.kind].remembered:
        if (stated := step.read(event.payload)) is not None:
            kept[step.name] = step.keep(stated)
    return kept


def remember_answer(rules: RuleSet, remembered: Mapping[str, Kept], name: str, value: FactValue) -> Mapping[str, Kept]:
    """What the case should remember after a human answered. Of a day counted from, an answered number tells nothing."""
    source = rules.facts[name].source
    if not isinstance(source, FromEvent) or not source.remembered or source.measure in KEPT_AS_STATED or value is None:
        return remembered
    return {**remembered, name: sorted(value) if isinstance(value, frozenset) else value}


def answered(rules: RuleSet, facts: Facts, answers: Mapping[str, object]) -> Facts:
    """The same facts with what a human answered. Raises `UnknownFact` or `ImpossibleValue`."""
    return _with(rules, facts, answers, ANSWER)


def facts_stated(rules: RuleSet, kind: EventKind, stated: Mapping[str, object], day: date) -> Facts:
    """Facts written down one by one (None: unknown), for examples; the others are those of a person new to us."""
    plan = rules.plans[kind]
    return _with(rules, Facts(plan.values, plan.origins, day), stated, EXAMPLE)


def _with(rules: RuleSet, facts: Facts, stated: Mapping[str, object], origin: str) -> Facts:
    for name in stated:
        if name not in rules.facts:
            raise UnknownFact(name, rules.facts)
    values = {name: None if value is None else rules.facts[name].value_of(value) for name, value in stated.items()}
    return replace(facts, values={**facts.values, **values}, origins={**facts.origins, **dict.fromkeys(values, origin)})


def _from_fields(
    plan: Plan,
    event: CaseEvent,
    case: CaseView,
    today: date,
    values: dict[str, FactValue],
    origins: dict[str, str],
) -> None:
    payload, remembered = event.payload, case.remembered
    for step in plan.fields:
        stated = step.read(payload) if step.read is not None else None
        if stated is not None:
            values[step.name] = step.convert(stated, today)
            origins[step.name] = step.origin
        elif step.source.remembered and step.name in remembered:
            values[step.name] = from_kept(step.source, step.convert, remembered[step.name], today)
            origins[step.name] = CASE


def _from_legs(plan: Plan, case: CaseView, today: date, values: dict[str, FactValue]) -> None:
    for destination, leg in case.legs.items():
        if destination in plan.legs:
            values[destination] = str(leg.status)
    for name, fact, source in plan.days_in_status:
        stands = case.legs.get(source.destination)
        if stands is not None:
            values[name] = within(fact, (today - local_day(stands.since)).days)


def _from_history(plan: Plan, event: CaseEvent, case: CaseView, values: dict[str, FactValue]) -> None:
    for name, fact, source in plan.windows:
        if isinstance(source, CountWithin):
            values[name] = within(fact, count_within(source, event, case.events))
        elif (days := days_since(source, event, case.events)) is not None:
            values[name] = within(fact, days)
