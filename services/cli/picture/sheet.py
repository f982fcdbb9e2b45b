"""What stands around the lanes: title and warning, the key to colours and marks, the legend. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.cli.picture.layout import BAR, PAD, chart
from services.cli.picture.model import MarkKind, Picture
from services.cli.picture.placing import width_of, wrap
from services.cli.picture.scene import SHEET, Bar, Form, Page, Panel, Scene, Shape, Stamp, Tone, Words
from services.cli.picture.words import FAMILY_LABELS, Family, local

MARKS: Final[Sequence[tuple[MarkKind, str]]] = (
    (MarkKind.CHECK_DUE, "Welfare check due"),
    (MarkKind.CHECK_DONE, "Check done"),
    (MarkKind.CHECK_MISSED, "Check missed"),
    (MarkKind.CHECK_OFF, "Check moved or not needed"),
    (MarkKind.OFFER_OPEN, "Pause offered"),
    (MarkKind.OFFER_AGREED, "Pause taken up"),
    (MarkKind.OFFER_DECLINED, "Pause declined"),
    (MarkKind.SENT, "Told by us"),
)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the legend: what is in front, and the text behind it."""

    name: str
    text: str
    tone: Tone = "ink"


def chart_scene(picture: Picture, form: Form) -> Scene:
    """The lanes with their key: for a page that says all else in words."""
    page = Page(form, y=PAD / 2)
    _key(page, picture)
    chart(page, picture)
    return page.scene()


def whole_scene(picture: Picture) -> Scene:
    """A sheet that stands for itself: title, warning, key, lanes, and the legend below."""
    page = Page(SHEET, y=SHEET.margin)
    _head(page, picture)
    _key(page, picture)
    chart(page, picture)
    _legend(page, picture)
    return page.scene()


def _head(page: Page, picture: Picture) -> None:
    form, shapes = page.form, list[Shape]()
    if picture.warning:
        shapes.append(Panel(form.margin, page.y, form.room, 30, "alert"))
        shapes.append(Words(form.margin + PAD, page.y + 20, picture.warning, 15, tone="inverse", bold=True))
        page.y += 30 + PAD
    page.y += 20
    shapes.append(Words(form.margin, page.y, f"Case of person {picture.person_id}", 20, bold=True))
    drawn = f"Drawn {local(picture.now)}, {picture.for_whom}"
    shapes.append(Words(form.width - form.margin, page.y, drawn, 12, "end", "muted"))
    page.y += PAD / 2
    for sentence in picture.summary:
        tone: Tone = "alert" if sentence.startswith("Late:") else "ink"
        for line in wrap(sentence, 15, form.room, most=2):
            page.y += 20
            shapes.append(Words(form.margin, page.y, line, 15, tone=tone))
    page.y += 2 * PAD
    page.add("head", shapes)


def _key(page: Page, picture: Picture) -> None:
    """What the colours and marks mean: those that the picture has."""
    form, small = page.form, page.form.size - 1
    shapes: list[Shape] = []
    x, y = form.margin, page.y
    families = {span.family for lane in picture.lanes for span in lane.spans}
    kinds = {mark.kind for lane in picture.lanes for mark in lane.marks}
    for family in (family for family in Family if family in families):
        x, y = _next(x, y, 28 + width_of(FAMILY_LABELS[family], small), form)
        shapes.append(Bar(x, y + 2, 22, BAR - 8, family, False, FAMILY_LABELS[family]))  # noqa: FBT003 - a record's field
        shapes.append(Words(x + 28, y + small + 1, FAMILY_LABELS[family], small))
        x += 28 + width_of(FAMILY_LABELS[family], small) + 2 * PAD
    for kind, label in ((kind, label) for kind, label in MARKS if kind in kinds):
        x, y = _next(x, y, 16 + width_of(label, small), form)
        shapes.append(Stamp(x + 6, y + BAR / 2 - 2, kind, label))
        shapes.append(Words(x + 16, y + small + 1, label, small))
        x += 16 + width_of(label, small) + 2 * PAD
    page.y = y + BAR + PAD if shapes else y
    page.add("key", shapes)


def _next(x: float, y: float, width: float, form: Form) -> tuple[float, float]:
    """Where the next entry of a row stands; on a new line where it does not fit."""
    return (x, y) if x + width <= form.width - form.margin else (form.margin, y + BAR)


def _legend(page: Page, picture: Picture) -> None:
    events = [_Entry(str(e.number), f"{local(e.at)}: {e.says}, from {e.source}") for e in picture.events]
    dues = [_Entry("\u2022", d.sentence, "alert" if d.late else "ink") for d in picture.dues]
    answered = [_Entry(q.name, f"{q.says} {q.role}, {q.answer}") for q in picture.questions if q.answered_at]
    _block(page, "Due next", dues, "legend-dues")
    _block(page, "What happened", events, "legend-events")
    _block(page, "Questions that were answered", answered, "legend-questions")


def _block(page: Page, heading: str, entries: Sequence[_Entry], kind: str) -> None:
    """A heading and its entries, in columns of about the same height."""
    if not entries:
        return
    form, small = page.form, page.form.size - 1
    line = small * 1.4
    indent = max(width_of(entry.name, small, bold=True) for entry in entries) + PAD
    column = (form.room - (form.columns - 1) * 3 * PAD) / form.columns
    wrapped = [wrap(entry.text, small, column - indent) for entry in entries]
    page.y += PAD + form.size * 1.4
    shapes: list[Shape] = [Words(form.margin, page.y, heading, form.size + 1, bold=True)]
    page.y += PAD / 2
    top, most = page.y, -(-sum(map(len, wrapped)) // form.columns)
    y, number, lowest = top, 0, top
    for entry, lines in zip(entries, wrapped, strict=True):
        if number < form.columns - 1 and y + line * (len(lines) - 0.5) > top + line * most:
            number, y = number + 1, top
        x = form.margin + number * (column + 3 * PAD)
        shapes.append(Words(x, y + line, entry.name, small, tone=entry.tone, bold=True))
        for text in lines:
            y += line
            shapes.append(Words(x + indent, y, text, small, tone=entry.tone))
        lowest = max(lowest, y)
    page.y = lowest + PAD
    page.add(kind, shapes)
