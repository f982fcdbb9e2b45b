"""From the rows of a case to its picture. Pure: the time is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from services.cli.picture.lanes import lane_of
from services.cli.picture.model import Check, Due, Event, Lane, Picture, Question, Rest
from services.cli.picture.records import CaseRows, Directory, EventRow, QuestionRow
from services.cli.picture.sides import person_side, sensitive
from services.cli.picture.upcoming import check_words, dues_of, effects_of
from services.cli.picture.words import QUESTIONS, Family, day, event_label, local, local_day, plain, several, shown

Viewer = Literal["ops", "person-side"]

LEAST_SPAN: Final = timedelta(days=1)
AHEAD_LEAST: Final = timedelta(days=28)  # of the future that is always worth drawing
AHEAD_SHARE: Final = 0.6  # of the past, at most, however far the last thing that is due
BEFORE: Final = timedelta(days=60)  # of the past before we were first told
TOLD_LATE: Final = timedelta(days=1)
DRAWN_ELSEWHERE: Final = frozenset(  # timers whose mark on a lane says it
    {
        "timer_review",
        "timer_offer",
        "timer_welfare_check",
        "timer_check_escalation",
        "timer_pause_review",
        "timer_snooze",
    }
)


def compose(rows: CaseRows, directory: Directory, now: datetime, viewer: Viewer) -> Picture:
    """The picture of a case as this viewer may see it, at a time that is never before what is on record."""
    warning = _warning(rows, directory, viewer)
    if viewer == "person-side":
        rows = person_side(rows, directory)
    now = max([now, *(move.at for move in rows.moves), *(event.taken_at for event in rows.events)])
    labels = {leg.id: shown(directory.label(leg.destination)) for leg in rows.legs}
    start, end = bounds(rows, now)
    lanes = sorted((lane_of(leg, rows, directory, now, end) for leg in rows.legs), key=_order)
    questions = _questions(rows.questions, labels, directory, now)
    dues = dues_of(rows, labels, questions, now)
    numbered = [event for event in rows.events if event.kind not in DRAWN_ELSEWHERE]
    return Picture(
        person_id=shown(rows.person_id),
        now=now,
        warning=warning,
        for_whom="for operations" if viewer == "ops" else "for workers on the person's side",
        summary=_summary(lanes, questions, dues),
        start=start,
        end=end,
        lanes=tuple(lanes),
        events=_events(numbered, rows, labels, directory),
        questions=questions,
        dues=dues,
        rests=tuple(_rests(rows, labels)),
        checks=tuple(Check(labels[c.leg_id], c.due_at, check_words(c, now)) for c in rows.checks if c.leg_id in labels),
        unnumbered=len(rows.events) - len(numbered),
    )


def bounds(rows: CaseRows, now: datetime) -> tuple[datetime, datetime]:
    """The first and the last moment that are drawn. One report of long ago, or a far promise, squeezes nothing."""
    told = [event.taken_at for event in rows.events] + [leg.opened_at for leg in rows.legs]
    first = min(told, default=now)
    happened = [event.occurred_at for event in rows.events]
    start = min([first, *(at for at in happened if at >= first - BEFORE)])
    past = [*told, *happened, *(move.at for move in rows.moves)]
    past += [question.answered_at for question in rows.questions if question.answered_at is not None]
    promised = [check.due_at for check in rows.checks] + [timer.due_at for timer in rows.timers]
    promised += [question.due_at for question in rows.questions if question.answered_at is None]
    alive = any(leg.closed_at is None for leg in rows.legs) or any(at > now for at in promised)
    last = max([*past, now] if alive or not past else past)
    furthest = now + max(AHEAD_LEAST, (now - start) * AHEAD_SHARE)
    end = max([last, *(min(at, furthest) for at in promised)])
    room = max(end - start, LEAST_SPAN) * 0.03
    return start - room, max(end + 2 * room, start + LEAST_SPAN)


def _order(lane: Lane) -> tuple[bool, str, str]:
    """Open lanes first, by what people call them."""
    return (not lane.is_open, lane.label.casefold(), lane.leg_id)


def _warning(rows: CaseRows, directory: Directory, viewer: Viewer) -> str | None:
    if viewer == "person-side":
        return None
    if any(leg.destination == "victim_safety" for leg in rows.legs):
        return "Do not show to the person: contains the victim-safety leg"
    if sensitive(rows, directory):
        return "Do not show to the person: contains legs of the other party's side"
    return "Do not show to the person: for operations alone"


def _summary(lanes: Sequence[Lane], questions: Sequence[Question], dues: Sequence[Due]) -> tuple[str, ...]:
    """The case in two or three sentences."""
    running = [lane for lane in lanes if lane.is_open]
    paused = [lane for lane in running if lane.family is Family.PAUSED]
    stands = [several(len(running), "leg") + " open" + (f", {len(paused)} of them paused" if paused else "")]
    closed = len(lanes) - len(running)
    if closed:
        stands.append(f"{closed} closed")
    asked = [question for question in questions if question.answered_at is None]
    late = sum(question.late for question in asked)
    if asked:
        stands.append(several(len(asked), "question") + " open" + (f", {late} of them late" if late else ""))
    said = ["; ".join(stands) + "."]
    coming = next((due for due in dues if not due.late), None)
    overdue = [due for due in dues if due.late]
    if overdue:
        oldest = overdue[0]
        said.append(f"Late: {oldest.sentence}" + _more(len(overdue) - 1))
    if coming is not None:
        said.append(f"Next: {coming.sentence}")
    if not dues:
        said.append("Nothing is due.")
    return tuple(said)


def _more(others: int) -> str:
    return f" {several(others, 'thing')} more {'is' if others == 1 else 'are'} late." if others else ""


def _events(
    events: Iterable[EventRow], rows: CaseRows, labels: dict[str, str], directory: Directory
) -> tuple[Event, ...]:
    told = effects_of(rows, labels, directory)
    made = []
    for number, event in enumerate(sorted(events, key=lambda e: (e.occurred_at, e.sequence)), start=1):
        speaks_for = directory.speaks_for(event.source)
        source = directory.label(speaks_for[0]) if len(speaks_for) == 1 else event.source
        about = labels.get(event.leg_id or "")
        says = event_label(event.kind)
        elsewhere = about is not None and about != source and event.kind.startswith(("progress_", "timer_"))
        late = event.taken_at - event.occurred_at >= TOLD_LATE
        made.append(
            Event(
                number=number,
                id=event.event_id,
                at=event.occurred_at,
                says=shown(f"{says} ({about})" if elsewhere else says),
                source=shown(source),
                told_at=event.taken_at if late else None,
                effects=tuple(told.get(event.event_id, ())),
                reasons=tuple(shown(reason) for reason in event.reasons),
            )
        )
    return tuple(made)


def _questions(
    asked: Iterable[QuestionRow], labels: dict[str, str], directory: Directory, now: datetime
) -> tuple[Question, ...]:
    def at(question: QuestionRow) -> datetime:
        return question.answered_at or question.due_at

    made = []
    for number, question in enumerate(sorted(asked, key=lambda q: (at(q), q.id)), start=1):
        about = labels.get(question.leg_id or "")
        if about is None and question.destination is not None:
            about = shown(directory.label(question.destination))
        by = f" by {question.answered_by}" if question.answered_by else ""
        answer = f"{local(question.answered_at)}{by}: {question.answer or 'answered'}" if question.answered_at else ""
        made.append(
            Question(
                number=number,
                at=at(question),
                says=shown(question.question),
                kind=QUESTIONS.get(question.kind, plain(question.kind).capitalize()),
                role=shown(plain(question.role)),
                about=about,
                asked_at=question.asked_at,
                due_at=question.due_at,
                answered_at=question.answered_at,
                answer=shown(answer),
                late=question.answered_at is None and question.due_at < now,
            )
        )
    return tuple(made)


def _rests(rows: CaseRows, labels: dict[str, str]) -> Iterable[Rest]:
    for offer in rows.offers:
        if offer.leg_id in labels:
            answers = {"agreed": "taken up", "declined": "declined: chose to go on"}
            became = answers.get(offer.answer or "", shown(plain(offer.answer or "not answered yet")))
            when = f", {local(offer.answered_at)}" if offer.answered_at else ""
            what = f"Offered for {several(offer.for_days, 'day')}"
            yield Rest(labels[offer.leg_id], what, local(offer.offered_at), became + when)
    for pause in rows.pauses:
        if pause.leg_id in labels:
            became = f"ended {local_day(pause.ended_at)}" if pause.ended_at else "holds"
            when = f"{day(pause.from_date)} to {day(pause.until_date)}"
            yield Rest(labels[pause.leg_id], f"Paused: {shown(plain(pause.reason))}", when, became)
