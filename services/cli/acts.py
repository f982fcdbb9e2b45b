"""Every act on personal data that the store shows, and the audit entry that each must have.

An act is a row. Which entry it needs is said once, here: the operation, and the record that the entry names. A new
table of acts gets a line; `onward audit reconcile` and every fault test read these.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Integer, Table, bindparam, func, select, tuple_
from sqlalchemy.sql.selectable import FromClause, Select

from schemas.envelope import TIMERS_SOURCE
from services.audit.store import log_entries
from services.dispatch.store import deliveries
from services.ground import tables
from services.ground.driver import rows_of
from services.ground.sealing import Sealed
from services.ground.sql import select_in
from services.ground.streams import RECEIPT
from services.intake import store as intake
from services.intake.store import disposals, erasures, legal_holds
from services.router import store as router

Found = Mapping[str, Any]  # a row


class Sought(NamedTuple):
    """The entry that an act must have: its operation, a record that it names, and what else is known of it."""

    kind: str
    id: str
    operation: str | None  # None: any
    correlation: str | None = None
    who: str | None = None  # the recipient, or the actor where nobody receives anything
    once: bool = False  # no other entry may say the same


@dataclass(frozen=True)
class Act:
    """One kind of act: the rows that show it, read by key, and the entries that each must have."""

    kind: str
    query: Select[Any]  # of its rows, the key among its columns
    key: tuple[ColumnElement[Any], ...]
    sought: Callable[[Found], Sequence[Sought]]

    def page(self, connection: Connection, after: tuple[Any, ...] | None, most: int) -> list[Found]:
        """The next rows in the order of their keys."""
        values = {f"after_{place}": part for place, part in enumerate(after or ())}
        return rows_of(connection, self._next if after is not None else self._first, {"most": most, **values})

    @cached_property
    def _first(self) -> Select[Any]:
        """Made once: making a statement takes longer than running it on a small store."""
        return self.query.order_by(*self.key).limit(bindparam("most", type_=Integer))

    @cached_property
    def _next(self) -> Select[Any]:
        after = [bindparam(f"after_{place}", type_=column.type) for place, column in enumerate(self.key)]
        return self._first.where(tuple_(*self.key) > tuple_(*after) if len(after) > 1 else self.key[0] > after[0])

    def key_of(self, row: Found) -> tuple[Any, ...]:
        """Where a row stands in that order."""
        return tuple(row[column.key or ""] for column in self.key)


@dataclass(frozen=True)
class Kept:
    """Where records of one kind are kept."""

    column: Column[Any]

    @cached_property
    def _query(self) -> Select[Any]:
        return select(self.column)

    def there(self, connection: Connection, ids: Collection[str]) -> set[str]:
        """Those of these ids that there are."""
        rows = select_in(connection, self._query, (self.column,), [(id_,) for id_ in ids])
        return {str(row[self.column.name]) for row in rows}


_aside, _outbox, _step = tables.quarantine.c, tables.outbox.c, router.leg_history.c
_decision, _merge, _apart = router.decisions.c, intake.person_merges.c, intake.persons_apart.c
_reviews: FromClause = router.reviews.outerjoin(router.decisions, _decision.id == router.reviews.c.decision_id)


def _one(kind: str, operation: str, id_: str = "id", **more: Any) -> Callable[[Found], Sequence[Sought]]:
    """The one entry of a row: `correlation` and `who` name columns of it."""
    correlation, who, once = more.get("correlation"), more.get("who"), bool(more.get("once"))

    def sought(row: Found) -> Sequence[Sought]:
        named = row[correlation] if correlation else None
        return (Sought(kind, str(row[id_]), operation, named, row[who] if who else None, once),)

    return sought


def _of(table: Table, *where: ColumnElement[bool]) -> Select[Any]:
    return select(*(column for column in table.c if not _heavy(column))).where(*where)


def _heavy(column: Column[Any]) -> bool:
    """What no entry says anything of, and what would be most of a page."""
    return column.name in ("plan", "problems") or isinstance(column.type, Sealed)


def _set_aside(row: Found) -> Sequence[Sought]:
    return (Sought("quarantine", row["id"], "collect" if row["stream"] == "INTAKE" else "alter"),)


def _told(row: Found) -> Sequence[Sought]:
    """All that the router tells a source is of somebody's case; what intake tells one is that it has its message."""
    recipient = row["subject"].removeprefix("receipt.")
    return (Sought("message", row["id"], "disclose", None, recipient, once=True),)


def _kept_apart(row: Found) -> Sequence[Sought]:
    """Who were parted are kept apart by the same word, whose entry is that of the parting."""
    return tuple(Sought("person", row[name], None, row["event_id"], row["by_user"]) for name in ("one", "other"))


ACTS: Final = (
    Act("accepted event", _of(intake.accepted_events, intake.accepted_events.c.source != TIMERS_SOURCE),
        (intake.accepted_events.c.event_id,),
        lambda row: (Sought("event", row["event_id"], "collect", row["event_id"], once=True),)),
    Act("repeated message",
        _of(intake.raw_messages, intake.raw_messages.c.outcome == "repeated",
            intake.raw_messages.c.subject.not_like(f"intake.{TIMERS_SOURCE}.%")),
        (intake.raw_messages.c.id,), _one("raw_message", "collect", once=True)),
    Act("set aside", _of(tables.quarantine), (_aside.id,), _set_aside),
    Act("sent again", _of(tables.quarantine, _aside.resent_as.is_not(None)), (_aside.id,),
        _one("message", "alter", "resent_as")),
    Act("merge", _of(intake.person_merges), (_merge.id,),
        _one("person", "combine", "merged", correlation="event_id", who="by_user", once=True)),
    Act("parting", _of(intake.person_merges, _merge.undone_event.is_not(None)), (_merge.id,),
        _one("person", "combine", "merged", correlation="undone_event", who="undone_by", once=True)),
    Act("kept apart", _of(intake.persons_apart), (_apart.one, _apart.other), _kept_apart),
    Act("event decided", _of(router.case_events), (router.case_events.c.event_id,),
        lambda row: (Sought("event", row["event_id"], "alter", row["event_id"], once=True),)),
    Act("decision", _of(router.decisions), (_decision.id,),
        lambda row: (Sought("decision", row["id"], "alter", row["again_because"] or row["event_id"], once=True),)),
    Act("leg step", _of(router.leg_history), (_step.id,), _one("leg", "alter", "leg_id", correlation="event_id")),
    Act("review",
        select(router.reviews.c.id, func.coalesce(_decision.again_because, router.reviews.c.event_id).label("cause"))
        .select_from(_reviews), (router.reviews.c.id,), _one("review", "alter", correlation="cause")),
    Act("human decision", _of(router.human_decisions), (router.human_decisions.c.event_id,),
        _one("event", "alter", "event_id", correlation="event_id", who="by_user")),
    Act("offer", _of(router.offers), (router.offers.c.id,), _one("offer", "alter")),
    Act("pause", _of(router.pauses), (router.pauses.c.id,), _one("pause", "alter")),
    Act("welfare check", _of(router.welfare_checks), (router.welfare_checks.c.id,), _one("welfare_check", "alter")),
    Act("delivery", _of(deliveries), (deliveries.c.command_id,),
        _one("message", "disclose", "message_id", correlation="event_id", who="destination", once=True)),
    Act("receipt of a case", _of(tables.outbox, _outbox.stream == RECEIPT, _outbox.service == "router"),
        (_outbox.id,), _told),
    Act("legal hold", _of(legal_holds), (legal_holds.c.id,),
        _one("legal_hold", "alter", correlation="id", who="by_user", once=True)),
    Act("release of a hold", _of(legal_holds, legal_holds.c.released_at.is_not(None)), (legal_holds.c.id,),
        _one("legal_hold", "alter", correlation="release_id", who="released_by", once=True)),
    Act("erasure", _of(erasures), (erasures.c.person_id,),
        _one("person", "erase", "person_id", who="by_user", once=True)),
    Act("disposal", _of(disposals), (disposals.c.id,), _one("disposal", "erase", correlation="id", once=True)),
    Act("step of a rule set", _of(router.rule_set_steps), (router.rule_set_steps.c.id,),
        _one("rule_set_step", "alter", who="by_user", once=True)),
)  # fmt: skip


KEPT_IN: Final[Mapping[str, Kept]] = {
    kind: Kept(column)
    for kind, column in {
        "capacity": router.capacity.c.destination,
        "case": intake.persons.c.id,
        "decision": router.decisions.c.id,
        "disposal": disposals.c.id,
        "event": intake.accepted_events.c.event_id,
        "leg": router.legs.c.id,
        "legal_hold": legal_holds.c.id,
        "log_entry": log_entries.c.entry_id,
        "message": tables.outbox.c.id,
        "offer": router.offers.c.id,
        "pause": router.pauses.c.id,
        "person": intake.persons.c.id,
        "quarantine": tables.quarantine.c.id,
        "raw_message": intake.raw_messages.c.id,
        "review": router.reviews.c.id,
        "rule_set": router.rule_sets.c.digest,
        "rule_set_step": router.rule_set_steps.c.id,
        "welfare_check": router.welfare_checks.c.id,
    }.items()
}
