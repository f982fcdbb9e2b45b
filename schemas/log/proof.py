"""A C2SP tlog-proof: one entry, its place in the tree and a checkpoint, which together verify with nothing else.

The entry's bytes are the proof's extra data, so that one file is all that is handed on. See https://c2sp.org/tlog-proof.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from schemas.log.checked import CheckedTree
from schemas.log.checkpoint import SignedCheckpoint, decode_hash, encode_hash
from schemas.log.errors import EntryWrong, Malformed, ProofRefused
from schemas.log.merkle import inclusion_proof, leaf_hash, verify_inclusion
from schemas.log.reader import entries_of
from schemas.log.tiles import Fetch
from schemas.log.trust import Trust

HEADER: Final = "c2sp.org/tlog-proof@v1"
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof as it was written, not yet verified."""

    position: int
    entry: bytes | None  # None: whoever made the proof left the entry out
    hashes: tuple[bytes, ...]
    checkpoint: bytes  # a signed note

    def encode(self) -> bytes:
        """The file."""
        extra = "" if self.entry is None else f"extra {base64.b64encode(self.entry).decode()}\n"
        hashes = "".join(f"{encode_hash(each)}\n" for each in self.hashes)
        return f"{HEADER}\n{extra}index {self.position}\n{hashes}\n".encode() + self.checkpoint

    @classmethod
    def decode(cls, raw: bytes) -> Proof:
        """Read a file, or Malformed."""
        above, blank, checkpoint = raw.partition(b"\n\n")
        try:
            header, *lines = above.decode().split("\n")
        except UnicodeDecodeError:
            header, lines = "", []
        if header != HEADER or not blank or not lines:
            raise Malformed(f"a proof begins with {HEADER}, and a checkpoint follows after a blank line")
        entry = _entry(lines.pop(0).removeprefix("extra ")) if lines[0].startswith("extra ") else None
        index = _INDEX.fullmatch(lines[0]) if lines else None
        if index is None:
            raise Malformed("a proof tells the entry's position: index 17")
        return cls(int(index[1]), entry, tuple(map(decode_hash, lines[1:])), checkpoint)


def prove(fetch: Fetch, checkpoint: SignedCheckpoint, position: int) -> Proof:
    """The proof of one entry of a published log, made from its checked tree. Raises what is wrong with the log."""
    size = checkpoint.checkpoint.size
    if not 0 <= position < size:
        raise Malformed(f"the log has entries 0 to {size - 1}, not {position}" if size else "the log has no entry yet")
    tree = CheckedTree(fetch, checkpoint.checkpoint)
    [(_, entry)] = entries_of(fetch, tree, position, position + 1)
    return Proof(position, entry, tuple(inclusion_proof(position, size, tree)), checkpoint.raw)


def verify_proof(raw: bytes, trust: Trust, *, entry: bytes | None = None) -> tuple[Proof, SignedCheckpoint]:
    """Show that a proof's entry is in the log, or raise what is wrong. `entry`: for proofs that leave it out."""
    proof = Proof.decode(raw)
    signed = trust.open(proof.checkpoint)
    leaf = proof.entry if proof.entry is not None else entry
    if leaf is None:
        raise Malformed("the proof does not hold its entry: give it beside the proof")
    if entry is not None and entry != leaf:
        raise EntryWrong(proof.position, "the proof is of other bytes than were given")
    point = signed.checkpoint
    try:
        verify_inclusion(leaf_hash(leaf), proof.position, point.size, proof.hashes, point.root)
    except ProofRefused as refused:
        raise EntryWrong(proof.position, str(refused)) from None
    return proof, signed


def _entry(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = None
    if raw is None or base64.b64encode(raw).decode() != text:
        raise Malformed("the entry in the proof is not base64")
    return raw
