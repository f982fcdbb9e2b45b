"""Mistakes in how the audit log's tree grows with its entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pytest
from sqlalchemy import Connection

from services.audit import store, tree
from tests.sim.loop import current

Patch = pytest.MonkeyPatch


def tile_kept_in_memory(patch: Patch) -> None:
    """The last tile is read once, and from then on it is as it was written last, also where that was rolled back."""
    read, write = store.tile, store.keep_tiles
    kept: dict[tuple[int, int, int], bytes] = {}

    def remembered(connection: Connection, level: int, number: int) -> bytes | None:
        found = kept.get((id(current()), level, number))
        return found if found is not None else read(connection, level, number)

    def noting(connection: Connection, tiles: Sequence[Mapping[str, object]]) -> None:
        for tile in tiles:
            level, number, hashes = tile["level"], tile["number"], tile["hashes"]
            assert isinstance(level, int)
            assert isinstance(number, int)
            assert isinstance(hashes, bytes)
            kept[id(current()), level, number] = hashes
        write(connection, tiles)

    patch.setattr(store, "tile", remembered)
    patch.setattr(store, "keep_tiles", noting)


def entry_without_its_leaf(patch: Patch) -> None:
    """The tree grows when there is something to be proved, that is when there are several entries."""
    grow = tree.append

    def only_several(connection: Connection, size: int, entries: Sequence[bytes]) -> None:
        if len(entries) > 1:
            grow(connection, size, entries)

    patch.setattr(tree, "append", only_several)


def leaf_of_what_was_read(patch: Patch) -> None:
    """The leaf is made of the entry read and written again, and not of its bytes as they are kept."""
    grow = tree.append

    def rewritten(connection: Connection, size: int, entries: Sequence[bytes]) -> None:
        grow(connection, size, [entry.replace(b'":', b'": ') for entry in entries])

    patch.setattr(tree, "append", rewritten)


PLANTS: Final = (tile_kept_in_memory, entry_without_its_leaf, leaf_of_what_was_read)
