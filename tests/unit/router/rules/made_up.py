"""Rule sets and events made up by a seeded chance, quickly and many: every test, action and way to be unknown."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from services.router.rules.declarations import Choice as ChoiceOf
from services.router.rules.declarations import CountWithin, Fact, FromEvent, KindOfEvent, SetOf, WholeNumber, YesNo
from services.router.rules.due import Due
from services.router.rules.events import EventKind
from services.router.rules.extract import EXAMPLE
from services.router.rules.facts import Facts
from services.router.rules.language import (
    Action,
    All,
    Any,
    AtLeast,
    AtMost,
    Condition,
    Escalate,
    FactValue,
    Has,
    Hold,
    IfUnknown,
    In,
    Is,
    Known,
    Not,
    Notify,
    OfferPause,
    Priority,
    ProposeResume,
    Record,
    Review,
    Role,
    Route,
    Rule,
    Withhold,
)
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.small_rule_set import load
from tests.unit.router.rules.strategies import DESTINATIONS, TYPES

KINDS = (EventKind.REFERRAL, EventKind.RELAPSE, EventKind.THREAT)
WEEK, MONTH = CountWithin((EventKind.RELAPSE,), 7), CountWithin((EventKind.RELAPSE, EventKind.THREAT), 28)
STATED = FromEvent((), remembered=True)  # by any event, or by none
FACTS: dict[str, Fact] = {
    "event": Fact("event", "Kind.", ChoiceOf(tuple(kind.value for kind in EventKind)), KindOfEvent(), ask=""),
    **{name: Fact(name, "A fact.", kind, STATED, ask=f"What is {name}?") for name, kind in TYPES.items()},
    "week": Fact("week", "A count.", WholeNumber(0, 9), WEEK, ask=""),
    "month": Fact("month", "A count of more.", WholeNumber(0, 9), MONTH, ask=""),
}
FIRST_DAY = date(2026, 3, 2)
DAYS = 9


@cache
def _small() -> RuleSet:
    with TemporaryDirectory() as folder:
        return load(Path(folder))


def rule_set(rules: Sequence[Rule]) -> RuleSet:
    """These rules over the made up facts."""
    return replace(_small(), facts=FACTS, rules=tuple(sorted(rules, key=lambda rule: rule.id)))


class Chance:
    """Draws what it is asked for; the same seed draws the same."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def condition(self, depth: int = 3) -> Condition:
        """A tree of tests, some levels deep."""
        draw = self.random
        shape = draw.choice(("test", "test", "all", "any", "not")) if depth else "test"
        if shape == "test":
            return self.test()
        if shape == "not":
            return Not(self.condition(depth - 1))
        parts = tuple(self.condition(depth - 1) for _ in range(draw.randint(1, 3)))
        return All(parts) if shape == "all" else Any(parts)

    def test(self) -> Condition:
        """One test of one fact."""
        draw = self.random
        name = draw.choice([*FACTS])
        if draw.random() < 0.12:
            return Known(name)
        match FACTS[name].type:
            case YesNo():
                return Is(name, draw.random() < 0.5)
            case WholeNumber(low, high):
                return self._bound(name, draw.randint(low, min(high, 5)))
            case ChoiceOf(values, ordered):
                if ordered and draw.random() < 0.6:
                    return self._bound(name, draw.choice(values))
                return In(name, self._some([kind.value for kind in KINDS] if name == "event" else values))
            case SetOf(values):
                return Has(name, self._some(values), "all" if draw.random() < 0.5 else "any")

    def _bound(self, name: str, bound: int | str) -> Condition:
        return AtLeast(name, bound) if self.random.random() < 0.5 else AtMost(name, bound)

    def _some(self, values: Sequence[str]) -> tuple[str, ...]:
        return tuple(sorted(self.random.sample(list(values), self.random.randint(1, len(values) - 1))))

    def event(self) -> Facts:
        """An event that there can be: counts keep to one another, and any other fact may be unknown."""
        draw = self.random
        kind = draw.choice(KINDS)
        values: dict[str, FactValue] = {"event": kind.value}
        for name, fact_type in TYPES.items():
            values[name] = None if draw.random() < 0.25 else self._value(fact_type)
        values["week"] = draw.randint(int(kind in WEEK.kinds), 5)
        values["month"] = draw.randint(max(int(str(values["week"])), int(kind in MONTH.kinds)), 9)
        day = FIRST_DAY + timedelta(days=draw.randint(0, DAYS))
        return Facts(values, dict.fromkeys(values, EXAMPLE), day)

    def _value(self, kind: object) -> FactValue:
        draw = self.random
        match kind:
            case YesNo():
                return draw.random() < 0.5
            case WholeNumber(low, high):
                return draw.randint(low, high)
            case ChoiceOf(values):
                return draw.choice(values)
            case SetOf(values):
                return frozenset(value for value in values if draw.random() < 0.5)
        raise TypeError(kind)

    def rules(self, most: int = 8) -> list[Rule]:
        """Some rules, floors, dated ones and ones that act or only note on the unknown among them."""
        return [self._rule(f"rule-{number}") for number in range(self.random.randint(2, most))]

    def _rule(self, name: str) -> Rule:
        draw = self.random
        floor, first, last = draw.random() < 0.35, None, None
        if draw.random() < 0.25:
            first = FIRST_DAY + timedelta(days=draw.randint(0, DAYS))
        if draw.random() < 0.2:
            last = (first or FIRST_DAY) + timedelta(days=draw.randint(0, DAYS))
        actions = {self.action() for _ in range(draw.randint(1, 3))}
        if_unknown: IfUnknown = draw.choice(("ask", "act")) if floor else draw.choice(("ask", "ask", "note"))
        if if_unknown == "act" and draw.random() < 0.5:
            actions.add(Withhold(DESTINATIONS[:3]))
        return Rule(
            name,
            f"Reason of {name}.",
            self.condition(2),
            tuple(sorted(actions, key=str)),
            if_unknown,
            "floor" if floor else "ordinary",
            first,
            last,
        )

    def action(self) -> Action:
        """One thing that a rule asks for; few of each, so that rules meet."""
        draw = self.random
        where, due, role = draw.choice(DESTINATIONS[:3]), self._due(), draw.choice(list(Role)[:2])
        match draw.randint(0, 10):
            case 0 | 1 | 2:
                return Route(where, cast(Priority, draw.randint(1, 4)), due, draw.choice(("human", None, None)))
            case 3:
                return OfferPause(DESTINATIONS[0], draw.choice((7, 28)), draw.choice((1, 7)), due)
            case 4:
                return ProposeResume(DESTINATIONS[0])
            case 5:
                return Hold(draw.choice(("Call.", "Wait.")), due)
            case 6:
                return Review(draw.choice(("Well?", "Why?", "Pause or resume dapp?")), Role.CASE_MANAGER, due)
            case 7:
                return Notify(where, "Changed.")
            case 8:
                return Escalate(role, due)
            case 9:
                return Record(draw.choice(("Noted.", "Seen.")))
            case _:
                return Withhold(tuple(sorted({where, draw.choice(DESTINATIONS[:3])})))

    def _due(self) -> Due:
        draw = self.random
        return draw.choice((Due(hours=draw.randint(1, 4)), Due(working_days=draw.randint(1, 2)), Due(working_hours=4)))
