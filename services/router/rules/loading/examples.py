"""`examples/*.yaml` into examples: facts written down, or an event with its case, and the expected outcome."""

from __future__ import annotations

import json
from collections.abc import Collection
from collections.abc import Mapping as Names
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError

from schemas.base import Moment
from schemas.human import HumanDecision
from schemas.progress import ProgressReported
from schemas.referral import ReferralSubmitted
from schemas.risk import RiskReported
from schemas.vocabulary import LegStatus
from services.router.rules.calendar import local_day
from services.router.rules.events import CaseEvent, CaseView, EventKind, Kept, LegView, PastEvent, Reported, kind_of
from services.router.rules.facts import Facts, facts_of, facts_stated
from services.router.rules.language import Json, Position
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.tree import Listing, Mapping, Node, Scalar
from services.router.rules.mistakes import ImpossibleValue, UnknownFact
from services.router.rules.ruleset import RuleSet

PAYLOADS: Final[Names[str, type[Reported]]] = {
    "referral": ReferralSubmitted,
    "risk": RiskReported,
    "progress": ProgressReported,
    "decision": HumanDecision,
}
WHEN_NOTHING_IS_SAID: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday, far from every holiday
_KEYS = ("name", "at", "facts", "each", *PAYLOADS, "destination", "case", "expect")
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


@dataclass(frozen=True, slots=True)
class Example:
    """An event and what is expected to come of it."""

    name: str
    at: Position
    facts: Facts
    expected: Names[str, object]


@dataclass(slots=True)
class ExampleReader:
    """Reads examples for one rule set."""

    desk: Desk
    rules: RuleSet
    outcomes: Collection[str]

    def examples(self, node: Node | None) -> list[Example]:
        """The examples of one file."""
        top = self.desk.mapping(node, "this file", ("examples",), needs=("examples",))
        items = self.desk.items(top.get("examples") if top else None, "examples")
        return [example for item in items for example in self._written(item)]

    def _written(self, node: Node) -> list[Example]:
        """The example that stands here, or one for each value of the fact under `each`."""
        said = self.desk.mapping(node, "an example", _KEYS, needs=("name", "expect"))
        each = said.get("each") if said is not None else None
        if said is None or each is None:
            one = None if said is None else self._example(said)
            return [] if one is None else [one]
        facts = said.get("facts")
        if not isinstance(each, Mapping) or len(each.entries) != 1 or not isinstance(facts, Mapping):
            self.desk.note(each.at, "each stands beside facts: one fact, and the list of its values")
            return []
        [(fact, values)] = each.entries
        if facts.get(fact.text) is not None:
            self.desk.note(fact.at, f"{fact.text} is a fact of this example already")
        found = []
        for value in self.desk.items(values, fact.text):
            stated = Mapping((*facts.entries, (fact, value)), facts.at)
            entries = tuple((key, stated if node is facts else node) for key, node in said.entries)
            one = self._example(Mapping(entries, value.at))
            if one is not None:
                found.append(replace(one, name=f"{one.name} ({fact.text}: {_in_short(value)})"))
        return found

    def _example(self, said: Mapping) -> Example | None:
        given = [key for key in ("facts", *PAYLOADS) if said.get(key) is not None]
        if len(given) != 1:
            self.desk.note(said.at, f"an example has exactly one of facts, {', '.join(PAYLOADS)}")
            return None
        name = self.desk.text(said.get("name"), "name") or ""
        at = self._moment(said.get("at")) or WHEN_NOTHING_IS_SAID
        facts = (
            self._stated(said, at) if given[0] == "facts" else self._of_event(given[0], said.get(given[0]), said, at)
        )
        expected = self._expected(said.get("expect"))
        return None if facts is None else Example(name, said.at, facts, expected)

    def _stated(self, said: Mapping, at: datetime) -> Facts | None:
        values: dict[str, object] = {}
        kind: EventKind | None = None
        for key, node in self.desk.entries(said.get("facts"), "facts"):
            if key.text == "event":
                kind = self.desk.word(node, "event", EventKind)
                continue
            fact = self.rules.facts.get(key.text)
            value = plain(node)
            try:
                if fact is None:
                    raise UnknownFact(key.text, self.rules.facts)
                values[key.text] = None if value in (None, "unknown") else fact.value_of(value)
            except (UnknownFact, ImpossibleValue) as wrong:
                self.desk.note(key.at, str(wrong))
        if kind is None:
            self.desk.note(said.at, "facts needs 'event'")
            return None
        return facts_stated(self.rules, kind, values, local_day(at))

    def _of_event(self, channel: str, node: Node | None, said: Mapping, at: datetime) -> Facts | None:
        if node is None:
            return None
        try:
            payload = PAYLOADS[channel].model_validate_json(json.dumps(plain(node)))
        except ValidationError as error:
            for wrong in error.errors(include_url=False, include_context=False, include_input=False):
                where = ".".join(str(step) for step in wrong["loc"])
                self.desk.note(node.at, f"{channel}{'.' if where else ''}{where}: {wrong['msg']}")
            return None
        destination = self.desk.word(said.get("destination"), "destination", self.rules.destinations)
        case = self._case(said.get("case"))
        occurred = getattr(payload, "occurred_at", at)
        return facts_of(self.rules, CaseEvent(kind_of(payload), payload, occurred, at, destination), case, at)

    def _case(self, node: Node | None) -> CaseView:
        said = self.desk.mapping(node, "case", ("legs", "events", "remembered"))
        if said is None:
            return CaseView()
        legs: dict[str, LegView] = {}
        for key, leg in self.desk.entries(said.get("legs"), "legs"):
            self.desk.word(key, "destination", self.rules.destinations)
            stands = self.desk.mapping(leg, "a leg", ("status", "since"), needs=("status", "since"))
            status = self.desk.word(stands.get("status") if stands else None, "status", LegStatus)
            since = self._moment(stands.get("since") if stands else None)
            if status is not None and since is not None:
                legs[key.text] = LegView(status, since)
        events = [self._past(item) for item in self.desk.items(said.get("events"), "events")]
        remembered: dict[str, Kept] = {}
        for key, kept in self.desk.entries(said.get("remembered"), "remembered"):
            value = plain(kept)
            remembered[key.text] = [str(item) for item in value] if isinstance(value, list) else _kept(value)
        return CaseView(legs, tuple(event for event in events if event is not None), remembered)

    def _past(self, node: Node) -> PastEvent | None:
        said = self.desk.mapping(node, "an event", ("kind", "at"), needs=("kind", "at"))
        kind = self.desk.word(said.get("kind") if said else None, "kind", EventKind)
        at = self._moment(said.get("at") if said else None)
        return None if kind is None or at is None else PastEvent(kind.value, at)

    def _expected(self, node: Node | None) -> dict[str, object]:
        expected: dict[str, object] = {}
        said = self.desk.mapping(node, "expect", self.outcomes)
        for key, value in said.entries if said else ():
            outcome = plain(value)
            expected[key.text] = outcome if isinstance(outcome, dict) else _sorted(outcome)
        return expected

    def _moment(self, node: Node | None) -> datetime | None:
        if node is None:
            return None
        try:
            return _MOMENT.validate_json(json.dumps(plain(node)))
        except ValidationError:
            self.desk.note(node.at, "a moment such as 2026-03-02T09:00:00Z")
            return None


def _in_short(node: Node) -> str:
    said = plain(node)
    return ", ".join(map(str, said)) if isinstance(said, list) else str(said)


def plain(node: Node) -> Json:
    """A tree as plain JSON: whole numbers, true, false and nothing are what they look like; all else is text."""
    match node:
        case Mapping(entries):
            return {key.text: plain(value) for key, value in entries}
        case Listing(items):
            return [plain(item) for item in items]
        case Scalar(text, is_plain):
            if is_plain and text in ("true", "false"):
                return text == "true"
            if node.number is not None:
                return node.number
            return None if node.is_empty else text


def _kept(value: Json) -> Kept:
    return value if isinstance(value, str | int | bool) else None


def _sorted(outcome: Json) -> list[str]:
    items = outcome if isinstance(outcome, list) else [outcome]
    return sorted(str(item) for item in items)
