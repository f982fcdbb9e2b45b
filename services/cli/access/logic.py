"""Decisions as the person concerned may have them: what was done, by which rules, on which facts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.cli.access.choose import Chosen, fact_is_his, rules_shown
from services.cli.access.gather import Held
from services.cli.access.redact import Policy
from services.cli.looking import Row
from services.router.rules.declarations import DaysInStatus, Fact, LegOfEvent, StatusOfLeg

DONE: Final = {
    "routes": "referred, or asked to do more if you went there already",
    "offers": "a pause offered",
    "resumes": "asked whether it goes on",
    "notifies": "told",
    "withheld": "not referred",
}
ORIGINS: Final = {
    "case": "from what was known of the case",
    "calendar": "from the calendar",
    "window": "counted from earlier reports",
    "answer": "from a person's answer",
    "event": "from this report",
    "not stated": "nobody said",
}


def decisions(held: Held, chosen: Chosen, policy: Policy) -> list[Row]:
    """Every decision on an event that is shown."""
    kinds = {message.row["event_id"]: message.row["kind"] for message in held.messages}
    return [
        {
            "event_id": row["event_id"],
            "kind": kinds[row["event_id"]],
            "decided_at": row["decided_at"],
            "decided_again_after_an_answer": row["first_decision"] is not None,
            "rule_set": row["rule_set"],
            "done": list(_done(row["said"], held, policy)),
            "rules": [_rule(rule, row, held) for rule in rules_shown(row, held, chosen, policy)],
            "facts": facts_shown(row["facts"], row["rule_set"], held, policy),
        }
        for row in held.decisions
        if row["event_id"] in chosen.events
    ]


def facts_shown(facts: Mapping[str, Any], rule_set: str | None, held: Held, policy: Policy) -> Row:
    """The facts that are about the person alone, as far as they were known."""
    declared = held.rule_sets.get(rule_set or "", held.rules).facts
    return {
        name: value
        for name, value in facts.items()
        if value is not None
        and not _names_another(value, held, policy)
        and fact_is_his(declared.get(name), held.directory, policy)
    }


def reasons_by_destination(held: Held, chosen: Chosen, policy: Policy) -> dict[tuple[str, str], list[str]]:
    """By event and destination, the sentences of the shown rules that asked for it."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for row in held.decisions:
        if row["event_id"] not in chosen.events:
            continue
        shown = {rule["rule"] for rule in rules_shown(row, held, chosen, policy)}
        for name in DONE:
            for action in row["said"].get(name, ()):
                said = [reason["because"] for reason in action["reasons"] if reason["rule"] in shown]
                found.setdefault((row["event_id"], action["destination"]), {}).update(dict.fromkeys(said))
    return {key: list(sentences) for key, sentences in found.items()}


def _done(said: Mapping[str, Any], held: Held, policy: Policy) -> Iterator[Row]:
    for name, done in DONE.items():
        for action in said.get(name, ()):
            if policy.all_parties or held.directory.side(action["destination"]) == "person":
                told = {
                    "what": done,
                    "service": action["destination"],
                    "label": held.directory.label(action["destination"]),
                }
                yield told | ({"after": "a person agreed"} if action.get("confirm") == "human" else {})


def _rule(rule: Row, decision: Row, held: Held) -> Row:
    declared = held.rule_sets.get(decision["rule_set"], held.rules).facts
    return {
        "rule": rule["rule"],
        "because": rule["because"],
        "certain": rule["certain"],  # no: it was acted on although a fact was not known
        "tests": [
            {
                "test": test["test"],
                "fact": test["fact"],
                "meaning": _meaning(declared.get(test["fact"]), held),
                "value": test["value"],
                "label": _label(test["value"], held),
                "origin": origin(test["origin"]),
            }
            for test in rule["tests"]
        ],
    }


def _meaning(fact: Fact | None, held: Held) -> str | None:
    """What a fact is: in the words of the rule set, but for what its own words would not tell a stranger."""
    match fact.source if fact is not None else None:
        case StatusOfLeg(destination):
            return f"Where your referral to {held.directory.label(destination)} stood"
        case DaysInStatus(destination):
            return f"Days that your referral to {held.directory.label(destination)} stood there"
        case LegOfEvent():
            return "The service that the report was about"
    return fact.says if fact is not None else None


def _label(value: object, held: Held) -> str | None:
    """What people call the service that a value names, where it names one."""
    return held.directory.label(value) if isinstance(value, str) and value in held.directory.places else None


def origin(text: str) -> str:
    """Where a fact came from, in words."""
    _, _, pointer = text.partition(" /")
    if pointer:
        return f"{ORIGINS['event']}: {pointer.replace('/', ', ').replace('_', ' ')}"
    return ORIGINS.get(text, text)


def _names_another(value: object, held: Held, policy: Policy) -> bool:
    """Whether a value is the name of a service that is not on the person's side."""
    if policy.all_parties:
        return False
    several = value if isinstance(value, list) else [value]
    return any(str(each) in held.directory.places and held.directory.side(str(each)) != "person" for each in several)
