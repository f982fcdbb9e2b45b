"""`facts.yaml` into declared facts. The types of fields are those of the published payloads, so they cannot drift."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import starmap
from typing import Final, get_args

from schemas.human import HumanDecision
from schemas.progress import ProgressReported
from schemas.referral import ReferralSubmitted
from schemas.risk import RiskReported
from schemas.vocabulary import LegStatus
from schemas.vocabulary import YesNo as YesOrNo
from services.router.rules.calendar import DAYS_TO_HOLIDAY_MAX
from services.router.rules.declarations import (
    NONE,
    Choice,
    CountWithin,
    DaysInStatus,
    DaysSince,
    DaysToHoliday,
    Fact,
    FactType,
    FieldPath,
    FromEvent,
    KindOfEvent,
    LegOfEvent,
    Measure,
    SetOf,
    Source,
    StatusOfLeg,
    WholeNumber,
    YesNo,
)
from services.router.rules.events import EventKind
from services.router.rules.fields import NoSuchField, Shape, reader, shape_of
from services.router.rules.loading.conditions import WORDS
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.tree import Listing, Mapping, Node, Scalar
from services.router.rules.mistakes import did_you_mean
from services.router.rules.ruleset import Destination

PAYLOADS: Final = (ReferralSubmitted, RiskReported, ProgressReported, HumanDecision)
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
_SOURCES = ("from", "count", "days_since", "days_in_status", "days_to")
_KEYS = (*_SOURCES, "says", "ask", "as", "unstated", "remember", "range", "ordered", "within", "by")
_AGE = WholeNumber(0, 130)
_DAYS = WholeNumber(0, 9999)
_COUNT = WholeNumber(0, 999)


def declared_by_themselves(destinations: Iterable[str]) -> dict[str, Fact]:
    """The facts that every rule set has: the kind of event, the leg it is about, and where each leg stands."""
    names = tuple(sorted(destinations))
    statuses = Choice((NONE, *(status.value for status in LegStatus)))
    kinds = Choice(tuple(kind.value for kind in EventKind))
    facts = [
        Fact("event", "Which kind of event this is.", kinds, KindOfEvent(), ask=""),
        Fact("destination", "Whose leg the event is about.", Choice((NONE, *names)), LegOfEvent(), ask=""),
    ]
    facts += [Fact(name, f"Where the leg to {name} stands.", statuses, StatusOfLeg(name), ask="") for name in names]
    return {fact.name: fact for fact in facts}


@dataclass(slots=True)
class Declarations:
    """Reads declarations of facts."""

    desk: Desk
    destinations: dict[str, Destination]

    def facts(self, node: Node | None) -> dict[str, Fact]:
        """Every fact that rules may name."""
        found = declared_by_themselves(self.destinations)
        top = self.desk.mapping(node, "facts.yaml", ("facts",), needs=("facts",))
        for key, value in self.desk.entries(top.get("facts") if top else None, "facts"):
            self.desk.identifier(key, "a fact")
            if key.text in found or key.text in WORDS:
                self.desk.note(key.at, f"{key.text!r} is taken: it is a destination or a word of the language")
            elif (fact := self._fact(key.text, value)) is not None:
                found[fact.name] = fact
        return found

    def _fact(self, name: str, node: Node) -> Fact | None:
        said = self.desk.mapping(node, name, _KEYS, needs=("says",))
        if said is None:
            return None
        given = [key for key, _ in said.entries if key.text in _SOURCES]
        if len(given) != 1:
            self.desk.note(said.at, f"{name} needs exactly one of {', '.join(_SOURCES)}")
            return None
        says = self.desk.text(said.get("says"), "says") or ""
        made = self._from_field(name, said) if given[0].text == "from" else self._other(given[0].text, name, said)
        if made is None:
            return None
        source, kind = made
        ask = self.desk.text(said.get("ask"), "ask")
        can_be_unknown = isinstance(source, FromEvent) and source.measure != "given"
        if can_be_unknown and ask is None and said.get("ask") is None:
            self.desk.note(said.at, f"{name} needs 'ask': the question to a human when it is not known")
        unstated = self.desk.word(said.get("unstated"), "unstated", ("unknown", "absent")) or "unknown"
        if unstated == "absent":
            kind = self._with_absence(name, said, kind, can_be_unknown=can_be_unknown)
        return Fact(name, says, kind, source, ask or "", "absent" if unstated == "absent" else "unknown")

    def _with_absence(self, name: str, said: Mapping, kind: FactType, *, can_be_unknown: bool) -> FactType:
        """A choice that nobody made is `none`; an empty set, no and the lowest number speak for themselves."""
        if isinstance(kind, Choice) and not kind.ordered and NONE not in kind.values:
            return Choice((NONE, *kind.values))
        if isinstance(kind, Choice) or not can_be_unknown:
            self.desk.note(
                said.at, f"{name} cannot be absent: it is ordered, has a 'none' of its own, or is always known"
            )
        return kind

    def _other(self, verb: str, name: str, said: Mapping) -> tuple[Source, FactType] | None:
        node = said.get(verb)
        if verb == "days_to":
            word = self.desk.word(node, verb, ("holiday",))
            return (DaysToHoliday(), WholeNumber(0, DAYS_TO_HOLIDAY_MAX)) if word else None
        if verb == "days_in_status":
            destination = self.desk.word(node, verb, self.destinations)
            return (DaysInStatus(destination), self._range(said, _DAYS)) if destination else None
        kinds = self.desk.words(node, verb, EventKind)
        if verb == "days_since":
            return DaysSince(kinds), self._range(said, _DAYS)
        days = self.desk.days(said.get("within"), "within")
        if said.get("within") is None:
            self.desk.note(said.at, f"{name} needs 'within': the days that it counts over")
        return (CountWithin(kinds, days), self._range(said, _COUNT)) if days else None

    def _from_field(self, name: str, said: Mapping) -> tuple[Source, FactType] | None:
        measure = self.desk.word(said.get("as"), "as", MEASURES) or "value"
        node = said.get("from") or said
        paths = node.items if isinstance(node, Listing) else (node,)
        found: dict[str, tuple[FieldPath, Shape]] = {}
        for path in paths:
            for field, shape in self._fields_at(path):
                if field.payload.__name__ in found:
                    self.desk.note(path.at, f"{field.payload.__name__} has another of these fields; one is enough")
                found[field.payload.__name__] = (field, shape)
        shapes = {shape for _, shape in found.values()}
        if len(shapes) != 1:
            if shapes:
                self.desk.note(said.at, f"the fields of {name} are not of one type")
            return None
        kind = self._type(said, shapes.pop(), measure)
        remembered = self.desk.yes_no(said.get("remember"), "remember") or False
        among = self._areas(said, measure)
        fields = tuple(field for _, (field, _) in sorted(found.items(), key=lambda item: item[0]))
        return (FromEvent(fields, measure, remembered, among), kind) if kind else None

    def _areas(self, said: Mapping, measure: Measure) -> tuple[str, ...]:
        """The areas of the destination that `by` names, where a fact asks whether they are served."""
        node = said.get("by")
        if (measure == "served") != (node is not None):
            self.desk.note(said.at, "'as: served' and 'by: a destination' go together")
        name = self.desk.word(node, "by", self.destinations) if node is not None else None
        areas = self.destinations[name].service_areas if name is not None else None
        if node is not None and name is not None and areas is None:
            self.desk.note(node.at, f"{name} serves every area: the test could never change")
        return tuple(sorted(area.casefold() for area in areas or ()))

    def _fields_at(self, node: Node) -> list[tuple[FieldPath, Shape]]:
        if not isinstance(node, Scalar):
            self.desk.note(node.at, "from is a field such as person.date_of_birth, or a list of them")
            return []
        found, missing = [], []
        for payload in PAYLOADS:
            try:
                shape = shape_of(payload, node.text)
            except NoSuchField as error:
                missing.append((error.step, error.names))
            else:
                pointer = "/" + node.text.replace(".", "/")
                found.append((FieldPath(payload, node.text, pointer, reader(payload, node.text)), shape))
        if not found:
            near = next(filter(None, starmap(did_you_mean, missing)), "")
            self.desk.note(node.at, f"no event has a field {node.text!r}{near}")
        return found

    def _type(self, said: Mapping, shape: Shape, measure: Measure) -> FactType | None:
        """The type of fact that a field makes, measured like this."""
        is_day = shape.leaf in (date, datetime) and not shape.many
        if measure == "value":
            return self._plain_type(said, shape)
        if measure == "given" or (measure == "served" and shape.leaf is str and not shape.many):
            return YesNo()
        if measure == "answered_yes" and shape.keys is not None:
            return SetOf(tuple(str(topic.value) for topic in shape.keys))
        if measure == "count" and shape.many:
            return self._range(said, _COUNT)
        if measure in ("age", "days_since", "days_until") and is_day:
            return self._range(said, _AGE if measure == "age" else _DAYS)
        self.desk.note(said.at, f"as: {measure} does not fit the type of this field")
        return None

    def _plain_type(self, said: Mapping, shape: Shape) -> FactType | None:
        listed = shape.enumeration()
        if shape.keys is None and listed is not None:
            values = tuple(str(value.value) for value in listed)
            if shape.many:
                return SetOf(values)
            return YesNo() if listed is YesOrNo else Choice(values, self._ordered(said))
        if shape.leaf is bool and not shape.many:
            return YesNo()
        if shape.leaf is int and not shape.many:
            return self._range(said, None)
        self.desk.note(said.at, "this field holds text or more: rules test closed lists, numbers, days and yes/no")
        return None

    def _ordered(self, said: Mapping) -> bool:
        return self.desk.yes_no(said.get("ordered"), "ordered") or False

    def _range(self, said: Mapping, otherwise: WholeNumber | None) -> WholeNumber:
        node = said.get("range")
        if node is None:
            if otherwise is None:
                self.desk.note(said.at, "a whole number needs 'range': [lowest, highest]")
            return otherwise or _DAYS
        ends = [self.desk.number(end, "range", -9999, 999_999) for end in self.desk.items(node, "range")]
        if len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0] < ends[1]:
            return WholeNumber(ends[0], ends[1])
        self.desk.note(node.at, "range is [lowest, highest]")
        return otherwise or _DAYS
