"""What needs no human to be let go of: bodies of messages that became events, messages nobody mended, sent payloads.

Each class is gone through page by page in the order of ids, which is that of time, and from the beginning again when
its end is reached: what somebody still works with is passed over each time. What goes is counted, and entered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    Connection,
    LargeBinary,
    Text,
    case,
    column,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    table,
    type_coerce,
    update,
)

from schemas.vocabulary import AuditOperation
from services.ground import tables
from services.ground.handler import Chore
from services.ground.in_use import awaited, in_use
from services.ground.keys import destroy
from services.ground.outbox import READERS, id_before
from services.ground.sealing import HEAD_BYTES, name_at_head, name_in
from services.ground.settings import Settings
from services.ground.sql import select_in
from services.ground.tables import Moment
from services.ground.work import Work, acting
from services.intake import store
from services.intake.store import disposals

PAGE: Final = 1000  # rows that one transaction looks at
_raw, _aside, _row, _carries = store.raw_messages.c, tables.quarantine.c, tables.outbox.c, tables.payloads.c
_inbox = tables.inbox.c
_decided = table("case_events", column("event_id", Text))  # the router's: read here, never written
_ACCEPTED = select(store.accepted_events.c.source, store.accepted_events.c.origin_id, store.accepted_events.c.person_id)

RAW, SET_ASIDE, SENT = "raw_messages", "set_aside", "sent"
_WHAT: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    RAW: (("body",), "bodies of messages that had become events"),
    SET_ASIDE: (("key", "raw"), "messages that had been set aside and that nobody mended"),
    SENT: (("payload",), "copies of what had been sent and was taken"),
}


class Retention:
    """The chore. It remembers how far it looked, and begins anew after a crash."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._looked: dict[str, str] = {}  # by class: the last id of the page before; none at its beginning
        self._at = 0
        kept = timedelta(days=max(settings.retention_sent_days, settings.stream_max_age_days + 1))
        self._classes: tuple[tuple[str, timedelta, Callable[[Work, str, str], tuple[str | None, int]]], ...] = (
            (RAW, timedelta(days=settings.retention_messages_days), _let_bodies_go),
            (SET_ASIDE, timedelta(days=settings.retention_refused_days), _let_refused_go),
            # Longer than the broker could lose them, and be filled again from here.
            (SENT, kept, _let_payloads_go),
        )

    def act(self, work: Work) -> bool:
        """One page of one class. Returns whether there is more to look at."""
        name, kept, let_go = self._classes[self._at]
        last, many = let_go(work, self._looked.get(name, ""), id_before(work.now - kept))
        if many:
            self._enter(work, name, many)
        if last is not None:
            self._looked[name] = last
            return True
        self._looked.pop(name, None)
        self._at = (self._at + 1) % len(self._classes)
        return self._at > 0

    def _enter(self, work: Work, name: str, many: int) -> None:
        id_, (fields, what) = work.id(), _WHAT[name]
        finished = None if name == SET_ASIDE else work.now  # keys were destroyed: their bytes are still to be scrubbed
        row = {"id": id_, "kind": name, "at": work.now, "many": many, "finished_at": finished}
        work.connection.execute(insert(disposals).values(row))
        work.audit(
            AuditOperation.ERASE,
            actor=acting("intake", organisation=self._settings.organisation, role="service"),
            records=(("disposal", id_),),
            fields=fields,
            purpose="retention",
            justification=f"Their time was over: {many} {what}.",
            correlation_id=id_,
        )


def retention(settings: Settings) -> Chore:
    """The chore, as intake does it."""
    return Chore("retention", settings.retention_seconds, Retention(settings).act)


def _let_bodies_go(work: Work, after: str, before: str) -> tuple[str | None, int]:
    """Of messages that were decided on, of whom nothing is open."""
    query = select(_raw.id, _raw.event_id, _raw.body.is_not(None).label("kept"), _raw.outcome).where(
        _raw.id > after, _raw.id < before
    )
    page = _page(work.connection, query.order_by(_raw.id).limit(PAGE))
    kept = {str(row["id"]): str(row["event_id"]) for row in page if row["kept"] and row["event_id"] is not None}
    events = sorted(set(kept.values()))
    accepted = store.accepted_events.c
    whose = {
        str(row["event_id"]): str(row["person_id"])
        for row in select_in(
            work.connection,
            select(accepted.event_id, accepted.person_id).where(
                exists().where(_decided.c.event_id == accepted.event_id)
            ),
            (accepted.event_id,),
            [(event,) for event in events],
        )
    }
    stay = _stay(work, set(whose.values()))
    gone = [id_ for id_, event in kept.items() if event in whose and whose[event] not in stay]
    if gone:
        work.connection.execute(update(store.raw_messages).where(_raw.id.in_(gone)).values(body=None))
    return _last(page), len(gone)


def _let_refused_go(work: Work, after: str, before: str) -> tuple[str | None, int]:
    """Whoever waited for somebody to mend them, waited long enough; of nobody whose case is open, or on hold."""
    raw = type_coerce(_aside.raw, LargeBinary)
    query = select(_aside.id, _aside.source, _aside.message_id, raw.label("raw")).where(
        _aside.id > after, _aside.id < before
    )
    page = _page(work.connection, query.order_by(_aside.id).limit(PAGE))
    kept = [row for row in page if row["raw"] is not None]
    keys = {str(row["id"]): name_in(bytes(row["raw"])) for row in kept}
    named = sorted({(str(r["source"]), str(r["message_id"])) for r in kept if r["source"] and r["message_id"]})
    accepted = store.accepted_events.c
    found = select_in(work.connection, _ACCEPTED, (accepted.source, accepted.origin_id), named)
    says = {(str(r["source"]), str(r["origin_id"])): str(r["person_id"]) for r in found}
    whose = {
        str(row["id"]): says.get((str(row["source"]), str(row["message_id"])))
        if keys[str(row["id"])] == row["id"]  # under a key of its own: what it says to be is all that is known
        else keys[str(row["id"])]
        for row in kept
    }
    busy = in_use(work.connection, {person for person in whose.values() if person is not None}, work.now)
    gone = [id_ for id_, person in whose.items() if person not in busy]
    if gone:
        told = func.coalesce(_aside.told_at, literal(work.now, Moment()))
        work.connection.execute(update(tables.quarantine).where(_aside.id.in_(gone)).values(raw=None, told_at=told))
        destroy(work.connection, [id_ for id_ in gone if keys[id_] == id_], work.now)
    return _last(page), len(gone)


def _let_payloads_go(work: Work, after: str, before: str) -> tuple[str | None, int]:
    """Of what the broker confirmed, and its reader took where that is one of ours."""
    payload = type_coerce(_carries.payload, LargeBinary)
    reader, source = case(READERS, value=_row.stream), literal("onward-").concat(_row.service)
    taken = exists().where(_inbox.consumer == reader, _inbox.source == source, _inbox.id == _row.id)
    aside = exists().where(_aside.service == reader, _aside.source == source, _aside.message_id == _row.id)
    theirs = ~_row.stream.in_(sorted(READERS))
    query = (
        select(
            _row.id,
            _row.sent_at,
            func.substr(payload, 1, HEAD_BYTES).label("head"),
            (theirs | taken | aside).label("taken"),
        )
        .join(tables.payloads, _carries.id == _row.id)
        .where(_row.id > after, _row.id < before)
    )
    page = _page(work.connection, query.order_by(_row.id).limit(PAGE))
    sent = [row for row in page if row["sent_at"] is not None and row["taken"]]
    whose = {str(row["id"]): name_at_head(bytes(row["head"])) for row in sent}
    stay = _stay(work, {person for person in whose.values() if person is not None})
    gone = [id_ for id_, person in whose.items() if person not in stay]
    if gone:
        work.connection.execute(delete(tables.payloads).where(_carries.id.in_(gone)))
    return _last(page), len(gone)


def _stay(work: Work, persons: Collection[str]) -> set[str]:
    return in_use(work.connection, persons, work.now) | awaited(work.connection, persons)


def _page(connection: Connection, query: Any) -> Sequence[Mapping[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _last(page: Sequence[Mapping[str, Any]]) -> str | None:
    return str(page[-1]["id"]) if len(page) == PAGE else None
