"""The unit of work: one transaction that keeps the inbox keys, the effects, the audit entries and the outbox.

Nothing is published in here. What is to be published becomes outbox rows, sent after the commit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

import orjson
from pydantic import BaseModel
from sqlalchemy import Connection, delete, select

from schemas.base import SOURCE_ID_PATTERN
from schemas.envelope import EventType
from schemas.log.tiles import LONGEST_ENTRY
from schemas.quarantine import QuarantinedMessage
from schemas.refusal import Unacceptable
from schemas.vocabulary import AuditOperation
from services.ground import streams, tables
from services.ground.bulk import Row
from services.ground.ids import ids_at, milliseconds_of
from services.ground.microbatch import Delivery
from services.ground.publisher import Outgoing
from services.ground.sql import insert_all, insert_new

# Made together, for one by one they cost a twelfth of an event: a few at first, then ever more.
IDS_AT_FIRST, IDS_AT_MOST = 16, 512
ENTRY_MOST = 100  # records, fields or reasons of one audit entry; what is more goes into further ones

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
        self.freed: set[Key] = set()  # of what was quarantined: they may be sent again
        self.owners: set[tuple[str, int]] = set()  # the services and partitions whose outbox this writes to
        self._outbox: list[dict[str, object]] = []
        self._payloads: list[Row] = []
        self._milliseconds = milliseconds_of(now)
        self._ids: list[str] = []  # the next one last
        self._ids_at_once = IDS_AT_FIRST

    def id(self) -> str:
        """A new time-ordered id."""
        if not self._ids:
            self._ids = ids_at(self._milliseconds, self._ids_at_once)[::-1]
            self._ids_at_once = min(IDS_AT_MOST, 2 * self._ids_at_once)
        return self._ids.pop()

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
        partition: int,
        about: str | None = None,
        id_: str | None = None,
        **extensions: str | None,
    ) -> str:
        """Have an event published after the commit. Returns its id, which is `id_` where the caller has made one.

        `data` is a payload, or what its JSON is made of; `partition` is the producing service's own, whose owner sends
        what is left behind by a crash; `about` becomes the CloudEvents subject; `extensions` further attributes.
        """
        id_ = id_ or self.id()
        envelope: dict[str, object] = {
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
        if about:
            envelope["subject"] = about
        if extensions:
            envelope |= {name: value for name, value in extensions.items() if value is not None}
        # Of an audit entry these very bytes are what the log proves, so they are canonical (RFC 8785): in the order of
        # their names, which are ASCII; all else is as orjson writes it anyway.
        option = orjson.OPT_SORT_KEYS if stream == streams.AUDIT else None
        payload = orjson.dumps(envelope, option=option)
        if stream == streams.AUDIT and len(payload) > LONGEST_ENTRY:
            raise Unacceptable("audit_entry_too_large")
        self.send_as_it_is(Outgoing(id_, stream, subject, payload), partition=partition)
        return id_

    def send_as_it_is(self, message: Outgoing, *, partition: int) -> None:
        """Have a whole message published after the commit, whatever is in it."""
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
        self._payloads.append({"id": message.id, "payload": message.payload})

    def hand_on(self, messages: Sequence[Outgoing], follower: Work) -> None:
        """`follower` took these in this transaction: they need no outbox, and what it leaves is sent with our own."""
        taken = {message.id for message in messages}
        self.outgoing = [message for message in self.outgoing if message.id not in taken] + follower.outgoing
        self._outbox = [row for row in self._outbox if row["id"] not in taken] + follower._outbox
        self._payloads = [row for row in self._payloads if row["id"] not in taken] + follower._payloads
        self.owners |= follower.owners

    def audit(
        self,
        operation: AuditOperation,
        *,
        actor: Mapping[str, str],
        purpose: str,
        correlation_id: str,
        records: Sequence[tuple[str, str]],
        partition: int,
        **more: object,
    ) -> None:
        """Have an audit entry kept and published: in this transaction, so that there is no act without its entry.

        `records` are (kind, id); `more` are further fields of `schemas.audit.AuditEntry`. What is too much for one
        entry goes on in further ones, so that no record is left out. Entries are written past the model, because
        checking what we made ourselves cost more than deciding; the tests read every one with it.
        Raises Unacceptable for one that the log cannot hold: then there is no act either.
        """
        if len(records) > ENTRY_MOST or any(len(_listed(more, name)) > ENTRY_MOST for name in _LISTS):
            for some, rest in _in_parts(records, more):
                self.audit(
                    operation,
                    actor=actor,
                    purpose=purpose,
                    correlation_id=correlation_id,
                    records=some,
                    partition=partition,
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
        subject = f"audit.{operation.value}"
        self.publish(streams.AUDIT, subject, EventType.AUDIT_ENTERED, entry, partition=partition, id_=id_)

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
        `person_id`: whom it is about, where that is known.
        """
        if key is not None:
            self._forget(key)
        digest = hashlib.sha256(delivery.raw).hexdigest()
        name = f"{self.service}:{delivery.stream}:{delivery.stream_sequence}:{digest}"
        there = self.connection.execute(select(tables.quarantine.c.id).where(tables.quarantine.c.delivery == name))
        if there.scalar() is not None:
            return None
        id_ = self.id()
        problems = tuple(problem.for_others() for problem in why.problems)  # the sender alone is told all
        row = {
            "id": id_,
            "service": self.service,
            "delivery": name,
            "stream": delivery.stream,
            "subject": delivery.subject,
            "source": key.source if key else None,
            "message_id": key.id if key else None,
            "raw": delivery.raw,
            "digest": digest,
            "reason": why.reason,
            "problems": [problem.model_dump(mode="json") for problem in problems],
            "quarantined_at": self.now,
            "told_at": told_at,
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
            digest=digest,
        )
        self.publish(
            streams.QUARANTINE,
            f"quarantine.{self.service}",
            EventType.MESSAGE_QUARANTINED,
            notice,
            partition=delivery.partition,
        )
        return id_

    def _enter_set_aside(self, id_: str, delivery: Delivery, key: Key | None, person_id: str | None) -> None:
        """What a source sent is collected by that, though nothing was made of it; elsewhere it is ours, put aside.

        Entries that the log cannot take have none: each would have one of its own, without end.
        """
        if delivery.stream == streams.AUDIT:
            return
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
            partition=delivery.partition,
        )

    def _forget(self, key: Key) -> None:
        self.freed.add(key)
        inbox = tables.inbox.c
        self.connection.execute(
            delete(tables.inbox).where(inbox.consumer == self.service, inbox.source == key.source, inbox.id == key.id)
        )

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is written within, and nothing else, when an error leaves it."""
        sent, rows = len(self.outgoing), len(self._outbox)
        try:
            with self.connection.begin_nested():
                yield
        except BaseException:
            del self.outgoing[sent:], self._outbox[rows:], self._payloads[rows:]
            raise

    def finish(self) -> None:
        """Write what was gathered. The last thing before the commit."""
        insert_all(self.connection, tables.outbox, self._outbox)
        insert_all(self.connection, tables.payloads, self._payloads)


_LISTS: Final = ("fields", "because")  # of an audit entry, beside its records


def _listed(more: Mapping[str, object], name: str) -> Sequence[object]:
    value = more.get(name)
    return value if isinstance(value, Sequence) else ()


def _in_parts(
    records: Sequence[tuple[str, str]], more: Mapping[str, object]
) -> Iterator[tuple[Sequence[tuple[str, str]], dict[str, object]]]:
    """The records and the other lists of an entry, as many of each at once as one entry takes.

    Each part names the first fields and reasons where they fit into one, since every part must say them.
    """
    lists = {name: _listed(more, name) for name in _LISTS}
    longest = max(len(records), *(len(values) for values in lists.values()))
    for start in range(0, longest, ENTRY_MOST):
        part = {
            name: values if len(values) <= ENTRY_MOST else values[start : start + ENTRY_MOST]
            for name, values in lists.items()
        }
        yield records[start : start + ENTRY_MOST], {**more, **part}
