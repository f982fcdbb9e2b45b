"""Puts entries back that an old copy of the store lacks, from the log as it was published.

What was published was signed, so what is put back is shown to be what was there. Nothing is put over anything: where
the store has gone on in another way there is nothing to be mended here, and it says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from schemas.log.checked import CheckedTree
from schemas.log.checkpoint import Checkpoint
from schemas.log.merkle import root_of
from schemas.log.reader import entries_of
from schemas.log.tiles import WIDTH, Fetch
from services.audit import store, tree
from services.audit.appending import append
from services.audit.signing import HistoryForked
from services.ground.database import Database
from services.ground.errors import OnwardError

BATCH: Final = WIDTH


async def restore(database: Database, fetch: Fetch, signed: Checkpoint) -> int:
    """Append what the published log of this checkpoint has beyond the store's. Returns how many entries that were.

    The audit service must not run. Raises HistoryForked where the store's entries are not the published log's first,
    and what `fetch` and the verifying of entries raise (`schemas.log.errors`); what was appended before that stays.
    """
    published = CheckedTree(fetch, signed)
    begin = await database.read(lambda c: _common_length(c, published))
    batch: list[bytes] = []
    for position, entry in entries_of(fetch, published, begin, signed.size):
        batch.append(entry)
        if len(batch) == BATCH or position + 1 == signed.size:
            first = position + 1 - len(batch)
            await database.write(lambda c, b=tuple(batch), f=first: _append(c, b, f))  # type: ignore[misc]
            batch.clear()
    return max(0, signed.size - begin)


def _common_length(connection: Connection, published: CheckedTree) -> int:
    """How many entries the store has, all of which the published log begins with."""
    size = store.length(connection)
    if size > published.size:
        raise HistoryForked(f"the store holds {size} entries and the published log {published.size}")
    if root_of(size, tree.reader(connection, size)) != root_of(size, published):
        raise HistoryForked(f"the published log does not begin with the store's {size} entries")
    return size


def _append(connection: Connection, entries: Sequence[bytes], first: int) -> None:
    """Append them; one that waits in the old copy to be appended has its place now."""
    if store.length(connection) != first:
        raise OnwardError("the log has grown meanwhile: stop the audit service first")
    append(connection, entries)
    store.leave_out(connection, set(entries))
