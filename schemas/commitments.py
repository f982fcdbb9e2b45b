"""What an audit entry holds of what a human wrote: a commitment, which says nothing until its key is shown.

The key is the entry's own, made of the person's: whoever is shown one entry's text can check it against the log, and
learns nothing of another entry. When the person's key is destroyed nobody can make it any more, and the commitment says
nothing for ever, while the entry and its proof stay as they are.
"""

from __future__ import annotations

import base64
import hmac


def entry_key(secret: bytes, entry_id: str) -> bytes:
    """The key of one entry: HKDF-Expand with SHA-256 (RFC 5869), 32 bytes, from a person's `secret`."""
    return hmac.digest(secret, b"onward audit entry " + entry_id.encode() + b"\x01", "sha256")


def commitment(key: bytes, text: str) -> str:
    """HMAC-SHA256 of the text under the entry's key, in base64, as the entry holds it."""
    return base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()
