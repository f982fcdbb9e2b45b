"""Which key follows on which: a note, signed by the former key and by the new one, that names the new one.

Whoever trusts the former key learns of the new one by it. That both sign one checkpoint would not show as much: anybody
can put a signature of their own under a note of somebody else's.
"""

from __future__ import annotations

from typing import Final

from schemas.log.errors import Malformed, Missing
from schemas.log.note import SigningKey, VerifierKey, open_note, sign_note
from schemas.log.tiles import Fetch

FOLDER: Final = "keys"
_WORDS: Final = "is followed by the key"  # no checkpoint has this line where its size is


def path_of(former: VerifierKey) -> str:
    """Where the note about what follows this key is, under the log's prefix; not there while it signs."""
    return f"{FOLDER}/{former.id.hex()}"


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


def follow(fetch: Fetch, trusted: VerifierKey) -> list[VerifierKey]:
    """The key that is trusted and those that followed on it, oldest first, as the log's notes show.

    The last one signs the log now. Raises what `fetch` raises but for Missing, which ends the row, and what `successor`
    raises.
    """
    keys = [trusted]
    while True:
        try:
            raw = fetch(path_of(keys[-1]))
        except Missing:
            return keys
        new = successor(raw, keys[-1])
        if new in keys:
            raise Malformed("the log's keys follow on each other in a circle")
        keys.append(new)
