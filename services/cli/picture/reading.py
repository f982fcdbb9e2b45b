"""The one read of everything that a picture needs. It only reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, select

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
from services.ground.opening import read_gently
from services.ground.sealing import ERASED
from services.router import store as router
from services.router.rules.ruleset import RuleSet

_R = TypeVar("_R")


def directory_of(rules: RuleSet) -> Directory:
    """The destinations of a rule set, as a picture names them."""
    return Directory({d.id: Place(d.label, d.side, d.source) for d in rules.destinations.values()})


def read_case(connection: Connection, person_id: str) -> CaseRows:
    """All that a picture shows of one person."""
    found = case_of(connection, person_id)
    legs = _typed(LegRow, found["legs"])
    events = tuple(_events(connection, [person_id, *found["joined"]]))
    return CaseRows(
        person_id=person_id,
        legs=legs,
        moves=_typed(MoveRow, found["history"]),
        events=events,
        offers=_typed(OfferRow, found["offers"]),
        pauses=_typed(PauseRow, found["pauses"]),
        checks=_typed(CheckRow, found["welfare_checks"]),
        questions=_typed(QuestionRow, found["reviews"]),
        timers=_typed(TimerRow, found["timers"]),
        sent=_typed(SentRow, found["deliveries"]),
    )


def _events(connection: Connection, persons: Collection[str]) -> Iterable[EventRow]:
    decision = router.decisions.c
    reasons: dict[str, dict[str, None]] = {}
    decided = select(decision.id, decision.event_id, decision.said).where(decision.person_id.in_(persons))
    for row in read_gently(connection, decided.order_by(decision.id)):
        for rule in row["said"]["matched"] if row["said"] != ERASED else ():
            reasons.setdefault(row["event_id"], {})[rule["because"]] = None
    event = router.case_events.c
    for row in rows(connection, router.case_events, event.person_id.in_(persons), event.event_id):
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


def _about(content: bytes | str) -> tuple[str | None, str | None]:
    """The leg that an event names and the review that it answers. Nothing else of it is looked at."""
    if content == ERASED:
        return None, None
    said: Row = orjson.loads(content)
    about = said.get("about") or {}
    return said.get("leg_id") or about.get("leg_id"), said.get("review_id")


def _typed(kind: type[_R], found: Iterable[Mapping[str, Any]]) -> tuple[_R, ...]:
    """Rows as records: the columns that the record names, and no other."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return tuple(kind(**{name: row[name] for name in names}) for row in found)
