"""The end of a person, as far as the router holds them: nobody waits for anything of theirs any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update

from services.ground.sealing import ERASED
from services.ground.work import Work
from services.router import store

_leg, _review, _timer, _case = store.legs.c, store.reviews.c, store.timers.c, store.cases.c


class Ended(NamedTuple):
    """What nobody waits for any more."""

    timers: int
    reviews: dict[str, str]  # whose each is


def lock_cases(connection: Connection, persons: Sequence[str]) -> None:
    """Let no router decide anything of these persons until the commit."""
    query = select(_case.person_id).where(_case.person_id.in_(list(persons))).order_by(_case.person_id)
    connection.execute(query.with_for_update()).all()


def open_legs(connection: Connection, persons: Sequence[str]) -> list[dict[str, Any]]:
    """Where somebody still works with these persons: the id, destination and status of each leg."""
    query = select(_leg.id, _leg.person_id, _leg.destination, _leg.status)
    found = query.where(_leg.person_id.in_(list(persons)), _leg.closed_at.is_(None)).order_by(_leg.id)
    return [dict(row) for row in connection.execute(found).mappings()]


def waiting(connection: Connection, persons: Sequence[str]) -> Ended:
    """The timers and the questions that are open."""
    timers = select(_timer.id).where(
        _timer.person_id.in_(list(persons)), _timer.taken_at.is_(None), _timer.cancelled_at.is_(None)
    )
    reviews = select(_review.id, _review.person_id).where(
        _review.person_id.in_(list(persons)), _review.answered_at.is_(None)
    )
    return Ended(
        len(connection.execute(timers).all()), {str(id_): str(person) for id_, person in connection.execute(reviews)}
    )


def end_cases(work: Work, persons: Sequence[str], by: str) -> Ended:
    """Cancel the timers of these persons and close their questions; while their keys are still there.

    Their legs stay as they stand: what became of them elsewhere nobody can tell us any more.
    """
    ended = waiting(work.connection, persons)
    work.connection.execute(
        update(store.timers)
        .where(_timer.person_id.in_(list(persons)), _timer.taken_at.is_(None), _timer.cancelled_at.is_(None))
        .values(cancelled_at=work.now, cancelled_because=ERASED)
    )
    for review, person in ended.reviews.items():
        answer = work.seal_text(person, _review.answer, review, ERASED)
        change = {"answered_at": work.now, "answered_by": by, "answer": answer}
        work.connection.execute(update(store.reviews).where(_review.id == review).values(change))
    return ended
