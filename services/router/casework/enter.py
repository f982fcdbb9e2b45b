"""Enters into a case what steps say of offers, pauses, checks, questions and timers. Legs are changed where they move.

To enter the same steps twice, in their order, changes nothing more: so whoever makes a step may enter it at once, to
see it, and the whole of an event's steps are entered at its end whoever made them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from services.router.casework.case import Case
from services.router.casework.resting import Timer
from services.router.casework.reviews import Review
from services.router.casework.steps import (
    CheckChanged,
    CheckPlanned,
    Command,
    LegMoved,
    LegOpened,
    OfferAnswered,
    PauseAgreed,
    PauseChanged,
    PauseEnded,
    PauseOffered,
    ReviewAnswered,
    ReviewAsked,
    ReviewMoved,
    ReviewSnoozed,
    RouteRaised,
    Step,
    TimerCancelled,
    TimerSet,
)


def enter(case: Case, steps: Iterable[Step], *, event_id: str = "", now: datetime | None = None) -> None:
    """Let the case know of these steps. `event_id` is what a question among them was asked about, `now` when."""
    for step in steps:
        match step:
            case LegOpened() | Command() | LegMoved():  # what most steps are
                pass
            case TimerSet(id_, kind, due_at, leg_id, review_id):
                case.timers[id_] = Timer(id_, kind, due_at, leg_id, review_id)
            case PauseOffered(offer) | OfferAnswered(offer):
                case.offers[offer.id] = offer
            case PauseAgreed(pause) | PauseChanged(pause) | PauseEnded(pause):
                case.pauses[pause.id] = pause
            case CheckPlanned(check) | CheckChanged(check):
                case.checks[check.id] = check
            case TimerCancelled():
                _cancel(case, step)
            case ReviewAsked():
                case.reviews[step.id] = _review(step, event_id, now)
            case ReviewAnswered() | ReviewMoved() | ReviewSnoozed() | RouteRaised() if step.review_id in case.reviews:
                case.reviews[step.review_id] = _changed(case.reviews[step.review_id], step, now)
            case _:
                pass


def _changed(
    review: Review, step: ReviewAnswered | ReviewMoved | ReviewSnoozed | RouteRaised, now: datetime | None
) -> Review:
    match step:
        case ReviewAnswered():
            return replace(review, answered=True)
        case ReviewMoved(_, role, due_at):
            return replace(review, role=role, due_at=due_at, put_at=now)
        case ReviewSnoozed(_, until):
            return replace(review, due_at=until)
        case RouteRaised(_, waiting, due_at):
            return replace(review, waiting=waiting, due_at=due_at)


def _cancel(case: Case, step: TimerCancelled) -> None:
    waiting = case.timers.values()
    for timer in [t for t in waiting if step.means(t.id, t.kind, t.leg_id, t.review_id)]:
        del case.timers[timer.id]


def _review(asked: ReviewAsked, event_id: str, now: datetime | None) -> Review:
    return Review(
        id=asked.id,
        kind=asked.kind,
        question=asked.question,
        role=asked.role,
        due_at=asked.due_at,
        event_id=event_id,
        leg_id=asked.leg_id,
        fact=asked.fact,
        destination=asked.destination,
        answers=asked.answers,
        waiting=asked.waiting,
        put_at=now,
    )
