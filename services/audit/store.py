"""The log's table. Only ever added to; the proofs over it (tree, checkpoints) will stand beside it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Index, LargeBinary, Table, Text, func, select

from services.ground.database import metadata
from services.ground.driver import rows_of
from services.ground.tables import Moment

log_entries = Table(
    "log_entries",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # 0, 1, 2, ... without a gap
    Column("entry_id", Text, nullable=False, unique=True),
    Column("operation", Text, nullable=False),
    Column("person_id", Text),
    Column("correlation_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("entry", LargeBinary, nullable=False),  # the exact bytes: what a proof will be over
)
Index("log_entries_of_person", log_entries.c.person_id)
Index("log_entries_of_event", log_entries.c.correlation_id)


_LAST = select(func.max(log_entries.c.position).label("last"))


def length(connection: Connection) -> int:
    """How many entries the log has, which is the next position."""
    [row] = rows_of(connection, _LAST, {})
    return 0 if row["last"] is None else int(row["last"]) + 1
