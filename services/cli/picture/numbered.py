"""The rows of numbered marks: events on top, questions to people below. Those that would collide are one mark. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from services.cli.picture.axis import Axis
from services.cli.picture.model import Event, Picture, Question
from services.cli.picture.placing import Placed, in_rows, width_of, wrap
from services.cli.picture.scene import Line, Page, Pill, Shape, Words
from services.cli.picture.words import local, several

PILL = 18.0  # height
ROWS = 4
PAD = 8.0

Look = Literal["event", "open", "late", "answered"]


def events_row(page: Page, axis: Axis, picture: Picture) -> None:
    """The numbers of what happened, where it did."""
    shapes: list[Shape] = []
    events = picture.events
    placed = _placed(page, axis, [axis.at(e.at) for e in events], [str(e.number) for e in events])
    top = _heading(page, shapes, "What happened", several(len(events), "event"))
    for mark in placed:
        these = events[mark.first : mark.last + 1]
        text = _named([str(event.number) for event in these])
        shapes.append(_pill(mark, top, text, [e.number for e in these], "event", "\n".join(map(_event, these))))
    page.y = max(page.y, top + _height(placed))
    page.add("events", shapes)


def questions_row(page: Page, axis: Axis, questions: Sequence[Question]) -> None:
    """The questions to people, where each is due or was answered."""
    top = page.y
    shapes: list[Shape] = [Line(page.form.margin, top, axis.right, top, "lane")]
    waiting = sum(question.answered_at is None for question in questions)
    placed = _placed(page, axis, [axis.at(q.at) for q in questions], [q.name for q in questions])
    top = _heading(page, shapes, "Questions to people", f"{waiting} open, {len(questions) - waiting} answered")
    for mark in placed:
        these = questions[mark.first : mark.last + 1]
        looks = {_look(question) for question in these}
        look: Look = "late" if "late" in looks else "open" if "open" in looks else "answered"
        text = _named([question.name for question in these])
        title = "\n".join(f"{q.name}: {q.says} ({q.role}, {_when(q)})" for q in these)
        shapes.append(_pill(mark, top, text, [q.number for q in these], look, title))
    page.y = max(page.y, top + _height(placed))
    page.add("questions", shapes)


def _heading(page: Page, shapes: list[Shape], label: str, count: str) -> float:
    """The row's name, left of it or above it. Returns where its marks begin."""
    form, top = page.form, page.y
    room = (form.gutter or form.room) - 2 * PAD
    y = top + PAD / 2
    for line in wrap(label, form.size, room, bold=True):
        y += form.size * 1.25
        shapes.append(Words(form.margin + PAD, y, line, form.size, bold=True, halo=True))
    y += form.size * 1.25
    shapes.append(Words(form.margin + PAD, y, count, form.size - 1, tone="muted", halo=True))
    page.y = y + PAD
    return top + PAD if form.gutter else page.y


def _placed(page: Page, axis: Axis, places: Sequence[float], names: Sequence[str]) -> list[Placed]:
    small = page.form.size - 2
    widths = [max(PILL, width_of(name, small, bold=True) + PAD) for name in names]
    joined = width_of(f"{names[-1]}\u2013{names[-1]}", small, bold=True) + PAD if names else 0.0
    return in_rows(places, widths, joined=joined, rows=ROWS, gap=2, bounds=(axis.left, axis.right))


def _pill(mark: Placed, top: float, text: str, numbers: Sequence[int], look: Look, title: str) -> Pill:
    y = top + mark.row * (PILL + 3) + PILL / 2
    return Pill(mark.x, y, mark.width, PILL, text, tuple(numbers), look, title)


def _height(placed: Sequence[Placed]) -> float:
    return (max((mark.row for mark in placed), default=0) + 1) * (PILL + 3) + PAD


def _named(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]}\u2013{names[-1]}"


def _event(event: Event) -> str:
    return f"{event.number}: {event.says}, {local(event.at)}, from {event.source}"


def _look(question: Question) -> Look:
    if question.answered_at is not None:
        return "answered"
    return "late" if question.late else "open"


def _when(question: Question) -> str:
    return f"answered {question.answer}" if question.answered_at else f"due {local(question.due_at)}"
