"""What is over its time goes, and nothing of a case that is open, on hold or has a message that waits; over years."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, LargeBinary, Table, func, select, type_coerce, update

from schemas.refusal import Unacceptable
from services.cli.reconciling import reconciled
from services.ground import tables
from services.ground.clock import SetClock
from services.ground.database import Database
from services.ground.handler import Chore
from services.ground.keys import make_ahead
from services.ground.microbatch import Delivery
from services.ground.outbox import owe_again
from services.ground.sealing import head_of
from services.ground.settings import Settings
from services.ground.work import Work
from services.intake.erasing import finish, unfinished
from services.intake.holds import place_holds
from services.intake.retention import retention
from services.router import store
from services.router.case_retention import case_retention
from tests.support.erased import entries, files_of_the_store, found_in, secrets_of
from tests.support.events import decision, referral_of
from tests.support.system import System, system
from tests.support.typed import Typed

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
YEAR = timedelta(days=366)
OLD = {
    "retention_messages_days": 300,
    "retention_refused_days": 600,
    "retention_sent_days": 300,
    "retention_case_years": 6,
    "retention_seconds": 1e6,  # here the test says when
}
ACTOR = {"id": "l.counsel", "organisation": "onward", "role": "operator"}
SEED = 20260302
PERSONS = 24


@pytest.fixture
def clock() -> SetClock:
    return SetClock(BEGIN)


@pytest.fixture
async def onward(settings: Settings, clock: SetClock) -> AsyncIterator[System]:
    async with system(settings.model_copy(update=OLD), clock=clock) as running:
        yield running


async def _look(onward: System) -> None:
    """The chores, as often as there is more."""
    settings = onward.world.settings
    for service, chore in (("intake", retention(settings)), ("router", case_retention(settings))):
        while await onward.world.database.write(lambda c, s=service, t=chore: _act(c, s, t, onward)):  # type: ignore[misc]
            pass


def _act(connection: Connection, service: str, chore: Chore, onward: System) -> bool:
    work = Work(connection, service=service, now=onward.world.clock.now())
    more = chore.act(work)
    work.finish()
    return more


LEGS, QUESTIONS, TIMERS = (store.legs, "closed_at"), (store.reviews, "answered_at"), (store.timers, "cancelled_at")


async def _close(onward: System, *persons: str, what: Sequence[tuple[Table, str]] = (LEGS, QUESTIONS, TIMERS)) -> None:
    """As if all had been said of them: no leg and no question is open."""
    at = onward.world.clock.now()

    def body(connection: Connection) -> None:
        for table, column in what:
            of = table.c
            connection.execute(
                update(table).where(of.person_id.in_(persons), of[column].is_(None)).values({column: at})
            )

    await onward.world.database.write(body)


async def _hold(database: Database, person: str, now: datetime) -> None:
    def body(connection: Connection) -> None:
        work = Work(connection, service="intake", now=now)
        place_holds(work, [person], ACTOR, "An inquest is open.", None)
        work.finish()

    await database.write(body)


async def _set_aside(database: Database, person: str, number: int, now: datetime, *, told: bool) -> None:
    """A message of theirs that the router could not take."""
    await make_ahead(database, 4, now)

    def body(connection: Connection) -> None:
        work = Work(connection, service="router", now=now)
        delivery = Delivery("case.0.risk", b"{}", "", "CASE", 100_000 + number, 0)
        work.quarantine(delivery, Unacceptable("unknown_leg"), person_id=person, told_at=now if told else None)
        work.finish()

    await database.write(body)


async def _kept_of(onward: System, person: str) -> set[tuple[str, str]]:
    """What there is of a person's content, by where it is."""
    raw = await onward.rows(
        "SELECT r.id FROM raw_messages r JOIN accepted_events a ON a.event_id = r.event_id"
        " WHERE a.person_id = :p AND r.body IS NOT NULL",
        p=person,
    )

    def read(connection: Connection) -> set[tuple[str, str]]:
        return {
            (column.table.name, str(id_))
            for column in (tables.payloads.c.payload, tables.quarantine.c.raw)
            for id_ in connection.execute(
                select(column.table.c.id).where(func.substr(type_coerce(column, LargeBinary), 1, 17) == head_of(person))
            ).scalars()
        }

    return {("raw_messages", row["id"]) for row in raw} | await onward.world.database.read(read)


@pytest.mark.timeout(180)
async def test_nothing_of_a_case_that_is_open_or_held_or_waits_is_touched_and_of_the_others_all_is(
    onward: System, clock: SetClock
) -> None:
    """Persons in every state, and merged across states, as a seed chooses; years pass."""
    chance = random.Random(SEED)
    database = onward.world.database
    for number in range(PERSONS):
        await onward.publish(referral_of(number))
    await onward.settle()
    persons = [await onward.person_with("crn", f"X{number:06d}") for number in range(PERSONS)]
    own = {person: chance.choice(("leg", "question", "held", "waits", "closed", "closed")) for person in persons}
    states = {person: {state} for person, state in own.items()}
    one = {person: {person} for person in persons}
    for _ in range(PERSONS // 4):
        first, other = chance.sample([p for p in persons if len(one[p]) == 1], 2)
        merge = decision("merge_persons", person_id=first, other_person_id=other)
        await onward.publish({**merge, "id": f"merge-{other}"}, channel="decision")
        one[first] = one[other] = {first, other}
        states[first] = states[other] = states[first] | states[other]
    await onward.settle()
    await _close(onward, *persons, what=[TIMERS])
    await _close(onward, *(p for p in persons if own[p] != "leg"), what=[LEGS])
    await _close(onward, *(p for p in persons if own[p] != "question"), what=[QUESTIONS])
    for number, person in enumerate(persons):
        if own[person] == "held":
            await _hold(database, person, clock.now())
        if own[person] == "waits":
            await _set_aside(database, person, number, clock.now(), told=False)
    clock.move(timedelta(minutes=1))
    await onward.settle()
    before = {person: await _kept_of(onward, person) for person in persons}
    assert all(len(kept) > 5 for kept in before.values())
    await _look(onward)
    assert await onward.count("disposals") == 0, "it is too early"
    clock.move(YEAR)
    await _look(onward)
    free = {person for person in persons if states[person] == {"closed"}}
    assert 2 < len(free) < PERSONS - 6
    for person in persons:
        kept = await _kept_of(onward, person)
        if person in free:
            assert kept == set(), states[person]
        else:
            assert kept == before[person], states[person]
    asked = await onward.rows("SELECT person_id FROM reviews WHERE kind = 'retention'")
    assert asked == []
    clock.move(6 * YEAR)
    await _look(onward)
    await _look(onward)
    asked = [row["person_id"] for row in await onward.rows("SELECT person_id FROM reviews WHERE kind = 'retention'")]
    assert len(asked) == len(set(asked)), "once"
    closed = {person for person in persons if not states[person] & {"leg", "question", "held"}}
    assert {person for person in persons if one[person] & set(asked)} == closed
    assert await onward.count("erasures") == 0, "nobody is disposed of without a human's word"


async def test_what_goes_is_counted_and_entered_and_keys_of_nobodys_messages_are_gone(
    onward: System, clock: SetClock, settings: Settings
) -> None:
    await onward.publish(b'{"name": "broken', source="met-police")
    await onward.publish(referral_of(1))
    await onward.settle()
    await _close(onward, await onward.person_with("crn", "X000001"))
    [aside] = await onward.rows("SELECT id FROM quarantine")
    secret = (await secrets_of(onward.world.database, aside["id"]))[aside["id"]]
    clock.move(2 * YEAR)
    await _look(onward)
    assert await onward.world.database.read(unfinished)
    await finish(onward.world.database, clock.now())
    assert not await onward.world.database.read(unfinished)
    assert found_in(await files_of_the_store(onward.world.database, settings, log_of_writes=False), secret) == set()
    assert await onward.rows("SELECT id FROM quarantine WHERE raw IS NOT NULL OR told_at IS NULL") == []
    gone = {row["kind"]: row["many"] for row in await onward.rows("SELECT kind, many FROM disposals")}
    assert set(gone) == {"raw_messages", "set_aside", "sent"}
    assert (gone["raw_messages"], gone["set_aside"]) == (1, 1)
    assert gone["sent"] > 5
    clock.move(timedelta(minutes=1))
    await onward.settle()
    found = await entries(onward, "erase")
    assert {entry["justification"].split(": ")[1].split()[0] for entry in found} == {
        str(many) for many in gone.values()
    }
    assert not any("person_id" in entry for entry in found)
    assert (await onward.world.database.read(reconciled)).findings == []
    await _look(onward)
    assert await onward.count("disposals") == 3, "once"
    for stream in ("RECEIPT", "ROUTE"):  # made anew by a broker that lost all: what was let go of is not owed for ever
        await onward.world.database.write(
            lambda c, s=stream: owe_again(c, s, created="anew", last_sequence=0, confirmed=0)  # type: ignore[misc]
        )
    clock.move(timedelta(minutes=1))
    await onward.settle()


async def test_a_closed_case_is_disposed_of_when_a_human_says_so_and_kept_when_they_say_that(
    onward: System, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = Typed(onward.world.settings, clock, monkeypatch)
    for number in (1, 2):
        await onward.publish(referral_of(number))
    await onward.settle()
    one, two = [await onward.person_with("crn", f"X00000{number}") for number in (1, 2)]
    await _close(onward, one, two)
    due = (await typed.json("person", "show", one))["retention"]["review_due"]
    clock.set(datetime.fromisoformat(due) - timedelta(days=1))
    await _look(onward)
    assert await onward.rows("SELECT 1 FROM reviews WHERE kind = 'retention'") == []
    clock.move(timedelta(days=2))
    await _look(onward)
    asked = {
        row["person_id"]: row for row in await onward.rows("SELECT * FROM reviews WHERE kind = 'retention' ORDER BY id")
    }
    assert set(asked) == {one, two}
    shown = await typed.onward("work", "show", asked[one]["id"])
    assert "dispose" in shown.output, shown.output
    early = await typed.onward("person", "erase", one, *WHO, "--yes", "--review", asked[one]["id"])
    assert early.exit_code == 1, early.output
    for person, answer in ((one, "dispose"), (two, "keep")):
        said = decision(
            "answer_review", role="programme_manager", review_id=asked[person]["id"], answer=answer, reason="Looked at."
        )
        said["data"]["decided_at"] = clock.now().isoformat()
        await onward.publish({**said, "id": f"{answer}-1", "time": clock.now().isoformat()}, channel="decision")
    clock.move(timedelta(minutes=1))
    await onward.settle()
    told: dict[str, Any] = await typed.json("person", "erase", one, *WHO, "--yes", "--review", asked[one]["id"])
    assert told["erased"] == [one]
    [row] = await onward.rows("SELECT review_id FROM erasures")
    assert row["review_id"] == asked[one]["id"]
    kept = await typed.onward("person", "erase", two, *WHO, "--yes", "--review", asked[two]["id"])
    assert kept.exit_code == 1, kept.output
    clock.move(5 * YEAR)
    await _look(onward)
    assert len(await onward.rows("SELECT 1 FROM reviews WHERE kind = 'retention'")) == 2
    clock.move(2 * YEAR)
    await _look(onward)
    again = await onward.rows("SELECT person_id FROM reviews WHERE kind = 'retention' ORDER BY id")
    assert [row["person_id"] for row in again][2:] == [two], "whoever is erased is asked about no more"
    clock.move(timedelta(minutes=1))
    await onward.settle()
    assert (await onward.world.database.read(reconciled)).findings == []


@pytest.mark.parametrize("heard_since", [False, True])
async def test_a_case_that_is_kept_until_a_day_is_asked_about_on_that_day(
    onward: System, clock: SetClock, monkeypatch: pytest.MonkeyPatch, *, heard_since: bool
) -> None:
    typed = Typed(onward.world.settings, clock, monkeypatch)
    await onward.publish(referral_of(1))
    await onward.settle()
    person = await onward.person_with("crn", "X000001")
    await _close(onward, person)

    async def asked() -> list[dict[str, Any]]:
        await _look(onward)
        return await onward.rows("SELECT * FROM reviews WHERE kind = 'retention' ORDER BY id")

    clock.set(datetime.fromisoformat((await typed.json("person", "show", person))["retention"]["review_due"]))
    clock.move(timedelta(days=1))
    [question] = await asked()
    day = (clock.now() + 2 * YEAR).date()
    words = ("--answer", "keep", "--on", day.isoformat(), "--role", "programme_manager", "--organisation", "hub", *WHO)
    shown = await typed.onward("work", "show", question["id"])
    assert "--answer keep --on DAY" in shown.output
    refused = await typed.onward("work", "answer", question["id"], *words[:3], "2026-01-01", *words[4:])
    assert "--on must be after today" in refused.output
    told = await typed.onward("work", "answer", question["id"], *words)
    assert told.exit_code == 0, told.output
    assert f"keep by r.manager until {day}" in (await typed.onward("person", "show", person)).output
    if heard_since:
        clock.move(timedelta(days=1))
        await onward.publish(referral_of(1) | {"id": "again", "time": clock.now().isoformat()})
        await onward.settle()
        await _close(onward, person)
    clock.set(datetime.combine(day, time(8), UTC))
    assert len(await asked()) == 1
    clock.move(timedelta(days=1))
    assert len(await asked()) == (1 if heard_since else 2)


WHO = ("--by", "r.manager", "--because", "The retention period is over.")
