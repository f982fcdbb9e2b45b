"""Keeps the events of one person (or one leg) in order, however the broker delivers them.

Each event carries its number within its key: 1, 2, 3. The next one is taken; one that comes before its predecessor is
kept in the store and taken right after it; one with a number already passed is taken as it comes (it was mended in
quarantine and sent again). So order needs no trust in redelivery, failover or the number of replicas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import bindparam, delete, select

from services.ground import tables
from services.ground.driver import rows_of
from services.ground.sealing import ERASED, in_clear, place_of
from services.ground.sql import select_in, upsert
from services.ground.work import Work


@dataclass(frozen=True, slots=True)
class Place:
    """An event's place: the `sequence`-th of its key, from 1."""

    key: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it is kept while it waits: enough to make it again, and to set it aside if that fails."""

    subject: str
    payload: bytes
    source: str | None  # with `id` its inbox key
    id: str | None
    stream_sequence: int
    person: str | None = None  # under whose key; none for what says nothing of anybody

    @property
    def is_nothing(self) -> bool:
        """Whether it only keeps the place of what was set aside before its turn, or of what is erased."""
        return not self.payload


M = TypeVar("M")

_POSITIONS = select(tables.positions).where(tables.positions.c.consumer == bindparam("service"))
_FORGET = delete(tables.early).where(
    tables.early.c.consumer == bindparam("consumer"),
    tables.early.c.key == bindparam("key"),
    tables.early.c.sequence == bindparam("sequence"),
)
_EARLY = select(tables.early).where(tables.early.c.consumer == bindparam("service"))
_PASSED_OVER = Stored("", b"", None, None, 0)  # waits in the place of a message that was set aside before its turn


def ready_in_order(
    messages: Sequence[M],
    work: Work,
    *,
    place: Callable[[M], Place],
    stored: Callable[[M], Stored],
    restore: Callable[[M, Stored], M],
    pass_over: bool = False,
) -> list[M]:
    """Which messages to take now, in order: those that are next, and those kept earlier that have become next.

    `stored` gives what to keep of a message, from which `restore` makes it again, given the message that it waited
    for. `pass_over` is for messages that were set aside: their places count as taken, now or when their turn comes.
    """
    keys = sorted({place(message).key for message in messages})
    last = _positions(keys, work)
    before = dict(last)
    waiting = _waiting(keys, work)
    ready: list[M] = []
    too_early: dict[Place, Stored] = {}
    taken_early: list[Place] = []
    for message in sorted(messages, key=lambda m: place(m).sequence):
        at = place(message)
        if at.sequence > last.get(at.key, 0) + 1:
            if pass_over:
                too_early |= {at: _PASSED_OVER} if at not in waiting else {}
            elif at not in too_early and (at not in waiting or waiting[at].is_nothing):
                too_early[at] = stored(message)
            else:
                ready.append(message)  # another one waits in its place: better before its turn than never
            continue
        if not pass_over:
            ready.append(message)
        last[at.key] = max(last.get(at.key, 0), at.sequence)
        while (following := waiting.pop(Place(at.key, last[at.key] + 1), None)) is not None:
            if not following.is_nothing:
                ready.append(restore(message, following))
            last[at.key] += 1
            taken_early.append(Place(at.key, last[at.key]))
    _keep(too_early, work)
    _forget(taken_early, work)
    moved = [{"consumer": work.service, "key": k, "last": n} for k, n in last.items() if before.get(k) != n]
    upsert(work.connection, tables.positions, moved, update=["last"])
    return ready


def _positions(keys: Sequence[str], work: Work) -> dict[str, int]:
    rows = select_in(
        work.connection, _POSITIONS, (tables.positions.c.key,), [(key,) for key in keys], service=work.service
    )
    return {str(row["key"]): int(str(row["last"])) for row in rows}


def _waiting(keys: Sequence[str], work: Work) -> dict[Place, Stored]:
    found = [(key,) for key in keys]
    rows = select_in(work.connection, _EARLY, (tables.early.c.key,), found, gently=True, service=work.service)
    return {Place(str(row["key"]), int(str(row["sequence"]))): _stored(row) for row in rows}


def _stored(row: Mapping[str, Any]) -> Stored:
    payload = b"" if row["payload"] == ERASED else row["payload"]
    return Stored(row["subject"], payload, row["source"], row["id"], row["stream_sequence"])


def _keep(messages: Mapping[Place, Stored], work: Work) -> None:
    rows: list[dict[str, object]] = []
    for at, kept in messages.items():
        rows.append(
            {
                "consumer": work.service,
                "key": at.key,
                "sequence": at.sequence,
                "subject": kept.subject,
                "payload": _sealed(kept, at, work),
                "source": kept.source,
                "id": kept.id,
                "stream_sequence": kept.stream_sequence,
                "arrived_at": work.now,
            }
        )
    content = ["subject", "payload", "source", "id", "stream_sequence", "arrived_at"]
    upsert(work.connection, tables.early, rows, update=content)


def _sealed(kept: Stored, at: Place, work: Work) -> bytes:
    if kept.person is None:
        return in_clear(kept.payload)
    place = place_of(tables.early.c.payload, work.service, at.key, at.sequence)
    return work.keys.key(work.connection, kept.person).seal(kept.payload, place)


def _forget(places: Sequence[Place], work: Work) -> None:
    for at in places:
        rows_of(work.connection, _FORGET, {"consumer": work.service, "key": at.key, "sequence": at.sequence})
