"""Destinations meant by what they are, so that whoever is listed later is meant too: `{kind: programme}`."""

from __future__ import annotations

from collections.abc import Mapping as Names
from typing import Final

from services.router.rules.loading.desk import Desk
from services.router.rules.loading.tree import Mapping
from services.router.rules.ruleset import Destination

SELECTS: Final = ("kind", "serves")


def is_selection(node: object) -> bool:
    """Whether destinations are meant here by what they are, and not by their names."""
    return isinstance(node, Mapping) and any(key.text in SELECTS for key, _ in node.entries)


def selected(desk: Desk, node: Mapping, destinations: Names[str, Destination]) -> tuple[str, ...]:
    """The destinations of a kind, or that serve a need, or both; sorted. Notes where nobody is meant."""
    kinds = _among(desk, node, "kind", {each.kind for each in destinations.values()})
    needs = _among(desk, node, "serves", {each.serves for each in destinations.values()})
    if kinds is None and needs is None:
        desk.note(node.at, f"say which destinations are meant: {' or '.join(SELECTS)}")
        return ()
    found = tuple(
        sorted(
            each.id
            for each in destinations.values()
            if (kinds is None or each.kind in kinds) and (needs is None or each.serves in needs)
        )
    )
    if kinds and needs and not found:
        desk.note(node.at, "no destination is of this kind and serves this need")
    return found


def _among(desk: Desk, node: Mapping, key: str, known: set[str]) -> tuple[str, ...] | None:
    said = node.get(key)
    return None if said is None else desk.words(said, key, sorted(known))
