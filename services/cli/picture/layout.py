"""Where everything of a picture stands: the axis, the numbered events, a lane for each leg, the questions. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from services.cli.picture.axis import Axis, Ticks, ticks_of
from services.cli.picture.model import Lane, Mark, MarkKind, Picture, Span
from services.cli.picture.numbered import events_row, questions_row
from services.cli.picture.placing import cut, width_of, wrap
from services.cli.picture.scene import Bar, Form, Group, Line, Page, Panel, Shape, Stamp, Tone, Words
from services.cli.picture.words import Family, local

BAR, STAMPS = 22.0, 13.0  # heights of a bar, and of a row of small marks
LEAST_STAMP = 0.5  # of their size
LEAST_BAR = 3.0  # width: what was so for an hour is still seen in three years
PAD = 8.0
ABOVE = (MarkKind.SENT, MarkKind.OFFER_OPEN, MarkKind.OFFER_AGREED, MarkKind.OFFER_DECLINED)


def chart(page: Page, picture: Picture) -> None:
    """The lanes over time, from where the page is filled."""
    form = page.form
    left = form.margin + form.gutter
    axis = Axis(picture.start, picture.end, left, form.width - form.margin - left)
    small = form.size - 1
    ticks = ticks_of(axis, lambda text: width_of(text, small), lambda text: width_of(text, small, bold=True), PAD)
    top, behind = page.y, len(page.groups)
    _axis(page, axis, ticks, picture)
    body = page.y
    events_row(page, axis, picture)
    for lane in picture.lanes:
        _lane(page, axis, lane)
    if picture.questions:
        questions_row(page, axis, picture.questions)
    page.y += PAD
    page.groups.insert(behind, _behind(page, axis, ticks, picture, top=top, body=body))


def _axis(page: Page, axis: Axis, ticks: Ticks, picture: Picture) -> None:
    """Three rows of words: now, the months or years, the days or weeks."""
    small = page.form.size - 1
    shapes: list[Shape] = []
    if axis.start <= picture.now <= axis.end:
        says = f"Now: {local(picture.now)}"
        half = width_of(says, small, bold=True) / 2
        middle = max(axis.left + half, min(axis.right - half, axis.at(picture.now)))
        shapes.append(Words(middle, page.y + small, says, small, "middle", "alert", bold=True, halo=True))
    rows = page.y + small + PAD
    shapes += [Words(tick.x, rows + small, tick.label, small, bold=True, halo=True) for tick in ticks.coarse]
    below = rows + 2 * small + PAD / 2
    shapes += [Words(tick.x, below, tick.label, small, "middle", "muted", halo=True) for tick in ticks.fine]
    page.y = rows + 2 * small + PAD * 1.5
    shapes.append(Line(axis.left, page.y, axis.right, page.y, "axis"))
    page.add("axis", shapes)


def _behind(page: Page, axis: Axis, ticks: Ticks, picture: Picture, *, top: float, body: float) -> Group:
    """What lies under the lanes: the future, the grid, the line of now."""
    now = axis.at(picture.now)
    shapes: list[Shape] = [Panel(now, body, axis.right - now, page.y - body, "future")]
    shapes += [Line(tick.x, body, tick.x, page.y, "grid") for tick in ticks.fine]
    if axis.start <= picture.now <= axis.end:
        shapes.append(Line(now, top + page.form.size + 2, now, page.y, "now"))
    return Group("grid", tuple(shapes))


def _lane(page: Page, axis: Axis, lane: Lane) -> None:
    form, top = page.form, page.y
    shapes: list[Shape] = [Line(form.margin, top, axis.right, top, "lane")]
    label_bottom = _label(shapes, form, lane, top)
    above = [mark for mark in lane.marks if mark.kind in ABOVE]
    below = [mark for mark in lane.marks if mark.kind not in ABOVE]
    y = top + PAD / 2 if form.gutter else label_bottom + PAD / 4
    shapes += _stamps(above, axis, y + STAMPS / 2)
    y += STAMPS
    shapes += [_bar(span, axis, y) for span in lane.spans]
    for place, span in enumerate(lane.spans):
        shapes += _says(span, lane.spans[place + 1 :], axis, y, form)
    y += BAR
    shapes += _stamps(below, axis, y + STAMPS / 2 + 2)
    page.y = max(y + STAMPS + PAD / 2, label_bottom + PAD)
    if lane.other_side:
        shapes.append(Line(form.margin, top + 2, form.margin, page.y - 2, "other"))
    page.add("lane", shapes, lane.leg_id)


def _label(shapes: list[Shape], form: Form, lane: Lane, top: float) -> float:
    """Whose lane it is and where it stands, left of it or above it. Returns where that ends."""
    x, room = form.margin + PAD, (form.gutter or form.room) - 2 * PAD
    size, small = form.size, form.size - 1
    y = top + PAD / 2
    for line in wrap(lane.label, size, room, most=2, bold=True):
        y += size * 1.25
        shapes.append(Words(x, y, line, size, bold=True, halo=True))
    tone: Tone = _TONES[lane.family]
    y += small * 1.35
    status = cut(lane.status, small, room, bold=True)
    shapes.append(Words(x, y, status, small, tone=tone, bold=True, halo=True))
    beside = width_of(f"{status} ", small, bold=True)
    if width_of(lane.detail, small) <= room - beside:
        shapes.append(Words(x + beside, y, lane.detail, small, tone="muted", halo=True))
    else:
        for line in wrap(lane.detail, small, room, most=2):
            y += small * 1.25
            shapes.append(Words(x, y, line, small, tone="muted", halo=True))
    if lane.other_side:
        y += small * 1.35
        shapes.append(Words(x, y, cut("Other side: never for the person", small, room), small, tone="other", halo=True))
    return y + small * 0.3


_TONES: dict[Family, Tone] = {
    Family.ASKED: "asked",
    Family.WAITING: "waiting",
    Family.ACTIVE: "active",
    Family.PAUSED: "paused",
    Family.CLOSED: "closed",
}


def _bar(span: Span, axis: Axis, y: float) -> Bar:
    x = axis.at(span.start)
    title = f"{span.label}, {'if nothing changes, ' if span.ahead else ''}{local(span.start)} to {local(span.end)}"
    return Bar(x, y, max(axis.at(span.end) - x, LEAST_BAR), BAR, span.family, span.ahead, title)


def _says(span: Span, after: Sequence[Span], axis: Axis, y: float, form: Form) -> list[Shape]:
    """What a span is, in the fullest words that fit: in it, or behind the cap of one that was closed."""
    x, small = axis.at(span.start), form.size - 1
    closed = span.family is Family.CLOSED
    if closed:
        end = axis.at(after[0].start) if after else axis.right
    else:
        end = axis.at(after[0].end if after and after[0].ahead else span.end)
    says = next((text for text in span.says if x + 2 * PAD + width_of(text, small) <= end), "")
    if not says:
        return []
    tone: Tone = "closed" if closed else "inverse" if span.family is Family.ACTIVE else "ink"
    words = Words(x + PAD, y + BAR / 2 + small * 0.35, says, small, tone=tone, halo=closed)
    if span.family is not Family.PAUSED:
        return [words]
    return [Panel(x + PAD / 2, y + 3, width_of(says, small) + PAD, BAR - 6, "plate"), words]


def _stamps(marks: Sequence[Mark], axis: Axis, y: float) -> list[Shape]:
    """Small marks in a row, smaller where they would run into one another."""
    places = sorted(axis.at(mark.at) for mark in marks)
    nearest = min((other - one for one, other in pairwise(places) if other - one > 1), default=STAMPS)
    size = max(LEAST_STAMP, min(1.0, nearest / STAMPS))
    return [Stamp(axis.at(mark.at), y, mark.kind, mark.says, size) for mark in marks]
