"""Messages that no source should send, and some that one will: each unlike a referral in one way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hypothesis import strategies as st

from tests.support.events import example, referral_of

CANARY = "Zebedee-Quartz"  # stands for personal data: it may be kept with the raw bytes and shown nowhere else
NAME_AS_A_KEY = "Zebedee_Quartz"  # looks like a field: its sender may be told, and nobody else
NOBODY = "01938f00-0000-7000-8000-00000000dead"
Event = dict[str, Any]


class Kind(StrEnum):
    """In which way a message is bad."""

    CUT_OFF = "cut_off"
    DEEP = "deep"
    HUGE = "huge"
    NO_NUMBER = "no_number"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_FIELD = "unknown_field"
    TWICE = "twice"
    BINARY = "binary"
    EMPTY = "empty"
    NO_CHARACTER = "no_character"
    OTHER_ENCODING = "other_encoding"
    NO_OBJECT = "no_object"
    IDENTIFIER = "identifier"
    WRONG_SOURCE = "wrong_source"
    UNKNOWN_CHANNEL = "unknown_channel"
    WRONG_CHANNEL = "wrong_channel"
    CLOSED_CHANNEL = "closed_channel"
    UNKNOWN_LEG = "unknown_leg"
    UNKNOWN_PERSON = "unknown_person"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A poison that is yet to be given its source."""

    kind: Kind
    number: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class Poison:
    """What is published, and the reason under which it must be set aside."""

    kind: Kind
    channel: str
    raw: bytes
    reason: str = "unreadable"


def recipes() -> st.SearchStrategy[Recipe]:
    """Any poison."""
    return st.builds(Recipe, st.sampled_from(Kind), st.integers(0, 10_000), st.binary(max_size=40))


def cook(recipe: Recipe, source: str, person: int) -> Poison:
    """The poison of a recipe, as this source would publish it about its n-th person."""
    event = referral_of(person, source=source)
    event["data"]["person"]["name"]["given"] = CANARY
    event["data"]["narrative"] = f"{CANARY} {recipe.number}"
    return _COOKS[recipe.kind](recipe, event)


def _bytes(event: object) -> bytes:
    return json.dumps(event).encode()


def _bad(recipe: Recipe, raw: bytes, *, channel: str = "referral", reason: str = "unreadable") -> Poison:
    return Poison(recipe.kind, channel, raw, reason)


def _cut_off(recipe: Recipe, event: Event) -> Poison:
    raw = _bytes(event)
    return _bad(recipe, raw[: 1 + recipe.number % (len(raw) - 1)])


def _deep(recipe: Recipe, event: Event) -> Poison:
    levels = 33 + recipe.number
    nest = b"[" * levels + b"]" * levels if recipe.number % 2 else b'{"a":' * levels + b"1" + b"}" * levels
    return _bad(recipe, _bytes(event)[:-1] + b',"deep":' + nest + b"}")


def _huge(recipe: Recipe, event: Event) -> Poison:
    event["data"]["narrative"] = CANARY * (20_000 + recipe.number)
    return _bad(recipe, _bytes(event))


def _no_number(recipe: Recipe, event: Event) -> Poison:
    word = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 400, b"1.5", b"01", b"0x1F")[recipe.number % 8]
    event["data"]["previous_incidents_12_months"] = "@"
    return _bad(recipe, _bytes(event).replace(b'"@"', word))


def _wrong_type(recipe: Recipe, event: Event) -> Poison:
    data = event["data"]
    where: tuple[tuple[Event, str], ...] = (
        (event, "id"),
        (event, "time"),
        (event, "data"),
        (event, "specversion"),
        (data, "person"),
        (data, "reference"),
        (data["person"], "name"),
        (data["person"], "date_of_birth"),
        (data["incident"], "behaviours"),
        (data["incident"], "occurred_at"),
    )
    wrong: tuple[object, ...] = (17, 1.5, True, [CANARY, 3], {CANARY: CANARY})
    into, name = where[recipe.number % len(where)]
    into[name] = wrong[recipe.number // len(where) % len(wrong)]
    return _bad(recipe, _bytes(event))


def _unknown_field(recipe: Recipe, event: Event) -> Poison:
    into = (event, event["data"], event["data"]["person"], event["data"]["incident"])[recipe.number % 4]
    into[(f"{CANARY} {recipe.number}", NAME_AS_A_KEY, "narative")[recipe.number % 3]] = CANARY
    return _bad(recipe, _bytes(event))


def _twice(recipe: Recipe, event: Event) -> Poison:
    return _bad(recipe, _bytes(event)[:-1] + b',"id":"' + CANARY.encode() + b'"}')


def _binary(recipe: Recipe, event: Event) -> Poison:
    return _bad(recipe, recipe.salt + b"\xff\x00" + CANARY.encode())


def _empty(recipe: Recipe, event: Event) -> Poison:
    return _bad(recipe, b"")


def _no_character(recipe: Recipe, event: Event) -> Poison:
    escape = (b"\\u0000", b"\\ud800", b"\\udfff", b"\x00", b"\xed\xa0\x80")[recipe.number % 5]
    return _bad(recipe, _bytes(event).replace(CANARY.encode(), CANARY.encode() + escape))


def _other_encoding(recipe: Recipe, event: Event) -> Poison:
    event["data"]["narrative"] = f"{CANARY} caf\u00e9"
    text = json.dumps(event, ensure_ascii=False)
    return _bad(recipe, text.encode(("utf-16", "latin-1", "utf-8-sig", "utf-32")[recipe.number % 4]))


def _no_object(recipe: Recipe, event: Event) -> Poison:
    return _bad(recipe, (b"null", b"[]", b'"' + CANARY.encode() + b'"', b"17", _bytes([event]))[recipe.number % 5])


def _identifier(recipe: Recipe, event: Event) -> Poison:
    wrong = ({"pnc_id": "1986/0154321X"}, {"nhs_number": "999 000 1234"}, {"crn": CANARY}, {"cro": CANARY})
    event["data"]["person"]["identifiers"] = wrong[recipe.number % len(wrong)]
    return _bad(recipe, _bytes(event))


def _wrong_source(recipe: Recipe, event: Event) -> Poison:
    event["source"] = "somebody-else"
    return _bad(recipe, _bytes(event), reason="another_source")


def _unknown_channel(recipe: Recipe, event: Event) -> Poison:
    return _bad(recipe, _bytes(event), channel="nonsense", reason="unknown_channel")


def _wrong_channel(recipe: Recipe, event: Event) -> Poison:
    return _bad(recipe, _bytes(event), channel=("risk", "progress")[recipe.number % 2])


def _closed_channel(recipe: Recipe, event: Event) -> Poison:
    """Humans' decisions and timers are taken from the sources alone that may send them."""
    return _bad(recipe, _bytes(event), channel=("decision", "timer")[recipe.number % 2], reason="not_your_channel")


def _unknown_leg(recipe: Recipe, event: Event) -> Poison:
    report = example("progress-started", source=event["source"], leg_id=NOBODY)
    return _bad(recipe, _bytes(report), channel="progress", reason="unknown_person")


def _unknown_person(recipe: Recipe, event: Event) -> Poison:
    about = ({"person_id": NOBODY}, {"leg_id": NOBODY}, {"referral": {"source": "x", "reference": CANARY}})
    report = example("risk-relapse", source=event["source"], about=about[recipe.number % 3])
    return _bad(recipe, _bytes(report), channel="risk", reason="unknown_person")


_COOKS: dict[Kind, Callable[[Recipe, Event], Poison]] = {
    Kind.CUT_OFF: _cut_off,
    Kind.DEEP: _deep,
    Kind.HUGE: _huge,
    Kind.NO_NUMBER: _no_number,
    Kind.WRONG_TYPE: _wrong_type,
    Kind.UNKNOWN_FIELD: _unknown_field,
    Kind.TWICE: _twice,
    Kind.BINARY: _binary,
    Kind.EMPTY: _empty,
    Kind.NO_CHARACTER: _no_character,
    Kind.OTHER_ENCODING: _other_encoding,
    Kind.NO_OBJECT: _no_object,
    Kind.IDENTIFIER: _identifier,
    Kind.WRONG_SOURCE: _wrong_source,
    Kind.UNKNOWN_CHANNEL: _unknown_channel,
    Kind.WRONG_CHANNEL: _wrong_channel,
    Kind.CLOSED_CHANNEL: _closed_channel,
    Kind.UNKNOWN_LEG: _unknown_leg,
    Kind.UNKNOWN_PERSON: _unknown_person,
}
