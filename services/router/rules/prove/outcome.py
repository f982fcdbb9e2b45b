"""What a rule set does, as formulas: the same combining as `combine.py`, for all events at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from services.router.rules.decision import ReviewDecided
from services.router.rules.prove.circuit import Circuit, Formula
from services.router.rules.prove.space import Space
from services.router.rules.prove.world import Periods, World, world_of
from services.router.rules.ruleset import RuleSet

Item: TypeAlias = tuple[object, ...]  # a part of a decision, as the rules' wishes hold it
Which: TypeAlias = Callable[[Item], bool]


def every_item(item: Item) -> bool:
    """Whatever it is like."""
    return item is not None


class Outcomes:
    """What one rule set does, in this world (`world`) or in one that differs in a rule."""

    def __init__(self, space: Space, periods: Periods, rules: RuleSet) -> None:
        self.space = space
        self.circuit: Circuit = space.circuit
        self.rules = rules
        self.periods = periods
        self.world = world_of(space, periods, rules.rules)
        self.asked_for: dict[tuple[str, object], list[tuple[int, Item]]] = {}
        self.withholders: dict[str, list[int]] = {}
        for place, wishes in enumerate(rules.wishes):
            for wish in wishes.wishes:
                self.asked_for.setdefault((wish.part, wish.key), []).append((place, wish.item))
            for destination in wishes.withholds:
                self.withholders.setdefault(destination, []).append(place)
        offers = {key for part, key in self.asked_for if part == "offers"}
        resumes = {key for part, key in self.asked_for if part == "resumes"}
        self.both_ways = tuple(sorted(str(key) for key in offers & resumes))  # legs that rules both pause and resume

    def wanted(self, world: World, part: str, key: object, which: Which = every_item) -> Formula:
        """Some rule that is acted on asks for this, in such a way."""
        there = self.asked_for.get((part, key), ())
        return self.circuit.some([world.on(self.circuit, place) for place, item in there if which(item)])

    def withheld(self, world: World, destination: str) -> Formula:
        """Some rule that certainly holds takes back what ordinary rules route there."""
        return self.circuit.some([world.hit(place) for place in self.withholders.get(destination, ())])

    def routed(self, world: World, destination: str, which: Which = every_item) -> Formula:
        """There is a route, and some rule that counts asks for it in such a way."""
        ordinary = self.ordinary(world, destination, which)
        return self.circuit.some((self.wanted(world, "floors", destination, which), ordinary))

    def ordinary(self, world: World, destination: str, which: Which = every_item) -> Formula:
        """An ordinary rule routes there, and no rule takes it back."""
        asked = self.wanted(world, "ordinary", destination, which)
        return self.circuit.every((asked, -self.withheld(world, destination)))

    def held_back(self, world: World, destination: str, which: Which = every_item) -> Formula:
        """An ordinary rule routes there, and a rule takes it back."""
        asked = self.wanted(world, "ordinary", destination, which)
        return self.circuit.every((asked, self.withheld(world, destination)))

    def offered(self, world: World, destination: str, which: Which = every_item) -> Formula:
        """A pause is offered: asked for, and no resume of that leg at once."""
        resume = self.wanted(world, "resumes", destination)
        return self.circuit.every((self.wanted(world, "offers", destination, which), -resume))

    def resumed(self, world: World, destination: str) -> Formula:
        """A resume is proposed: asked for, and no pause of that leg at once."""
        offer = self.wanted(world, "offers", destination)
        return self.circuit.every((self.wanted(world, "resumes", destination), -offer))

    def clash(self, world: World, destination: str) -> Formula:
        """A pause and a resume of one leg at once."""
        both = (self.wanted(world, part, destination) for part in ("offers", "resumes"))
        return self.circuit.every(both)

    def reviewed(self, world: World, key: object, which: Which = every_item) -> Formula:
        """A review is opened: by a rule, or because a pause and a resume meet."""
        met = [
            self.clash(world, destination)
            for destination in self.both_ways
            for item in (self.clash_review(destination),)
            if (item.question, item.role) == key and which(item)
        ]
        return self.circuit.some((self.wanted(world, "reviews", key, which), *met))

    def clash_review(self, destination: str) -> ReviewDecided:
        """The review that stands where a pause and a resume of this leg meet."""
        otherwise = self.rules.otherwise
        question = otherwise.contradiction.replace("{destination}", destination)
        return ReviewDecided(question, otherwise.review.role, otherwise.review.due, ())
