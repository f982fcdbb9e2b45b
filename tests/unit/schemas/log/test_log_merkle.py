"""The tree and its proofs: against RFC 6962's own words, its published vectors, and two implementations not ours."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree, verify_consistency, verify_inclusion
from sigstore._internal.merkle import (
    _chain_border_right,
    _chain_inner,
    _decomp_inclusion_proof,
    verify_merkle_inclusion,
)
from sigstore.errors import VerificationError

from schemas.log import merkle
from schemas.log.errors import ProofRefused
from tests.unit.schemas.log.trees import naive_growth, naive_root, reader_of, sizes, some_leaves

# The entries and roots that certificate transparency implementations have tested each other with since 2012.
VECTOR_LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
VECTOR_ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots_come_out(size: int) -> None:
    assert merkle.root_of(size, reader_of(VECTOR_LEAVES)).hex() == VECTOR_ROOTS[size]


@given(sizes)
def test_a_root_is_what_the_rfc_says(size: int) -> None:
    leaves = some_leaves(size)
    assert merkle.root_of(size, reader_of(leaves)) == naive_root(leaves)


@settings(max_examples=60)
@given(sizes, st.data())
def test_sigstore_and_pymerkle_accept_our_inclusion_proof_and_refuse_another_entry(
    size: int, data: st.DataObject
) -> None:
    leaves, index = some_leaves(size), data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, reader_of(leaves))
    root = naive_root(leaves)
    merkle.verify_inclusion(merkle.leaf_hash(leaves[index]), index, size, proof, root)
    _sigstore(leaves[index], index, size, proof, root)
    theirs = _tree(leaves).prove_inclusion(index + 1, size)
    assert theirs.path[1:] == proof
    theirs.path[1:] = proof
    verify_inclusion(merkle.leaf_hash(leaves[index]), root, theirs, index=index + 1, size=size)
    with pytest.raises(VerificationError):
        _sigstore(b"another", index, size, proof, root)
    with pytest.raises(ProofRefused, match="leads to root"):
        merkle.verify_inclusion(merkle.leaf_hash(b"another"), index, size, proof, root)


def _sigstore(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> None:
    shape = SimpleNamespace(log_index=index, tree_size=size, hashes=proof, root_hash=root)
    entry = SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=shape, canonicalized_body=leaf))
    verify_merkle_inclusion(cast(Any, entry))


def _tree(leaves: list[bytes]) -> Any:
    tree: Any = InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        tree.append_entry(leaf)
    return tree


@settings(max_examples=60)
@given(sizes, st.data())
def test_pymerkle_shows_that_our_roots_grew_one_out_of_the_other(size: int, data: st.DataObject) -> None:
    # Its proof goes down to single entries where the RFC's stops at a subtree: it takes our roots, not our proof.
    leaves, old = some_leaves(size), data.draw(st.integers(1, size))
    read = reader_of(leaves)
    theirs = _tree(leaves).prove_consistency(old, size)
    verify_consistency(merkle.root_of(old, read), merkle.root_of(size, read), theirs, prior_size=old, later_size=size)


@settings(max_examples=60)
@given(sizes, st.data())
def test_sigstore_s_hashing_leads_from_our_consistency_proof_to_the_new_root(size: int, data: st.DataObject) -> None:
    leaves, old = some_leaves(size), data.draw(st.integers(1, size))
    old_root, root = naive_root(leaves[:old]), naive_root(leaves)
    proof = merkle.consistency_proof(old, size, reader_of(leaves))
    assert proof == naive_growth(old, leaves)
    if old == size:
        return
    # What a consistency proof is: the way from the last whole subtree of the old tree up to the new root.
    inner, border = _decomp_inclusion_proof(old - 1, size)
    lowest = (old & -old).bit_length() - 1
    seed, *rest = [old_root, *proof] if old == 1 << lowest else proof
    assert len(rest) == inner - lowest + border
    found = _chain_inner(seed, rest[: inner - lowest], (old - 1) >> lowest)
    assert _chain_border_right(found, rest[inner - lowest :]) == root


def test_the_proofs_are_those_of_the_rfc_s_own_example() -> None:
    leaves = some_leaves(7)  # RFC 6962, section 2.1.3, with its names for the nodes
    a, b, c, d, e, f, j = map(merkle.leaf_hash, leaves)
    g, h, i = merkle.node_hash(a, b), merkle.node_hash(c, d), merkle.node_hash(e, f)
    k, m = merkle.node_hash(g, h), merkle.node_hash(i, j)
    read = reader_of(leaves)
    for index, proof in {0: [b, h, m], 3: [c, g, m], 4: [f, j, k], 6: [i, k]}.items():
        assert merkle.inclusion_proof(index, 7, read) == proof
    for old, proof in {3: [c, d, g, m], 4: [m], 6: [i, j, k]}.items():
        assert merkle.consistency_proof(old, 7, read) == proof


@given(sizes, st.data())
def test_growth_is_shown_and_every_other_past_refused(size: int, data: st.DataObject) -> None:
    leaves, old = some_leaves(size), data.draw(st.integers(0, size))
    proof = merkle.consistency_proof(old, size, reader_of(leaves))
    old_root, root = naive_root(leaves[:old]), naive_root(leaves)
    merkle.verify_consistency(old, old_root, size, root, proof)
    with pytest.raises(ProofRefused):
        merkle.verify_consistency(old, merkle.leaf_hash(b"another past"), size, root, proof)
    if 0 < old < size:
        with pytest.raises(ProofRefused):
            merkle.verify_consistency(old, old_root, size, merkle.leaf_hash(b"another present"), proof)


@given(sizes, st.data())
def test_a_proof_with_any_byte_changed_or_of_another_length_is_refused(size: int, data: st.DataObject) -> None:
    leaves, read = some_leaves(size), reader_of(some_leaves(size))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = naive_root(leaves)
    leaf, old_root = merkle.leaf_hash(leaves[index]), naive_root(leaves[:old])
    cases: list[tuple[list[bytes], Callable[[list[bytes]], None]]] = [
        (
            merkle.inclusion_proof(index, size, read),
            lambda proof: merkle.verify_inclusion(leaf, index, size, proof, root),
        ),
        (
            merkle.consistency_proof(old, size, read),
            lambda proof: merkle.verify_consistency(old, old_root, size, root, proof),
        ),
    ]
    for proof, verify in cases:
        verify(proof)
        wrong = [[*proof, bytes(32)], *([] if not proof else [proof[:-1], proof[1:]])]
        for at in range(len(proof)):
            flip = data.draw(st.integers(0, 31))
            changed = bytearray(proof[at])
            changed[flip] ^= 1 << data.draw(st.integers(0, 7))
            wrong += [[*proof[:at], bytes(changed), *proof[at + 1 :]], [*proof[:at], proof[at][:-1], *proof[at + 1 :]]]
        for each in wrong:
            with pytest.raises(ProofRefused):
                verify(each)


def test_what_no_log_can_have_is_refused_before_it_is_hashed() -> None:
    leaf = merkle.leaf_hash(b"")
    for index, size in ((0, 0), (1, 1), (-1, 1)):
        with pytest.raises(ProofRefused, match="cannot be in a log"):
            merkle.verify_inclusion(leaf, index, size, [], leaf)
        with pytest.raises(ValueError, match="has no entry"):
            merkle.inclusion_proof(index, size, reader_of([]))
    with pytest.raises(ProofRefused, match="cannot have grown"):
        merkle.verify_consistency(2, leaf, 1, leaf, [])
    with pytest.raises(ValueError, match="did not grow"):
        merkle.consistency_proof(2, 1, reader_of([b""]))


@given(st.integers(0, 2**40), st.integers(0, 300))
def test_subtrees_cover_a_range_once_in_order(begin: int, width: int) -> None:
    at = begin
    for level, index in merkle.subtrees(begin, begin + width):
        assert index << level == at
        at = index + 1 << level
    assert at == begin + width
