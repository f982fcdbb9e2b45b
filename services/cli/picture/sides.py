"""The picture that may be shown on the person's side: without the other party's lanes and all that concerns them.

What cannot be told apart for certain is left out. What stays is what a service on the person's side has said or was
told, in our own words alone: what somebody wrote may speak of the other party, whatever it is about.
"""

from __future__ import annotations

from dataclasses import replace

from services.cli.picture.records import CaseRows, Directory, EventRow, QuestionRow
from services.cli.picture.words import QUESTIONS


def sensitive(rows: CaseRows, directory: Directory) -> bool:
    """Whether the case has a leg that the person must not learn of."""
    return any(directory.side(leg.destination) != "person" for leg in rows.legs)


def person_side(rows: CaseRows, directory: Directory) -> CaseRows:
    """The case as a worker on the person's side may see it."""
    legs = tuple(leg for leg in rows.legs if directory.side(leg.destination) == "person")
    ours = {leg.id for leg in legs}
    reached = {sent.event_id for sent in rows.sent if sent.leg_id in ours}
    reached |= {move.event_id for move in rows.moves if move.leg_id in ours}
    events = tuple(event for event in rows.events if _may_be_shown(event, ours, reached, directory))
    of_theirs = {question.id for question in rows.questions if not _concerns(question, ours, directory)}
    events = tuple(replace(event, reasons=()) for event in events if event.review_id not in of_theirs)
    kept = {event.event_id for event in events}
    questions = tuple(_bare(q) for q in rows.questions if q.id not in of_theirs and q.event_id in kept)
    asked = {question.id for question in questions}

    def known(event_id: str) -> str:
        return event_id if event_id in kept else ""

    return CaseRows(
        person_id=rows.person_id,
        legs=legs,
        moves=tuple(replace(m, because="", event_id=known(m.event_id)) for m in rows.moves if m.leg_id in ours),
        events=events,
        offers=tuple(replace(o, event_id=known(o.event_id)) for o in rows.offers if o.leg_id in ours),
        pauses=tuple(replace(p, event_id=known(p.event_id)) for p in rows.pauses if p.leg_id in ours),
        checks=tuple(replace(check, reason=None) for check in rows.checks if check.leg_id in ours),
        questions=questions,
        timers=tuple(t for t in rows.timers if (t.review_id in asked if t.leg_id is None else t.leg_id in ours)),
        sent=tuple(sent for sent in rows.sent if sent.leg_id in ours and sent.event_id in kept),
    )


def _may_be_shown(event: EventRow, legs: set[str], reached: set[str], directory: Directory) -> bool:
    """Whether a service on the person's side said it, or was told of it or moved by it while no other side said it."""
    if event.leg_id is not None and event.leg_id not in legs:
        return False
    sides = {directory.side(destination) for destination in directory.speaks_for(event.source)}
    if sides:
        return sides == {"person"}
    return event.event_id in reached or event.leg_id is not None


def _concerns(question: QuestionRow, legs: set[str], directory: Directory) -> bool:
    """Whether a question is about a leg on the person's side, or a referral there, and about nothing else."""
    if question.leg_id is not None and question.leg_id not in legs:
        return False
    if question.destination is not None and directory.side(question.destination) != "person":
        return False
    return question.leg_id is not None or question.destination is not None


def _bare(question: QuestionRow) -> QuestionRow:
    """The question in our words, without what anybody wrote."""
    says = QUESTIONS.get(question.kind, "A question")
    return replace(question, question=says, answered_by=None, answer=None)
