"""JSON Schemas for editors, made from a rule set's own vocabulary: names of facts and their values complete themselves.

They help who writes; what is right is for the loader to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.vocabulary import LegStatus
from services.router.rules.calendar import Nation
from services.router.rules.declarations import Choice, Fact, LegOfEvent, SetOf, WholeNumber, YesNo
from services.router.rules.directory import Intake, ServiceStatus
from services.router.rules.editor_outcomes import examples_schema, invariants_schema
from services.router.rules.editor_parts import (
    DAY,
    DUE,
    LENGTH,
    TEXT,
    WHOLE,
    YES_NO,
    Schema,
    a_file,
    an_object,
    map_of,
    one_of,
    some_of,
    top,
)
from services.router.rules.events import EventKind
from services.router.rules.explain import condition_in_words
from services.router.rules.language import Json, Role
from services.router.rules.loading import calendars, destinations, facts, pathway
from services.router.rules.loading.conditions import operators_of
from services.router.rules.loading.rules import ACTIONS, ACTIONS_NEED
from services.router.rules.ruleset import RuleSet


def schemas_for(rules: RuleSet) -> dict[str, Schema]:
    """A schema for each kind of file, by the files it is for (as a glob inside the folder)."""
    condition = _condition(rules)
    rule = _rule(rules)
    definitions: Schema = {"condition": condition, "rule": rule}
    listed: Schema = {"type": "array", "items": {"$ref": "#/$defs/rule"}}
    otherwise = an_object(
        {"review": TEXT, "role": one_of(Role), "due": DUE, "contradiction": TEXT},
        needs=("review", "role", "due", "contradiction"),
    )
    terms: Schema = {"type": "object", "additionalProperties": {"$ref": "#/$defs/condition"}}
    return {
        "rules/*.yaml": a_file({"rules": listed}, definitions),
        "floors.yaml": a_file({"otherwise": otherwise, "rules": listed}, definitions),
        "terms.yaml": a_file({"terms": terms}, {"condition": condition}),
        "facts.yaml": a_file({"facts": map_of(_declaration(rules))}),
        "destinations.yaml": a_file({"destinations": map_of(_destination(rules))}),
        "calendar.yaml": top(_calendar()),
        "pathway.yaml": top(_pathway()),
        "invariants.yaml": invariants_schema(rules, condition),
        "examples/*.yaml": examples_schema(rules),
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
    legs = an_object({**_selection(rules), "stands": _words(LegStatus)}, needs=("stands",))
    words["leg"] = {**legs, "description": "A leg to any destination of this kind, or that serves this, stands so."}
    tests: Schema = {name: _test(fact, rules) for name, fact in rules.facts.items()}
    return {**an_object({**words, **tests}), "minProperties": 1}


def _selection(rules: RuleSet) -> Schema:
    """Destinations by what they are."""
    known = rules.destinations.values()
    return {"kind": _words(sorted({e.kind for e in known})), "serves": _words(sorted({e.serves for e in known}))}


def _words(words: Iterable[str]) -> Schema:
    """One of them, or a list."""
    known = [str(word) for word in words]
    return {"anyOf": [one_of(known), some_of(known)]}


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
            value = one_of(values)
            plain = [value, some_of(values)]
    operators: Schema = {name: _operand(name, value) for name in operators_of(kind)}
    by_operator: Schema = {**an_object(operators), "minProperties": 1}
    if isinstance(fact.source, LegOfEvent):
        plain.append({**an_object(_selection(rules)), "minProperties": 1})
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
    return an_object(
        {
            "id": {"type": "string", "pattern": "^[a-z][a-z0-9]*([_-][a-z0-9]+)*$"},
            "because": {
                "type": "string",
                "description": "For the service that gets the referral, and whoever asks why.",
            },
            "when": {"$ref": "#/$defs/condition"},
            "then": {"type": "array", "minItems": 1, "items": {"oneOf": [_action(verb, rules) for verb in ACTIONS]}},
            "withhold": {"anyOf": [one_of(names), some_of(names)]},
            "if_unknown": one_of(("ask", "act", "note")),
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
        "role": one_of(Role),
        "of": TEXT,
    }
    what = one_of(names) if verb in to_a_destination else one_of(Role) if verb == "escalate" else TEXT
    if verb in ("offer_pause", "propose_resume"):
        what = {"anyOf": [what, {**an_object(_selection(rules)), "minProperties": 1}]}
    known: Schema = {verb: what, **{part: parts[part] for part in ACTIONS[verb]}}
    return an_object(known, needs=(verb, *ACTIONS_NEED.get(verb, ())))


def _declaration(rules: RuleSet) -> Schema:
    kinds = [kind.value for kind in EventKind]
    of_kinds: Schema = {"anyOf": [one_of(kinds), some_of(kinds)]}
    known: Schema = {
        "says": TEXT,
        "ask": TEXT,
        "from": {"anyOf": [TEXT, {"type": "array", "items": TEXT}], "description": "A field of a published payload."},
        "as": one_of(facts.MEASURES),
        "by": one_of(sorted(rules.destinations)),
        "unstated": one_of(("unknown", "absent")),
        "remember": YES_NO,
        "ordered": YES_NO,
        "range": {"type": "array", "items": WHOLE, "minItems": 2, "maxItems": 2},
        "count": of_kinds,
        "within": LENGTH,
        "days_since": of_kinds,
        "days_in_status": one_of(sorted(rules.destinations)),
        "days_to": {"const": "holiday"},
    }
    return an_object(known, needs=("says",))


def _destination(rules: RuleSet) -> Schema:
    names = sorted(rules.destinations)
    texts: Schema = {"type": "array", "items": TEXT}
    capacity = an_object({"intake": one_of(Intake), "places": WHOLE, "as_of": DAY}, needs=("intake",))
    known: Schema = {
        **dict.fromkeys(("label", "kind", "source", "serves", *destinations.FOR_PEOPLE), TEXT),
        "side": one_of(("person", "other_party", "panel")),
        **dict.fromkeys(("voluntary", "consent_needed"), YES_NO),
        **{name: {"type": "integer", "minimum": 0, "maximum": 130} for name in ("minimum_age", "maximum_age")},
        **dict.fromkeys(("service_areas", "share"), texts),
        "instead": some_of(names),
        "status": one_of(ServiceStatus),
        "capacity": {"anyOf": [one_of(Intake), capacity]},
        **dict.fromkeys(("acknowledge_within", "first_contact_within"), DUE),
        "channel": {"const": "queue"},
        "source_hears": one_of(destinations.SOURCE_HEARS),
    }
    return an_object(known, needs=destinations.NEEDED)


def _calendar() -> Schema:
    time: Schema = {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}
    of_year: Schema = {"type": "string", "pattern": r"^\d\d-\d\d$"}
    due = (*(f"priority_{number}" for number in (1, 2, 3, 4)), "tasks")
    spans = ("from", "until", "name")
    known: Schema = {
        "nation": one_of(Nation),
        "day_starts": time,
        "day_ends": time,
        "closures": {"type": "array", "items": an_object({"from": DAY, "until": DAY, "name": TEXT}, needs=spans)},
        "seasons": {
            "type": "array",
            "items": an_object({"from": of_year, "until": of_year, "name": TEXT}, needs=spans),
        },
        "due": an_object(dict.fromkeys(due, DUE), needs=due),
    }
    return an_object({key: known[key] for key in calendars.KEYS}, needs=("nation", "day_ends", "due"))


def _pathway() -> Schema:
    some: Schema = {"anyOf": [one_of(LegStatus), some_of([status.value for status in LegStatus])]}
    flags = dict.fromkeys(("closed", "hold", "release", "administration", "court_ordered"), YES_NO)
    status = an_object({"label": TEXT, **flags, "implies": one_of(LegStatus)}, needs=("label",))
    who = [*pathway.WHO]
    needs = [*pathway.NEEDS]
    transition = an_object(
        {
            "from": some,
            "to": some,
            "who": {"anyOf": [one_of(who), some_of(who)]},
            "needs": {"anyOf": [one_of(needs), some_of(needs)]},
        },
        needs=("from", "to", "who"),
    )
    reason = an_object({"label": TEXT, "still_open": YES_NO}, needs=("label",))
    return an_object(
        {
            "court_ordered": YES_NO,
            "statuses": an_object({each.value: status for each in LegStatus}, needs=[each.value for each in LegStatus]),
            "transitions": {"type": "array", "items": transition},
            "reasons": an_object({category: map_of(reason) for category in pathway.CATEGORIES}),
        },
        needs=("court_ordered", "statuses", "transitions", "reasons"),
    )
