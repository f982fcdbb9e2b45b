"""Reading a message whole: strict JSON, then its model. And writing one so that equal messages are equal bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypeVar

import orjson
from pydantic import ValidationError

from schemas.base import Payload
from schemas.problems import problems_of
from schemas.strict_json import Unreadable, decode

__all__ = ["Extra", "Unreadable", "canonical", "decode", "digest_of", "fit", "read", "said_by"]

Extra: TypeAlias = Literal["forbid", "ignore"]  # intake forbids fields it does not know; our own readers ignore them

ModelT = TypeVar("ModelT", bound=Payload)


def read(raw: bytes, model: type[ModelT], *, extra: Extra) -> ModelT:
    """The message in these bytes. Raises `Unreadable`, and nothing else, whatever the bytes are."""
    decode(raw)
    return fit(raw, model, extra=extra)


def fit(raw: bytes, model: type[ModelT], *, extra: Extra) -> ModelT:
    """The same, for bytes that `decode` has passed."""
    # The error is raised outside the handler, so that it does not carry the input along as its context.
    try:
        return model.model_validate_json(raw, strict=True, extra=extra)
    except ValidationError as error:
        problems = problems_of(error, model)
    raise Unreadable(problems)


def canonical(message: Payload) -> bytes:
    """One sequence of bytes for one meaning: keys in order, no spaces, what is not stated left out."""
    return orjson.dumps(message.model_dump(mode="json", exclude_none=True), option=orjson.OPT_SORT_KEYS)


def said_by(envelope: Payload) -> dict[str, Any]:
    """What a message says, of what JSON is made of.

    `traceparent` is left out, because a sender that tries again begins a new trace.
    """
    return envelope.model_dump(mode="json", exclude_none=True, exclude={"traceparent"})


def digest_of(said: Mapping[str, object]) -> str:
    """SHA-256 of what a message says: tells a repeat from another message under the same id."""
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()
