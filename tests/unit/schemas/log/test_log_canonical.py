"""Canonical JSON, beside the package rfc8785 of the registry."""

from __future__ import annotations

import enum

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from schemas.log.canonical import WIDEST, NotCanonical, canonical

text = st.text(st.characters(exclude_categories=["Cs"]))
# Where the order of UTF-16 and of UTF-8 part: from U+E000 up, and beyond the first plane.
keys = text | st.text(st.sampled_from("aé\ue000\uffff\U00010000\U0010ffff"), max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-WIDEST, WIDEST) | text,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=30,
)


@given(values)
def test_it_writes_what_another_implementation_writes(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]  # its values are declared one level deep


def test_keys_are_in_the_order_of_utf_16() -> None:
    assert canonical({"\U00010000": 1, "\uffff": 2}) == '{"\U00010000":1,"\uffff":2}'.encode()
    assert canonical({"b": 1, "a": (2, [])}) == b'{"a":[2,[]],"b":1}'


def test_characters_are_escaped_as_the_rfc_says_and_no_others() -> None:
    every = "".join(map(chr, range(0x80))) + "\u2028é"
    assert canonical(every) == rfc8785.dumps(every)


def test_an_enum_of_text_is_its_text() -> None:
    class Word(enum.StrEnum):
        GO = "go"

    assert canonical([Word.GO]) == b'["go"]'


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (1.0, "fraction"),
        ([0.5], "fraction"),
        (WIDEST + 1, "2\\*\\*53"),
        ({"a": -WIDEST - 1}, "2\\*\\*53"),
        ({1: 2}, "key that is not text"),
        ("\ud800", "surrogate"),
        ({"é\udfff": 1}, "surrogate"),
        ({"a\udfff": 1, "b": 2}, "surrogate"),
        (b"bytes", "bytes is not JSON"),
        ({"a": {1, 2}}, "set is not JSON"),
    ],
)
def test_what_has_no_canonical_form_is_refused_by_its_kind(value: object, why: str) -> None:
    with pytest.raises(NotCanonical, match=why) as caught:
        canonical(value)
    assert caught.value.__context__ is None, "the value must not travel with the error"


def test_nesting_without_end_is_refused() -> None:
    deep: list[object] = []
    for _ in range(2_000):
        deep = [deep]
    with pytest.raises(NotCanonical):
        canonical(deep)
