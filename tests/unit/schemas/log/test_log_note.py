"""Signed notes and checkpoints: beside Go's published vectors and sigstore's reader, and every byte changed."""

from __future__ import annotations

import base64
import re
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import SignedCheckpoint as TheirCheckpoint
from sigstore._internal.rekor.checkpoint import verify_checkpoint
from sigstore._internal.trust import Keyring, RekorKeyring
from sigstore._utils import KeyID
from sigstore.errors import VerificationError
from sigstore_models.common.v1 import PublicKey, PublicKeyDetails

from schemas.log import note
from schemas.log.checkpoint import Checkpoint, cosign, open_checkpoint, sign_checkpoint
from schemas.log.errors import BadSignature, LogError, Malformed, NotSigned
from schemas.log.handover import hand_over, handovers_line
from schemas.log.note import COSIGNATURE, Note, SigningKey, VerifierKey, open_note, with_signatures
from schemas.log.proof import Proof, prove
from schemas.log.trust import Trust
from tests.unit.schemas.log.logs import KEY, checkpoint_of, fetch_from, published
from tests.unit.schemas.log.trees import some_leaves

# The keys, text and signatures of golang.org/x/mod/sumdb/note, note_test.go.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_SIGNED = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_SIGNED = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
BOTH = (TEXT + "\n" + PETER_SIGNED + ENOCH_SIGNED).encode()

LOG = SigningKey("onward.example/log", note.ED25519, b"l" * 32)
NEXT = SigningKey("onward.example/log", note.ED25519, b"n" * 32)
WITNESS = SigningKey("witness.example/one", COSIGNATURE, b"w" * 32)
OTHER = SigningKey("witness.example/two", COSIGNATURE, b"o" * 32)
POINT = Checkpoint("onward.example/log", 12, b"r" * 32)
AT = 1_767_225_600


def test_we_sign_and_read_as_go_does() -> None:
    key = SigningKey.parse(PETER_PRIVATE)
    assert note.sign_note(TEXT, key).decode() == TEXT + "\n" + PETER_SIGNED
    assert key.secret() == PETER_PRIVATE
    assert str(key.verifier) == PETER
    peter, enoch = VerifierKey.parse(PETER), VerifierKey.parse(ENOCH)
    text, verified = open_note(BOTH, [peter, enoch])
    assert (text, [each.key for each in verified]) == (TEXT, [peter, enoch])
    assert [each.line for each in open_note(BOTH, [peter])[1]] == [PETER_SIGNED]


def test_a_key_cut_or_changed_anywhere_is_no_key() -> None:
    for text, parse in ((PETER, VerifierKey.parse), (PETER_PRIVATE, SigningKey.parse)):
        for at in range(len(text)):
            changed = text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :]
            for wrong in (text[at + 1 :], text[:at], changed):
                with pytest.raises(Malformed) as caught:
                    parse(wrong)
                assert "EKFALVFG" not in str(caught.value)
    for wrong in (  # Go's: of another length, and of an unknown kind, each with the id that goes with it
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ):
        with pytest.raises(Malformed):
            VerifierKey.parse(wrong)


def test_a_private_key_is_not_shown_by_accident() -> None:
    assert str(b"l" * 32) not in repr(LOG)
    assert VerifierKey.parse(str(LOG.verifier)) == LOG.verifier
    assert SigningKey.parse(WITNESS.secret()) == WITNESS
    assert SigningKey.generate("a.example/x") != SigningKey.generate("a.example/x")
    for name in ("", "a b", "a+b", "a\u2003b"):
        with pytest.raises(Malformed, match="name"):
            SigningKey.generate(name)


def test_signatures_of_unknown_keys_are_passed_over_and_show_nothing() -> None:
    with pytest.raises(NotSigned, match=r"signed by EnochRoot.af0cfe78, PeterNeumann.c74f20a3, and not by no key"):
        open_note(BOTH, [])
    known = VerifierKey.parse(ENOCH)
    renamed = VerifierKey("Another", known.kind, known.public)
    with pytest.raises(NotSigned):
        open_note(BOTH, [renamed])


def test_a_bad_signature_of_a_known_key_refuses_the_note() -> None:
    bad = BOTH.replace(b"rwz+eBzm", b"rwz+eBzn")
    assert open_note(bad, [VerifierKey.parse(PETER)])[0] == TEXT
    with pytest.raises(BadSignature, match="EnochRoot"):
        open_note(bad, [VerifierKey.parse(PETER), VerifierKey.parse(ENOCH)])


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.encode(),
        TEXT.encode() + b"\n",
        BOTH[:-1],
        b"\x01" + BOTH,
        b"\xff" + BOTH,
        BOTH + b"Unexpected line.\n",
        BOTH.replace(b"PeterNeumann x08", b"Bad Name x08"),
        (TEXT + "\n" + PETER_SIGNED * 101).encode(),
        b"a" * (note.LARGEST + 1),
    ],
)
def test_what_is_no_note_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        open_note(raw, [VerifierKey.parse(PETER)])


def test_a_checkpoint_is_written_as_the_specification_shows_and_read_by_sigstore() -> None:
    raw = sign_checkpoint(POINT, LOG)
    assert POINT.text == f"onward.example/log\n12\n{base64.b64encode(b'r' * 32).decode()}\n"
    theirs = TheirCheckpoint.from_text(raw.decode())
    assert (theirs.checkpoint.origin, theirs.checkpoint.log_size) == ("onward.example/log", 12)
    assert theirs.checkpoint.log_hash == (b"r" * 32).hex()
    [signature] = theirs.signed_note.signatures
    assert (signature.name, signature.sig_hash) == ("onward.example/log", LOG.verifier.id)
    key = Ed25519PublicKey.from_public_bytes(LOG.verifier.public)
    key.verify(base64.b64decode(signature.signature), theirs.signed_note.note.encode())
    spec = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert Checkpoint.parse(spec).text == spec
    assert Checkpoint.parse(spec).size == 20_852_163


def test_sigstore_verifies_a_proof_of_ours_with_its_checkpoint_and_refuses_another_key_s() -> None:
    leaves = some_leaves(300)
    proof = prove(fetch_from(published(leaves)), Trust([KEY.verifier]).open(checkpoint_of(leaves)), 170)
    ours = Proof.decode(proof.encode())
    shape = SimpleNamespace(
        log_index=ours.position,
        tree_size=300,
        hashes=list(ours.hashes),
        root_hash=Checkpoint.parse(Note.parse(ours.checkpoint).text).root,
        checkpoint=SimpleNamespace(envelope=ours.checkpoint.decode()),
    )
    log_id = SimpleNamespace(key_id=KEY.verifier.id)
    entry: Any = SimpleNamespace(
        _inner=SimpleNamespace(inclusion_proof=shape, canonicalized_body=ours.entry, log_id=log_id)
    )
    verify_merkle_inclusion(entry)
    verify_checkpoint(_keyring(KEY.verifier), entry)
    with pytest.raises(VerificationError):
        verify_checkpoint(_keyring(NEXT.verifier), entry)


def _keyring(key: VerifierKey) -> RekorKeyring:
    """The key, as sigstore holds those of its own log."""
    der = Ed25519PublicKey.from_public_bytes(key.public).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return RekorKeyring(
        Keyring([PublicKey(raw_bytes=base64.b64encode(der), key_details=PublicKeyDetails.PKIX_ED25519)])
    )


def test_a_cosignature_is_over_the_time_and_the_whole_checkpoint() -> None:
    line = cosign(POINT, WITNESS, at=AT)
    raw = base64.b64decode(line.split(" ")[2])
    assert (raw[:4], int.from_bytes(raw[4:12], "big")) == (WITNESS.verifier.id, AT)
    said = f"cosignature/v1\ntime {AT}\n{POINT.text}".encode()
    Ed25519PublicKey.from_public_bytes(WITNESS.verifier.public).verify(raw[12:], said)


def test_as_many_witnesses_as_are_asked_for_must_have_signed() -> None:
    raw = with_signatures(sign_checkpoint(POINT, LOG), [cosign(POINT, WITNESS, at=AT)])
    keys, witnesses = [LOG.verifier], [WITNESS.verifier, OTHER.verifier]
    found = open_checkpoint(raw, keys, witnesses=witnesses, quorum=1)
    assert [(each.key.name, each.at) for each in found.cosigned_by] == [("witness.example/one", AT)]
    with pytest.raises(NotSigned, match=r"needs 2 of 2 witnesses and was seen by witness.example/one"):
        open_checkpoint(raw, keys, witnesses=witnesses)
    with pytest.raises(NotSigned, match="needs 1 of 1 witnesses and was seen by none"):
        open_checkpoint(raw, keys, witnesses=[OTHER.verifier])
    with pytest.raises(NotSigned, match="needs 2 of 1"):  # one witness said twice is one
        open_checkpoint(raw, keys, witnesses=[WITNESS.verifier] * 2, quorum=2)
    assert open_checkpoint(raw, keys).others == (f"witness.example/one+{WITNESS.verifier.id.hex()}",)
    assert with_signatures(raw, [cosign(POINT, WITNESS, at=AT)]) == raw


def test_a_log_key_is_no_witness_and_a_witness_key_no_log() -> None:
    as_witness = SigningKey(LOG.name, COSIGNATURE, LOG.seed)
    raw = with_signatures(sign_checkpoint(POINT, LOG), [cosign(POINT, as_witness, at=AT)])
    with pytest.raises(NotSigned, match="signed by"):
        open_checkpoint(raw, [as_witness.verifier])
    with pytest.raises(NotSigned, match="witnesses"):
        open_checkpoint(raw, [LOG.verifier], witnesses=[LOG.verifier])
    for wrong in (WITNESS, SigningKey("another.example", note.ED25519, LOG.seed)):
        with pytest.raises(ValueError, match="name"):
            sign_checkpoint(POINT, wrong)
    with pytest.raises(ValueError, match="cosignatures"):
        cosign(POINT, LOG, at=AT)
    with pytest.raises(ValueError, match="says when"):
        WITNESS.sign(POINT.text)


def test_the_checkpoint_of_another_log_is_not_this_one_s_even_under_its_key() -> None:
    raw = note.sign_note(Checkpoint("another.example", 12, b"r" * 32).text, LOG)
    with pytest.raises(NotSigned):
        open_checkpoint(raw, [LOG.verifier])


def test_while_a_key_follows_on_another_whoever_knows_either_can_verify() -> None:
    raw = sign_checkpoint(POINT, LOG, NEXT)
    for key in (LOG, NEXT):
        found = open_checkpoint(raw, [key.verifier])
        assert [each.key for each in found.signed_by] == [key.verifier]
        assert len(found.others) == 1
    assert len(open_checkpoint(raw, [LOG.verifier, NEXT.verifier]).signed_by) == 2


@pytest.mark.parametrize(
    "text",
    [
        "a\n1\n",
        "a\n01\nAAAA\n",
        "a\n-1\nAAAA\n",
        "a\n1\nAAAA\n",
        "\n1\n" + "A" * 43 + "=\n",
        "a\n1\n" + "A" * 42 + "B=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        Checkpoint.parse(text)


def test_any_changed_byte_of_a_checkpoint_is_found() -> None:
    raw = with_signatures(sign_checkpoint(POINT, LOG), [cosign(POINT, WITNESS, at=AT)])
    keys, witnesses = [LOG.verifier], [WITNESS.verifier]
    assert open_checkpoint(raw, keys, witnesses=witnesses).checkpoint == POINT
    for at in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[at] ^= 1 << bit
            with pytest.raises(LogError):
                open_checkpoint(bytes(changed), keys, witnesses=witnesses)


def test_any_changed_byte_of_what_names_the_next_key_is_found_by_whoever_knows_the_one_before() -> None:
    raw = with_signatures(sign_checkpoint(POINT, NEXT), [handovers_line(LOG.name, [hand_over(LOG, NEXT)])])
    assert open_checkpoint(raw, [LOG.verifier]).learnt == (NEXT.verifier,)
    for at in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[at] ^= 1 << bit
            with pytest.raises(LogError):
                open_checkpoint(bytes(changed), [LOG.verifier])


def test_what_names_the_next_key_is_passed_over_by_sigstore_as_a_key_that_it_does_not_know() -> None:
    raw = with_signatures(sign_checkpoint(POINT, NEXT, LOG), [handovers_line(LOG.name, [hand_over(LOG, NEXT)])])
    theirs = TheirCheckpoint.from_text(raw.decode())
    assert (theirs.checkpoint.origin, theirs.checkpoint.log_size) == ("onward.example/log", 12)
    for key in (LOG, NEXT):
        theirs.signed_note.verify(_keyring(key.verifier), KeyID(key.verifier.id))
    found = open_checkpoint(raw, [NEXT.verifier])
    assert (found.learnt, found.others) == ((), (f"{LOG.name}+{LOG.verifier.id.hex()}",))


def test_a_note_gives_back_its_signatures() -> None:
    assert [each.name for each in Note.parse(BOTH).signatures] == ["PeterNeumann", "EnochRoot"]
    assert all(re.fullmatch("— .*\n", each.line) for each in Note.parse(BOTH).signatures)
