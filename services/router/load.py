"""Reads the cases that a batch is about: one question a table, whatever the batch's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple, cast

from sqlalchemy import bindparam, select

from schemas.vocabulary import LegStatus
from services.ground.driver import rows_of
from services.ground.sql import select_in
from services.ground.work import Work
from services.router import store
from services.router.casework.account import Account
from services.router.casework.case import Case, Leg
from services.router.casework.places import CapacityHeard, Places, places_of
from services.router.casework.steps import ReviewKind
from services.router.questions import review_of
from services.router.resting_rows import check_of, offer_of, pause_of, timer_of
from services.router.rules.events import Kept, PastEvent

HISTORY = timedelta(days=366)  # as far back as any window of a rule looks

_event = store.case_events.c
_CASES = select(store.cases).with_for_update()
_EDGES = select(store.cases.c.person_id, store.cases.c.merged_into)
_LEGS = select(store.legs)
_OFFERS = select(store.offers)
_PAUSES = select(store.pauses)
_CHECKS = select(store.welfare_checks)
_REVIEWS = select(store.reviews).where(store.reviews.c.answered_at.is_(None))
_WAITING = _REVIEWS.where(store.reviews.c.kind == ReviewKind.CONFIRM_ROUTE.value)
_TIMERS = select(store.timers).where(store.timers.c.taken_at.is_(None), store.timers.c.cancelled_at.is_(None))
_EVENTS = (
    select(_event.person_id, _event.kind, _event.occurred_at)
    .where(_event.occurred_at > bindparam("since"))
    .order_by(_event.occurred_at)
)
_CAPACITY = select(store.capacity)
_REFERRERS = select(_event.event_id, _event.source, _event.origin_id, _event.content)
# What a human decided goes to no destination: it names the human, and their reasons. And a timer tells nothing.
_CONTENTS = select(_event.event_id, _event.content, _event.source, _event.kind).where(
    _event.kind.not_like("decision\\_%", escape="\\"), _event.kind.not_like("timer\\_%", escape="\\")
)


def load_cases(person_ids: Sequence[str], work: Work) -> dict[str, Case]:
    """The cases of these persons, locked until the commit; a person who is new to us gets an empty one.

    The case of somebody who is merged into another is that one's, with the rows of all who are merged into them.
    """
    connection = work.connection
    work.keys.need(connection, person_ids)
    found, merged_into = _cases(set(person_ids), work)
    while missing := set(merged_into.values()) - set(found) - set(merged_into):
        more, further = _cases(missing, work)
        found |= more
        merged_into |= further
    whose = {person: case for case in found.values() for person in (case.person_id, *case.joined)}
    work.keys.hear_again(connection)  # whoever erases somebody locks their case
    for person in whose:
        work.require_not_erased(person)
    keys = [(person,) for person in sorted(whose)]
    for r in select_in(connection, _LEGS, (store.legs.c.person_id,), keys):
        case = whose[str(r["person_id"])]
        case.legs[str(r["id"])] = _leg(r, case)
    _load_resting(found, work)
    for r in select_in(connection, _EVENTS, (_event.person_id,), keys, since=work.now - HISTORY):
        whose[str(r["person_id"])].events.append(PastEvent(str(r["kind"]), cast(datetime, r["occurred_at"])))
    return {person: whose[person] for person in person_ids}


def _cases(person_ids: set[str], work: Work) -> tuple[dict[str, Case], dict[str, str]]:
    """Cases without their legs and events; and of the persons who have none of their own, into whom they are merged."""
    found = {person: Case(person, work.now) for person in sorted(person_ids)}
    merged_into: dict[str, str] = {}
    for r in select_in(work.connection, _CASES, (store.cases.c.person_id,), [(person,) for person in sorted(found)]):
        person = str(r["person_id"])
        if r["merged_into"] is not None:
            merged_into[person] = str(r["merged_into"])
            del found[person]
            continue
        case = found[person]
        case.opened_at = cast(datetime, r["opened_at"])
        case.referral_event = cast("str | None", r["referral_event"])
        case.lawful_basis = cast("str | None", r["lawful_basis"])
        case.remembered = cast("dict[str, Kept]", r["remembered"])
        case.joined = list(cast("list[str]", r["joined"] or []))
    return found, merged_into


def _load_resting(cases: Mapping[str, Case], work: Work) -> None:
    """The offers, pauses and welfare checks of the cases' legs."""
    by_leg = {leg_id: case for case in cases.values() for leg_id in case.legs}
    connection, keys = work.connection, [(leg_id,) for leg_id in sorted(by_leg)]
    for r in select_in(connection, _OFFERS, (store.offers.c.leg_id,), keys):
        by_leg[str(r["leg_id"])].offers[str(r["id"])] = offer_of(r)
    for r in select_in(connection, _PAUSES, (store.pauses.c.leg_id,), keys):
        by_leg[str(r["leg_id"])].pauses[str(r["id"])] = pause_of(r)
    paused = [(leg_id,) for leg_id, case in by_leg.items() if case.pauses]
    for r in select_in(connection, _CHECKS, (store.welfare_checks.c.leg_id,), paused):
        by_leg[str(r["leg_id"])].checks[str(r["id"])] = check_of(r)


def load_open(cases: Sequence[Case], work: Work) -> None:
    """The open questions and the timers of these cases: what a human's answer, and a look at the whole case, need."""
    whose = {person: case for case in cases for person in (case.person_id, *case.joined)}
    keys = [(person,) for person in sorted(whose)]
    for r in select_in(work.connection, _REVIEWS, (store.reviews.c.person_id,), keys):
        whose[str(r["person_id"])].reviews[str(r["id"])] = review_of(r)
    for r in select_in(work.connection, _TIMERS, (store.timers.c.person_id,), keys):
        whose[str(r["person_id"])].timers[str(r["id"])] = timer_of(r)


def load_waiting(case: Case, work: Work) -> None:
    """The routes of a case that wait for a human's word. What this batch made of one already stands."""
    keys = [(person,) for person in sorted({case.person_id, *case.joined})]
    for r in select_in(work.connection, _WAITING, (store.reviews.c.person_id,), keys):
        case.reviews.setdefault(str(r["id"]), review_of(r))


def edges_of(case: Case, work: Work) -> dict[str, str]:
    """Into whom each of those is merged who are part of a case."""
    keys = [(person,) for person in sorted(case.joined)]
    rows = select_in(work.connection, _EDGES, (store.cases.c.person_id,), keys)
    return {str(r["person_id"]): str(r["merged_into"]) for r in rows}


class Told(NamedTuple):
    """What an event says, and who told of it."""

    content: bytes  # JSON
    source: str
    kind: str  # an EventKind's value


def contents_of(event_ids: Sequence[str], work: Work) -> dict[str, Told]:
    """What these events say, by event id."""
    rows = select_in(work.connection, _CONTENTS, (_event.event_id,), [(e,) for e in sorted(set(event_ids))])
    return {str(r["event_id"]): Told(cast(bytes, r["content"]), str(r["source"]), str(r["kind"])) for r in rows}


def load_places(work: Work) -> Places:
    """What destinations said of their places: a row each."""
    heard = [
        CapacityHeard(str(r["destination"]), cast("datetime | None", r["full_until"]), cast(datetime, r["said_at"]))
        for r in rows_of(work.connection, _CAPACITY, {})
    ]
    return places_of({each.destination: each for each in heard})


class Referrer(NamedTuple):
    """Who made a referral, and how they name it."""

    source: str
    origin: str  # their id of its message
    content: bytes  # its data, JSON


def referrers(event_ids: Sequence[str], work: Work) -> dict[str, Referrer]:
    """Who made these referrals, by event id."""
    rows = select_in(work.connection, _REFERRERS, (_event.event_id,), [(e,) for e in sorted(set(event_ids))])
    return {
        str(r["event_id"]): Referrer(str(r["source"]), str(r["origin_id"]), cast(bytes, r["content"])) for r in rows
    }


def _leg(r: object, case: Case) -> Leg:
    row = cast("dict[str, object]", r)
    held_from = row["held_from"]
    return Leg(
        id=str(row["id"]),
        destination=str(row["destination"]),
        status=LegStatus(str(row["status"])),
        since=cast(datetime, row["since"]),
        priority=cast(int, row["priority"]),
        due_at=cast("datetime | None", row["due_at"]),
        opened_at=cast(datetime, row["opened_at"]),
        commands=cast(int, row["commands"]),
        held_from=LegStatus(str(held_from)) if held_from else None,
        closed_at=cast("datetime | None", row["closed_at"]),
        concluded_at=cast("datetime | None", row["concluded_at"]),
        reason=cast("str | None", row["reason"]),
        waitlist_place=cast("int | None", row["waitlist_place"]),
        expected_on=cast("date | None", row["expected_on"]),
        referral=cast("str | None", row["referral_event"]),
        account=Account.from_json(row["account"]) if row["account"] is not None else None,
        person_id=None if row["person_id"] == case.person_id else str(row["person_id"]),
        joined_to=cast("str | None", row["joined_to"]),
        occasion=cast("str | None", row["occasion"]),
        opened_by=cast("str | None", row["opened_by"]),
        reroute_of=cast("str | None", row["reroute_of"]),
        told_in=tuple(cast("list[str]", row["told_in"] or ())),
    )
