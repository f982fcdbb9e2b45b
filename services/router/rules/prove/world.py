"""Which rules hold and which hang on an unknown, as formulas; and worlds that differ from this in a rule or two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise

from services.router.rules.language import All, Any, Condition, Not, Rule, Test
from services.router.rules.prove.circuit import FALSE, TRUE, Circuit, Formula
from services.router.rules.prove.space import Rails, Space


class Periods:
    """The days, as far as rules come into force or go out of it: a ladder with a rung for each stretch of days."""

    def __init__(self, circuit: Circuit, rules: Iterable[Rule]) -> None:
        firsts = {rule.from_day for rule in rules if rule.from_day is not None}
        after = {rule.until_day + timedelta(days=1) for rule in rules if rule.until_day is not None}
        self.starts: tuple[date, ...] = tuple(sorted(firsts | after))  # the first stretch is what comes before these
        self.from_start = tuple(circuit.variable() for _ in self.starts)
        self._circuit = circuit
        for earlier, later in pairwise(self.from_start):
            circuit.holds_always(-later, earlier)

    def in_force(self, rule: Rule) -> Formula:
        """The day is one on which the rule is in force."""
        begun = TRUE if rule.from_day is None else self.since(rule.from_day)
        over = FALSE if rule.until_day is None else self.since(rule.until_day + timedelta(days=1))
        return self._circuit.every((begun, -over))

    def since(self, day: date) -> Formula:
        """The day is this one or a later one; where nothing changes between two days they are one."""
        reached = [place for place, start in enumerate(self.starts) if start <= day]
        return self.from_start[reached[-1]] if reached else TRUE

    def day(self, shown: Mapping[Formula, bool], usual: date) -> date:
        """A day of the stretch that was shown; the usual one where it lies there."""
        reached = [start for start, var in zip(self.starts, self.from_start, strict=True) if shown[var]]
        ahead = [start for start, var in zip(self.starts, self.from_start, strict=True) if not shown[var]]
        if reached and usual < reached[-1]:
            return reached[-1]
        return ahead[0] - timedelta(days=1) if ahead and usual >= ahead[0] else usual


@dataclass(frozen=True, slots=True)
class Standing:
    """How one rule stands: it certainly holds, or it hangs on an unknown."""

    hit: Formula
    unsure: Formula


@dataclass(frozen=True)
class World:
    """How every rule stands, by place; in which worlds a floor that is unsure acts all the same."""

    standings: tuple[Standing, ...]
    acts: tuple[bool, ...]  # by place: `if_unknown: act`
    acting: bool = True  # no: only what is certain counts
    changed: Mapping[int, Standing] = field(default_factory=dict)

    def hit(self, place: int) -> Formula:
        """The rule certainly holds."""
        return self.standing(place).hit

    def standing(self, place: int) -> Standing:
        """How a rule stands in this world."""
        return self.changed.get(place) or self.standings[place]

    def on(self, circuit: Circuit, place: int) -> Formula:
        """What the rule asks for is done: it holds, or it is a floor that acts on the unknown."""
        standing = self.standing(place)
        if self.acting and self.acts[place]:
            return circuit.some((standing.hit, standing.unsure))
        return standing.hit

    def with_certain(self, place: int) -> World:
        """The same, and this rule certainly holds."""
        return replace(self, changed={**self.changed, place: Standing(TRUE, FALSE)})

    def without(self, *places: int) -> World:
        """The same without these rules."""
        return replace(self, changed={**self.changed, **dict.fromkeys(places, Standing(FALSE, FALSE))})

    def certain_only(self) -> World:
        """The same, and no floor acts on the unknown."""
        return replace(self, acting=False)


def world_of(space: Space, periods: Periods, rules: Iterable[Rule]) -> World:
    """How these rules stand, whatever the event is."""
    circuit, standings, acts = space.circuit, [], []
    for rule in rules:
        rails, now = space.rails(rule.when), periods.in_force(rule)
        hit = circuit.every((now, rails.certain))
        standings.append(Standing(hit, circuit.every((now, rails.possible, -rails.certain))))
        acts.append(rule.if_unknown == "act")
    return World(tuple(standings), tuple(acts))


def hanging(space: Space, condition: Condition) -> dict[str, Formula]:
    """Of each fact: it is unknown, and keeps the condition unknown."""
    found: dict[str, list[Formula]] = {}
    for test, path in _paths(condition, ()):
        unknown = (_unknown(space.circuit, space.rails(node)) for node in path)
        found.setdefault(test.fact, []).append(space.circuit.every(unknown))
    return {name: formula for name, each in found.items() if (formula := space.circuit.some(each)) != FALSE}


def _unknown(circuit: Circuit, rails: Rails) -> Formula:
    return circuit.every((rails.possible, -rails.certain))


def _paths(condition: Condition, above: tuple[Condition, ...]) -> Iterable[tuple[Test, tuple[Condition, ...]]]:
    path = (*above, condition)
    match condition:
        case All(parts) | Any(parts):
            for part in parts:
                yield from _paths(part, path)
        case Not(part):
            yield from _paths(part, path)
        case _:
            yield condition, path


def settled(space: Space, condition: Condition, test: Test, truth: Formula) -> Rails:
    """The rails of a condition in which one test (this very one, not its equals) is taken to be so, or not so."""
    circuit = space.circuit
    match condition:
        case All(parts):
            rails = [settled(space, part, test, truth) for part in parts]
            return Rails(circuit.every(r.certain for r in rails), circuit.every(r.possible for r in rails))
        case Any(parts):
            rails = [settled(space, part, test, truth) for part in parts]
            return Rails(circuit.some(r.certain for r in rails), circuit.some(r.possible for r in rails))
        case Not(part):
            inner = settled(space, part, test, truth)
            return Rails(-inner.possible, -inner.certain)
        case _:
            return Rails(truth, truth) if condition is test else space.rails(condition)
