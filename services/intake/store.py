"""Intake's tables and the questions that it asks of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Table,
    TableClause,
    Text,
    column,
    select,
    table,
    update,
)

from services.ground.bulk import Row
from services.ground.database import metadata
from services.ground.keys import keyring_of
from services.ground.sealing import Sealed
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
    Column("body", Sealed("bytes")),  # none: whose it was is erased, or its time is over
    Column("outcome", Text, nullable=False),  # accepted, repeated, conflict, refused
    Column("event_id", Text),  # of the accepted event that it is, or repeats
)

accepted_events = Table(  # (source, origin_id) names an event for ever
    "accepted_events",
    metadata,
    Column("source", Text, primary_key=True),
    Column("origin_id", Text, primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),  # ours
    Column("digest", Text, nullable=False),  # a fingerprint of what it says: another under the same id is a conflict
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
    Column("name_key", Text),  # a fingerprint of surname, initial and birthday: enough to ask, never to merge
    Column("merged_into", Text),  # who they are, as a human said; their own rows stay theirs (decision record 0007)
)
Index("persons_by_name_key", persons.c.name_key)
Index("persons_merged_into", persons.c.merged_into,
      sqlite_where=persons.c.merged_into.is_not(None), postgresql_where=persons.c.merged_into.is_not(None))  # fmt: skip

person_merges = Table(  # which two a human took for one, and parted again; nothing is ever taken out
    "person_merges",
    metadata,
    Column("id", Text, primary_key=True),
    Column("survivor", Text, nullable=False),
    Column("merged", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("undone_at", Moment),
    Column("undone_by", Text),
    Column("undone_event", Text),
)
Index("person_merges_of_merged", person_merges.c.merged)

persons_apart = Table(  # two who are not one, as a human said: nobody is asked again
    "persons_apart",
    metadata,
    Column("one", Text, primary_key=True),  # the smaller id
    Column("other", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("persons_apart_by_other", persons_apart.c.other)

identifiers = Table(  # strong identifiers: one of a kind belongs to one person
    "identifiers",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),  # a fingerprint: it is looked up and never read
    Column("person_id", Text, nullable=False),
    Column("added_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
Index("identifiers_of_person", identifiers.c.person_id)

references = Table(  # a source's own reference of a referral, by which its later reports may name the person
    "referral_references",
    metadata,
    Column("source", Text, primary_key=True),
    Column("reference", Text, primary_key=True),  # a fingerprint
    Column("person_id", Text, nullable=False),
    sqlite_with_rowid=False,
)

legal_holds = Table(  # who may not be erased, and why; nothing is ever taken out
    "legal_holds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("placed_at", Moment, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("because", Sealed("text"), nullable=False),
    Column("until", Moment),  # it ends then by itself; none: when somebody releases it
    Column("released_at", Moment),
    Column("released_by", Text),
    Column("released_because", Sealed("text")),
    Column("release_id", Text),  # what the audit entry of the release is about
)
Index("legal_holds_of_person", legal_holds.c.person_id)

erasures = Table(  # who was erased; in clear, because nothing else of them can be read
    "erasures",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("erased_at", Moment, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("because", Text, nullable=False),  # checked to name nobody
    Column("review_id", Text),  # the question that was answered so
    Column("finished_at", Moment),  # when nothing of the keys was left in any file
)

disposals = Table(  # what was let go of because its time was over, page by page
    "disposals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # a class of services.intake.retention
    Column("at", Moment, nullable=False),
    Column("many", Integer, nullable=False),
    Column("finished_at", Moment),  # when nothing was left of keys that went with it
)

_legs = table(
    "legs", column("id", Text), column("person_id", Text)
)  # the router's, as are reviews: read here, never written
_reviews = table("reviews", column("id", Text), column("person_id", Text))

_ACCEPTED = select(accepted_events)
_IDENTIFIERS = select(identifiers)
_REFERENCES = select(references)
_KINDS_OF = select(identifiers.c.person_id, identifiers.c.kind)
_PERSONS_OF = {records: select(records.c.id, records.c.person_id) for records in (_legs, _reviews)}
_BY_NAME_KEY = select(persons.c.id, persons.c.name_key).order_by(persons.c.id)
_PERSONS = select(persons.c.id, persons.c.last_sequence, persons.c.merged_into).order_by(persons.c.id).with_for_update()
_MERGED_INTO = select(persons.c.id, persons.c.merged_into)
_APART = select(persons_apart.c.one, persons_apart.c.other)


# What a fingerprint is of, beside each kind of identifier: so that no two kinds can be told to say the same.
REFERENCE, NAME, CONTENT = "reference", "name_key", "content"


def fingerprint_of(connection: Connection, kind: str, value: str) -> str:
    """What is kept in place of a value that is looked up and never read."""
    return keyring_of(connection).fingerprint(connection, kind, value)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is known of an event that was accepted before."""

    event_id: str
    digest: str  # its fingerprint
    person_id: str


def accepted_before(connection: Connection, keys: Sequence[Key]) -> dict[Key, Accepted]:
    """Which of these events were accepted already."""
    row = accepted_events.c
    rows = select_in(connection, _ACCEPTED, (row.source, row.origin_id), [(key.source, key.id) for key in keys])
    return {
        Key(str(r["source"]), str(r["origin_id"])): Accepted(str(r["event_id"]), str(r["digest"]), str(r["person_id"]))
        for r in rows
    }


def persons_by_identifier(connection: Connection, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Whose each identifier (kind, value) is."""
    row = identifiers.c
    of = {(kind, fingerprint_of(connection, kind, value)): (kind, value) for kind, value in wanted}
    rows = select_in(connection, _IDENTIFIERS, (row.kind, row.value), sorted(of))
    return {of[str(r["kind"]), str(r["value"])]: str(r["person_id"]) for r in rows}


def persons_by_reference(connection: Connection, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Whom each referral (source, reference) was about."""
    row = references.c
    of = {(source, fingerprint_of(connection, REFERENCE, said)): (source, said) for source, said in wanted}
    rows = select_in(connection, _REFERENCES, (row.source, row.reference), sorted(of))
    return {of[str(r["source"]), str(r["reference"])]: str(r["person_id"]) for r in rows}


def persons_by_leg(connection: Connection, wanted: Collection[str]) -> dict[str, str]:
    """Whose each leg is."""
    return _persons_of(connection, _legs, wanted)


def persons_by_review(connection: Connection, wanted: Collection[str]) -> dict[str, str]:
    """Whom each review is about."""
    return _persons_of(connection, _reviews, wanted)


def records_of(connection: Connection, person_ids: Collection[str]) -> set[str]:
    """The ids of these persons' legs and reviews, by which a message can name them."""
    keys = [(person,) for person in sorted(person_ids)]
    queries = [(_PERSONS_OF[records], records) for records in (_legs, _reviews)]
    rows = (row for query, of in queries for row in select_in(connection, query, (of.c.person_id,), keys))
    return {str(row["id"]) for row in rows}


def _persons_of(connection: Connection, records: TableClause, wanted: Collection[str]) -> dict[str, str]:
    rows = select_in(connection, _PERSONS_OF[records], (records.c.id,), [(record,) for record in sorted(wanted)])
    return {str(r["id"]): str(r["person_id"]) for r in rows}


def persons_by_name_key(connection: Connection, wanted: Collection[str]) -> dict[str, list[str]]:
    """Persons who share a surname, initial and date of birth: perhaps the same, perhaps not."""
    of = {fingerprint_of(connection, NAME, key): key for key in wanted}
    rows = select_in(connection, _BY_NAME_KEY, (persons.c.name_key,), [(key,) for key in sorted(of)])
    found: dict[str, list[str]] = {}
    for r in rows:
        found.setdefault(of[str(r["name_key"])], []).append(str(r["id"]))
    return found


def kinds_of_identifier(connection: Connection, person_ids: Collection[str]) -> dict[str, set[str]]:
    """Of which kinds each of these persons has an identifier."""
    rows = select_in(connection, _KINDS_OF, (identifiers.c.person_id,), [(person,) for person in sorted(person_ids)])
    found: dict[str, set[str]] = {}
    for r in rows:
        found.setdefault(str(r["person_id"]), set()).add(str(r["kind"]))
    return found


def known_persons(connection: Connection, person_ids: Collection[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Of each person who is known the number of their last event, and of those who are merged into whom.

    Whoever somebody is merged into is among them. All are locked until the commit.
    """
    last: dict[str, int] = {}
    merged_into: dict[str, str] = {}
    wanted = set(person_ids)
    while wanted:
        for r in select_in(connection, _PERSONS, (persons.c.id,), [(person,) for person in sorted(wanted)]):
            last[str(r["id"])] = int(str(r["last_sequence"]))
            if r["merged_into"] is not None:
                merged_into[str(r["id"])] = str(r["merged_into"])
        wanted = set(merged_into.values()) - set(last)
    return last, merged_into


def merged_with(connection: Connection, survivors: Collection[str]) -> dict[str, str]:
    """Everybody who is merged into one of these, or into one of those, by whom they are merged into."""
    found: dict[str, str] = {}
    wanted = set(survivors)
    while wanted:
        rows = select_in(connection, _MERGED_INTO, (persons.c.merged_into,), [(person,) for person in sorted(wanted)])
        wanted = {str(r["id"]) for r in rows} - set(found)
        found |= {str(r["id"]): str(r["merged_into"]) for r in rows}
    return found


def kept_apart(connection: Connection, person_ids: Collection[str]) -> set[frozenset[str]]:
    """The pairs that a human keeps apart in which one of these persons is."""
    keys = [(person,) for person in sorted(person_ids)]
    rows = [row for name in ("one", "other") for row in select_in(connection, _APART, (persons_apart.c[name],), keys)]
    return {frozenset((str(r["one"]), str(r["other"]))) for r in rows}


def keep_merge(connection: Connection, row: Row) -> None:
    """Two are one from now on."""
    insert_all(connection, person_merges, [row])
    connection.execute(update(persons).where(persons.c.id == row["merged"]).values(merged_into=row["survivor"]))


def undo_merge(connection: Connection, merged: str, **undone: object) -> None:
    """Somebody is their own person again; that they were not is kept."""
    merge = person_merges.c
    stands = (merge.merged == merged) & merge.undone_at.is_(None)
    connection.execute(update(person_merges).where(stands).values(**undone))
    connection.execute(update(persons).where(persons.c.id == merged).values(merged_into=None))


def keep_apart(connection: Connection, one: str, other: str, **more: object) -> None:
    """Two are not one."""
    first, second = sorted((one, other))
    insert_new(connection, persons_apart, [{"one": first, "other": second, **more}])


def keep_persons(connection: Connection, rows: Sequence[Row]) -> None:
    """Add persons, or move the number of their last event on."""
    named = [
        {**row, "name_key": fingerprint_of(connection, NAME, str(row["name_key"]))}
        for row in rows
        if row["name_key"] is not None
    ]
    unnamed = [row for row in rows if row["name_key"] is None]  # a risk event says no name: what we have stays
    upsert(connection, persons, named, update=["last_sequence", "name_key"])
    upsert(connection, persons, unnamed, update=["last_sequence"])


def keep_identifiers(connection: Connection, rows: Sequence[Row]) -> None:
    """Add identifiers; one that is there keeps its person."""
    kept = [{**row, "value": fingerprint_of(connection, str(row["kind"]), str(row["value"]))} for row in rows]
    insert_new(connection, identifiers, kept)


def keep_references(connection: Connection, rows: Sequence[Row]) -> None:
    """Add referral references; one that is there keeps its person."""
    kept = [{**row, "reference": fingerprint_of(connection, REFERENCE, str(row["reference"]))} for row in rows]
    insert_new(connection, references, kept)


def keep_accepted(connection: Connection, rows: Sequence[Row]) -> None:
    """Remember accepted events for ever."""
    kept = [{**row, "digest": fingerprint_of(connection, CONTENT, str(row["digest"]))} for row in rows]
    insert_all(connection, accepted_events, kept)


def keep_raw(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Keep messages as they came."""
    insert_all(connection, raw_messages, rows)
