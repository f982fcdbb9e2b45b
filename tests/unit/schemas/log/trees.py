"""Small logs to prove things about, and the tree of RFC 6962 as its text defines it: slow, and plainly right."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from hypothesis import strategies as st

from schemas.log.merkle import HashReader


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_growth(old: int, leaves: Sequence[bytes], *, known: bool = True) -> list[bytes]:
    """PROOF of RFC 6962, section 2.1.2, word for word. `known`: the old root is known to the verifier."""
    if old == len(leaves):
        return [] if known else [naive_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if old <= k:
        return [*naive_growth(old, leaves[:k], known=known), naive_root(leaves[k:])]
    return [*naive_growth(old - k, leaves[k:], known=False), naive_root(leaves[:k])]


def reader_of(leaves: Sequence[bytes]) -> HashReader:
    """A tree held as its entries alone."""

    def read(level: int, index: int) -> bytes:
        under = leaves[index << level : index + 1 << level]
        assert len(under) == 1 << level, "only complete subtrees are asked for"
        return naive_root(under)

    return read


def some_leaves(count: int) -> list[bytes]:
    """That many different entries."""
    return [b"entry %d" % number for number in range(count)]


sizes = st.integers(1, 130)
