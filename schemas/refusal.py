"""The one way to say that a message cannot be taken, for every layer from the pure cores up."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.receipt import Problem


class Unacceptable(Exception):
    """A message that can never be taken as it is: to quarantine, with what was wrong and where."""

    def __init__(self, reason: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(reason)
        self.reason = reason  # a short code, e.g. "unreadable", "unknown_person"
        self.problems = tuple(problems)
