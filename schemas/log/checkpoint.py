"""C2SP checkpoints: the size and root of a log at one time, signed by the log and cosigned by witnesses.

See https://c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.log.errors import Malformed, NotSigned
from schemas.log.handover import follow, is_handovers
from schemas.log.merkle import HASH_BYTES
from schemas.log.note import COSIGNATURE, ED25519, Note, SigningKey, Verified, VerifierKey, sign_note


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits to."""

    origin: str  # the log's name, which is also its key's
    size: int
    root: bytes  # 32
    extensions: tuple[str, ...] = ()  # lines that others' logs may have; ours have none

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a checkpoint's note, or Malformed."""
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < len(("origin", "size", "root")) or not all(lines):
            raise Malformed("a checkpoint has an origin, a size and a root, each on a line of its own")
        origin, size, root, *extensions = lines
        if not (size.isascii() and size.isdecimal()) or str(int(size)) != size:
            raise Malformed("the size of a checkpoint is a whole number")
        return cls(origin, int(size), decode_hash(root), tuple(extensions))

    @property
    def text(self) -> str:
        """What is signed."""
        lines = (self.origin, str(self.size), encode_hash(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose signatures were verified."""

    checkpoint: Checkpoint
    signed_by: tuple[Verified, ...]  # by the log, at least one
    cosigned_by: tuple[Verified, ...]  # by the witnesses that were asked for
    others: tuple[str, ...]  # name+id of keys that are not known here: they show nothing
    raw: bytes
    learnt: tuple[VerifierKey, ...] = ()  # keys that followed on those of the log that were given, oldest first


def sign_checkpoint(checkpoint: Checkpoint, *keys: SigningKey) -> bytes:
    """The checkpoint as a note, signed by each of these keys of the log: two while one follows on the other."""
    if not keys or any(key.name != checkpoint.origin or key.kind != ED25519 for key in keys):
        raise ValueError("a log's checkpoint is signed by keys with the log's name")
    return sign_note(checkpoint.text, *keys)


def cosign(checkpoint: Checkpoint, key: SigningKey, *, at: int) -> str:
    """A witness's signature line for this checkpoint. `at`: seconds since 1970."""
    if key.kind != COSIGNATURE:
        raise ValueError("a witness signs with a key for cosignatures")
    return key.sign(checkpoint.text, at=at)


def open_checkpoint(
    raw: bytes, keys: Sequence[VerifierKey], *, witnesses: Sequence[VerifierKey] = (), quorum: int | None = None
) -> SignedCheckpoint:
    """Verify a checkpoint: signed by one of the log's `keys`, whose name it bears, and by `quorum` of the witnesses.

    A key that followed on one of `keys`, as the notes under the checkpoint show, is as good as that one. `quorum` is
    all of the witnesses unless another is given. Raises Malformed, NotSigned, or BadSignature.
    """
    note = Note.parse(raw)
    checkpoint = Checkpoint.parse(note.text)
    ours = follow(note, keys)
    signed = [each for each in note.verified(ours) if each.key.name == checkpoint.origin and each.key.kind == ED25519]
    cosigned = [each for each in note.verified(witnesses) if each.key.kind == COSIGNATURE]
    good = [each.key for each in (*signed, *cosigned)]
    others = tuple(
        f"{each.name}+{each.key_id.hex()}"
        for each in note.signatures
        if not is_handovers(each) and not any(each.is_of(key) for key in good)
    )
    if not signed:
        trusted = ", ".join(f"{key.name}+{key.id.hex()}" for key in ours) or "none"
        raise NotSigned(
            f"the checkpoint of {checkpoint.origin} is signed by {', '.join(others) or 'nobody'}; trusted: {trusted}"
        )
    needed = len(set(witnesses)) if quorum is None else quorum
    if len(cosigned) < needed:
        have = ", ".join(each.key.name for each in cosigned) or "none of them"
        raise NotSigned(f"the checkpoint needs {needed} of {len(set(witnesses))} witnesses and was seen by {have}")
    return SignedCheckpoint(checkpoint, tuple(signed), tuple(cosigned), others, raw, tuple(ours[len(set(keys)) :]))


def encode_hash(value: bytes) -> str:
    """A hash as checkpoints and proofs write it."""
    return base64.b64encode(value).decode()


def decode_hash(text: str) -> bytes:
    """A hash as checkpoints and proofs write it, or Malformed."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != HASH_BYTES or encode_hash(value) != text:
        raise Malformed("a hash is 32 bytes in base64")
    return value
