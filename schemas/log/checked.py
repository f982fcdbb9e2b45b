"""The tree of a published log, every tile of it checked against the checkpoint on the way down from the root.

What is read from here is what the log committed to. So a wrong tile is known by its name, and an entry that is not what
its tile says is known to be wrong, and not the tile.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.log.checkpoint import Checkpoint
from schemas.log.errors import Malformed, Missing, TreeWrong
from schemas.log.merkle import leaf_hash, node_hash, root_of
from schemas.log.tiles import (
    CACHED_TILES,
    HEIGHT,
    WIDTH,
    Fetch,
    Tile,
    TileReader,
    read_entries,
    read_hashes,
)


class CheckedTree(TileReader):
    """A HashReader over the log of a checkpoint. Raises TreeWrong at the first tile that the root does not cover."""

    def __init__(self, fetch: Fetch, checkpoint: Checkpoint, *, cached: int = CACHED_TILES) -> None:
        super().__init__(fetch, checkpoint.size, cached=cached)
        self._read = fetch
        # The partial tiles are all that the root is made of. Kept, because nothing above would show a later change.
        self._edge = {tile: read_hashes(fetch, tile) for tile in edge_of(checkpoint.size)}
        if root_of(checkpoint.size, self) != checkpoint.root:
            raise self._blame(checkpoint)

    def load(self, tile: Tile) -> list[bytes]:
        """A tile, checked against the one above it."""
        if tile in self._edge:
            return self._edge[tile]
        hashes = super().load(tile)
        assert tile.level is not None
        committed = self(HEIGHT * (tile.level + 1), tile.number)
        if _root(hashes) != committed:
            raise TreeWrong(f"{tile.path} is not what the log committed to{_judged(self._read, tile, committed)}")
        return hashes

    def _blame(self, checkpoint: Checkpoint) -> TreeWrong:
        """Which partial tile is wrong, if the others and what is below them lead to the root."""
        kept = dict(self._edge)
        for tile, hashes in kept.items():
            self._edge = {**kept, tile: list(_from_below(self._read, tile, hashes))}
            self._tiles.clear()
            if root_of(checkpoint.size, self) == checkpoint.root:
                return TreeWrong(
                    f"{tile.path} is not what the log committed to; what lies under it is, entries {_entries(tile)}"
                )
        first = min((_first(tile) for tile in kept if tile.level == 0), default=0)
        return TreeWrong(
            f"the tree that is published is not the one of the checkpoint of {checkpoint.size} entries, with root"
            f" {checkpoint.root.hex()}: another log's, an old copy's, or changed in its entries from {first} on"
            " together with their hashes"
        )


def edge_of(size: int) -> list[Tile]:
    """The partial tiles of a log of `size`, lowest level first."""
    found = []
    level = 0
    while count := size >> HEIGHT * level:
        if count % WIDTH:
            found.append(Tile(level, count // WIDTH, count % WIDTH))
        level += 1
    return found


def _from_below(fetch: Fetch, tile: Tile, hashes: list[bytes]) -> Iterator[bytes]:
    """The hashes that a tile should have by the entries, or the tiles, below it; its own where those are not there."""
    assert tile.level is not None
    try:
        if tile.level == 0:
            entries, _ = read_entries(fetch, tile._replace(level=None))
            yield from map(leaf_hash, entries[: tile.width])
            return
        for offset in range(tile.width):
            below = Tile(tile.level - 1, tile.number * WIDTH + offset)
            yield _root(read_hashes(fetch, below))
    except (Malformed, Missing):
        yield from hashes


def _judged(fetch: Fetch, tile: Tile, committed: bytes) -> str:
    """What that says of the entries under a tile."""
    found = list(_from_below(fetch, tile, []))
    if len(found) == tile.width and _root(found) == committed:
        return f"; what lies under it is, entries {_entries(tile)}"
    return f"; nor is what lies under it: one or more of entries {_entries(tile)} were changed together with it"


def _root(hashes: list[bytes]) -> bytes:
    """The root over the hashes of a full tile."""
    while len(hashes) > 1:
        hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def _first(tile: Tile) -> int:
    assert tile.level is not None
    return tile.number * WIDTH << HEIGHT * tile.level


def _entries(tile: Tile) -> str:
    assert tile.level is not None
    return f"{_first(tile)} to {_first(tile) + (tile.width << HEIGHT * tile.level) - 1}"
