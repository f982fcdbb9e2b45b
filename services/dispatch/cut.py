"""What may leave: a command's content cut to a destination's allow-list. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue


def cut(content: Mapping[str, JsonValue], share: Sequence[str]) -> tuple[dict[str, JsonValue], list[str]]:
    """The part of `content` that `share` names, and the paths that are in it, sorted.

    `share` holds dotted paths; a path covers all that is below it. What is not named does not leave.
    """
    kept: dict[str, JsonValue] = {}
    names: list[str] = []
    for path in sorted(share):
        value = _at(content, path.split("."))
        if value is not None:
            _put(kept, path.split("."), value)
            names.append(path)
    return kept, names


def _at(content: JsonValue | Mapping[str, JsonValue], steps: Sequence[str]) -> JsonValue:
    value: object = content
    for step in steps:
        if not isinstance(value, Mapping):
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
