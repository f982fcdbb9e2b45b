"""Verifies a published log: whole, its growth, or a part of it. In constant memory, from whatever `fetch` reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from schemas.log.checked import CheckedTree
from schemas.log.checkpoint import SignedCheckpoint
from schemas.log.errors import EntryWrong, Missing
from schemas.log.merkle import leaf_hash
from schemas.log.tiles import CHECKPOINT, WIDTH, Fetch, Tile, read_entries, width_at
from schemas.log.trust import Trust, check_growth

Progress = Callable[[int, int], None]  # entries verified so far, of how many


@dataclass(frozen=True, slots=True)
class Verified:
    """What was shown, for people and machines to read."""

    checkpoint: SignedCheckpoint
    begin: int  # position of the first entry that was verified
    end: int  # position after the last
    grown_from: int | None = None  # size of the older checkpoint that the log was shown to begin with
    notes: tuple[str, ...] = field(default=())


def read_checkpoint(fetch: Fetch, trust: Trust) -> SignedCheckpoint:
    """The log's newest checkpoint, verified. Raises Missing, Malformed, NotSigned or BadSignature."""
    return trust.open(fetch(CHECKPOINT))


def verify_log(fetch: Fetch, trust: Trust, *, since: bytes | None = None, progress: Progress | None = None) -> Verified:
    """Show that every entry is what the checkpoint commits to; with an older checkpoint, that the log grew out of it.

    `since`: a checkpoint that was kept earlier. What it covers was verified then, so only what came after is read.
    Raises what is wrong (`schemas.log.errors`): EntryWrong with the position where one entry is.
    """
    newest = read_checkpoint(fetch, trust)
    tree = CheckedTree(fetch, newest.checkpoint)
    begin = 0
    if since is not None:
        old = trust.open_old(since)
        check_growth(old, newest, tree)
        begin = old.checkpoint.size
    size = newest.checkpoint.size
    for _ in entries_of(fetch, tree, begin, size, progress=progress):
        pass
    return Verified(newest, begin, size, begin if since is not None else None)


def entries_of(
    fetch: Fetch, tree: CheckedTree, begin: int, end: int, *, progress: Progress | None = None
) -> Iterator[tuple[int, bytes]]:
    """The entries from `begin` up to `end` with their positions, each shown to be what the tree says of it."""
    for number in range(begin // WIDTH, (end + WIDTH - 1) // WIDTH):
        first = number * WIDTH
        bundle = Tile(None, number, width_at(0, number, tree.size))
        committed = tree.tile(0, number)
        entries = checked_bundle(fetch, bundle, committed)
        for offset in range(max(begin - first, 0), min(end - first, bundle.width)):
            yield first + offset, entries[offset]
        if progress is not None:
            progress(min(first + bundle.width, end) - begin, end - begin)


def difference(first: int, committed: Sequence[bytes], offset: int, found: bytes) -> str:
    """What is wrong with the entry at `first` + `offset`, which has another hash than its place is committed to."""
    whose = f", which is that of entry {first + committed.index(found)}" if found in committed else ""
    return f"its hash should be {committed[offset].hex()} and is {found.hex()}{whose}"


def checked_bundle(fetch: Fetch, bundle: Tile, committed: list[bytes]) -> list[bytes]:
    """The entries of a bundle, or EntryWrong for the first that is not what was committed to."""
    first = bundle.number * WIDTH
    try:
        entries, rest = read_entries(fetch, bundle)
    except Missing:
        raise EntryWrong(
            first, f"not there, nor are those after it up to {first + bundle.width - 1} ({bundle.path} is missing)"
        ) from None
    for offset, expected in enumerate(committed):
        if offset >= len(entries):
            raise EntryWrong(first + offset, f"not there: {bundle.path} has no more whole entries")
        found = leaf_hash(entries[offset])
        if found != expected:
            raise EntryWrong(first + offset, difference(first, committed, offset, found))
    if rest or len(entries) != bundle.width:
        raise EntryWrong(first + bundle.width, f"{bundle.path} has more than the log committed to")
    return entries
