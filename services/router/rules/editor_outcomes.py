"""Schemas for editors of what is said of outcomes: examples, and promises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from schemas.vocabulary import LegStatus
from services.router.rules.declarations import Fact, SetOf, WholeNumber, YesNo
from services.router.rules.editor_parts import DUE, TEXT, YES_NO, Schema, a_file, an_object, one_of, some_of, top
from services.router.rules.events import EventKind
from services.router.rules.language import Json, Role
from services.router.rules.loading import invariants
from services.router.rules.loading.examples import PAYLOADS
from services.router.rules.ruleset import RuleSet

UNKNOWN: Final[Schema] = {"const": "unknown", "description": "Nobody knows."}
ANYTHING: Final[Schema] = {"type": "object"}


def examples_schema(rules: RuleSet) -> Schema:
    """Of a file of examples. What stands in a whole message is for that message's own schema to say."""
    names, ids = sorted(rules.destinations), [rule.id for rule in rules.rules]
    facts = an_object({name: _stated(fact) for name, fact in rules.facts.items()})
    several = an_object({name: {"type": "array", "items": _stated(fact)} for name, fact in rules.facts.items()})
    leg = an_object({"status": one_of(LegStatus), "since": TEXT}, needs=("status", "since"))
    event = an_object({"kind": one_of([kind.value for kind in EventKind]), "at": TEXT}, needs=("kind", "at"))
    case = an_object(
        {
            "legs": an_object(dict.fromkeys(names, leg)),
            "events": {"type": "array", "items": event},
            "remembered": ANYTHING,
        }
    )
    example = an_object(
        {
            "name": TEXT,
            "at": TEXT,
            "facts": facts,
            "each": {**several, "minProperties": 1, "maxProperties": 1},
            **dict.fromkeys(PAYLOADS, ANYTHING),
            "destination": one_of(names),
            "case": case,
            "expect": _expected(names, ids, list(rules.facts)),
        },
        needs=("name", "expect"),
    )
    by: list[Json] = [{"required": [way]} for way in ("facts", *PAYLOADS)]
    return a_file({"examples": {"type": "array", "items": {**example, "oneOf": by}}})


def _stated(fact: Fact) -> Schema:
    value: Schema
    match fact.type:
        case YesNo():
            value = YES_NO
        case WholeNumber():
            value = {"type": "integer"}
        case SetOf(values):
            each = one_of(values)
            value = {"anyOf": [each, {"type": "array", "items": each, "uniqueItems": True}]}
        case kind:
            value = one_of(kind.values)
    says = {"description": fact.says}
    return {**says, **value} if fact.name == "event" else {**says, "anyOf": [value, UNKNOWN]}


def _expected(names: list[str], ids: list[str], facts: list[str]) -> Schema:
    by_rule, to = _one_or_more(ids), _one_or_more(names)
    priorities: Schema = {"enum": [1, 2, 3, 4]}
    length: Schema = {"type": "integer", "minimum": 1, "description": "Days."}
    return an_object(
        {
            "routes": an_object(dict.fromkeys(names, priorities)),
            "confirm": to,
            "offers": an_object(dict.fromkeys(names, length)),
            "resumes": to,
            "holds": by_rule,
            "reviews": by_rule,
            "notified": to,
            "escalated": _one_or_more(Role),
            "recorded": by_rule,
            "withheld": to,
            "questions": _one_or_more(facts),
            "otherwise": YES_NO,
        }
    )


def invariants_schema(rules: RuleSet, condition: Schema) -> Schema:
    """Of the file of promises."""
    names = sorted(rules.destinations)
    serves = sorted({destination.serves for destination in rules.destinations.values()})
    chosen = an_object({"voluntary": YES_NO, "side": one_of(invariants.SIDES), "serves": one_of(serves)})
    destinations: Schema = {"anyOf": [_one_or_more([*names, invariants.ANY]), {**chosen, "minProperties": 1}]}
    askable = [name for name, fact in rules.facts.items() if fact.ask]
    says: dict[str, Schema] = {
        **dict.fromkeys(("route", *invariants.OF_DESTINATION), destinations),
        **dict.fromkeys(("escalate", "review"), _one_or_more([*Role, invariants.ANY])),
        "ask": _one_or_more([*askable, invariants.ANY]),
        **dict.fromkeys(("hold", "human", "silent"), YES_NO),
    }
    beside: dict[str, Schema] = {
        "priority": {"enum": [1, 2, 3, 4]},
        "within": DUE,
        "tier": one_of(invariants.TIERS),
        "confirm": {"enum": ["human", "no", False]},
    }
    again: Schema = {"$ref": "#/$defs/outcome"}
    several: Schema = {"anyOf": [again, {"type": "array", "items": again, "minItems": 1}]}
    deeds: list[Json] = [
        an_object({deed: says[deed], **{word: beside[word] for word in words}}, needs=(deed,))
        for deed, words in invariants.DEEDS.items()
    ]
    deeds += [an_object({word: again if word == "not" else several}, needs=(word,)) for word in invariants.WORDS]
    promise = an_object(
        {
            "id": {"type": "string", "pattern": "^[a-z][a-z0-9]*([_-][a-z0-9]+)*$"},
            "because": {**TEXT, "description": "For whoever asks why this must always be so."},
            "given": {"$ref": "#/$defs/condition"},
            "then": several,
        },
        needs=invariants.NEEDED,
    )
    listed: Schema = {"type": "array", "items": promise}
    definitions: Schema = {"condition": condition, "outcome": {"oneOf": deeds}}
    return top(an_object(dict.fromkeys(invariants.KINDS, listed))) | {"$defs": definitions}


def _one_or_more(words: Iterable[str]) -> Schema:
    known = [*words]
    return {"anyOf": [one_of(known), some_of(known)]}
