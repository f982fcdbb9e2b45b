"""What a rule set means, as one number. Layout, comments, order of files and names of terms are no part of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from typing import TypeAlias

from services.router.rules.calendar import Calendar
from services.router.rules.language import All, Any

FORMAT = "onward-rules-1"  # a new way of writing the meaning down is a new format

Canonical: TypeAlias = "str | int | bool | list[Canonical] | dict[str, Canonical] | None"


def digest_of(meaning: Mapping[str, object]) -> str:
    """`sha256:...` over the canonical form of the meaning."""
    text = json.dumps([FORMAT, canonical(meaning)], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def canonical(value: object) -> Canonical:
    """One form for everything that means the same."""
    match value:
        case None | bool() | int() | str():
            return str(value) if isinstance(value, str) else value
        case date() | time():
            return value.isoformat()
        case All(parts) | Any(parts):
            return _group(type(value), parts)
        case Calendar():
            day = [canonical(value.day_starts), canonical(value.day_ends)]
            return [str(value.nation), *day, canonical(value.closures), canonical(value.seasons)]
        case type():
            return value.__name__
        case Mapping():
            return {str(key): canonical(item) for key, item in value.items()}
        case tuple() | list():
            return [canonical(item) for item in value]
    if is_dataclass(value):
        said = {field.name: canonical(getattr(value, field.name)) for field in fields(value) if field.compare}
        return [type(value).__name__, said]
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _group(node: type[All] | type[Any], parts: tuple[object, ...]) -> Canonical:
    """All of and any of do not care for order, repeats or brackets within their own kind."""
    flat: list[object] = []
    waiting = list(parts)
    while waiting:
        part = waiting.pop()
        if isinstance(part, (All, Any)) and type(part) is node:
            waiting.extend(part.parts)
        else:
            flat.append(part)
    members = _sorted([canonical(part) for part in flat])
    return members[0] if len(members) == 1 else [node.__name__, *members]


def _sorted(items: list[Canonical]) -> list[Canonical]:
    by_text = {json.dumps(item, sort_keys=True): item for item in items}
    return [by_text[text] for text in sorted(by_text)]
