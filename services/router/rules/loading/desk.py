"""Where mistakes are gathered while the files are read: every `take_*` gives what it can and notes what is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import TypeVar

from services.router.rules.due import Due
from services.router.rules.language import Position
from services.router.rules.loading.tree import Listing, Mapping, Node, Scalar
from services.router.rules.mistakes import Mistake, did_you_mean

T = TypeVar("T", bound=str)

_LENGTH = re.compile(r"([0-9]{1,4}) (hour|day|week|working day|working hour)s?")
_ID = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
LONGEST_TEXT = 500
LONGEST_DAYS = 3660


class Desk:
    """The mistakes so far."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def note(self, at: Position, message: str) -> None:
        """Something is wrong here."""
        self.mistakes.append(Mistake(at, message))

    def mapping(
        self, node: Node | None, what: str, keys: Collection[str], needs: Collection[str] = ()
    ) -> Mapping | None:
        """A mapping with these keys and no others."""
        if node is None:
            return None
        if not isinstance(node, Mapping):
            self.note(node.at, f"{what} is a mapping, got {_said(node)}")
            return None
        for key, _ in node.entries:
            if key.text not in keys:
                self.note(key.at, f"{what} has no {key.text!r}{did_you_mean(key.text, keys)}")
        for needed in needs:
            if node.get(needed) is None:
                self.note(node.at, f"{what} needs {needed!r}")
        return node

    def entries(self, node: Node | None, what: str) -> Iterator[tuple[Scalar, Node]]:
        """The entries of a mapping whose keys are names that somebody chose."""
        if isinstance(node, Mapping):
            yield from node.entries
        elif node is not None:
            self.note(node.at, f"{what} is a mapping, got {_said(node)}")

    def items(self, node: Node | None, what: str) -> tuple[Node, ...]:
        """The items of a list."""
        if isinstance(node, Listing):
            return node.items
        if node is not None:
            self.note(node.at, f"{what} is a list, got {_said(node)}")
        return ()

    def text(self, node: Node | None, what: str) -> str | None:
        """A sentence or a name."""
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self.note(node.at, f"{what} is text, got {_said(node)}")
            return None
        said = " ".join(node.text.split())
        if not said or node.is_empty:
            self.note(node.at, f"{what} is empty")
            return None
        if len(said) > LONGEST_TEXT:
            self.note(node.at, f"{what} is longer than {LONGEST_TEXT} characters")
        return said

    def identifier(self, node: Scalar, what: str) -> str:
        """A name of ours: small letters, digits, _ and -."""
        if not _ID.fullmatch(node.text):
            self.note(node.at, f"{node.text!r} is no name for {what}: small letters, digits, _ and - between them")
        return node.text

    def word(self, node: Node | None, what: str, words: Iterable[T]) -> T | None:
        """One of these words."""
        if node is None:
            return None
        known = {str(word): word for word in words}
        if isinstance(node, Scalar) and node.text in known:
            return known[node.text]
        if isinstance(node, Scalar):
            near = did_you_mean(node.text, known) or f"; it is one of {', '.join(sorted(known))}"
            self.note(node.at, f"{node.text!r} is not a value of {what}{near}")
        else:
            self.note(node.at, f"{what} is a word, got {_said(node)}")
        return None

    def words(self, node: Node | None, what: str, words: Iterable[T]) -> tuple[T, ...]:
        """One of these words or a list of them, without repeats, sorted."""
        if node is None:
            return ()
        known = tuple(words)
        items = node.items if isinstance(node, Listing) else (node,)
        if not items:
            self.note(node.at, f"{what} has an empty list: the test could never change")
        found: dict[T, None] = {}
        for item in items:
            taken = self.word(item, what, known)
            if taken is not None and taken in found:
                self.note(item.at, f"{taken!r} stands here twice")
            elif taken is not None:
                found[taken] = None
        return tuple(sorted(found))

    def number(self, node: Node | None, what: str, low: int, high: int) -> int | None:
        """A whole number of a range."""
        if node is None:
            return None
        number = node.number if isinstance(node, Scalar) else None
        if number is None:
            self.note(node.at, f"{what} is a whole number, got {_said(node)}")
        elif not low <= number <= high:
            self.note(node.at, f"{number} is outside {what}'s range {low}..{high}")
            return None
        return number

    def yes_no(self, node: Node | None, what: str) -> bool | None:
        """Yes or no."""
        if node is None:
            return None
        if isinstance(node, Scalar) and node.text in ("yes", "no", "true", "false"):
            return node.text in ("yes", "true")
        self.note(node.at, f"{what} is yes or no, got {_said(node)}")
        return None

    def day(self, node: Node | None, what: str) -> date | None:
        """A day, written 2026-12-24."""
        if node is None:
            return None
        try:
            if isinstance(node, Scalar) and re.fullmatch(r"\d{4}-\d\d-\d\d", node.text, re.ASCII):
                return date.fromisoformat(node.text)
        except ValueError:
            pass
        self.note(node.at, f"{what} is a day such as 2026-12-24, got {_said(node)}")
        return None

    def days(self, node: Node | None, what: str) -> int | None:
        """A length in days or weeks; `weekly` and `daily` are lengths too."""
        if node is None:
            return None
        said = node.text if isinstance(node, Scalar) else ""
        number, unit = _length({"daily": "1 day", "weekly": "1 week", "fortnightly": "2 weeks"}.get(said, said))
        if unit not in ("day", "week") or not 0 < number * (7 if unit == "week" else 1) <= LONGEST_DAYS:
            self.note(node.at, f"{what} is a length such as 4 weeks or 28 days, got {_said(node)}")
            return None
        return number * (7 if unit == "week" else 1)

    def due(self, node: Node | None, what: str) -> Due | None:
        """A due time: hours, days, weeks, working days or working hours."""
        if node is None:
            return None
        number, unit = _length(node.text if isinstance(node, Scalar) else "")
        if unit is None or not 0 < number <= LONGEST_DAYS:
            self.note(node.at, f"{what} is a due time such as 4 hours or 2 working days, got {_said(node)}")
            return None
        if unit == "working day":
            return Due(working_days=number)
        if unit == "working hour":
            return Due(working_hours=number)
        return Due(hours=number * {"hour": 1, "day": 24, "week": 168}[unit])


def _length(said: str) -> tuple[int, str | None]:
    found = _LENGTH.fullmatch(said)
    return (int(found[1]), found[2]) if found else (0, None)


def _said(node: Node) -> str:
    """What stands there, for a message. Files of a rule set hold no personal data."""
    match node:
        case Listing():
            return "a list"
        case Mapping():
            return "a mapping"
        case Scalar() if node.is_empty:
            return "nothing"
        case Scalar() if node.number is not None:
            return f"int {node.number}"
        case Scalar(text):
            return f"str {text!r}"
