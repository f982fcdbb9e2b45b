"""Markup that is written by one small builder, in which no text can become markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from services.cli.picture.words import shown

EMPTY: Final = frozenset({"meta", "input", "rect", "line", "path", "circle"})  # elements that never have content


@dataclass(frozen=True, slots=True)
class Markup:
    """A piece of a document that was built here: the only thing that is written as it is."""

    text: str


Attributes = Mapping[str, str | float | None]


def element(name: str, attributes: Attributes | None = None, *content: Markup | str) -> Markup:
    """An element with its attributes, those that are None left out, and what is in it. Every text is escaped."""
    written = "".join(f" {key}={_value(value)}" for key, value in (attributes or {}).items() if value is not None)
    if name in EMPTY:
        return Markup(f"<{name}{written}/>")
    inside = "".join(part.text if isinstance(part, Markup) else escape(_lines(part)) for part in content)
    return Markup(f"<{name}{written}>{inside}</{name}>")


def together(parts: Iterable[Markup]) -> Markup:
    """Pieces one after the other."""
    return Markup("\n".join(part.text for part in parts))


def number(value: float) -> str:
    """A length, short: at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def _value(value: str | float) -> str:
    return quoteattr(_lines(value) if isinstance(value, str) else number(value))


def _lines(text: str) -> str:
    """A text of several lines, each without what is not seen."""
    return "\n".join(map(shown, text.split("\n")))
