"""What must be true when all is mended and nothing is in hand. One list of problems; empty is well.

What a settled system must look like is `tests.support.checks`; here is what only a simulation sees: everything that the
broker was ever given, and every row.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from schemas.envelope import TIMERS_SOURCE
from services.ground.outbox import READERS
from services.ground.relay import AGAIN
from services.ground.streams import AUDIT, INTAKE, RECEIPT, ROUTE
from tests.sim.broker import Appended, Broker
from tests.sim.check_casework import casework_problems, same_persons, serve_the_same
from tests.sim.clock import BEGIN
from tests.sim.people import NOT_MENDED, Sent
from tests.sim.store import Store
from tests.support.checks import problems_in

# The rows of the outbox, each with what it carries; and what was kept of a message, opened.
CARRIED = "FROM (SELECT id, opened('payloads.payload/' || id, payload) AS payload FROM payloads) NATURAL JOIN outbox"
RAW = "opened('quarantine.raw/' || id, raw)"
_LOGGED = f"SELECT entry_id, '{AUDIT}', entry FROM log_entries"  # what the queue is given of the log  # noqa: S608
BODY = "opened('raw_messages.body/' || id, body)"
SAID = "opened('decisions.said/' || id, said)"
ALWAYS_A_MISTAKE = ("unreadable", "reader_failed", "unknown_channel")
# What intake may say to a human's decision on two persons, or to news of what it does not know yet.
TURNED_AWAY = ("unknown_person", "already_merged", "not_merged", "not_their_role", "names_several", "unknown_review")

Rows = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Ended:
    """A world at its end."""

    store: Store
    broker: Broker
    sent: Sequence[Sent]
    tripped: frozenset[str]  # ids of events over which the router tripped
    may_repeat: bool  # whether the broker may have stored a message twice: it lost some, or its window was short
    seconds: float  # simulated, with the days that passed
    now: datetime
    skew: float  # the most by which a clock was wrong
    due_by: datetime  # timers that were due by then were to be looked at


def problems_at_the_end(ended: Ended) -> list[str]:
    """All that is wrong."""
    rows = ended.store.rows
    return [
        *_of_a_settled_system(ended),
        *_every_message_taken(ended),
        *_order_of_decisions(rows),
        *_legs(rows),
        *_decisions_followed(rows),
        *not_taken(rows),
        *_effects(rows),
        *_positions(rows),
        *_receipts(rows),
        *_outbox_and_broker(ended),
        *_moments(ended),
        *_attempts(ended),
        *casework_problems(ended),
    ]


def _of_a_settled_system(ended: Ended) -> list[str]:
    broker, rows = ended.broker, ended.store.rows
    seen: dict[str, dict[str, Any]] = {}
    for appended in broker.appended:
        if appended.stream == ROUTE:
            message = orjson.loads(appended.message.payload)
            seen.setdefault(message["id"], message)  # a reader knows a repeat by its id
    turned_away = _turned_away(rows)
    good = [message for message in ended.sent if message.good and message.raw not in turned_away]
    timers = {bytes(payload) for (payload,) in rows(f"SELECT payload {CARRIED} WHERE stream = '{INTAKE}'")}
    bodies = Counter(message.raw for message in ended.sent if message.good)
    stored = Counter(appended.message.payload for appended in broker.sent_to_intake())
    poison = Counter(
        {m.raw: 1 if ended.may_repeat else stored[m.raw] for m in ended.sent if not m.good and m.confirmed}
    )
    perhaps = Counter({raw: n - poison[raw] for raw, n in stored.items() if raw not in bodies and raw not in timers})
    for service, raw, reason in rows(f"SELECT service, {RAW}, reason FROM quarantine"):  # noqa: S608
        if _rightly_aside(service, bytes(raw), reason, bodies, ended.tripped):
            perhaps[bytes(raw)] += 1
    return problems_in(
        ended.store.connection,
        list(seen.values()),
        acknowledged=sorted({message.id for message in good if message.confirmed}),
        poison=poison,
        perhaps=perhaps,
    )


def _rightly_aside(service: str, raw: bytes, reason: str, bodies: Counter[bytes], tripped: frozenset[str]) -> bool:
    if service == "intake":
        return reason in ("conflict", *TURNED_AWAY) and raw in bodies
    if service != "router":
        return False
    if reason in NOT_MENDED:
        return orjson.loads(raw)["originid"] in tripped
    return reason not in ALWAYS_A_MISTAKE and orjson.loads(raw)["type"].startswith(
        ("onward.progress.", "onward.decision.")
    )


def _turned_away(rows: Rows) -> set[bytes]:
    """What intake refused, and might: its sender was told, and nothing of it was accepted."""
    said = ", ".join(f"'{reason}'" for reason in TURNED_AWAY)
    return {
        bytes(raw)
        for (raw,) in rows(f"SELECT {RAW} FROM quarantine WHERE service = 'intake' AND reason IN ({said})")  # noqa: S608
    }


def _every_message_taken(ended: Ended) -> list[str]:
    """Each confirmed message is accepted, repeated or set aside, as it is; of two under one id one is accepted."""
    outcomes: dict[bytes, set[str]] = defaultdict(set)
    for body, outcome in ended.store.rows(f"SELECT {BODY}, outcome FROM raw_messages"):  # noqa: S608
        outcomes[bytes(body)].add(outcome)
    taken: dict[tuple[str, str], set[str]] = defaultdict(set)
    turned_away = _turned_away(ended.store.rows)
    for message in ended.sent:
        if message.good and message.confirmed and message.raw not in turned_away:
            taken[message.source, message.id] |= outcomes[message.raw]
    for message in ended.sent:  # one that was turned away may have been accepted when it was said again, and stand
        if (message.source, message.id) in taken:
            taken[message.source, message.id] |= outcomes[message.raw]
    return [
        *(f"never taken: {m.id or m.raw!r}" for m in ended.sent if m.confirmed and not outcomes[m.raw]),
        *(f"none of its bodies was accepted: {key}" for key, said in taken.items() if "accepted" not in said),
    ]


def _order_of_decisions(rows: Rows) -> list[str]:
    """Each person's events are decided in their order, but for those that were sent again from quarantine."""
    query = (
        "SELECT a.person_id, a.sequence FROM case_events c JOIN accepted_events a ON a.event_id = c.event_id"
        " WHERE c.event_id NOT IN (SELECT message_id FROM quarantine WHERE service = 'router'"
        " AND message_id IS NOT NULL) ORDER BY c.rowid"
    )
    order: dict[str, list[int]] = defaultdict(list)
    for person, number in rows(query):
        order[person].append(number)
    wrong = [f"decided out of order: {person} {n}" for person, n in order.items() if n != sorted(n)]
    ghosts = rows("SELECT origin_id FROM case_events WHERE event_id NOT IN (SELECT event_id FROM accepted_events)")
    return [*wrong, *(f"decided and never accepted: {id_}" for (id_,) in ghosts)]


def _legs(rows: Rows) -> list[str]:
    two = rows(
        "SELECT person_id, destination, count(*) FROM legs WHERE closed_at IS NULL"
        " GROUP BY person_id, destination HAVING count(*) > 1"
    )
    opened: dict[str, int] = dict(
        rows("SELECT leg_id, count(*) FROM leg_history WHERE from_status IS NULL GROUP BY leg_id")
    )
    newest: dict[str, str] = dict(rows("SELECT leg_id, to_status FROM leg_history ORDER BY rowid"))
    legs: dict[str, str] = dict(rows("SELECT id, status FROM legs"))
    return [
        *(f"{n} open legs of {person} to {destination}" for person, destination, n in two),
        *(f"a leg was lost: {leg}" for leg in opened if leg not in legs),
        *(f"a leg was opened {opened.get(leg, 0)} times: {leg}" for leg in legs if opened.get(leg) != 1),
        *(
            f"leg {leg} is {status} and its history says otherwise"
            for leg, status in legs.items()
            if newest.get(leg) != status
        ),
    ]


def _decisions_followed(rows: Rows) -> list[str]:
    """Where the rules say that somebody is to be told, there is a leg to them or to who does their job, or a question.

    It can be the leg of one who is, or was, the same person.
    """
    same = same_persons(rows)
    told = {
        (same(person), destination)
        for table in ("legs", "reviews")
        for person, destination in rows(f"SELECT person_id, destination FROM {table} WHERE destination IS NOT NULL")  # noqa: S608
    }
    return [
        f"decided and not done: {event} to {wanted['destination']}"
        for event, person, said in rows(f"SELECT event_id, person_id, {SAID} FROM decisions")  # noqa: S608
        for part in ("routes", "notifies")
        for wanted in orjson.loads(said).get(part, [])
        if not any(
            (same(person), one) in told for one in (wanted["destination"], *serve_the_same(wanted["destination"]))
        )
    ]


def not_taken(rows: Rows) -> list[str]:
    """What was published to one of us and was neither taken by its reader nor set aside."""
    found = []
    for stream, reader in (("CASE", "router"), ("DISPATCH", "dispatch")):
        query = (
            f"SELECT o.id FROM outbox o WHERE o.stream = '{stream}'"  # noqa: S608
            " AND o.id NOT IN (SELECT resent_as FROM quarantine WHERE resent_as IS NOT NULL)"
            f" AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.consumer = '{reader}' AND i.id = o.id)"
            f" AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.service = '{reader}' AND q.message_id = o.id)"
        )
        found += [f"not taken from {stream}: {id_}" for (id_,) in rows(query)]
    return found


def _effects(rows: Rows) -> list[str]:
    """What was taken has its effect."""
    found = []
    effects = {
        "router": "SELECT event_id FROM case_events",
        "dispatch": "SELECT command_id FROM deliveries",
    }
    for service, query in effects.items():
        keys = {id_ for (id_,) in rows(f"SELECT id FROM inbox WHERE consumer = '{service}'")}  # noqa: S608
        made = [id_ for (id_,) in rows(query)]
        found += [f"{service} took {id_} without effect" for id_ in sorted(keys.difference(made))]
        found += [f"{service} did {id_} without a key" for id_ in sorted(set(made).difference(keys))]
        found += [f"{service} did {id_} {n} times" for id_, n in Counter(made).items() if n > 1]
    return found


def _positions(rows: Rows) -> list[str]:
    positions = {(consumer, key): last for consumer, key, last in rows("SELECT consumer, key, last FROM positions")}
    due = {("router", p): n for p, n in rows("SELECT person_id, max(sequence) FROM accepted_events GROUP BY person_id")}
    due |= {("dispatch", leg): commands for leg, commands in rows("SELECT id, commands FROM legs")}
    wrong = [(key, positions.get(key), due.get(key)) for key in sorted(positions.keys() | due.keys())]
    return [f"position of {key} is {there}, not {right}" for key, there, right in wrong if there != right]


def _receipts(rows: Rows) -> list[str]:
    """Whoever published is told once of each outcome."""
    told: Counter[tuple[str, str, str]] = Counter()
    for service, payload in rows(f"SELECT service, payload {CARRIED} WHERE stream = '{RECEIPT}'"):
        data = orjson.loads(payload)["data"]
        if "digest" not in data:
            continue  # what became of a leg, told to its referrer: no receipt of a message
        told[service, data["digest"], "refused" if data["outcome"] == "conflict" else data["outcome"]] += 1
    due: Counter[tuple[str, str, str]] = Counter()
    for subject, body, outcome in rows(f"SELECT subject, {BODY}, outcome FROM raw_messages"):  # noqa: S608
        if not subject.startswith(f"intake.{TIMERS_SOURCE}."):
            due["intake", hashlib.sha256(body).hexdigest(), outcome] += 1
    for (raw,) in rows(f"SELECT {RAW} FROM quarantine WHERE service = 'router'"):  # noqa: S608
        if not _is_told(orjson.loads(raw)):
            continue
        due["router", hashlib.sha256(raw).hexdigest(), "refused"] += 1
    return [
        *(f"never told: {what}" for what in due - told),
        *(f"told without need: {what}" for what in told - due if what[0] != "router"),
        *(f"told {n} times: {what}" for what, n in told.items() if what[0] == "router" and n > max(1, due[what])),
    ]


def _is_told(event: dict[str, Any]) -> bool:
    """Whether its sender hears of it: of a word on two persons, which stands in both orders, from one of them."""
    of_two = {"merge_persons": "handoverfrom", "unmerge_persons": "handoverto"}
    part = of_two.get(event["data"].get("kind", ""))
    return event["originsource"] != TIMERS_SOURCE and (part is None or part in event)


def _outbox_and_broker(ended: Ended) -> list[str]:
    """What left is in the outbox or the log, what is in them has left, and nothing is stored twice without need."""
    rows = ended.store.rows
    sent = f"SELECT id, stream, payload {CARRIED} UNION ALL {_LOGGED}"
    outbox = {id_: (stream, payload) for id_, stream, payload in rows(sent)}
    timers = f"intake.{TIMERS_SOURCE}."
    left = [
        appended
        for appended in ended.broker.appended
        if appended.stream != INTAKE or appended.message.subject.startswith(timers)
    ]
    known = {id_ for appended in left for id_ in _ids(appended)}
    times = Counter(
        (appended.stream, hashlib.sha256(appended.message.payload).hexdigest())
        for appended in left
        if not (appended.message.id or "").endswith(AGAIN)  # what no reader took in a long time is stored once more
    )
    again = {row for (row,) in rows("SELECT resent_as FROM quarantine WHERE resent_as IS NOT NULL")}
    resent = {hashlib.sha256(outbox[id_][1]).hexdigest() for id_ in again if id_ in outbox}
    return [
        *(f"published and in neither outbox nor log: {appended.stream} {appended.message.id}" for appended in left
          if not any(id_ in outbox for id_ in _ids(appended))),
        *(f"in the outbox or the log and never published: {stream} {id_}" for id_, (stream, _) in outbox.items()
          if id_ not in known),
        *lost_for_good(ended.store, ended.broker),
        *(f"stored {n} times: {stream}" for (stream, digest), n in times.items()  # a late timer is fired again
          if n > 1 and stream != INTAKE and not ended.may_repeat and digest not in resent),
    ]  # fmt: skip


_TAKEN = f"""
    SELECT id FROM inbox UNION SELECT message_id FROM quarantine
    UNION SELECT origin_id FROM accepted_events WHERE source = '{TIMERS_SOURCE}'
    UNION SELECT id FROM timers WHERE cancelled_at IS NOT NULL
"""  # noqa: S608


def lost_for_good(store: Store, broker: Broker) -> list[str]:
    """What the broker had, lost, and was not given again; what its reader among us took by then does not matter."""
    if not broker.losses:
        return []
    there = {message.id for stream in broker.streams.values() for message in stream.messages}
    taken = {id_ for (id_,) in store.rows(_TAKEN)}
    # Intake knows timers by their own id.
    columns = "id, stream, CASE stream WHEN 'INTAKE' THEN CAST(payload AS TEXT) ->> 'id' ELSE id END"
    others = "id NOT IN (SELECT resent_as FROM quarantine WHERE resent_as NOT NULL)"
    query = f"SELECT {columns} {CARRIED} WHERE {others} UNION ALL {_LOGGED}"
    return [
        f"the broker lost it for good: {stream} {id_}"
        for id_, stream, known_as in store.rows(query)
        if id_ not in there and not (stream in (*READERS, INTAKE) and known_as in taken)
    ]


def _ids(appended: Appended) -> tuple[str, str]:
    """The broker's id of it, and its own: one that is sent again from quarantine has another one to the broker."""
    return appended.message.id or "", orjson.loads(appended.message.payload)["id"]


def _moments(ended: Ended) -> list[str]:
    """Every moment that we wrote down is one that a clock of this world showed."""
    slack = timedelta(seconds=ended.skew + 1)
    first, last = BEGIN - slack, BEGIN + timedelta(seconds=ended.seconds) + slack
    found = [
        (f"{table}.{column}", value)
        for table, column in (
            ("raw_messages", "received_at"),
            ("inbox", "taken_at"),
            ("outbox", "created_at"),
            ("outbox", "sent_at"),
            ("case_events", "taken_at"),
            ("deliveries", "handed_over_at"),
        )
        for value in ended.store.rows(f"SELECT min({column}), max({column}) FROM {table}")[0]  # noqa: S608
        if value is not None
    ]
    return [
        f"{where} is of another time: {value}"
        for where, value in found
        if not first <= datetime.fromisoformat(value).replace(tzinfo=UTC) <= last
    ]


def _attempts(ended: Ended) -> list[str]:
    """What was taken is not counted any more; a broker that lost messages gives them other names.

    Of two deliveries in one batch the first can be set aside and the second be counted, once and for all.
    """
    if ended.may_repeat:
        return []
    left = ended.store.rows(
        "SELECT consumer, delivery, failures FROM attempts"
        " WHERE consumer || ':' || delivery NOT IN (SELECT delivery FROM quarantine)"
    )
    return [f"still counted: {row}" for row in left]
