"""Takes what was entered in the store, and puts it at the next positions of the log and of its tree.

Whoever does something enters it in the same transaction (`ground.work.Work.audit`); here it gets its place. So the log
holds what the store's own transactions entered, and nothing that came by the queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import Connection

from schemas.vocabulary import AuditOperation
from services.audit import store, tree
from services.audit.alarm import Alarm
from services.ground.errors import StoreUnusable
from services.ground.handler import Hands
from services.ground.sql import insert_all
from services.ground.work import Work
from services.ground.world import World

PAGE: Final = 1_000  # entries of one transaction
_OPERATIONS: Final = {operation.value: operation.value for operation in AuditOperation}


class EntryUnreadable(StoreUnusable):
    """What waits for the log is not what a transaction of ours entered: nothing is passed over in silence."""

    def __init__(self) -> None:
        super().__init__(
            "an entry that waits for the audit log cannot be read: somebody changed the store, or its disk fails;"
            " keep a copy of it as it is, and restore it from a backup (docs/running.md)"
        )


class Appender:
    """One process's part of it: `act` is a duty of the audit service."""

    def __init__(self, world: World) -> None:
        self._database = world.database
        self._alarm = Alarm("appending")

    async def act(self, hands: Hands) -> None:
        """Append all that waits. Raises TreeDamaged or EntryUnreadable, having told `onward status` why."""
        if await self._database.read(store.something_waits):
            await self._alarm.around(self._append(hands), hands.write)

    async def _append(self, hands: Hands) -> None:
        taken = [PAGE]
        while taken[-1] == PAGE:
            await hands.write(lambda work: taken.append(append_waiting(work)))
            hands.note_taken(taken[-1])


def append_waiting(work: Work) -> int:
    """Append a page of what waits, in the order in which it was entered. Returns how many entries that were."""
    entries = store.take_waiting(work.connection, PAGE)
    append(work.connection, entries)
    return len(entries)


def append(connection: Connection, entries: Sequence[bytes]) -> None:
    """Put entries at the next positions. Raises TreeDamaged or EntryUnreadable."""
    first = store.length(connection)
    rows = [_row(position, entry) for position, entry in enumerate(entries, first)]
    insert_all(connection, store.log_entries, rows)
    tree.append(connection, first, entries)


def _row(position: int, entry: bytes) -> Mapping[str, object]:
    """What the log is searched by, beside the exact bytes."""
    try:
        data = orjson.loads(entry)["data"]
        return {
            "position": position,
            "entry_id": data["entry_id"],
            "operation": _OPERATIONS[data["operation"]],
            "person_id": data.get("person_id"),
            "correlation_id": data["correlation_id"],
            "at": datetime.fromisoformat(data["at"]),
            "entry": entry,
        }
    except (ValueError, KeyError, TypeError):
        raise EntryUnreadable from None
