"""JSON Schemas for editors, made from a rule set's own vocabulary: names of facts and their values complete themselves.

They help who writes; what is right is for the loader to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from schemas.vocabulary import LegStatus
from services.router.rules.calendar import Nation
from services.router.rules.declarations import Choice, Fact, LegOfEvent, SetOf, WholeNumber, YesNo
from services.router.rules.directory import Intake, ServiceStatus
from services.router.rules.events import EventKind
from services.router.rules.explain import condition_in_words
from services.router.rules.language import Json, Role
from services.router.rules.loading import calendars, destinations, facts, pathway
from services.router.rules.loading.conditions import operators_of
from services.router.rules.loading.rules import ACTIONS, ACTIONS_NEED
from services.router.rules.ruleset import RuleSet

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema: TypeAlias = dict[str, Json]

TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer"}
YES_NO: Final[Schema] = {"enum": ["yes", "no", True, False]}
DAY: Final[Schema] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
DUE: Final[Schema] = {
    "type": "string",
    "pattern": r"^[0-9]{1,4} (hour|day|week|working day|working hour)s?$",
    "examples": ["4 hours", "2 working days", "4 working hours"],
}
LENGTH: Final[Schema] = {"type": "string", "pattern": r"^([0-9]{1,4} (day|week)s?|daily|weekly|fortnightly)$"}


def schemas_for(rules: RuleSet) -> dict[str, Schema]:
    """A schema for each kind of file, by the files it is for (as a glob inside the folder)."""
    condition = _condition(rules)
    rule = _rule(rules)
    definitions: Schema = {"condition": condition, "rule": rule}
    listed: Schema = {"type": "array", "items": {"$ref": "#/$defs/rule"}}
    otherwise = _object(
        {"review": TEXT, "role": _one_of(Role), "due": DUE, "contradiction": TEXT},
        needs=("review", "role", "due", "contradiction"),
    )
    terms: Schema = {"type": "object", "additionalProperties": {"$ref": "#/$defs/condition"}}
    return {
        "rules/*.yaml": _file({"rules": listed}, definitions),
        "floors.yaml": _file({"otherwise": otherwise, "rules": listed}, definitions),
        "terms.yaml": _file({"terms": terms}, {"condition": condition}),
        "facts.yaml": _file({"facts": _map_of(_declaration(rules))}),
        "destinations.yaml": _file({"destinations": _map_of(_destination(rules))}),
        "calendar.yaml": _top(_calendar()),
        "pathway.yaml": _top(_pathway()),
    }


def _condition(rules: RuleSet) -> Schema:
    again: Schema = {"$ref": "#/$defs/condition"}
    several: Schema = {"type": "array", "items": again, "minItems": 1}
    words: Schema = {
        "all": {**several, "description": "Each of these holds."},
        "any": {**several, "description": "At least one of these holds."},
        "not": {**again, "description": "This does not hold."},
    }
    if rules.terms:
        means: list[Json] = [
            {"const": name, "description": condition_in_words(said)} for name, said in sorted(rules.terms.items())
        ]
        words["term"] = {"description": "A condition with a name.", "oneOf": means}
    legs = _object({**_selection(rules), "stands": _words(LegStatus)}, needs=("stands",))
    words["leg"] = {**legs, "description": "A leg to any destination of this kind, or that serves this, stands so."}
    tests: Schema = {name: _test(fact, rules) for name, fact in rules.facts.items()}
    return {**_object({**words, **tests}), "minProperties": 1}


def _selection(rules: RuleSet) -> Schema:
    """Destinations by what they are."""
    known = rules.destinations.values()
    return {"kind": _words(sorted({e.kind for e in known})), "serves": _words(sorted({e.serves for e in known}))}


def _words(words: Iterable[str]) -> Schema:
    """One of them, or a list."""
    known = [str(word) for word in words]
    return {"anyOf": [_one_of(known), _some_of(known)]}


def _test(fact: Fact, rules: RuleSet) -> Schema:
    """A value, a list of values, or operators."""
    kind = fact.type
    value: Schema
    match kind:
        case YesNo():
            value, plain = YES_NO, [YES_NO]
        case WholeNumber(low, high):
            value = {"type": "integer", "minimum": low, "maximum": high}
            plain = [value]
        case Choice(values) | SetOf(values):
            value = _one_of(values)
            plain = [value, _some_of(values)]
    operators: Schema = {name: _operand(name, value) for name in operators_of(kind)}
    by_operator: Schema = {**_object(operators), "minProperties": 1}
    if isinstance(fact.source, LegOfEvent):
        plain.append({**_object(_selection(rules)), "minProperties": 1})
    return {"description": f"{fact.says} ({kind})", "anyOf": [*plain, by_operator]}


def _operand(operator: str, value: Schema) -> Schema:
    if operator == "known":
        return YES_NO
    if operator == "between":
        return {"type": "array", "items": value, "minItems": 2, "maxItems": 2}
    if operator.startswith("has_") or operator in ("any_of", "none_of"):
        return {"anyOf": [value, {"type": "array", "items": value, "minItems": 1, "uniqueItems": True}]}
    return value


def _rule(rules: RuleSet) -> Schema:
    names = sorted(rules.destinations)
    return _object(
        {
            "id": {"type": "string", "pattern": "^[a-z][a-z0-9]*([_-][a-z0-9]+)*$"},
            "because": {
                "type": "string",
                "description": "For the service that gets the referral, and whoever asks why.",
            },
            "when": {"$ref": "#/$defs/condition"},
            "then": {"type": "array", "minItems": 1, "items": {"oneOf": [_action(verb, rules) for verb in ACTIONS]}},
            "withhold": {"anyOf": [_one_of(names), _some_of(names)]},
            "if_unknown": _one_of(("ask", "act", "note")),
            "from": DAY,
            "until": DAY,
        },
        needs=("id", "because", "when"),
    )


def _action(verb: str, rules: RuleSet) -> Schema:
    names = sorted(rules.destinations)
    to_a_destination = ("route", "offer_pause", "propose_resume", "notify")
    parts: dict[str, Schema] = {
        "priority": {"enum": [1, 2, 3, 4]},
        "due": DUE,
        "confirm": {"const": "human"},
        "for": LENGTH,
        "welfare_check": LENGTH,
        "answer_within": DUE,
        "role": _one_of(Role),
        "of": TEXT,
    }
    what = _one_of(names) if verb in to_a_destination else _one_of(Role) if verb == "escalate" else TEXT
    if verb in ("offer_pause", "propose_resume"):
        what = {"anyOf": [what, {**_object(_selection(rules)), "minProperties": 1}]}
    known: Schema = {verb: what, **{part: parts[part] for part in ACTIONS[verb]}}
    return _object(known, needs=(verb, *ACTIONS_NEED.get(verb, ())))


def _declaration(rules: RuleSet) -> Schema:
    kinds = [kind.value for kind in EventKind]
    of_kinds: Schema = {"anyOf": [_one_of(kinds), _some_of(kinds)]}
    known: Schema = {
        "says": TEXT,
        "ask": TEXT,
        "from": {"anyOf": [TEXT, {"type": "array", "items": TEXT}], "description": "A field of a published payload."},
        "as": _one_of(facts.MEASURES),
        "by": _one_of(sorted(rules.destinations)),
        "unstated": _one_of(("unknown", "absent")),
        "remember": YES_NO,
        "ordered": YES_NO,
        "range": {"type": "array", "items": WHOLE, "minItems": 2, "maxItems": 2},
        "count": of_kinds,
        "within": LENGTH,
        "days_since": of_kinds,
        "days_in_status": _one_of(sorted(rules.destinations)),
        "days_to": {"const": "holiday"},
    }
    return _object(known, needs=("says",))


def _destination(rules: RuleSet) -> Schema:
    names = sorted(rules.destinations)
    texts: Schema = {"type": "array", "items": TEXT}
    capacity = _object({"intake": _one_of(Intake), "places": WHOLE, "as_of": DAY}, needs=("intake",))
    known: Schema = {
        **dict.fromkeys(("label", "kind", "source", "serves", *destinations.FOR_PEOPLE), TEXT),
        "side": _one_of(("person", "other_party", "panel")),
        **dict.fromkeys(("voluntary", "consent_needed"), YES_NO),
        **{name: {"type": "integer", "minimum": 0, "maximum": 130} for name in ("minimum_age", "maximum_age")},
        **dict.fromkeys(("service_areas", "share"), texts),
        "instead": _some_of(names),
        "status": _one_of(ServiceStatus),
        "capacity": {"anyOf": [_one_of(Intake), capacity]},
        **dict.fromkeys(("acknowledge_within", "first_contact_within"), DUE),
        "channel": {"const": "queue"},
        "source_hears": _one_of(destinations.SOURCE_HEARS),
    }
    return _object(known, needs=destinations.NEEDED)


def _calendar() -> Schema:
    time: Schema = {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}
    of_year: Schema = {"type": "string", "pattern": r"^\d\d-\d\d$"}
    due = (*(f"priority_{number}" for number in (1, 2, 3, 4)), "tasks")
    spans = ("from", "until", "name")
    known: Schema = {
        "nation": _one_of(Nation),
        "day_starts": time,
        "day_ends": time,
        "closures": {"type": "array", "items": _object({"from": DAY, "until": DAY, "name": TEXT}, needs=spans)},
        "seasons": {"type": "array", "items": _object({"from": of_year, "until": of_year, "name": TEXT}, needs=spans)},
        "due": _object(dict.fromkeys(due, DUE), needs=due),
    }
    return _object({key: known[key] for key in calendars.KEYS}, needs=("nation", "day_ends", "due"))


def _pathway() -> Schema:
    some: Schema = {"anyOf": [_one_of(LegStatus), _some_of([status.value for status in LegStatus])]}
    flags = dict.fromkeys(("closed", "hold", "release", "administration", "court_ordered"), YES_NO)
    status = _object({"label": TEXT, **flags, "implies": _one_of(LegStatus)}, needs=("label",))
    who = [*pathway.WHO]
    needs = [*pathway.NEEDS]
    transition = _object(
        {
            "from": some,
            "to": some,
            "who": {"anyOf": [_one_of(who), _some_of(who)]},
            "needs": {"anyOf": [_one_of(needs), _some_of(needs)]},
        },
        needs=("from", "to", "who"),
    )
    reason = _object({"label": TEXT, "still_open": YES_NO}, needs=("label",))
    return _object(
        {
            "court_ordered": YES_NO,
            "statuses": _object({each.value: status for each in LegStatus}, needs=[each.value for each in LegStatus]),
            "transitions": {"type": "array", "items": transition},
            "reasons": _object({category: _map_of(reason) for category in pathway.CATEGORIES}),
        },
        needs=("court_ordered", "statuses", "transitions", "reasons"),
    )


def _object(properties: Mapping[str, Json], needs: Iterable[str] = ()) -> Schema:
    made: Schema = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    needed: list[Json] = [*needs]
    return made | ({"required": needed} if needed else {})


def _map_of(item: Schema) -> Schema:
    return {"type": "object", "additionalProperties": item}


def _one_of(words: Iterable[str]) -> Schema:
    return {"enum": [str(word) for word in words]}


def _some_of(words: Iterable[str]) -> Schema:
    return {"type": "array", "items": _one_of(words), "minItems": 1, "uniqueItems": True}


def _file(properties: Mapping[str, Json], definitions: Schema | None = None) -> Schema:
    return _top(_object(properties, needs=properties)) | ({"$defs": definitions} if definitions else {})


def _top(schema: Schema) -> Schema:
    return {"$schema": DIALECT, **schema}
