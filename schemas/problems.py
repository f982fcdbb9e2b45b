"""What a model finds wrong, told in our words: the place, the rule that was broken, never what was written."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Final, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.base import PATTERN_MEANS, Payload
from schemas.places import pointer, pointer_to_unknown
from schemas.receipt import Problem
from schemas.strict_json import MAX_PROBLEMS

_TOO_MANY: Final = 1_000  # beyond this, listing costs more than the list is worth

# By pydantic's error type; {names} are filled from the rule's own context, never from the input.
_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_unicode": "must be valid Unicode text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "enum": "must be one of {expected}",
    "literal_error": "must be {expected}",
    "too_long": "must have at most {max_length} entries",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "frozen_set_type": "must be a list",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "none_required": "must be null or left out",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "timezone_aware": "must have a time zone, for example 2026-01-31T09:00:00Z",
    "datetime_type": "must be a date and time as text, for example 2026-01-31T09:00:00Z",
    "date_type": "must be a date as text, for example 2026-01-31",
    "recursion_loop": "must not contain itself",
}


def problems_of(error: ValidationError, model: type[Payload]) -> tuple[Problem, ...]:
    """One problem for each thing that `model` refused, in the order of its fields."""
    if error.error_count() > _TOO_MANY:
        return (Problem(place="", message=f"more than {_TOO_MANY} things are wrong"),)
    details = error.errors(include_url=False, include_input=False)
    told = tuple(_problem(detail, model) for detail in details[:MAX_PROBLEMS])
    if len(details) > MAX_PROBLEMS:
        told += (Problem(place="", message=f"and {len(details) - MAX_PROBLEMS} more"),)
    return told


def _problem(detail: ErrorDetails, model: type[Payload]) -> Problem:
    place = detail["loc"]
    if detail["type"] == "extra_forbidden":
        return Problem(place=pointer_to_unknown(place), message=_no_such_field(place, model))
    if place and place[-1] == "[key]":
        return Problem(place=pointer(place[:-1]), message=f"the name here {_message(detail)}")
    return Problem(place=pointer(place), message=_message(detail))


def _message(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":  # raised by our own validators, which repeat no value
            return str(context["error"])
        case "string_pattern_mismatch":
            return PATTERN_MEANS.get(context["pattern"], "has not the form that is asked for")
        case known if known in _MESSAGES:
            return _MESSAGES[known].format_map(context)
        case other:
            return f"is not allowed here ({other})"


def _no_such_field(place: Sequence[str | int], model: type[Payload]) -> str:
    parent = _model_at(place[:-1], model)
    written = str(place[-1])
    fields = list(parent.model_fields) if parent and len(written) <= 41 else []
    near = difflib.get_close_matches(written.lower(), fields, n=1)
    return "no field of that name" + (f"; did you mean '{near[0]}'?" if near else "")


def _model_at(place: Sequence[str | int], model: type[Payload]) -> type[Payload] | None:
    found: type[Payload] | None = model
    for token in place:
        if isinstance(token, int):
            continue  # the model of a list's entries was found with the list
        field = found.model_fields.get(token) if found else None
        found = _model_in(field.annotation) if field else None
    return found


def _model_in(annotation: object) -> type[Payload] | None:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, Payload) else None
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)
