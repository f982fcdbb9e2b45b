"""`pathway.yaml` into a pathway: statuses, transitions, reasons. What would trap or lose a leg is a mistake."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Final

from schemas.base import SLUG_PATTERN
from schemas.vocabulary import LegStatus
from services.router.rules.language import Position
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.tree import Mapping, Node, Scalar
from services.router.rules.pathway import START, ClosingReason, Pathway, Status, Transition, Who

FILE: Final = "pathway.yaml"
CATEGORIES: Final = ("admin", "motivation", "operational", "personal", "safety", "sentence", "other")
_KEYS: Final = ("court_ordered", "statuses", "transitions", "reasons")
_STATUS: Final = ("label", "closed", "hold", "release", "administration", "court_ordered", "implies")
WHO: Final[tuple[Who, ...]] = ("destination", "human", "casework")
NEEDS: Final = ("reason", "note")


def read_pathway(desk: Desk, node: Node | None) -> Pathway:
    """The pathway. Of a file with mistakes, what could be read of it."""
    top = desk.mapping(node, FILE, _KEYS, needs=_KEYS)
    if top is None:
        return Pathway(court_ordered=False, statuses={}, transitions={}, reasons={})
    before, reading = len(desk.mistakes), _Reading(desk)
    reading.statuses_of(top.get("statuses"))
    reading.transitions_of(top.get("transitions"))
    on = desk.yes_no(top.get("court_ordered"), "court_ordered") or False
    if len(desk.mistakes) == before:  # a misspelt status would show as many that cannot be reached
        reading.nothing_is_trapped(court_ordered=False)
        reading.nothing_is_trapped(court_ordered=True)
    return reading.pathway(_reasons(desk, top.get("reasons")), court_ordered=on)


class _Reading:
    """Reads statuses and transitions, and remembers where each was said."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._statuses: dict[LegStatus, Status] = {}
        self._moves: dict[tuple[LegStatus, LegStatus], Transition] = {}
        self._said: dict[tuple[LegStatus, LegStatus], Position] = {}
        self._stands: dict[LegStatus, Position] = {}

    def statuses_of(self, node: Node | None) -> None:
        for key, value in self._desk.entries(node, "statuses"):
            status = self._desk.word(key, "a status", LegStatus)
            said = self._desk.mapping(value, key.text, _STATUS, needs=("label",))
            if status is not None and said is not None:
                self._statuses[status] = self._status(status, said, key)
                self._stands[status] = key.at
        if isinstance(node, Mapping):
            for status in LegStatus:
                if node.get(status.value) is None:
                    self._desk.note(node.at, f"statuses needs {status.value!r}")
        self._refuse_circles()

    def _status(self, status: LegStatus, said: Mapping, key: Scalar) -> Status:
        found = Status(
            label=self._desk.text(said.get("label"), "label") or "",
            closed=self._yes(said, "closed"),
            hold=self._yes(said, "hold"),
            release=self._yes(said, "release"),
            administration=self._yes(said, "administration"),
            court_ordered=self._yes(said, "court_ordered"),
            implies=self._desk.word(said.get("implies"), "implies", LegStatus),
        )
        if found.closed + found.hold + found.release > 1:
            self._desk.note(key.at, f"{status.value} is one of closed, hold and release at most")
        if found.administration and not found.closed:
            self._desk.note(key.at, f"administration is what remains of a leg that ended, and {status.value} is open")
        if status is START and (found.closed or found.hold or found.court_ordered):
            self._desk.note(key.at, f"every leg begins as {status.value}: it is open, and always there")
        return found

    def _yes(self, said: Mapping, key: str) -> bool:
        return self._desk.yes_no(said.get(key), key) or False

    def _refuse_circles(self) -> None:
        for start in self._statuses:
            seen = [start]
            while (here := self._statuses.get(seen[-1])) and here.implies and here.implies not in seen:
                seen.append(here.implies)
            if here and here.implies is start:
                way = " -> ".join((*seen, start))
                self._desk.note(self._stands[start], f"what statuses imply goes in a circle: {way}")

    def transitions_of(self, node: Node | None) -> None:
        for item in self._desk.items(node, "transitions"):
            said = self._desk.mapping(item, "a transition", ("from", "to", "who", "needs"), needs=("from", "to", "who"))
            if said is None:
                continue
            how = Transition(
                self._desk.words(said.get("who"), "who", WHO),
                *(word in self._desk.words(said.get("needs"), "needs", NEEDS) for word in NEEDS),
            )
            for start in self._desk.words(said.get("from"), "from", LegStatus):
                for to in self._desk.words(said.get("to"), "to", LegStatus):
                    self._move(start, to, how, item.at)

    def _move(self, start: LegStatus, to: LegStatus, how: Transition, at: Position) -> None:
        pair, note = f"{start.value} -> {to.value}", self._desk.note
        if start is to:
            note(at, f"{pair} goes nowhere")
        elif (start, to) in self._said:
            note(at, f"{pair} stands here twice (first in line {self._said[start, to].line})")
        if start not in self._statuses or to not in self._statuses:
            return  # said already
        before, after = self._statuses[start], self._statuses[to]
        if after.closed and "casework" in how.who:
            note(at, f"{pair}: casework closes nothing; a destination or a human does")
        if before.closed and (how.who != ("human",) or not how.needs_reason):
            note(at, f"{pair}: a closed leg is reopened by a human alone, with a reason")
        if before.hold and not (after.closed or after.hold or after.release or after.court_ordered):
            note(at, f"{pair}: a hold ends in a status that releases it, and {to.value} does not")
        self._moves[start, to] = how
        self._said[start, to] = at

    def nothing_is_trapped(self, *, court_ordered: bool) -> None:
        """Every status can be reached, left and, where it is closed, reopened; also with court-ordered ones off."""
        there = {s for s, status in self._statuses.items() if court_ordered or not status.court_ordered}
        moves = [(start, to) for start, to in self._moves if start in there and to in there]
        reached = _reached(moves)
        for status in sorted(there):
            at, on = self._stands[status], [to for start, to in moves if start is status]
            said, off = self._statuses[status], "" if court_ordered else " while court-ordered statuses are off"
            if status not in reached:
                self._trap(at, f"no leg can reach {status.value}", off)
            if said.closed and all(self._statuses[to].closed for to in on):
                self._trap(at, f"{status.value} is closed and cannot be reopened", off)
            elif said.hold and not any(self._statuses[to].release for to in on):
                self._trap(at, f"{status.value} is a hold without a way out", off)
            elif not on:
                self._trap(at, f"{status.value} cannot be left", off)

    def _trap(self, at: Position, what: str, off: str) -> None:
        if all(mistake.at != at for mistake in self._desk.mistakes):
            self._desk.note(at, what + off)

    def pathway(self, reasons: dict[str, ClosingReason], *, court_ordered: bool) -> Pathway:
        """What was read, without the transitions of statuses that are off."""
        moves: dict[LegStatus, dict[LegStatus, Transition]] = {}
        for (start, to), how in sorted(self._moves.items()):
            if court_ordered or not (self._statuses[start].court_ordered or self._statuses[to].court_ordered):
                moves.setdefault(start, {})[to] = how
        frozen = {start: MappingProxyType(there) for start, there in moves.items()}
        return Pathway(
            court_ordered, MappingProxyType(self._statuses), MappingProxyType(frozen), MappingProxyType(reasons)
        )


def _reached(moves: Iterable[tuple[LegStatus, LegStatus]]) -> set[LegStatus]:
    """Where a leg can come to. The end of a pause brings it nowhere new: it goes back to where it stood."""
    pairs, reached = [(start, to) for start, to in moves if start is not LegStatus.ON_HOLD], {START}
    while more := {to for start, to in pairs if start in reached} - reached:
        reached |= more
    return reached


def _reasons(desk: Desk, node: Node | None) -> dict[str, ClosingReason]:
    found: dict[str, ClosingReason] = {}
    for key, category, value in _by_category(desk, node):
        if not re.fullmatch(SLUG_PATTERN, key.text):
            desk.note(key.at, f"{key.text!r} is no name for a reason: small letters, digits and _")
        elif key.text in found:
            desk.note(key.at, f"{key.text!r} is a reason of category {found[key.text].category} already")
        said = desk.mapping(value, key.text, ("label", "still_open"), needs=("label",))
        if said is not None and key.text not in found:
            still_open = desk.yes_no(said.get("still_open"), "still_open") or False
            found[key.text] = ClosingReason(desk.text(said.get("label"), "label") or "", category, still_open)
    if isinstance(node, Mapping) and not found:
        desk.note(node.at, "reasons has none: nobody could close a leg")
    return dict(sorted(found.items()))


def _by_category(desk: Desk, node: Node | None) -> Iterator[tuple[Scalar, str, Node]]:
    for key, reasons in desk.entries(node, "reasons"):
        category = desk.word(key, "a category", CATEGORIES)
        for name, value in desk.entries(reasons, key.text):
            yield name, category or "", value
