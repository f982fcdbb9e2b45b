"""An export verifies alone, wherever it begins, and what was changed in it is named. So does one entry's proof."""

from __future__ import annotations

import random
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.log import merkle, tiles
from schemas.log.checked import CheckedTree
from schemas.log.checkpoint import cosign
from schemas.log.errors import EntryWrong, LogError, Malformed, NotSigned, TreeWrong
from schemas.log.export import export_lines, verify_export
from schemas.log.handover import hand_over, handovers_line
from schemas.log.note import COSIGNATURE, SigningKey, with_signatures
from schemas.log.proof import Proof, prove, verify_proof
from schemas.log.reader import entries_of
from schemas.log.trust import Trust
from tests.unit.schemas.log.logs import KEY, checkpoint_of, fetch_from, published, tree_of
from tests.unit.schemas.log.trees import some_leaves

TRUST = Trust([KEY.verifier])
SIZE = 1_000
LEAVES = [b'{"n":%d}' % number for number in range(SIZE)]
Change = Callable[[list[bytes]], object]


def exported(leaves: list[bytes], begin: int, end: int) -> list[bytes]:
    """The lines of a part of the log of these entries."""
    part = list(enumerate(leaves))[begin:end]
    return list(export_lines(part, begin, end, TRUST.open(checkpoint_of(leaves)), tree_of(leaves)))


WHOLE = exported(LEAVES, 0, SIZE)
MIDDLE = exported(LEAVES, 250, 300)


def refused(lines: list[bytes]) -> LogError:
    with pytest.raises(LogError) as caught:
        verify_export(lines, TRUST)
    return caught.value


@settings(max_examples=60)
@given(st.integers(0, 700), st.data())
def test_any_part_of_any_log_verifies_alone_and_gives_back_its_bytes(size: int, data: st.DataObject) -> None:
    leaves = [*some_leaves(size), b"\xff\x00 no text", '{"é":"\\u001f\u2028"}'.encode(), b""]
    begin = data.draw(st.integers(0, len(leaves)))
    end = data.draw(st.integers(begin, len(leaves)))
    lines = exported(leaves, begin, end)
    found = verify_export(lines, TRUST)
    assert (found.begin, found.end, found.checkpoint.checkpoint.size) == (begin, end, len(leaves))
    texts = [orjson.loads(line) for line in lines if b'"leaf":' in line]
    assert all(leaves[each["position"]] == each["leaf"].encode() for each in texts)


def test_any_changed_byte_of_an_export_is_found_and_its_entry_named() -> None:
    random.seed(7)
    for number, line in enumerate(MIDDLE):
        for at in range(len(line)):
            changed = bytearray(line)
            changed[at] ^= random.randint(1, 255)
            wrong = refused([*MIDDLE[:number], bytes(changed), *MIDDLE[number + 1 :]])
            position = orjson.loads(line).get("position")
            if position is not None:
                named = wrong.position if isinstance(wrong, EntryWrong) else None
                assert (
                    named == position
                    or "a line that is" in str(wrong)
                    or "the export ends" in str(wrong)
                    or (
                        position == 250  # where an export begins is told by its first line and its last
                    )
                ), (position, str(wrong))


def test_any_changed_byte_of_an_entry_names_it_in_an_export_of_1000() -> None:
    random.seed(8)
    for begin in range(0, SIZE, 50):  # in parts, because a whole one would be read a thousand times
        lines = exported(LEAVES, begin, begin + 50)
        for number, line in enumerate(lines):
            if b"leaf" in line:
                position = orjson.loads(line)["position"]
                at = line.index(b":", line.index(b"n")) + 1  # a digit of it, which leaves the line well formed
                changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
                wrong = refused([*lines[:number], changed, *lines[number + 1 :]])
                assert isinstance(wrong, EntryWrong)
                assert wrong.position == position


def forged(entries: list[bytes]) -> list[bytes]:
    """The export with other entries, numbered as if nothing had happened, under the hashes that it had."""
    hashes = [line for line in WHOLE if b'"hashes"' in line]
    lines, at = [], 0
    for width, line in zip((256, 256, 256, len(entries)), hashes, strict=True):
        for entry in entries[at : at + width]:
            lines.append(orjson.dumps({"leaf": entry.decode(), "position": at}) + b"\n")
            at += 1
        lines.append(line)
    return [*lines, WHOLE[-1]]


@pytest.mark.parametrize(
    ("change", "position"),
    [
        pytest.param(lambda entries: entries.pop(400), 400, id="one dropped"),
        pytest.param(lambda entries: entries.pop(), SIZE - 1, id="the last dropped"),
        pytest.param(lambda entries: entries.__setitem__(slice(7, 9), entries[8:6:-1]), 7, id="two swapped"),
        pytest.param(lambda entries: entries.insert(600, entries[599]), 600, id="one said twice"),
        pytest.param(lambda entries: entries.append(b"{}"), SIZE, id="one put at the end"),
        pytest.param(lambda entries: entries.__delitem__(slice(800, None)), 800, id="the tail cut"),
    ],
)
def test_entries_dropped_moved_or_made_up_are_named_however_they_are_numbered(change: Change, position: int) -> None:
    leaves = list(LEAVES)
    change(leaves)
    wrong = refused(forged(leaves))
    assert isinstance(wrong, EntryWrong)
    assert wrong.position == position
    assert forged(LEAVES) == WHOLE


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: lines.pop(10), "entry 10: not there: in its place is a line that says it is entry 11"),
        (
            lambda lines: lines.insert(10, lines[9]),
            "entry 10: not there: in its place is a line that says it is entry 9",
        ),
        (lambda lines: lines.pop(), "after entry 999 the export ends, without its checkpoint"),
        (lambda lines: lines.__delitem__(slice(500, None)), "after entry 498 the export ends, without"),
        (
            lambda lines: lines.__delitem__(slice(500, -1)),
            "entry 499: the last that the export has should be 999, and is 498",
        ),
        (lambda lines: lines.append(lines[0]), "goes on after its checkpoint"),
        (lambda lines: lines.pop(256), "after entry 255 a line of hashes is missing"),
        (lambda lines: lines.pop(0), "entry 0: not there: the export should begin with it and begins with 1"),
        (lambda lines: lines.insert(300, lines[256]), "entry 256: its hash should be"),
        (lambda lines: lines.insert(0, b'{"a":1}\n'), "at its beginning is a line that is no part of an export"),
        (lambda lines: lines.insert(0, b'{"a": 1}\n'), "at its beginning is a line that is not canonical JSON"),
    ],
)
def test_lines_that_are_gone_or_too_many_are_told(change: Change, told: str) -> None:
    lines = list(WHOLE)
    change(lines)
    assert told in str(refused(lines))


def test_a_wrong_line_of_hashes_is_told_from_wrong_entries() -> None:
    other = exported([*LEAVES[:300], b"{}", *LEAVES[301:]], 0, SIZE)
    hashes = [number for number, line in enumerate(WHOLE) if b'"hashes"' in line]
    lines = [*WHOLE[: hashes[1]], other[hashes[1]], *WHOLE[hashes[1] + 1 :]]
    assert "its entries are" in str(refused(lines))
    together = [*other[:-1], WHOLE[-1]]
    wrong = refused(together)
    assert isinstance(wrong, TreeWrong)
    assert "one or more were changed together with their hashes" in str(wrong)


def test_an_export_needs_the_signatures_that_are_asked_for() -> None:
    thief = SigningKey(KEY.name, KEY.kind, b"t" * 32)
    witness = SigningKey("witness.example", COSIGNATURE, b"w" * 32)
    with pytest.raises(NotSigned):
        verify_export(WHOLE, Trust([thief.verifier]))
    with pytest.raises(NotSigned, match="needs 1 of 1 witnesses"):
        verify_export(WHOLE, Trust([KEY.verifier], [witness.verifier]))
    raw = checkpoint_of(LEAVES)
    seen = Trust([KEY.verifier], [witness.verifier])
    raw = with_signatures(raw, [cosign(TRUST.open(raw).checkpoint, witness, at=1)])
    lines = list(export_lines([], 5, 5, seen.open(raw), tree_of(LEAVES)))
    assert verify_export(lines, seen).checkpoint.cosigned_by[0].key == witness.verifier


def test_what_was_made_after_a_change_of_keys_verifies_by_the_first_key_and_by_the_newest() -> None:
    middle, newest, stranger = (SigningKey(KEY.name, KEY.kind, letter * 32) for letter in (b"m", b"n", b"s"))
    row = handovers_line(KEY.name, [hand_over(KEY, middle), hand_over(middle, newest)])
    raw = with_signatures(checkpoint_of(LEAVES, newest), [row])
    signed = Trust([newest.verifier]).open(raw)
    lines = list(export_lines(list(enumerate(LEAVES))[250:300], 250, 300, signed, tree_of(LEAVES)))
    proof = prove(fetch_from(published(LEAVES)), signed, 300).encode()
    for key in (KEY, middle, newest):
        assert verify_export(lines, Trust([key.verifier])).checkpoint.signed_by[0].key == newest.verifier
        assert verify_proof(proof, Trust([key.verifier]))[0].position == 300
    assert verify_export(lines, TRUST).checkpoint.learnt == (middle.verifier, newest.verifier)
    for wrong in (Trust([stranger.verifier]), Trust([])):
        with pytest.raises(NotSigned):
            verify_export(lines, wrong)
        with pytest.raises(NotSigned):
            verify_proof(proof, wrong)


def test_the_entries_of_a_published_log_become_an_export() -> None:
    fetch, signed = fetch_from(published(LEAVES)), TRUST.open(checkpoint_of(LEAVES))
    tree = CheckedTree(fetch, signed.checkpoint)
    assert list(export_lines(entries_of(fetch, tree, 250, 300), 250, 300, signed, tree)) == MIDDLE
    with pytest.raises(ValueError, match="no part from 5 to 1001"):
        list(export_lines([], 5, SIZE + 1, signed, tree))


@settings(max_examples=40)
@given(st.integers(1, 700), st.data())
def test_one_entry_is_proved_by_a_file_of_its_own(size: int, data: st.DataObject) -> None:
    leaves, position = some_leaves(size), data.draw(st.integers(0, size - 1))
    proof = prove(fetch_from(published(leaves)), TRUST.open(checkpoint_of(leaves)), position)
    raw = proof.encode()
    assert raw.startswith(b"c2sp.org/tlog-proof@v1\nextra ")
    found, signed = verify_proof(raw, TRUST)
    assert (found, found.entry, signed.checkpoint.size) == (proof, leaves[position], size)


def test_any_changed_byte_of_a_proof_is_found() -> None:
    raw = prove(fetch_from(published(LEAVES)), TRUST.open(checkpoint_of(LEAVES)), 300).encode()
    for at in range(len(raw)):
        for mask in (1, 2, 32):
            changed = bytearray(raw)
            changed[at] ^= mask
            with pytest.raises(LogError):
                verify_proof(bytes(changed), TRUST)


def test_a_proof_without_its_entry_asks_for_it() -> None:
    whole = prove(fetch_from(published(LEAVES)), TRUST.open(checkpoint_of(LEAVES)), 300)
    raw = Proof(300, None, whole.hashes, whole.checkpoint).encode()
    assert verify_proof(raw, TRUST, entry=LEAVES[300])[0].position == 300
    with pytest.raises(Malformed, match="give it beside the proof"):
        verify_proof(raw, TRUST)
    for wrong in (raw, whole.encode()):
        with pytest.raises(EntryWrong, match=r"^entry 300: "):
            verify_proof(wrong, TRUST, entry=LEAVES[301])
    with pytest.raises(Malformed, match="entries 0 to 999, not 1000"):
        prove(fetch_from(published(LEAVES)), TRUST.open(checkpoint_of(LEAVES)), SIZE)


def test_a_part_of_a_tree_grows_into_the_whole() -> None:
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES[:100]]
    for begin in range(100):
        part = merkle.Growing(begin)
        for each in hashes[begin:]:
            part.append(each)
        shape = [level for level, _ in part.parts]
        assert shape == [level for level, _ in merkle.subtrees(begin, 100)]
    assert part.size == 100
    assert tiles.WIDTH == 256
