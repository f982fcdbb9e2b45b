"""What people look at, read from the store: the state of the system, the way of one event, one person's case.

Everything here only reads; that a person looked at somebody's data is itself an audit entry (`consulting`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Table, func, or_, select

from schemas.identifiers import crn, cro_number, nhs_number, noms_number, pnc_id
from services.audit.store import log_entries
from services.audit.store import state as state_of_the_log
from services.dispatch.store import deliveries
from services.ground import tables
from services.ground.entry_texts import entry_texts
from services.ground.opening import read_gently
from services.ground.sealing import ERASED
from services.intake import store as intake
from services.router import store as router
from services.router import versions

Row = dict[str, Any]
NORMAL_FORMS = {"pnc_id": pnc_id, "cro": cro_number, "crn": crn, "nhs_number": nhs_number, "noms": noms_number}


def rows(connection: Connection, table: Table, where: ColumnElement[bool], order: Any = None) -> list[Row]:
    """Rows of a table as plain dictionaries, in the order of their keys unless another is given.

    What is sealed in them is opened; of whoever is erased it is ERASED.
    """
    query = select(table).where(where)
    query = query.order_by(order if order is not None else next(iter(table.primary_key.columns)))
    return read_gently(connection, query)


def state_of_the_store(connection: Connection, now: datetime) -> Row:
    """What waits in the store, and since when."""
    outbox, aside, early = tables.outbox.c, tables.quarantine.c, tables.early.c
    review = router.reviews.c
    unsent = connection.execute(select(func.count(), func.min(outbox.created_at)).where(outbox.sent_at.is_(None))).one()
    waits = aside.resent_at.is_(None)
    waiting = connection.execute(
        select(func.count(), func.min(aside.quarantined_at)).where(waits, aside.told_at.is_(None))
    ).one()
    told = connection.execute(
        select(func.count(), func.min(aside.told_at)).where(waits, aside.told_at.is_not(None))
    ).one()
    ahead = connection.execute(select(func.count(), func.min(early.arrived_at))).one()
    overdue = connection.execute(
        select(func.count()).where(review.answered_at.is_(None), review.due_at < now)
    ).scalar_one()
    reviews = connection.execute(select(func.count()).where(review.answered_at.is_(None))).scalar_one()
    leases = rows(connection, tables.leases, tables.leases.c.owner.is_not(None))
    alive = rows(connection, tables.instances, tables.instances.c.seen_at.is_not(None))
    return {
        "outbox": {"unsent": unsent[0], "oldest": unsent[1]},
        "quarantine": {"waiting": waiting[0], "oldest": waiting[1]},
        "refused": {"told": told[0], "oldest": told[1]},
        "before_their_predecessor": {"waiting": ahead[0], "oldest": ahead[1]},
        "failing": connection.execute(select(func.count()).select_from(tables.attempts)).scalar_one(),
        "reviews": {"open": reviews, "overdue": overdue},
        "log": state_of_the_log(connection),
        "rules": _rules(connection),
        "leases": leases,
        "instances": alive,
    }


def _rules(connection: Connection) -> Row:
    """The version in force, how many wait for approval, and the routers that cannot load it."""
    now = versions.in_force(connection)
    refused = router.router_rules.c.refused
    return {
        "in_force": now.digest if now else None,
        "since": now.since if now else None,
        "proposed": len(versions.open_proposals(connection)),
        "refused": rows(connection, router.router_rules, refused == now.digest) if now else [],
    }


def find_event(connection: Connection, id_: str) -> str | None:
    """Our event id for any id that somebody may hold: an event's, a leg's, a command's, a message's, a decision's."""
    accepted, history, delivery = intake.accepted_events.c, router.leg_history.c, deliveries.c
    decision, entry, reference = router.decisions.c, log_entries.c, intake.references.c
    asked: list[tuple[Any, ColumnElement[bool]]] = [
        (accepted.event_id, or_(accepted.event_id == id_, accepted.origin_id == id_)),
        (history.event_id, history.leg_id == id_),
        (delivery.event_id, or_(delivery.command_id == id_, delivery.message_id == id_)),
        (decision.event_id, decision.id == id_),
        (entry.correlation_id, entry.entry_id == id_),
    ]
    for column, where in asked:
        found = connection.execute(select(column).where(where).order_by(column).limit(1)).scalar()
        if found is not None:
            return str(found)
    first = select(accepted.event_id).where(
        accepted.person_id == reference.person_id, accepted.source == reference.source
    )
    named = reference.reference == intake.fingerprint_of(connection, intake.REFERENCE, id_)
    found = connection.execute(first.where(named).order_by(accepted.sequence).limit(1)).scalar()
    return str(found) if found is not None else None


def trace_of(connection: Connection, event_id: str) -> Row:
    """The way of one event through every stage."""
    [accepted] = rows(connection, intake.accepted_events, intake.accepted_events.c.event_id == event_id) or [{}]
    sent = rows(connection, tables.outbox, tables.outbox.c.id == event_id)
    decided = or_(router.decisions.c.event_id == event_id, router.decisions.c.again_because == event_id)
    decisions = rows(connection, router.decisions, decided)
    history = rows(connection, router.leg_history, router.leg_history.c.event_id == event_id)
    moved = rows(connection, router.legs, router.legs.c.id.in_(sorted({step["leg_id"] for step in history})))
    destinations = {leg["id"]: leg["destination"] for leg in moved}
    return {
        "event_id": event_id,
        "accepted": accepted,
        "raw": [
            {
                **{name: r[name] for name in ("received_at", "subject", "outcome")},
                "bytes": None if r["body"] in (None, ERASED) else len(r["body"]),
            }
            for r in rows(connection, intake.raw_messages, intake.raw_messages.c.event_id == event_id)
        ],
        # Where nothing was sent it was handed on as it was accepted.
        "sent_to_router_at": sent[0]["sent_at"] if sent else accepted.get("accepted_at"),
        "decisions": decisions,
        "history": [{**step, "destination": destinations.get(step["leg_id"])} for step in history],
        "reviews": rows(connection, router.reviews, router.reviews.c.event_id == event_id),
        "offers": rows(connection, router.offers, router.offers.c.event_id == event_id),
        "pauses": rows(connection, router.pauses, router.pauses.c.event_id == event_id),
        "human": rows(connection, router.human_decisions, router.human_decisions.c.event_id == event_id),
        "deliveries": rows(connection, deliveries, deliveries.c.event_id == event_id),
        "quarantine": [
            _without_raw(row) for row in rows(connection, tables.quarantine, tables.quarantine.c.message_id == event_id)
        ],
        "audit": audit_of(connection, log_entries.c.correlation_id == event_id),
    }


def audit_of(connection: Connection, where: ColumnElement[bool]) -> list[Row]:
    """Entries of the log, in its order, with what humans wrote for them."""
    found = rows(connection, log_entries, where)
    wrote = entry_texts(connection, [row["entry_id"] for row in found])
    return [
        {
            "position": row["position"],
            **orjson.loads(row["entry"])["data"],
            **({"justification": wrote[row["entry_id"]].text} if row["entry_id"] in wrote else {}),
        }
        for row in found
    ]


def find_persons(connection: Connection, text: str) -> list[str]:
    """The persons whom a person, leg or event id, a referral reference or an identifier in any usual writing names."""
    return sorted({who_is(connection, one) for one in named_persons(connection, text)})


def named_persons(connection: Connection, text: str) -> list[str]:
    """The same as they were named: one who is merged into another is still told apart from that one."""
    person, identifier, leg, event = intake.persons.c, intake.identifiers.c, router.legs.c, intake.accepted_events.c
    found: list[str] = list(connection.execute(select(person.id).where(person.id == text)).scalars())
    found += connection.execute(select(leg.person_id).where(leg.id == text)).scalars()
    of_event = or_(event.event_id == text, event.origin_id == text)
    found += connection.execute(select(event.person_id).where(of_event)).scalars()
    reference = intake.references.c
    said = intake.fingerprint_of(connection, intake.REFERENCE, text)
    found += connection.execute(select(reference.person_id).where(reference.reference == said)).scalars()
    for kind, normal_form in NORMAL_FORMS.items():
        try:
            value = normal_form(text)
        except ValueError:
            continue
        kept = intake.fingerprint_of(connection, kind, value)
        where = (identifier.kind == kind) & (identifier.value == kept)
        found += connection.execute(select(identifier.person_id).where(where)).scalars()
    return sorted(set(found))


def who_is(connection: Connection, person_id: str) -> str:
    """The person that somebody is, where a human said that two are one."""
    case = router.cases.c
    into = connection.execute(select(case.merged_into).where(case.person_id == person_id)).scalar()
    return who_is(connection, into) if into is not None else person_id


def all_who_are(connection: Connection, person_id: str) -> list[str]:
    """A person, and those who are merged into them."""
    case = router.cases.c
    joined = connection.execute(select(case.joined).where(case.person_id == person_id)).scalar()
    return [person_id, *(joined or ())]


def case_of(connection: Connection, person_id: str) -> Row:
    """All that the router holds of a person, and of those who are merged into them."""
    persons = all_who_are(connection, person_id)
    legs = rows(connection, router.legs, router.legs.c.person_id.in_(persons))
    ids = [leg["id"] for leg in legs]
    return {
        "person_id": person_id,
        "joined": persons[1:],
        "events": [
            {name: row[name] for name in ("event_id", "kind", "occurred_at", "source", "origin_id")}
            for row in rows(connection, router.case_events, router.case_events.c.person_id.in_(persons))
        ],
        "legs": legs,
        "history": rows(connection, router.leg_history, router.leg_history.c.leg_id.in_(ids)),
        "deliveries": rows(connection, deliveries, deliveries.c.leg_id.in_(ids), deliveries.c.message_id),
        "offers": rows(connection, router.offers, router.offers.c.leg_id.in_(ids)),
        "pauses": rows(connection, router.pauses, router.pauses.c.leg_id.in_(ids)),
        "welfare_checks": rows(
            connection, router.welfare_checks, router.welfare_checks.c.leg_id.in_(ids), router.welfare_checks.c.due_at
        ),
        "timers": rows(
            connection,
            router.timers,
            router.timers.c.person_id.in_(persons)
            & router.timers.c.fired_at.is_(None)
            & router.timers.c.cancelled_at.is_(None),
            router.timers.c.due_at,
        ),
        "reviews": rows(connection, router.reviews, router.reviews.c.person_id.in_(persons)),
    }


def quarantined(connection: Connection, *, id_: str | None = None, told: bool = False) -> list[Row]:
    """Messages that wait here to be mended, oldest first; or one by the start or the end of its id.

    `told`: instead those that were refused, whose senders were told why and mend them themselves.
    """
    aside = tables.quarantine.c
    where: ColumnElement[bool] = aside.resent_at.is_(None) & (
        aside.told_at.is_not(None) if told else aside.told_at.is_(None)
    )
    if id_ is not None:
        where = or_(aside.id.startswith(id_, autoescape=True), aside.id.endswith(id_, autoescape=True))
    return rows(connection, tables.quarantine, where)


def _without_raw(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "raw"}
