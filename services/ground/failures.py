"""Counts how often one message failed, in the store: the broker's own count is not part of our transactions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select

from services.ground import tables
from services.ground.driver import rows_of
from services.ground.microbatch import Delivery
from services.ground.sql import change_in, upsert
from services.ground.work import Work

_attempt = tables.attempts.c
_BEFORE = select(_attempt.failures).where(
    _attempt.consumer == bindparam("consumer"), _attempt.delivery == bindparam("delivery")
)
_FORGET = delete(tables.attempts).where(_attempt.consumer == bindparam("service"))


def count_failure(delivery: Delivery, error: Exception, work: Work) -> int:
    """Note one more failure. Returns how many there are now."""
    name = _name(delivery, work)
    before = rows_of(work.connection, _BEFORE, {"consumer": work.service, "delivery": name})
    count = (before[0]["failures"] if before else 0) + 1
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
    names = [_name(delivery, work) for delivery in deliveries]
    change_in(work.connection, _FORGET, _attempt.delivery, names, service=work.service)


def came_again(delivery: Delivery) -> bool:
    """Whether the broker delivered it before. No other message can have failed before, which spares looking."""
    return delivery.ack_subject.split(".", 5)[4] != "1"  # $JS.ACK.<stream>.<consumer>.<tries>...


def _name(delivery: Delivery, work: Work) -> str:
    """A stream that was made anew has other messages at the same places, hence the digest."""
    return f"{delivery.stream}:{delivery.stream_sequence}:{work.digest(delivery.raw)}"
