"""A human's decision from a terminal: found, checked as far as it can be here, sent through the queue, and followed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time
from typing import Final

import orjson
from sqlalchemy import Connection

from schemas.envelope import EventType
from schemas.vocabulary import DecisionKind, LegStatus, WelfareOutcome
from services.cli import send, terminal, worklist
from services.cli.consulting import Looker, Seen, enter_seen, shown
from services.cli.looking import Row, find_persons
from services.ground.clock import LONDON
from services.ground.ids import new_id
from services.ground.migration import require_schema
from services.ground.world import open_store
from services.router.casework.pauses import CLOSE, EXTEND
from services.router.in_force import rules_of
from services.router.rules.mistakes import did_you_mean

TOO_EARLY: Final = "No welfare check is near enough to be answered by it: it is kept, and those that are planned stay."
NEEDS: Final = {EXTEND: ("on", "--on DAY"), CLOSE: ("reason_code", "--reason-code CODE")}  # what an answer cannot lack


async def find_review(id_: str) -> Row:
    """The one question that is meant. Ends the command where that is none, or several."""
    settings = terminal.settings()
    async with open_store(settings) as database:
        await database.read(require_schema)
        found = await database.read(lambda c: worklist.reviews_by_id(c, id_))
        if len(found) != 1:
            terminal.fail(f"{len(found) or 'no'} questions match {id_!r}", code=terminal.NEEDS_ATTENTION)
        return await database.read(lambda c: worklist.context_of(c, found[0]))


async def find_leg(text: str, person: str | None) -> Row:
    """The one leg that is meant: by its id, or of a person by its destination."""
    who = await find_person(person) if person is not None else None
    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        found = await database.read(lambda c: worklist.legs_to(c, who, text)) if who is not None else []
        found = found or await database.read(lambda c: worklist.legs_by_id(c, text))
        if len(found) != 1:
            by_name = "" if person is not None else "; to name it by its destination say --person too"
            terminal.fail(f"{len(found) or 'no'} legs match {text!r}{by_name}", code=terminal.NEEDS_ATTENTION)
        leg = await database.read(lambda c: worklist.leg_as_it_is(c, found[0]["id"]))
    assert leg is not None  # it was there a moment ago, and no leg is ever taken away
    return leg


async def find_person(text: str, *, find: Callable[[Connection, str], list[str]] = find_persons) -> str:
    """The one person who is meant: whom they are merged into, unless they are found as they were named."""
    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        found = await database.read(lambda c: find(c, text))
    if len(found) != 1:
        terminal.fail(f"{len(found) or 'no'} persons match that", code=terminal.NEEDS_ATTENTION)
    return found[0]


def check_answer(review: Row, answer: str, said: Row) -> None:
    """End the command where an answer is not offered, or lacks what it needs: nothing is sent for a slip."""
    offered = review["answers"] or ()
    if offered and review["fact"] is None and answer not in offered:
        terminal.fail(f"--answer must be {' or '.join(offered)}{did_you_mean(answer, offered)}")
    field, option = NEEDS.get(answer, ("", "")) if offered else ("", "")
    if field and said.get(field) is None:
        terminal.fail(f"--answer {answer} needs {option}")


def check_words(said: Row) -> None:
    """End the command where a status, a reason or an outcome is not one that there is."""
    for option, field, known in (
        ("--status", "status", [each.value for each in LegStatus]),
        ("--outcome", "welfare_check", [each.value for each in WelfareOutcome]),
    ):
        if said.get(field) is not None and said[field] not in known:
            near = did_you_mean(said[field], known)
            terminal.fail(f"{option}: no {said[field]!r}; there are {', '.join(known)}{near}")
    code = said.get("reason_code")
    reasons = terminal.run(_reasons()) if code is not None else {}
    if code is not None and code not in reasons:
        terminal.fail(f"--reason-code: no {code!r}; there are {', '.join(reasons)}{did_you_mean(code, reasons)}")


async def _reasons() -> Mapping[str, object]:
    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        return (await database.read(rules_of)).pathway.reasons


def moment(text: str, option: str, hour: time) -> datetime:
    """A day (at this hour of it) or a moment, London's unless it says its zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        terminal.fail(f"{option}: {text!r} is no day or moment, for example 2026-11-03 or 2026-11-03T14:30")
    if len(text) == len("2026-11-03"):
        found = datetime.combine(found, hour)
    return found if found.tzinfo else found.replace(tzinfo=LONDON)


def day(text: str | None, option: str) -> str | None:
    """A day, as it was typed."""
    if text is None:
        return None
    if len(text) != len("2026-11-03"):
        terminal.fail(f"{option}: {text!r} is no day, for example 2026-11-03")
    return moment(text, option, time(0)).date().isoformat()


async def looked_at(who: Looker, review: Row | None, leg: Row | None) -> None:
    """Keep that somebody looks at what is printed before their decision is sent, and at the leg after it."""
    there = [(kind, row) for kind, row in (("review", review), ("leg", leg)) if row is not None]
    if there:
        whose = str(there[0][1]["person_id"])
        records = [(kind, str(row["id"])) for kind, row in there]
        fields = sorted({name for _, row in there for name in shown(row, "id", "person_id")})
        async with open_store(terminal.settings()) as database:
            await enter_seen(database, who, [Seen(whose, records, fields, "decision")])


async def decide(kind: DecisionKind, said: Row, seen: list[str], source: str, wait: float) -> Row:
    """Send a decision and wait for what the router makes of it."""
    now = terminal.CLOCK.now()
    envelope = {
        "specversion": "1.0",
        "id": new_id(now),
        "source": source,
        "type": EventType.DECISION_MADE.value,
        "time": now,
        "datacontenttype": "application/json",
        "data": {"kind": kind, **said, "decided_at": now, "shown": seen},
    }
    checked = send.check(orjson.dumps(envelope), source, None, "this decision")
    [receipt] = await send.deliver([checked], wait)
    if receipt["outcome"] != "accepted":
        return receipt
    event_id = str(receipt["event_id"])
    async with open_store(terminal.settings()) as database:
        found = {**receipt, **await worklist.outcome_of(database, event_id, seconds=wait)}
        if said.get("leg_id") is None or found["outcome"] != "taken":
            return found
        leg = await database.read(lambda c: worklist.leg_as_it_is(c, said["leg_id"]))
    done = leg["checks_before"] if leg is not None and kind is DecisionKind.RECORD_CHECK else None
    answers_none = done is not None and not any(check["at"] is not None and check["at"] >= now for check in done)
    return {**found, "leg": leg, **({"note": TOO_EARLY} if answers_none else {})}


def exit_code(outcome: str) -> int:
    """0: taken. 1: refused. 3: kept, and not known yet what becomes of it."""
    if outcome == "taken":
        return terminal.OK
    return terminal.NEEDS_ATTENTION if outcome in ("refused", "conflict") else terminal.NOT_KNOWN_YET
