"""Two rule sets over the same events, so that what they do can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from services.router.rules.decide import decide
from services.router.rules.decision import Decision
from services.router.rules.declarations import Choice, Fact, FactType, FromEvent, SetOf, WholeNumber
from services.router.rules.prove.asking import Asking
from services.router.rules.prove.circuit import Circuit, Formula
from services.router.rules.prove.outcome import Outcomes
from services.router.rules.prove.proofs import NotConfirmed
from services.router.rules.prove.solver import Solver
from services.router.rules.prove.space import Space
from services.router.rules.prove.traits import Topic, topics_in, topics_of
from services.router.rules.prove.witness import Witness, Witnesses
from services.router.rules.prove.world import Periods
from services.router.rules.ruleset import RuleSet


class NotComparable(ValueError):
    """A fact is of one type in the one rule set and of another in the other, so that no event is the same to both."""

    def __init__(self, name: str, before: Fact, after: Fact) -> None:
        super().__init__(f"{name} is {before.type} in the one rule set and {after.type} in the other: nothing compares")


@dataclass(frozen=True, slots=True)
class Shown:
    """An event, and what each rule set decides on it."""

    witness: Witness
    before: Decision
    after: Decision


class Both:
    """Two rule sets in one circuit. What both say in the same way is one formula."""

    def __init__(self, before: RuleSet, after: RuleSet, left: Callable[[], float | None] = lambda: None) -> None:
        self.sets = (before, after)
        circuit = Circuit()
        facts = {**before.facts, **after.facts}
        for name in before.facts.keys() & after.facts.keys():
            facts[name] = _merged(before.facts[name], after.facts[name])
        rules = [*before.rules, *after.rules]
        self.space = Space(circuit, facts, [rule.when for rule in rules])
        self.periods = Periods(circuit, rules)
        self.before = Outcomes(self.space, self.periods, before)
        self.after = Outcomes(self.space, self.periods, after)
        self.asked_before, self.asked_after = Asking(self.before), Asking(self.after)
        self.solver = Solver(circuit, left)
        self.witnesses = Witnesses(self.space, self.periods, self.sets, self.solver)
        self.changed = _changed(before, after)

    @property
    def circuit(self) -> Circuit:
        """Where the formulas of both are."""
        return self.space.circuit

    def topics(self) -> list[Topic]:
        """Every topic of either, in order."""
        found = {*topics_in(self.before), *topics_in(self.after)}
        return sorted(found, key=lambda topic: (topic.sort, str(topic.key)))

    def touched(self) -> set[Topic]:
        """The topics in which a rule has a say that is not the same in both. Of all others the outcome is the same."""
        return {
            topic
            for outcomes in (self.before, self.after)
            for place, rule in enumerate(outcomes.rules.rules)
            if rule.id in self.changed
            for topic in topics_of(outcomes, place)
        }

    def shown(self, what: str, differs: Callable[[Decision, Decision], bool], *formulas: Formula) -> Shown:
        """The smallest event for which these hold: the solver's last answer was that they can.

        Raises `NotConfirmed` where the engine decides it alike by both.
        """
        witness = self.witnesses.smallest(*formulas)
        before, after = (decide(rules, witness.facts) for rules in self.sets)
        if not differs(before, after):
            raise NotConfirmed(what, witness)
        return Shown(witness, before, after)


def declared_otherwise(before: RuleSet, after: RuleSet) -> list[str]:
    """Facts to which the same event may give another value by the other rule set: proofs start from facts."""
    both = before.facts.keys() & after.facts.keys()
    return sorted(
        name
        for name in both
        if (before.facts[name].type, before.facts[name].source, before.facts[name].unstated)
        != (after.facts[name].type, after.facts[name].source, after.facts[name].unstated)
    )


def _changed(before: RuleSet, after: RuleSet) -> frozenset[str]:
    """The rules that are not the same in both, or in one only. Where `otherwise` changed, all are looked at."""
    one, other = ({rule.id: rule for rule in rules.rules} for rules in (before, after))
    every = one.keys() | other.keys()
    if before.otherwise != after.otherwise:
        return frozenset(every)
    return frozenset(name for name in every if one.get(name) != other.get(name))


def _merged(one: Fact, other: Fact) -> Fact:
    """A fact with all values that either knows, stated by all that either takes it from."""
    if one == other:
        return other
    source = other.source
    if isinstance(one.source, FromEvent) and isinstance(source, FromEvent):
        fields = tuple(dict.fromkeys((*one.source.fields, *source.fields)))
        source = replace(source, fields=fields, remembered=one.source.remembered or source.remembered)
    known = one if one.unstated == "unknown" else other
    return replace(other, type=_merged_type(one, other), source=source, unstated=known.unstated)


def _merged_type(one: Fact, other: Fact) -> FactType:
    match one.type, other.type:
        case WholeNumber(), WholeNumber():
            return WholeNumber(min(one.type.low, other.type.low), max(one.type.high, other.type.high))
        case SetOf(), SetOf():
            return SetOf(_together(one.type.values, other.type.values))
        case Choice(), Choice() if one.type == other.type or not (one.type.ordered or other.type.ordered):
            return Choice(_together(one.type.values, other.type.values), one.type.ordered)
    if one.type != other.type:
        raise NotComparable(one.name, one, other)
    return other.type


def _together(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))
