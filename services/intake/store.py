"""Intake's tables and the questions that it asks of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    Table,
    TableClause,
    Text,
    column,
    select,
    table,
)

from services.ground.bulk import Row
from services.ground.database import metadata
from services.ground.sql import insert_all, insert_new, select_in, upsert
from services.ground.tables import Moment
from services.ground.work import Key

raw_messages = Table(  # every message as it came, before anything was made of it
    "raw_messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("received_at", Moment, nullable=False),
    Column("subject", Text, nullable=False),
    Column("stream_sequence", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("outcome", Text, nullable=False),  # accepted, repeated, conflict, refused
    Column("event_id", Text),  # of the accepted event that it is, or repeats
)

accepted_events = Table(  # (source, origin_id) names an event for ever
    "accepted_events",
    metadata,
    Column("source", Text, primary_key=True),
    Column("origin_id", Text, primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),  # ours
    Column("digest", Text, nullable=False),  # of what it says: another under the same id is a conflict
    Column("type", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),  # among the person's events, from 1
    Column("accepted_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
Index("accepted_events_of_person", accepted_events.c.person_id, accepted_events.c.sequence, unique=True)

persons = Table(  # one row a service user, linked across sources
    "persons",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),  # of the events accepted about them
    Column("name_key", Text),  # surname, initial and date of birth: enough to ask a human, never to merge
)
Index("persons_by_name_key", persons.c.name_key)

identifiers = Table(  # strong identifiers: one of a kind belongs to one person
    "identifiers",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("added_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
Index("identifiers_of_person", identifiers.c.person_id)

references = Table(  # a source's own reference of a referral, by which its later reports may name the person
    "referral_references",
    metadata,
    Column("source", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    sqlite_with_rowid=False,
)

_legs = table("legs", column("id"), column("person_id"))  # the router's, as are reviews: read here, never written
_reviews = table("reviews", column("id"), column("person_id"))

_ACCEPTED = select(accepted_events)
_IDENTIFIERS = select(identifiers)
_REFERENCES = select(references)
_KINDS_OF = select(identifiers.c.person_id, identifiers.c.kind)
_PERSONS_OF = {records: select(records.c.id, records.c.person_id) for records in (_legs, _reviews)}
_BY_NAME_KEY = select(persons.c.id, persons.c.name_key).order_by(persons.c.id)
_LAST_SEQUENCES = select(persons.c.id, persons.c.last_sequence).order_by(persons.c.id).with_for_update()


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is known of an event that was accepted before."""

    event_id: str
    digest: str


def accepted_before(connection: Connection, keys: Sequence[Key]) -> dict[Key, Accepted]:
    """Which of these events were accepted already."""
    row = accepted_events.c
    rows = select_in(connection, _ACCEPTED, (row.source, row.origin_id), [(key.source, key.id) for key in keys])
    return {Key(str(r["source"]), str(r["origin_id"])): Accepted(str(r["event_id"]), str(r["digest"])) for r in rows}


def persons_by_identifier(connection: Connection, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Whose each identifier (kind, value) is."""
    row = identifiers.c
    rows = select_in(connection, _IDENTIFIERS, (row.kind, row.value), sorted(wanted))
    return {(str(r["kind"]), str(r["value"])): str(r["person_id"]) for r in rows}


def persons_by_reference(connection: Connection, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Whom each referral (source, reference) was about."""
    row = references.c
    rows = select_in(connection, _REFERENCES, (row.source, row.reference), sorted(wanted))
    return {(str(r["source"]), str(r["reference"])): str(r["person_id"]) for r in rows}


def persons_by_leg(connection: Connection, wanted: Collection[str]) -> dict[str, str]:
    """Whose each leg is."""
    return _persons_of(connection, _legs, wanted)


def persons_by_review(connection: Connection, wanted: Collection[str]) -> dict[str, str]:
    """Whom each review is about."""
    return _persons_of(connection, _reviews, wanted)


def _persons_of(connection: Connection, records: TableClause, wanted: Collection[str]) -> dict[str, str]:
    rows = select_in(connection, _PERSONS_OF[records], (records.c.id,), [(record,) for record in sorted(wanted)])
    return {str(r["id"]): str(r["person_id"]) for r in rows}


def persons_by_name_key(connection: Connection, wanted: Collection[str]) -> dict[str, list[str]]:
    """Persons who share a surname, initial and date of birth: perhaps the same, perhaps not."""
    rows = select_in(connection, _BY_NAME_KEY, (persons.c.name_key,), [(key,) for key in sorted(wanted)])
    found: dict[str, list[str]] = {}
    for r in rows:
        found.setdefault(str(r["name_key"]), []).append(str(r["id"]))
    return found


def kinds_of_identifier(connection: Connection, person_ids: Collection[str]) -> dict[str, set[str]]:
    """Of which kinds each of these persons has an identifier."""
    rows = select_in(connection, _KINDS_OF, (identifiers.c.person_id,), [(person,) for person in sorted(person_ids)])
    found: dict[str, set[str]] = {}
    for r in rows:
        found.setdefault(str(r["person_id"]), set()).add(str(r["kind"]))
    return found


def last_sequences(connection: Connection, person_ids: Collection[str]) -> dict[str, int]:
    """The number of the last event of each person who is known, locked until the commit."""
    rows = select_in(connection, _LAST_SEQUENCES, (persons.c.id,), [(person,) for person in sorted(person_ids)])
    return {str(r["id"]): int(str(r["last_sequence"])) for r in rows}


def keep_persons(connection: Connection, rows: Sequence[Row]) -> None:
    """Add persons, or move the number of their last event on."""
    named = [row for row in rows if row["name_key"] is not None]
    unnamed = [row for row in rows if row["name_key"] is None]  # a risk event says no name: what we have stays
    upsert(connection, persons, named, update=["last_sequence", "name_key"])
    upsert(connection, persons, unnamed, update=["last_sequence"])


def keep_identifiers(connection: Connection, rows: Sequence[Row]) -> None:
    """Add identifiers; one that is there keeps its person."""
    insert_new(connection, identifiers, rows)


def keep_references(connection: Connection, rows: Sequence[Row]) -> None:
    """Add referral references; one that is there keeps its person."""
    insert_new(connection, references, rows)


def keep_accepted(connection: Connection, rows: Sequence[Row]) -> None:
    """Remember accepted events for ever."""
    insert_all(connection, accepted_events, rows)


def keep_raw(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Keep messages as they came."""
    insert_all(connection, raw_messages, rows)
