"""What the schemas for editors are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from services.router.rules.language import Json

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema: TypeAlias = dict[str, Json]

TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer"}
YES_NO: Final[Schema] = {"enum": ["yes", "no", True, False]}
DAY: Final[Schema] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
DUE: Final[Schema] = {
    "type": "string",
    "pattern": r"^[0-9]{1,4} (hour|day|week|working day|working hour)s?$",
    "examples": ["4 hours", "2 working days", "4 working hours"],
}
LENGTH: Final[Schema] = {"type": "string", "pattern": r"^([0-9]{1,4} (day|week)s?|daily|weekly|fortnightly)$"}


def an_object(properties: Mapping[str, Json], needs: Iterable[str] = ()) -> Schema:
    """A mapping with these keys and no others."""
    made: Schema = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    needed: list[Json] = [*needs]
    return made | ({"required": needed} if needed else {})


def map_of(item: Schema) -> Schema:
    """A mapping whose keys somebody chose."""
    return {"type": "object", "additionalProperties": item}


def one_of(words: Iterable[str]) -> Schema:
    """One of these words."""
    return {"enum": [str(word) for word in words]}


def some_of(words: Iterable[str]) -> Schema:
    """A list of some of these words."""
    return {"type": "array", "items": one_of(words), "minItems": 1, "uniqueItems": True}


def a_file(properties: Mapping[str, Json], definitions: Schema | None = None) -> Schema:
    """A whole file with these keys, all needed."""
    return top(an_object(properties, needs=properties)) | ({"$defs": definitions} if definitions else {})


def top(schema: Schema) -> Schema:
    """A whole schema."""
    return {"$schema": DIALECT, **schema}
