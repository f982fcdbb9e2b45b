"""Closed cases whose time is over: a human is asked whether they are to be disposed of. Nobody else decides that.

A case is one of persons who are one. Its time runs from the last that was heard of it; an answer is heard too, so a
case that is kept is asked about again when the same time has passed, or on the day that the answer names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, exists, func, insert, select

from schemas.vocabulary import AuditOperation, TimerKind
from services.ground import tables
from services.ground.handler import Chore
from services.ground.in_use import awaited, in_use, who_are_one
from services.ground.opening import read_gently
from services.ground.sealing import Erased
from services.ground.settings import Settings
from services.ground.sql import select_in
from services.ground.work import Work, acting
from services.router import store
from services.router.casework.human import DISPOSE, KEEP
from services.router.casework.resting import at_start_of_work
from services.router.casework.steps import ReviewKind
from services.router.rules.language import Role

ANSWERS: Final = (DISPOSE, KEEP)
QUESTION: Final = "The time for which this closed case is kept is over. Is it to be disposed of, or kept?"
ROLE: Final = Role.PROGRAMME_MANAGER  # of those that there are the nearest to a manager of records
ANSWER_WITHIN: Final = timedelta(days=30)
YEAR: Final = timedelta(days=365.25)
PAGE: Final = 200

_case, _review, _event, _gone = store.cases.c, store.reviews.c, store.case_events.c, tables.erased_keys.c
_ANSWERED: Final = select(_review.id, _review.person_id, _review.answered_at, _review.keep_until).where(
    _review.kind == ReviewKind.RETENTION.value, _review.answered_at.is_not(None)
)


class Kept(NamedTuple):
    """For how long a person is kept."""

    last_heard: datetime | None  # none: nothing was ever decided of them
    review_due: datetime | None  # when a human is asked; none: not while the case is open or on hold
    open: bool
    reviews: list[dict[str, Any]]  # that were asked, and what became of them


class CaseRetention:
    """The chore. It remembers how far it looked, and begins anew after a crash."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._looked = ""

    def act(self, work: Work) -> bool:
        """One page of cases. Returns whether there is more to look at."""
        query = select(_case.person_id, _case.changed_at).where(
            _case.person_id > self._looked,
            _case.merged_into.is_(None),
            ~exists().where(_gone.name == _case.person_id),
        )
        page = work.connection.execute(query.order_by(_case.person_id).limit(PAGE)).all()
        years, kept = self._settings.retention_case_years, _kept_last(work.connection, [str(row[0]) for row in page])
        old = {str(person) for person, changed in page if _due(changed, kept.get(str(person)), years) < work.now}
        stay = in_use(work.connection, old, work.now) | awaited(work.connection, old)
        for person in sorted(old - stay):
            ask(work, person, self._settings)
        self._looked = str(page[-1].person_id) if len(page) == PAGE else ""
        return len(page) == PAGE


def case_retention(settings: Settings) -> Chore:
    """The chore, as the router does it."""
    return Chore("case_retention", settings.retention_seconds, CaseRetention(settings).act)


def ask(work: Work, person: str, settings: Settings) -> None:
    """Ask a human what becomes of a case; nothing where whose it is is erased, or nothing ever happened."""
    event = work.connection.execute(select(func.max(_event.event_id)).where(_event.person_id == person)).scalar()
    if event is None:
        return
    id_, due = work.id(), work.now + ANSWER_WITHIN
    try:
        question = work.seal_text(person, _review.question, id_, QUESTION)
    except Erased:
        return
    review = {
        "id": id_,
        "person_id": person,
        "kind": ReviewKind.RETENTION.value,
        "question": question,
        "role": ROLE.value,
        "asked_at": work.now,
        "due_at": due,
        "event_id": event,
        "answers": list(ANSWERS),
        "snoozes": 0,
    }
    timer = {
        "id": work.id(),
        "kind": TimerKind.REVIEW.value,
        "person_id": person,
        "due_at": due,
        "set_at": work.now,
        "review_id": id_,
    }
    work.connection.execute(insert(store.reviews).values(review))
    work.connection.execute(insert(store.timers).values(timer))
    work.audit(
        AuditOperation.ALTER,
        actor=acting("onward", organisation=settings.organisation, role="service"),
        person_id=person,
        records=(("review", id_),),
        fields=("review",),
        purpose="retention",
        correlation_id=str(event),
    )


def _due(changed: datetime, kept: Mapping[str, Any] | None, years: float) -> datetime:
    """When a human is asked: after the usual time, or on the day that was said where nothing was heard since then."""
    if kept is not None and kept["keep_until"] is not None and changed <= kept["answered_at"]:
        return at_start_of_work(kept["keep_until"])
    return changed + years * YEAR


def _kept_last(connection: Connection, persons: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """What was answered last of each of these cases that was ever asked about."""
    found = select_in(connection, _ANSWERED, (_review.person_id,), [(person,) for person in sorted(persons)])
    return {str(row["person_id"]): row for row in sorted(found, key=lambda row: (row["answered_at"], row["id"]))}


def kept_for(connection: Connection, person: str, now: datetime, years: float) -> Kept:
    """For how long somebody is kept, as it stands."""
    everybody = sorted(who_are_one(connection, [person])[person])
    changed = connection.execute(select(func.max(_case.changed_at)).where(_case.person_id.in_(everybody))).scalar()
    is_open = bool(in_use(connection, [person], now) | awaited(connection, [person]))
    asked = select(store.reviews).where(_review.person_id.in_(everybody), _review.kind == ReviewKind.RETENTION.value)
    kept = list(_kept_last(connection, everybody).values())
    last = max(kept, key=lambda row: row["answered_at"], default=None)
    due = None if is_open or changed is None else _due(changed, last, years)
    return Kept(changed, due, is_open, read_gently(connection, asked.order_by(_review.id)))


def disposal_of(connection: Connection, review_id: str) -> Mapping[str, Any] | None:
    """The question that was answered with `dispose`, by its id or the end of it; none where there is no such one."""
    query = select(store.reviews).where(
        _review.kind == ReviewKind.RETENTION.value,
        _review.id.endswith(review_id, autoescape=True),
        _review.answered_at.is_not(None),
    )
    found = [row for row in read_gently(connection, query) if row["answer"] == DISPOSE]
    return found[0] if len(found) == 1 else None
