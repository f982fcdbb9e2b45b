"""One owner a partition, and no write of one who has lost it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, insert

from services.ground import leases, tables
from services.ground.database import Database
from services.ground.errors import LeaseLost
from services.ground.leases import Holder
from tests.support.toy import NOW

HOLD = timedelta(seconds=5)
PARTITIONS = 8


def _holder(name: str) -> Holder:
    return Holder("toy", name, PARTITIONS, HOLD)


async def _renew(database: Database, name: str, now: datetime) -> dict[int, int]:
    """As a consumer does: what is beyond its share it lets go."""
    holder = _holder(name)
    kept = await database.write(lambda c: leases.renew(c, holder, now, started_at=NOW, taken=0))
    rows = await database.read(lambda c: c.execute(tables.leases.select()).all())
    surplus = [row.partition for row in rows if row.owner == name and row.partition not in kept]
    await database.write(lambda c: leases.release(c, holder, surplus))
    return kept


@pytest.mark.parametrize("count", [1, 3, 4, 9])
async def test_partitions_are_shared_out_whatever_the_number_of_holders(database: Database, count: int) -> None:
    names = [f"elsewhere:{number}" for number in range(count)]
    for turn in range(3):
        held = {name: await _renew(database, name, NOW + timedelta(seconds=turn)) for name in names}
    owners = Counter(partition for kept in held.values() for partition in kept)
    assert owners == Counter(range(PARTITIONS)), "each has one owner"
    assert max(len(kept) for kept in held.values()) == -(-PARTITIONS // count)


async def test_a_frozen_owner_loses_its_partitions_and_its_write_leaves_nothing(database: Database) -> None:
    had = await _renew(database, "elsewhere:1", NOW)
    assert had == dict.fromkeys(range(PARTITIONS), 1)
    assert await _renew(database, "elsewhere:2", NOW + HOLD / 2) == {}, "while it lives, nothing is taken from it"
    later = NOW + 2 * HOLD
    assert await _renew(database, "elsewhere:2", later) == dict.fromkeys(range(PARTITIONS), 2)

    def write(connection: Connection) -> None:
        row = {"consumer": "toy", "source": "s", "id": "1", "taken_at": later}
        connection.execute(insert(tables.inbox), row)
        leases.fence(connection, _holder("elsewhere:1"), {0: had[0]})

    with pytest.raises(LeaseLost):
        await database.write(write)
    assert await database.read(lambda c: c.execute(tables.inbox.select()).all()) == []


async def test_a_fence_holds_for_the_same_owner_and_epoch_alone(database: Database) -> None:
    one = _holder("elsewhere:1")
    had = await _renew(database, one.owner, NOW)
    await database.write(lambda c: leases.fence(c, one, had))
    await database.write(lambda c: leases.release(c, one, [3]))
    with pytest.raises(LeaseLost):
        await database.write(lambda c: leases.fence(c, one, had))
    again = await _renew(database, one.owner, NOW)
    assert again == had | {3: had[3] + 1}, "taken up again it is another epoch"
    with pytest.raises(LeaseLost):
        await database.write(lambda c: leases.fence(c, one, {3: had[3]}))
    await database.write(lambda c: leases.fence(c, one, again))


async def test_epochs_only_grow_through_every_change_of_owner(database: Database) -> None:
    epochs = dict.fromkeys(range(PARTITIONS), 0)
    for turn in range(6):
        name = f"elsewhere:{turn % 2}"
        kept = await _renew(database, name, NOW + turn * 2 * HOLD)
        assert sorted(kept) == list(range(PARTITIONS))
        assert all(kept[partition] == epochs[partition] + 1 for partition in kept)
        same = await _renew(database, name, NOW + turn * 2 * HOLD + HOLD / 2)
        assert same == kept, "renewing is no change of owner"
        epochs = kept


async def test_one_that_signs_off_leaves_its_share_to_the_others_at_once(database: Database) -> None:
    for _ in range(2):
        for name in ("elsewhere:1", "elsewhere:2"):
            kept = await _renew(database, name, NOW)
    assert len(kept) == PARTITIONS // 2
    one = _holder("elsewhere:1")
    await database.write(lambda c: leases.release(c, one, list(range(PARTITIONS))))
    await database.write(lambda c: leases.sign_off(c, one))
    assert len(await _renew(database, "elsewhere:2", NOW)) == PARTITIONS
