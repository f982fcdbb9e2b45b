"""What is promised of every event: for whatever is given, this is done, or is never done.

A promise says the least: `priority: 1` is kept by nothing less urgent, `within: 4 hours` by nothing later. It is proved
of every event there can be, and held against single decisions here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from services.router.rules.calendar import Calendar
from services.router.rules.decision import Decision, RouteDecided
from services.router.rules.due import Due
from services.router.rules.language import Condition, Position, Priority, Role, Tier

if TYPE_CHECKING:
    from services.router.rules.ruleset import RuleSet  # which promises are a part of


@dataclass(frozen=True, slots=True)
class Routed:
    """There is a route to one of these destinations, this urgent or more, this soon or sooner.

    Of a tier: `floor` is a route that no rule can take back, `ordinary` one that only ordinary rules ask for.
    """

    destinations: tuple[str, ...]
    priority: Priority | None = None
    within: Due | None = None
    tier: Tier | None = None
    confirmed: bool | None = None  # yes: it waits for a human; no: it is sent at once


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What ordinary rules route to one of these destinations is taken back."""

    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offered:
    """A pause of the leg to one of these destinations is offered."""

    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resumed:
    """It is proposed that the leg to one of these destinations goes on."""

    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """One of these destinations is told something: by a notice or by a route."""

    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Escalated:
    """The case is brought before one of these roles."""

    roles: tuple[Role, ...]
    within: Due | None = None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One of these roles is asked to look; the review that stands for silence counts."""

    roles: tuple[Role, ...]
    within: Due | None = None


@dataclass(frozen=True, slots=True)
class Tasked:
    """There is a task for a human (a hold)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One of these facts is asked for."""

    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Silent:
    """No rule says what to do, so that the review under `otherwise` is opened."""


@dataclass(frozen=True, slots=True)
class Each:
    """Every part is so. No parts: yes."""

    parts: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part is so. No parts: no."""

    parts: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class NotSo:
    """The part is not so."""

    part: Outcome


Deed: TypeAlias = (
    Routed | HeldBack | Offered | Resumed | Told | Escalated | Reviewed | Tasked | Asked | Silent
)  # what is said of a decision
Outcome: TypeAlias = Deed | Each | Either | NotSo


@dataclass(frozen=True, slots=True)
class Invariant:
    """A promise: of every event of which `given` certainly holds, the outcome is so."""

    id: str
    because: str
    given: Condition
    outcome: Outcome  # of `never`: that it is not so
    kind: Literal["always", "never"]
    at: Position | None = field(default=None, compare=False)


def is_so(outcome: Outcome, decision: Decision, rules: RuleSet) -> bool:
    """Is this so of a decision that these rules took?"""
    match outcome:
        case Each(parts):
            return all(is_so(part, decision, rules) for part in parts)
        case Either(parts):
            return any(is_so(part, decision, rules) for part in parts)
        case NotSo(part):
            return not is_so(part, decision, rules)
        case HeldBack() | Offered() | Resumed() | Told():
            return any(name in outcome.destinations for name in _destinations(outcome, decision))
        case _:
            return _is_done(outcome, decision, rules)


def _destinations(outcome: HeldBack | Offered | Resumed | Told, decision: Decision) -> list[str]:
    match outcome:
        case HeldBack():
            return [withheld.destination for withheld in decision.withheld]
        case Offered():
            return [offer.destination for offer in decision.offers]
        case Resumed():
            return [resume.destination for resume in decision.resumes]
        case Told():
            notices = [notify.destination for notify in decision.notifies]
            return [*notices, *(route.destination for route in decision.routes)]


def _is_done(
    outcome: Routed | Escalated | Reviewed | Tasked | Asked | Silent, decision: Decision, rules: RuleSet
) -> bool:
    match outcome:
        case Routed():
            return any(_is_such(route, outcome, rules.calendar) for route in decision.routes)
        case Escalated(roles, within):
            return any(e.role in roles and in_time(e.due, within, rules.calendar) for e in decision.escalations)
        case Reviewed(roles, within):
            return any(r.role in roles and in_time(r.due, within, rules.calendar) for r in decision.reviews)
        case Tasked():
            return bool(decision.holds)
        case Asked(facts):
            return any(question.fact in facts for question in decision.questions)
        case Silent():
            return _is_silent(decision, rules)


def _is_such(route: RouteDecided, wanted: Routed, calendar: Calendar) -> bool:
    return (
        route.destination in wanted.destinations
        and (wanted.priority is None or route.priority <= wanted.priority)
        and in_time(route.due, wanted.within, calendar)
        and (wanted.tier is None or route.tier == wanted.tier)
        and (wanted.confirmed is None or (route.confirm is not None) is wanted.confirmed)
    )


def _is_silent(decision: Decision, rules: RuleSet) -> bool:
    """The review that stands for silence is the only thing that is left where nothing was done or asked."""
    return any(review.question == rules.otherwise.review.question for review in decision.reviews)


def in_time(due: Due, within: Due | None, calendar: Calendar) -> bool:
    """Is what is due by the one always done by the other, whatever day it is? None: any time will do.

    Hours of the clock are over before as many hours of work. A working day is over when the next one ends: hours of the
    clock are surely over by then where they are for somebody who starts just before midnight.
    """
    if within is None:
        return True
    return (
        _by(due.hours, within.hours)
        or _by(due.working_days, within.working_days)
        or _by(due.working_hours, within.working_hours)
        or _by(due.hours, within.working_hours)
        or (within.working_days is not None and _by(due.hours, _sure_hours(within.working_days, calendar)))
    )


def _by(number: int | None, most: int | None) -> bool:
    return number is not None and most is not None and number <= most


def _sure_hours(working_days: int, calendar: Calendar) -> int:
    """Hours of the clock that pass before so many working days are over: one is lost where clocks go forward."""
    return 24 * (working_days - 1) + calendar.day_ends.hour - 1
