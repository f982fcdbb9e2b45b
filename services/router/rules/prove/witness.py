"""From what the solver shows to an event's facts, the fewest that will do; and from facts to the solver's variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from services.router.rules.compile import EVENT
from services.router.rules.declarations import Choice, CountWithin, DaysToHoliday, WholeNumber
from services.router.rules.events import EventKind
from services.router.rules.extract import EXAMPLE
from services.router.rules.facts import Facts
from services.router.rules.language import FactValue, Values
from services.router.rules.prove.circuit import Formula
from services.router.rules.prove.kinds import least_for
from services.router.rules.prove.space import Ladder, Members, Space, YesNoFact
from services.router.rules.prove.world import Periods
from services.router.rules.ruleset import RuleSet

if TYPE_CHECKING:
    from services.router.rules.prove.solver import Solver  # which loads z3

USUAL_DAY: Final = date(2026, 3, 2)  # a Monday, far from every holiday; the day of examples that name none


@dataclass(frozen=True, slots=True)
class Witness:
    """One event: what is otherwise than for a person who is new to us and of whom the event states nothing."""

    facts: Facts
    stated: Mapping[str, FactValue]  # with the kind of event

    def __str__(self) -> str:
        said = [str(self.stated[EVENT])]
        said += [f"{name} {in_short(value)}" for name, value in self.stated.items() if name != EVENT]
        return ", ".join(said)


def in_short(value: FactValue) -> str:
    """A value as people say it."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (", ".join(sorted(value)) or "nothing") if isinstance(value, frozenset) else str(value)


class Witnesses:
    """Shows events for which formulas hold."""

    def __init__(self, space: Space, periods: Periods, sets: Sequence[RuleSet], solver: Solver) -> None:
        self.space = space
        self.periods = periods
        self.sets = sets
        self.solver = solver
        self._unusual: list[Formula] | None = None

    def smallest(self, *formulas: Formula) -> Witness:
        """The event with the fewest unusual facts for which these hold. The solver's last answer was that they can.

        Where it was not decided in time whether fewer would do, the best so far is shown.
        """
        unusual = self._unusual_facts()
        best = self._shown()
        fewest = self._counted(best, unusual)
        while fewest and self.solver.can(*formulas, most=(unusual, fewest - 1)) == "yes":
            best = self._shown()
            fewest = self._counted(best, unusual)
        return witness_of(self.space, self.periods, self.sets, best)

    def last(self) -> Witness:
        """The event that the solver's last `yes` was about, as it came."""
        return witness_of(self.space, self.periods, self.sets, self._shown())

    def _shown(self) -> dict[Formula, bool]:
        return self.solver.shown([*variables_in(self.space), *self.periods.from_start])

    def _counted(self, shown: Mapping[Formula, bool], unusual: Iterable[Formula]) -> int:
        return sum(self.space.circuit.value(formula, shown) for formula in unusual)

    def _unusual_facts(self) -> list[Formula]:
        if self._unusual is None:
            each = (_unusual(self.space, self.sets, name) for name in self.space.named if name != EVENT)
            self._unusual = [formula for formulas in each for formula in formulas]
        return self._unusual


def variables_in(space: Space) -> list[Formula]:
    """Every variable of the facts."""
    found: dict[Formula, None] = {}
    for name in space.named:
        kept = space.of(name)
        match kept:
            case YesNoFact(known, yes):
                found |= dict.fromkeys((known, yes))
            case Ladder():
                found |= dict.fromkeys(kept.at_least)
            case Members(known, members):
                found |= dict.fromkeys((known, *members.values()))
    return [variable for variable in found if variable > 1]


def variables_for(space: Space, values: Values) -> dict[Formula, bool]:
    """The variables as these facts set them."""
    found: dict[Formula, bool] = {}
    for name in space.named:
        kept, value = space.of(name), values[name]
        known = value is not None
        match kept:
            case YesNoFact():
                found |= {kept.known: known, kept.yes: value is True}
            case Ladder():
                rung = space.rung(name, value) if known else -1
                found |= {variable: place <= rung for place, variable in enumerate(kept.at_least)}
            case Members():
                inside = value if isinstance(value, frozenset) else frozenset()
                found |= {kept.known: known, **{var: member in inside for member, var in kept.members.items()}}
    return found


def witness_of(space: Space, periods: Periods, sets: Sequence[RuleSet], shown: Mapping[Formula, bool]) -> Witness:
    """The event that these variables are about."""
    shown = {1: True, **shown}
    event = space.of(EVENT)
    assert isinstance(event, Ladder)
    kind = EventKind(str(event.rungs[_rung_shown(event, shown)][0]))
    usual = usual_values(sets, kind)
    values = {name: _value(space, name, usual[name], shown) for name in space.named if name in usual}
    values = {name: values.get(name, value) for name, value in usual.items()}
    stated = {EVENT: kind.value} | {name: value for name, value in values.items() if not _same(value, usual[name])}
    known = {name: origin for rules in sets for name, origin in rules.plans[kind].origins.items()}
    origins = {**known, **dict.fromkeys(stated, EXAMPLE)}
    return Witness(Facts(values, origins, periods.day(shown, USUAL_DAY)), stated)


def usual_values(sets: Iterable[RuleSet], kind: EventKind) -> dict[str, FactValue]:
    """The facts of a person who is new to us where the event states nothing; no holiday is near.

    Of several rule sets the facts of all; where they disagree, the last one's.
    """
    values = {name: value for rules in sets for name, value in rules.plans[kind].values.items()}
    for name, fact in ((name, fact) for rules in sets for name, fact in rules.facts.items()):
        if isinstance(fact.source, DaysToHoliday) and isinstance(fact.type, WholeNumber):
            values[name] = fact.type.high
    return values


def _value(space: Space, name: str, usual: FactValue, shown: Mapping[Formula, bool]) -> FactValue:
    kept, fact = space.of(name), space.facts[name]
    if not shown[kept.known]:
        return None
    match kept:
        case YesNoFact():
            return shown[kept.yes]
        case Members():
            return frozenset(member for member, variable in kept.members.items() if shown[variable])
        case Ladder():
            rung = _rung_shown(kept, shown)
            if isinstance(fact.type, Choice):
                return str(usual) if usual in kept.rungs[rung] else str(kept.rungs[rung][0])
            assert isinstance(fact.type, WholeNumber)
            last = kept.starts[rung + 1] - 1 if rung + 1 < len(kept.starts) else fact.type.high
            near = usual if isinstance(usual, int) else fact.type.high if rung + 1 < len(kept.starts) else 0
            return max(kept.starts[rung], min(last, near))


def _rung_shown(kept: Ladder, shown: Mapping[Formula, bool]) -> int:
    return max(place for place, variable in enumerate(kept.at_least) if shown[variable])


def _same(one: FactValue, other: FactValue) -> bool:
    return type(one) is type(other) and one == other


def _unusual(space: Space, sets: Sequence[RuleSet], name: str) -> list[Formula]:
    """Where the fact is not as usual; of a set one for each member, so that few members are fewer."""
    kept, fact = space.of(name), space.facts[name]
    usual = usual_values(sets, EventKind.REFERRAL)[name]
    if isinstance(fact.source, CountWithin):
        of_kind = {kind: space.is_value(EVENT, kind.value) for kind in EventKind if least_for(fact, kind)}
        counted = space.circuit.some(of_kind.values())
        once, never = space.is_value(name, 1), space.is_value(name, 0)
        return [-space.circuit.chosen(counted, once, never)]
    if isinstance(kept, Members):
        about_known = () if kept.known == 1 else (kept.known if usual is None else -kept.known,)
        return [*about_known, *kept.members.values()]
    return [-space.is_value(name, usual)]
