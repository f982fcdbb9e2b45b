"""The controller's report, gathered from the log page by page: who consulted, and to whom what was disclosed, and why.

Entries that say the same of the same person are one line with how often and when, so that a report grows with what is
different in it and not with the log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, Integer, bindparam, or_, select

from services.audit.store import log_entries
from services.ground.entry_texts import EntryText, entry_texts
from services.ground.sql import select_in
from services.intake import store as intake
from services.router import store as router

PAGE: Final = 2_000
MOST_NAMED: Final = 20  # positions of a line: a report grows with what is different in it
TOLD: Final = ("consult", "disclose")
WHOSE: Final = {  # records that tell whose data was seen where an entry names no person: by which key, and whose
    "leg": (router.legs.c.id, router.legs.c.person_id),
    "review": (router.reviews.c.id, router.reviews.c.person_id),
    "decision": (router.decisions.c.id, router.decisions.c.person_id),
    "event": (intake.accepted_events.c.event_id, intake.accepted_events.c.person_id),
}

_row = log_entries.c
_PAGE: Final = (
    select(_row.position, _row.entry_id, _row.person_id, _row.at, _row.entry)
    .where(
        _row.position > bindparam("after"),
        _row.operation.in_(TOLD),
        _row.at >= bindparam("since"),
        _row.at < bindparam("until"),
    )
    .order_by(_row.position)
    .limit(bindparam("most", type_=Integer))
)
_OWNERS: Final = {kind: select(key.label("id"), owner) for kind, (key, owner) in WHOSE.items()}


class Line(NamedTuple):
    """What some entries say alike. `who` looked, or received."""

    operation: str
    person_id: str | None  # None: a search over everybody, see `records`
    who: str
    role: str
    organisation: str
    fields: tuple[str, ...]
    purpose: str
    lawful_basis: str | None
    why: tuple[str, ...]
    records: tuple[str, ...]  # of a search: which one it was


@dataclass(slots=True)
class Times:
    """How often, when first and last, and where in the log: by its position each entry is proved."""

    first: datetime
    last: datetime
    positions: list[int]  # the first of them
    times: int = 1

    def again(self, at: datetime, position: int) -> None:
        """Once more."""
        self.first, self.last, self.times = min(self.first, at), max(self.last, at), self.times + 1
        if len(self.positions) < MOST_NAMED:
            self.positions.append(position)

    def named(self) -> str:
        """The positions, for people."""
        more = self.times - len(self.positions)
        return ", ".join(map(str, self.positions)) + (f" and {more:,} more" if more else "")


@dataclass(slots=True)
class Report:
    """What was found, by line."""

    since: datetime
    until: datetime
    persons: tuple[str, ...] = ()  # empty: of everybody
    entries: int = 0
    lines: dict[Line, Times] = field(default_factory=dict)

    def of(self, operation: str) -> list[tuple[Line, Times]]:
        """The lines of an operation, by person and then by time."""
        found = [(line, times) for line, times in self.lines.items() if line.operation == operation]
        return sorted(found, key=lambda each: (each[0].person_id or "", each[1].first, each[0].who))


class Gathering:
    """One report being made: `page` is called with a connection until it returns False."""

    def __init__(self, since: datetime, until: datetime, persons: Sequence[str] = ()) -> None:
        self.report = Report(since, until, tuple(persons))
        self._after = -1
        self._query = _PAGE
        if persons:  # by index; and those that name nobody, for their records may be this person's
            self._query = _PAGE.where(or_(_row.person_id.in_(persons), _row.person_id.is_(None)))

    def page(self, connection: Connection) -> bool:
        """Read some more."""
        values = {"after": self._after, "since": self.report.since, "until": self.report.until, "most": PAGE}
        found = [dict(row) for row in connection.execute(self._query, values).mappings()]
        entries = [(row, orjson.loads(row["entry"])["data"]) for row in found]
        wrote = entry_texts(connection, [row["entry_id"] for row in found])
        owners = _owners(connection, [entry for row, entry in entries if row["person_id"] is None])
        for row, entry in entries:
            self._after = row["position"]
            whose: Collection[str | None] = [row["person_id"]]
            if row["person_id"] is None:
                whose = owners_of(entry, owners) or [None]
            told = [person for person in whose if not self.report.persons or person in self.report.persons]
            self.report.entries += bool(told)
            for person in told:
                line = _line(entry, person, wrote.get(row["entry_id"]))
                if line in self.report.lines:
                    self.report.lines[line].again(row["at"], row["position"])
                else:
                    self.report.lines[line] = Times(row["at"], row["at"], [row["position"]])
        return len(found) == PAGE


def owners_of(entry: Mapping[str, Any], owners: Mapping[tuple[str, str], str]) -> list[str]:
    """Whose data an entry without a person is about: of the persons and records that it names."""
    found: dict[str, None] = {}
    for record in entry.get("records", ()):
        if record["kind"] in ("person", "case"):
            found[record["id"]] = None
        elif (owner := owners.get((record["kind"], record["id"]))) is not None:
            found[owner] = None
    return list(found)


def _owners(connection: Connection, entries: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    named: dict[str, set[str]] = {}
    for entry in entries:
        for record in entry.get("records", ()):
            if record["kind"] in WHOSE:
                named.setdefault(record["kind"], set()).add(record["id"])
    found: dict[tuple[str, str], str] = {}
    for kind, ids in named.items():
        for row in select_in(connection, _OWNERS[kind], (WHOSE[kind][0],), [(id_,) for id_ in sorted(ids)]):
            found[kind, str(row["id"])] = str(row["person_id"])
    return found


def _line(entry: Mapping[str, Any], person: str | None, wrote: EntryText | None) -> Line:
    actor = entry["actor"]
    disclosed = entry["operation"] == "disclose"
    reasons = [said["because"] for said in entry.get("because", ())]
    justification = entry.get("justification")
    if isinstance(justification, str):
        reasons.append(justification)
    if wrote is not None:
        reasons.append(wrote.text)
    named = [f"{record['kind']} {record['id']}" for record in entry.get("records", ())]
    return Line(
        entry["operation"],
        person,
        entry.get("recipient", "") if disclosed else actor["id"],
        "" if disclosed else actor["role"],
        "" if disclosed else actor["organisation"],
        tuple(entry.get("fields", ())),
        entry["purpose"],
        entry.get("lawful_basis"),
        tuple(dict.fromkeys(reasons)),
        tuple(named) if person is None else (),
    )


def as_rows(report: Report) -> Iterator[dict[str, Any]]:
    """Every line with its times, for machines and tables."""
    for operation in TOLD:
        for line, times in report.of(operation):
            when = {"times": times.times, "first": times.first, "last": times.last}
            yield {**line._asdict(), **when, "positions": tuple(times.positions)}
