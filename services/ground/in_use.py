"""Whose content must stay for now: somebody works with them, a hold stands, or a message of theirs waits for people.

Read from the tables of intake and the router, which alone write them. Persons who are one are looked at together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, LargeBinary, Select, TableClause, Text, column, func, or_, select, table, type_coerce

from services.ground import tables
from services.ground.sealing import HEAD_BYTES, head_of
from services.ground.sql import select_in
from services.ground.tables import Moment

_persons = table("persons", column("id", Text), column("merged_into", Text))
_cases = table("cases", column("person_id", Text), column("merged_into", Text))
_legs = table("legs", column("person_id", Text), column("closed_at"))
_reviews = table("reviews", column("person_id", Text), column("answered_at"))
_holds = table("legal_holds", column("person_id", Text), column("released_at"), column("until", Moment()))
_accepted = table("accepted_events", column("person_id", Text), column("source", Text), column("origin_id", Text))

_aside = tables.quarantine.c
_HEAD = func.substr(type_coerce(_aside.raw, LargeBinary), 1, HEAD_BYTES)
_WAITS = _aside.resent_at.is_(None) & _aside.told_at.is_(None)
_EDGES = [
    (select(of.c[name].label("id"), of.c.merged_into), of.c[by])
    for of, name in ((_persons, "id"), (_cases, "person_id"))
    for by in (name, "merged_into")
]
_WORKED_WITH: list[tuple[Select[Any], TableClause]] = [
    (select(_legs.c.person_id).where(_legs.c.closed_at.is_(None)), _legs),
    (select(_reviews.c.person_id).where(_reviews.c.answered_at.is_(None)), _reviews),
]


def in_use(connection: Connection, persons: Collection[str], now: datetime) -> set[str]:
    """Those of these persons with whom somebody works: an open leg, an open question; or on whom a hold stands."""
    held = select(_holds.c.person_id).where(
        _holds.c.released_at.is_(None), or_(_holds.c.until.is_(None), _holds.c.until > now)
    )
    whose = who_are_one(connection, persons)
    keys = [(person,) for person in sorted({one for group in whose.values() for one in group})]
    found: set[str] = set()
    for query, of in [*_WORKED_WITH, (held, _holds)]:
        found |= {str(row["person_id"]) for row in select_in(connection, query, (of.c.person_id,), keys)}
    return {person for person in persons if not found.isdisjoint(whose[person])}


def awaited(connection: Connection, persons: Collection[str]) -> set[str]:
    """Those of these persons of whom a message is set aside and waits for people."""
    whose = who_are_one(connection, persons)
    everybody = sorted({one for group in whose.values() for one in group})
    heads = {head_of(person): person for person in everybody}
    under_theirs = select(_HEAD).where(_WAITS, _HEAD.in_(list(heads)))
    found = {heads[bytes(head)] for head in connection.execute(under_theirs).scalars()} if heads else set()
    theirs = select(_accepted.c.person_id).join(
        tables.quarantine, (_accepted.c.source == _aside.source) & (_accepted.c.origin_id == _aside.message_id)
    )
    found |= {
        str(row["person_id"])
        for row in select_in(
            connection, theirs.where(_WAITS), (_accepted.c.person_id,), [(person,) for person in everybody]
        )
    }
    return {person for person in persons if not found.isdisjoint(whose[person])}


def who_are_one(connection: Connection, persons: Collection[str]) -> Mapping[str, Collection[str]]:
    """With whom each of these persons is one, as humans said: themselves among them."""
    group: dict[str, set[str]] = {person: {person} for person in persons}
    new: Sequence[str] = sorted(group)
    while new:
        edges: set[tuple[str, str]] = set()
        for query, by in _EDGES:
            found = select_in(connection, query, (by,), [(person,) for person in new])
            edges |= {(str(row["id"]), str(row["merged_into"])) for row in found if row["merged_into"] is not None}
        new = sorted({person for edge in edges for person in edge} - set(group))
        for one, other in edges:
            both = group.setdefault(one, {one}) | group.setdefault(other, {other})
            for person in both:
                group[person] = both
    return group
