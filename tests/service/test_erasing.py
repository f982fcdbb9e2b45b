"""A person is erased for good, or not at all: what stands against it, what goes, and what a crash leaves behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, insert

from services.cli import erasing as cli_erasing
from services.cli.consulting import Looker
from services.cli.reconciling import reconciled
from services.cli.wiring import running
from services.ground import tables
from services.ground.clock import SetClock
from services.ground.database import Database
from services.ground.settings import Settings
from services.ground.settle import settle
from services.ground.work import Work
from services.intake.erasing import Finishing, finish, unfinished
from tests.support.erased import entries, files_of_the_store, found_in, secrets_of
from tests.support.events import decision, example, referral_of
from tests.support.grown import published
from tests.support.system import System, system
from tests.support.typed import Typed

T = TypeVar("T")
BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
WHY = "The retention period is over."
BY = ("--by", "r.manager", "--because", WHY)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(BEGIN)


@pytest.fixture
async def onward(settings: Settings, clock: SetClock) -> AsyncIterator[System]:
    async with system(settings, clock=clock) as running:
        for number in (1, 2):
            await running.publish(referral_of(number))
        await running.settle()
        yield running


@pytest.fixture
def typed(onward: System, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> Typed:
    for name in ("ONWARD_BY", "ONWARD_ROLE", "ONWARD_BECAUSE"):
        monkeypatch.delenv(name, raising=False)
    return Typed(onward.world.settings, clock, monkeypatch)


async def _person(onward: System, number: int = 1) -> str:
    return await onward.person_with("crn", f"X{number:06d}")


async def _sent(onward: System, clock: SetClock) -> None:
    """What commands left in the outbox is sent by the sweep, which looks at what is older than a moment."""
    clock.move(timedelta(minutes=1))
    await onward.settle()


async def test_what_was_held_of_a_person_reads_as_erased_and_the_log_says_who_did_it_and_why(
    onward: System, typed: Typed, clock: SetClock, settings: Settings
) -> None:
    person, other = await _person(onward), await _person(onward, 2)
    secrets = await secrets_of(onward.world.database, person, other)
    [event] = await onward.rows("SELECT event_id FROM case_events WHERE person_id = :p", p=person)
    [leg] = await onward.rows("SELECT id FROM legs WHERE destination = 'dapp' AND person_id = :p", p=person)
    files = await files_of_the_store(onward.world.database, settings)
    assert not files or found_in(files, secrets[person])
    refused = await typed.onward("person", "erase", "X000001", *BY, "--yes")
    assert refused.exit_code == 1, refused.output
    assert "dapp" in refused.stderr
    assert "--even-open" in refused.stderr
    told = await typed.json("person", "erase", "X000001", *BY, "--yes", "--even-open")
    assert told["erased"] == [person]
    assert told["goes"]["events"] >= 1

    left = await onward.rows("SELECT person_id FROM identifiers UNION SELECT person_id FROM referral_references")
    assert {row["person_id"] for row in left} == {other}
    [row] = await onward.rows("SELECT name_key FROM persons WHERE id = :p", p=person)
    assert row["name_key"] is None
    assert await onward.rows("SELECT 1 FROM timers WHERE person_id = :p AND cancelled_at IS NULL", p=person) == []
    assert await onward.rows("SELECT 1 FROM reviews WHERE person_id = :p AND answered_at IS NULL", p=person) == []
    assert await onward.rows("SELECT 1 FROM timers WHERE person_id = :p AND cancelled_at IS NULL", p=other) != []
    files = await files_of_the_store(onward.world.database, settings, log_of_writes=False)
    assert found_in(files, secrets[person]) == set()
    assert not files or found_in(files, secrets[other])

    await _sent(onward, clock)
    [entry] = await entries(onward, "erase")
    assert (entry["person_id"], entry["actor"]["id"], entry["justification"]) == (person, "r.manager", WHY)
    assert ("person", person) in {(record["kind"], record["id"]) for record in entry["records"]}
    for words in (
        ("case", person),
        ("trace", event["event_id"]),
        ("work", "show", leg["id"]),
        ("work", "show", person),
        ("rules", "explain", event["event_id"]),
        ("audit", "report", person),
        ("person", "show", person),
    ):
        shown = await typed.onward(*words)
        assert shown.exit_code == (2 if words[0] == "rules" else 0), (words, shown.output)
        assert "Given1" not in shown.output, words
        assert "erased" in shown.output, words
        assert "What you can do" not in shown.output, words
    assert (await onward.world.database.read(reconciled)).findings == []


async def test_why_somebody_looked_can_be_proved_until_the_person_is_erased(
    onward: System, typed: Typed, clock: SetClock, tmp_path: Path
) -> None:
    person = await _person(onward)
    assert (await typed.onward("case", person, "--by", "d.uty", "--because", "His sister called.")).exit_code == 0
    await _sent(onward, clock)
    [looked] = [entry for entry in await entries(onward, "consult") if entry["actor"]["id"] == "d.uty"]
    await published(onward)
    proof, why = tmp_path / "proof", tmp_path / "why"
    words = ("audit", "prove", looked["entry_id"], "--out", str(proof), "--why", str(why))
    shown = await typed.onward(*words)
    assert shown.exit_code == 0, shown.output
    assert "His sister called." in why.read_text()
    before = len(await onward.entered())
    proof.unlink()
    why.unlink()
    assert (await typed.onward("person", "erase", person, *BY, "--yes", "--even-open")).exit_code == 0
    after = len(await onward.entered())
    refused = await typed.onward(*words)
    assert (refused.exit_code, proof.exists(), why.exists()) == (1, False, False)
    assert "erased: nobody can show the reason" in refused.stderr
    assert before < after == len(await onward.entered()), "nothing was shown, so nothing is entered"


async def test_an_erased_person_is_heard_of_no_more_and_the_same_man_is_a_new_person(
    onward: System, typed: Typed, clock: SetClock
) -> None:
    person, other = await _person(onward), await _person(onward, 2)
    [leg] = await onward.rows("SELECT id FROM legs WHERE destination = 'dapp' AND person_id = :p", p=person)
    assert (await typed.onward("person", "erase", person, *BY, "--yes", "--even-open")).exit_code == 0
    merge = decision("merge_persons", person_id=other, other_person_id=person)
    for event, channel in (
        (example("progress-started", id="by-leg", leg_id=leg["id"]), "progress"),
        (example("risk-relapse", id="by-person", about={"person_id": person}), "risk"),
        (referral_of(1), "referral"),  # repeated
        ({**merge, "id": "merged"}, "decision"),
        ({**referral_of(1), "id": "again"}, "referral"),
    ):
        await onward.publish(event, channel=channel)
    await _sent(onward, clock)
    receipts = [m["data"] for m in await onward.messages("RECEIPT")]
    refused = {r["origin"]: r["reason"] for r in receipts if r["outcome"] == "refused"}
    assert refused == dict.fromkeys(("by-leg", "by-person", "referral-1", "merged"), "erased")
    assert await _person(onward) not in (person, other)
    assert await onward.rows("SELECT 1 FROM quarantine WHERE raw IS NOT NULL") == []


async def test_whoever_is_merged_is_erased_with_whom_they_are(onward: System, typed: Typed, clock: SetClock) -> None:
    person, other = await _person(onward), await _person(onward, 2)
    await onward.publish(decision("merge_persons", person_id=person, other_person_id=other), channel="decision")
    await _sent(onward, clock)
    told = await typed.json("person", "erase", other, *BY, "--yes", "--even-open")
    assert sorted(told["erased"]) == sorted([person, other])
    await _sent(onward, clock)
    assert sorted(entry["person_id"] for entry in await entries(onward, "erase")) == sorted([person, other])
    assert await onward.count("identifiers") == 0
    assert (await onward.world.database.read(reconciled)).findings == []


async def test_messages_of_theirs_that_were_set_aside_under_keys_of_their_own_go_too(
    onward: System, typed: Typed, clock: SetClock
) -> None:
    """One that says something else under an id of theirs, and one that was mended before it could be read."""
    await onward.publish({**referral_of(1), "time": "2026-01-01T00:00:00Z"})
    broken = json.dumps({**referral_of(1), "id": "broken"}).encode()[:-1]
    await onward.publish(broken, source=referral_of(1)["source"])
    await onward.publish(b'{"somebody": "else"', source="met-police")
    await _sent(onward, clock)
    aside = await onward.rows("SELECT * FROM quarantine WHERE reason = 'unreadable' ORDER BY id")
    [mine] = [row["id"] for row in aside if b"Given1" in row["raw"]]
    from services.cli.quarantine import resend_in

    who = Looker("j.smith", "operator", "onward", None)
    row = next(row for row in aside if row["id"] == mine)
    database = onward.world.database
    await database.write(lambda c: resend_in(c, row, broken + b"}", who, onward.world))
    await _sent(onward, clock)
    person = await _person(onward)
    assert (await onward.rows("SELECT count(*) AS n FROM case_events WHERE person_id = :p", p=person))[0]["n"] == 2
    names = [row["id"] for row in await onward.rows("SELECT id FROM quarantine WHERE raw IS NOT NULL")]
    assert len(await secrets_of(database, *names)) == 3
    told = await typed.json("person", "erase", person, *BY, "--yes", "--even-open")
    assert told["goes"]["messages_set_aside"] == 2
    assert len(await secrets_of(database, *names)) == 1, "the other one is somebody else's"
    left = await onward.rows("SELECT raw FROM quarantine WHERE raw IS NOT NULL")
    assert [row["raw"] for row in left] == [b'{"somebody": "else"']


async def test_a_legal_hold_refuses_until_it_is_released_or_over(onward: System, typed: Typed, clock: SetClock) -> None:
    held = ("--by", "l.counsel", "--because", "An inquest into Given1 is open.")
    assert (await typed.onward("person", "hold", "X000001", *held, "--until", "2026-03-31")).exit_code == 0
    assert (await typed.onward("person", "hold", "X000001", *held)).exit_code == 0
    erase = ("person", "erase", "X000001", *BY, "--yes", "--even-open")
    refused = await typed.onward(*erase)
    assert (refused.exit_code, "legal hold" in refused.stderr) == (1, True)
    clock.set(datetime(2026, 4, 1, tzinfo=UTC))
    shown = await typed.json("person", "show", "X000001")
    assert [len(shown["holds"]), len(shown["standing"])] == [2, 1]
    assert "inquest into Given1" in shown["holds"][0]["because"]
    assert (await typed.onward(*erase)).exit_code == 1
    over = ("person", "release", "X000001", "--by", "l.counsel", "--because", "It is over.")
    assert (await typed.onward(*over)).exit_code == 0
    assert (await typed.onward(*over)).exit_code == 1
    await _sent(onward, clock)
    assert (await typed.onward(*erase)).exit_code == 0
    await _sent(onward, clock)
    assert (await onward.world.database.read(reconciled)).findings == []
    shown = await typed.json("person", "show", await _erased(onward))
    assert {hold["because"] for hold in shown["holds"]} == {"erased"}
    none = await typed.onward("person", "hold", await _erased(onward), *held)
    assert (none.exit_code, "erased" in none.stderr) == (2, True)


async def _erased(onward: System) -> str:
    [row] = await onward.rows("SELECT person_id FROM erasures")
    return str(row["person_id"])


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_reason_that_names_somebody_is_refused_because_it_outlives_them(onward: System, typed: Typed) -> None:
    for why in ("Family1 asked for it.", "X000001 is closed.", "About given1, as agreed."):
        refused = await typed.onward(
            "person", "erase", "X000001", "--by", "me", "--because", why, "--yes", "--even-open"
        )
        assert refused.exit_code == 1, why
        assert "name" in refused.stderr
    assert await onward.count("erasures") == 0


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_nobody_is_erased_by_a_slip(onward: System, typed: Typed) -> None:
    unsure = await typed.onward("person", "erase", "X000001", *BY, "--even-open")
    assert (unsure.exit_code, "--yes" in unsure.stderr) == (2, True)
    unknown = await typed.onward("person", "erase", "X999999", *BY, "--yes")
    assert (unknown.exit_code, "no persons match" in unknown.stderr) == (2, True)
    assert await onward.count("erasures") == 0


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
@pytest.mark.parametrize("waits", ["intake", "router"])
async def test_a_service_that_waits_for_an_erasure_keeps_nothing_of_whom_it_was_about(
    settings: Settings, waits: str
) -> None:
    """It has their key at hand and heard of no erasure when its transaction began; on SQLite nobody can wait so."""
    async with system(settings, names=("intake",)) as onward:
        async with running(onward.world, ("router", "dispatch", "audit")):
            await onward.publish(referral_of(1))
            await onward.settle()
        person = await _person(onward)
        counted = await onward.count("case_events")
        relapse = example("risk-relapse", id="relapse", about={"person_id": person})
        who = Looker("r.manager", "operator", "onward", WHY)
        now, chosen = onward.world.clock.now(), onward.world.settings
        database: Any = onward.world.database
        if waits == "router":
            await onward.publish(relapse, channel="risk")
            await settle(onward.world, onward.connection, seconds=30, names=("intake",))
        async with AsyncExitStack() as services:
            async with database._engine.begin() as connection:
                erased = await connection.run_sync(
                    lambda c: cli_erasing.erase(c, chosen, now, who, person, even_open=True)
                )
                assert erased.left == [person]
                if waits == "intake":
                    await onward.publish(relapse, channel="risk")
                await services.enter_async_context(running(onward.world, ("router", "dispatch", "audit")))
                await _until_somebody_waits(onward)
            await onward.settle()
        [aside] = await onward.rows("SELECT service, reason, raw FROM quarantine")
        assert aside == {"service": waits, "reason": "erased", "raw": None}
        assert await onward.count("case_events") == counted


async def _until_somebody_waits(onward: System) -> None:
    async with asyncio.timeout(20):
        while not await onward.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - it is the server that knows
            await asyncio.sleep(0.05)


class Crash(Exception):
    """A process that died here."""


class Dying:
    """A store whose process dies before or after one of its calls."""

    def __init__(self, inner: Database, at: int, *, after: bool) -> None:
        self._inner, self._left, self._after = inner, at, after
        self.dialect, self.keyring = inner.dialect, inner.keyring

    async def write(self, body: Callable[[Connection], T]) -> T:
        self._die(after=False)
        result = await self._inner.write(body)
        self._die(after=True)
        return result

    async def read(self, body: Callable[[Connection], T]) -> T:
        return await self._inner.read(body)

    async def scrub_keys(self) -> None:
        self._die(after=False)
        await self._inner.scrub_keys()
        self._die(after=True)

    async def close(self) -> None:
        """Left to the owner of the real one."""

    def _die(self, *, after: bool) -> None:
        if after == self._after:
            self._left -= 1
            if self._left == 0:
                raise Crash


STEPS = 4  # the erasure; what came back; scrubbing; the note


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, STEPS + 1))
async def test_a_crash_at_any_step_is_finished_by_the_service_and_by_the_next_call(
    settings: Settings, at: int, after: bool
) -> None:
    async with system(settings, names=("intake", "router", "dispatch", "audit"), clock=SetClock(BEGIN)) as onward:
        await onward.publish(referral_of(1))
        await onward.publish(referral_of(2))
        await onward.settle()
        database = onward.world.database
        for number, next_call in ((1, True), (2, False)):
            person = await _person(onward, number)
            secret = (await secrets_of(database, person))[person]
            with pytest.raises(Crash):
                await _erase(Dying(database, at, after=after), onward, person)
            begun = at > 1 or after
            assert await onward.rows("SELECT 1 AS one FROM erasures WHERE person_id = :p", p=person) == (
                [{"one": 1}] if begun else []
            )
            if begun and at < STEPS:
                assert await database.read(unfinished)
                await _bring_back(database, person, secret)  # as a crash between the two files of SQLite does
            if next_call or not begun:
                await _erase(database, onward, person)
            else:
                await Finishing(database).act(lambda act: _write(onward, act))
            assert not await database.read(unfinished)
            assert await secrets_of(database, person) == {}
            files = await files_of_the_store(onward.world.database, settings, log_of_writes=False)
            assert found_in(files, secret) == set()
        assert len(await onward.entered("erase")) == 2, "each is entered once"


async def _erase(database: Any, onward: System, person: str) -> None:
    """As the command does."""
    who = Looker("r.manager", "operator", "onward", WHY)
    now = onward.world.clock.now()
    await database.write(lambda c: cli_erasing.erase(c, onward.world.settings, now, who, person, even_open=True))
    await finish(database, now)


async def _write(onward: System, act: Callable[[Work], None]) -> None:
    def body(connection: Connection) -> None:
        work = Work(connection, service="intake", now=onward.world.clock.now())
        act(work)
        work.finish()

    await onward.world.database.write(body)


async def _bring_back(database: Database, person: str, secret: bytes) -> None:
    row = {"name": person, "key": secret, "made_at": BEGIN}
    await database.write(lambda c: c.execute(insert(tables.person_keys).values(row)).rowcount)
