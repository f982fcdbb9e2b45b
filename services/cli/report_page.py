"""The controller's report as one HTML file: nothing from outside, no script, for screens and for paper. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.cli.picture.document import document
from services.cli.picture.html import STYLE
from services.cli.picture.markup import Markup, element, together
from services.cli.picture.words import local
from services.cli.reporting import Line, Report, Times

TITLE: Final = "Who consulted, and what was disclosed"
CONSULTED: Final = (
    "Person",
    "By",
    "Role",
    "Organisation",
    "Times",
    "First",
    "Last",
    "Entries",
    "Fields",
    "Purpose",
    "Why",
)
DISCLOSED: Final = ("Person", "To", "Times", "First", "Last", "Entries", "Fields", "Purpose", "Lawful basis", "Why")
TIMES: Final = frozenset({"First", "Last"})


def page(found: Report, now: datetime) -> str:
    """The whole document."""
    return document(TITLE, STYLE, _body(found, now))


def _body(found: Report, now: datetime) -> Markup:
    whose = f"Of person {', '.join(found.persons)}." if found.persons else "Of everybody."
    period = f"From {local(found.since)} until {local(found.until)}: {found.entries:,} entries of the audit log."
    consulted, disclosed = found.of("consult"), found.of("disclose")
    main = element(
        "main",
        None,
        element("h1", None, TITLE),
        element("p", None, element("bdi", None, whose)),
        element("p", None, period),
        _section("consulted", "Consulted", CONSULTED, [_consulted(*each) for each in consulted]),
        _section("disclosed", "Disclosed", DISCLOSED, [_disclosed(*each) for each in disclosed]),
    )
    made = (
        f"Made {local(now)}. Times are those of the United Kingdom. It names fields, never what they held. "
        "Each entry is shown and proved by its position: onward audit show, and onward audit prove. That this was made "
        "is itself in the audit log."
    )
    return element("body", None, main, element("footer", None, element("p", None, made)))


def _consulted(line: Line, when: Times) -> tuple[str, ...]:
    said = (", ".join(line.fields), line.purpose, "; ".join(line.why))
    return (_whose(line), line.who, line.role, line.organisation, *_when(when), *said)


def _disclosed(line: Line, when: Times) -> tuple[str, ...]:
    said = (", ".join(line.fields), line.purpose, (line.lawful_basis or "").replace("_", " "), "; ".join(line.why))
    return (_whose(line), line.who, *_when(when), *said)


def _whose(line: Line) -> str:
    return line.person_id or ", ".join(line.records) or "nobody in particular"


def _when(when: Times) -> tuple[str, str, str, str]:
    return f"{when.times:,}", local(when.first), local(when.last), when.named()


def _section(id_: str, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Markup:
    heading = element("h2", {"id": f"{id_}-heading"}, title)
    if not rows:
        return element("section", None, heading, element("p", None, "Nothing in this time."))
    head = [element("th", {"scope": "col", "role": "columnheader"}, column) for column in columns]
    table = element(
        "table",
        {"id": id_, "role": "table", "aria-labelledby": f"{id_}-heading"},
        element("thead", {"role": "rowgroup"}, element("tr", {"role": "row"}, *head)),
        element("tbody", {"role": "rowgroup"}, together([_row(columns, row) for row in rows])),
    )
    return element("section", {"aria-labelledby": f"{id_}-heading"}, heading, table)


def _row(columns: tuple[str, ...], row: tuple[str, ...]) -> Markup:
    """A row. Its roles are said, since a narrow screen shows it as a block, which would take them away."""
    cells = [element("th", {"scope": "row", "role": "rowheader"}, element("bdi", None, row[0]))]
    cells += [
        element(
            "td",
            {"role": "cell", "data-label": column, "class": "when" if column in TIMES else None},
            element("bdi", None, cell),
        )
        for column, cell in zip(columns[1:], row[1:], strict=True)
    ]
    return element("tr", {"role": "row"}, *cells)
