"""The same facts as the picture, in tables: for whoever cannot see it, and for whoever wants the exact words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.cli.picture.model import Event, Picture, Question
from services.cli.picture.words import local

Cell = str | tuple[str, ...]  # a tuple: several lines


@dataclass(frozen=True, slots=True)
class Facts:
    """One table. `late` has the places of the rows that are overdue."""

    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    late: frozenset[int] = frozenset()


def tables_of(picture: Picture) -> tuple[Facts, ...]:
    """Every table that has a row, the most pressing first."""
    found = (_dues(picture), _legs(picture), _events(picture), _questions(picture), _rests(picture), _checks(picture))
    return tuple(facts for facts in found if facts.rows)


def _dues(picture: Picture) -> Facts:
    rows = [(local(due.at), due.when, due.about, due.says) for due in picture.dues]
    late = _places([due.late for due in picture.dues])
    return Facts("due", "Due next", ("When", "How far off", "For", "What"), tuple(rows), late=late)


def _legs(picture: Picture) -> Facts:
    rows = []
    for lane in picture.lanes:
        label = (lane.label, "Other side: never for the person") if lane.other_side else lane.label
        way = tuple(f"{local(span.start)}: {span.label}" for span in lane.spans if not span.ahead)
        rows.append((label, lane.status, lane.detail, str(lane.priority), str(lane.told), way, lane.leg_id))
    columns = ("Leg", "Status", "Since, until or why", "Priority", "Times told", "How it came there", "Id")
    return Facts("legs", "Legs", columns, tuple(rows))


def _events(picture: Picture) -> Facts:
    note = ""
    if picture.unnumbered:
        note = f"Timers that fell due, {picture.unnumbered} of them, have no number: what they asked is told elsewhere."
    columns = ("Number", "When", "What", "From", "What came of it", "Why")
    return Facts("events", "What happened", columns, tuple(map(_event, picture.events)), note)


def _event(event: Event) -> tuple[Cell, ...]:
    when: Cell = local(event.at)
    if event.told_at is not None:
        when = (local(event.at), f"told {local(event.told_at)}")
    return (str(event.number), when, event.says, event.source, event.effects, event.reasons)


def _questions(picture: Picture) -> Facts:
    asked = sorted(picture.questions, key=lambda question: (question.answered_at is not None, question.number))
    columns = ("Name", "Question", "For", "About", "Asked", "Due", "Answer")
    late = _places([question.late for question in asked])
    return Facts("questions", "Questions to people", columns, tuple(map(_question, asked)), late=late)


def _question(question: Question) -> tuple[Cell, ...]:
    says: Cell = question.says if question.kind.endswith("?") else tuple(dict.fromkeys((question.says, question.kind)))
    due = f"{local(question.due_at)}, late" if question.late else local(question.due_at)
    about = question.about or "the case"
    return (question.name, says, question.role, about, local(question.asked_at), due, question.answer or "open")


def _rests(picture: Picture) -> Facts:
    rows = tuple((rest.about, rest.what, rest.when, rest.became) for rest in picture.rests)
    return Facts("pauses", "Pauses, and offers of one", ("Leg", "What", "When", "What became of it"), rows)


def _checks(picture: Picture) -> Facts:
    rows = tuple((check.about, local(check.due_at), check.became) for check in picture.checks)
    return Facts("checks", "Welfare checks", ("Leg", "Due", "How it stands"), rows)


def _places(marked: Sequence[bool]) -> frozenset[int]:
    return frozenset(place for place, is_late in enumerate(marked) if is_late)
