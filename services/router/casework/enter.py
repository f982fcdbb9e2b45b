"""Enters into a case what steps say of questions. To enter the same steps twice, in order, changes nothing more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from services.router.casework.case import Case
from services.router.casework.reviews import Review
from services.router.casework.steps import ReviewAnswered, ReviewAsked, Step


def enter(case: Case, steps: Iterable[Step], *, event_id: str, now: datetime) -> None:
    """Let the case know of these steps, for the next event of the same batch."""
    for step in steps:
        match step:
            case ReviewAsked():
                case.reviews[step.id] = Review(
                    id=step.id,
                    kind=step.kind,
                    question=step.question,
                    role=step.role,
                    due_at=step.due_at,
                    event_id=event_id,
                    leg_id=step.leg_id,
                    put_at=now,
                )
            case ReviewAnswered(review_id):
                case.reviews.pop(review_id, None)
            case _:
                pass
