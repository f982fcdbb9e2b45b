"""A broken promise as an example file: the event that breaks it, and what would have to come of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from services.router.rules.compile import EVENT
from services.router.rules.events import EventKind
from services.router.rules.language import FactValue
from services.router.rules.outcomes import outcome_of
from services.router.rules.promises import (
    Asked,
    Each,
    Either,
    Escalated,
    HeldBack,
    Invariant,
    NotSo,
    Offered,
    Outcome,
    Resumed,
    Routed,
    Told,
)
from services.router.rules.prove.proofs import Finding
from services.router.rules.prove.witness import USUAL_DAY
from services.router.rules.ruleset import RuleSet

Expected = dict[str, Any]


def file_for(invariant: Invariant) -> str:
    """The example's file, inside the rule set's folder."""
    return f"examples/promise-{invariant.id}.yaml"


def example_of(rules: RuleSet, invariant: Invariant, finding: Finding) -> str:
    """The YAML of the example. It fails until the rules keep the promise for this event.

    Expected is what is decided now, with the promise kept where an example can say it: a person looks at it.
    """
    witness, decision = finding.witness, finding.decision
    assert witness is not None
    assert decision is not None
    now = {name: said for name, said in outcome_of(rules, decision).items() if said}
    expected = dict(now)
    _keep(invariant.outcome, expected)
    if expected != now:
        expected.pop("otherwise", None)
    usual = rules.plans[EventKind(str(witness.stated[EVENT]))].values
    stated = {name: value for name, value in witness.facts.values.items() if not _same(value, usual[name])}
    lines = [
        f"# Saved by `onward rules check --save`: this event broke the promise {invariant.id}.",
        "# Expected is what was decided then, with the promise kept. Look at it: is this what should come of it?"
        if expected != now
        else "# The promise says nothing that an example could expect: write down what should come of it.",
        "examples:",
        f"- name: {json.dumps(f'{invariant.id}: {invariant.because}')}",
    ]
    if witness.facts.day != USUAL_DAY:
        lines.append(f"  at: {witness.facts.day}T12:00:00Z")
    lines.append("  facts:")
    event_first = sorted({EVENT: witness.stated[EVENT], **stated}.items(), key=lambda each: (each[0] != EVENT, each[0]))
    lines += [f"    {name}: {_written(value)}" for name, value in event_first]
    lines.append("  expect:" if expected else "  expect: {}")
    lines += [f"    {name}: {json.dumps(value)}" for name, value in expected.items() if value]
    return "\n".join(lines) + "\n"


def _same(one: FactValue, other: FactValue) -> bool:
    return type(one) is type(other) and one == other


def _written(value: FactValue) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return json.dumps(sorted(value)) if isinstance(value, frozenset) else str(value)


def _keep(outcome: Outcome, expected: Expected) -> None:
    """Bring an expectation to what a promise wants, where it can be said by an example."""
    match outcome:
        case Each(parts):
            for part in parts:
                _keep(part, expected)
        case Either((first, *_)):
            _keep(first, expected)
        case NotSo(Either(parts)):
            for part in parts:
                _keep(NotSo(part), expected)
        case NotSo(Routed(destinations, tier=None, confirmed=None)):
            expected["routes"] = {d: p for d, p in expected.get("routes", {}).items() if d not in destinations}
            expected["confirm"] = [d for d in expected.get("confirm", ()) if d not in destinations]
        case Routed((name, *_)):
            _keep_route(outcome, name, expected)
        case Offered((name, *_)):
            expected["offers"] = {name: 28, **expected.get("offers", {})}
        case Told() | Escalated() | Asked() | Resumed() | HeldBack():
            _keep_named(outcome, expected)


def _keep_route(wanted: Routed, name: str, expected: Expected) -> None:
    routes = dict(expected.get("routes", {}))
    routes[name] = min(routes.get(name, 4), wanted.priority or 4)
    confirmed = {*expected.get("confirm", ())}
    if wanted.confirmed is not None:
        confirmed = confirmed | {name} if wanted.confirmed else confirmed - {name}
    expected |= {"routes": routes, "confirm": sorted(confirmed)}


def _keep_named(outcome: Told | Escalated | Asked | Resumed | HeldBack, expected: Expected) -> None:
    match outcome:
        case Told((name, *_)):
            part = "notified"
        case Escalated((name, *_)):
            part = "escalated"
        case Asked((name, *_)):
            part = "questions"
        case Resumed((name, *_)):
            part = "resumes"
        case HeldBack((name, *_)):
            part = "withheld"
        case _:
            return
    expected[part] = sorted({*expected.get(part, ()), str(name)})


def broken_promises(rules: RuleSet, findings: Sequence[Finding]) -> Iterator[tuple[Invariant, Finding]]:
    """The promises that were shown to be broken."""
    by_id = {invariant.id: invariant for invariant in rules.invariants}
    for finding in findings:
        if finding.check == "broken" and finding.witness is not None:
            yield by_id[finding.subject], finding
