"""Counts how often one message failed, in the store: the broker's own count is not part of our transactions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select

from services.ground import tables
from services.ground.microbatch import Delivery
from services.ground.sql import upsert
from services.ground.work import Work


def count_failure(delivery: Delivery, error: Exception, work: Work) -> int:
    """Note one more failure. Returns how many there are now."""
    row = tables.attempts.c
    name = _name(delivery, work)
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


def forget_failures(deliveries: Sequence[Delivery], work: Work) -> None:
    """The messages are dealt with."""
    if not deliveries:
        return
    row = tables.attempts.c
    names = [_name(delivery, work) for delivery in deliveries]
    work.connection.execute(delete(tables.attempts).where(row.consumer == work.service, row.delivery.in_(names)))


def came_again(delivery: Delivery) -> bool:
    """Whether the broker delivered it before. No other message can have failed before, which spares looking."""
    return delivery.ack_subject.split(".", 5)[4] != "1"  # $JS.ACK.<stream>.<consumer>.<tries>...


def _name(delivery: Delivery, work: Work) -> str:
    """A stream that was made anew has other messages at the same places, hence the digest."""
    return f"{delivery.stream}:{delivery.stream_sequence}:{work.digest(delivery.raw)}"
