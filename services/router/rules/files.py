"""The files of a rule set: their names and bytes, wherever they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

Files: TypeAlias = Mapping[str, bytes]  # by their path inside the folder, with /


def packed(files: Files) -> bytes:
    """The files as bytes: the same files are the same bytes, and `unpacked` gives them back as they were."""
    texts = {name: content.decode("utf-8", "surrogateescape") for name, content in files.items()}
    return json.dumps(texts, sort_keys=True, separators=(",", ":")).encode()


def unpacked(content: bytes) -> dict[str, bytes]:
    """The files that `packed` made bytes of."""
    texts: dict[str, str] = json.loads(content)
    return {name: text.encode("utf-8", "surrogateescape") for name, text in texts.items()}
