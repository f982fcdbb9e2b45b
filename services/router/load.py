"""Reads the cases that a batch is about: one question a table, whatever the batch's size."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import bindparam, select

from schemas.vocabulary import LegStatus
from services.ground.sql import select_in
from services.ground.work import Work
from services.router import store
from services.router.casework.case import Case, Leg
from services.router.rules.events import Kept, PastEvent

HISTORY = timedelta(days=366)  # as far back as any window of a rule looks

_event = store.case_events.c
_CASES = select(store.cases).with_for_update()
_EDGES = select(store.cases.c.person_id, store.cases.c.merged_into)
_LEGS = select(store.legs)
_EVENTS = (
    select(_event.person_id, _event.kind, _event.occurred_at)
    .where(_event.occurred_at > bindparam("since"))
    .order_by(_event.occurred_at)
)
# What a human decided goes to no destination: it names the human, and their reasons.
_CONTENTS = select(_event.event_id, _event.content).where(_event.kind.not_like("decision\\_%", escape="\\"))


def load_cases(person_ids: Sequence[str], work: Work) -> dict[str, Case]:
    """The cases of these persons, locked until the commit; a person who is new to us gets an empty one.

    The case of somebody who is merged into another is that one's, with the rows of all who are merged into them.
    """
    connection = work.connection
    found, merged_into = _cases(set(person_ids), work)
    while missing := set(merged_into.values()) - set(found) - set(merged_into):
        more, further = _cases(missing, work)
        found |= more
        merged_into |= further
    whose = {person: case for case in found.values() for person in (case.person_id, *case.joined)}
    keys = [(person,) for person in sorted(whose)]
    for r in select_in(connection, _LEGS, (store.legs.c.person_id,), keys):
        case = whose[str(r["person_id"])]
        case.legs[str(r["id"])] = _leg(r, case)
    for r in select_in(connection, _EVENTS, (_event.person_id,), keys, since=work.now - HISTORY):
        whose[str(r["person_id"])].events.append(PastEvent(str(r["kind"]), cast(datetime, r["occurred_at"])))
    return {person: whose[person] for person in person_ids}


def _cases(person_ids: set[str], work: Work) -> tuple[dict[str, Case], dict[str, str]]:
    """Cases without their legs and events; and of the persons who have none of their own, into whom they are merged."""
    found = {person: Case(person, work.now) for person in sorted(person_ids)}
    merged_into: dict[str, str] = {}
    for r in select_in(work.connection, _CASES, (store.cases.c.person_id,), [(person,) for person in sorted(found)]):
        person = str(r["person_id"])
        if r["merged_into"] is not None:
            merged_into[person] = str(r["merged_into"])
            del found[person]
            continue
        case = found[person]
        case.opened_at = cast(datetime, r["opened_at"])
        case.referral_event = cast("str | None", r["referral_event"])
        case.remembered = cast("dict[str, Kept]", r["remembered"])
        case.joined = list(cast("list[str]", r["joined"] or []))
    return found, merged_into


def edges_of(case: Case, work: Work) -> dict[str, str]:
    """Into whom each of those is merged who are part of a case."""
    keys = [(person,) for person in sorted(case.joined)]
    rows = select_in(work.connection, _EDGES, (store.cases.c.person_id,), keys)
    return {str(r["person_id"]): str(r["merged_into"]) for r in rows}


def contents_of(event_ids: Sequence[str], work: Work) -> dict[str, bytes]:
    """The data of these events, JSON, by event id."""
    rows = select_in(work.connection, _CONTENTS, (_event.event_id,), [(e,) for e in sorted(set(event_ids))])
    return {str(r["event_id"]): cast(bytes, r["content"]) for r in rows}


def _leg(r: object, case: Case) -> Leg:
    row = cast("dict[str, object]", r)
    held_from = row["held_from"]
    return Leg(
        id=str(row["id"]),
        destination=str(row["destination"]),
        status=LegStatus(str(row["status"])),
        since=cast(datetime, row["since"]),
        priority=cast(int, row["priority"]),
        due_at=cast("datetime | None", row["due_at"]),
        opened_at=cast(datetime, row["opened_at"]),
        commands=cast(int, row["commands"]),
        held_from=LegStatus(str(held_from)) if held_from else None,
        person_id=None if row["person_id"] == case.person_id else str(row["person_id"]),
        joined_to=cast("str | None", row["joined_to"]),
    )
