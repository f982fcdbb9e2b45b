"""A picture in a terminal of any width: lanes of characters, then the tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from services.cli.picture.axis import Axis, Tick, ticks_of
from services.cli.picture.model import Lane, MarkKind, Picture, Question
from services.cli.picture.placing import Placed, in_rows
from services.cli.picture.tables import Cell, Facts, tables_of
from services.cli.picture.words import FAMILY_LABELS, Family

LABELS: Final = 30  # columns for the lanes' labels, at most
LEAST_LANE: Final = 20
NAME_ROWS: Final = 3  # of numbered marks
ROOMY: Final = 110  # columns
HIDDEN: Final = frozenset({"Why", "How it came there"})  # `onward trace` and the HTML tell them
HIDDEN_WHERE_NARROW: Final = frozenset({"Id", "Times told", "Asked"})

BARS: Final = {  # one character each, so that colour is not needed
    Family.ASKED: ("┄", "cyan"),
    Family.WAITING: ("─", "blue"),
    Family.ACTIVE: ("━", "green"),
    Family.PAUSED: ("░", "yellow"),
    Family.CLOSED: ("·", "dim"),
}
MARKS: Final = {
    MarkKind.CHECK_DUE: ("○", "bold", "check due"),
    MarkKind.CHECK_DONE: ("●", "bold", "check done"),
    MarkKind.CHECK_MISSED: ("✗", "bold red", "check missed"),
    MarkKind.CHECK_OFF: ("-", "dim", "check moved or not needed"),
    MarkKind.OFFER_OPEN: ("?", "bold yellow", "pause offered"),
    MarkKind.OFFER_AGREED: ("■", "yellow", "pause taken up"),
    MarkKind.OFFER_DECLINED: ("□", "yellow", "pause declined"),
    MarkKind.SENT: ("▾", "dim", "told by us"),
}
SHOWN_LAST: Final = (*MARKS,)  # where two marks share a place the first of these is seen

Cells = list[tuple[str, str]]  # a character and its style


class Drawn:
    """A picture that draws itself as wide as the terminal is."""

    def __init__(self, picture: Picture) -> None:
        """Draw this picture."""
        self._picture = picture

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it now that the width is known."""
        picture, width = self._picture, options.max_width
        yield Text(f"Case of person {picture.person_id}", style="bold")
        if picture.warning:
            yield Text(f" {picture.warning} ", style="bold white on red")
        for sentence in picture.summary:
            yield Text(sentence, style="red" if sentence.startswith("Late:") else "")
        yield Text("")
        yield lanes(picture, width)
        for facts in tables_of(picture):
            yield Text("")
            yield Text(facts.title, style="bold")
            yield table_of(facts, width)
            if facts.note:
                yield Text(facts.note, style="dim")


def lanes(picture: Picture, width: int) -> Group:
    """The lanes over time."""
    gutter = min(LABELS, max(12, width // 3))
    room = max(LEAST_LANE, width - gutter - 1)
    axis = Axis(picture.start, picture.end, 0, room - 1)
    now = round(axis.at(picture.now)) if picture.start <= picture.now <= picture.end else None
    ticks = ticks_of(axis, len, len, 2)
    rows: list[tuple[str, str, Cells]] = [
        ("", "", _names(ticks.coarse, room, centred=False)),
        ("", "", _names(ticks.fine, room, centred=True)),
    ]
    if now is not None:
        rows.insert(0, ("", "", _now(now, room)))
    rows += _numbers("What happened", [axis.at(e.at) for e in picture.events], [str(e.number) for e in picture.events],
                     ["bold"] * len(picture.events), room, now)  # fmt: skip
    for lane in picture.lanes:
        rows += _lane(lane, axis, room, now)
    asked = picture.questions
    rows += _numbers("Questions", [axis.at(q.at) for q in asked], [q.name for q in asked], [_style(q) for q in asked],
                     room, now)  # fmt: skip
    lines = [_line(label, style, cells, gutter) for label, style, cells in rows]
    return Group(*lines, *_key(picture, width))


def _line(label: str, style: str, cells: Cells, gutter: int) -> Text:
    line = Text(no_wrap=True, overflow="crop")
    name = Text(label, style=style)
    name.truncate(gutter, overflow="ellipsis", pad=True)
    line.append_text(name).append(" ")
    for character, look in cells:
        line.append(character, style=look)
    return line


def _blank(room: int, now: int | None) -> Cells:
    cells: Cells = [(" ", "")] * room
    if now is not None:
        cells[now] = ("│", "red")
    return cells


def _write(cells: Cells, at: int, text: str, style: str) -> None:
    for place, character in enumerate(text, start=at):
        if 0 <= place < len(cells):
            cells[place] = (character, style)


def _now(now: int, room: int) -> Cells:
    cells = _blank(room, now)
    says = "now"
    _write(cells, max(0, min(room - len(says), now - 1)), says, "bold red")
    return cells


def _names(ticks: Iterable[Tick], room: int, *, centred: bool) -> Cells:
    cells = _blank(room, None)
    for tick in ticks:
        _write(cells, round(tick.x) - (len(tick.label) // 2 if centred else 0), tick.label, "" if centred else "bold")
    return cells


def _lane(lane: Lane, axis: Axis, room: int, now: int | None) -> list[tuple[str, str, Cells]]:
    """The bar, and below it the marks; left of them what it is and where it stands."""
    bar, marks = _blank(room, now), _blank(room, now)
    for span in lane.spans:
        character, style = BARS[span.family]
        start, end = round(axis.at(span.start)), round(axis.at(span.end))
        _write(bar, start, character * max(1, end - start), f"dim {style}" if span.ahead else style)
        if span.family is Family.CLOSED:
            _write(bar, start, "▌", "")
    if now is not None:
        bar[now] = ("│", "red")
    for mark in sorted(lane.marks, key=lambda mark: -SHOWN_LAST.index(mark.kind)):
        character, style, _ = MARKS[mark.kind]
        _write(marks, round(axis.at(mark.at)), character, style)
    style = f"bold {BARS[lane.family][1]}".replace("bold dim", "dim")
    warned = "! " if lane.other_side else ""
    return [
        (warned + lane.label, "bold magenta" if lane.other_side else "bold", bar),
        (f"  {lane.status}", style, marks),
    ]


def _numbers(
    label: str, places: Sequence[float], names: Sequence[str], styles: Sequence[str], room: int, now: int | None
) -> list[tuple[str, str, Cells]]:
    if not names:
        return []
    joined = 2 * len(names[-1]) + 1
    placed = in_rows(
        [round(place) for place in places],
        [len(name) for name in names],
        joined=joined,
        rows=NAME_ROWS,
        gap=1,
        bounds=(0, room),
        step=1,
    )
    rows = [_blank(room, now) for _ in range(max(mark.row for mark in placed) + 1)]
    for mark in placed:
        style = next((style for style in styles[mark.first : mark.last + 1] if "red" in style), styles[mark.first])
        _write(rows[mark.row], _left(mark), _joined(names[mark.first], names[mark.last]), style)
    return [(label if place == 0 else "", "bold", cells) for place, cells in enumerate(rows)]


def _left(mark: Placed) -> int:
    return int(mark.x - mark.width / 2 + 0.5)


def _joined(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"


def _style(question: Question) -> str:
    return "dim" if question.answered_at is not None else "bold red" if question.late else "bold yellow"


def _key(picture: Picture, width: int) -> list[Text]:
    """What the characters mean: those that the picture has, in as many lines as they need."""
    families = {span.family for lane in picture.lanes for span in lane.spans}
    kinds = {mark.kind for lane in picture.lanes for mark in lane.marks}
    parts = [(*BARS[family], FAMILY_LABELS[family].lower()) for family in Family if family in families]
    parts += [MARKS[kind] for kind in MARKS if kind in kinds]
    if any(lane.other_side for lane in picture.lanes):
        parts.append(("!", "bold magenta", "other side, never for the person"))
    lines = [Text("")]
    for character, style, says in parts:
        part = Text.assemble((character, style), (f" {says}  ", "dim"))
        if lines[-1].cell_len + part.cell_len > width or len(lines) == 1:
            lines.append(Text(""))
        lines[-1].append_text(part)
    return lines


def table_of(facts: Facts, width: int) -> Table:
    """A table, without the columns that would take the room of the others."""
    hidden = HIDDEN if width >= ROOMY else HIDDEN | HIDDEN_WHERE_NARROW
    table = Table(box=None, header_style="dim", padding=(0, 2 if width >= ROOMY else 1, 0, 0), pad_edge=False)
    columns = [place for place, name in enumerate(facts.columns) if name not in hidden]
    for place in columns:
        table.add_column(facts.columns[place], overflow="fold")
    for number, row in enumerate(facts.rows):
        table.add_row(*(_cell(row[place]) for place in columns), style="red" if number in facts.late else None)
    return table


def _cell(cell: Cell) -> Text:
    return Text(cell if isinstance(cell, str) else "; ".join(cell))
