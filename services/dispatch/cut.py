"""What may leave: a command's content cut to a destination's allow-list. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from pydantic import JsonValue


def cut(content: Mapping[str, JsonValue], share: Sequence[str]) -> tuple[dict[str, JsonValue], list[str]]:
    """The part of `content` that `share` names, and the paths that are in it, sorted.

    `share` holds dotted paths; a path covers all that is below it. What is not named does not leave.
    """
    kept: dict[str, JsonValue] = {}
    names: list[str] = []
    for path, steps in _paths(tuple(share)):
        value = _at(content, steps)
        if value is not None:
            _put(kept, steps, value)
            names.append(path)
    return kept, names


@lru_cache(maxsize=256)
def _paths(share: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The paths in order, each with its steps. There are as many lists as there are destinations, read for ever."""
    return tuple((path, tuple(path.split("."))) for path in sorted(share))


def _at(content: JsonValue | Mapping[str, JsonValue], steps: Sequence[str]) -> JsonValue:
    value: object = content
    for step in steps:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value  # type: ignore[return-value]


def _put(into: dict[str, JsonValue], steps: Sequence[str], value: JsonValue) -> None:
    *above, last = steps
    for step in above:
        below = into.setdefault(step, {})
        if not isinstance(below, dict):
            return  # a shorter path covers this one already
        into = below
    if not isinstance(into.get(last), dict):
        into[last] = value
