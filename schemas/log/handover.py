"""Which key follows on which: a note, signed by the former key and by the new one, that names the new one.

Whoever trusts the former key learns of the new one by it. That both sign one checkpoint would not show as much: anybody
can put a signature of their own under a note of somebody else's.

All of a log's notes ride under each of its checkpoints, in one line that looks like a signature of a kind of its own
(C2SP signed-note, type 0xff). So they are wherever a checkpoint is: with the log, in an export or a proof, before a
witness. Other tools pass over the line, as over any signature of a key that they do not know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from schemas.log.errors import Malformed, NotSigned
from schemas.log.note import ID_BYTES, Note, Signature, SigningKey, VerifierKey, open_note, sign_note, signature_line
from schemas.log.tiles import decode_bundle, encode_bundle

_WORDS: Final = "is followed by the key"  # no checkpoint has this line where its size is
_KIND: Final = b"\xffonward-handovers/1"


def hand_over(former: SigningKey, new: SigningKey) -> bytes:
    """The note."""
    if former.name != new.name:
        raise ValueError("a log's keys bear the log's name")
    return sign_note(f"{former.name}\n{_WORDS}\n{new.verifier}\n", former, new)


def successor(raw: bytes, former: VerifierKey) -> VerifierKey:
    """The key that follows on `former`, as the note shows. Raises Malformed, NotSigned or BadSignature."""
    text, _ = open_note(raw, [former])
    lines = text.splitlines()
    if len(lines) != len(("name", "words", "key")) or lines[:2] != [former.name, _WORDS]:
        raise Malformed("not a note about a log's next key")
    new = VerifierKey.parse(lines[2])
    if new.name != former.name or new.kind != former.kind:
        raise Malformed("a log's next key bears the log's name")
    open_note(raw, [new])
    return new


def handovers_line(name: str, notes: Sequence[bytes]) -> str:
    """The line under a checkpoint of the log of this name that holds its notes: two bytes of length before each."""
    return signature_line(name, _id(name), encode_bundle(notes))


def is_handovers(signature: Signature) -> bool:
    """Whether a line under a checkpoint is that one."""
    return signature.key_id == _id(signature.name)


def follow(note: Note, trusted: Iterable[VerifierKey]) -> list[VerifierKey]:
    """The keys that are trusted and those that followed on them, as the notes under a checkpoint show.

    Raises Malformed, or BadSignature, for a note that is not what it seems to be.
    """
    notes = [each for line in note.signatures if is_handovers(line) for each in decode_bundle(line.raw)]
    keys = list(dict.fromkeys(trusted))
    for key in keys:  # which grows on the way
        new = _next(notes, key)
        if new is not None and new not in keys:
            keys.append(new)
    return keys


def _next(notes: Iterable[bytes], former: VerifierKey) -> VerifierKey | None:
    for raw in notes:
        try:
            new = successor(raw, former)
        except NotSigned:
            continue  # about another key, or by which it came
        if new != former:
            return new
    return None


def _id(name: str) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _KIND).digest()[:ID_BYTES]
