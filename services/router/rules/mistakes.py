"""What is wrong with a rule set, where, and the nearest name that would have been right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from services.router.rules.language import Position


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to mend."""

    at: Position
    message: str

    def __str__(self) -> str:
        return f"{self.at}: {self.message}"


class RuleSetRefused(ValueError):
    """A rule set cannot be used. Says every mistake of every file."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes), key=_reading_order))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class UnknownFact(LookupError):
    """A name that the rule set's facts do not have."""

    def __init__(self, name: str, names: Iterable[str]) -> None:
        super().__init__(f"no fact {name!r}{did_you_mean(name, names)}")


class ImpossibleValue(ValueError):
    """A value that the fact cannot have. The value itself may be about a person and is not said."""

    def __init__(self, fact: str, kind: str) -> None:
        super().__init__(f"that is no value of {fact}, which is {kind}")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'relapse'?` when some name is near, else nothing."""
    near = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _reading_order(mistake: Mistake) -> tuple[str, int, int, str]:
    return (mistake.at.file, mistake.at.line, mistake.at.column, mistake.message)
