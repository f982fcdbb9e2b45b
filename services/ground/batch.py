"""The body of a batch's transaction: drop repeats, put in order, let the handler act.

All together first, which is quick. If that fails, each message in a savepoint of its own, so that one bad message
never delays or sinks its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError

from schemas.refusal import Unacceptable
from services.ground.errors import StoreUnusable
from services.ground.failures import came_again, count_failure, forget_failures
from services.ground.handler import Handler, Incoming
from services.ground.inorder import Place, Stored, ready_in_order
from services.ground.keys import KeysRunOut
from services.ground.microbatch import Delivery
from services.ground.work import Key, Work

Body = TypeVar("Body")


Refuse = Callable[[Delivery, Unacceptable, Work, "Key | None"], object]


@dataclass(frozen=True, slots=True)
class Bad:
    """A message that could not be read."""

    delivery: Delivery
    why: Unacceptable
    key: Key | None = None  # of one that could be read when it came, and waited since


class RepeatOfRefused(Exception):
    """A message passed for a repeat of one that was then refused: it may be the mended one, so each is taken apart."""


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
    readable = [m for m in messages if isinstance(m, Incoming)]
    new = _first_time(readable, work)
    ready = _in_order(handler, new, work)
    for bad in [m for m in (*messages, *ready) if isinstance(m, Bad)]:
        handler.refuse(bad.delivery, bad.why, work, key=bad.key)
    good = [m for m in ready if isinstance(m, Incoming)]
    if good:
        handler.take(good, work)
    if work.freed and len(new) < len(readable):
        first = {id(m) for m in new}
        if any(m.key in work.freed for m in readable if id(m) not in first):
            raise RepeatOfRefused
    forget_failures([m.delivery for m in messages if came_again(m.delivery)], work)


def take_apart(
    handler: Handler[Body], messages: Sequence[Incoming[Body] | Bad], work: Work, *, max_attempts: int
) -> list[Delivery]:
    """Take each message on its own. Returns those to leave unacknowledged, for the broker to deliver again.

    A message that fails for the `max_attempts`-th time is quarantined. Errors of the store itself are raised: an
    outage is nobody's attempt.
    """
    done = [_take_or_count(handler, message, work, max_attempts=max_attempts) for message in messages]
    pairs = [(message.delivery, is_done) for message, is_done in zip(messages, done, strict=True)]
    forget_failures([delivery for delivery, is_done in pairs if is_done and came_again(delivery)], work)
    return [delivery for delivery, is_done in pairs if not is_done]


def _take_or_count(handler: Handler[Body], message: Incoming[Body] | Bad, work: Work, *, max_attempts: int) -> bool:
    """Whether the message is dealt with: taken, or set aside."""
    ways = _ways_to_refuse(handler)
    error = _tried(lambda: _take_one(handler, message, work), work)
    why = message.why if isinstance(message, Bad) else Unacceptable("failed_repeatedly")
    if isinstance(error, Unacceptable) and isinstance(message, Incoming):
        why = error
        error = _tried(lambda: _set_aside(handler, message, why, work, ways[0]), work)
    if error is None:
        return True
    if count_failure(message.delivery, error, work) < max_attempts:
        return False
    return any(
        _tried(lambda r=refuse: _set_aside(handler, message, why, work, r), work) is None  # type: ignore[misc]
        for refuse in ways
    )


def _tried(act: Callable[[], None], work: Work) -> Exception | None:
    """Act in a savepoint. Returns what went wrong and was undone; raises what is the store's and no message's."""
    try:
        with work.savepoint():
            act()
    except KeysRunOut:
        raise  # no message's either: all is done again, with more of them
    except DBAPIError as error:
        if error.connection_invalidated or not _is_about_data(error):
            raise
        return error
    except StoreUnusable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a handler trips over, it is this message's alone
        return error
    return None


def _take_one(handler: Handler[Body], message: Incoming[Body] | Bad, work: Work) -> None:
    if isinstance(message, Bad):
        handler.refuse(message.delivery, message.why, work, key=message.key)
        return
    ready = _in_order(handler, _first_time([message], work), work)
    if ready:
        handler.take([message], work)
        _take_followers(handler, ready[1:], work)


def _take_followers(handler: Handler[Body], followers: Sequence[Incoming[Body] | Bad], work: Work) -> None:
    """Take what was kept until its predecessor came: a failure of its own must not undo the predecessor.

    It is in nobody's hands any more, so its attempts cannot be counted: it is set aside at once.
    """
    for follower in followers:
        error = _tried(lambda m=follower: _take_follower(handler, m, work), work)  # type: ignore[misc]
        if error is None:
            continue
        why = error if isinstance(error, Unacceptable) else Unacceptable("failed_after_waiting")
        for refuse in _ways_to_refuse(handler):
            error = _tried(lambda m=follower, r=refuse, w=why: r(m.delivery, w, work, m.key), work)  # type: ignore[misc]
            if error is None:
                break
        else:
            raise error


def _take_follower(handler: Handler[Body], follower: Incoming[Body] | Bad, work: Work) -> None:
    if isinstance(follower, Bad):
        raise follower.why
    handler.take([follower], work)


def _set_aside(
    handler: Handler[Body], message: Incoming[Body] | Bad, why: Unacceptable, work: Work, refuse: Refuse
) -> None:
    refuse(message.delivery, why, work, message.key)
    if isinstance(message, Incoming):
        # Its place counts as taken, so that what follows goes on.
        _take_followers(handler, _in_order(handler, [message], work, pass_over=True), work)
    forget_failures([message.delivery], work)


def _ways_to_refuse(handler: Handler[Body]) -> tuple[Refuse, ...]:
    """From the best to the barest, for a message that brings down even its own refusal."""

    def by_handler(delivery: Delivery, why: Unacceptable, work: Work, key: Key | None) -> None:
        handler.refuse(delivery, why, work, key=key)

    def untold(delivery: Delivery, why: Unacceptable, work: Work, key: Key | None) -> None:
        work.quarantine(delivery, why, key=key)

    def bare(delivery: Delivery, why: Unacceptable, work: Work, key: Key | None) -> None:  # noqa: ARG001
        work.quarantine(delivery, Unacceptable(why.reason))

    return by_handler, untold, bare


def _is_about_data(error: DBAPIError) -> bool:
    """Whether the store refused what was written (ours to count), and not that it could not work at all.

    PostgreSQL says it by its class of error, because SQLAlchemy has no name for most of them: data, integrity, syntax
    or access, and what is larger than the store can take.
    """
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state[:2] in ("22", "23", "42", "54")
    return isinstance(error, IntegrityError | DataError | ProgrammingError | InterfaceError)


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


def _in_order(
    handler: Handler[Body], messages: list[Incoming[Body]], work: Work, *, pass_over: bool = False
) -> list[Incoming[Body] | Bad]:
    """Those to take now, and what waited for them."""
    placed: list[Incoming[Body] | Bad] = [m for m in messages if m.place is not None]
    unplaced: list[Incoming[Body] | Bad] = [m for m in messages if m.place is None and not pass_over]
    if not placed:
        return unplaced

    def restore(after: Incoming[Body] | Bad, kept: Stored) -> Incoming[Body] | Bad:
        origin = after.delivery
        delivery = Delivery(kept.subject, kept.payload, "", origin.stream, kept.stream_sequence, origin.partition)
        [message] = read_all(handler, [delivery])
        key = Key(kept.source, kept.id) if kept.source is not None and kept.id is not None else None
        return Bad(delivery, message.why, key) if isinstance(message, Bad) else message

    return unplaced + ready_in_order(placed, work, place=_place, stored=_stored, restore=restore, pass_over=pass_over)


def _place(message: Incoming[Body] | Bad) -> Place:
    assert isinstance(message, Incoming)
    assert message.place is not None
    return message.place


def _stored(message: Incoming[Body] | Bad) -> Stored:
    delivery, key = message.delivery, message.key
    source, id_ = key or (None, None)
    person = message.person if isinstance(message, Incoming) else None
    return Stored(delivery.subject, delivery.raw, source, id_, delivery.stream_sequence, person)
