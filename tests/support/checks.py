"""What must be true of a settled system, whatever was killed on the way. One list of problems; empty is well."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from functools import cache
from typing import Any

import orjson
from nats.aio.client import Client
from sqlalchemy import Connection, select

from schemas.envelope import Envelope, EventType
from schemas.reading import Unreadable, fit
from schemas.registry import ACCEPTED, DATA, INTAKE, read_submission
from services.cli.reconciling import reconciled
from services.ground import tables
from services.ground.database import Database
from services.ground.opening import read_gently
from services.ground.settings import Settings
from tests.support.log_checks import log_problems, signed_log_problems
from tests.support.system import messages_of

Row = dict[str, Any]


async def problems_of(
    database: Database,
    connection: Client,
    *,
    acknowledged: Collection[str],
    poison: Collection[bytes] = (),
    perhaps: Collection[bytes] = (),
    settings: Settings | None = None,
) -> list[str]:
    """Everything that is lost, doubled, out of order, unaudited, unproved, set aside without need or left over.

    `acknowledged` are the ids of the good messages that the broker confirmed to their source, `poison` the bad ones,
    and `perhaps` bad ones whose confirmation never came: the broker may have kept them or not. `settings` are those of
    a system that signs its log: what is signed and published must be there too.
    """
    routed = await messages_of(connection, "ROUTE")
    signed = await signed_log_problems(database, settings) if settings is not None else []
    return signed + await database.read(
        lambda c: problems_in(c, routed, acknowledged=acknowledged, poison=Counter(poison), perhaps=Counter(perhaps))
    )


_CHANNELS = {event: channel for channel, events in INTAKE.items() for event in events}
_CARRIED = select(tables.payloads, tables.outbox.c.stream).where(tables.payloads.c.id == tables.outbox.c.id)


def problems_in(
    connection: Connection,
    routed: list[Row],
    *,
    acknowledged: Collection[str],
    poison: Counter[bytes],
    perhaps: Counter[bytes],
) -> list[str]:
    """The same, for whoever has read already what left: `routed` are the messages of ROUTE, oldest first."""

    def rows(query: str) -> list[Row]:
        return [dict(row) for row in connection.exec_driver_sql(query).mappings()]

    accepted = rows("SELECT source, origin_id, event_id, person_id, sequence FROM accepted_events")
    aside = read_gently(connection, select(tables.quarantine))
    deliveries = rows("SELECT leg_id, number, message_id, event_id FROM deliveries")
    decisions = rows("SELECT event_id FROM decisions WHERE first_decision IS NULL")
    decided = {row["event_id"] for row in decisions}
    refused = {row["message_id"] for row in aside if row["service"] == "router"} - decided
    routable = [event for event in accepted if event["event_id"] not in refused]
    return [
        *_lost(acknowledged, accepted),
        *_set_aside(aside, poison, perhaps),
        *_decided(routable, decisions),
        *_in_sequence(accepted),
        *_delivered(rows("SELECT id, commands FROM legs"), deliveries),
        *_left(routed, deliveries),
        *_audited(connection),
        *log_problems(rows),
        *_not_to_be_read(read_gently(connection, _CARRIED)),
        *_left_over(rows),
    ]


def _lost(acknowledged: Collection[str], accepted: list[Row]) -> list[str]:
    kept = {row["origin_id"] for row in accepted}
    return [f"acknowledged and lost: {id_}" for id_ in acknowledged if id_ not in kept]


def _set_aside(aside: list[Row], poison: Counter[bytes], perhaps: Counter[bytes]) -> list[str]:
    """Each bad message is set aside once with its raw bytes, and nothing else is."""
    found = Counter(bytes(row["raw"]) for row in aside)
    why = {bytes(row["raw"]): f"{row['reason']} at {row['service']}, {row['message_id']}" for row in aside}
    return [
        *(f"bad and not set aside: {raw[:60]!r}" for raw in poison - found),
        *(f"set aside without need or twice: {why[raw]}" for raw in found - poison - perhaps),
    ]


def _decided(accepted: list[Row], decisions: list[Row]) -> list[str]:
    times = Counter(row["event_id"] for row in decisions)
    return [f"decided {times[e['event_id']]} times: {e['origin_id']}" for e in accepted if times[e["event_id"]] != 1]


def _in_sequence(accepted: list[Row]) -> list[str]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for event in accepted:
        numbers[event["person_id"]].append(event["sequence"])
    return [f"a gap in {person}" for person, n in numbers.items() if sorted(n) != list(range(1, len(n) + 1))]


def _delivered(legs: list[Row], deliveries: list[Row]) -> list[str]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for delivery in deliveries:
        numbers[delivery["leg_id"]].append(delivery["number"])
    wrong = [leg["id"] for leg in legs if sorted(numbers[leg["id"]]) != list(range(1, leg["commands"] + 1))]
    return [f"leg {leg}: commands and deliveries differ" for leg in wrong]


def _left(routed: list[Row], deliveries: list[Row]) -> list[str]:
    left = Counter((message["data"]["leg_id"], message["data"]["sequence"]) for message in routed)
    owed = Counter((delivery["leg_id"], delivery["number"]) for delivery in deliveries)
    order: dict[str, list[int]] = defaultdict(list)
    for message in routed:
        order[message["data"]["leg_id"]].append(message["data"]["sequence"])
    return [
        *(f"never left: {what}" for what in owed - left),
        *(f"left twice: {what}" for what in left - owed),
        *(f"left out of order: {leg} {numbers}" for leg, numbers in order.items() if numbers != sorted(numbers)),
    ]


def _audited(connection: Connection) -> list[str]:
    """Every act has its entry in the log, and every entry its act; none is on its way in a settled system."""
    found = reconciled(connection)
    on_their_way = [f"{count.on_their_way} {kind}: on their way" for kind, count in found.acts.items()]
    return [
        *(f"{finding.kind} {finding.id} {finding.why}" for finding in found.findings),
        *(said for said in on_their_way if not said.startswith("0 ")),
        *(f"records of an unknown kind: {kind}" for kind in found.unknown),
    ]


def _not_to_be_read(outbox: list[Row]) -> list[str]:
    """What we write past the models (because that is quicker) must be what the models read, with nothing besides."""
    return [f"{row['stream']} {row['id']}: {why}" for row in outbox if (why := _trouble_reading(row))]


def _trouble_reading(row: Row) -> str | None:
    raw = row["payload"]
    type_ = EventType(orjson.loads(raw)["type"])
    try:
        if row["stream"] == "INTAKE":
            read_submission(raw, _CHANNELS[type_])
        elif type_ in _CHANNELS:
            fit(raw, ACCEPTED[_CHANNELS[type_]], extra="forbid")
        else:
            fit(raw, _envelope_of(type_), extra="forbid")
    except Unreadable as error:
        return str(error.problems)
    return None


@cache
def _envelope_of(type_: EventType) -> type[Envelope[Any]]:
    """Made once: pydantic looks for what it made by all that a type is made of."""
    return Envelope[DATA[type_]]  # type: ignore[valid-type]


def _left_over(rows: Any) -> list[str]:
    queries = {
        "unsent": "SELECT count(*) AS n FROM outbox WHERE sent_at IS NULL",
        "waiting for a predecessor": "SELECT count(*) AS n FROM early",
    }
    return [f"{n} {what}" for what, query in queries.items() if (n := rows(query)[0]["n"])]
