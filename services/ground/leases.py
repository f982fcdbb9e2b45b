"""Which process handles which partition: rows in the store, held for a few seconds and renewed.

One owner a partition keeps a person's commands in order at any number of replicas. A process that was frozen while it
lost a partition is fenced off: its transaction finds another epoch and rolls back.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import Connection, bindparam, delete, select, update

from services.ground import tables
from services.ground.driver import rows_of
from services.ground.errors import LeaseLost
from services.ground.sql import insert_missing, upsert

FORGET_AFTER = timedelta(days=1)  # an instance not seen for so long

_lease, _instance = tables.leases.c, tables.instances.c

# Made once: renewing runs several times a minute in every process, and making a statement takes longer than running it.
_OURS = (
    select(_lease.partition, _lease.epoch)
    .where(_lease.service == bindparam("service"), _lease.owner == bindparam("owner"))
    .with_for_update(read=True)
)
_ALL_OURS = select(_lease.service, _lease.partition, _lease.epoch).where(_lease.owner == bindparam("owner"))
_OF_SERVICE = (
    select(tables.leases).where(_lease.service == bindparam("service")).order_by(_lease.partition).with_for_update()
)
_HOLD = (
    update(tables.leases)
    .where(_lease.service == bindparam("service_"), _lease.partition == bindparam("partition_"))
    .values(owner=bindparam("owner"), epoch=bindparam("epoch"), until=bindparam("until"))
)
_LET_GO = (
    update(tables.leases)
    .where(
        _lease.service == bindparam("service_"), _lease.owner == bindparam("ours"), _lease.partition == bindparam("of")
    )
    .values(owner=None, until=None)
)
_ALIVE = select(_instance.owner).where(
    _instance.service == bindparam("service"), _instance.seen_at > bindparam("since")
)
_LONG_GONE = delete(tables.instances).where(_instance.seen_at < bindparam("since"))


@dataclass(frozen=True, slots=True)
class Holder:
    """A process of a service that wants partitions."""

    service: str
    owner: str  # host:pid, unless a setting names it otherwise
    partitions: int
    hold: timedelta


def renew(connection: Connection, holder: Holder, now: datetime, *, started_at: datetime, taken: int) -> dict[int, int]:
    """Say that we are alive, keep our fair share of partitions and claim free ones up to it.

    Returns the partitions that are ours until `now + hold`, with their epochs. One that we hold beyond our share is
    left out, and must be let go with `release` once nothing of it is in hand.
    """
    _say_alive(connection, holder, now, started_at=started_at, taken=taken)
    share = ceil(holder.partitions / _alive(connection, holder, now))
    rows = rows_of(connection, _OF_SERVICE, {"service": holder.service})
    if len(rows) < holder.partitions:
        _make(connection, holder)
        rows = rows_of(connection, _OF_SERVICE, {"service": holder.service})
    held: dict[int, int] = {row["partition"]: row["epoch"] for row in rows if row["owner"] == holder.owner}
    kept = dict(sorted(held.items())[:share])
    for row in rows:
        free = row["owner"] is None or row["until"] <= now or is_dead(row["owner"])
        if len(kept) < share and row["partition"] not in held and free:
            kept[row["partition"]] = row["epoch"] + 1
    hold = {"service_": holder.service, "owner": holder.owner, "until": now + holder.hold}
    for partition, epoch in kept.items():
        rows_of(connection, _HOLD, {**hold, "partition_": partition, "epoch": epoch})
    return kept


def _make(connection: Connection, holder: Holder) -> None:
    rows = [{"service": holder.service, "partition": p, "epoch": 0} for p in range(holder.partitions)]
    insert_missing(connection, tables.leases, rows)


def release(connection: Connection, holder: Holder, partitions: list[int]) -> None:
    """Give partitions up at once, for another process to take."""
    for partition in partitions:
        rows_of(connection, _LET_GO, {"service_": holder.service, "ours": holder.owner, "of": partition})


def sign_off(connection: Connection, holder: Holder) -> None:
    """Leave the list of living processes."""
    us = (_instance.service == holder.service) & (_instance.owner == holder.owner)
    connection.execute(delete(tables.instances).where(us))


def fence(connection: Connection, holder: Holder, epochs: Mapping[int, int]) -> None:
    """Raise LeaseLost unless every partition is still ours under the same epoch, and hold that to the commit."""
    rows = rows_of(connection, _OURS, {"service": holder.service, "owner": holder.owner})
    ours = {row["partition"]: row["epoch"] for row in rows}
    if any(ours.get(partition) != epoch for partition, epoch in epochs.items()):
        raise LeaseLost(holder.service)


def fence_all(connection: Connection, holder: Holder, epochs: Mapping[int, int]) -> dict[tuple[str, int], int]:
    """The same on a store with one writer, where nothing needs to be held. Returns what all services of ours hold."""
    rows = rows_of(connection, _ALL_OURS, {"owner": holder.owner})
    ours = {(row["service"], row["partition"]): row["epoch"] for row in rows}
    if any(ours.get((holder.service, partition)) != epoch for partition, epoch in epochs.items()):
        raise LeaseLost(holder.service)
    return ours


def _say_alive(connection: Connection, holder: Holder, now: datetime, *, started_at: datetime, taken: int) -> None:
    row = {
        "service": holder.service,
        "owner": holder.owner,
        "seen_at": now,
        "started_at": started_at,
        "taken": taken,
    }
    upsert(connection, tables.instances, [row], update=["seen_at", "taken"])
    rows_of(connection, _LONG_GONE, {"since": now - FORGET_AFTER})


def _alive(connection: Connection, holder: Holder, now: datetime) -> int:
    living = rows_of(connection, _ALIVE, {"service": holder.service, "since": now - holder.hold})
    return max(1, len([row for row in living if not is_dead(row["owner"])]))


def is_of_this_machine(owner: str) -> bool:
    """Whether the owner's name, host:pid, is of this machine."""
    return owner.rpartition(":")[0] == socket.gethostname()


def is_dead(owner: str) -> bool:
    """Whether the owner is a process of this machine that is gone: then nobody waits for its lease to run out."""
    pid = owner.rpartition(":")[2]
    if not is_of_this_machine(owner) or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
