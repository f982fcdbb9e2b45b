"""The one read of everything that is held of a person, before anything of it is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, case, func, select

from schemas.envelope import EventType
from services.cli.looking import Row, all_who_are, case_of, rows
from services.cli.picture.reading import directory_of, read_case
from services.cli.picture.records import CaseRows, Directory
from services.cli.reporting import Gathering, Report
from services.ground import tables
from services.ground.keys import keyring_of
from services.ground.sealing import ERASED, Erased
from services.intake import store as intake
from services.router import store as router
from services.router.in_force import rules_of
from services.router.rule_sets import rule_sets_kept
from services.router.rules.ruleset import RuleSet

BEGINNING: Final = datetime(1900, 1, 1, tzinfo=UTC)
_SEALED_HEAD: Final = 17  # bytes by which a sealed value says whose key opens it


@dataclass(frozen=True, slots=True)
class Message:
    """One event, with its data as its source sent it where that is still kept, else as it was decided."""

    row: Row  # of case_events, without its content
    type: EventType
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """All of one person, as it is in the store."""

    person_id: str
    merged: tuple[str, ...]
    case: Row  # `looking.case_of`
    rows: CaseRows
    directory: Directory
    messages: tuple[Message, ...]
    decisions: tuple[Row, ...]
    humans: Mapping[str, Row]  # human decisions, by the question that they answer
    timers: tuple[Row, ...]
    persons: tuple[Row, ...]
    kinds: Mapping[str, datetime]  # of identifiers, and since when each is known
    remembered: Mapping[str, Any]
    rule_sets: Mapping[str, RuleSet]
    rules: RuleSet  # in force
    aside: tuple[Row, ...]  # messages in quarantine that are known to be theirs
    repeats: int  # messages that came again
    trials: int  # decisions that a rule set on trial made beside
    log: Report


def erased_at(connection: Connection, persons: Sequence[str]) -> dict[str, datetime]:
    """Those of these who are erased, and when."""
    gone = tables.erased_keys.c
    found = connection.execute(select(gone.name, gone.at).where(gone.name.in_(list(persons))))
    return {str(row.name): row.at for row in found}


def gather(connection: Connection, person_id: str, now: datetime) -> Held:
    """Everything. Raises RuleSetRefused where nobody can say which services are on whose side."""
    persons = all_who_are(connection, person_id)
    known_case = case_of(connection, person_id)
    rules = rules_of(connection)
    decisions = rows(connection, router.decisions, router.decisions.c.person_id.in_(persons))
    human = rows(connection, router.human_decisions, router.human_decisions.c.person_id.in_(persons))
    log = Gathering(BEGINNING, now + timedelta(days=1), persons)
    while log.page(connection):
        pass
    known = intake.identifiers.c
    kinds = select(known.kind, func.min(known.added_at)).where(known.person_id.in_(persons)).group_by(known.kind)
    shadow = select(func.count()).where(router.shadow_decisions.c.person_id.in_(persons))
    return Held(
        person_id=person_id,
        merged=tuple(persons[1:]),
        case=known_case,
        rows=read_case(connection, person_id),
        directory=directory_of(rules),
        messages=tuple(_messages(connection, persons)),
        decisions=tuple(row for row in decisions if ERASED not in (row["said"], row["facts"])),
        humans={row["review_id"]: row for row in human if row["review_id"]},
        timers=tuple(rows(connection, router.timers, router.timers.c.person_id.in_(persons), router.timers.c.due_at)),
        persons=tuple(rows(connection, intake.persons, intake.persons.c.id.in_(persons))),
        kinds={str(kind): at for kind, at in connection.execute(kinds)},
        remembered=_remembered(connection, persons),
        rule_sets=rule_sets_kept(connection, {row["rule_set"] for row in decisions}),
        rules=rules,
        aside=tuple(_aside(connection, persons)),
        repeats=_repeats(connection, persons),
        trials=int(connection.execute(shadow).scalar_one()),
        log=log.report,
    )


def _messages(connection: Connection, persons: Sequence[str]) -> list[Message]:
    event, accepted, raw = router.case_events.c, intake.accepted_events.c, intake.raw_messages.c
    types = {
        str(row.event_id): EventType(row.type)
        for row in connection.execute(select(accepted.event_id, accepted.type).where(accepted.person_id.in_(persons)))
    }
    ours = select(accepted.event_id).where(accepted.person_id.in_(persons))
    as_sent = {
        row["event_id"]: row["body"]
        for row in rows(connection, intake.raw_messages, raw.event_id.in_(ours) & (raw.outcome == "accepted"))
        if row["body"] not in (None, ERASED)
    }
    found = []
    for row in rows(connection, router.case_events, event.person_id.in_(persons), event.occurred_at):
        type_ = types.get(row["event_id"])
        if row["content"] == ERASED or type_ is None:
            continue
        if (body := as_sent.get(row["event_id"])) is not None:
            data = orjson.loads(body)["data"]
        else:
            type_, data = _as_decided(row["kind"], type_), orjson.loads(row["content"])
        found.append(Message({n: v for n, v in row.items() if n != "content"}, type_, data))
    return found


def _as_decided(kind: str, came_as: EventType) -> EventType:
    """The type of the content that is kept for an event of this kind: a check that was missed counts as a risk."""
    if kind.startswith(("progress_", "decision_", "timer_")) or came_as is EventType.REFERRAL_SUBMITTED:
        return came_as
    return EventType.RISK_REPORTED


def _remembered(connection: Connection, persons: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in reversed(rows(connection, router.cases, router.cases.c.person_id.in_(persons))):
        if isinstance(row["remembered"], dict):
            found |= row["remembered"]
    return found


def _aside(connection: Connection, persons: Sequence[str]) -> list[Row]:
    """Messages that could not be taken, by whose key they are kept under."""
    heads = []
    for person in persons:
        try:
            heads.append(keyring_of(connection).key(connection, person).head)
        except Erased:
            continue
    aside, accepted = tables.quarantine.c, intake.accepted_events.c
    # What the router sets aside came to it from intake: whose it was, the accepted event says.
    sender = case((aside.service == "intake", aside.source), else_=accepted.source).label("source")
    told = (
        select(aside.id, sender, aside.reason, aside.quarantined_at, aside.resent_at)
        .select_from(tables.quarantine.outerjoin(intake.accepted_events, accepted.event_id == aside.message_id))
        .where(func.substr(aside.raw, 1, _SEALED_HEAD, type_=aside.raw.type).in_(heads))
    )
    return [dict(row) for row in connection.execute(told.order_by(aside.id)).mappings()]


def _repeats(connection: Connection, persons: Sequence[str]) -> int:
    accepted, raw = intake.accepted_events.c, intake.raw_messages.c
    ours = select(accepted.event_id).where(accepted.person_id.in_(persons))
    query = select(func.count()).where(raw.event_id.in_(ours), raw.outcome == "repeated")
    return int(connection.execute(query).scalar_one())
