"""What waits for humans, read from the store, and what became of what one of them decided."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from time import monotonic
from typing import Final

import orjson
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from schemas.roles import may_answer, who_may_answer
from services.cli.looking import Row, all_who_are, find_persons, rows, who_is
from services.ground import tables
from services.ground.clock import LONDON
from services.ground.database import Database
from services.ground.opening import read_gently
from services.ground.sealing import ERASED
from services.ground.streams import RECEIPT
from services.router import store as router
from services.router.casework.resting import OPEN, OfferAnswer
from services.router.rules.calendar import Calendar, local_day
from services.router.rules.language import Role

START_OF_WORK: Final = time(9)
LOOK_AGAIN_SECONDS: Final = 0.1
STEP: Final = ("id", "at", "to_status", "effect", "because", "by_user")  # of a leg's history
HUMAN: Final = ("event_id", "kind", "by_user", "role", "organisation", "reason", "answer", "taken_at")
BESIDE: Final = ("id", "destination", "status", "closed_at", "reroute_of", "joined_to")  # what tells two legs apart


def open_reviews(
    connection: Connection,
    *,
    roles: Collection[str] | None = None,
    persons: list[str] | None = None,
    due_before: datetime | None = None,
) -> list[Row]:
    """Questions that nobody has answered, the longest overdue first."""
    review = router.reviews.c
    wanted: list[ColumnElement[bool]] = [review.answered_at.is_(None)]
    if roles is not None:
        wanted.append(review.role.in_(sorted(roles)))
    if persons is not None:
        everybody = [one for person in persons for one in all_who_are(connection, person)]
        wanted.append(review.person_id.in_(everybody))
    if due_before is not None:
        wanted.append(review.due_at < due_before)
    found = rows(connection, router.reviews, and_(*wanted))
    return sorted(found, key=lambda row: (row["due_at"], row["id"]))


def answers_for(role: str) -> tuple[str, ...]:
    """The roles whose questions somebody in this one may answer: its own, and those below it."""
    return tuple(asked.value for asked in Role if may_answer(role, asked))


def reviews_by_id(connection: Connection, id_: str) -> list[Row]:
    """The questions whose id this is, or starts or ends so."""
    review = router.reviews.c
    found = rows(connection, router.reviews, review.id == id_)
    like = or_(review.id.startswith(id_, autoescape=True), review.id.endswith(id_, autoescape=True))
    return found or rows(connection, router.reviews, like)


def legs_by_id(connection: Connection, id_: str) -> list[Row]:
    """The legs whose id this is, or starts or ends so."""
    leg = router.legs.c
    like = or_(leg.id.startswith(id_, autoescape=True), leg.id.endswith(id_, autoescape=True))
    return rows(connection, router.legs, leg.id == id_) or rows(connection, router.legs, like)


def meant(connection: Connection, id_: str) -> tuple[str, list[Row]]:
    """What an id or a reference names: questions, or legs, or else persons."""
    if reviews := reviews_by_id(connection, id_):
        return "question", reviews
    if legs := legs_by_id(connection, id_):
        return "leg", legs
    return "person", [person_as_they_are(connection, person) for person in find_persons(connection, id_)]


def destinations_of(connection: Connection, leg_ids: set[str | None]) -> dict[str | None, str]:
    """Where these legs lead."""
    ids = sorted(id_ for id_ in leg_ids if id_ is not None)
    return {row["id"]: row["destination"] for row in rows(connection, router.legs, router.legs.c.id.in_(ids))}


def legs_to(connection: Connection, person_id: str, destination: str) -> list[Row]:
    """A person's legs to a destination: those that are open, or else the newest."""
    leg = router.legs.c
    everybody = all_who_are(connection, person_id)
    found = rows(connection, router.legs, leg.person_id.in_(everybody) & (leg.destination == destination))
    return [row for row in found if row["closed_at"] is None] or found[-1:]


def leg_as_it_is(connection: Connection, leg_id: str | None) -> Row | None:
    """A leg with its offer, its pause, its checks, its last steps and the person's other legs; None for no leg."""
    found = rows(connection, router.legs, router.legs.c.id == leg_id)
    if not found:
        return None
    leg = found[0]
    offer, pause, check, history = router.offers.c, router.pauses.c, router.welfare_checks.c, router.leg_history.c
    awaits = or_(offer.answer.is_(None), offer.answer == OfferAnswer.LAPSED.value)
    offers = rows(connection, router.offers, (offer.leg_id == leg_id) & awaits)
    pauses = rows(connection, router.pauses, (pause.leg_id == leg_id) & pause.ended_at.is_(None))
    checks = rows(connection, router.welfare_checks, check.leg_id == leg_id, check.due_at)
    everybody = all_who_are(connection, who_is(connection, leg["person_id"]))
    others = rows(connection, router.legs, router.legs.c.person_id.in_(everybody) & (router.legs.c.id != leg_id))
    steps = rows(connection, router.leg_history, history.leg_id == leg_id)
    return {
        **{name: value for name, value in leg.items() if name != "account"},
        "offer": offers[-1] if offers else None,
        "pause": pauses[-1] if pauses else None,
        "checks": [row for row in checks if row["status"] in OPEN],
        "checks_before": [row for row in checks if row["status"] not in OPEN],
        "history": [{name: row[name] for name in STEP} for row in steps],
        "beside": [{name: row[name] for name in BESIDE} for row in others],
    }


def person_as_they_are(connection: Connection, person_id: str) -> Row:
    """Somebody's legs and open questions."""
    everybody = all_who_are(connection, person_id)
    legs = rows(connection, router.legs, router.legs.c.person_id.in_(everybody))
    return {
        "person_id": person_id,
        "joined": everybody[1:],
        "legs": [{name: leg[name] for name in (*BESIDE, "since", "priority")} for leg in legs],
        "questions": open_reviews(connection, persons=[person_id]),
    }


def context_of(connection: Connection, review: Row) -> Row:
    """A question with what a human should see before they answer: the leg, the event, the reasons, who put it off."""
    decision = router.decisions.c.id == review["decision_id"]
    [said] = [row["said"] for row in rows(connection, router.decisions, decision) if row["said"] != ERASED] or [{}]
    events = rows(connection, router.case_events, router.case_events.c.event_id == review["event_id"])
    human = rows(connection, router.human_decisions, router.human_decisions.c.review_id == review["id"])
    return {
        **review,
        "route": review["route"] if review["route"] != ERASED else None,
        "may_answer": list(who_may_answer(review["role"])),
        "event": _some(events, "event_id", "kind", "occurred_at", "source", "origin_id"),
        "leg": leg_as_it_is(connection, review["leg_id"]),
        "because": [{"rule": m["rule"], "because": m["because"]} for m in said.get("matched", [])],
        "hangs_on": sorted({fact for unknown in said.get("unknown", []) for fact in unknown["facts"]}),
        "decides": sorted(u["rule"] for u in said.get("unknown", []) if review["fact"] in u["facts"]),
        "decided": [{name: row[name] for name in HUMAN} for row in human],
    }


def _some(found: list[Row], *names: str) -> Row | None:
    return {name: found[0][name] for name in names} if found else None


def working_hours(calendar: Calendar, since: datetime, until: datetime) -> float:
    """Hours between two moments in which people work: from nine to the end of the day, on working days."""
    total, day = timedelta(), local_day(since)
    while day <= local_day(until):
        if calendar.is_working_day(day):
            total += max(timedelta(), min(until, _at(day, calendar.day_ends)) - max(since, _at(day, START_OF_WORK)))
        day += timedelta(days=1)
    return round(total.total_seconds() / 3600, 1)


def _at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, LONDON)


async def outcome_of(database: Database, event_id: str, *, seconds: float) -> Row:
    """What the router made of an accepted decision: taken, refused with why, or not seen in this time."""
    until = monotonic() + seconds
    while True:
        found = await database.read(lambda c: _outcome(c, event_id))
        if found is not None:
            return found
        if monotonic() > until:
            return {"outcome": "accepted"}
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


def _outcome(connection: Connection, event_id: str) -> Row | None:
    aside, history, legs = tables.quarantine.c, router.leg_history.c, router.legs.c
    refused = rows(connection, tables.quarantine, (aside.message_id == event_id) & (aside.service == "router"))
    if refused:
        told = _told(connection, event_id)
        allowed = {"allowed": told["allowed"]} if told.get("allowed") is not None else {}
        return {"outcome": "refused", **{name: refused[0][name] for name in ("reason", "problems")}, **allowed}
    if not rows(connection, router.human_decisions, router.human_decisions.c.event_id == event_id):
        return None
    moved = rows(connection, router.leg_history, history.event_id == event_id)
    asked = rows(connection, router.reviews, router.reviews.c.event_id == event_id)
    names: Mapping[str, str] = {
        row["id"]: row["destination"]
        for row in rows(connection, router.legs, legs.id.in_([step["leg_id"] for step in moved]))
    }
    return {
        "outcome": "taken",
        "legs": [{"destination": names[step["leg_id"]], "to_status": step["to_status"]} for step in moved],
        "asks": [{name: row[name] for name in ("id", "role", "question", "due_at")} for row in asked],
    }


def _told(connection: Connection, event_id: str) -> Row:
    """What the sender of an event was told of its refusal: it says which statuses would have been allowed."""
    sent, carried = tables.outbox.c, tables.payloads
    of_this = (sent.stream == RECEIPT) & (sent.service == "router") & (sent.id > event_id)  # in the order of time
    receipts = select(carried).join(tables.outbox, sent.id == carried.c.id).where(of_this).order_by(carried.c.id)
    for row in read_gently(connection, receipts):
        if row["payload"] != ERASED and (said := orjson.loads(row["payload"])["data"]).get("event_id") == event_id:
            return dict(said)
    return {}
