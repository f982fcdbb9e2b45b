"""The tree in the store is RFC 6962's over the very bytes of the entries, however they came in."""

from __future__ import annotations

from collections.abc import Sequence

import pymerkle
import pytest
from sqlalchemy import Connection, text

from schemas.log.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from services.audit import store, tree
from services.audit.tree import TreeDamaged
from services.ground.database import Database

BATCHES = {
    "one by one": [1] * 600,
    "of 256": [256] * 4,
    "across the ends of tiles": [255, 1, 1, 300, 211, 700, 3],
    "two levels at once": [65_530, 2, 10, 300],
}


def _entries(first: int, count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(first, first + count)]


def _root_by_another(entries: Sequence[bytes]) -> bytes:
    """As pymerkle computes it."""
    other = pymerkle.InmemoryTree(algorithm="sha256")
    for entry in entries:
        other.append_entry(entry)
    return bytes(other.get_root())


async def _grow(database: Database, batches: Sequence[int]) -> int:
    size = 0
    for count in batches:
        await database.write(lambda c, s=size, n=count: tree.append(c, s, _entries(s, n)))  # type: ignore[misc]
        size += count
    return size


@pytest.mark.parametrize("batches", BATCHES.values(), ids=BATCHES)
async def test_the_tree_is_that_of_rfc_6962_however_its_entries_were_batched(
    database: Database, batches: list[int]
) -> None:
    size = await _grow(database, batches)
    sizes = sorted({1, 2, size // 3, size // 2, size - 1, size})

    def roots(connection: Connection) -> list[bytes]:
        return [root_of(some, tree.reader(connection, some)) for some in sizes]

    entries = _entries(0, size)
    hashes = list(map(leaf_hash, entries))
    found = await database.read(roots)
    assert found == [_root_in_one(hashes[:some]) for some in sizes]
    if size < 5_000:  # the other one is slow
        assert found[-1] == _root_by_another(entries)


def _root_in_one(hashes: list[bytes]) -> bytes:
    """By the definition (RFC 6962, 2.1)."""
    if len(hashes) == 1:
        return hashes[0]
    middle = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(_root_in_one(hashes[:middle]), _root_in_one(hashes[middle:]))


async def test_every_entry_and_every_growth_is_proved_from_the_store(database: Database) -> None:
    size = await _grow(database, [250, 20, 300, 131])

    def prove(connection: Connection) -> None:
        read = tree.reader(connection, size)
        root = root_of(size, read)
        for position, entry in enumerate(_entries(0, size)):
            verify_inclusion(leaf_hash(entry), position, size, inclusion_proof(position, size, read), root)
        for old in range(size + 1):
            old_root = root_of(old, tree.reader(connection, old))
            verify_consistency(old, old_root, size, root, consistency_proof(old, size, read))

    await database.read(prove)


async def test_a_proof_reads_a_tile_or_two_of_each_level(database: Database) -> None:
    size = await _grow(database, [65_536, 300])
    asked: list[tuple[int, int]] = []
    read = store.tile

    def counted(connection: Connection, level: int, number: int) -> bytes | None:
        asked.append((level, number))
        return read(connection, level, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "tile", counted)
        await database.read(lambda c: inclusion_proof(12_345, size, tree.reader(c, size)))
    assert len(asked) <= 6


DAMAGE = {
    "a tile is gone": "DELETE FROM log_tiles WHERE level = 0 AND number = 1",
    "a tile was not written": "UPDATE log_tiles SET hashes = substr(hashes, 1, 32) WHERE level = 0 AND number = 1",
    "an upper tile is gone": "DELETE FROM log_tiles WHERE level = 1",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
async def test_a_tree_that_does_not_go_with_the_entries_takes_no_more(database: Database, damage: str) -> None:
    size = await _grow(database, [300])
    await database.write(lambda c: c.execute(text(damage)))
    with pytest.raises(TreeDamaged):
        await database.write(lambda c: tree.append(c, size, _entries(size, 300)))
