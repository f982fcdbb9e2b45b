"""The files of a rule set: their names and bytes, as they stand in a folder or were kept when they were activated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from services.router.rules.language import Position
from services.router.rules.mistakes import Mistake, RuleSetRefused

Files: TypeAlias = Mapping[str, bytes]  # by their path inside the folder, with /

_PATTERNS = ("*.y*ml", "rules/*", "examples/*.yaml")


def files_in(folder: Path) -> dict[str, bytes]:
    """All files of the rule set in a folder, with its examples. Raises `RuleSetRefused` where there is no folder."""
    if not folder.is_dir():
        raise RuleSetRefused([Mistake(Position(folder.name, 1, 1), "there is no such folder")])
    found = (path for pattern in _PATTERNS for path in folder.glob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(found)}


def packed(files: Files) -> bytes:
    """The files as bytes: the same files are the same bytes, and `unpacked` gives them back as they were."""
    texts = {name: content.decode("utf-8", "surrogateescape") for name, content in files.items()}
    return json.dumps(texts, sort_keys=True, separators=(",", ":")).encode()


def unpacked(content: bytes) -> dict[str, bytes]:
    """The files that `packed` made bytes of."""
    texts: dict[str, str] = json.loads(content)
    return {name: text.encode("utf-8", "surrogateescape") for name, text in texts.items()}
