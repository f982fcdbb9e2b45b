"""C2SP tlog-witness: what a witness is asked, what it answers, and what it must have checked before it signs.

See https://c2sp.org/tlog-witness.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.log.checkpoint import Checkpoint, SignedCheckpoint, cosign, decode_hash, encode_hash, open_checkpoint
from schemas.log.errors import BadSignature, LogError, Malformed, NotSigned, ProofRefused
from schemas.log.merkle import verify_consistency
from schemas.log.note import Note, SigningKey, VerifierKey

PATH: Final = "/add-checkpoint"
MOST_HASHES: Final = 63
LARGEST_REQUEST: Final = 64 * 1024  # bytes; 63 hashes and a checkpoint with a hundred signatures are 20 KB
SIZE_TYPE: Final = "text/x.tlog.size"

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Request:
    """A log asks for a cosignature."""

    old_size: int  # of the checkpoint that the witness signed last, as far as the log knows
    proof: tuple[bytes, ...]  # that the log grew from there
    checkpoint: bytes  # a signed note

    def encode(self) -> bytes:
        """The body to send."""
        hashes = "".join(f"{encode_hash(each)}\n" for each in self.proof)
        return f"old {self.old_size}\n{hashes}\n".encode() + self.checkpoint

    @classmethod
    def decode(cls, body: bytes) -> Request:
        """Read a body, or Malformed."""
        above, blank, checkpoint = body.partition(b"\n\n")
        lines = above.decode("ascii", "replace").split("\n")
        old = _OLD.fullmatch(lines[0])
        if not blank or old is None or len(lines) - 1 > MOST_HASHES:
            raise Malformed("the body is: old 17, up to 63 hashes, a blank line, a checkpoint")
        return cls(int(old[1]), tuple(map(decode_hash, lines[1:])), checkpoint)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness says: the status of HTTP and a body."""

    status: int
    body: str
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is to be kept, on disk, before the answer is given."""

    checkpoint: SignedCheckpoint
    cosigned: str  # the witness's signature line


def judge(
    body: bytes, *, logs: Sequence[VerifierKey], last: Mapping[str, Checkpoint], key: SigningKey, now: int
) -> tuple[Answer, Seen | None]:
    """What a witness answers. `last`: by origin, what it signed last. `now`: seconds since 1970.

    Whoever calls it holds a lock until what is `Seen` is kept: two logs asking at once must not both be signed.
    """
    try:
        request = Request.decode(body)
        origin = Checkpoint.parse(Note.parse(request.checkpoint).text).origin
    except LogError as error:
        return _says(400, str(error)), None
    trusted = [each for each in logs if each.name == origin]
    if not trusted:
        return _says(404, "this log is not known here"), None
    try:
        signed = open_checkpoint(request.checkpoint, trusted)
    except (NotSigned, BadSignature) as error:
        return _says(403, str(error)), None
    new = signed.checkpoint
    if request.old_size > new.size:
        return _says(400, "the old size is larger than the checkpoint's"), None
    known = last.get(origin)
    if request.old_size != (known.size if known else 0):
        return Answer(409, f"{known.size if known else 0}\n", SIZE_TYPE), None
    if known is not None and known.size == new.size and known.root != new.root:
        return _says(409, f"another log of {new.size} entries was signed before"), None
    if known is not None:
        try:
            verify_consistency(known.size, known.root, new.size, new.root, request.proof)
        except ProofRefused as refused:
            return _says(422, str(refused)), None
    elif request.proof:
        return _says(422, "there is no proof to give of growth from nothing"), None
    line = cosign(new, key, at=now)
    return Answer(200, line), Seen(signed, line)


def _says(status: int, why: str) -> Answer:
    return Answer(status, f"{why}\n")
