"""The log's Merkle tree in the store: grown with the entries in one transaction, read by tiles for roots and proofs.

However long the log is, a batch reads and writes the last tile of each level that it touches, which is at most 8 KB
each, and a proof reads two tiles of each level.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from schemas.log.merkle import HASH_BYTES, leaf_hash, node_hash
from schemas.log.tiles import WIDTH, Tile, TileReader, tile_at
from services.audit import store
from services.ground.errors import StoreUnusable


class TreeDamaged(StoreUnusable):
    """The tree in the store does not go with its entries: nothing more is taken, because nothing could be proved."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the audit log's tree is damaged: {what}; restore the store from a backup (docs/running.md)")


def append(connection: Connection, size: int, entries: Sequence[bytes]) -> None:
    """Grow the tree of `size` entries by these, in the transaction that adds them. Raises TreeDamaged."""
    level, start = 0, size
    hashes = list(map(leaf_hash, entries))
    rows: list[dict[str, object]] = []
    while hashes:
        number, there = divmod(start, WIDTH)
        held = _last_tile(connection, level, start)
        pending = (held if there else b"") + b"".join(hashes)
        full: list[bytes] = []
        for at in range(0, len(pending), WIDTH * HASH_BYTES):
            tile = pending[at : at + WIDTH * HASH_BYTES]
            rows.append({"level": level, "number": number + len(full), "hashes": tile})
            if len(tile) == WIDTH * HASH_BYTES:
                full.append(_root_of_full(tile))
        level, start, hashes = level + 1, number, full
    store.keep_tiles(connection, rows)


def reader(connection: Connection, size: int) -> TileReader:
    """The tree of the first `size` entries, for `root_of` and the proofs of `schemas.log.merkle`.

    Also of an earlier size than the log has by now, for a tile is only ever added to. Raises TreeDamaged where a tile
    is not there.
    """

    return TileReader(lambda path: hashes_of(connection, tile_at(path)), size)


def hashes_of(connection: Connection, tile: Tile) -> bytes:
    """The hashes of a tile, side by side, as many as it is wide. Raises TreeDamaged where the store has fewer."""
    assert tile.level is not None
    hashes = store.tile(connection, tile.level, tile.number) or b""
    if len(hashes) < tile.width * HASH_BYTES:
        raise TreeDamaged(f"tile {tile.number} of level {tile.level} is not whole")
    return hashes[: tile.width * HASH_BYTES]


def _last_tile(connection: Connection, level: int, start: int) -> bytes:
    """The hashes of the last tile of a level that has `start` hashes; none where it has none."""
    if start == 0:
        return b""
    number = (start - 1) // WIDTH
    held = store.tile(connection, level, number) or b""
    if len(held) != (start - number * WIDTH) * HASH_BYTES:
        raise TreeDamaged(f"level {level} should have {start} hashes")
    return held


def _root_of_full(tile: bytes) -> bytes:
    level = [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]
    while len(level) > 1:
        level = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]
