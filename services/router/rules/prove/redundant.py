"""Rules whose removal changes nothing, ever: not what is done, not what is held back, not what is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.router.rules.decide import most_urgent
from services.router.rules.decision import DUE_PARTS
from services.router.rules.due import Due
from services.router.rules.prove.asking import Asking, falls_silent
from services.router.rules.prove.circuit import Formula
from services.router.rules.prove.solver import Found, Solver
from services.router.rules.prove.traits import changed_by, topics_of
from services.router.rules.prove.world import World


class Redundancy:
    """Answers for one rule set."""

    def __init__(self, asking: Asking, solver: Solver) -> None:
        self.asking = asking
        self.outcomes = asking.outcomes
        self.solver = solver
        self._sharing: dict[object, list[int]] = {}
        for place in range(len(self.outcomes.rules.rules)):
            for topic in topics_of(self.outcomes, place):
                self._sharing.setdefault(topic, []).append(place)

    def matters(self, place: int) -> Found:
        """Is there an event for which something is done, held back or asked otherwise without the rule?"""
        acts = self.solver.can(self._acts_otherwise(place, self.outcomes.world.without(place)))
        if acts != "no":
            return acts
        return self.solver.can(self._asks_otherwise(place))

    def covered_by(self, place: int) -> list[str] | None:
        """The rules that make this one redundant: a few, none of which could be missed. None: not decided."""
        needed = self._beside(place)
        for other in list(needed):
            fewer = [each for each in needed if each != other]
            away = [each for each in self._beside(place) if each not in fewer]
            world = self.outcomes.world.without(*away)
            answer = self.solver.can(self._otherwise(place, world, world.without(place)))
            if answer == "not decided":
                return None
            if answer == "no":
                needed = fewer
        return [self.outcomes.rules.rules[each].id for each in needed]

    def _beside(self, place: int) -> list[int]:
        """The rules that have a say in what this one has a say in."""
        topics = topics_of(self.outcomes, place)
        return sorted({other for topic in topics for other in self._sharing[topic]} - {place})

    def _acts_otherwise(self, place: int, without: World) -> Formula:
        return self._otherwise(place, self.outcomes.world, without)

    def _otherwise(self, place: int, one: World, other: World) -> Formula:
        topics = topics_of(self.outcomes, place)
        on = one.on(self.outcomes.circuit, place)
        changed = changed_by(self.outcomes, topics, one, other, also_held_back=True)
        return self.outcomes.circuit.every((on, changed))

    def _asks_otherwise(self, place: int) -> Formula:
        """Some question is asked otherwise, or silence falls, without the rule."""
        before, after = self.asking, Asking(self.outcomes, self.outcomes.world.without(place))
        near = {place, *self._beside(place)}
        facts = sorted({fact for each in near for fact in before.hanging(each)})
        circuit = self.outcomes.circuit
        silence = circuit.differ(falls_silent(before), falls_silent(after))
        return circuit.some((silence, *self._questions_differ(before, after, facts, near)))

    def _questions_differ(
        self, before: Asking, after: Asking, facts: Iterable[str], near: set[int]
    ) -> Iterable[Formula]:
        rules, circuit = self.outcomes.rules, self.outcomes.circuit
        dues = {most_urgent(rules.rules[each], rules.otherwise.review.due) for each in near}
        for fact in facts:
            if all(before.matters(each) == after.matters(each) for each in near if fact in before.hanging(each)):
                continue
            yield circuit.differ(before.asked(fact), after.asked(fact))
            for name in DUE_PARTS:
                for level in sorted({number for due in dues if (number := getattr(due, name)) is not None}):
                    soon = _soon(name, level)
                    yield circuit.differ(before.asked(fact, soon), after.asked(fact, soon))


def _soon(name: str, level: int) -> Callable[[Due], bool]:
    def is_so(due: Due) -> bool:
        number = getattr(due, name)
        return number is not None and number <= level

    return is_so
