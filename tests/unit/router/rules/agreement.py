"""The readings held against one another: what decide, the proof and CEL each make of the same event.

The modules of the proof are looked up when they are needed, so that a test can plant a mistake in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from services.router.rules.compile import compile_matchers
from services.router.rules.decide import decide, most_urgent
from services.router.rules.decision import DUE_PARTS, Decision
from services.router.rules.due import Due
from services.router.rules.facts import Facts
from services.router.rules.language import Rule
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.cel import judged
from tests.unit.router.rules.made_up import FACTS, Chance, rule_set
from tests.unit.router.rules.naive import NO, UNKNOWN, YES

Compile = Callable[..., Mapping[str, Callable[..., tuple[list[int], list[int]]]]]
PARTS = {"hold": "holds", "notify": "notifies", "escalate": "escalations", "record": "records", "review": "reviews"}


def proof(name: str) -> Any:
    """A module of the proof, as it is now."""
    return import_module(f"services.router.rules.prove.{name}")


def verdicts(rules: Sequence[Rule], event: Facts, compiled: Compile = compile_matchers) -> list[int]:
    """What the code that decides makes of each rule's condition."""
    kind = str(event.values["event"])
    certain, unsure = compiled(rules, FACTS, [kind])[kind](event.values)
    return [YES if place in certain else UNKNOWN if place in unsure else NO for place in range(len(rules))]


def cel_verdicts(rules: Sequence[Rule], event: Facts) -> list[int]:
    """What Google's engine makes of each rule's condition."""
    return [judged(rule.when, FACTS, event.values) for rule in rules]


class Proved:
    """The proof's view of one rule set."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.made = proof("proofs").Proofs(rules)
        self.circuit = self.made.space.circuit

    def event(self, facts: Facts) -> list[int]:
        """An event, as formulas that say which it is."""
        periods, space = self.made.periods, self.made.space
        days = [v if start <= facts.day else -v for start, v in zip(periods.starts, periods.from_start, strict=True)]
        return [*days, *(space.is_value(name, facts.values[name]) for name in space.named)]

    def variables(self, facts: Facts) -> dict[int, bool]:
        """An event, as what every variable is."""
        periods = self.made.periods
        days = {v: start <= facts.day for start, v in zip(periods.starts, periods.from_start, strict=True)}
        return {1: True, **proof("witness").variables_for(self.made.space, facts.values), **days}

    def not_as(self, expected: Sequence[int]) -> int:
        """Some rule's condition does not come out like this."""
        wrong = []
        for rule, verdict in zip(self.rules.rules, expected, strict=True):
            rails = self.made.space.rails(rule.when)
            wrong += [rails.certain if verdict != YES else -rails.certain]
            wrong += [rails.possible if verdict == NO else -rails.possible]
        return int(self.circuit.some(wrong))

    def differences(self, event: Facts) -> Iterator[str]:
        """What the proof says otherwise of an event than the engine decided."""
        decision, shown = decide(self.rules, event), self.variables(event)
        for clause in self.circuit.facts:
            if not self.circuit.value(self.circuit.some(clause), shown):
                yield "the proof takes the event to be impossible"
        traits, outcomes = proof("traits"), self.made.outcomes
        for topic in traits.topics_in(outcomes):
            for trait in traits.traits_of(outcomes, outcomes.world, topic):
                if self.circuit.value(trait.so, shown) is not is_so(decision, self.rules, topic, trait):
                    yield f"{topic}: {trait.name} {trait.level}"
        yield from self._questions_differ(decision, shown)
        silent = any(review.question == self.rules.otherwise.review.question for review in decision.reviews)
        if self.circuit.value(self.made.promised.silent(), shown) is not silent:
            yield "silence"

    def _questions_differ(self, decision: Decision, shown: Mapping[int, bool]) -> Iterator[str]:
        asking = self.made.asking
        for fact in FACTS:
            asked = [question for question in decision.questions if question.fact == fact]
            if self.circuit.value(asking.asked(fact), shown) is not bool(asked):
                yield f"asked for {fact}"
            for name, level, soon in _thresholds(self.rules):
                wanted = any(_soon(question.due, name, level) for question in asked)
                if self.circuit.value(asking.asked(fact, soon), shown) is not wanted:
                    yield f"asked for {fact} by {level} {name}"


def is_so(decision: Decision, rules: RuleSet, topic: Any, trait: Any) -> bool:
    """What an outcome's trait is, in a decision."""
    if topic.sort == "withheld":
        return any(w.destination == topic.key and w.priority <= trait.level for w in decision.withheld)
    if topic.sort == "pause":
        return _pause_is_so(decision, rules, topic, trait)
    if topic.sort == "route":
        items: list[Any] = [route for route in decision.routes if route.destination == topic.key]
    else:
        items = [item for item in getattr(decision, PARTS[topic.sort]) if _key(topic.sort, item) == topic.key]
    return any(_trait_is_so(item, trait) for item in items)


def _trait_is_so(item: Any, trait: Any) -> bool:
    match trait.name:
        case "done":
            return True
        case "priority":
            return bool(item.priority <= trait.level)
        case "floor":
            return bool(item.tier == "floor")
        case "at once":
            return item.confirm is None
    return _soon(item.due, trait.name, trait.level)


def _pause_is_so(decision: Decision, rules: RuleSet, topic: Any, trait: Any) -> bool:
    offers = [offer for offer in decision.offers if offer.destination == topic.key]
    match trait.name:
        case "done":
            return bool(offers)
        case "days":
            return any(offer.for_days >= trait.level for offer in offers)
        case "checks":
            return any(offer.welfare_check_days <= trait.level for offer in offers)
        case "resume":
            return any(resume.destination == topic.key for resume in decision.resumes)
        case "clash":
            asked = {a for m in decision.matched for r in rules.rules if r.id == m.rule for a in map(_pauses, r.then)}
            return {(topic.key, "OfferPause"), (topic.key, "ProposeResume")} <= asked
    return any(_soon(offer.answer_within, trait.name, trait.level) for offer in offers)


def _pauses(action: Any) -> tuple[str, str]:
    return (getattr(action, "destination", ""), type(action).__name__)


def _key(sort: str, item: Any) -> object:
    match sort:
        case "hold" | "record":
            return item.text
        case "notify":
            return (item.destination, item.what)
        case "review":
            return (item.question, item.role)
    return item.role


def _soon(due: Due, name: str, level: int) -> bool:
    number = getattr(due, name)
    return number is not None and number <= level


def _thresholds(rules: RuleSet) -> Iterator[tuple[str, int, Callable[[Due], bool]]]:
    dues = {most_urgent(rule, rules.otherwise.review.due) for rule in rules.rules}
    for name in DUE_PARTS:
        for level in sorted({number for due in dues if (number := getattr(due, name)) is not None}):
            yield name, level, lambda due, name=name, level=level: _soon(due, name, level)  # type: ignore[misc]


def made_up(seed: int, events: int) -> tuple[RuleSet, list[Facts]]:
    """One rule set and events for it."""
    chance = Chance(seed)
    return rule_set(chance.rules()), [chance.event() for _ in range(events)]
