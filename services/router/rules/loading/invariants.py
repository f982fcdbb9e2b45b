"""`invariants.yaml` into promises: of every event of which `given` holds, `then` is so, or is never so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Mapping as Names
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar, cast, get_args

from services.router.rules.language import All, Priority, Role, Tier
from services.router.rules.loading.conditions import Conditions
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.tree import Listing, Mapping, Node, Scalar
from services.router.rules.mistakes import did_you_mean
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
)
from services.router.rules.ruleset import Destination

Kind = Literal["always", "never"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
KEYS: Final = ("id", "because", "given", "then")
NEEDED: Final = ("id", "because", "then")
DEEDS: Final[Names[str, tuple[str, ...]]] = {  # what can be said of an outcome, and what else may stand beside it
    "route": ("priority", "within", "tier", "confirm"),
    "held_back": (),
    "offer_pause": (),
    "propose_resume": (),
    "told": (),
    "escalate": ("within",),
    "review": ("within",),
    "hold": (),
    "ask": (),
    "human": (),
    "silent": (),
}
OF_DESTINATION: Final[Names[str, Callable[[tuple[str, ...]], Outcome]]] = {
    "held_back": HeldBack,
    "offer_pause": Offered,
    "propose_resume": Resumed,
    "told": Told,
}
WORDS: Final = ("all", "any", "not")
ANY: Final = "any"  # in place of names: whichever
SIDES: Final = ("person", "other_party", "panel")
TIERS: Final[tuple[Tier, ...]] = get_args(Tier)
CHOSEN_BY: Final = ("voluntary", "side", "serves")  # destinations by what they are, so that a new one is meant as well

T = TypeVar("T", bound=str)


@dataclass(slots=True)
class Invariants:
    """Reads promises. One id names one promise."""

    desk: Desk
    conditions: Conditions
    destinations: Names[str, Destination]
    _ids: dict[str, Scalar] = field(default_factory=dict)

    def invariants(self, node: Node | None) -> tuple[Invariant, ...]:
        """All promises, by id."""
        top = self.desk.mapping(node, "invariants.yaml", KINDS)
        found = [
            self._invariant(item, kind)
            for kind in KINDS
            for item in self.desk.items(top.get(kind) if top else None, kind)
        ]
        return tuple(sorted((one for one in found if one is not None), key=lambda one: one.id))

    def _invariant(self, node: Node, kind: Kind) -> Invariant | None:
        said = self.desk.mapping(node, "a promise", KEYS, needs=NEEDED)
        if said is None:
            return None
        name = self._id(said.get("id"))
        because = self.desk.text(said.get("because"), "because") or ""
        given = said.get("given")
        condition = self.conditions.condition(given, "given") if given is not None else All(())
        parts = self._outcomes(said.get("then"))
        outcome: Outcome = Each(parts) if kind == "always" else NotSo(Either(parts))
        return Invariant(name, because, condition, outcome, kind, said.at)

    def _id(self, node: Node | None) -> str:
        if not isinstance(node, Scalar):
            if node is not None:
                self.desk.note(node.at, "id is a name")
            return ""
        before = self._ids.setdefault(self.desk.identifier(node, "a promise"), node)
        if before is not node:
            self.desk.note(node.at, f"the id {node.text!r} is taken: {before.at}")
        return node.text

    def _outcomes(self, node: Node | None, what: str = "then") -> tuple[Outcome, ...]:
        """One outcome or a list of them."""
        if node is None:
            return ()
        items = node.items if isinstance(node, Listing) else (node,)
        if not items:
            self.desk.note(node.at, f"{what} is empty: it would promise nothing")
        return tuple(outcome for item in items if (outcome := self._outcome(item)) is not None)

    def _outcome(self, node: Node) -> Outcome | None:
        if not isinstance(node, Mapping) or not node.entries:
            self.desk.note(node.at, "what is promised is a mapping such as {route: victim_safety, priority: 1}")
            return None
        known = (*DEEDS, *WORDS)
        verbs = [key for key, _ in node.entries if key.text in known]
        if len(verbs) != 1:
            if verbs:
                self.desk.note(verbs[1].at, f"one thing an item: {verbs[0].text!r} stands here already")
            else:
                key = node.entries[0][0]
                near = did_you_mean(key.text, known) or f"; what can be promised: {', '.join(known)}"
                self.desk.note(key.at, f"nothing can be promised by {key.text!r}{near}")
            return None
        verb = verbs[0].text
        said = self.desk.mapping(node, verb, (verb, *DEEDS.get(verb, ())))
        what = node.get(verb)
        return None if said is None or what is None else self._made(verb, what, said)

    def _made(self, verb: str, what: Node, said: Mapping) -> Outcome | None:
        match verb:
            case "all":
                return Each(self._outcomes(what, verb))
            case "any":
                return Either(self._outcomes(what, verb))
            case "not":
                inner = self._outcome(what)
                return None if inner is None else NotSo(inner)
            case "route":
                return self._routed(what, said)
            case "escalate" | "review":
                roles, within = self._some(what, verb, Role), self.desk.due(said.get("within"), "within")
                return Escalated(roles, within) if verb == "escalate" else Reviewed(roles, within)
            case "ask":
                askable = [name for name, fact in self.conditions.facts.items() if fact.ask]
                return Asked(self._some(what, "ask", askable))
        of_destination = OF_DESTINATION.get(verb)
        return of_destination(self._destinations(what)) if of_destination else self._plainly(verb, what)

    def _plainly(self, verb: str, what: Node) -> Outcome:
        """`hold: yes`, `human: yes`, `silent: yes`, and the contrary with `no`."""
        facts, roles = tuple(sorted(self.conditions.facts)), tuple(sorted(Role))
        deed: Outcome = Silent() if verb == "silent" else Tasked()
        if verb == "human":
            deed = Either((Tasked(), Reviewed(roles), Escalated(roles), Asked(facts)))
        return NotSo(deed) if self.desk.yes_no(what, verb) is False else deed

    def _routed(self, what: Node, said: Mapping) -> Outcome:
        confirm, confirmed = said.get("confirm"), None
        if confirm is not None:
            word = self.desk.word(confirm, "confirm", ("human", "no"))
            confirmed = None if word is None else word == "human"
        return Routed(
            self._destinations(what),
            cast("Priority | None", self.desk.number(said.get("priority"), "priority", 1, 4)),
            self.desk.due(said.get("within"), "within"),
            self.desk.word(said.get("tier"), "tier", TIERS),
            confirmed,
        )

    def _destinations(self, node: Node) -> tuple[str, ...]:
        """Named, or chosen by what they are: `{voluntary: yes}`, `{side: person}`, `{serves: addiction}`."""
        if not isinstance(node, Mapping):
            return self._some(node, "a destination", self.destinations)
        said = self.desk.mapping(node, "a choice of destinations", CHOSEN_BY)
        if said is None:
            return ()
        needs = {destination.serves for destination in self.destinations.values()}
        voluntary = self.desk.yes_no(said.get("voluntary"), "voluntary")
        side = self.desk.word(said.get("side"), "side", SIDES)
        serves = self.desk.word(said.get("serves"), "serves", needs)
        tests: list[Callable[[Destination], bool]] = [
            lambda each: voluntary is None or each.voluntary is voluntary,
            lambda each: side is None or each.side == side,
            lambda each: serves is None or each.serves == serves,
        ]
        found = [name for name, each in self.destinations.items() if all(test(each) for test in tests)]
        if not found and not self.desk.mistakes:
            self.desk.note(node.at, "no destination is like this: it would promise nothing")
        return tuple(sorted(found))

    def _some(self, node: Node, what: str, words: Iterable[T]) -> tuple[T, ...]:
        """These, or `any` of them."""
        known = tuple(words)
        if isinstance(node, Scalar) and node.text == ANY:
            return tuple(sorted(known))
        return self.desk.words(node, what, known)
