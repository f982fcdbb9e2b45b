"""Bad messages among good ones, through the real queue and store: set aside alone, whole, and told to their source."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from services.ground.log import configure_logging
from services.ground.settings import Settings
from tests.support.events import example as event_like
from tests.support.events import referral, referral_of
from tests.support.poisons import CANARY, NAME_AS_A_KEY, Kind, Poison, Recipe, cook, recipes
from tests.support.system import System, system

_persons = itertools.count(1)
_sources = itertools.count(1)

EVERY_KIND = [Recipe(kind, number, b"\x80salt") for kind in Kind for number in range(5)]
HIS_FIRST_LEGS = {"dapp", "addiction_service", "mental_health_team", "victim_safety"}


@pytest.fixture
def logged(settings: Settings) -> io.StringIO:
    """Everything that is logged, at every level."""
    lines = io.StringIO()
    with contextlib.redirect_stderr(lines), contextlib.redirect_stdout(lines):
        configure_logging(settings.model_copy(update={"log_level": "debug", "log_format": "json"}))
    return lines


@pytest.fixture
async def onward(settings: Settings, logged: io.StringIO) -> AsyncIterator[System]:
    """One running system for all examples of a test, on which no delivery is repeated: exactly means exactly."""
    async with system(settings.model_copy(update={"redelivery_seconds": (30.0, 60.0)})) as running:
        yield running


@given(st.lists(recipes(), min_size=5, max_size=25))
@example(EVERY_KIND)
@effort(max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
async def test_poison_is_set_aside_whole_and_its_neighbours_are_routed(
    onward: System, logged: io.StringIO, drawn: list[Recipe]
) -> None:
    source = f"force-{next(_sources)}"
    bad = [cook(recipe, source, next(_persons)) for recipe in drawn]
    good = [referral_of(next(_persons), source=source) for _ in range(len(bad) // 4 + 2)]
    await _publish(onward, source, _mixed(good, bad))
    await onward.settle()

    accepted = await _routed(onward, source)
    assert accepted == {event["id"] for event in good}
    aside = await onward.rows("SELECT * FROM quarantine WHERE subject LIKE :s", s=f"intake.{source}.%")
    assert Counter((bytes(row["raw"]), row["reason"]) for row in aside) == Counter((p.raw, p.reason) for p in bad)
    receipts = await onward.messages("RECEIPT", f"receipt.{source}")
    _assert_each_is_told(receipts, good, bad)
    counts = Counter(r["outcome"] for r in await _raw(onward, source))
    assert counts == {"accepted": len(good), "refused": len(bad)}
    notices = [m for m in await onward.messages("QUARANTINE") if m["data"]["subject"].startswith(f"intake.{source}.")]
    assert len(notices) == len(bad)
    shown = json.dumps([receipts, notices, [row["problems"] for row in aside]], default=str)
    assert CANARY not in shown
    assert CANARY not in logged.getvalue()
    for_others = json.dumps([notices, [row["problems"] for row in aside]], default=str)
    assert NAME_AS_A_KEY not in for_others + logged.getvalue()
    assert "message_quarantined" in logged.getvalue(), "what was logged was looked at"


async def test_a_repeat_is_told_so_and_another_body_under_the_same_id_is_a_conflict(onward: System) -> None:
    source = "conflicting-force"
    first = referral_of(next(_persons), source=source)
    respelled = json.dumps(first, indent=2, sort_keys=True).encode()
    other = json.dumps({**first, "data": {**first["data"], "narrative": CANARY}}).encode()
    raws = [json.dumps(first).encode(), respelled, other, json.dumps(first).encode(), other]
    await _publish(onward, source, [("referral", raw) for raw in raws])
    await onward.settle()
    await _publish(onward, source, [("referral", raw) for raw in (respelled, other)])  # and in a batch of their own
    await onward.settle()

    receipts = [m["data"] for m in await onward.messages("RECEIPT", f"receipt.{source}")]
    assert Counter(r["outcome"] for r in receipts) == {"accepted": 1, "repeated": 3, "conflict": 3}
    [event_id] = {r["event_id"] for r in receipts if r["outcome"] != "conflict"}
    assert all(r["problems"][0]["place"] == "/id" for r in receipts if r["outcome"] == "conflict")
    aside = await onward.rows("SELECT raw, reason FROM quarantine")
    assert [(bytes(row["raw"]), row["reason"]) for row in aside] == [(other, "conflict")] * 3
    assert [row["event_id"] for row in await onward.rows("SELECT event_id FROM decisions")] == [event_id]
    assert await _routed(onward, source) == {first["id"]}
    assert Counter(r["outcome"] for r in await _raw(onward, source)) == {"accepted": 1, "repeated": 3, "refused": 3}


async def test_the_same_id_from_another_source_is_another_message(onward: System) -> None:
    for source in ("force-north", "force-south"):
        await onward.publish(referral_of(next(_persons), source=source) | {"id": "1"})
    await onward.settle()
    assert await onward.count("accepted_events") == 2
    assert await onward.count("quarantine") == 0


ODD_SUBJECTS = (
    b"intake.Upper.referral",
    "intake.caf\u00e9.referral".encode(),
    b"intake." + b"x" * 300 + b".referral",
    b"intake." + b"x" * 3000 + b".referral",
    b"intake.a\x01b.referral",
    b"intake.a\x00b.referral",
    b"intake.a\xff\xfeb.referral",
)
ODD_HEADERS = (
    b"NATS/1.0 \xff\xfe\xfd bad\r\n\r\n",
    b"NATS/1.0\r\n\xff: \xfe\r\n\r\n",
    b"NATS/1.0",
    b"NATS/1.0 404 No Messages\r\n\r\n",
    b"NATS/1.0 100\r\nNats-Pending-Messages: 99999\r\n\r\n",
)


async def test_a_subject_that_no_source_can_have_is_set_aside_and_ends_nothing(onward: System) -> None:
    raw = json.dumps(referral(source="met-police")).encode()
    await _publish_raw(onward, *(b"PUB %b %d\r\n%b\r\n" % (subject, len(raw), raw) for subject in ODD_SUBJECTS))
    await _assert_these_aside_and_the_next_routed(onward, [raw] * len(ODD_SUBJECTS))


async def test_headers_that_are_none_end_nothing_and_hide_nothing(onward: System) -> None:
    messages = [(headers, raw) for headers in ODD_HEADERS for raw in (b"", b"{}")]
    await _publish_raw(
        onward,
        *(
            b"HPUB intake.met-police.referral %d %d\r\n%b%b\r\n" % (len(headers), len(headers + raw), headers, raw)
            for headers, raw in messages
        ),
    )
    await _assert_these_aside_and_the_next_routed(onward, [raw for _, raw in messages])


async def _publish_raw(onward: System, *commands: bytes) -> None:
    """As a client of its own making does, which checks nothing."""
    address = onward.world.nats_url.removeprefix("nats://")
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    options = b'CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n'
    writer.write(options + b"".join(commands) + b"PING\r\n")
    try:
        while (line := await asyncio.wait_for(reader.readline(), 5)) != b"PONG\r\n":
            assert line.startswith(b"INFO"), line
    finally:
        writer.close()
        await writer.wait_closed()


async def _assert_these_aside_and_the_next_routed(onward: System, raws: Sequence[bytes]) -> None:
    good = referral(source="met-police")
    await onward.publish(good)
    await onward.settle(15)
    aside = await onward.rows("SELECT raw FROM quarantine")
    assert Counter(bytes(row["raw"]) for row in aside) == Counter(raws)
    assert await _routed(onward, "met-police") == {good["id"]}
    outcomes = Counter(row["outcome"] for row in await onward.rows("SELECT outcome FROM raw_messages"))
    assert outcomes == {"accepted": 1, "refused": len(raws)}


def _mixed(good: Sequence[dict[str, Any]], bad: Sequence[Poison]) -> list[tuple[str, bytes]]:
    """Good ones first, last and between."""
    messages = [(poison.channel, poison.raw) for poison in bad]
    step = len(messages) // (len(good) - 1)
    for index, event in enumerate(good[:-1]):
        messages.insert(index * (step + 1), ("referral", json.dumps(event).encode()))
    return [*messages, ("referral", json.dumps(good[-1]).encode())]


async def _publish(onward: System, source: str, messages: Sequence[tuple[str, bytes]]) -> None:
    """At once, so that they share batches; each confirmed by the broker."""
    js = onward.connection.jetstream()
    await asyncio.gather(
        *(js.publish(f"intake.{source}.{channel}", raw, stream="INTAKE", timeout=20) for channel, raw in messages)
    )


async def _raw(onward: System, source: str) -> list[dict[str, Any]]:
    return await onward.rows("SELECT outcome FROM raw_messages WHERE subject LIKE :s", s=f"intake.{source}.%")


async def _routed(onward: System, source: str) -> set[str]:
    """The ids of this source's messages that were accepted, each seen to have gone once to each of its destinations."""
    rows = await onward.rows(
        "SELECT a.origin_id, d.destination FROM accepted_events a LEFT JOIN deliveries d ON d.event_id = a.event_id"
        " WHERE a.source = :s",
        s=source,
    )
    sent: dict[str, list[str]] = {}
    for row in rows:
        sent.setdefault(row["origin_id"], []).append(row["destination"])
    for destinations in sent.values():
        assert set(destinations) >= HIS_FIRST_LEGS
        assert len(destinations) == len(set(destinations)), "nothing is sent twice"
    return set(sent)


def _assert_each_is_told(
    receipts: Sequence[dict[str, Any]], good: Sequence[dict[str, Any]], bad: Sequence[Poison]
) -> None:
    told = Counter((r["data"]["digest"], r["data"]["outcome"]) for r in receipts)
    expected = Counter((_digest(json.dumps(event).encode()), "accepted") for event in good)
    assert told == expected + Counter((_digest(poison.raw), "refused") for poison in bad)
    for receipt in receipts:
        problems = receipt["data"].get("problems")
        assert bool(problems) == (receipt["data"]["outcome"] == "refused")
    kinds = {_digest(poison.raw): poison.kind for poison in bad}
    for receipt in receipts:
        if (kind := kinds.get(receipt["data"]["digest"])) in _PLACES:
            places = [problem["place"] for problem in receipt["data"]["problems"]]
            assert any(place.startswith(_PLACES[kind]) for place in places), (kind, places)


_PLACES = {Kind.IDENTIFIER: "/data/person/identifiers/", Kind.WRONG_SOURCE: "/source", Kind.WRONG_CHANNEL: "/type"}


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize(("channel", "name", "field"), [
    ("risk", "risk-relapse", "occurred_at"),
    ("progress", "progress-started", "occurred_at"),
    ("decision", "decision-answer-review", "decided_at"),
])  # fmt: skip
async def test_what_is_said_to_happen_only_later_is_refused_and_its_sender_told_where(
    onward: System, channel: str, name: str, field: str
) -> None:
    event = event_like(name)
    event["data"][field] = (datetime.now(UTC) + timedelta(days=365)).isoformat()
    await onward.publish(event, channel=channel)
    await onward.settle()
    [told] = await onward.messages("RECEIPT")
    assert (told["data"]["outcome"], told["data"]["reason"]) == ("refused", "not_yet")
    assert [problem["place"] for problem in told["data"]["problems"]] == [f"/data/{field}"]
    assert await onward.count("case_events") == 0
    event["data"][field] = (datetime.now(UTC) + timedelta(hours=20)).isoformat()  # a clock that runs ahead
    await onward.publish(event | {"id": "again"}, channel=channel)
    await onward.settle()
    assert [m["data"]["reason"] for m in await onward.messages("RECEIPT")] != ["not_yet", "not_yet"]
