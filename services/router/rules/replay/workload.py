"""What rules ask of each destination, and of the people here, week by week: before and after a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.router.rules.replay.compare import Difference, Replay
from services.router.rules.replay.outcome import Outcome
from services.router.rules.replay.past import Numbers, day_of

HUMANS: Final = "people here"  # beside destinations: questions, reviews, holds and escalations
_FOR_HUMANS: Final = frozenset({"questions", "reviews", "holds", "escalations"})

Counts: TypeAlias = Mapping[str, Numbers]  # by destination, of each week
_Load: TypeAlias = NDArray[np.int64]  # of each outcome and each of those who have work of it


@dataclass
class Workload:
    """The weeks of the past, and how much work each brings by the base's rules."""

    replay: Replay
    weeks: tuple[date, ...] = field(init=False)  # their Mondays
    whose: tuple[str, ...] = field(init=False)  # every destination of the base, and HUMANS
    before: dict[str, Numbers] = field(init=False)
    _week: Numbers = field(init=False)  # of each decision

    def __post_init__(self) -> None:
        past = self.replay.history.past
        week = (past.day - 1) // 7  # the first day of the first year was a Monday
        first = int(week.min(initial=0)) if len(past) == 0 else int(week.min())
        self._week = week - first
        many = int(self._week.max(initial=-1)) + 1
        self.weeks = tuple(day_of((first + number) * 7 + 1) for number in range(many))
        self.whose = (*sorted(self.replay.base.destinations), HUMANS)
        _, example, which = np.unique(self.replay.marks, return_index=True, return_inverse=True)
        marks = self.replay.marks[example]
        outcomes = [
            self.replay.standing.outcome(int(mark), place)
            for mark, place in zip(marks.tolist(), example.tolist(), strict=True)
        ]
        self.before = self._counts(outcomes, which, self._week, self.whose)

    def after(self, difference: Difference) -> dict[str, Numbers]:
        """The same by the candidate's rules; of every destination of either."""
        whose = (*sorted({*self.whose, *difference.after.rules.destinations} - {HUMANS}), HUMANS)
        week = self._week[difference.changed]
        less = self._counts((turn.before for turn in difference.turns), difference.turn_of, week, whose)
        more = self._counts((turn.after for turn in difference.turns), difference.turn_of, week, whose)
        nothing = np.zeros(len(self.weeks), np.int64)
        return {each: self.before.get(each, nothing) - less[each] + more[each] for each in whose}

    def _counts(
        self, outcomes: Iterable[Outcome], which: NDArray[np.intp], week: Numbers, whose: tuple[str, ...]
    ) -> dict[str, Numbers]:
        place = {each: number for number, each in enumerate(whose)}
        listed = list(outcomes)
        load: _Load = np.zeros((len(whose), len(listed)), np.int64)
        for number, outcome in enumerate(listed):
            for (part, what), _ in outcome.done:
                if part == "routes":
                    load[place[what], number] = 1
                elif part in _FOR_HUMANS:
                    load[place[HUMANS], number] += 1
        return {each: self._by_week(load[place[each]], which, week) for each in whose}

    def _by_week(self, load: Numbers, which: NDArray[np.intp], week: Numbers) -> Numbers:
        if not load.any():
            return np.zeros(len(self.weeks), np.int64)
        counted = np.bincount(week, weights=load[which], minlength=len(self.weeks))
        return counted.astype(np.int64)
