"""Makes a store large: the rows of a real run, copied under ids of their own.

A copy's ids begin with its number in place of the moment, so they are older than all real ones, in order, and unique.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

from services.ground.database import metadata

BELOW: Final = 1_000_000  # places of the seed's messages in their streams are fewer

# Every table that grows with the router's work, and its columns that hold ids of ours.
TABLES: Final = {
    "cases": ("person_id", "referral_event"),
    "case_events": ("event_id", "person_id"),
    "decisions": ("id", "event_id", "person_id"),
    "legs": ("id", "person_id", "referral_event"),
    "leg_history": ("id", "leg_id", "event_id", "decision_id"),
    "timers": ("id", "person_id", "leg_id", "review_id"),
    "reviews": ("id", "person_id", "event_id", "decision_id", "leg_id"),
    "inbox": ("id",),
    "positions": ("key",),
    "outbox": ("id",),
    "payloads": ("id",),
}


def keep_seed(connection: Connection) -> int:
    """Set the rows that are there aside, to copy. Returns how many decisions they are."""
    for name in TABLES:
        connection.execute(text(f"CREATE TABLE seed_{name} AS SELECT * FROM {name}"))  # noqa: S608 - our own names
    # What the router sent was taken by its readers, or the reconciler would send the copies again.
    connection.execute(
        text(
            "INSERT INTO seed_inbox SELECT CASE stream WHEN 'DISPATCH' THEN 'dispatch' ELSE 'audit' END, "
            "'onward-router', id, created_at FROM seed_outbox"
        )
    )
    return int(connection.execute(text("SELECT count(*) FROM seed_decisions")).scalar_one())


def copy_seed(connection: Connection, number: int) -> None:
    """Add one copy of the seed."""
    for name, ids in TABLES.items():
        columns = [column.name for column in metadata.tables[name].columns]
        shown = ", ".join(f'"{column}"' for column in columns)
        values = ", ".join(_copied(c, ids) for c in columns)
        query = f"INSERT INTO {name} ({shown}) SELECT {values} FROM seed_{name}"  # noqa: S608 - our own names
        given = {"prefix": f"{number:08x}"} | ({"below": number * BELOW} if ":below" in query else {})
        connection.execute(text(query), given)


def _copied(column: str, ids: Sequence[str]) -> str:
    """What stands in a copy's column. Two copies at one place in a stream would mean that the broker lost something."""
    if column == "stream_sequence":
        return '"stream_sequence" - :below'
    return f':prefix || substr("{column}", 9)' if column in ids else f'"{column}"'


def forget_seed(connection: Connection) -> None:
    """Leave nothing behind but the copies, and let the store look at how it has grown."""
    for name in TABLES:
        connection.execute(text(f"DROP TABLE seed_{name}"))
    connection.execute(text("ANALYZE"))
