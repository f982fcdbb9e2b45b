"""Whom a reader of the log believes, and what a checkpoint showed under that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.log.checkpoint import SignedCheckpoint, open_checkpoint
from schemas.log.errors import SplitView
from schemas.log.merkle import HashReader, root_of
from schemas.log.note import VerifierKey


@dataclass(frozen=True, slots=True)
class Trust:
    """The log's keys, and the witnesses that must have seen a checkpoint as well."""

    keys: Sequence[VerifierKey]  # several while one follows on another
    witnesses: Sequence[VerifierKey] = ()
    quorum: int | None = None  # of the witnesses; None: all of them

    def open(self, raw: bytes) -> SignedCheckpoint:
        """Verify a checkpoint. Raises Malformed, NotSigned or BadSignature."""
        return open_checkpoint(raw, self.keys, witnesses=self.witnesses, quorum=self.quorum)

    def open_old(self, raw: bytes) -> SignedCheckpoint:
        """Verify a checkpoint that was kept earlier: the log's signature, whoever witnessed it then."""
        return open_checkpoint(raw, self.keys, witnesses=self.witnesses, quorum=0)


def check_same(one: SignedCheckpoint, other: SignedCheckpoint) -> None:
    """Two checkpoints of one size must have one root, else SplitView. Of two sizes this shows nothing."""
    a, b = one.checkpoint, other.checkpoint
    if a.origin != b.origin:
        raise SplitView(f"one checkpoint is of {a.origin}, the other of {b.origin}")
    if a.size == b.size and a.root != b.root:
        raise SplitView(
            f"{a.origin} signed two logs of {a.size} entries, with roots {a.root.hex()} and {b.root.hex()}: keep both"
            " checkpoints, together they prove it"
        )


def check_growth(old: SignedCheckpoint, new: SignedCheckpoint, tree: HashReader) -> None:
    """The log of `new`, whose checked tree this is, must begin with the log of `old`, else SplitView."""
    check_same(old, new)
    a, b = old.checkpoint, new.checkpoint
    if a.size > b.size:
        raise SplitView(
            f"the log has {b.size} entries and had {a.size} when the older checkpoint was signed: its tail was cut, or"
            " an old copy was put back"
        )
    found = root_of(a.size, tree)
    if found != a.root:
        raise SplitView(
            f"the first {a.size} entries are not those that were signed before: their root is {found.hex()} now and"
            f" was {a.root.hex()}; keep both checkpoints, together they prove it"
        )
