"""Counts how often one message failed, in the store: the broker's own count is not part of our transactions."""

from __future__ import annotations

from sqlalchemy import delete, select

from services.ground import tables
from services.ground.microbatch import Delivery
from services.ground.sql import upsert
from services.ground.work import Work


def count_failure(delivery: Delivery, error: Exception, work: Work) -> int:
    """Note one more failure. Returns how many there are now."""
    row = tables.attempts.c
    name = f"{delivery.stream}:{delivery.stream_sequence}"
    before = work.connection.execute(
        select(row.failures).where(row.consumer == work.service, row.delivery == name)
    ).scalar()
    count = (before or 0) + 1
    upsert(
        work.connection,
        tables.attempts,
        [
            {
                "consumer": work.service,
                "delivery": name,
                "failures": count,
                "error": type(error).__name__,
                "last_at": work.now,
            }
        ],
        update=["failures", "error", "last_at"],
    )
    return count


def forget_failures(delivery: Delivery, work: Work) -> None:
    """The message is dealt with."""
    row = tables.attempts.c
    name = f"{delivery.stream}:{delivery.stream_sequence}"
    work.connection.execute(delete(tables.attempts).where(row.consumer == work.service, row.delivery == name))
