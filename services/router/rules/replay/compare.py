"""Two rule sets over one past: which decisions come out otherwise, and by which rules."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.router.rules.replay.bitmaps import Bits, at
from services.router.rules.replay.outcome import Outcome
from services.router.rules.replay.standing import HOLDS, History, Key, Marks, Standing, Stood, number_of
from services.router.rules.ruleset import RuleSet

How: TypeAlias = Literal["held", "unknown", "did not hold", "not there"]
Places: TypeAlias = NDArray[np.intp]

_PAIR = np.uint64(0x9E3779B97F4A7C15)  # odd: one of two marks times this and the other make one number


class Responsible(NamedTuple):
    """A rule that stands otherwise than before, or holds and asks for something else."""

    rule: str
    before: How
    after: How
    asks_otherwise: bool


class Turn(NamedTuple):
    """What becomes of decisions that are all alike to both rule sets."""

    before: Outcome
    after: Outcome
    rules: tuple[Responsible, ...]


class Hits(NamedTuple):
    """How often a rule held, and how often it hung on something unknown. None: it is not there."""

    rule: str
    held_before: int | None
    held_after: int | None
    unknown_before: int | None
    unknown_after: int | None


@dataclass(frozen=True)
class Difference:
    """What a candidate changes."""

    history: History
    before: Standing
    after: Standing
    changed: Places  # the decisions that come out otherwise
    turns: tuple[Turn, ...]
    turn_of: Places  # of each changed decision

    @cached_property
    def persons(self) -> int:
        """How many people's cases change."""
        persons = self.history.past.persons
        return len({persons[place] for place in self.changed.tolist()})

    def cases(self, most: int | None = None) -> Iterator[tuple[int, Turn]]:
        """The changed decisions by their places, the newest first."""
        newest = self.changed[::-1][:most].tolist(), self.turn_of[::-1][:most].tolist()
        for place, turn in zip(*newest, strict=True):
            yield place, self.turns[turn]

    def hits(self) -> list[Hits]:
        """Of every rule of either set, by id."""
        here, there = ({rule.id for rule in each.rules.rules} for each in (self.before, self.after))
        nowhere, found = self.history.space.nowhere, []
        for rule in sorted(here | there):
            held_before, unknown_before = self.before.hits(rule, nowhere) if rule in here else (None, None)
            held_after, unknown_after = self.after.hits(rule, nowhere) if rule in there else (None, None)
            found.append(Hits(rule, held_before, held_after, unknown_before, unknown_after))
        return found


@dataclass
class Replay:
    """The past as one rule set has it, ready to be held against candidates: the first time takes longest."""

    history: History
    base: RuleSet
    standing: Standing = field(init=False)
    marks: Marks = field(init=False)

    def __post_init__(self) -> None:
        self.standing = Standing(self.base, self.history.rows_of(self.base))
        self.marks = self.standing.marks(self.history.space.size)

    def against(self, candidate: RuleSet) -> Difference:
        """What the candidate changes. Only decisions that some rule stands otherwise with are looked at."""
        reworded = _reworded(self.base, candidate)
        known = self.standing.settled if reworded is not None and not reworded else {}
        after = Standing(candidate, self.history.rows_of(candidate), known)
        moved = self._moved(after)
        places = self.history.space.places(self._touched(after, moved, reworded))
        marks_before = self.marks[places]
        marks_after = marks_before.copy()
        for key, (old, new) in moved.items():
            for bits, sign in ((new & ~old, 1), (old & ~new, -1)):
                if bits.any():
                    change = at(bits, places).astype(np.uint64) * number_of(key)
                    marks_after += change if sign > 0 else -change  # modulo 2**64
        return self._difference(after, places, marks_before, marks_after, reworded)

    def _moved(self, after: Standing) -> dict[Key, tuple[Bits, Bits]]:
        """The rows that are not as they were."""
        nowhere = self.history.space.nowhere
        before, found = self.standing.rows, {}
        for key in before.keys() | after.rows.keys():
            old, new = before.get(key, nowhere), after.rows.get(key, nowhere)
            if old is not new and not np.array_equal(old, new):
                found[key] = (old, new)
        return found

    def _touched(self, after: Standing, moved: dict[Key, tuple[Bits, Bits]], reworded: Set[str] | None) -> Bits:
        """Where what is done may differ: some rule stands otherwise, or one that is reworded stands at all."""
        if reworded is None:
            return self.history.space.everywhere
        touched = self.history.space.nowhere.copy()
        for old, new in moved.values():
            touched |= old ^ new
        if reworded:
            for rows in (self.standing.rows, after.rows):
                for (rule, _), bits in rows.items():
                    if rule in reworded:
                        touched |= bits
        return touched

    def _difference(
        self, after: Standing, places: Places, marks_before: Marks, marks_after: Marks, reworded: Set[str] | None
    ) -> Difference:
        _, first, which = np.unique(marks_before * _PAIR + marks_after, return_index=True, return_inverse=True)
        before = self.standing.outcomes(marks_before[first], places[first])
        after_it = after.outcomes(marks_after[first], places[first])
        differ = [pair for pair, (old, new) in enumerate(zip(before, after_it, strict=True)) if old.done != new.done]
        examples = places[first[differ]]
        stood = zip(self.standing.stood(examples), after.stood(examples), strict=True)
        turns = [
            Turn(before[pair], after_it[pair], self._responsible(after, *stands, reworded or set()))
            for pair, stands in zip(differ, stood, strict=True)
        ]
        number = np.full(len(first), -1, np.intp)
        number[differ] = np.arange(len(differ))
        turn_of = number[which]
        changes = turn_of >= 0
        return Difference(self.history, self.standing, after, places[changes], tuple(turns), turn_of[changes])

    def _responsible(self, after: Standing, stood: Stood, stands: Stood, reworded: Set[str]) -> tuple[Responsible, ...]:
        found = []
        for rule in sorted(stood.keys() | stands.keys()):
            if stood.get(rule) != stands.get(rule) or rule in reworded:
                was, now = _word(self.standing, stood, rule), _word(after, stands, rule)
                found.append(Responsible(rule, was, now, rule in reworded))
        return tuple(found)


def _word(standing: Standing, stood: Stood, rule: str) -> How:
    if rule not in stood:
        return "did not hold" if standing.has(rule) else "not there"
    return "held" if stood[rule] == (HOLDS,) else "unknown"


def _reworded(before: RuleSet, after: RuleSet) -> Set[str] | None:
    """The rules of both that ask for something else than before; None: what all stand on is otherwise."""
    if before.otherwise != after.otherwise:
        return None
    was = {rule.id: rule for rule in before.rules}
    return {
        rule.id
        for rule in after.rules
        if (old := was.get(rule.id)) is not None
        and old is not rule
        and (old.then, old.if_unknown, old.tier) != (rule.then, rule.if_unknown, rule.tier)
    }
