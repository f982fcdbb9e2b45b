"""A YAML file as scalars, lists and mappings that know where they stand.

Only plain YAML is taken: no anchors, aliases or tags; every word is text (`no`, `on` and `yes` are words).
What a scalar means is for whoever knows what is expected there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from services.router.rules.language import Position
from services.router.rules.mistakes import Mistake

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

DEEPEST = 30
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One word, number or text, as it was written."""

    text: str
    plain: bool  # written without quotes
    at: Position

    @property
    def number(self) -> int | None:
        """The whole number that stands here, if it is one."""
        return int(self.text) if self.plain and _INTEGER.fullmatch(self.text) else None

    @property
    def is_empty(self) -> bool:
        """Nothing was written."""
        return self.plain and self.text in ("", "~", "null")


@dataclass(frozen=True, slots=True)
class Listing:
    """Items in order."""

    items: tuple[Node, ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Mapping:
    """Entries in the order written; a key that was repeated is here once and is a mistake."""

    entries: tuple[tuple[Scalar, Node], ...]
    at: Position

    def get(self, key: str) -> Node | None:
        """What stands under a key."""
        return next((node for name, node in self.entries if name.text == key), None)


Node: TypeAlias = Scalar | Listing | Mapping


class _Broken(Exception):
    def __init__(self, mistake: Mistake) -> None:
        super().__init__(str(mistake))
        self.mistake = mistake


def read_tree(text: str, file: str, mistakes: list[Mistake]) -> Node | None:
    """The file's tree; None where it is no YAML that we take. What is wrong is added to the mistakes."""
    try:
        return _Builder(text, file, mistakes).document()
    except _Broken as broken:
        mistakes.append(broken.mistake)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file, 1, 1)
        mistakes.append(Mistake(at, f"this is not YAML: {error.problem or error.context}"))
    except yaml.YAMLError:
        mistakes.append(Mistake(Position(file, 1, 1), "this is not YAML: it holds characters that no text has"))
    return None


class _Builder:
    """Builds the tree from the parser's events."""

    def __init__(self, text: str, file: str, mistakes: list[Mistake]) -> None:
        self._events = yaml.parse(text, Loader=_Loader)
        self._file = file
        self._mistakes = mistakes

    def document(self) -> Node | None:
        node: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if node is not None:
                    raise _Broken(Mistake(self._at(event), "a second document: one file holds one"))
                node = self._node(next(self._events), 0)
        if node is None:
            self._mistakes.append(Mistake(Position(self._file, 1, 1), "this file is empty"))
        return node

    def _node(self, event: yaml.Event, depth: int) -> Node:
        at = self._at(event)
        self._refuse_extras(event, at, depth)
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(event.value, not event.style, at)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(event, depth + 1))
            return Listing(tuple(items), at)
        return self._mapping(at, depth)

    def _mapping(self, at: Position, depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, Scalar):
                self._mistakes.append(Mistake(key.at, "a key is a word, not a list or a mapping"))
            elif key.text in entries:
                first = entries[key.text][0].at
                self._mistakes.append(Mistake(key.at, f"{key.text!r} stands here twice (first in line {first.line})"))
            else:
                entries[key.text] = (key, value)
        return Mapping(tuple(entries.values()), at)

    def _refuse_extras(self, event: yaml.Event, at: Position, depth: int) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise _Broken(
                Mistake(at, f"an alias (*{event.anchor}) is not taken here; write it out, or name it in terms.yaml")
            )
        if anchor := getattr(event, "anchor", None):
            self._mistakes.append(Mistake(at, f"an anchor (&{anchor}) is not taken here"))
        if tag := getattr(event, "tag", None):
            self._mistakes.append(Mistake(at, f"a tag ({tag}) is not taken here"))
        if depth > DEEPEST:
            raise _Broken(Mistake(at, f"nested deeper than {DEEPEST} levels"))

    def _at(self, event: yaml.Event) -> Position:
        mark = event.start_mark
        return Position(self._file, mark.line + 1, mark.column + 1) if mark else Position(self._file, 1, 1)
