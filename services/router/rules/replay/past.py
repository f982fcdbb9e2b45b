"""What was decided, as columns: each fact's values of all decisions as small numbers, and what they stand for.

Facts are those that were kept with the decision. What happened to each person stands beside them, so that a window can
be counted anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.router.rules.calendar import local_day

Stated: TypeAlias = "bool | int | str | tuple[str, ...] | None"  # a fact's value as it was kept; None: unknown
Numbers: TypeAlias = NDArray[np.int64]
Codes: TypeAlias = NDArray[np.unsignedinteger]  # as small as they can be

LACKING, UNKNOWN = 0, 1  # codes: the record knows no such fact; nobody knew its value
_HOUR: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Happened(NamedTuple):
    """One event of a person, as it was taken."""

    event_id: str
    person: str  # who they are by now, where a human said that two are one
    kind: str
    occurred_at: datetime
    taken_at: datetime
    sequence: int  # by which events of one person follow one another


class Decided(NamedTuple):
    """One decision as it was kept: of each event the last one."""

    decision_id: str
    event_id: str
    person_id: str
    decided_at: datetime
    rule_set: str  # digest
    facts: Mapping[str, object]  # values as JSON
    because: str | None  # the event that had it decided again


class Recorded(NamedTuple):
    """A fact of every decision: a code each, and the values that the codes stand for."""

    codes: Codes
    values: tuple[Stated, ...]  # of LACKING and UNKNOWN: None


@dataclass(frozen=True)
class Events:
    """What happened, by person in the order in which it was taken."""

    person: Numbers
    kind: Numbers  # places in `kinds`
    kinds: tuple[str, ...]
    at: Numbers  # microseconds since 1970
    day: Numbers  # local, as an ordinal


@dataclass(frozen=True)
class Past:
    """Every decision, its facts and what its person's past was when it was taken."""

    decisions: Sequence[str]
    event_ids: Sequence[str]
    persons: Sequence[str]
    rule_sets: tuple[str, ...]
    rule_set: Numbers  # places in `rule_sets`
    decided_at: Numbers  # microseconds
    day: Numbers  # of the decision, local, as an ordinal
    facts: Mapping[str, Recorded]
    events: Events
    own: Numbers  # the decision's own event's place among the events; -1: not there
    before: Numbers  # the place among them from which on nothing was known yet

    def __len__(self) -> int:
        return len(self.decisions)

    def digests(self) -> tuple[str, ...]:
        """The rule sets that decided something of this."""
        return tuple(self.rule_sets[place] for place in np.unique(self.rule_set))


class _Coding(dict[object, int]):
    """Gives each new value the next number."""

    def __missing__(self, value: object) -> int:
        code = self[value] = len(self)
        return code


class _Lacking(Enum):
    IT = "lacking"


@dataclass
class Recorder:
    """Takes decisions in parts, so that their JSON need not be in memory at once."""

    _facts: dict[str, tuple[_Coding, list[Numbers]]] = field(default_factory=dict)
    _rows: list[tuple[str, str, str, str, datetime, str | None]] = field(default_factory=list)

    def add(self, decided: Sequence[Decided]) -> None:
        """Take some more."""
        if not decided:
            return
        names = {name for row in decided for name in row.facts}
        for name in names - self._facts.keys():
            coding = _Coding({_Lacking.IT: LACKING, None: UNKNOWN})
            earlier = [np.zeros(len(self._rows), np.int64)] if self._rows else []
            self._facts[name] = (coding, earlier)
        said_of = _by_fact([row.facts for row in decided], self._facts)
        for name, (coding, parts) in self._facts.items():
            said = _hashable(said_of[name])
            parts.append(np.array(list(map(coding.__getitem__, said)), np.int64))
        self._rows += [
            (row.decision_id, row.event_id, row.person_id, row.rule_set, row.decided_at, row.because) for row in decided
        ]

    def past(self, happened: Iterable[Happened]) -> Past:
        """All that was taken, beside all that happened."""
        events, places = _events(happened)
        last = self._last()
        rows = [self._rows[place] for place in last.tolist()]
        sets = _Coding()
        own = np.array([places.get(row[1], -1) for row in rows], np.int64)
        cause = np.array([places.get(row[5] or row[1], -1) for row in rows], np.int64)
        decided_at = _microseconds([row[4] for row in rows])
        return Past(
            decisions=[row[0] for row in rows],
            event_ids=[row[1] for row in rows],
            persons=[row[2] for row in rows],
            rule_set=np.array([sets[row[3]] for row in rows], np.int64),
            rule_sets=tuple(str(each) for each in sets),
            decided_at=decided_at,
            day=local_days(decided_at),
            facts={
                name: _recorded(coding, np.concatenate(parts)[last]) for name, (coding, parts) in self._facts.items()
            },
            events=events,
            own=own,
            before=np.where(cause >= 0, cause, own),
        )

    def _last(self) -> Numbers:
        """The places of what counts: of each event the last decision, in the order of time."""
        order = sorted(range(len(self._rows)), key=lambda place: self._rows[place][4])
        last = {self._rows[place][1]: place for place in order}
        return np.array(sorted(last.values(), key=lambda place: self._rows[place][4]), np.int64)


def local_days(moments: Numbers) -> Numbers:
    """The local days, as ordinals, of moments in microseconds. London is never off by less than a whole hour."""
    hours, which = np.unique(moments // _HOUR, return_inverse=True)
    days = [local_day(_EPOCH + timedelta(hours=int(hour))).toordinal() for hour in hours]
    return np.array(days, np.int64)[which]


def small(codes: Numbers) -> Codes:
    """Codes in as few bytes as they need."""
    most = int(codes.max(initial=0))
    if most < 256:
        return codes.astype(np.uint8)
    return codes.astype(np.uint16) if most < 65_536 else codes.astype(np.uint32)


def day_of(ordinal: int) -> date:
    """The day that an ordinal stands for."""
    return date.fromordinal(ordinal)


def _microseconds(moments: Sequence[datetime]) -> Numbers:
    return np.array([(moment - _EPOCH) // _MICROSECOND for moment in moments], np.int64)


def _by_fact(rows: list[Mapping[str, object]], names: Iterable[str]) -> dict[str, list[object]]:
    """Each fact's values in these rows, most of which hold the same facts in the same order."""
    first = tuple(rows[0])
    if all(tuple(row) == first for row in rows):
        found = dict(zip(first, map(list, zip(*(row.values() for row in rows), strict=True)), strict=True))
        return {name: found.get(name) or [_Lacking.IT] * len(rows) for name in names}
    return {name: [row.get(name, _Lacking.IT) for row in rows] for name in names}


def _hashable(said: list[object]) -> list[object]:
    """Values that a dictionary tells apart: True is no 1, and a list is a tuple."""
    kinds = set(map(type, said))
    if list in kinds:
        said = [tuple(value) if isinstance(value, list) else value for value in said]
    if bool in kinds:
        said = [("yes/no", value) if isinstance(value, bool) else value for value in said]
    return said


def _recorded(coding: _Coding, codes: Numbers) -> Recorded:
    """Numbers in rising order, so that most tests are a comparison or two of codes."""
    said = list(coding)[2:]
    order = sorted(range(len(said)), key=lambda place: _rank(said[place]))
    renamed = np.arange(len(coding))
    for new, place in enumerate(order):
        renamed[place + 2] = new + 2
    return Recorded(small(renamed)[codes], (None, None, *(_stated(said[place]) for place in order)))


def _rank(said: object) -> tuple[int, int, str]:
    return (0, said, "") if isinstance(said, int) else (1, 0, repr(said))


def _stated(said: object) -> Stated:
    match said:
        case ("yes/no", bool() as answer):
            return answer
        case tuple():
            return tuple(str(value) for value in said)
        case int():
            return said
    return str(said)


def _events(happened: Iterable[Happened]) -> tuple[Events, dict[str, int]]:
    by_person: dict[str, list[Happened]] = defaultdict(list)
    for each in happened:
        by_person[each.person].append(each)
    rows: list[Happened] = []
    for several in by_person.values():
        rows += sorted(several, key=lambda each: (each.taken_at, each.sequence, each.event_id))
    persons, kinds = _Coding(), _Coding()
    at = _microseconds([row.occurred_at for row in rows])
    events = Events(
        person=np.array([persons[row.person] for row in rows], np.int64),
        kind=np.array([kinds[row.kind] for row in rows], np.int64),
        kinds=tuple(str(kind) for kind in kinds),
        at=at,
        day=local_days(at),
    )
    return events, {row.event_id: place for place, row in enumerate(rows)}
