"""What audit does with a batch of entries: put each at the next position of the log and of its tree."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from schemas.log.tiles import LONGEST_ENTRY
from schemas.refusal import Unacceptable
from schemas.vocabulary import AuditOperation
from services.audit import store, tree
from services.ground.handler import Incoming
from services.ground.microbatch import Delivery
from services.ground.sql import insert_all
from services.ground.work import Key, Work


class Entry(NamedTuple):
    """What the log is searched by."""

    entry_id: str
    operation: AuditOperation
    person_id: str | None
    correlation_id: str
    at: datetime


class AuditHandler:
    """Takes `audit.<operation>`."""

    service = "audit"

    def read(self, delivery: Delivery) -> Incoming[Entry]:
        """Read what the log is searched by. The entry was checked where it was made, and is kept as it came."""
        if len(delivery.raw) > LONGEST_ENTRY:
            raise Unacceptable("too_large")
        try:
            envelope = orjson.loads(delivery.raw)
            data = envelope["data"]
            entry = Entry(
                data["entry_id"],
                AuditOperation(data["operation"]),
                data.get("person_id"),
                data["correlation_id"],
                datetime.fromisoformat(data["at"]),
            )
            key = Key(envelope["source"], envelope["id"])
        except (ValueError, KeyError, TypeError):
            raise Unacceptable("unreadable") from None
        return Incoming(delivery, entry, key)

    def take(self, messages: Sequence[Incoming[Entry]], work: Work) -> None:
        """Append the entries in the order in which they came. Raises TreeDamaged, for all and not for one of them."""
        first = store.length(work.connection)
        insert_all(
            work.connection,
            store.log_entries,
            [
                {
                    "position": first + offset,
                    "entry_id": message.body.entry_id,
                    "operation": message.body.operation.value,
                    "person_id": message.body.person_id,
                    "correlation_id": message.body.correlation_id,
                    "at": message.body.at,
                    "entry": message.delivery.raw,
                }
                for offset, message in enumerate(messages)
            ],
        )
        tree.append(work.connection, first, [message.delivery.raw for message in messages])

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Quarantine an entry, where people see it."""
        work.quarantine(delivery, why, key=key)
