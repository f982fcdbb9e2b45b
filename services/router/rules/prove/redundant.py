"""Rules whose removal changes nothing, ever: not what is done, not what is held back, not what is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from services.router.rules.decide import most_urgent
from services.router.rules.decision import DUE_PARTS
from services.router.rules.due import Due
from services.router.rules.prove.asking import Asking
from services.router.rules.prove.circuit import FALSE, Formula
from services.router.rules.prove.kinds import kinds_of
from services.router.rules.prove.solver import Found, Solver
from services.router.rules.prove.traits import changed_by, topics_of
from services.router.rules.prove.world import World


class Redundancy:
    """Answers for one rule set."""

    def __init__(self, asking: Asking, solver: Solver) -> None:
        self.asking = asking
        self.outcomes = asking.outcomes
        self.circuit = asking.outcomes.circuit
        self.solver = solver
        self._kinds = [kinds_of(rule) for rule in self.outcomes.rules.rules]
        self._sharing: dict[object, list[int]] = {}
        for place in range(len(self.outcomes.rules.rules)):
            for topic in topics_of(self.outcomes, place):
                self._sharing.setdefault(topic, []).append(place)

    def matters(self, place: int) -> Found:
        """Is there an event for which something is done, held back or asked otherwise without the rule?"""
        world = self.outcomes.world
        acts = self.solver.can(self._otherwise(place, world, world.without(place)))
        return acts if acts != "no" else self._asks_otherwise(place)

    def covered_by(self, place: int) -> list[str] | None:
        """The rules that make this one redundant: a few, none of which could be missed. None: not decided."""
        beside = self._beside(place)
        on = self.outcomes.world.on(self.circuit, place)
        always = [each for each in beside if self.solver.can(on, -self.outcomes.world.on(self.circuit, each)) == "no"]
        for pool in (always, beside):
            answer = self._without_others(place, beside, pool)
            if answer == "not decided":
                return None
            if answer == "no":
                found = self._fewest(place, beside, [], pool)
                return None if found is None else [self.outcomes.rules.rules[each].id for each in sorted(found)]
        return None

    def _fewest(self, place: int, beside: list[int], kept: list[int], pool: list[int]) -> list[int] | None:
        """Of a pool that covers the rule together with what is kept, a few that do: halves that can go, go whole."""
        answer = self._without_others(place, beside, kept)
        if answer != "yes":
            return [] if answer == "no" else None
        if len(pool) == 1:
            return pool
        first, second = pool[: len(pool) // 2], pool[len(pool) // 2 :]
        of_second = self._fewest(place, beside, [*kept, *first], second)
        of_first = None if of_second is None else self._fewest(place, beside, [*kept, *of_second], first)
        return None if of_first is None or of_second is None else [*of_first, *of_second]

    def _without_others(self, place: int, beside: list[int], pool: list[int]) -> Found:
        """Would the rule change something if of the rules beside it there were only these?"""
        world = self.outcomes.world.without(*(each for each in beside if each not in pool))
        return self.solver.can(self._otherwise(place, world, world.without(place)))

    def _beside(self, place: int) -> list[int]:
        """The rules that can have a say, for the same event, in what this one has a say in."""
        topics, kinds = topics_of(self.outcomes, place), self._kinds[place]
        near = {other for topic in topics for other in self._sharing[topic]} - {place}
        return sorted(other for other in near if self._kinds[other] & kinds)

    def _otherwise(self, place: int, one: World, other: World) -> Formula:
        topics = topics_of(self.outcomes, place)
        on = one.on(self.circuit, place)
        return self.circuit.every((on, changed_by(self.outcomes, topics, one, other, also_held_back=True)))

    def _asks_otherwise(self, place: int) -> Found:
        """Can a question be asked otherwise without the rule, which is known to do nothing of its own?

        Its own questions, which nobody else asks as soon; and those of other rules, where they turn on it.
        """
        after = Asking(self.outcomes, self.outcomes.world.without(place))
        for formula in (*self._own_questions(place, after), *self._questions_of_others(place, after)):
            answer = self.solver.can(formula)
            if answer != "no":
                return answer
        return "no"

    def _own_questions(self, place: int, after: Asking) -> Iterator[Formula]:
        matters = self.asking.matters(place)
        if matters == FALSE:
            return
        due = most_urgent(self.outcomes.rules.rules[place], self.outcomes.rules.otherwise.review.due)
        for fact, hangs in self.asking.hanging(place).items():
            for as_soon in _as_soon(due):
                yield self.circuit.every((hangs, matters, -after.asked(fact, as_soon)))

    def _questions_of_others(self, place: int, after: Asking) -> Iterator[Formula]:
        on = self.outcomes.world.on(self.circuit, place)
        for other in self._beside(place):
            if self.solver.can(on, self.outcomes.world.standing(other).unsure) != "no":
                yield self.circuit.differ(self.asking.matters(other), after.matters(other))


def _as_soon(due: Due) -> list[Callable[[Due], bool]]:
    """By each way in which a due time is said: as soon as this, or sooner."""
    return [_by(name, number) for name in DUE_PARTS if (number := getattr(due, name)) is not None]


def _by(name: str, level: int) -> Callable[[Due], bool]:
    def is_by(due: Due) -> bool:
        number = getattr(due, name)
        return number is not None and number <= level

    return is_by
