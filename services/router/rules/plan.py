"""What becomes of the rules when one version follows another: by name, for those who approve it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from services.router.rules.approval import floors_differ
from services.router.rules.digest import canonical
from services.router.rules.ruleset import RuleSet


class Names(TypedDict):
    """What is new, gone and other than before."""

    added: list[str]
    removed: list[str]
    changed: list[str]


class Plan(TypedDict):
    """What changes from one version to the next."""

    floors: bool  # also where their facts, the calendar or the promises change
    rules: Names
    facts: Names
    destinations: Names
    promises: Names
    other: list[str]  # further parts that are other than before


def plan_of(before: RuleSet, after: RuleSet) -> Plan:
    """What changes when `after` takes the place of `before`."""
    other = [
        part
        for part in ("calendar", "otherwise", "pathway")
        if canonical(getattr(before, part)) != canonical(getattr(after, part))
    ]
    return {
        "floors": floors_differ(before, after),
        "rules": _in_meaning({rule.id: rule for rule in before.rules}, {rule.id: rule for rule in after.rules}),
        "facts": _in_meaning(before.facts, after.facts),
        "destinations": _in_meaning(before.destinations, after.destinations),
        "promises": _in_meaning({one.id: one for one in before.invariants}, {one.id: one for one in after.invariants}),
        "other": other,
    }


def names_changed(before: Mapping[str, object], after: Mapping[str, object]) -> Names:
    """What is new, gone and otherwise, by name."""
    both = before.keys() & after.keys()
    return {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(name for name in both if before[name] != after[name]),
    }


def _in_meaning(before: Mapping[str, object], after: Mapping[str, object]) -> Names:
    return names_changed(
        {name: canonical(said) for name, said in before.items()},
        {name: canonical(said) for name, said in after.items()},
    )
