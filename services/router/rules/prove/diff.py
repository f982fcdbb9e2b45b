"""What one rule set does otherwise than another, for all events at once: proved the same, or shown by an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from services.router.rules.decide import most_urgent
from services.router.rules.decision import DUE_PARTS, Decision
from services.router.rules.due import Due
from services.router.rules.promises import Silent, is_so
from services.router.rules.prove.asking import Asking, does_something
from services.router.rules.prove.both import Both, Shown
from services.router.rules.prove.circuit import FALSE, Formula
from services.router.rules.prove.kinds import kinds_of
from services.router.rules.prove.solver import Found
from services.router.rules.prove.traits import WITHHELD, Topic, Trait, topics_of, traits_of

Verdict: TypeAlias = Literal["same", "differs", "not proved"]
ASK, SILENCE = "ask", "silence"
# A trait, and what it is called where more, and where less, of it is so by the second rule set.
CALLED: Final = {
    "done": ("widened", "narrowed"),
    "priority": ("more urgent", "less urgent"),
    "due": ("sooner", "later"),
    "floor": ("a floor now", "no floor any more"),
    "at once": ("sent at once now", "waits for a human now"),
    "days": ("longer", "shorter"),
    "checks": ("looked after more often", "looked after less often"),
    "resume": ("resumes: widened", "resumes: narrowed"),
    "clash": ("pause and resume meet: more", "pause and resume meet: less"),
}


class Change(NamedTuple):
    """One way in which an outcome differs, with the smallest event that shows it."""

    way: str
    shown: Shown


class Compared(NamedTuple):
    """What became of one topic: proved the same, changed in these ways, or not proved."""

    topic: Topic
    verdict: Verdict
    changes: tuple[Change, ...] = ()


def questions_in(both: Both) -> int:
    """How many topics there are to compare; for a progress bar."""
    return len(both.topics()) + len(_facts(both)) + 1


def compared(both: Both) -> Iterator[Compared]:
    """Every topic of both rule sets, then the questions, then silence."""
    touched = both.touched()
    for topic in both.topics():
        yield _topic(both, topic) if topic in touched else Compared(topic, "same")
    if not both.changed:
        yield from (Compared(Topic(ASK, fact), "same") for fact in _facts(both))
        yield Compared(Topic(SILENCE, ""), "same")
        return
    near = _near(both, touched)
    for fact in _facts(both):
        yield _question(both, fact, near)
    yield _silence(both, near)


def _topic(both: Both, topic: Topic) -> Compared:
    before = traits_of(both.before, both.before.world, topic, (both.after,))
    after = traits_of(both.after, both.after.world, topic, (both.before,))
    pairs = list(zip(before, after, strict=True))
    if all(one.so == other.so for one, other in pairs):
        return Compared(topic, "same")
    done = both.circuit.every(trait.so for trait in (before[0], after[0])) if topic.sort != WITHHELD else 1
    changes: list[Change] = []
    for name in dict.fromkeys(_group(trait) for trait in before):
        those = [(one.so, other.so) for one, other in pairs if _group(one) == name]
        beside = 1 if name in ("done", "resume", "clash") or topic.sort == WITHHELD else done
        for place, way in enumerate(("more", "less")):
            more = both.circuit.some(
                both.circuit.every((-one, other) if place == 0 else (one, -other)) for one, other in those
            )
            answer = both.solver.can(more, beside)
            if answer == "not decided":
                return Compared(topic, "not proved", tuple(changes))
            if answer == "yes":
                shown = both.shown(f"{topic.sort} {topic.key}: {name} {way}", _differ_in(topic), more, beside)
                changes.append(Change(_called(topic, name, place), shown))
    return Compared(topic, "differs" if changes else "same", tuple(changes))


def _group(trait: Trait) -> str:
    return "due" if trait.name in DUE_PARTS else trait.name


def _called(topic: Topic, name: str, place: int) -> str:
    if topic.sort == WITHHELD:
        return ("held back more", "held back less")[place]
    return CALLED[name][place]


def _near(both: Both, touched: set[Topic]) -> tuple[set[int], set[int]]:
    """The rules, by place in each set, whose questions can differ.

    They have a say where something changed, for the same kinds of event as a rule that changed.
    """
    found = []
    kinds = 0
    for outcomes in (both.before, both.after):
        for rule in outcomes.rules.rules:
            kinds |= kinds_of(rule) if rule.id in both.changed else 0
    for outcomes in (both.before, both.after):
        rules = outcomes.rules.rules
        beside = [place for place in range(len(rules)) if touched.intersection(topics_of(outcomes, place))]
        found.append({place for place in beside if kinds_of(rules[place]) & kinds})
    return found[0], found[1]


def _facts(both: Both) -> list[str]:
    return sorted({*both.asked_before.facts(), *both.asked_after.facts()})


class _Asked:
    """Where one rule set asks for a fact: by the rules that may differ, and by all."""

    def __init__(self, asking: Asking, fact: str, near: set[int]) -> None:
        self._asking, self._fact, self._near = asking, fact, near

    def near(self, which: Callable[[Due], bool]) -> Formula:
        """Asked by a rule that may differ."""
        return self._asking.asked(self._fact, which, self._near)

    def every(self, which: Callable[[Due], bool]) -> Formula:
        """Asked by any rule."""
        return self._asking.asked(self._fact, which)


def _question(both: Both, fact: str, near: tuple[set[int], set[int]]) -> Compared:
    topic = Topic(ASK, fact)
    one, other = _Asked(both.asked_before, fact, near[0]), _Asked(both.asked_after, fact, near[1])
    changes: list[Change] = []
    by_when: list[tuple[tuple[str, str], list[Callable[[Due], bool]]]] = [
        (("asked more", "asked less"), [_whenever]),
        (("sooner", "later"), list(_due_levels(both))),
    ]
    for ways, levels in by_when:
        for place, way in enumerate(ways):
            first, second = (one, other) if place == 0 else (other, one)
            answer, formulas = _asked_more(both, first, second, levels, both_ask=way in ("sooner", "later"))
            if answer == "not decided":
                return Compared(topic, "not proved", tuple(changes))
            if answer == "yes":
                shown = both.shown(f"the question for {fact}", _asks_differ(fact), *formulas)
                changes.append(Change(way, shown))
    return Compared(topic, "differs" if changes else "same", tuple(changes))


def _asked_more(
    both: Both, less: _Asked, more: _Asked, levels: list[Callable[[Due], bool]], *, both_ask: bool
) -> tuple[Found, tuple[Formula, ...]]:
    """Can it be asked by the one and not by the other? First of the few rules that may differ, which settles most."""
    circuit = both.circuit
    few = [circuit.every((-less.near(level), more.near(level))) for level in levels]
    if all(each == FALSE for each in few) or (answer := both.solver.can(circuit.some(few))) == "no":
        return "no", ()
    if answer == "not decided":
        return answer, ()
    many = circuit.some(circuit.every((-less.every(level), more.every(level))) for level in levels)
    beside = (less.every(_whenever), more.every(_whenever)) if both_ask else ()
    return both.solver.can(many, *beside), (many, *beside)


def _silence(both: Both, near: tuple[set[int], set[int]]) -> Compared:
    topic = Topic(SILENCE, "")
    circuit = both.circuit
    before, after = both.asked_before, both.asked_after
    some_before, some_after = (does_something(each.outcomes, each.world) for each in (before, after))
    few = (before.anything(near[0]), after.anything(near[1]))
    if (some_before, few[0]) == (some_after, few[1]):
        return Compared(topic, "same")
    silent = [circuit.every((-some_before, -few[0])), circuit.every((-some_after, -few[1]))]
    answer = both.solver.can(circuit.differ(*silent))
    if answer == "no":
        return Compared(topic, "same")
    # Rules that are the same in both, and ask the same, break the silence of both.
    others = before.anything(set(range(len(both.before.rules.rules))) - near[0])
    changes: list[Change] = []
    for way, (one, other) in (("more", (silent[1], silent[0])), ("less", (silent[0], silent[1]))):
        formulas = (one, -other, -others)
        answer = both.solver.can(*formulas) if answer != "not decided" else answer
        if answer == "not decided":
            return Compared(topic, "not proved", tuple(changes))
        if answer == "yes":
            shown = both.shown("silence", _silence_differs(both), *formulas)
            changes.append(Change(f"nothing is known what to do with: {way}", shown))
    return Compared(topic, "differs" if changes else "same", tuple(changes))


def _differ_in(topic: Topic) -> Callable[[Decision, Decision], bool]:
    return lambda before, after: said_of(before, topic) != said_of(after, topic)


def _asks_differ(fact: str) -> Callable[[Decision, Decision], bool]:
    def asked(decision: Decision) -> list[Due]:
        return [question.due for question in decision.questions if question.fact == fact]

    return lambda before, after: asked(before) != asked(after)


def _silence_differs(both: Both) -> Callable[[Decision, Decision], bool]:
    first, second = both.sets
    return lambda before, after: is_so(Silent(), before, first) is not is_so(Silent(), after, second)


def said_of(decision: Decision, topic: Topic) -> list[tuple[object, ...]]:
    """What a decision says of a topic, without the reasons."""
    items: list[tuple[object, ...]]
    match topic.sort:
        case "route":
            items = [route[:-1] for route in decision.routes if route.destination == topic.key]
        case "withheld":
            items = [each[:2] for each in decision.withheld if each.destination == topic.key]
        case "pause":
            offers = [offer[:-1] for offer in decision.offers if offer.destination == topic.key]
            resumes = [each[:-1] for each in decision.resumes if each.destination == topic.key]
            items = [*offers, *resumes, *(review[:-1] for review in decision.reviews)]
        case "review":
            items = [r[:-1] for r in decision.reviews if (r.question, r.role) == topic.key]
        case "hold":
            items = [hold[:-1] for hold in decision.holds if hold.text == topic.key]
        case "notify":
            items = [n[:-1] for n in decision.notifies if (n.destination, n.what) == topic.key]
        case "escalate":
            items = [each[:-1] for each in decision.escalations if each.role == topic.key]
        case _:
            items = [each[:-1] for each in decision.records if each.text == topic.key]
    return items


def due_of(decision: Decision, topic: Topic) -> str | None:
    """By when a decision wants this done, in words; None: it does not, or at no time."""
    if topic.sort == ASK:
        return next((str(question.due) for question in decision.questions if question.fact == topic.key), None)
    dues = (part for item in said_of(decision, topic) for part in item if isinstance(part, Due))
    return next((str(due) for due in dues), None)


def _whenever(due: Due) -> bool:
    return due is not None


def _due_levels(both: Both) -> Iterator[Callable[[Due], bool]]:
    dues = {
        most_urgent(rule, rules.otherwise.review.due)
        for rules in both.sets
        for rule in rules.rules
        if rule.if_unknown != "note"
    }
    for name in DUE_PARTS:
        for level in sorted({number for due in dues if (number := getattr(due, name)) is not None}):
            yield _by(name, level)


def _by(name: str, level: int) -> Callable[[Due], bool]:
    def is_by(due: Due) -> bool:
        number = getattr(due, name)
        return number is not None and number <= level

    return is_by
