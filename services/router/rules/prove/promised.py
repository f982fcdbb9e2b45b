"""Promises as formulas: where what was promised is so. The same as `promises.is_so`, for all events at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from services.router.rules.decision import RouteDecided
from services.router.rules.due import Due
from services.router.rules.language import Role
from services.router.rules.promises import (
    Asked,
    Each,
    Either,
    Escalated,
    HeldBack,
    Invariant,
    NotSo,
    Offered,
    Outcome,
    Resumed,
    Reviewed,
    Routed,
    Silent,
    Tasked,
    Told,
    in_time,
)
from services.router.rules.prove.asking import Asking, falls_silent
from services.router.rules.prove.circuit import TRUE, Formula
from services.router.rules.prove.outcome import Item, Which, every_item
from services.router.rules.prove.traits import due_in, sent_at_once


class Promised:
    """Promises about one rule set."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self.outcomes = asking.outcomes
        self.world = asking.world
        self._silent: Formula | None = None

    def given(self, invariant: Invariant) -> Formula:
        """What the promise is about certainly holds."""
        return self.outcomes.space.rails(invariant.given).certain

    def broken(self, invariant: Invariant) -> Formula:
        """The promise is about this event, and is not kept."""
        return self.outcomes.circuit.every((self.given(invariant), -self.so(invariant.outcome)))

    def so(self, outcome: Outcome) -> Formula:
        """The outcome is so."""
        circuit = self.outcomes.circuit
        match outcome:
            case Each(parts):
                return circuit.every(self.so(part) for part in parts)
            case Either(parts):
                return circuit.some(self.so(part) for part in parts)
            case NotSo(part):
                return -self.so(part)
            case HeldBack() | Offered() | Resumed() | Told():
                return circuit.some(self._of_destination(outcome))
            case _:
                return self._done(outcome)

    def _of_destination(self, outcome: HeldBack | Offered | Resumed | Told) -> list[Formula]:
        made, world, names = self.outcomes, self.world, outcome.destinations
        match outcome:
            case HeldBack():
                return [made.held_back(world, name) for name in names]
            case Offered():
                return [made.offered(world, name) for name in names]
            case Resumed():
                return [made.resumed(world, name) for name in names]
            case Told():
                notices = [(part, key) for part, key in made.asked_for if _tells(part, key, names)]
                told = [made.wanted(world, part, key) for part, key in notices]
                return [*told, *(made.routed(world, name) for name in names)]

    def _done(self, outcome: Routed | Escalated | Reviewed | Tasked | Asked | Silent) -> Formula:
        made, world, some = self.outcomes, self.world, self.outcomes.circuit.some
        match outcome:
            case Routed(names):
                return some(self._routed(name, outcome) for name in names)
            case Escalated(roles, within):
                return some(made.wanted(world, "escalations", role, self._soon(within)) for role in roles)
            case Reviewed(roles, within):
                return some(self._reviews(roles, within))
            case Tasked():
                return some(made.wanted(world, "holds", key) for part, key in made.asked_for if part == "holds")
            case Asked(facts):
                return some(self.asking.asked(fact) for fact in facts)
            case Silent():
                return self.silent()

    def silent(self) -> Formula:
        """Nothing is done, and nothing asked."""
        if self._silent is None:
            self._silent = falls_silent(self.asking)
        return self._silent

    def _routed(self, destination: str, wanted: Routed) -> Formula:
        made, world = self.outcomes, self.world
        floor = made.wanted(world, "floors", destination)
        at_once = made.routed(world, destination, sent_at_once)
        tier = {None: TRUE, "floor": floor, "ordinary": -floor}[wanted.tier]
        confirmed = {None: TRUE, True: -at_once, False: at_once}[wanted.confirmed]
        urgent = made.routed(world, destination, _as_urgent(wanted.priority))
        soon = made.routed(world, destination, self._soon(wanted.within))
        return made.circuit.every((made.routed(world, destination), urgent, soon, tier, confirmed))

    def _reviews(self, roles: Iterable[Role], within: Due | None) -> Iterable[Formula]:
        made, soon = self.outcomes, self._soon(within)
        keys = {key for part, key in made.asked_for if part == "reviews"}
        keys |= {(item.question, item.role) for item in map(made.clash_review, made.both_ways)}
        for key in sorted(keys, key=str):
            if cast("tuple[str, Role]", key)[1] in roles:
                yield made.reviewed(self.world, key, soon)
        review = made.rules.otherwise.review
        if review.role in roles and in_time(review.due, within, made.rules.calendar):
            yield self.silent()

    def _soon(self, within: Due | None) -> Which:
        if within is None:
            return every_item
        calendar = self.outcomes.rules.calendar

        def which(item: Item) -> bool:
            due = due_in(item)
            return due is not None and in_time(due, within, calendar)

        return which


def _as_urgent(priority: int | None) -> Which:
    if priority is None:
        return every_item
    return lambda item: isinstance(item, RouteDecided) and item.priority <= priority


def _tells(part: str, key: object, names: tuple[str, ...]) -> bool:
    return part == "notifies" and cast("tuple[str, str]", key)[0] in names
