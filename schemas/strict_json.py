"""Strict JSON: one meaning per message, in bounded time and memory, before any model sees it.

JSON as the standard library reads it lets a field be given twice, numbers be infinite and text be no text. Two readers
would then understand one message differently, and a referral could be accepted by one and not by the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final, Never

from schemas.places import pointer
from schemas.receipt import Problem

MAX_BYTES: Final = 256 * 1024  # a narrative of 20,000 characters in the worst encoding is 120 KB
MAX_DEPTH: Final = 32  # the deepest of our own messages is 6
MAX_PROBLEMS: Final = 50

_WIDEST_INT: Final = 20  # characters of -9223372036854775808
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_NUL_OR_SURROGATE = re.compile(r"\\u(0000|[dD][89a-fA-F])")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]')


class Unreadable(Exception):
    """A message that cannot be understood; every problem with its place, none with its content.

    `problems` are for its sender; the error's own text, which may end in a log, hides the names of unknown fields.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        told = [problem.for_others() for problem in problems]
        super().__init__("; ".join(f"{problem.place or '/'}: {problem.message}" for problem in told))
        self.problems = tuple(problems)


def decode(raw: bytes) -> object:
    """The JSON value in these bytes, or `Unreadable`."""
    text = _text(raw)
    value = _parse(_QUICK, text)
    suspect = isinstance(value, _Suspect) or ("\\u" in text and _NUL_OR_SURROGATE.search(text) is not None)
    as_written = _parse(_CLOSE, text) if suspect else None  # also shows that the rest of a suspect text is JSON
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise Unreadable([_whole(f"nested deeper than {MAX_DEPTH} levels")])
    if suspect and (problems := _look_closely(as_written)):
        raise Unreadable(problems)
    return value


def _whole(message: str) -> Problem:
    return Problem(place="", message=message)


def _text(raw: bytes) -> str:
    if not raw:
        raise Unreadable([_whole("the message is empty")])
    if len(raw) > MAX_BYTES:
        raise Unreadable([_whole(f"larger than {MAX_BYTES} bytes")])
    if raw.startswith(_UTF8_BOM):
        raise Unreadable([_whole("begins with a byte order mark; send UTF-8 without it")])
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        wrong = f"not UTF-8, at byte {error.start + 1}"
    raise Unreadable([_whole(wrong)])


class _Suspect(Exception):
    """Raised by the quick decoder at the first thing that strict JSON has not; also the value that stands for it."""


def _parse(decoder: json.JSONDecoder, text: str) -> object:
    # Raised outside the handlers: an exception's context would carry the body into whatever logs it.
    try:
        return decoder.decode(text)
    except _Suspect as suspect:
        return suspect
    except json.JSONDecodeError as error:
        wrong = f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
    except RecursionError:
        wrong = f"nested deeper than {MAX_DEPTH} levels"
    raise Unreadable([_whole(wrong)])


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _Suspect
    return fields


def _small_int(digits: str) -> int:
    if not _fits(digits):
        raise _Suspect
    return int(digits)


def _fits(digits: str) -> bool:
    return len(digits) <= _WIDEST_INT and -(2**63) <= int(digits) < 2**63


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _Suspect
    return value


def _refuse(_: str) -> Never:
    raise _Suspect


_QUICK: Final = json.JSONDecoder(
    object_pairs_hook=_once_each, parse_int=_small_int, parse_float=_finite, parse_constant=_refuse
)


class _Pairs(tuple[tuple[str, object], ...]):
    """An object as it was written, repeats and all."""

    __slots__ = ()


class _Number(str):
    """A number, or one of the words that some take for numbers, as it was written."""

    __slots__ = ()


_CLOSE: Final = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_Number
)


def _look_closely(whole: object) -> list[Problem]:
    """All that strict JSON refuses, with places. Slow, and only for messages that are suspect."""
    problems: list[Problem] = []
    ahead: list[tuple[tuple[str | int, ...], object]] = [((), whole)]
    while ahead and len(problems) < MAX_PROBLEMS:
        place, value = ahead.pop()
        wrong = _wrong_with(value)
        if wrong:
            problems.append(Problem(place=pointer(place), message=wrong))
        if isinstance(value, _Pairs):
            ahead.extend(((*place, key), member) for key, member in reversed(value))
        elif isinstance(value, list):
            ahead.extend(((*place, index), member) for index, member in reversed(list(enumerate(value))))
    return problems


def _wrong_with(value: object) -> str | None:
    if isinstance(value, _Pairs):
        keys = [key for key, _ in value]
        if len(set(keys)) != len(keys):
            return "a field is given more than once"
        return next((f"a field name has {wrong}" for key in keys if (wrong := _wrong_text(key))), None)
    if isinstance(value, _Number):
        return _wrong_number(value)
    if isinstance(value, str) and (wrong := _wrong_text(value)):
        return f"has {wrong}"
    return None


def _wrong_text(text: str) -> str | None:
    if "\0" in text:
        return "a NUL character"
    return "half of a surrogate pair, which is no character" if _SURROGATE.search(text) else None


def _wrong_number(digits: str) -> str | None:
    if digits in ("NaN", "Infinity", "-Infinity"):
        return "NaN and Infinity are not JSON"
    if digits.lstrip("-").isdigit():
        return None if _fits(digits) else "a whole number must fit in 64 bits"
    return "the number is too large" if float(digits) in (float("inf"), float("-inf")) else None


def _depth(text: str) -> int:
    """How deep brackets nest outside strings.

    Only for text that is JSON already: an unended string would make this quadratic in its length.
    """
    depth = deepest = 0
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "{" | "[":
                depth += 1
                deepest = max(deepest, depth)
            case "}" | "]":
                depth -= 1
    return deepest
