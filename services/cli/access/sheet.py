"""What every part of the page is made of: paragraphs, tables of two columns or of several, and marks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from services.cli.picture.markup import Markup, element, together

SMALL: Final = 6  # rows of a table that stays on one sheet

Cells: TypeAlias = Sequence[str | list[str]]


def paragraph(text: str, *, note: bool = False) -> Markup:
    """A paragraph, or a smaller one that says where something is from."""
    return element("p", {"class": "note" if note else None}, text)


def bullets(lines: Sequence[str]) -> Markup:
    """A list of sentences."""
    return element("ul", {"class": "plain"}, *(element("li", None, line) for line in lines))


def pairs(rows: Sequence[tuple[str, str]]) -> Markup:
    """A table of what is called how, and what it says."""
    body = [
        element("tr", {"role": "row"}, element("th", {"scope": "row", "role": "rowheader", "class": "label"}, name),
                element("td", {"role": "cell"}, _held(value)))
        for name, value in rows
    ]  # fmt: skip
    return element(
        "table", {"role": "table", "class": _small(rows)}, element("tbody", {"role": "rowgroup"}, together(body))
    )


def table(columns: Sequence[str], rows: Sequence[Cells]) -> Markup:
    """A table with its columns named; a list in a cell is a list there."""
    head = [
        element("th", {"scope": "col", "role": "columnheader", "class": _look(column)}, column) for column in columns
    ]
    body = [
        element(
            "tr",
            {"role": "row"},
            *(
                element("td", {"role": "cell", "data-label": column, "class": _look(column)}, _cell(cell))
                for column, cell in zip(columns, row, strict=True)
            ),
        )
        for row in rows
    ]
    return element(
        "table",
        {"role": "table", "class": _small(rows)},
        element("thead", {"role": "rowgroup"}, element("tr", {"role": "row"}, *head)),
        element("tbody", {"role": "rowgroup"}, together(body)),
    )


def _look(column: str) -> str | None:
    return "when" if column == "When" else None


def _small(rows: Sequence[Any]) -> str | None:
    return "small" if len(rows) <= SMALL else None


def _cell(cell: str | list[str]) -> Markup:
    if isinstance(cell, str):
        return _held(cell)
    return element("ul", None, *(element("li", None, _held(line)) for line in cell)) if cell else Markup("")


def _held(text: str) -> Markup:
    return element("bdi", {"class": "held" if text.startswith("[withheld") else None}, text)
