"""The one read of everything that a picture needs. It only reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import ColumnElement, Connection, Table, select

from services.cli.looking import Row, case_of, rows
from services.cli.picture.records import (
    CaseRows,
    CheckRow,
    Directory,
    EventRow,
    LegRow,
    MoveRow,
    OfferRow,
    PauseRow,
    Place,
    QuestionRow,
    SentRow,
    TimerRow,
)
from services.ground.database import metadata
from services.router import store as router
from services.router.rules.ruleset import RuleSet

WELFARE_CHECKS: Final = "welfare_checks"  # the router's table of them
ANSWERS: Final[Mapping[str, str]] = {  # what tells, where there is no such table, how a check went
    "missed_welfare_check": "missed",
    "progress_welfare_check_done": "done",
}

_R = TypeVar("_R")


def directory_of(rules: RuleSet) -> Directory:
    """The destinations of a rule set, as a picture names them."""
    return Directory({d.id: Place(d.label, d.side, d.source) for d in rules.destinations.values()})


def read_case(connection: Connection, person_id: str) -> CaseRows:
    """All that a picture shows of one person."""
    found = case_of(connection, person_id)
    legs = _typed(LegRow, found["legs"])
    events = tuple(_events(connection, person_id))
    ids = [leg.id for leg in legs]
    return CaseRows(
        person_id=person_id,
        legs=legs,
        moves=_typed(MoveRow, found["history"]),
        events=events,
        offers=_typed(OfferRow, found["offers"]),
        pauses=_typed(PauseRow, found["pauses"]),
        checks=checks_of(connection, person_id, ids, events, metadata.tables.get(WELFARE_CHECKS)),
        questions=_typed(QuestionRow, found["reviews"]),
        timers=_typed(TimerRow, found["timers"]),
        sent=_typed(SentRow, found["deliveries"]),
    )


def checks_of(
    connection: Connection, person_id: str, legs: Collection[str], events: Iterable[EventRow], table: Table | None
) -> tuple[CheckRow, ...]:
    """The welfare checks, from the router's table of them.

    Where the store has no such table they are its timers, fired or not, and how each went is what the next report
    after it fell due says.
    """
    if table is not None:
        return _typed(CheckRow, rows(connection, table, table.c.leg_id.in_(legs), table.c.due_at))
    timer = router.timers.c
    where: ColumnElement[bool] = (timer.person_id == person_id) & (timer.kind == "welfare_check")
    due = [
        CheckRow(row["id"], row["leg_id"], row["due_at"], "due")
        for row in rows(connection, router.timers, where, timer.due_at)
        if row["leg_id"] is not None
    ]
    for event in sorted(events, key=lambda event: event.occurred_at):
        if event.kind in ANSWERS:
            due = _answered(due, event)
    return tuple(due)


def _answered(checks: Sequence[CheckRow], event: EventRow) -> list[CheckRow]:
    """The checks, the newest of those that were due by then now as the event says."""
    fell_due = [c for c in checks if c.leg_id == event.leg_id and c.due_at <= event.occurred_at and c.status == "due"]
    newest = max(fell_due, key=lambda check: check.due_at, default=None)
    return [replace(c, status=ANSWERS[event.kind], at=event.occurred_at) if c is newest else c for c in checks]


def _events(connection: Connection, person_id: str) -> Iterable[EventRow]:
    decision = router.decisions.c
    reasons: dict[str, dict[str, None]] = {}
    for event_id, said in connection.execute(
        select(decision.event_id, decision.said).where(decision.person_id == person_id).order_by(decision.id)
    ):
        for rule in said["matched"]:
            reasons.setdefault(event_id, {})[rule["because"]] = None
    event = router.case_events.c
    for row in rows(connection, router.case_events, event.person_id == person_id, event.sequence):
        leg, review = _about(row["content"])
        yield EventRow(
            event_id=row["event_id"],
            sequence=row["sequence"],
            kind=row["kind"],
            occurred_at=row["occurred_at"],
            taken_at=row["taken_at"],
            source=row["source"],
            leg_id=leg,
            review_id=review,
            reasons=tuple(reasons.get(row["event_id"], ())),
        )


def _about(content: bytes) -> tuple[str | None, str | None]:
    """The leg that an event names and the review that it answers. Nothing else of it is looked at."""
    said: Row = orjson.loads(content)
    about = said.get("about") or {}
    return said.get("leg_id") or about.get("leg_id"), said.get("review_id")


def _typed(kind: type[_R], found: Iterable[Mapping[str, Any]]) -> tuple[_R, ...]:
    """Rows as records: the columns that the record names, and no other."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return tuple(kind(**{name: row[name] for name in names}) for row in found)
