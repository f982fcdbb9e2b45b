"""The words that rules can be written with, of one rule set: for people who write rules, and for their editors."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from services.router.rules.declarations import (
    Choice,
    CountWithin,
    DaysInStatus,
    DaysSince,
    DaysToHoliday,
    Fact,
    FromEvent,
    KindOfEvent,
    LegOfEvent,
    StatusOfLeg,
    WholeNumber,
)
from services.router.rules.events import EventKind
from services.router.rules.explain import condition_in_words
from services.router.rules.language import Json, Role
from services.router.rules.loading.conditions import operators_of
from services.router.rules.loading.rules import ACTIONS, ACTIONS_NEED
from services.router.rules.pathway import Status
from services.router.rules.ruleset import RuleSet

WHAT_ACTIONS_DO: Final = {
    "route": "refers to a destination",
    "offer_pause": "offers a pause of the leg to a destination",
    "propose_resume": "proposes that a paused leg goes on",
    "hold": "a task for a human beside the routes",
    "review": "a question that a role answers",
    "notify": "tells a destination something",
    "escalate": "brings the case before a role",
    "record": "nothing needs doing, and the rule says so",
}


def vocabulary(rules: RuleSet) -> dict[str, list[dict[str, Json]]]:
    """Facts, terms, kinds of event, destinations, statuses, roles and actions, as plain JSON."""
    return {
        "facts": [_fact(fact) for fact in rules.facts.values()],
        "terms": [{"name": name, "means": condition_in_words(said)} for name, said in sorted(rules.terms.items())],
        "events": [{"name": kind.value} for kind in EventKind],
        "destinations": [
            {"name": each.id, "label": each.label, "side": each.side, "serves": each.serves}
            for _, each in sorted(rules.destinations.items())
        ],
        "statuses": [
            {"name": name.value, "label": status.label, "is": _kind_of(status)}
            for name, status in rules.pathway.statuses.items()
            if rules.pathway.has(name)
        ],
        "roles": [{"name": role.value} for role in Role],
        "actions": [
            {
                "name": name,
                "does": WHAT_ACTIONS_DO[name],
                "needs": list(ACTIONS_NEED.get(name, ())),
                "takes": [key for key in beside if key not in ACTIONS_NEED.get(name, ())],
            }
            for name, beside in ACTIONS.items()
        ],
    }


def _fact(fact: Fact) -> dict[str, Json]:
    kind = fact.type
    said: dict[str, Json] = {"name": fact.name, "type": str(kind), "says": fact.says, "from": _source(fact)}
    said["tests"] = list(operators_of(kind))
    said["silence"] = "absent" if fact.unstated == "absent" else "unknown" if fact.ask else "always known"
    if isinstance(kind, WholeNumber):
        said["range"] = [kind.low, kind.high]
    else:
        said["values"] = list(fact.answers)
    return said | ({"ordered": kind.ordered} if isinstance(kind, Choice) else {})


def _source(fact: Fact) -> str:
    match fact.source:
        case FromEvent(paths, measure):
            places = " or ".join(dict.fromkeys(path.path for path in paths))
            return places if measure == "value" else f"{places} ({measure.replace('_', ' ')})"
        case KindOfEvent() | LegOfEvent():
            return "the event"
        case StatusOfLeg() | DaysInStatus():
            return "the case"
        case CountWithin(kinds, days):
            return f"{', '.join(kinds)} within {days} days"
        case DaysSince(kinds):
            return f"days since {', '.join(kinds)}"
        case DaysToHoliday():
            return "the calendar"


def _kind_of(status: Status) -> str:
    named = [each.name for each in fields(status) if getattr(status, each.name) is True]
    return ", ".join(named).replace("_", " ") or "open"
