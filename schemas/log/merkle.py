"""The Merkle tree of RFC 6962 (section 2.1) over SHA-256: roots, proofs, and what they show.

Nothing here holds a tree. Whoever has one gives a `HashReader`; a root or a proof reads about two hashes a level.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from schemas.log.errors import ProofRefused

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

# (level, index) -> the hash of the complete subtree over leaves index * 2**level up to (index + 1) * 2**level.
# Level 0 are the leaf hashes. Only subtrees that are complete at the size in question are asked for.
HashReader = Callable[[int, int], bytes]


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one entry's exact bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def subtrees(begin: int, end: int) -> list[tuple[int, int]]:
    """The complete subtrees that leaves `begin` up to `end` fall into, from left to right, as (level, index)."""
    found = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def fold(hashes: Iterable[bytes]) -> bytes:
    """The root over the complete subtrees of a tree, given from left (largest) to right; EMPTY_ROOT for none."""
    root: bytes | None = None
    for each in reversed(list(hashes)):
        root = each if root is None else node_hash(each, root)
    return EMPTY_ROOT if root is None else root


class Growing:
    """A tree, or a part of one, that grows on the right and keeps only its complete subtrees, however long it is."""

    def __init__(self, begin: int = 0) -> None:
        """Nothing yet, in front of entry `begin`."""
        self.size = begin  # position of the next entry
        self.parts: list[tuple[int, bytes]] = []  # (level, hash), as `subtrees(begin, size)` lists them

    def append(self, each: bytes, level: int = 0) -> None:
        """Add the hash of the entry at `size`, or of a complete subtree that begins there."""
        index = self.size >> level
        self.size += 1 << level
        while index & 1 and self.parts and self.parts[-1][0] == level:
            each, level, index = node_hash(self.parts.pop()[1], each), level + 1, index >> 1
        self.parts.append((level, each))

    def extend(self, part: Growing) -> None:
        """Add a part that begins where this one ends."""
        for level, each in part.parts:
            self.append(each, level)

    def root(self) -> bytes:
        """The root of a tree that was grown from its first entry on."""
        return fold(each for _, each in self.parts)


def root_of(size: int, read: HashReader) -> bytes:
    """The root of the first `size` entries."""
    return _root(0, size, read)


def inclusion_proof(index: int, size: int, read: HashReader) -> list[bytes]:
    """The hashes that show entry `index` (from 0) in the tree of `size` entries, lowest level first."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} has no entry {index}")
    begin, end = 0, size
    proof = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            proof.append(_root(middle, end, read))
            end = middle
        else:
            proof.append(_root(begin, middle, read))
            begin = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, read: HashReader) -> list[bytes]:
    """The hashes that show that the tree of `new` entries begins with the tree of `old` entries."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} did not grow from one of {old}")
    if old == 0:
        return []
    begin, end = 0, new
    proof = []
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            proof.append(_root(middle, end, read))
            end = middle
        else:
            proof.append(_root(begin, middle, read))
            begin = middle
    if begin:  # the old root itself is known to whoever verifies; a part of it is not
        proof.append(_root(begin, end, read))
    return proof[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that a proof leads to from a leaf hash. Raises ProofRefused when the proof has the wrong shape."""
    if not 0 <= index < size:
        raise ProofRefused(f"entry {index} cannot be in a log of {size} entries")
    inner = (index ^ (size - 1)).bit_length()  # levels below the place where the ways to the leaf and the last part
    wanted = inner + (index >> inner).bit_count()
    _check_hashes(proof, wanted)
    found = leaf
    for level, sibling in enumerate(proof):
        right = level < inner and not index >> level & 1
        found = node_hash(found, sibling) if right else node_hash(sibling, found)
    return found


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Show that the entry with the leaf hash `leaf` is at `index` of the log of `size` with `root`, or ProofRefused."""
    found = root_from_inclusion(leaf, index, size, proof)
    if found != root:
        raise ProofRefused(
            f"the proof of entry {index} leads to root {found.hex()}, the checkpoint of {size} entries has {root.hex()}"
        )


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Show that the log of `size` with `root` begins with the one of `old_size` with `old_root`, or ProofRefused."""
    if not 0 <= old_size <= size:
        raise ProofRefused(f"a log of {size} entries cannot have grown from one of {old_size}")
    if old_size in (0, size):
        _check_hashes(proof, 0)
        expected = EMPTY_ROOT if old_size == 0 else root
        if old_root != expected:
            raise ProofRefused(f"the root of {old_size} entries must be {expected.hex()}, is {old_root.hex()}")
        return
    begin_level = (old_size & -old_size).bit_length() - 1  # the lowest subtree that the old tree's right edge ends in
    inner = (old_size - 1 ^ size - 1).bit_length()
    whole = old_size == 1 << begin_level  # then the old root is that subtree, and is left out of the proof
    _check_hashes(proof, inner - begin_level + ((old_size - 1) >> inner).bit_count() + (not whole))
    first, rest = (old_root, proof) if whole else (proof[0], proof[1:])
    old_found = found = first
    for level, sibling in enumerate(rest, begin_level):
        if level >= inner or (old_size - 1) >> level & 1:
            old_found = node_hash(sibling, old_found)
            found = node_hash(sibling, found)
        else:
            found = node_hash(found, sibling)
    if old_found != old_root:
        raise ProofRefused(f"the proof leads to old root {old_found.hex()}, the checkpoint has {old_root.hex()}")
    if found != root:
        raise ProofRefused(f"the proof leads to root {found.hex()}, the checkpoint has {root.hex()}")


def _split(width: int) -> int:
    """The largest power of two below `width`, which is where RFC 6962 parts a tree."""
    return 1 << (width - 1).bit_length() - 1


def _root(begin: int, end: int, read: HashReader) -> bytes:
    return fold(read(level, index) for level, index in subtrees(begin, end))


def _check_hashes(proof: Sequence[bytes], wanted: int) -> None:
    if len(proof) != wanted:
        raise ProofRefused(f"the proof has {len(proof)} hashes where {wanted} are needed")
    if any(len(each) != HASH_BYTES for each in proof):
        raise ProofRefused(f"the proof has a hash that is not {HASH_BYTES} bytes long")
