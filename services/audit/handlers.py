"""What audit does with a batch of entries: put each at the next position of the log."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.audit import AuditEntry
from schemas.envelope import Envelope
from schemas.reading import Unreadable, fit
from schemas.refusal import Unacceptable
from services.audit import store
from services.ground.handler import Incoming
from services.ground.microbatch import Delivery
from services.ground.sql import insert_all
from services.ground.work import Key, Work


class AuditHandler:
    """Takes `audit.<operation>`."""

    service = "audit"

    def read(self, delivery: Delivery) -> Incoming[AuditEntry]:
        """Read an entry of a service of ours."""
        try:
            envelope = fit(delivery.raw, Envelope[AuditEntry], extra="ignore")
        except Unreadable as error:
            raise Unacceptable("unreadable", error.problems) from None
        return Incoming(delivery, envelope.data, Key(envelope.source, envelope.id))

    def take(self, messages: Sequence[Incoming[AuditEntry]], work: Work) -> None:
        """Append the entries in the order in which they came."""
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

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Quarantine an entry, where people see it."""
        work.quarantine(delivery, why, key=key)
