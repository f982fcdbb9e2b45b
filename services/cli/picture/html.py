"""A picture as one HTML file: nothing from outside, no script, readable on a telephone, on paper and by a reader."""

from __future__ import annotations

from typing import Final

from services.cli.picture import palette
from services.cli.picture.document import document
from services.cli.picture.markup import Markup, element, together
from services.cli.picture.model import Picture
from services.cli.picture.scene import NARROW, WIDE
from services.cli.picture.sheet import chart_scene
from services.cli.picture.svg import FONT, drawing
from services.cli.picture.tables import Cell, Facts, tables_of
from services.cli.picture.words import local

WHEN: Final = frozenset({"When", "How far off", "Due"})  # columns of times, which break badly

STYLE: Final = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; font: 16px/1.5 {FONT}; color: {palette.TONES["ink"]}; background: {palette.PAPER}; }}
main, footer {{ max-width: 1240px; margin: 0 auto; padding: 0 20px; }}
h1 {{ font-size: 1.5rem; line-height: 1.25; margin: 1rem 0 .5rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.15rem; margin: 2rem 0 .5rem; }}
p {{ margin: 0 0 .25rem; max-width: 75ch; }}
.warning {{ background: {palette.ALERT}; color: #fff; font-weight: 700; padding: .6rem 20px; }}
p.warning {{ margin: 0; max-width: none; }}
.late {{ color: {palette.TONES["alert"]}; }}
figure {{ margin: 1rem 0 0; }}
figure svg {{ display: block; width: 100%; height: auto; }}
figcaption, footer, .note {{ color: {palette.TONES["muted"]}; font-size: .875rem; }}
.narrow {{ display: none !important; }}
table {{ border-collapse: collapse; width: 100%; font-size: .875rem; }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid #c3c8cf; }}
th {{ font-weight: 700; }}
td {{ overflow-wrap: break-word; }}
.when {{ white-space: nowrap; }}
td ul, th ul {{ margin: 0; padding: 0; list-style: none; }}
td ul {{ min-width: 18rem; }}
#legs td:last-child {{ overflow-wrap: anywhere; font-size: .75rem; color: {palette.TONES["muted"]}; }}
footer {{ margin-top: 2rem; padding-bottom: 2rem; }}
@media screen and (max-width: 760px) {{
  main, footer {{ padding: 0 8px; }}
  .warning {{ padding: .6rem 8px; }}
  .wide {{ display: none !important; }}
  .narrow {{ display: block !important; }}
  table, tbody, tr, td, th[scope=row] {{ display: block; }}
  thead {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}
  tr {{ border-bottom: 1px solid {palette.TONES["muted"]}; padding: .5rem 0; }}
  td, th[scope=row] {{ border: 0; padding: .1rem 0; }}
  .when {{ white-space: normal; }}
  td ul {{ min-width: 0; }}
  td::before {{ content: attr(data-label) ": "; color: {palette.TONES["muted"]}; }}
  td:has(ul)::before {{ display: block; }}
}}
@page {{ size: A4 landscape; margin: 11mm; }}
@media print {{
  html {{ font-size: 9pt; }}
  body {{ font-size: 1rem; print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
  main, footer {{ padding: 0; max-width: none; }}
  p {{ max-width: none; }}
  h1 {{ margin-top: .5rem; }}
  h2 {{ margin-top: 1.25rem; break-after: avoid; }}
  #picture-heading, figcaption {{ display: none; }}
  figure {{ margin-top: .75rem; break-inside: avoid; }}
  figure svg {{ max-height: 146mm; }}
  th, td {{ padding: .2rem .75rem .2rem 0; }}
  tr {{ break-inside: avoid; }}
  thead {{ display: table-header-group; }}
  footer {{ margin-top: 1rem; padding: 0; break-before: avoid; }}
}}
"""


def page(picture: Picture) -> str:
    """The whole document."""
    return document(f"Case of person {picture.person_id}", STYLE, _body(picture))


def _body(picture: Picture) -> Markup:
    warning = [element("p", {"class": "warning", "role": "note"}, picture.warning)] if picture.warning else []
    summary = [
        element("p", {"class": "late" if sentence.startswith("Late:") else None}, sentence)
        for sentence in picture.summary
    ]
    main = element(
        "main",
        None,
        element("h1", None, "Case of person ", element("bdi", None, picture.person_id)),
        *summary,
        _figure(picture),
        *(_section(facts) for facts in tables_of(picture)),
    )
    drawn = f"Drawn {local(picture.now)}, {picture.for_whom}. Times are those of the United Kingdom."
    return element("body", None, together(warning), main, element("footer", None, element("p", None, drawn)))


def _figure(picture: Picture) -> Markup:
    """The picture in two forms, of which each screen shows one; so does each reader, for the other is not displayed."""
    forms = [
        element("div", {"class": form.name}, drawing(chart_scene(picture, form), picture, form.name))
        for form in (WIDE, NARROW)
    ]
    caption = element("figcaption", None, "The tables below say the same in words.")
    heading = element("h2", {"id": "picture-heading"}, "The case over time")
    return element("section", {"aria-labelledby": "picture-heading"}, heading, element("figure", None, *forms, caption))


def _section(facts: Facts) -> Markup:
    heading = f"{facts.id}-heading"
    columns = [element("th", {"scope": "col", "role": "columnheader"}, column) for column in facts.columns]
    rows = [_row(facts, place, row) for place, row in enumerate(facts.rows)]
    table = element(
        "table",
        {"id": facts.id, "role": "table", "aria-labelledby": heading},
        element("thead", {"role": "rowgroup"}, element("tr", {"role": "row"}, *columns)),
        element("tbody", {"role": "rowgroup"}, together(rows)),
    )
    note = [element("p", {"class": "note"}, facts.note)] if facts.note else []
    return element(
        "section", {"aria-labelledby": heading}, element("h2", {"id": heading}, facts.title), table, together(note)
    )


def _row(facts: Facts, place: int, row: tuple[Cell, ...]) -> Markup:
    """A row. Its roles are said, since a narrow screen shows it as a block, which would take them away."""
    first = {"scope": "row", "role": "rowheader", "class": _look(facts.columns[0])}
    cells = [element("th", first, _cell(row[0]))]
    cells += [
        element("td", {"role": "cell", "data-label": column, "class": _look(column)}, _cell(cell))
        for column, cell in zip(facts.columns[1:], row[1:], strict=True)
    ]
    return element("tr", {"role": "row", "class": "late" if place in facts.late else None}, *cells)


def _look(column: str) -> str | None:
    return "when" if column in WHEN else None


def _cell(cell: Cell) -> Markup:
    if isinstance(cell, str):
        return element("bdi", None, cell)
    return (
        element("ul", None, *(element("li", None, element("bdi", None, line)) for line in cell)) if cell else Markup("")
    )
