"""The body of a batch's transaction: drop repeats, put in order, let the handler act.

All together first, which is quick. If that fails, each message in a savepoint of its own, so that one bad message
never delays or sinks its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from schemas.refusal import Unacceptable
from services.ground.failures import count_failure, forget_failures
from services.ground.handler import Handler, Incoming
from services.ground.inorder import Place, ready_in_order
from services.ground.microbatch import Delivery
from services.ground.work import Work

Body = TypeVar("Body")


@dataclass(frozen=True, slots=True)
class Bad:
    """A message that could not be read."""

    delivery: Delivery
    why: Unacceptable


def read_all(handler: Handler[Body], batch: Sequence[Delivery]) -> list[Incoming[Body] | Bad]:
    """Decode each message on its own."""
    read: list[Incoming[Body] | Bad] = []
    for delivery in batch:
        try:
            read.append(handler.read(delivery))
        except Unacceptable as why:
            read.append(Bad(delivery, why))
        except Exception:  # noqa: BLE001 - whatever this message does to its reader, its neighbours are read
            read.append(Bad(delivery, Unacceptable("reader_failed")))
    return read


def take_together(handler: Handler[Body], messages: Sequence[Incoming[Body] | Bad], work: Work) -> None:
    """Take the whole batch; raises whatever the handler raises."""
    for message in messages:
        if isinstance(message, Bad):
            handler.refuse(message.delivery, message.why, work, key=None)
    new = _first_time([m for m in messages if isinstance(m, Incoming)], work)
    ready = _in_order(handler, new, work)
    if ready:
        handler.take(ready, work)


def take_apart(
    handler: Handler[Body], messages: Sequence[Incoming[Body] | Bad], work: Work, *, max_attempts: int
) -> list[Delivery]:
    """Take each message on its own. Returns those to leave unacknowledged, for the broker to deliver again.

    A message that fails for the `max_attempts`-th time is quarantined. Errors of the store itself are raised: an
    outage is nobody's attempt.
    """
    left: list[Delivery] = []
    for message in messages:
        try:
            with work.savepoint():
                _take_one(handler, message, work)
        except Unacceptable as why:
            _set_aside(handler, message, why, work)
        except DBAPIError as error:
            if error.connection_invalidated or not _is_about_data(error):
                raise
            left += _count_or_set_aside(handler, message, error, work, max_attempts=max_attempts)
        except Exception as error:  # noqa: BLE001 - whatever a handler trips over, it is this message's alone
            left += _count_or_set_aside(handler, message, error, work, max_attempts=max_attempts)
    return left


def _take_one(handler: Handler[Body], message: Incoming[Body] | Bad, work: Work) -> None:
    if isinstance(message, Bad):
        handler.refuse(message.delivery, message.why, work, key=None)
        return
    ready = _in_order(handler, _first_time([message], work), work)
    if ready:
        handler.take(ready[:1], work)
        _take_followers(handler, ready[1:], work)


def _take_followers(handler: Handler[Body], followers: Sequence[Incoming[Body]], work: Work) -> None:
    """Take what was kept until its predecessor came: a failure of its own must not undo the predecessor."""
    for follower in followers:
        try:
            with work.savepoint():
                handler.take([follower], work)
        except Unacceptable as why:
            handler.refuse(follower.delivery, why, work, key=follower.key)
        except DBAPIError:
            raise
        except Exception:  # noqa: BLE001 - it is in nobody's hands any more, so its attempts cannot be counted
            handler.refuse(follower.delivery, Unacceptable("failed_after_waiting"), work, key=follower.key)


def _count_or_set_aside(
    handler: Handler[Body], message: Incoming[Body] | Bad, error: Exception, work: Work, *, max_attempts: int
) -> list[Delivery]:
    if count_failure(message.delivery, error, work) < max_attempts:
        return [message.delivery]
    _set_aside(handler, message, Unacceptable("failed_repeatedly"), work)
    return []


def _set_aside(handler: Handler[Body], message: Incoming[Body] | Bad, why: Unacceptable, work: Work) -> None:
    if isinstance(message, Bad):
        handler.refuse(message.delivery, why, work, key=None)
    else:
        handler.refuse(message.delivery, why, work, key=message.key)
        # Its place counts as taken, so that what follows goes on.
        ready = _in_order(handler, [message], work)
        _take_followers(handler, [m for m in ready if m.delivery is not message.delivery], work)
    forget_failures(message.delivery, work)


def _is_about_data(error: DBAPIError) -> bool:
    """Whether the store refused what was written (ours to count), and not that it could not work at all."""
    return type(error).__name__ in ("IntegrityError", "DataError", "ProgrammingError", "InterfaceError")


def _first_time(messages: list[Incoming[Body]], work: Work) -> list[Incoming[Body]]:
    """Those never taken before; of repeats within the batch the first."""
    keys = [m.key for m in messages if m.key is not None]
    new = work.first_time(keys) if keys else set()
    first: list[Incoming[Body]] = []
    for message in messages:
        if message.key is None:
            first.append(message)
        elif message.key in new:
            new.discard(message.key)
            first.append(message)
    return first


def _in_order(handler: Handler[Body], messages: list[Incoming[Body]], work: Work) -> list[Incoming[Body]]:
    placed = [m for m in messages if m.place is not None]
    if not placed:
        return messages

    def restore(subject: str, raw: bytes) -> Incoming[Body]:
        origin = placed[0].delivery
        return handler.read(Delivery(subject, raw, "", origin.stream, 0, origin.partition))

    return [m for m in messages if m.place is None] + ready_in_order(
        placed, work, place=_place, stored=lambda m: (m.delivery.subject, m.delivery.raw), restore=restore
    )


def _place(message: Incoming[Body]) -> Place:
    assert message.place is not None
    return message.place
