"""Keeps the events of one person (or one leg) in order, however the broker delivers them.

Each event carries its number within its key: 1, 2, 3. The next one is taken; one that comes before its predecessor is
kept in the store and taken right after it; one with a number already passed is taken as it comes (it was mended in
quarantine and sent again). So order needs no trust in redelivery, failover or the number of replicas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import bindparam, delete, select

from services.ground import tables
from services.ground.sql import insert_new, select_in, upsert
from services.ground.work import Work


@dataclass(frozen=True, slots=True)
class Place:
    """An event's place: the `sequence`-th of its key, from 1."""

    key: str
    sequence: int


M = TypeVar("M")

_POSITIONS = select(tables.positions).where(tables.positions.c.consumer == bindparam("service"))
_EARLY = select(tables.early).where(tables.early.c.consumer == bindparam("service"))


def ready_in_order(
    messages: Sequence[M],
    work: Work,
    *,
    place: Callable[[M], Place],
    stored: Callable[[M], tuple[str, bytes]],
    restore: Callable[[str, bytes], M],
) -> list[M]:
    """Which messages to take now, in order: those that are next, and those kept earlier that have become next.

    `stored` gives a message's subject and raw bytes, from which `restore` makes it again.
    """
    keys = sorted({place(message).key for message in messages})
    last = _positions(keys, work)
    before = dict(last)
    waiting = _waiting(keys, work)
    ready: list[M] = []
    too_early: list[M] = []
    taken_early: list[Place] = []
    for message in sorted(messages, key=lambda m: place(m).sequence):
        at = place(message)
        if at.sequence > last.get(at.key, 0) + 1:
            too_early.append(message)
            continue
        ready.append(message)
        last[at.key] = max(last.get(at.key, 0), at.sequence)
        while (following := waiting.pop(Place(at.key, last[at.key] + 1), None)) is not None:
            ready.append(restore(*following))
            last[at.key] += 1
            taken_early.append(Place(at.key, last[at.key]))
    _keep(too_early, work, place=place, stored=stored)
    _forget(taken_early, work)
    moved = [{"consumer": work.service, "key": k, "last": n} for k, n in last.items() if before.get(k) != n]
    upsert(work.connection, tables.positions, moved, update=["last"])
    return ready


def _positions(keys: Sequence[str], work: Work) -> dict[str, int]:
    rows = select_in(
        work.connection, _POSITIONS, (tables.positions.c.key,), [(key,) for key in keys], service=work.service
    )
    return {str(row["key"]): int(str(row["last"])) for row in rows}


def _waiting(keys: Sequence[str], work: Work) -> dict[Place, tuple[str, bytes]]:
    rows = select_in(work.connection, _EARLY, (tables.early.c.key,), [(key,) for key in keys], service=work.service)
    return {
        Place(str(row["key"]), int(str(row["sequence"]))): (str(row["subject"]), bytes(row["payload"]))  # type: ignore[call-overload]
        for row in rows
    }


def _keep(
    messages: Sequence[M],
    work: Work,
    *,
    place: Callable[[M], Place],
    stored: Callable[[M], tuple[str, bytes]],
) -> None:
    rows: list[dict[str, object]] = []
    for message in messages:
        at, (subject, payload) = place(message), stored(message)
        rows.append(
            {
                "consumer": work.service,
                "key": at.key,
                "sequence": at.sequence,
                "subject": subject,
                "payload": payload,
                "arrived_at": work.now,
            }
        )
    insert_new(work.connection, tables.early, rows)


def _forget(places: Sequence[Place], work: Work) -> None:
    early = tables.early.c
    for at in places:
        work.connection.execute(
            delete(tables.early).where(
                early.consumer == work.service, early.key == at.key, early.sequence == at.sequence
            )
        )
