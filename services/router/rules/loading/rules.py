"""`floors.yaml` and `rules/*.yaml` into rules. Floors stand only in floors.yaml, which the safeguarding lead owns."""

from __future__ import annotations

from collections.abc import Mapping as Names
from dataclasses import dataclass, field, replace
from typing import Final, cast

from services.router.rules.due import Due
from services.router.rules.language import (
    Action,
    Escalate,
    Hold,
    IfUnknown,
    Notify,
    OfferPause,
    Otherwise,
    Priority,
    ProposeResume,
    Record,
    Review,
    Role,
    Route,
    Rule,
    Tier,
    Withhold,
)
from services.router.rules.loading.calendars import Dues
from services.router.rules.loading.conditions import Conditions
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.selecting import SELECTS, is_selection, selected
from services.router.rules.loading.tree import Mapping, Node, Scalar
from services.router.rules.mistakes import did_you_mean
from services.router.rules.ruleset import Destination

FLOORS_FILE: Final = "floors.yaml"
_RULE_KEYS = ("id", "because", "when", "then", "withhold", "if_unknown", "from", "until")
ACTIONS: Names[str, tuple[str, ...]] = {  # the key that names an action, and what else may stand beside it
    "route": ("priority", "due", "confirm"),
    "offer_pause": ("for", "welfare_check", "answer_within"),
    "propose_resume": (),
    "hold": ("due",),
    "review": ("role", "due"),
    "notify": ("of",),
    "escalate": ("due",),
    "record": (),
}
ACTIONS_NEED: Names[str, tuple[str, ...]] = {
    "route": ("priority",),
    "offer_pause": ("for", "welfare_check"),
    "review": ("role",),
    "notify": ("of",),
}


@dataclass(slots=True)
class Rules:
    """Reads rules. One id names one rule in all files."""

    desk: Desk
    conditions: Conditions
    destinations: Names[str, Destination]
    dues: Dues
    _ids: dict[str, Scalar] = field(default_factory=dict)

    def rules(self, node: Node | None, *, tier: Tier) -> list[Rule]:
        """The rules of one file."""
        keys = ("rules", "otherwise") if tier == "floor" else ("rules",)
        top = self.desk.mapping(node, "this file", keys, needs=keys)
        if top is None:
            return []
        found = (self._rule(item, tier) for item in self.desk.items(top.get("rules"), "rules"))
        return [rule for rule in found if rule is not None]

    def otherwise(self, node: Node | None) -> Otherwise | None:
        """What stands where no rule says what to do."""
        keys = ("review", "role", "due", "contradiction")
        said = self.desk.mapping(node, "otherwise", keys, needs=keys)
        if said is None:
            return None
        question = self.desk.text(said.get("review"), "review")
        role = self.desk.word(said.get("role"), "role", Role)
        due = self.desk.due(said.get("due"), "due")
        contradiction = self.desk.text(said.get("contradiction"), "contradiction")
        if question is None or role is None or due is None or contradiction is None:
            return None
        return Otherwise(Review(question, role, due), contradiction)

    def _rule(self, node: Node, tier: Tier) -> Rule | None:
        if isinstance(node, Mapping) and (said := node.get("tier")) is not None:
            where = "in floors.yaml every rule is one" if tier == "floor" else "floors stand only in floors.yaml"
            self.desk.note(said.at, f"tier is not written: {where}")
        rule = self.desk.mapping(node, "a rule", (*_RULE_KEYS, "tier"), needs=("id", "because", "when"))
        if rule is None:
            return None
        name = self._id(rule.get("id"))
        because = self.desk.text(rule.get("because"), "because")
        when = self.conditions.condition(rule.get("when"), "when")
        then = self._actions(rule)
        if_unknown = self._if_unknown(rule.get("if_unknown"), then, tier)
        first, last = self.desk.day(rule.get("from"), "from"), self.desk.day(rule.get("until"), "until")
        if first is not None and last is not None and last < first:
            self.desk.note(rule.at, "until is before from: the rule would never be in force")
        return Rule(name, because or "", when, then, if_unknown, tier, first, last, rule.at)

    def _id(self, node: Node | None) -> str:
        if node is None:
            return ""
        if not isinstance(node, Scalar):
            self.desk.note(node.at, "id is a name")
            return ""
        before = self._ids.setdefault(self.desk.identifier(node, "a rule"), node)
        if before is not node:
            self.desk.note(node.at, f"the id {node.text!r} is taken: {before.at}")
        return node.text

    def _if_unknown(self, node: Node | None, then: tuple[Action, ...], tier: Tier) -> IfUnknown:
        words: tuple[IfUnknown, ...] = ("ask", "act", "note")
        word = self.desk.word(node, "if_unknown", words) or "ask"
        if node is None:
            return word
        if word == "act" and tier != "floor":
            self.desk.note(node.at, "if_unknown: act is for floors only: an ordinary rule asks")
        if word == "note":
            urgent = any(isinstance(action, Route) and action.priority <= 2 for action in then)
            withholds = any(isinstance(action, Withhold) for action in then)
            reasons = [("a floor", tier == "floor"), ("priority 1 or 2", urgent), ("a rule that withholds", withholds)]
            for what, is_so in reasons:
                if is_so:
                    self.desk.note(node.at, f"if_unknown: note is refused for {what}: somebody has to be asked")
        return word

    def _actions(self, rule: Mapping) -> tuple[Action, ...]:
        then, withhold = rule.get("then"), rule.get("withhold")
        if then is None and withhold is None:
            self.desk.note(rule.at, "a rule needs 'then' or 'withhold'")
        items = self.desk.items(then, "then")
        if then is not None and not items and not isinstance(then, (Scalar, Mapping)):
            self.desk.note(then.at, "then is empty: say what is done, or `record:` why nothing is")
        found: list[Action] = []
        for item in items:
            for action in self._action(item):
                if any(_same_wish(action, other) for other in found):
                    self.desk.note(item.at, "the rule asks for this twice")
                found.append(action)
        if withhold is not None:
            found.append(Withhold(self.desk.words(withhold, "withhold", self.destinations)))
        return tuple(found)

    def _action(self, node: Node) -> tuple[Action, ...]:
        """The action of one item; of a rest, one for each destination that is meant."""
        if not isinstance(node, Mapping):
            self.desk.note(node.at, "an action is a mapping such as {route: gp_follow_up, priority: 3}")
            return ()
        verbs = [key for key, _ in node.entries if key.text in ACTIONS]
        if len(verbs) != 1:
            self._no_verb(node, verbs)
            return ()
        verb = verbs[0].text
        said = self.desk.mapping(node, verb, (verb, *ACTIONS[verb]), needs=ACTIONS_NEED.get(verb, ()))
        made = self._made(verb, said) if said is not None else None
        what = said.get(verb) if said is not None else None
        if isinstance(made, OfferPause | ProposeResume) and isinstance(what, Mapping) and is_selection(what):
            self.desk.mapping(what, verb, SELECTS)
            return tuple(replace(made, destination=name) for name in selected(self.desk, what, self.destinations))
        return () if made is None else (made,)

    def _no_verb(self, node: Mapping, verbs: list[Scalar]) -> None:
        if verbs:
            self.desk.note(verbs[1].at, f"one action an item: {verbs[0].text!r} stands here already")
        elif node.entries:
            key = node.entries[0][0]
            near = did_you_mean(key.text, ACTIONS) or f"; actions are {', '.join(ACTIONS)}"
            self.desk.note(key.at, f"no action {key.text!r}{near}")
        else:
            self.desk.note(node.at, f"an empty action; actions are {', '.join(ACTIONS)}")

    def _made(self, verb: str, said: Mapping) -> Action | None:
        what = said.get(verb)
        due = self.desk.due(said.get("due"), "due")
        match verb:
            case "route":
                return self._route(said, due)
            case "offer_pause":
                days = self.desk.days(said.get("for"), "for")
                checks = self.desk.days(said.get("welfare_check"), "welfare_check")
                if days is not None and checks is not None and checks > days:
                    self.desk.note(said.at, "the first welfare check would come after the pause")
                within = self.desk.due(said.get("answer_within"), "answer_within")
                offer = OfferPause(self._one_or_selected(what), days or 0, checks or 0)
                return replace(offer, answer_within=within) if within is not None else offer
            case "propose_resume":
                return ProposeResume(self._one_or_selected(what))
            case "hold":
                return Hold(self.desk.text(what, verb) or "", due or self.dues.tasks)
            case "review":
                role = self.desk.word(said.get("role"), "role", Role)
                return Review(self.desk.text(what, verb) or "", role or Role.DUTY_WORKER, due or self.dues.tasks)
            case "notify":
                return Notify(self._destination(what), self.desk.text(said.get("of"), "of") or "")
            case "escalate":
                return Escalate(self.desk.word(what, verb, Role) or Role.DUTY_WORKER, due or self.dues.tasks)
            case _:
                return Record(self.desk.text(what, verb) or "")

    def _route(self, said: Mapping, due: Due | None) -> Route:
        priority = cast(Priority, self.desk.number(said.get("priority"), "priority", 1, 4) or 4)
        confirm: str | None = None
        if (node := said.get("confirm")) is not None:
            confirm = self.desk.word(node, "confirm", ("human",))
        return Route(
            self._destination(said.get("route")),
            priority,
            due or self.dues.by_priority[priority],
            "human" if confirm == "human" else None,
        )

    def _one_or_selected(self, node: Node | None) -> str:
        return "" if is_selection(node) else self._destination(node)

    def _destination(self, node: Node | None) -> str:
        if isinstance(node, Scalar) and node.text in self.destinations:
            return node.text
        if isinstance(node, Scalar):
            self.desk.note(node.at, f"no destination {node.text!r}{did_you_mean(node.text, self.destinations)}")
        elif node is not None:
            self.desk.note(node.at, "a destination is named by one word; write one action for each")
        return ""


def _same_wish(one: Action, other: Action) -> bool:
    """Do both ask for the same thing, perhaps with another priority or due?"""
    match one, other:
        case (Route(a), Route(b)) | (OfferPause(a), OfferPause(b)) | (ProposeResume(a), ProposeResume(b)):
            return a == b
        case Escalate(first), Escalate(second):
            return first is second
    return one == other
