"""A timer falls due, comes back as an event of its person, and is decided, audited and seen: once, whatever dies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text, update

from schemas.envelope import TIMERS_SOURCE
from schemas.vocabulary import TimerKind
from services.cli.looking import case_of
from services.ground import tables
from services.ground.clock import SetClock
from services.ground.handler import Chore
from services.ground.publisher import Outgoing
from services.ground.settings import Settings
from services.ground.work import Work
from services.router import store
from services.router.casework.case import Case
from services.router.casework.steps import Step, TimerCancelled, TimerSet
from services.router.keep import Cause, Keeping
from services.router.timers import SUBJECT, fire_due, fire_lost
from tests.support.events import example, referral
from tests.support.system import System, system

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
IN_TIME, LATE = timedelta(hours=3), timedelta(days=2, hours=9)  # Wednesday, an hour after the programme should answer
ALL_BUT_THE_ROUTER = ("intake", "dispatch", "audit")
PUBLISHED = "SELECT p.payload FROM payloads p JOIN outbox o ON o.id = p.id WHERE o.subject = :to"
OF_THE_PROGRAMME = "SELECT * FROM timers WHERE kind = 'acknowledgement' AND leg_id = :leg ORDER BY due_at, id"


async def test_a_timer_that_falls_due_is_an_event_of_its_person(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        leg, person = await _referred(onward)
        clock.move(LATE)
        await onward.settle()

        [first, second] = await onward.rows(OF_THE_PROGRAMME, leg=leg)
        assert first["fired_at"] is not None
        assert first["taken_at"] is not None
        assert second["fired_at"] is None, "the leg stays watched"

        accepted = await onward.rows("SELECT * FROM accepted_events WHERE origin_id = :id", id=first["id"])
        assert [(row["source"], row["person_id"]) for row in accepted] == [(TIMERS_SOURCE, person)]
        event = accepted[0]["event_id"]
        [decision] = await onward.rows("SELECT said FROM decisions WHERE event_id = :id", id=event)
        said = decision["said"] if isinstance(decision["said"], dict) else json.loads(decision["said"])
        assert [rule["rule"] for rule in said["matched"]] == ["timer-looked-again"]

        found = await onward.world.database.read(lambda c: case_of(c, person))
        [seen] = [row for row in found["events"] if row["event_id"] == event]
        assert (seen["kind"], seen["source"]) == ("timer_acknowledgement", TIMERS_SOURCE)
        assert leg in {row["id"] for row in found["legs"] if row["closed_at"] is None}, "no timer closes anything"
        asked = [row for row in found["reviews"] if row["event_id"] == event]
        assert [(row["kind"], row["role"], row["leg_id"]) for row in asked] == [("no_destination", "duty_worker", leg)]

        entries = [message["data"] for message in await onward.messages("AUDIT")]
        [entry] = [entry for entry in entries if entry["correlation_id"] == event]
        assert entry["operation"] == "alter"
        assert entry["actor"] == {"id": "onward", "organisation": settings.organisation, "role": "service"}
        assert await onward.messages("RECEIPT", f"receipt.{TIMERS_SOURCE}") == [], "nobody tells himself"
        assert await onward.count("quarantine") == 0


async def test_a_timer_does_not_fire_before_it_is_due(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        leg, _ = await _referred(onward)
        [timer] = await onward.rows(OF_THE_PROGRAMME, leg=leg)
        clock.set(_moment(timer["due_at"]) - timedelta(microseconds=1))
        await _ticks(onward)
        [timer] = await onward.rows(OF_THE_PROGRAMME, leg=leg)
        assert timer["fired_at"] is None
        clock.move(timedelta(microseconds=1))
        await onward.settle()
        assert (await onward.rows(OF_THE_PROGRAMME, leg=leg))[0]["fired_at"] is not None


async def test_what_was_answered_in_time_is_cancelled_with_why_and_never_fires(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        leg, _ = await _referred(onward)
        clock.move(IN_TIME)
        await onward.publish(_progress(leg, "acknowledged"), channel="progress")
        await onward.settle()
        clock.move(LATE)
        await onward.settle()
        [timer] = await onward.rows(OF_THE_PROGRAMME, leg=leg)
        assert (timer["fired_at"], timer["cancelled_because"]) == (None, "acknowledged")
        assert timer["cancelled_at"] is not None
        assert not await onward.rows("SELECT id FROM reviews WHERE leg_id = :leg", leg=leg)


async def test_an_answer_that_comes_while_the_timer_is_on_its_way_leaves_nothing_to_ask(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        leg, _ = await _referred(onward)
        await onward.publish(_progress(leg, "accepted"), channel="progress")
        await onward.settle()
    clock.move(timedelta(days=9))
    async with system(settings, clock=clock, names=ALL_BUT_THE_ROUTER) as onward:
        # An outage of the router: the first contact is accepted meanwhile, and the timer fires before it is taken.
        await onward.publish(_progress(leg, "first_contact"), channel="progress")
        await _wait_for(onward, "SELECT count(*) AS n FROM accepted_events WHERE origin_id = 'first_contact'")
        await onward.world.database.write(lambda c: _fire(c, clock))
        [timer] = await onward.rows("SELECT * FROM timers WHERE kind = 'first_contact'")
        assert timer["fired_at"] is not None
    async with system(settings, clock=clock) as onward:
        await onward.settle()
        [timer] = await onward.rows("SELECT * FROM timers WHERE kind = 'first_contact'")
        assert timer["cancelled_because"] == "first_contact"
        assert timer["taken_at"] is not None
        [event] = await onward.rows("SELECT event_id FROM case_events WHERE kind = 'timer_first_contact'")
        assert await onward.rows("SELECT id FROM decisions WHERE event_id = :id", id=event["event_id"]), "recorded"
        assert not await onward.rows("SELECT id FROM reviews WHERE event_id = :id", id=event["event_id"])


async def test_a_question_that_nobody_answers_goes_up_and_never_ends_in_silence(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        leg, _ = await _referred(onward)
        clock.move(LATE)
        await onward.settle()
        [asked] = await _question(onward, leg)
        roles = [asked["role"]]
        for _ in range(5):
            clock.set(_moment(asked["due_at"]))
            await onward.settle()
            [asked] = await _question(onward, leg)
            assert _moment(asked["due_at"]) > clock.now(), "there is always a next due time"
            roles.append(asked["role"])
        lead = "safeguarding_lead"
        assert roles == ["duty_worker", "case_manager", "programme_manager", lead, lead, lead]
        left = "SELECT count(*) AS n FROM timers WHERE review_id = :id AND fired_at IS NULL AND cancelled_at IS NULL"
        assert (await onward.rows(left, id=asked["id"])) == [{"n": 1}]


async def test_a_router_that_dies_between_commit_and_publish_fires_exactly_once(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings.model_copy(update={"drain_seconds": 0.2}), clock=clock) as onward:
        leg, _ = await _referred(onward)
        consumer: Any = onward.services["router"].consumer
        publish = consumer._sender.publisher.publish

        async def die(messages: Sequence[Outgoing]) -> Any:
            if any(message.subject == SUBJECT for message in messages):
                await asyncio.Event().wait()  # until the process is gone
            return await publish(messages)

        consumer._sender.publisher.publish = die
        clock.move(LATE)
        await _wait_for(onward, "SELECT count(*) AS n FROM timers WHERE fired_at IS NOT NULL")
        assert await onward.messages("INTAKE", SUBJECT) == []
        assert await onward.rows("SELECT id FROM outbox WHERE subject = :to AND sent_at IS NULL", to=SUBJECT)
    async with system(settings, clock=clock) as onward:
        await onward.settle()
        await _each_fired_once(onward, leg)


async def test_a_router_that_dies_between_publish_and_its_mark_fires_exactly_once(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        leg, _ = await _referred(onward)
        clock.move(LATE)
        await onward.settle()
    async with system(settings, clock=clock, names=ALL_BUT_THE_ROUTER) as onward:
        # And the broker has forgotten it since: it takes the same message for a new one.
        forget = "UPDATE outbox SET sent_at = NULL, id = id || '-again' WHERE subject = :to"
        rename = "UPDATE payloads SET id = id || '-again' WHERE id IN (SELECT id FROM outbox WHERE subject = :to)"
        for change in (rename, forget):
            await onward.world.database.write(lambda c, sql=change: c.execute(text(sql), {"to": SUBJECT}).rowcount)  # type: ignore[misc]
    async with system(settings, clock=clock) as onward:
        await onward.settle()
        kept = await onward.rows("SELECT outcome FROM raw_messages WHERE subject = :to", to=SUBJECT)
        assert {row["outcome"] for row in kept} == {"accepted", "repeated"}
        await _each_fired_once(onward, leg)


async def test_several_who_fire_at_once_fire_each_timer_once(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock, names=()) as onward:
        row = {"kind": "review", "person_id": "nobody", "due_at": MONDAY, "set_at": MONDAY}
        due = [{**row, "id": f"timer-{number:04}"} for number in range(500)]
        await onward.world.database.write(lambda c: c.execute(insert(store.timers), due).rowcount)
        await asyncio.gather(*[onward.world.database.write(lambda c: _fire(c, clock, page=100)) for _ in range(12)])
        while await onward.world.database.write(lambda c: _fire(c, clock, page=100)):
            pass
        sent = await onward.rows(PUBLISHED, to=SUBJECT)
        assert sorted(json.loads(row["payload"])["id"] for row in sent) == [timer["id"] for timer in due]


async def test_who_lost_the_partition_fires_nothing(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    slow = settings.model_copy(update={"timer_seconds": 3600, "lease_seconds": 3600})
    async with system(slow, clock=clock) as onward:
        leg, _ = await _referred(onward)
        consumer: Any = onward.services["router"].consumer
        clock.move(LATE)
        lease = tables.leases.c
        taken_over = update(tables.leases).where(lease.service == "router", lease.partition == 0)
        await onward.world.database.write(lambda c: c.execute(taken_over.values(epoch=lease.epoch + 1)).rowcount)
        await consumer.do(Chore("fire_timers", 1, fire_due))
        assert await onward.messages("INTAKE", SUBJECT) == []
        [timer] = await onward.rows(OF_THE_PROGRAMME, leg=leg)
        assert timer["fired_at"] is None
        await onward.world.database.write(lambda c: c.execute(taken_over.values(epoch=lease.epoch - 1)).rowcount)
        await consumer.do(Chore("fire_timers", 1, fire_due))
        await onward.settle()
        await _each_fired_once(onward, leg)


@pytest.mark.parametrize("source", ["met-police", "onward-intake"])
async def test_only_our_own_source_publishes_timers(settings: Settings, source: str) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        leg, person = await _referred(onward)
        forged = example("timer-acknowledgement", source=source, person_id=person, leg_id=leg)
        forged["id"] = forged["data"]["timer_id"]
        await onward.publish(forged, channel="timer")
        await onward.settle()
        assert await _set_aside(onward) == [{"service": "intake", "reason": "not_your_channel"}]
        [receipt] = [m["data"] for m in await onward.messages("RECEIPT", f"receipt.{source}") if "problems" in m["data"]
                     and m["data"]["problems"]]  # fmt: skip
        assert receipt["outcome"] == "refused"
        assert not await onward.rows("SELECT event_id FROM case_events WHERE kind LIKE 'timer%'")


async def test_a_timer_of_nobody_that_we_know_is_set_aside_and_so_is_one_under_another_id(settings: Settings) -> None:
    async with system(settings, clock=SetClock(MONDAY)) as onward:
        _, person = await _referred(onward)
        stranger = example("timer-acknowledgement")
        stranger["id"] = stranger["data"]["timer_id"]
        await onward.publish(stranger, channel="timer")
        await onward.publish(example("timer-acknowledgement", person_id=person), channel="timer")
        await onward.settle()
        assert [row["reason"] for row in await _set_aside(onward)] == ["not_its_id", "unknown_person"]
        assert await onward.messages("RECEIPT", f"receipt.{TIMERS_SOURCE}") == []


async def _referred(onward: System) -> tuple[str, str]:
    """The case's referral. Returns the programme's leg, and the person."""
    await onward.publish(referral())
    await onward.settle()
    [leg] = await onward.rows("SELECT id, person_id FROM legs WHERE destination = 'dapp'")
    return leg["id"], leg["person_id"]


def _progress(leg: str, kind: str) -> dict[str, Any]:
    said = example("progress-started", source="dapp-northshire", leg_id=leg, kind=kind)
    said["id"] = kind
    del said["data"]["session_number"]
    return said


async def _question(onward: System, leg: str) -> list[dict[str, Any]]:
    return await onward.rows("SELECT * FROM reviews WHERE leg_id = :leg", leg=leg)


async def test_a_timer_that_the_broker_lost_is_fired_again_until_its_event_was_taken(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        leg, _ = await _referred(onward)
    clock.move(LATE)
    lost = "UPDATE outbox SET sent_at = created_at, stream_sequence = 1 WHERE stream = 'INTAKE'"  # so the broker said
    async with system(settings, clock=clock, names=ALL_BUT_THE_ROUTER) as onward:

        def fire_and_lose(connection: Connection) -> None:
            while _fire(connection, clock):
                pass
            connection.execute(text(lost))

        await onward.world.database.write(fire_and_lose)
    clock.move(timedelta(seconds=settings.reconcile_seconds - 1))
    assert await _fired_again(settings, clock) == 0, "it may be on its way"
    clock.move(timedelta(seconds=1))
    async with system(settings, clock=clock, names=ALL_BUT_THE_ROUTER) as onward:
        again = await onward.world.database.write(lambda c: _again(c, settings, clock))
        assert again > 0
    async with system(settings, clock=clock) as onward:
        await onward.settle()
        await _each_fired_once(onward, leg)
        assert await onward.world.database.write(lambda c: _again(c, settings, clock)) == 0


async def test_a_timer_that_waits_at_a_router_that_is_away_is_not_fired_again(settings: Settings) -> None:
    """After an outage the router has many to take: were they fired again meanwhile, it would have ever more."""
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        await _referred(onward)
    clock.move(LATE)
    async with system(settings, clock=clock, names=ALL_BUT_THE_ROUTER) as onward:
        await onward.world.database.write(lambda c: _fire(c, clock))
        for row in await onward.rows(PUBLISHED, to=SUBJECT):
            await onward.publish(json.loads(row["payload"]), channel="timer")
        fired = await onward.rows("SELECT id FROM timers WHERE fired_at IS NOT NULL")
        for timer in fired:
            await _wait_for(onward, f"SELECT count(*) AS n FROM accepted_events WHERE origin_id = '{timer['id']}'")  # noqa: S608
        assert fired
        clock.move(timedelta(seconds=settings.reconcile_seconds))
        assert await onward.world.database.write(lambda c: _again(c, settings, clock)) == 0


async def _fired_again(settings: Settings, clock: SetClock) -> int:
    async with system(settings, clock=clock, names=ALL_BUT_THE_ROUTER) as onward:
        return await onward.world.database.write(lambda c: _again(c, settings, clock))


def _again(connection: Connection, settings: Settings, clock: SetClock) -> int:
    work = Work(connection, service="router", now=clock.now())
    fire_lost(work, after_seconds=settings.reconcile_seconds)
    work.finish()
    return len(work.outgoing)


async def _set_aside(onward: System) -> list[dict[str, Any]]:
    return await onward.rows("SELECT service, reason FROM quarantine ORDER BY reason")


async def _each_fired_once(onward: System, leg: str) -> None:
    fired = await onward.rows("SELECT id FROM timers WHERE fired_at IS NOT NULL")
    assert leg in {row["leg_id"] for row in await onward.rows("SELECT leg_id FROM timers WHERE fired_at IS NOT NULL")}
    taken = await onward.rows("SELECT origin_id FROM case_events WHERE kind LIKE 'timer%'")
    assert sorted(row["origin_id"] for row in taken) == sorted(row["id"] for row in fired)
    assert len(await _question(onward, leg)) == 1
    assert await onward.count("quarantine") == 0


def _fire(connection: Connection, clock: SetClock, *, page: int = 1000) -> bool:
    """A page, committed and not published."""
    work = Work(connection, service="router", now=clock.now())
    more = fire_due(work, page=page)
    work.finish()
    return more


async def _wait_for(onward: System, query: str) -> None:
    for _ in range(500):
        if (await onward.rows(query))[0]["n"]:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"never: {query}")


async def _ticks(onward: System) -> None:
    await asyncio.sleep(5 * onward.world.settings.timer_seconds)


def _moment(kept: object) -> datetime:
    """A moment as a plain query gives it: text on SQLite."""
    moment = kept if isinstance(kept, datetime) else datetime.fromisoformat(str(kept))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def test_a_cancellation_means_what_was_set_before_it_and_nothing_else(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock, names=()) as onward:
        due = MONDAY + timedelta(days=1)

        def kept(connection: Connection, person: str, steps: Sequence[Step]) -> None:
            keeping = Keeping(Work(connection, service="router", now=clock.now()))
            for step in steps:
                keeping.step(step, Case(person, MONDAY), Cause("event", "source", "decision"))
            keeping.write()

        def check(id_: str, leg: str) -> TimerSet:
            return TimerSet(id_, TimerKind.WELFARE_CHECK, due, leg_id=leg)

        other: Step = TimerSet("another kind", TimerKind.OFFER, due, leg_id="leg")
        earlier: list[Step] = [check("earlier", "leg"), check("another leg", "leg-2"), other]
        await onward.world.database.write(lambda c: kept(c, "person", earlier))
        await onward.world.database.write(lambda c: kept(c, "somebody else", [check("another person", "leg")]))
        ended = TimerCancelled("the pause ended", leg_id="leg", kinds=(TimerKind.WELFARE_CHECK,))
        together: list[Step] = [
            check("just before", "leg"),
            ended,
            check("just after", "leg"),
            TimerCancelled("means nothing"),
        ]
        await onward.world.database.write(lambda c: kept(c, "person", together))
        await onward.world.database.write(lambda c: kept(c, "person", [TimerCancelled("one", timer_id="another leg")]))
        rows = await onward.rows("SELECT id, cancelled_because FROM timers WHERE cancelled_at IS NOT NULL ORDER BY id")
        assert {row["id"]: row["cancelled_because"] for row in rows} == {
            "another leg": "one",
            "earlier": "the pause ended",
            "just before": "the pause ended",
        }
