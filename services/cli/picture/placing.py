"""How much room words take, and how things that would collide are put in rows or drawn as one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Advance of a character in em, at most. Of DejaVu Sans, the widest of the usual fonts: what fits there fits anywhere.
_ADVANCE: Final = {
    **dict.fromkeys("ijl'|", 0.29),
    **dict.fromkeys("I.,:;/ ", 0.35),
    **dict.fromkeys("-ft()[]!", 0.41),
    **dict.fromkeys('r"', 0.47),
    **dict.fromkeys("csz", 0.56),
    **dict.fromkeys("kvxy", 0.6),
    **dict.fromkeys("mMW%@\u2026", 1.01),
    "w": 0.83,
}
_USUAL, _CAPITAL, _FOREIGN, _BOLD = 0.64, 0.79, 1.05, 1.13


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is at most, in the unit of `size`."""
    ems = 0.0
    for letter in text:
        if letter in _ADVANCE:
            ems += _ADVANCE[letter]
        elif letter.isascii():
            ems += _CAPITAL if letter.isupper() else _USUAL
        else:
            ems += _USUAL if letter in "\u2013\u00b7" else _FOREIGN
    return ems * size * (_BOLD if bold else 1)


def cut(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """As much of a text as fits, with an ellipsis where something is missing."""
    if width_of(text, size, bold=bold) <= room:
        return text
    kept = text
    while kept and width_of(kept + "\u2026", size, bold=bold) > room:
        kept = kept[:-1]
    return kept.rstrip() + "\u2026"


def wrap(text: str, size: float, room: float, *, most: int = 100, bold: bool = False) -> list[str]:
    """A text in lines that fit; the last of them is cut where there would be more."""
    lines = [""]
    words = text.split()
    for place, word in enumerate(words):
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or width_of(longer, size, bold=bold) <= room:
            lines[-1] = longer
        elif len(lines) == most:
            lines[-1] = f"{lines[-1]} {' '.join(words[place:])}"
            break
        else:
            lines.append(word)
    return [cut(line, size, room, bold=bold) for line in lines]


@dataclass(frozen=True, slots=True)
class Placed:
    """Neighbours that are drawn as one: their places in the sequence, first and last, the middle, and the row."""

    first: int
    last: int
    x: float
    width: float
    row: int


def in_rows(
    places: Sequence[float],
    widths: Sequence[float],
    *,
    joined: float,
    rows: int,
    gap: float,
    bounds: tuple[float, float],
    step: float = 4,
) -> list[Placed]:
    """Put marks that stand at rising `places` in as few rows as they need, so that none touches another.

    Where they would need more than `rows`, neighbours become one mark of the width `joined`, the nearest first.
    """
    apart = -1.0
    while True:
        groups = _groups(places, apart)
        placed = _packed([_one(group, places, widths, joined, bounds) for group in groups], gap)
        if max((mark.row for mark in placed), default=0) < rows or len(groups) == 1:
            return placed
        apart = max(apart, 0) + step


def _groups(places: Sequence[float], apart: float) -> list[tuple[int, int]]:
    """Runs of neighbours that are no further from one another than `apart`."""
    runs: list[tuple[int, int]] = []
    for index, place in enumerate(places):
        if runs and place - places[index - 1] <= apart:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _one(
    group: tuple[int, int],
    places: Sequence[float],
    widths: Sequence[float],
    joined: float,
    bounds: tuple[float, float],
) -> Placed:
    first, last = group
    width = widths[first] if first == last else joined
    middle = (places[first] + places[last]) / 2
    middle = max(bounds[0] + width / 2, min(bounds[1] - width / 2, middle))
    return Placed(first, last, middle, width, 0)


def _packed(marks: Sequence[Placed], gap: float) -> list[Placed]:
    ends: list[float] = []
    placed = []
    for mark in marks:
        left = mark.x - mark.width / 2
        row = next((row for row, end in enumerate(ends) if end + gap <= left), len(ends))
        ends[row : row + 1] = [mark.x + mark.width / 2]
        placed.append(Placed(mark.first, mark.last, mark.x, mark.width, row))
    return placed
