"""What rules ask of each destination, and of the people here, week by week: before and after a change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.router.rules.language import Route, Withhold
from services.router.rules.replay.bitmaps import Bits
from services.router.rules.replay.compare import Difference, Replay
from services.router.rules.replay.outcome import Outcome
from services.router.rules.replay.past import Numbers, day_of
from services.router.rules.replay.standing import HOLDS, Standing

HUMANS: Final = "people here"  # beside destinations: questions, reviews, holds and escalations
SETTLED_MOST: Final = 20_000  # different outcomes, above which the work of the people here is not counted
_FOR_HUMANS: Final = frozenset({"questions", "reviews", "holds", "escalations"})


@dataclass
class Workload:
    """The weeks of the past, and how much work each brings by the base's rules."""

    replay: Replay
    weeks: tuple[date, ...] = field(init=False)  # their Mondays
    before: dict[str, Numbers] = field(init=False)  # by destination, and HUMANS
    _week: Numbers = field(init=False)  # of each decision

    def __post_init__(self) -> None:
        history = self.replay.history
        week = (history.past.day - 1) // 7  # the first day of the first year was a Monday
        first = int(week.min()) if len(week) else 0
        self._week = week - first
        self.weeks = tuple(day_of((first + number) * 7 + 1) for number in range(int(self._week.max(initial=-1)) + 1))
        routed = routed_of(self.replay.standing, history.space.nowhere)
        self.before = {
            name: self._by_week(self._week[history.space.places(routed[name])]) if name in routed else self._nothing
            for name in sorted(self.replay.base.destinations)
        }
        self._count_humans()

    @property
    def _nothing(self) -> Numbers:
        return np.zeros(len(self.weeks), np.int64)

    def _count_humans(self) -> None:
        _, example, which = np.unique(self.replay.marks, return_index=True, return_inverse=True)
        if len(example) <= SETTLED_MOST:
            outcomes = self.replay.standing.outcomes(self.replay.marks[example], example)
            load = np.array([_for_humans(outcome) for outcome in outcomes], np.int64)
            self.before[HUMANS] = self._by_week(self._week, load[which])

    def after(self, difference: Difference) -> dict[str, Numbers]:
        """The same by the candidate's rules; of every destination of either."""
        week, nothing = self._week[difference.changed], self._nothing
        found = {name: self.before.get(name, nothing).copy() for name in difference.after.rules.destinations}
        found |= {name: counts.copy() for name, counts in self.before.items()}
        for sign, outcomes in ((-1, [t.before for t in difference.turns]), (1, [t.after for t in difference.turns])):
            for name, load in _loads(outcomes).items():
                if name in found:
                    found[name] += sign * self._by_week(week, load[difference.turn_of])
        return dict(sorted(found.items(), key=lambda each: (each[0] == HUMANS, each[0])))

    def _by_week(self, week: Numbers, load: Numbers | None = None) -> Numbers:
        return np.bincount(week, weights=load, minlength=len(self.weeks)).astype(np.int64)


def routed_of(standing: Standing, nowhere: Bits) -> dict[str, Bits]:
    """Which decisions route to each destination. As `combine` says: what is withheld takes back no floor."""
    floors: dict[str, Bits] = defaultdict(lambda: nowhere)
    ordinary: dict[str, Bits] = defaultdict(lambda: nowhere)
    withheld: dict[str, Bits] = defaultdict(lambda: nowhere)
    for rule in standing.rules.rules:
        certain = standing.rows.get((rule.id, HOLDS), nowhere)
        acted = certain | standing.hangs(rule.id, nowhere) if rule.if_unknown == "act" else certain
        for action in rule.then:
            if isinstance(action, Route):
                into = floors if rule.tier == "floor" else ordinary
                into[action.destination] = into[action.destination] | acted
            elif isinstance(action, Withhold):  # an unknown withholder withholds nothing
                for name in action.destinations:
                    withheld[name] = withheld[name] | certain
    names = floors.keys() | ordinary.keys()
    return {name: floors[name] | ordinary[name] & ~withheld[name] for name in names}


def _for_humans(outcome: Outcome) -> int:
    return sum(part in _FOR_HUMANS for (part, _), _ in outcome.done)


def _loads(outcomes: Iterable[Outcome]) -> dict[str, NDArray[np.int64]]:
    """How much work each of some outcomes is, by whose it is."""
    listed = list(outcomes)
    loads: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(len(listed), np.int64))
    for number, outcome in enumerate(listed):
        for (part, what), _ in outcome.done:
            if part == "routes":
                loads[what][number] = 1
            elif part in _FOR_HUMANS:
                loads[HUMANS][number] += 1
    return loads
