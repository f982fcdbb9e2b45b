from __future__ import annotations

import contextlib
import json

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.strict_json import MAX_BYTES, MAX_DEPTH, Unreadable, decode

POISON: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "", "empty"),
    "too large": (b'"' + b"x" * MAX_BYTES + b'"', "", "larger than"),
    "binary": (bytes(range(128, 256)), "", "not UTF-8, at byte 1"),
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "", "not UTF-8, at byte 2"),
    "latin-1": ('{"name": "Zoë"}'.encode("latin-1"), "", "not UTF-8"),
    "utf-16": ("{}".encode("utf-16"), "", "not UTF-8"),
    "raw surrogate": (b'"\xed\xa0\x80"', "", "not UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf{}", "", "byte order mark"),
    "truncated": (b'{"data": {"kind": "rel', "", "not JSON"),
    "two values": (b"{} {}", "", "not JSON: Extra data (line 1, column 4)"),
    "trailing comma": (b'{"data": 1,}', "", "not JSON"),
    "single quotes": (b"{'data': 1}", "", "not JSON"),
    "raw control character": (b'{"data": "a\x00b"}', "", "not JSON"),
    "raw new line in text": (b'{"data": "a\nb"}', "", "not JSON"),
    "200,000 deep": (b"[" * 200_000, "", "nested deeper"),
    "200,000 deep objects": (b'{"a":' * 50_000, "", "nested deeper"),
    "33 deep": (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "", "nested deeper"),
    "NaN": (b'{"data": {"ticks": NaN}}', "/data/ticks", "NaN and Infinity"),
    "Infinity": (b'{"data": [0, -Infinity]}', "/data/1", "NaN and Infinity"),
    "infinite number": (b'{"data": 1e999}', "/data", "too large"),
    "5,000-digit number": (b'{"data": {"ticks": ' + b"9" * 5_000 + b"}}", "/data/ticks", "64 bits"),
    "65-bit number": (b'{"data": 9223372036854775808}', "/data", "64 bits"),
    "a field twice": (b'{"data": {"kind": "relapse", "kind": "threat"}}', "/data", "more than once"),
    "a field twice by escape": (b'{"data": {"kind": 1, "\\u006bind": 2}}', "/data", "more than once"),
    "lone high surrogate": (b'{"data": {"note": "\\ud800"}}', "/data/note", "surrogate"),
    "lone low surrogate": (b'{"data": {"note": "\\uDfff x"}}', "/data/note", "surrogate"),
    "surrogate in a name": (b'{"data": {"\\ud800": 1}}', "/data", "a field name has half of a surrogate"),
    "NUL": (b'{"data": {"note": "a\\u0000b"}}', "/data/note", "NUL"),
}


@pytest.mark.parametrize(("raw", "place", "message"), POISON.values(), ids=POISON.keys())
def test_poison_is_refused_with_its_place(raw: bytes, place: str, message: str) -> None:
    with pytest.raises(Unreadable) as refused:
        decode(raw)
    assert refused.value.problems[0].place == place
    assert message in refused.value.problems[0].message


def test_all_that_is_not_strict_json_is_told_at_once() -> None:
    with pytest.raises(Unreadable) as refused:
        decode(b'{"data": {"kind": 1, "kind": NaN, "note": "\\u0000"}}')
    assert [problem.place for problem in refused.value.problems] == ["/data", "/data/kind", "/data/note"]


@pytest.mark.parametrize(
    "raw",
    [
        b'"\\ud83d\\ude00"',  # a whole pair is a character
        b'"\\\\u0000"',  # a backslash and four digits
        b"[-9223372036854775808, 9223372036854775807, 1.5e10]",
        b'{"a": {"b": 1}, "c": {"b": 2}}',
        b'"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["',
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b"[" + b"[]," * 40 + b"[]]",
    ],
)
def test_what_only_looks_like_poison_is_read(raw: bytes) -> None:
    assert decode(raw) == json.loads(raw)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
nearly_json = st.text('{}[]":,\\u0d8123eE.-+ NaInfty\n', max_size=40).map(str.encode)


@given(st.one_of(st.binary(max_size=200), nearly_json, json_values.map(lambda value: json.dumps(value).encode())))
@example(b'{"":0,"":0}')
@example(b'["\\udc00\\ud800"]')
def test_whatever_is_read_means_the_same_to_another_reader(raw: bytes) -> None:
    try:
        value = decode(raw)
    except Unreadable:
        return
    assert orjson.loads(raw) == value


@given(json_values)
def test_all_proper_json_is_read(value: object) -> None:
    raw = json.dumps(value).encode()
    assert decode(raw) == value


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9)), min_size=1, max_size=8),
    st.integers(0, 5),
)
def test_a_field_given_twice_is_refused_at_any_depth_and_only_then(pairs: list[tuple[str, int]], depth: int) -> None:
    inner = "{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}"
    raw = ('{"data":' * depth + inner + "}" * depth).encode()
    if len({key for key, _ in pairs}) == len(pairs):
        decode(raw)
    else:
        with pytest.raises(Unreadable) as refused:
            decode(raw)
        assert refused.value.problems[0].place == "/data" * depth


@pytest.mark.parametrize(
    "raw",
    [
        b'[{"a":1,"a":2},' + b"[" * 40 + b'"' + b'\\"' * 120_000,  # an unended string after a repeat
        b"[" * 40 + b'"' + b'\\"' * 120_000,
        b'"' + b"\\" * 250_001,
        b"[" + b"[]," * 80_000 + b"NaN]",
        b'{"a":1,"a":[' + b"1e999," * 40_000 + b"0]}",
        b"1" * 250_000,
        b"0." + b"1" * 250_000,
        b"[" + b"9" * 19 + (b"," + b"9" * 19) * 12_000 + b"]",
    ],
    ids=range(8),
)
@pytest.mark.timeout(60)  # measured at most 0.3 s; quadratic work takes minutes
def test_no_message_of_the_largest_size_takes_long(raw: bytes) -> None:
    with contextlib.suppress(Unreadable):
        decode(raw)
