"""Whether every act on personal data has its audit entry, and every entry its act: page by page, in constant memory.

First the entries are read, from the log and from what waits to be appended to it, and what they name goes
into an index on disk; then each table of acts is read in the order of its keys and looked up in there. An act whose
entry is not there may be younger than the index, so it is looked up once more among the entries that came since: an act
and its entry are of one transaction, so whoever sees the act sees the entry.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, Integer, bindparam, select

from services.audit.store import log_entries
from services.cli.acts import ACTS, KEPT_IN, Act, Sought
from services.ground import tables
from services.ground.driver import rows_of

PAGE: Final = 5_000  # rows in memory at once
TOLD_MOST: Final = 1_000  # findings that are told one by one; all are counted
INDEX_CACHE_KIB: Final = 32 * 1024
ON_ITS_WAY: Final = -1  # instead of a position of the log
FOR_THEMSELVES: Final = frozenset({"search", "log_key"})  # kinds that name no row: which search it was; a key's id

_MAKE: Final = """
CREATE TABLE entered (kind TEXT, id TEXT, operation TEXT, correlation TEXT, who TEXT, entry TEXT, position INTEGER,
    PRIMARY KEY (kind, id, operation, entry)) WITHOUT ROWID
"""
_LOOK_UP: Final = """
SELECT each.key, count(e.entry), max(e.position) FROM json_each(?) AS each
LEFT JOIN entered AS e ON e.kind = each.value ->> 0 AND e.id = each.value ->> 1
    AND (each.value ->> 2 IS NULL OR e.operation = each.value ->> 2)
    AND (each.value ->> 3 IS NULL OR e.correlation = each.value ->> 3)
    AND (each.value ->> 4 IS NULL OR e.who = each.value ->> 4)
GROUP BY each.key
"""
_NAMED: Final = """
SELECT kind, id, min(entry) FROM entered WHERE (kind, id) > (?, ?) AND kind NOT IN ('entry', 'erased')
GROUP BY kind, id ORDER BY kind, id LIMIT ?
"""
_ERASED: Final = """
SELECT 1 FROM entered WHERE operation = 'erase' AND ((kind = ? AND id = ?) OR (kind = 'erased' AND id = ?))
"""
_waits, _entry = tables.audit_entries.c, log_entries.c
_MOST: Final = bindparam("most", type_=Integer)
_LOG: Final = (
    select(_entry.position, _entry.entry)
    .where(_entry.position > bindparam("since"))
    .order_by(_entry.position)
    .limit(_MOST)
)
_WAITING: Final = (  # entries that were kept, and that the log has not taken yet
    select(_waits.number, _waits.entry).where(_waits.number > bindparam("since")).order_by(_waits.number).limit(_MOST)
)


class Finding(NamedTuple):
    """Something that does not fit: of which kind, which record or entry, and what is wrong with it."""

    kind: str
    id: str
    why: str


@dataclass(slots=True)
class Count:
    """How many acts of one kind there are, and where their entries are."""

    acts: int = 0
    entered: int = 0  # in the log
    on_their_way: int = 0  # kept, and not in the log yet
    missing: int = 0


@dataclass(slots=True)
class Reconciled:
    """What was found. `log` counts the entries themselves: those in the log, those on their way to it."""

    acts: dict[str, Count] = field(default_factory=dict)
    log: Count = field(default_factory=Count)
    records: int = 0  # that entries name
    erased: int = 0  # of those, that are no more because they were erased
    unknown: Counter[str] = field(default_factory=Counter)  # records of kinds that this does not know
    wrong: int = 0
    findings: list[Finding] = field(default_factory=list)  # the first `TOLD_MOST`

    def note(self, kind: str, id_: str, why: str) -> None:
        """One more thing that does not fit."""
        self.wrong += 1
        if len(self.findings) < TOLD_MOST:
            self.findings.append(Finding(kind, id_, why))


class Reconciling(AbstractContextManager["Reconciling"]):
    """One reconciliation. `pages` are to be called one after the other, each with a connection to the store."""

    def __init__(self, page: int = PAGE) -> None:
        self.found = Reconciled()
        self._page = page
        self._index = sqlite3.connect("", check_same_thread=False)  # a file of its own without a name, gone with it
        self._index.execute("PRAGMA journal_mode=OFF")
        self._index.execute(f"PRAGMA cache_size=-{INDEX_CACHE_KIB}")
        self._index.execute(_MAKE)
        self._log_read, self._way_read = -1, -1  # up to which position, and up to which number of what waits
        self._again: list[tuple[str, Sought]] = []  # acts without an entry yet

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._index.close()

    def pages(self) -> Iterator[Callable[[Connection], int]]:
        """What is to be done, piece by piece; each piece returns how many rows it looked at."""
        yield from self._entries()
        for act in ACTS:
            yield from self._acts(act)
        yield from self._records()
        yield self._sum_up

    def _entries(self) -> Iterator[Callable[[Connection], int]]:
        """Those on their way first: one that reaches the log meanwhile is then met twice, and not missed."""
        self._way_read = -1
        for read in (self._on_their_way, self._in_the_log):
            self._more = True
            while self._more:
                yield read

    def _on_their_way(self, connection: Connection) -> int:
        found = rows_of(connection, _WAITING, {"since": self._way_read, "most": self._page})
        self._keep((row["entry"], ON_ITS_WAY) for row in found)
        self._more = len(found) == self._page
        self._way_read = int(found[-1]["number"]) if found else self._way_read
        return len(found)

    def _in_the_log(self, connection: Connection) -> int:
        found = rows_of(connection, _LOG, {"since": self._log_read, "most": self._page})
        self._keep((row["entry"], row["position"]) for row in found)
        for position in (int(row["position"]) for row in found):
            if position != self._log_read + 1:
                self.found.note("log", str(self._log_read + 1), "the log has a gap here")
            self._log_read = position
        self._more = len(found) == self._page
        return len(found)

    def _keep(self, entries: Iterator[tuple[bytes, int]]) -> None:
        rows: list[tuple[object, ...]] = []
        for raw, position in entries:
            entry = orjson.loads(raw)["data"]
            operation, correlation, id_ = entry["operation"], entry["correlation_id"], entry["entry_id"]
            who = entry.get("recipient") or entry["actor"]["id"]
            rows += [
                (record["kind"], record["id"], operation, correlation, who, id_, position)
                for record in entry.get("records", ())
            ]
            rows.append(("entry", id_, operation, correlation, who, id_, position))
            if operation == "erase" and entry.get("person_id"):
                rows.append(("erased", entry["person_id"], operation, correlation, who, id_, position))
            why = entry.get("because") or entry.get("justification") or entry.get("justification_commitment")
            if operation == "disclose" and not why:
                self.found.note("entry", id_, "says of a disclosure neither the rules' reasons nor another one")
        self._index.executemany("INSERT OR REPLACE INTO entered VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _acts(self, act: Act) -> Iterator[Callable[[Connection], int]]:
        count = self.found.acts.setdefault(act.kind, Count())
        last: tuple[Any, ...] | None = None
        more = True

        def read(connection: Connection) -> int:
            nonlocal last, more
            found = act.page(connection, last, self._page)
            more = len(found) == self._page
            last = act.key_of(found[-1]) if found else last
            sought = [one for row in found for one in act.sought(row)]
            count.acts += len(sought)
            self._look_up(act.kind, sought, count)
            return len(found)

        while more:
            yield read
            if len(self._again) >= self._page:
                yield from self._late()
        yield from self._late()

    def _look_up(self, kind: str, sought: Sequence[Sought], count: Count, *, late: bool = False) -> None:
        if not sought:
            return
        asked = orjson.dumps([one[:5] for one in sought]).decode()
        for place, times, position in self._index.execute(_LOOK_UP, (asked,)):
            one = sought[place]
            if not times:
                if late:
                    count.missing += 1
                    self.found.note(kind, one.id, f"has no entry: {_named(one)}")
                else:
                    self._again.append((kind, one))
                continue
            if one.once and times > 1:
                self.found.note(kind, one.id, f"is entered {times} times: {_named(one)}")
            if position == ON_ITS_WAY:
                count.on_their_way += 1
            else:
                count.entered += 1

    def _late(self) -> Iterator[Callable[[Connection], int]]:
        """Look once more at the acts without an entry. Where many are missing they are told, and no longer held."""
        if not self._again:
            return
        yield from self._entries()
        again, self._again = self._again, []
        for kind, one in again:
            self._look_up(kind, [one], self.found.acts[kind], late=True)

    def _records(self) -> Iterator[Callable[[Connection], int]]:
        """Every record that an entry names is there, or was erased."""
        last = ("", "")
        more = True

        def read(connection: Connection) -> int:
            nonlocal last, more
            found = self._index.execute(_NAMED, (*last, self._page)).fetchall()
            more = len(found) == self._page
            if found:
                last = found[-1][:2]
            self._exist(connection, found)
            return len(found)

        while more:
            yield read

    def _exist(self, connection: Connection, found: Sequence[tuple[str, str, str]]) -> None:
        named: dict[str, dict[str, str]] = {}
        for kind, id_, entry in found:
            named.setdefault(kind, {})[id_] = entry
        for kind, entries in named.items():
            place = KEPT_IN.get(kind)
            if place is None:
                if kind not in FOR_THEMSELVES:
                    self.found.unknown[kind] += len(entries)
                continue
            self.found.records += len(entries)
            there = place.there(connection, list(entries))
            for id_ in entries.keys() - there:
                if self._erased(kind, id_):
                    self.found.erased += 1
                else:
                    self.found.note("entry", entries[id_], f"names a {kind} that is not there: {id_}")

    def _erased(self, kind: str, id_: str) -> bool:
        return self._index.execute(_ERASED, (kind, id_, id_)).fetchone() is not None

    def _sum_up(self, _: Connection) -> int:
        query = "SELECT count(*), sum(position = ?) FROM entered WHERE kind = 'entry'"
        entries, waiting = self._index.execute(query, (ON_ITS_WAY,)).fetchone()
        self.found.log = Count(entries, entries - (waiting or 0), waiting or 0)
        return 0


def _named(sought: Sought) -> str:
    by = f" by event {sought.correlation}" if sought.correlation not in (None, sought.id) else ""
    return f"{sought.operation or 'any entry'} of {sought.kind} {sought.id}{by}"


def reconciled(connection: Connection, *, page: int = PAGE) -> Reconciled:
    """The whole reconciliation on one connection: for whoever has the store to himself."""
    with Reconciling(page) as work:
        for piece in work.pages():
            piece(connection)
        return work.found
