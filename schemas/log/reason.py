"""Why something was done, shown beside an entry that holds a commitment to it, to whoever may know.

The file is canonical JSON: `entry_id`, `text` (what a human wrote), `key` (the entry's own, in base64; it opens nothing
of another entry). It shows nothing without the entry, and the entry does not show it without the file.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import NamedTuple

import orjson

from schemas.commitments import commitment
from schemas.log.canonical import canonical
from schemas.log.errors import Malformed, ReasonWrong


class Reason(NamedTuple):
    """What was written for one entry, and the key by which that is checked."""

    entry_id: str
    text: str
    key: bytes

    def encode(self) -> bytes:
        """The file."""
        return canonical({**self._asdict(), "key": base64.b64encode(self.key).decode()}) + b"\n"

    @classmethod
    def decode(cls, raw: bytes) -> Reason:
        """Read a file, or Malformed."""
        try:
            said = orjson.loads(raw)
            found = cls(said["entry_id"], said["text"], base64.b64decode(said["key"], validate=True))
            if all(isinstance(each, str) for each in (found.entry_id, found.text)) and found.encode() == raw:
                return found
        except (orjson.JSONDecodeError, binascii.Error, LookupError, TypeError, ValueError):
            pass
        raise Malformed("not the reason of an entry, as `onward audit prove --why` writes it: it was changed, or cut")


def check_reason(entry: bytes, reason: Reason) -> None:
    """Show that this is what was entered as an entry's reason, or raise ReasonWrong."""
    try:
        data = orjson.loads(entry)["data"]
        entry_id, said = str(data["entry_id"]), str(data["justification_commitment"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        raise ReasonWrong("the entry holds no commitment to a reason") from None
    if entry_id != reason.entry_id:
        raise ReasonWrong(f"the reason is of entry {reason.entry_id}, and the proof of {entry_id}")
    if not hmac.compare_digest(commitment(reason.key, reason.text).encode(), said.encode()):
        raise ReasonWrong("the reason is not the one that was entered")
