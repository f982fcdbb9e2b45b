"""Where in a message something is wrong, as a JSON pointer that shows none of the message's content."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from schemas.base import Payload
from schemas.instruments import DashTopic

HIDDEN = "?"  # stands for a key that we did not publish: it may be a name, or a narrative in the wrong place
_LONGEST = 500
_LOOKS_LIKE_A_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")


def pointer(tokens: Sequence[str | int]) -> str:
    """The JSON pointer to a place. Keys that are none of our field names are hidden."""
    names = published_names()
    return _joined([_safe(token, names) for token in tokens])


def pointer_to_unknown(tokens: Sequence[str | int]) -> str:
    """The same, for a field that should not be there: its name is shown when it looks like a misspelt field."""
    last = str(tokens[-1])
    return _joined([pointer(tokens[:-1]).removeprefix("/"), last if _LOOKS_LIKE_A_FIELD.fullmatch(last) else HIDDEN])


def without_names(place: str) -> str:
    """A pointer of ours for everybody but the sender: what looked like a misspelt field may be somebody's name."""
    names = published_names()
    return _joined([token if token.isdecimal() else _safe(token, names) for token in place.split("/")[1:]])


def published_names() -> frozenset[str]:
    """Every field name and every key that our models know."""
    models = [Payload]
    for model in models:
        models += model.__subclasses__()
    return _names_in(tuple(models))


@cache  # for the models that are loaded by now; put together anew for each problem it was most of refusing a message
def _names_in(models: tuple[type[Payload], ...]) -> frozenset[str]:
    return frozenset(name for model in models for name in model.model_fields) | frozenset(DashTopic)


def _safe(token: str | int, names: frozenset[str]) -> str:
    return str(token) if isinstance(token, int) or token in names else HIDDEN


def _joined(tokens: Sequence[str]) -> str:
    return "".join(f"/{token}" for token in tokens if token)[:_LONGEST]
