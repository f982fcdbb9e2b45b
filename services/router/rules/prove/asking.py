"""What is asked, and where nothing at all would be done: the same as `decide.py` says, for all events at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.router.rules.decide import most_urgent
from services.router.rules.due import Due
from services.router.rules.prove.circuit import FALSE, Formula
from services.router.rules.prove.outcome import Outcomes
from services.router.rules.prove.traits import changed_by, topics_of
from services.router.rules.prove.world import World, hanging


class Asking:
    """The questions of a rule set, in one world. `matters` is worked out rule by rule, as it is asked for."""

    def __init__(self, outcomes: Outcomes, world: World | None = None) -> None:
        self.outcomes = outcomes
        self.world = world or outcomes.world
        self._matters: dict[int, Formula] = {}
        self._hanging: dict[int, dict[str, Formula]] = {}

    def matters(self, place: int) -> Formula:
        """The rule hangs on an unknown, and if it held, something else would be done than without it.

        A floor that acts already is held against what is certain.
        """
        found = self._matters.get(place)
        if found is None:
            found = self._matters[place] = self._made(place)
        return found

    def _made(self, place: int) -> Formula:
        rule = self.outcomes.rules.rules[place]
        unsure = self.world.standing(place).unsure
        if rule.if_unknown == "note" or unsure == FALSE:
            return FALSE
        base = self.world.certain_only() if rule.if_unknown == "act" else self.world
        # Whether it hangs or not, without itself it does nothing in the base: it is unsure there, and no more.
        topics = topics_of(self.outcomes, place)
        with_it = base.with_certain(place)
        changes = changed_by(self.outcomes, topics, base, with_it, also_held_back=False)
        return self.outcomes.circuit.every((unsure, changes))

    def hanging(self, place: int) -> dict[str, Formula]:
        """Of each fact that the rule can hang on: it does."""
        found = self._hanging.get(place)
        if found is None:
            when = self.outcomes.rules.rules[place].when
            found = self._hanging[place] = hanging(self.outcomes.space, when)
        return found

    def asked(
        self, fact: str, which: Callable[[Due], bool] = lambda _: True, among: Iterable[int] | None = None
    ) -> Formula:
        """The fact is asked for, by a rule (of those at some places) whose most urgent due is such."""
        rules, circuit = self.outcomes.rules, self.outcomes.circuit
        found = []
        for place in range(len(rules.rules)) if among is None else sorted(among):
            hangs = self.hanging(place).get(fact, FALSE)
            if hangs != FALSE and which(most_urgent(rules.rules[place], rules.otherwise.review.due)):
                found.append(circuit.every((hangs, self.matters(place))))
        return circuit.some(found)

    def anything(self, among: Iterable[int] | None = None) -> Formula:
        """Something is asked (by a rule at one of these places)."""
        places = range(len(self.outcomes.rules.rules)) if among is None else sorted(among)
        return self.outcomes.circuit.some(self.matters(place) for place in places)

    def facts(self) -> list[str]:
        """The facts that can be asked for, sorted."""
        places = range(len(self.outcomes.rules.rules))
        return sorted({fact for place in places for fact in self.hanging(place)})


def does_something(outcomes: Outcomes, world: World) -> Formula:
    """Something is done, put to a human, or rightly left alone. What was only held back is none of these."""
    circuit = outcomes.circuit
    # An offer and a resume that meet are a review, so that one of them being asked for is enough.
    done = [
        world.on(circuit, place)
        for (part, _), wanted in outcomes.asked_for.items()
        if part not in ("ordinary", "records")
        for place, _ in wanted
    ]
    ordinary = [str(key) for part, key in outcomes.asked_for if part == "ordinary"]
    done += [outcomes.ordinary(world, destination) for destination in ordinary]
    records = [outcomes.wanted(world, "records", key) for part, key in outcomes.asked_for if part == "records"]
    held_back = circuit.some(outcomes.held_back(world, destination) for destination in ordinary)
    return circuit.some((*done, circuit.every((circuit.some(records), -held_back))))


def falls_silent(asking: Asking) -> Formula:
    """No rule says what to do, and nothing is asked: the review under `otherwise` is opened."""
    something = does_something(asking.outcomes, asking.world)
    return asking.outcomes.circuit.every((-something, -asking.anything()))
