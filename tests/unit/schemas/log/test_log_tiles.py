"""Tiles: their names, their bytes, and the tree that is read from them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.log import merkle, tiles
from schemas.log.errors import LogError, Malformed, Missing
from schemas.log.tiles import Tile
from tests.unit.schemas.log.logs import fetch_from, files_of
from tests.unit.schemas.log.trees import naive_root, some_leaves


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),  # the example of the specification
        (Tile(63, 999, 1), "tile/63/999.p/1"),
        (Tile(None, 1000, 255), "tile/entries/x001/000.p/255"),
    ],
)
def test_a_tile_has_the_name_that_the_specification_gives(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tiles.tile_at(path) == tile


@pytest.mark.parametrize(
    "path",
    ["tile/0/1", "tile/00/000", "tile/64/000", "tile/0/x000/001", "tile/0/000.p/256", "tile/0/000.p/0",
     "tile/0/../000", "checkpoint", "tile/0/000/", "tile/entries/0000", "tile/0/x001/1", "tile/0/\u0660\u0660\u0660"],
)  # fmt: skip
def test_no_other_name_is_a_tile(path: str) -> None:
    with pytest.raises(Malformed):
        tiles.tile_at(path)


def test_the_log_of_70000_has_the_tiles_that_the_specification_counts() -> None:
    found = list(tiles.tiles_between(0, 70_000))
    full = {level: sum(1 for tile in found if tile.level == level and tile.width == 256) for level in (0, 1, 2)}
    partial = {tile.level: tile.width for tile in found if tile.width != 256}
    assert full == {0: 273, 1: 1, 2: 0}
    assert partial == {0: 112, 1: 17, 2: 1}
    assert [tile.path for tile in tiles.tiles_between(0, 256)] == ["tile/0/000", "tile/1/000.p/1"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1_500), min_size=1, max_size=5, unique=True), st.data())
def test_a_tree_is_read_from_the_tiles_of_any_growth(sizes: list[int], data: st.DataObject) -> None:
    sizes.sort()
    leaves = some_leaves(sizes[-1])
    fetch = fetch_from(files_of(leaves, *sizes))
    for size in sizes:
        reader = tiles.TileReader(fetch, size, cached=2)
        assert merkle.root_of(size, reader) == naive_root(leaves[:size])
    size = sizes[-1]
    if size:
        index = data.draw(st.integers(0, size - 1))
        proof = merkle.inclusion_proof(index, size, reader)
        merkle.verify_inclusion(merkle.leaf_hash(leaves[index]), index, size, proof, naive_root(leaves))
    proof = merkle.consistency_proof(sizes[0], size, reader)
    merkle.verify_consistency(sizes[0], naive_root(leaves[: sizes[0]]), size, naive_root(leaves), proof)


def test_where_a_partial_tile_was_cleared_away_the_full_one_is_read() -> None:
    leaves = some_leaves(600)
    files = files_of(leaves, 300, 600)
    del files["tile/0/001.p/44"]
    assert merkle.root_of(300, tiles.TileReader(fetch_from(files), 300)) == naive_root(leaves[:300])
    del files["tile/0/001"]
    with pytest.raises(Missing, match=r"tile/0/001\.p/44 is not there"):
        merkle.root_of(300, tiles.TileReader(fetch_from(files), 300))


def test_a_tile_of_another_length_is_refused_by_its_name() -> None:
    files = files_of(some_leaves(300), 300)
    for wrong in (b"", files["tile/0/001.p/44"][:-1], files["tile/0/001.p/44"][:-32]):
        with pytest.raises(Malformed, match=r"tile/0/001\.p/44 has"):
            merkle.root_of(300, tiles.TileReader(fetch_from({**files, "tile/0/001.p/44": wrong}), 300))


def test_a_subtree_beyond_the_log_is_not_made_up() -> None:
    with pytest.raises(LogError, match="no complete subtree"):
        tiles.TileReader(fetch_from(files_of(some_leaves(3), 3)), 3)(1, 1)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_gives_back_its_entries(entries: list[bytes]) -> None:
    raw = tiles.encode_bundle(entries)
    assert tiles.decode_bundle(raw) == entries
    for cut in {1, 2, len(raw) // 2} & set(range(1, len(raw))):
        assert _decoded(raw[:-cut]) != entries


def _decoded(raw: bytes) -> list[bytes] | None:
    try:
        return tiles.decode_bundle(raw)
    except Malformed:
        return None


def test_an_entry_that_the_format_cannot_hold_is_refused() -> None:
    assert tiles.decode_bundle(tiles.encode_bundle([bytes(65_535)])) == [bytes(65_535)]
    with pytest.raises(Malformed, match="65536 bytes; the format holds 65535"):
        tiles.encode_bundle([bytes(65_536)])
