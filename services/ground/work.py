"""The unit of work: one transaction that keeps the inbox keys, the effects, the audit entries and the outbox.

Nothing is published in here. What is to be published becomes outbox rows, sent after the commit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

import orjson
from pydantic import BaseModel
from sqlalchemy import Column, Connection, bindparam, delete, select

from schemas.base import SOURCE_ID_PATTERN
from schemas.commitments import commitment, entry_key
from schemas.envelope import EventType
from schemas.log.tiles import LONGEST_ENTRY
from schemas.quarantine import QuarantinedMessage
from schemas.refusal import Unacceptable
from schemas.vocabulary import AuditOperation
from services.ground import streams, tables
from services.ground.bulk import Row
from services.ground.driver import rows_of
from services.ground.entry_parts import ENTRY_MOST, LISTS, in_parts, listed
from services.ground.ids import ids_at, milliseconds_of
from services.ground.keys import keyring_of
from services.ground.microbatch import Delivery
from services.ground.publisher import Outgoing
from services.ground.sealing import ERASED, Erased, PersonKey, in_clear, place_of
from services.ground.sql import insert_all, insert_new

# Made together, for one by one they cost a twelfth of an event: a few at first, then ever more.
IDS_AT_FIRST, IDS_AT_MOST = 16, 512

_PAYLOAD: Final = tables.payloads.c.payload
_ASIDE: Final = select(tables.quarantine.c.id).where(tables.quarantine.c.delivery == bindparam("delivery"))
_FORGET: Final = delete(tables.inbox).where(
    *(tables.inbox.c[name] == bindparam(name) for name in ("consumer", "source", "id"))
)

Data: TypeAlias = BaseModel | Mapping[str, object]


def acting(id_: str, *, organisation: str, role: str) -> dict[str, str]:
    """Who acted, for an audit entry."""
    return {"id": id_, "organisation": organisation, "role": role}


class Key(NamedTuple):
    """An event's identity for ever: who sent it, and their id for it."""

    source: str
    id: str


class Work:
    """One open transaction of one service. Handlers write through it; it is gone when they return."""

    def __init__(self, connection: Connection, *, service: str, now: datetime, organisation: str = "onward") -> None:
        self.connection = connection
        self.service = service
        self.organisation = organisation  # who operates it, as audit entries name it
        self.now = now
        self.outgoing: list[Outgoing] = []  # in the order in which it is to be sent
        self.entered: list[bytes] = []  # for the audit log
        self.freed: set[Key] = set()  # of what was quarantined: they may be sent again
        self.owners: set[tuple[str, int]] = set()  # the services and partitions whose outbox this writes to
        self._outbox: list[dict[str, object]] = []
        self._payloads: list[tuple[str, bytes, PersonKey | None]] = []  # sealed last: much is handed on instead
        self._texts: list[Row] = []
        self._milliseconds = milliseconds_of(now)
        self._ids: list[str] = []  # the next one last
        self._ids_at_once = IDS_AT_FIRST
        self.keys = keyring_of(connection)

    def id(self) -> str:
        """A new time-ordered id."""
        if not self._ids:
            self._ids = ids_at(self._milliseconds, self._ids_at_once)[::-1]
            self._ids_at_once = min(IDS_AT_MOST, 2 * self._ids_at_once)
        return self._ids.pop()

    def new_person(self) -> str:
        """The id of a person, or of a message that is nobody's yet, whose key is kept already."""
        return self.keys.next().name

    def require_not_erased(self, person_id: str) -> None:
        """Raise Erased where nothing may be kept of a person any more."""
        self.keys.key(self.connection, person_id)

    def _is_erased(self, person_id: str) -> bool:
        try:
            self.require_not_erased(person_id)
        except Erased:
            return True
        return False

    def seal(self, person_id: str, column: Column[Any], row: str, value: bytes) -> bytes:
        """What a column may keep of a person's content, in the row of this primary key.

        Raises Erased where their key is destroyed.
        """
        return self.keys.key(self.connection, person_id).seal(value, place_of(column, row))

    def seal_text(self, person_id: str, column: Column[Any], row: str, value: str | None) -> bytes | None:
        """The same for text, or for none."""
        return None if value is None else self.seal(person_id, column, row, value.encode())

    def seal_json(self, person_id: str, column: Column[Any], row: str, value: object) -> bytes | None:
        """The same for what JSON is made of, or for none."""
        return None if value is None else self.seal(person_id, column, row, orjson.dumps(value))

    def first_time(self, keys: Sequence[Key]) -> set[Key]:
        """Enter keys into this service's inbox. Returns those that were not there: only they may have effects."""
        rows = [
            {"consumer": self.service, "source": key.source, "id": key.id, "taken_at": self.now} for key in set(keys)
        ]
        new = insert_new(self.connection, tables.inbox, rows)
        return {Key(str(source), str(id_)) for _, source, id_ in new}

    def publish(
        self,
        stream: str,
        subject: str,
        type_: EventType,
        data: Data,
        *,
        person: str | None,
        partition: int,
        about: str | None = None,
        id_: str | None = None,
        **extensions: str | None,
    ) -> str:
        """Have an event published after the commit. Returns its id, which is `id_` where the caller has made one.

        `data` is a payload, or what its JSON is made of; `person` whose key it is kept under, none for what says
        nothing of anybody, which is kept in clear; `partition` is the producing service's own, whose owner sends
        what is left behind by a crash; `about` becomes the CloudEvents subject; `extensions` further attributes.
        """
        id_ = id_ or self.id()
        envelope = self._envelope(id_, type_, data)
        if about:
            envelope["subject"] = about
        if extensions:
            envelope |= {name: value for name, value in extensions.items() if value is not None}
        message = Outgoing(id_, stream, subject, orjson.dumps(envelope))
        self.send_as_it_is(message, person=person, partition=partition)
        return id_

    def _envelope(self, id_: str, type_: EventType, data: Data) -> dict[str, object]:
        return {
            "specversion": "1.0",
            "id": id_,
            "source": f"onward-{self.service}",
            "type": type_.value,
            "time": self.now,
            "datacontenttype": "application/json",
            "data": orjson.Fragment(data.__pydantic_serializer__.to_json(data, exclude_none=True))
            if isinstance(data, BaseModel)
            else data,
        }

    def send_as_it_is(self, message: Outgoing, *, person: str | None, partition: int) -> None:
        """Have a whole message published after the commit, whatever is in it. Raises Erased."""
        key = None if person is None else self.keys.key(self.connection, person)
        self.outgoing.append(message)
        self._outbox.append(
            {
                "id": message.id,
                "service": self.service,
                "partition": partition,
                "stream": message.stream,
                "subject": message.subject,
                "created_at": self.now,
            }
        )
        self._payloads.append((message.id, message.payload, key))

    def hand_on(self, messages: Sequence[Outgoing], follower: Work) -> None:
        """`follower` took these in this transaction: they need no outbox, and what it leaves is sent with our own."""
        taken = {message.id for message in messages}
        self.outgoing = [message for message in self.outgoing if message.id not in taken] + follower.outgoing
        self._outbox = [row for row in self._outbox if row["id"] not in taken] + follower._outbox
        self._payloads = [kept for kept in self._payloads if kept[0] not in taken] + follower._payloads
        self.entered += follower.entered
        self._texts += follower._texts
        self.owners |= follower.owners

    def audit(
        self,
        operation: AuditOperation,
        *,
        actor: Mapping[str, str],
        purpose: str,
        correlation_id: str,
        records: Sequence[tuple[str, str]],
        person_id: str | None = None,
        wrote: str | None = None,
        words_of: str | None = None,
        **more: object,
    ) -> None:
        """Enter something for the audit log: in this transaction, so that there is no act without its entry.

        `records` are (kind, id); `more` are further fields of `schemas.audit.AuditEntry`. `wrote` is what a human wrote
        to justify it: about a person (or a message, whose key `words_of` names) it is sealed beside the entry, which
        holds a commitment to it (`schemas.commitments`); about nobody, as a change of rules, it stands in the entry.
        What is too much for one entry goes on in further ones, so that no record is left out. Entries are written past
        the model, because checking what we made ourselves cost more than deciding; the tests read every one with it.
        Raises Unacceptable for one that the log cannot hold: then there is no act either.
        """
        if len(records) > ENTRY_MOST or any(len(listed(more, name)) > ENTRY_MOST for name in LISTS):
            for some, rest in in_parts(records, more):
                self.audit(
                    operation,
                    actor=actor,
                    purpose=purpose,
                    correlation_id=correlation_id,
                    records=some,
                    person_id=person_id,
                    wrote=wrote,
                    words_of=words_of,
                    **rest,
                )
            return
        id_ = self.id()
        entry = {
            "entry_id": id_,
            "operation": operation.value,
            "at": self.now,
            "actor": actor,
            "records": [{"kind": kind, "id": record} for kind, record in records],
            "purpose": purpose,
            "correlation_id": correlation_id,
            **{name: value for name, value in more.items() if value is not None},
        }
        if person_id is not None:
            entry["person_id"] = person_id
        if wrote is not None:
            entry |= self._justified(id_, words_of or person_id, wrote)
        # These very bytes are what the log proves, so they are canonical (RFC 8785): in the order of their names, which
        # are ASCII; all else is as orjson writes it anyway.
        raw = orjson.dumps(self._envelope(id_, EventType.AUDIT_ENTERED, entry), option=orjson.OPT_SORT_KEYS)
        if len(raw) > LONGEST_ENTRY:
            raise Unacceptable("audit_entry_too_large")
        self.entered.append(raw)

    def _justified(self, entry_id: str, person_id: str | None, text: str) -> dict[str, str]:
        if person_id is None:
            return {"justification": text}
        try:
            key = self.keys.key(self.connection, person_id)
        except Erased:
            return {"justification": "not kept: whom it is about is erased"}
        sealed = key.seal(text.encode(), place_of(tables.entry_texts.c.sealed, entry_id))
        self._texts.append({"entry_id": entry_id, "person_id": person_id, "sealed": sealed})
        return {"justification_commitment": commitment(entry_key(key.secret, entry_id), text)}

    def quarantine(
        self,
        delivery: Delivery,
        why: Unacceptable,
        *,
        key: Key | None = None,
        told_at: datetime | None = None,
        person_id: str | None = None,
    ) -> str | None:
        """Set a message aside with its raw bytes and what was wrong. Returns the quarantine id.

        None for a delivery that was set aside before (then came a crash, before its acknowledgement): it is one row and
        one notice, and whoever is told of it was told. Its key is not kept in the inbox: once mended it is sent again,
        and must not pass for a repeat. `told_at`: its sender is told, and it is theirs to mend; it waits for nobody.
        Its bytes are kept under the key of `person_id`, whom it is about, or under one of its own, of the quarantine
        id's name, where nobody knows whose they are; what is refused because its person is erased is not kept, and
        nobody can mend it.
        """
        if key is not None:
            self._forget(key)
        digest = self.digest(delivery.raw)
        name = f"{self.service}:{delivery.stream}:{delivery.stream_sequence}:{digest}"
        if rows_of(self.connection, _ASIDE, {"delivery": name}):
            return None
        erased = why.reason == ERASED or (person_id is not None and self._is_erased(person_id))
        id_ = self.id() if person_id is not None and not erased else self.new_person()
        whose = person_id if person_id is not None and not erased else id_
        problems = tuple(problem.for_others() for problem in why.problems)  # the sender alone is told all
        row = {
            "id": id_,
            "service": self.service,
            "delivery": name,
            "stream": delivery.stream,
            "subject": delivery.subject,
            "source": key.source if key else None,
            "message_id": key.id if key else None,
            "raw": None if erased else self.seal(whose, tables.quarantine.c.raw, id_, delivery.raw),
            "digest": digest,
            "reason": why.reason,
            "problems": [problem.model_dump(mode="json") for problem in problems],
            "quarantined_at": self.now,
            "told_at": self.now if erased else told_at,
        }
        insert_all(self.connection, tables.quarantine, [row])
        self._enter_set_aside(id_, delivery, key, person_id)
        notice = QuarantinedMessage(
            quarantine_id=id_,
            service=self.service,
            reason=why.reason,
            problems=problems,
            subject=delivery.subject,
            source=key.source if key else None,
            received_at=self.now,
            digest=hashlib.sha256(delivery.raw).hexdigest(),
        )
        self.publish(
            streams.QUARANTINE,
            f"quarantine.{self.service}",
            EventType.MESSAGE_QUARANTINED,
            notice,
            person=whose,
            partition=delivery.partition,
        )
        return id_

    def digest(self, raw: bytes) -> str:
        """What tells the bytes of a message from all others, and says nothing of them to whoever has no key."""
        return self.keys.fingerprint(self.connection, "message", raw)

    def _enter_set_aside(self, id_: str, delivery: Delivery, key: Key | None, person_id: str | None) -> None:
        """What a source sent is collected by that, though nothing was made of it; elsewhere it is ours, put aside."""
        came_in = delivery.stream == streams.INTAKE
        source = delivery.subject.split(".")[1] if came_in else ""
        if not re.fullmatch(SOURCE_ID_PATTERN, source):
            source = "unknown"  # a broker that lets anybody publish anywhere
        self.audit(
            AuditOperation.COLLECT if came_in else AuditOperation.ALTER,
            actor=acting(source, organisation=source, role="source")
            if came_in
            else acting(self.service, organisation=self.organisation, role="service"),
            person_id=person_id,
            records=(("quarantine", id_),),
            fields=("raw",),
            purpose="quarantine",
            correlation_id=key.id if key is not None and not came_in else id_,
        )

    def _forget(self, key: Key) -> None:
        self.freed.add(key)
        rows_of(self.connection, _FORGET, {"consumer": self.service, "source": key.source, "id": key.id})

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is written within, and nothing else, when an error leaves it."""
        sent, rows, texts, entries = len(self.outgoing), len(self._outbox), len(self._texts), len(self.entered)
        try:
            with self.connection.begin_nested():
                yield
        except BaseException:
            del self.outgoing[sent:], self._outbox[rows:], self._payloads[rows:]
            del self._texts[texts:], self.entered[entries:]
            raise

    def finish(self) -> None:
        """Write what was gathered. The last thing before the commit."""
        insert_all(self.connection, tables.outbox, self._outbox)
        insert_all(self.connection, tables.payloads, [_kept(*payload) for payload in self._payloads])
        insert_all(self.connection, tables.audit_entries, [{"entry": entry} for entry in self.entered])
        insert_all(self.connection, tables.entry_texts, self._texts)


def _kept(id_: str, payload: bytes, key: PersonKey | None) -> Row:
    place = place_of(_PAYLOAD, id_)
    return {"id": id_, "payload": in_clear(payload) if key is None else key.seal(payload, place)}
