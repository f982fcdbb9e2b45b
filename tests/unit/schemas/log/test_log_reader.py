"""A published log is verified whole, from an older checkpoint on, and everything that was changed in it is named."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.log import merkle, tiles
from schemas.log.checked import CheckedTree, edge_of
from schemas.log.errors import EntryWrong, LogError, Malformed, Missing, NotSigned, SplitView, TreeWrong
from schemas.log.note import ED25519, SigningKey
from schemas.log.reader import checked_bundle, entries_of, verify_log
from schemas.log.trust import Trust, check_growth, check_same
from tests.unit.schemas.log.logs import KEY, checkpoint_of, fetch_from, files_of, published, tree_of
from tests.unit.schemas.log.trees import some_leaves

TRUST = Trust([KEY.verifier])
SIZE = 1_000
LEAVES = [b'{"n":%d}' % number for number in range(SIZE)]  # short, so that every byte of them can be tried
FILES = published(LEAVES)
Change = Callable[[list[bytes]], object]


def bundled(leaves: list[bytes]) -> dict[str, bytes]:
    """The log's files with other entries under the same hashes."""
    changed = dict(FILES)
    for bundle in tiles.bundles_between(0, SIZE):
        at = bundle.number * tiles.WIDTH
        changed[bundle.path] = tiles.encode_bundle(leaves[at : at + bundle.width])
    return changed


def refused(files: dict[str, bytes], *, since: bytes | None = None) -> LogError:
    """What is found wrong."""
    with pytest.raises(LogError) as caught:
        verify_log(fetch_from(files), TRUST, since=since)
    return caught.value


@settings(max_examples=25)
@given(st.integers(0, 1_200), st.data())
def test_a_log_of_any_size_verifies_and_so_does_its_growth(size: int, data: st.DataObject) -> None:
    leaves, old = some_leaves(size), data.draw(st.integers(0, size))
    told: list[tuple[int, int]] = []
    fetch = fetch_from(published(leaves))
    found = verify_log(fetch, TRUST, progress=lambda *done: told.append(done))
    assert (found.begin, found.end, found.checkpoint.checkpoint.size) == (0, size, size)
    assert told[-1:] == ([(size, size)] if size else [])
    grown = verify_log(fetch, TRUST, since=checkpoint_of(leaves[:old]))
    assert (grown.begin, grown.end, grown.grown_from) == (old, size, old)


def test_any_changed_byte_of_the_entries_is_found_and_its_entry_named() -> None:
    random.seed(5)
    for bundle in tiles.bundles_between(0, SIZE):
        raw, first = FILES[bundle.path], bundle.number * tiles.WIDTH
        files, names = dict(FILES), _entry_of_each_byte(raw, first)
        fetch = fetch_from(files)
        # The tree is the one of the checkpoint, which is shown once: what is left is the bundle against its tile.
        committed = [merkle.leaf_hash(leaf) for leaf in LEAVES[first : first + tiles.WIDTH]]
        for at, name in enumerate(names):
            changed = bytearray(raw)
            changed[at] ^= random.randint(1, 255)
            files[bundle.path] = bytes(changed)
            with pytest.raises(EntryWrong) as caught:
                checked_bundle(fetch, bundle, committed)
            assert caught.value.position == name


def _entry_of_each_byte(raw: bytes, first: int) -> list[int]:
    entries = tiles.decode_bundle(raw)
    return [first + offset for offset, entry in enumerate(entries) for _ in range(2 + len(entry))]


def test_any_changed_hash_of_the_tree_is_found_and_its_tile_named() -> None:
    random.seed(6)
    size = 270  # one full tile, and two partial ones
    files, checkpoint = published(LEAVES[:size]), TRUST.open(checkpoint_of(LEAVES[:size])).checkpoint
    for tile in tiles.tiles_between(0, size):
        assert tile.level is not None
        for at in range(0, len(files[tile.path]), merkle.HASH_BYTES):
            changed = bytearray(files[tile.path])
            changed[at + random.randrange(merkle.HASH_BYTES)] ^= random.randint(1, 255)
            with pytest.raises(TreeWrong) as caught:
                CheckedTree(fetch_from({**files, tile.path: bytes(changed)}), checkpoint).tile(tile.level, tile.number)
            assert f"{tile.path} is not what the log committed to; what lies under it is" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "position"),
    [
        pytest.param(lambda entries: entries.pop(400), 400, id="one dropped"),
        pytest.param(lambda entries: entries.pop(), SIZE - 1, id="the last dropped"),
        pytest.param(lambda entries: entries.__setitem__(slice(7, 9), entries[8:6:-1]), 7, id="two swapped"),
        pytest.param(lambda entries: entries.insert(600, entries[599]), 600, id="one said twice"),
        pytest.param(lambda entries: entries.insert(0, b"{}"), 0, id="one put in"),
        pytest.param(lambda entries: entries.append(b"{}"), SIZE, id="one put at the end"),
        pytest.param(lambda entries: entries.__delitem__(slice(700, None)), 700, id="the tail cut"),
        pytest.param(lambda entries: entries.__setitem__(300, b"{}"), 300, id="one written anew"),
    ],
)
def test_entries_dropped_moved_or_made_up_are_named(change: Change, position: int) -> None:
    leaves = list(LEAVES)
    change(leaves)
    files = bundled(leaves)
    if len(leaves) > SIZE:
        files["tile/entries/003.p/232"] = tiles.encode_bundle(leaves[768:])
    wrong = refused(files)
    assert isinstance(wrong, EntryWrong)
    assert wrong.position == position


def test_an_entry_that_stands_in_the_place_of_another_is_named() -> None:
    leaves = [*LEAVES[:400], *LEAVES[401:]]
    assert str(refused(bundled(leaves))).endswith(", which is that of entry 401")
    leaves = [*LEAVES[:7], LEAVES[8], LEAVES[7], *LEAVES[9:]]
    assert str(refused(bundled(leaves))).endswith(", which is that of entry 8")
    assert "which is that of" not in str(refused(bundled([b"{}", *LEAVES[1:]])))


def test_files_that_are_gone_are_told_from_entries_that_are_wrong() -> None:
    wrong = refused({path: raw for path, raw in FILES.items() if path != "tile/entries/002"})
    assert isinstance(wrong, EntryWrong)
    assert "entry 512: not there, nor are those after it up to 767 (tile/entries/002 is missing)" in str(wrong)
    assert isinstance(refused({path: raw for path, raw in FILES.items() if path != "tile/0/001"}), Missing)
    assert isinstance(refused({path: raw for path, raw in FILES.items() if path != "checkpoint"}), Missing)
    assert isinstance(refused({**FILES, "tile/0/001": FILES["tile/0/001"][:-5]}), Malformed)


def test_an_entry_changed_together_with_its_hash_is_found_in_its_bundle() -> None:
    leaves = list(LEAVES)
    leaves[300] = b"{}"
    theirs = files_of(leaves, SIZE)
    one = {**bundled(leaves), "tile/0/001": theirs["tile/0/001"]}
    assert (
        "tile/0/001 is not what the log committed to; nor is what lies under it: one or more of entries 256 to 511"
        in (str(refused(one)))
    )
    whole = {**theirs, "checkpoint": FILES["checkpoint"]}
    assert "is not the one of the checkpoint of 1000 entries" in str(refused(whole))


def test_a_log_signed_again_with_another_key_is_refused() -> None:
    thief = SigningKey(KEY.name, ED25519, b"t" * 32)
    leaves = [*LEAVES[:-1], b"{}"]
    wrong = refused(published(leaves, thief))
    assert isinstance(wrong, NotSigned)
    assert thief.verifier.id.hex() in str(wrong)


def test_an_old_copy_put_back_is_found_by_whoever_kept_a_newer_checkpoint() -> None:
    wrong = refused(published(LEAVES[:900]), since=FILES["checkpoint"])
    assert isinstance(wrong, SplitView)
    assert "has 900 entries and had 1000" in str(wrong)


def test_a_past_that_was_written_anew_is_found_by_whoever_kept_a_checkpoint() -> None:
    leaves = list(LEAVES)
    leaves[3] = b"{}"
    files = published(leaves)  # by the log itself: everything in it goes together
    assert verify_log(fetch_from(files), TRUST).end == SIZE
    assert isinstance(refused(files, since=checkpoint_of(LEAVES[:4])), SplitView)
    assert isinstance(refused(files, since=FILES["checkpoint"]), SplitView)
    assert verify_log(fetch_from(files), TRUST, since=checkpoint_of(LEAVES[:3])).begin == 3


def test_two_checkpoints_of_one_size_and_two_roots_prove_two_logs() -> None:
    one, other = TRUST.open(checkpoint_of(LEAVES)), TRUST.open(checkpoint_of([*LEAVES[:-1], b"{}"]))
    with pytest.raises(SplitView, match="signed two logs of 1000 entries"):
        check_same(one, other)
    check_same(one, one)
    longer = TRUST.open(checkpoint_of([*LEAVES, b"more"]))
    check_growth(one, longer, tree_of([*LEAVES, b"more"]))
    with pytest.raises(SplitView, match="are not those that were signed before"):
        check_growth(other, longer, tree_of([*LEAVES, b"more"]))


def test_what_is_served_otherwise_the_second_time_is_refused() -> None:
    # A server that shows a good edge while the root is looked at, and another one later.
    seen: dict[str, int] = {}

    def fetch(path: str) -> bytes:
        seen[path] = seen.get(path, 0) + 1
        raw = fetch_from(FILES)(path)
        return raw if seen[path] == 1 or path == "checkpoint" else bytes(len(raw))

    assert verify_log(fetch, TRUST).end == SIZE
    assert all(seen[tile.path] == 1 for tile in edge_of(SIZE))


def test_every_entry_is_really_looked_at() -> None:
    read: set[str] = set()

    def fetch(path: str) -> bytes:
        read.add(path)
        return FILES[path]

    verify_log(fetch, TRUST)
    assert read == set(FILES)


def test_memory_does_not_grow_with_the_log() -> None:
    peaks = []
    for size in (2_000, 8_000):  # more tiles than are kept here, and four times as many
        leaves = some_leaves(size)
        fetch, checkpoint = fetch_from(published(leaves)), TRUST.open(checkpoint_of(leaves)).checkpoint
        tracemalloc.start()
        tree = CheckedTree(fetch, checkpoint, cached=4)
        assert sum(1 for _ in entries_of(fetch, tree, 0, size)) == size
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0], peaks
