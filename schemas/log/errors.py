"""What can be wrong with a log, each with a name. None carries what an entry says."""

from __future__ import annotations


class LogError(Exception):
    """The log, or what was given of it, is not what it should be; the text says what was expected and found."""


class Malformed(LogError):
    """Bytes that are not in the format that they should be in."""


class Missing(LogError):
    """Something that the log must have is not there. What a `fetch` raises for a path that does not exist."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is not there")
        self.path = path


class Unreachable(LogError):
    """The log cannot be read at all now, which says nothing of what is in it."""


class NotSigned(LogError):
    """No key that we trust has signed it, or too few witnesses have."""


class BadSignature(LogError):
    """A signature that bears a trusted key's name and id, and is not of that key or not over this text."""


class ProofRefused(LogError):
    """A Merkle proof that does not show what it should."""


class EntryWrong(LogError):
    """One entry is not what the log committed to. `position` counts from 0."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"entry {position}: {message}")
        self.position = position


class ReasonWrong(LogError):
    """What is said to be an entry's reason is not what the entry holds a commitment to."""


class SplitView(LogError):
    """Two checkpoints, both signed, that no one log can have: somebody was shown another log."""


class TreeWrong(LogError):
    """The log's published tree is not the one that its checkpoint commits to; which entries that touches is told."""
