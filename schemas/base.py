"""What every published message is made of: the strict base model and the constrained types of its fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Final, NewType, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    JsonValue,
    PlainSerializer,
    StringConstraints,
)
from pydantic_core import core_schema


class Payload(BaseModel):
    """Base of all published models: nothing is coerced, changed after reading, or silently dropped.

    A field added later is optional with the default None, or the digest of a message already kept would change.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


# C0 and C1 control characters, line and paragraph separators, and the Unicode direction overrides and isolates, by
# which a name can be made to look like another one. Escapes that Rust, Python and ECMA patterns all read alike.
_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_UNSEEN = _CONTROL + r"\t\n\r\u2028\u2029\u202a-\u202e\u2066-\u2069"

SHORT_TEXT_PATTERN: Final = rf"^[^{_UNSEEN}]*[^{_UNSEEN}\s][^{_UNSEEN}]*$"
NARRATIVE_PATTERN: Final = rf"^[^{_CONTROL}]*$"
EVENT_ID_PATTERN: Final = r"^[!-)+-=?-~]+$"
SOURCE_ID_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
SLUG_PATTERN: Final = r"^[a-z][a-z0-9_]{0,62}$"
UUID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
DIGEST_PATTERN: Final = r"^[0-9a-f]{64}$"
COMMITMENT_PATTERN: Final = r"^[A-Za-z0-9+/]{43}=$"
VERSION_PATTERN: Final = r"^sha256:[0-9a-f]{64}$"
SUBJECT_PATTERN: Final = r"^[!-)+-=?-~]+$"
PHONE_PATTERN: Final = r"^\+?[0-9][0-9 ()-]{4,24}$"
OUTWARD_PATTERN: Final = r"^(GIR|[A-Z]{1,2}[0-9][A-Z0-9]?)$"
TRACEPARENT_PATTERN: Final = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
SEQUENCE_PATTERN: Final = r"^[1-9][0-9]{0,17}$"

# What a reader tells somebody whose text does not fit; the patterns themselves help nobody.
PATTERN_MEANS: Final[Mapping[str, str]] = {
    SHORT_TEXT_PATTERN: "must be one line of text, without control characters or direction overrides",
    NARRATIVE_PATTERN: "must be text without control characters other than tab and new line",
    EVENT_ID_PATTERN: "must be visible ASCII without spaces, * or >",
    SOURCE_ID_PATTERN: "must be lower-case letters, digits and inner hyphens, at most 64",
    SLUG_PATTERN: "must be a lower-case name: letters, digits and _, beginning with a letter",
    UUID_PATTERN: "must be a UUID in lower case",
    DIGEST_PATTERN: "must be a SHA-256 in lower-case hexadecimal",
    COMMITMENT_PATTERN: "must be 32 bytes in base64",
    VERSION_PATTERN: "must be sha256: and a digest in lower-case hexadecimal",
    PHONE_PATTERN: "must be a telephone number: digits, spaces, brackets and hyphens, with + in front if abroad",
    OUTWARD_PATTERN: "must be the outward half of a postcode alone, in capitals, for example LS6",
    TRACEPARENT_PATTERN: "must be a W3C traceparent",
    SEQUENCE_PATTERN: "must be a whole number from 1, written as text",
}

PersonId = NewType("PersonId", str)  # ours; a source's own ways to name a person are identifiers
LegId = NewType("LegId", str)

ValidPersonId = Annotated[PersonId, StringConstraints(pattern=UUID_PATTERN)]
ValidLegId = Annotated[LegId, StringConstraints(pattern=UUID_PATTERN)]
OurId = Annotated[str, StringConstraints(pattern=UUID_PATTERN)]  # a record's id that needs no type of its own
Commitment = Annotated[str, StringConstraints(pattern=COMMITMENT_PATTERN)]  # HMAC-SHA256, see `schemas.commitments`
EventId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=EVENT_ID_PATTERN)]
SourceId = Annotated[str, StringConstraints(pattern=SOURCE_ID_PATTERN)]  # a token of a NATS subject
Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN)]  # a name from configuration: a destination, a reason
Subject = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=SUBJECT_PATTERN)]
Digest = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)]
RuleSetVersion = Annotated[str, StringConstraints(pattern=VERSION_PATTERN)]
Traceparent = Annotated[str, StringConstraints(pattern=TRACEPARENT_PATTERN)]

ShortText = Annotated[str, StringConstraints(max_length=200, pattern=SHORT_TEXT_PATTERN)]
Sentence = Annotated[str, StringConstraints(max_length=1_000, pattern=SHORT_TEXT_PATTERN)]  # a rule's reason, a note
Narrative = Annotated[str, StringConstraints(max_length=20_000, pattern=NARRATIVE_PATTERN)]
Phone = Annotated[str, StringConstraints(pattern=PHONE_PATTERN)]
OutwardCode = Annotated[str, StringConstraints(pattern=OUTWARD_PATTERN)]

_T = TypeVar("_T")
_Item = TypeVar("_Item", bound=str)

Several = Annotated[tuple[_T, ...], Field(max_length=100)]


def _in_order(values: Iterable[str]) -> list[str]:
    return sorted(values)


# Written in order, because Python orders sets anew in every process and the digest must not.
SetOf = Annotated[frozenset[_Item], Field(max_length=100), PlainSerializer(_in_order, return_type=list[str])]

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _rfc3339(value: object) -> object:
    # pydantic would also read "1700000000" as seconds since 1970, which no source means.
    if not isinstance(value, str):
        return value
    if not _MOMENT.fullmatch(value):
        raise ValueError("must be a date and time with its zone, for example 2026-01-31T09:00:00Z")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a date and time that exists") from None


def _full_date(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _DAY.fullmatch(value):
        raise ValueError("must be a date, for example 2026-01-31")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a date that exists") from None


# The bounds keep every arithmetic on a moment, and its change of zone, inside what datetime can hold.
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1900, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC)),
    BeforeValidator(_rfc3339),
]
Day = Annotated[date, Field(ge=date(1880, 1, 1), le=date(2200, 1, 1)), BeforeValidator(_full_date)]


class _WithoutLookingInside:
    """Content that was checked where it came in, and that is only carried on.

    pydantic's own JsonValue asks Python for the type of every value in it, at each hop.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())


JsonObject = Annotated[dict[str, JsonValue], _WithoutLookingInside]
