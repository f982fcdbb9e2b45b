"""The past as one vocabulary sees it: of each fact the values that its codes stand for.

Unknown is not no: a fact that the record lacks, or that was declared otherwise then, is unknown. Windows are an
exception, since they can be counted anew; so are days to a holiday, which a calendar tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.router.rules.declarations import (
    CountWithin,
    DaysSince,
    DaysToHoliday,
    Fact,
    FromEvent,
    SetOf,
    WholeNumber,
)
from services.router.rules.language import FactValue
from services.router.rules.measures import top, within
from services.router.rules.mistakes import ImpossibleValue
from services.router.rules.replay.past import LACKING, Codes, Numbers, Past, Recorded, Stated, day_of, small
from services.router.rules.replay.windows import NEVER, UNTOLD, counts_within, days_since
from services.router.rules.ruleset import RuleSet

REACH_DAYS: Final = 366  # as far back as the router looks when it decides
_Declared: TypeAlias = "tuple[Fact | None, ...]"  # of each rule set that decided


@dataclass(frozen=True, eq=False)
class Column:
    """A fact of every decision."""

    codes: Codes
    values: tuple[FactValue, ...]  # of each code
    lacking: NDArray[np.bool_]  # of each code: whether nothing was kept that this fact could be read from
    counted_anew: bool = False

    @cached_property
    def numbers(self) -> Numbers:
        """The values as numbers, where they are some; 0 where not known."""
        return np.array([value if isinstance(value, int) else 0 for value in self.values], np.int64)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Of each code, whether its value is known."""
        return np.array([value is not None for value in self.values], np.bool_)

    @cached_property
    def how_many_lack(self) -> int:
        """Of how many decisions nothing was kept for this fact."""
        counts = np.bincount(self.codes, minlength=len(self.values))
        return int(counts[self.lacking].sum())


@dataclass
class Columns:
    """Makes the columns, each once: two rule sets that declare a fact alike share it.

    `told` are the rule sets that decided, as far as they were kept; of the others `otherwise` tells what their facts
    meant.
    """

    past: Past
    told: Mapping[str, RuleSet]
    otherwise: RuleSet
    _made: dict[tuple[object, ...], Column] = field(default_factory=dict)
    _seen: dict[int, tuple[object, object, dict[str, Column]]] = field(default_factory=dict)

    def of(self, rules: RuleSet) -> dict[str, Column]:
        """The columns of a rule set's facts."""
        seen = self._seen.get(id(rules.facts))
        if seen is None or seen[0] is not rules.facts or seen[1] is not rules.calendar:
            seen = self._seen[id(rules.facts)] = (rules.facts, rules.calendar, self._of(rules))
        return seen[2]

    def _of(self, rules: RuleSet) -> dict[str, Column]:
        sets = [self.told.get(digest, self.otherwise) for digest in self.past.rule_sets]
        holidays = [each.calendar for each in sets]
        found = {}
        for name, fact in rules.facts.items():
            declared = tuple(each.facts.get(name) for each in sets)
            anew = _is_counted(fact, declared) or (
                isinstance(fact.source, DaysToHoliday) and any(_differs(c, rules.calendar) for c in holidays)
            )
            key = (fact, declared, anew and isinstance(fact.source, DaysToHoliday) and rules.digest)
            column = self._made.get(key)
            if column is None:
                column = self._made[key] = self._anew(fact, rules) if anew else self._kept(fact, declared)
            found[name] = column
        return found

    def _kept(self, fact: Fact, declared: _Declared) -> Column:
        recorded = self.past.facts.get(fact.name)
        if recorded is None:
            nothing = np.zeros(len(self.past), np.uint8)
            return Column(nothing, (None,), np.ones(1, np.bool_))
        tables = [_read(fact, then, recorded) for then in declared]
        if all(table == tables[0] for table in tables):
            values, lacking = tables[0]
            return Column(recorded.codes, values, np.array(lacking))
        size = len(recorded.values)
        codes = self.past.rule_set * size + recorded.codes  # a table for each rule set that decided
        together = tuple(value for values, _ in tables for value in values)
        return Column(small(codes), together, np.array([each for _, those in tables for each in those]))

    def _anew(self, fact: Fact, rules: RuleSet) -> Column:
        match fact.source:
            case CountWithin() as source:
                numbers = counts_within(self.past, source, reach_days=REACH_DAYS)
            case DaysSince() as source:
                numbers = days_since(self.past, source, reach_days=REACH_DAYS)
            case _:
                days, which = np.unique(self.past.day, return_inverse=True)
                numbers = np.array([rules.calendar.days_to_holiday(day_of(int(day))) for day in days])[which]
        distinct, codes = np.unique(numbers, return_inverse=True)
        lacking = np.array([number == UNTOLD for number in distinct])
        return Column(
            small(codes), tuple(_counted(fact, int(number)) for number in distinct), lacking, counted_anew=True
        )


def _is_counted(fact: Fact, declared: _Declared) -> bool:
    """A window that was declared otherwise when something was decided, or not at all."""
    if not isinstance(fact.source, (CountWithin, DaysSince)):
        return False
    return any(then is None or (then.source, then.type) != (fact.source, fact.type) for then in declared)


def _differs(one: object, other: object) -> bool:
    shown = ("nation", "seasons")
    return any(getattr(one, name) != getattr(other, name) for name in shown)


def _counted(fact: Fact, number: int) -> FactValue:
    if number == UNTOLD:
        return None
    return top(fact) if number == NEVER else within(fact, number)


def _read(fact: Fact, then: Fact | None, recorded: Recorded) -> tuple[tuple[FactValue, ...], tuple[bool, ...]]:
    """What each recorded value is to this fact, and whether it cannot be read so."""
    if then is None or then.source != fact.source:  # another fact of the same name, or none
        return (None,) * len(recorded.values), (True,) * len(recorded.values)
    values: list[FactValue] = []
    lacking: list[bool] = []
    for code, stated in enumerate(recorded.values):
        value, lacks = (None, True) if code == LACKING else _value(fact, then, stated)
        values.append(value)
        lacking.append(lacks)
    return tuple(values), tuple(lacking)


def _value(fact: Fact, then: Fact, stated: Stated) -> tuple[FactValue, bool]:
    if stated is None:
        said_nothing = isinstance(fact.source, FromEvent) and (then.unstated, fact.unstated) == ("unknown", "absent")
        return (fact.silent if said_nothing else None), False
    value = frozenset(stated) if isinstance(stated, tuple) else stated
    if (then.unstated, fact.unstated) == ("absent", "unknown") and value == then.silent:
        return None, True  # silence was taken for no then, and cannot be told from a no that somebody said
    if then.type == fact.type:
        return value, False
    if isinstance(fact.type, WholeNumber) and isinstance(then.type, WholeNumber) and _at_an_end(value, then.type):
        return None, True  # it was brought into a range, and may have been further out
    try:
        return fact.value_of(
            list(value) if isinstance(fact.type, SetOf) and isinstance(value, frozenset) else value
        ), False
    except ImpossibleValue:
        return None, True


def _at_an_end(value: FactValue, of: WholeNumber) -> bool:
    return value in (of.low, of.high)
