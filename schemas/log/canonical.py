"""Canonical JSON (RFC 8785): one value has one sequence of bytes, whoever writes it.

Fractions are refused: how they are written is where implementations part, and no entry has one.
"""

from __future__ import annotations

from typing import Final

import orjson

WIDEST: Final = 2**53 - 1  # the largest whole number that every JSON reader keeps


class NotCanonical(ValueError):
    """A value that has no canonical form here. Names the kind of the value, never the value."""


def canonical(value: object) -> bytes:
    """The canonical bytes of text, whole numbers, true, false, null, and of lists and objects of those.

    Raises NotCanonical for a fraction, a whole number beyond 2**53 - 1, half of a surrogate pair, a key that is not
    text, nesting beyond 254 levels, and for anything that is not JSON.
    """
    try:
        return orjson.dumps(_ordered(value))
    except (orjson.JSONEncodeError, RecursionError) as error:
        wrong = str(error)
    raise NotCanonical(wrong)  # outside the handler: what is wrong must not carry the value along


def _ordered(value: object) -> object:
    match value:
        case None | bool() | str():
            return value
        case int():
            if not -WIDEST <= value <= WIDEST:
                raise NotCanonical("a whole number beyond 2**53 - 1, which not every reader keeps")
            return value
        case dict():
            return {key: _ordered(value[key]) for key in _in_order(value)}
        case list() | tuple():
            return [_ordered(member) for member in value]
        case float():
            raise NotCanonical("a number with a fraction; say it in a smaller unit, or as text")
    raise NotCanonical(f"{type(value).__name__} is not JSON")


def _in_order(members: dict[object, object]) -> list[str]:
    keys = [key for key in members if type(key) is str]
    if len(keys) != len(members):
        raise NotCanonical("a key that is not text")
    if all(map(str.isascii, keys)):
        return sorted(keys)
    try:
        return sorted(keys, key=lambda key: key.encode("utf-16-be"))
    except UnicodeEncodeError:
        pass
    raise NotCanonical("a key with half of a surrogate pair, which is no character")
