"""The end of a person, as far as intake holds them: what finds them goes, and so do the keys of what they sent.

Their key is destroyed in the same transaction (`services.ground.keys.destroy`). On SQLite the keys are in a file of
their own, whose log of writes still has the bytes until it is scrubbed, and a crash can come between the two files: so
an erasure is finished only when it is noted that nothing is left (`Finishing`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    type_coerce,
    update,
)

from schemas.vocabulary import AuditOperation
from services.ground import streams, tables
from services.ground.database import Database
from services.ground.handler import Write
from services.ground.keys import destroy, destroy_what_came_back
from services.ground.opening import read_gently
from services.ground.sealing import ERASED, head_of, name_in
from services.ground.tables import Moment
from services.ground.work import Work
from services.intake import store
from services.intake.store import disposals, erasures

_aside, _erasure = tables.quarantine.c, erasures.c
_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RAW = type_coerce(_aside.raw, LargeBinary)


Records: TypeAlias = Mapping[str, Sequence[tuple[str, str]]]  # (kind, id), by person


def erased_at(connection: Connection, persons: Sequence[str]) -> dict[str, datetime]:
    """Which of these persons were erased, and when."""
    rows = connection.execute(
        select(_erasure.person_id, _erasure.erased_at).where(_erasure.person_id.in_(list(persons)))
    )
    return {str(person): moment for person, moment in rows}


def set_aside_of(connection: Connection, persons: Sequence[str]) -> list[str]:
    """The messages in quarantine that are known to be these persons', whatever key they are kept under.

    Those that wait under their key; those that say to be an event of theirs; those that were mended into one; and those
    that name them, a leg or a question of theirs by its id. Of one that names nobody so, nobody knows whose it is.
    """
    accepted, raw, sent = store.accepted_events.c, store.raw_messages.c, tables.outbox.c
    theirs = accepted.person_id.in_(list(persons))
    events = select(accepted.event_id).where(theirs)
    heads = [head_of(person) for person in persons]
    waits = _aside.resent_at.is_(None) & _aside.told_at.is_(None)
    same: ColumnElement[bool] = exists().where(
        theirs, accepted.source == _aside.source, accepted.origin_id == _aside.message_id
    )
    mended = (
        select(tables.quarantine.c.id)
        .join(tables.outbox, sent.id == _aside.resent_as)
        .join(
            store.raw_messages,
            (raw.stream_sequence == sent.stream_sequence)
            & (raw.subject == sent.subject)
            & (raw.received_at >= _aside.resent_at),
        )
        .where(sent.stream == streams.INTAKE, raw.event_id.in_(events))
    )
    under_their_key = waits & func.substr(_RAW, 1, len(heads[0])).in_(heads)
    found = [
        select(_aside.id).where(under_their_key),
        select(_aside.id).where(_aside.service == "intake", same),
        mended,
    ]
    known = {str(id_) for query in found for id_ in connection.execute(query).scalars()}
    return sorted(known | _naming(connection, {*persons, *store.records_of(connection, persons)}))


def _naming(connection: Connection, ids: set[str]) -> set[str]:
    """The messages set aside at intake in which one of these ids stands."""
    query = select(_aside.id, _aside.raw).where(_aside.service == "intake", _aside.raw.is_not(None))
    return {
        str(row["id"])
        for row in read_gently(connection, query)
        if row["raw"] != ERASED and not ids.isdisjoint(found.decode() for found in _ID.findall(row["raw"]))
    }


def forget(
    work: Work,
    persons: Sequence[str],
    actor: dict[str, str],
    because: str,
    *,
    aside: Sequence[str],
    more: Records,
    review: str | None = None,
) -> None:
    """Erase these persons: what finds them is deleted, their keys are destroyed, and each has an entry that says so.

    `because` stands in the entries in clear: there is no key for it any more. `aside` are their messages of
    `set_aside_of`, found in this transaction: to look for them opens all of quarantine. `more` are further records that
    the entries name, by person. To be called last in its transaction, with nobody among them who is erased already.
    """
    connection, people = work.connection, list(persons)
    raws = connection.execute(select(_RAW).where(_aside.id.in_(aside), _aside.raw.is_not(None))).scalars()
    keys = {name_in(bytes(raw)) for raw in raws} & set(aside)  # those that are kept under one of their own
    connection.execute(
        update(tables.quarantine)
        .where(_aside.id.in_(aside))
        .values(raw=None, told_at=func.coalesce(_aside.told_at, literal(work.now, Moment())))
    )
    for found_by in (store.identifiers, store.references):
        connection.execute(delete(found_by).where(found_by.c.person_id.in_(people)))
    connection.execute(update(store.persons).where(store.persons.c.id.in_(people)).values(name_key=None))
    for person in people:
        row = {
            "person_id": person,
            "erased_at": work.now,
            "by_user": actor["id"],
            "because": because,
            "review_id": review,
        }
        connection.execute(insert(erasures).values(row))
        work.audit(
            AuditOperation.ERASE,
            actor=actor,
            person_id=person,
            records=[("person", person), *more.get(person, ())],
            fields=("identifiers", "key", "name_key", "references"),
            purpose="erasure",
            justification=because,
            correlation_id=review or person,
        )
    destroy(connection, [*people, *sorted(filter(None, keys))], work.now)


def unfinished(connection: Connection) -> bool:
    """Whether something may be left of a key that was to be destroyed."""
    waits = (select(literal(1)).where(done.c.finished_at.is_(None)).limit(1) for done in (erasures, disposals))
    return any(connection.execute(query).first() is not None for query in waits)


class Finishing:
    """Finishes erasures that a crash cut off between the note of them and the end of the keys' last bytes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def act(self, write: Write) -> None:
        """Nothing where all are finished. Raises StoreUnusable where somebody reads the keys: again next time."""
        if await self._database.read(unfinished):
            await write(lambda work: _destroy_again(work.connection))
            await self._database.scrub_keys()
            await write(lambda work: note_finished(work.connection, work.now))


async def finish(database: Database, now: datetime) -> None:
    """The same, for whoever erases: what they began is at its end when this returns. Safe to repeat."""
    await database.write(_destroy_again)
    await database.scrub_keys()
    await database.write(partial(note_finished, now=now))


def _destroy_again(connection: Connection) -> None:
    destroy_what_came_back(connection)


def note_finished(connection: Connection, now: datetime) -> None:
    """Nothing is left of the keys of all who were erased until now."""
    for done in (erasures, disposals):
        connection.execute(update(done).where(done.c.finished_at.is_(None)).values(finished_at=now))
