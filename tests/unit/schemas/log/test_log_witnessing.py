"""What a witness signs and what it answers otherwise, as C2SP tlog-witness says it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.log import merkle
from schemas.log.checkpoint import Checkpoint
from schemas.log.errors import LogError
from schemas.log.handover import hand_over, handovers_line
from schemas.log.note import COSIGNATURE, ED25519, SigningKey, with_signatures
from schemas.log.trust import Trust
from schemas.log.witnessing import SIZE_TYPE, Answer, Request, Seen, judge
from tests.unit.schemas.log.logs import KEY, checkpoint_of, tree_of
from tests.unit.schemas.log.trees import some_leaves

WITNESS = SigningKey("witness.example/one", COSIGNATURE, b"w" * 32)
NOW = 1_767_225_600
LEAVES = some_leaves(300)
OTHER = [*LEAVES[:100], b"another", *LEAVES[101:]]


def asked(old: int, size: int, *, leaves: list[bytes] = LEAVES, last: int | None = None) -> tuple[Answer, Seen | None]:
    """What a witness answers that signed the log of `last` entries before."""
    proof = merkle.consistency_proof(old, size, tree_of(leaves[:size]))
    body = Request(old, tuple(proof), checkpoint_of(leaves[:size])).encode()
    return judge(body, logs=[KEY.verifier], last=known(last), key=WITNESS, now=NOW)


def known(last: int | None, leaves: list[bytes] = LEAVES) -> dict[str, Checkpoint]:
    return {} if last is None else {KEY.name: Trust([KEY.verifier]).open(checkpoint_of(leaves[:last])).checkpoint}


@given(st.data())
def test_a_log_that_grew_is_signed(data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 300))
    old = data.draw(st.none() | st.integers(0, size))
    answer, seen = asked(old or 0, size, last=old)
    assert answer.status == 200, answer
    assert seen is not None
    raw = with_signatures(checkpoint_of(LEAVES[:size]), [answer.body])
    signed = Trust([KEY.verifier], [WITNESS.verifier]).open(raw)
    assert signed.cosigned_by[0].at == NOW
    assert seen.checkpoint.checkpoint == signed.checkpoint


def test_who_stands_elsewhere_is_told_where() -> None:
    for last in (None, 120):
        answer, seen = asked(100, 200, last=last)
        assert answer == Answer(409, f"{last or 0}\n", SIZE_TYPE)
        assert seen is None


def test_another_past_is_not_signed() -> None:
    answer, seen = asked(150, 200, leaves=OTHER, last=150)
    assert (answer.status, seen) == (422, None)
    answer, seen = asked(200, 200, leaves=OTHER, last=200)
    assert (answer.status, seen) == (409, None)
    assert "another log of 200 entries was signed before" in answer.body
    answer, seen = asked(100, 100, leaves=OTHER, last=200)  # nor an older one of the same past
    assert (answer.status, answer.body, seen) == (409, "200\n", None)


def test_who_it_is_comes_first() -> None:
    body = Request(0, (), checkpoint_of(LEAVES)).encode()
    stranger = SigningKey("another.example", ED25519, b"a" * 32)
    thief = SigningKey(KEY.name, ED25519, b"t" * 32)
    for logs, status in (([stranger.verifier], 404), ([thief.verifier], 403), ([], 404)):
        answer, seen = judge(body, logs=logs, last=known(120), key=WITNESS, now=NOW)
        assert (answer.status, seen) == (status, None)
    bad = bytearray(body)
    bad[-10] ^= 1
    assert judge(bytes(bad), logs=[KEY.verifier], last={}, key=WITNESS, now=NOW)[0].status in (400, 403)


def test_a_witness_that_was_told_of_the_first_key_follows_to_the_newest_and_to_no_other() -> None:
    new, thief = (SigningKey(KEY.name, ED25519, letter * 32) for letter in (b"n", b"t"))
    row = handovers_line(KEY.name, [hand_over(KEY, new)])
    for signer, status in ((new, 200), (thief, 403)):
        note = with_signatures(checkpoint_of(LEAVES, signer), [row])
        proof = tuple(merkle.consistency_proof(120, 300, tree_of(LEAVES)))
        body = Request(120, proof, note).encode()
        answer, _ = judge(body, logs=[KEY.verifier], last=known(120), key=WITNESS, now=NOW)
        assert answer.status == status, answer
    theirs = Request(0, (), checkpoint_of(OTHER, new)).encode()  # by the new key, which nothing names here
    assert judge(theirs, logs=[KEY.verifier], last={}, key=WITNESS, now=NOW)[0].status == 403


def test_what_is_no_request_is_refused() -> None:
    note = checkpoint_of(LEAVES[:5])
    for body in (
        b"", b"old 5\n", b"old 05\n\n" + note, b"old -1\n\n" + note, b"new 5\n\n" + note, b"old 0\nAAAA\n\n" + note,
        Request(0, (bytes(32),) * 64, note).encode(), b"old 0\n\nnot a note", b"old 0\n\xff\n\n" + note,
        Request(6, (), note).encode(),
    ):  # fmt: skip
        answer, seen = judge(body, logs=[KEY.verifier], last={}, key=WITNESS, now=NOW)
        assert (answer.status, seen) == (400, None), body[:20]
    answer, seen = judge(Request(0, (bytes(32),), note).encode(), logs=[KEY.verifier], last={}, key=WITNESS, now=NOW)
    assert (answer.status, seen) == (422, None)
    short = merkle.consistency_proof(3, 5, tree_of(LEAVES[:5]))[:-1]
    answer, seen = judge(
        Request(3, tuple(short), note).encode(), logs=[KEY.verifier], last=known(3), key=WITNESS, now=NOW
    )
    assert (answer.status, seen) == (422, None)


def test_a_request_reads_back() -> None:
    request = Request(17, (bytes(32), b"a" * 32), checkpoint_of(LEAVES))
    assert Request.decode(request.encode()) == request
    assert request.encode().startswith(b"old 17\nAAAA")
    with pytest.raises(LogError):
        Request.decode(request.encode().replace(b"old", b"OLD"))
