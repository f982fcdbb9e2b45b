"""`when:` blocks into conditions: names, types, values and ranges are checked against the facts."""

from __future__ import annotations

from collections.abc import Mapping as Names
from dataclasses import dataclass, field, replace

from schemas.vocabulary import LegStatus
from services.router.rules.declarations import Choice, Fact, FactType, LegOfEvent, SetOf, WholeNumber, YesNo
from services.router.rules.language import (
    All,
    Any,
    AtLeast,
    AtMost,
    Condition,
    Has,
    In,
    Is,
    Known,
    Not,
    Position,
)
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.selecting import SELECTS, is_selection, selected
from services.router.rules.loading.tree import Listing, Mapping, Node, Scalar
from services.router.rules.mistakes import did_you_mean
from services.router.rules.ruleset import Destination

WORDS = ("all", "any", "not", "term", "leg")  # beside the names of facts
MOST_PARTS = 500  # of one condition, terms written out; far above what a person can read
DEEPEST = 40  # levels of one condition, terms written out; Python itself refuses code that nests much deeper
NOTHING = All(())  # stands where a mistake was; a set with mistakes is never used

_ORDER = ("at_least", "at_most", "above", "below", "between")
_OPERATORS: Names[type, tuple[str, ...]] = {
    YesNo: ("known",),
    WholeNumber: (*_ORDER, "exactly", "known"),
    Choice: ("any_of", "none_of", "known"),
    SetOf: ("has_any", "has_all", "has_none", "known"),
}


@dataclass(slots=True)
class Conditions:
    """Reads conditions. Terms are read when they are first used, so that their order does not matter."""

    desk: Desk
    facts: Names[str, Fact]
    destinations: Names[str, Destination]
    terms: dict[str, Node] = field(default_factory=dict)
    _read: dict[str, Condition] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def condition(self, node: Node | None, what: str) -> Condition:
        """A condition: a mapping whose entries must all hold."""
        if node is None:
            return NOTHING
        if not isinstance(node, Mapping) or not node.entries:
            self.desk.note(node.at, f"{what} is a mapping of facts to what they must be, and not empty")
            return NOTHING
        parts = [self._entry(key, value) for key, value in node.entries]
        condition = parts[0] if len(parts) == 1 else All(tuple(parts))
        if _is_too_large(condition):
            self.desk.note(node.at, f"{what} comes to more than {MOST_PARTS} tests once its terms are written out")
            return NOTHING
        return condition

    def read_all_terms(self) -> dict[str, Condition]:
        """Every term, used or not, so that every mistake is found."""
        return {name: self._term(name) for name in self.terms}

    def _entry(self, key: Scalar, value: Node) -> Condition:
        match key.text:
            case "all" | "any":
                parts = tuple(self.condition(item, key.text) for item in self.desk.items(value, key.text))
                if isinstance(value, Listing) and not parts:
                    self.desk.note(value.at, f"{key.text} has an empty list: the test could never change")
                return All(parts) if key.text == "all" else Any(parts)
            case "not":
                return Not(self.condition(value, "not"))
            case "term":
                return self._use_term(value)
            case "leg":
                return written_at(self._legs(value), key.at)
        fact = self.facts.get(key.text)
        if fact is None:
            self.desk.note(key.at, f"no fact {key.text!r}{did_you_mean(key.text, (*self.facts, *WORDS))}")
            return NOTHING
        return written_at(self._test(fact, value), key.at)

    def _legs(self, node: Node) -> Condition:
        """That a leg to any of these destinations stands so."""
        said = self.desk.mapping(node, "leg", (*SELECTS, "stands"), needs=("stands",))
        if said is None:
            return NOTHING
        names = selected(self.desk, said, self.destinations)
        statuses = self.desk.words(said.get("stands"), "stands", [status.value for status in LegStatus])
        parts = tuple(In(name, statuses) for name in names)
        return parts[0] if len(parts) == 1 else Any(parts)

    def _use_term(self, node: Node) -> Condition:
        if not isinstance(node, Scalar):
            self.desk.note(node.at, "term is the name of a term; use all or any for several")
            return NOTHING
        if node.text not in self.terms:
            self.desk.note(node.at, f"no term {node.text!r}{did_you_mean(node.text, self.terms)}")
            return NOTHING
        if node.text in self._open:
            circle = " -> ".join([*self._open[self._open.index(node.text) :], node.text])
            self.desk.note(node.at, f"terms go in a circle: {circle}")
            return NOTHING
        return self._term(node.text)

    def _term(self, name: str) -> Condition:
        if name not in self._read:
            self._open.append(name)
            self._read[name] = self.condition(self.terms[name], f"term {name}")
            self._open.pop()
        return self._read[name]

    def _test(self, fact: Fact, node: Node) -> Condition:
        if isinstance(fact.source, LegOfEvent) and is_selection(node):
            said = self.desk.mapping(node, fact.name, SELECTS)
            return In(fact.name, selected(self.desk, said, self.destinations)) if said is not None else NOTHING
        if isinstance(node, Mapping):
            if not node.entries:
                self.desk.note(node.at, f"{fact.name} has an empty mapping: say what it must be")
            parts = tuple(written_at(self._operator(fact, key, value), key.at) for key, value in node.entries)
            return parts[0] if len(parts) == 1 else All(parts)
        match fact.type:
            case YesNo():
                value = self.desk.yes_no(node, fact.name)
                return Is(fact.name, bool(value))
            case WholeNumber():
                return self._exactly(fact, node)
            case Choice(values):
                return In(fact.name, self.desk.words(node, fact.name, values))
            case SetOf(values):
                return Has(fact.name, self.desk.words(node, fact.name, values), "any")

    def _operator(self, fact: Fact, key: Scalar, value: Node) -> Condition:
        operators = operators_of(fact.type)
        if key.text not in operators:
            near = did_you_mean(key.text, operators) or f"; it takes {', '.join(operators)}"
            self.desk.note(key.at, f"{key.text!r} cannot be used on {fact.name} ({fact.type}){near}")
            return NOTHING
        match key.text:
            case "known":
                known = Known(fact.name)
                return Not(known) if self.desk.yes_no(value, "known") is False else known
            case "exactly":
                return self._exactly(fact, value)
            case "any_of" | "none_of" if isinstance(fact.type, Choice):
                among = In(fact.name, self.desk.words(value, fact.name, fact.type.values))
                return among if key.text == "any_of" else Not(among)
            case "has_any" | "has_all" | "has_none" if isinstance(fact.type, SetOf):
                values = self.desk.words(value, fact.name, fact.type.values)
                has = Has(fact.name, values, "all" if key.text == "has_all" else "any")
                return Not(has) if key.text == "has_none" else has
        return self._ordered(fact, key.text, value)

    def _ordered(self, fact: Fact, operator: str, node: Node) -> Condition:
        """Everything about more and less is "at least" or "at most" in the end."""
        if operator == "between":
            ends = self.desk.items(node, f"{fact.name} between")
            if len(ends) != 2:
                self.desk.note(node.at, f"{fact.name} between takes two values: [lowest, highest]")
                return NOTHING
            low, high = (self._bound(fact, end) for end in ends)
            if low is None or high is None:
                return NOTHING
            if _place(fact, low) > _place(fact, high):
                self.desk.note(node.at, f"{low} is above {high}: the test could never hold")
            return All((AtLeast(fact.name, low), AtMost(fact.name, high)))
        bound = self._bound(fact, node)
        if bound is None:
            return NOTHING
        if operator in ("above", "below"):
            bound = self._next(fact, bound, node, up=operator == "above")
        return (AtLeast if operator in ("at_least", "above") else AtMost)(fact.name, bound)

    def _exactly(self, fact: Fact, node: Node) -> Condition:
        bound = self._bound(fact, node)
        return NOTHING if bound is None else All((AtLeast(fact.name, bound), AtMost(fact.name, bound)))

    def _bound(self, fact: Fact, node: Node) -> int | str | None:
        match fact.type:
            case Choice(values):
                return self.desk.word(node, fact.name, values)
            case WholeNumber(low, high) if isinstance(node, Scalar) and node.number is not None:
                if not low <= node.number <= high:
                    self._never_changes(fact, node.number, node)
                    return None
                return node.number
            case WholeNumber():
                self.desk.number(node, fact.name, 0, 0)
        return None

    def _next(self, fact: Fact, bound: int | str, node: Node, *, up: bool) -> int | str:
        step = 1 if up else -1
        place = _place(fact, bound) + step
        match fact.type:
            case WholeNumber(low, high) if low <= place <= high:
                return place
            case Choice(values) if 0 <= place < len(values):
                return values[place]
        word = "above" if up else "below"
        self.desk.note(node.at, f"nothing of {fact.name} is {word} {bound}: the test could never hold")
        return bound

    def _never_changes(self, fact: Fact, number: int, node: Node) -> None:
        if isinstance(fact.type, WholeNumber):
            reach = f"{fact.type.low}..{fact.type.high}"
            self.desk.note(node.at, f"{number} is outside {fact.name}'s range {reach}: the test could never change")


def operators_of(kind: FactType) -> tuple[str, ...]:
    """What can stand under a fact of this type."""
    operators = _OPERATORS[type(kind)]
    return (*_ORDER, *operators) if isinstance(kind, Choice) and kind.ordered else operators


def written_at(condition: Condition, at: Position) -> Condition:
    """The condition, each of its tests knowing where it is written unless it knows better already."""
    match condition:
        case All(parts):
            return All(tuple(written_at(part, at) for part in parts))
        case Any(parts):
            return Any(tuple(written_at(part, at) for part in parts))
        case Not(part):
            return Not(written_at(part, at))
    return condition if condition.at is not None else replace(condition, at=at)


def _is_too_large(condition: Condition) -> bool:
    """Terms that use terms can double at every step, so this stops counting as soon as it knows."""
    waiting = [(condition, 1)]
    seen = 0
    while waiting:
        node, depth = waiting.pop()
        seen += 1
        if seen > MOST_PARTS or depth > DEEPEST:
            return True
        match node:
            case All(parts) | Any(parts):
                waiting += [(part, depth + 1) for part in parts]
            case Not(part):
                waiting.append((part, depth + 1))
    return False


def _place(fact: Fact, bound: int | str) -> int:
    return fact.type.values.index(str(bound)) if isinstance(fact.type, Choice) else int(bound)
