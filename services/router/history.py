"""What the router decided and what happened, read in parts: for those who replay it. One function reads decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select

from services.ground.opening import read_gently
from services.ground.sealing import ERASED
from services.router import store
from services.router.rules.replay.past import Decided, Happened

PART: Final = 2_000  # rows at once: few enough that their facts stay in the processor's cache

_decision, _event, _case = store.decisions.c, store.case_events.c, store.cases.c


def how_many_decisions(connection: Connection, since: datetime | None) -> int:
    """How many decisions `decisions` reads, those that were taken again among them."""
    query = select(func.count()).select_from(store.decisions)
    return connection.execute(query if since is None else query.where(_decision.decided_at >= since)).scalar_one()


def decisions(connection: Connection, since: datetime | None) -> Iterator[list[Decided]]:
    """What was decided since a moment, in parts, in the order of time. An event can come more than once.

    Whoever is erased is not among it.
    """
    columns = [
        _decision.id,
        _decision.event_id,
        _decision.person_id,
        _decision.decided_at,
        _decision.rule_set,
        _decision.facts,
        _decision.again_because,
    ]
    query = select(*columns).order_by(_decision.id).limit(PART)
    if since is not None:
        query = query.where(_decision.decided_at >= since)
    last = ""
    while rows := read_gently(connection, query.where(_decision.id > last)):
        last = str(rows[-1]["id"])
        yield [Decided(*row.values()) for row in rows if row["facts"] != ERASED]


def happened(connection: Connection) -> Iterator[list[Happened]]:
    """Everything that happened to everybody, in parts; each of somebody who is merged into another as that one's."""
    into = _merged(connection)
    columns = [
        _event.event_id,
        _event.person_id,
        _event.kind,
        _event.occurred_at,
        _event.taken_at,
        _event.sequence,
    ]
    query = select(*columns).order_by(_event.event_id).limit(PART)
    last = ""
    while rows := connection.execute(query.where(_event.event_id > last)).all():
        last = str(rows[-1][0])
        yield [Happened(row[0], _root(row[1], into), *row[2:]) for row in rows]


def _merged(connection: Connection) -> dict[str, str]:
    query = select(_case.person_id, _case.merged_into).where(_case.merged_into.is_not(None))
    return {str(person): str(other) for person, other in connection.execute(query)}


def _root(person: str, into: Mapping[str, str]) -> str:
    while person in into:
        person = into[person]
    return person
