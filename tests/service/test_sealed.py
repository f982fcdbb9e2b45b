"""Personal content touches no disk in clear: canary words in every free field, played through, and looked for.

The broker's own files are another matter: they hold messages in clear until their streams let them go.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
from sqlalchemy import Connection, select

from services.cli.looking import case_of, find_persons, trace_of
from services.cli.picture.reading import read_case
from services.cli.replaying import read_past
from services.cli.wiring import running
from services.cli.worklist import context_of, open_reviews
from services.ground.keys import destroy
from services.ground.log import configure_logging
from services.ground.sealing import ERASED
from services.ground.settings import Settings
from services.ground.settle import settle
from services.ground.work import Work
from services.migrations.tables import metadata
from tests.support.erased import files_of_the_store
from tests.support.events import Event, decision, example, referral
from tests.support.system import System, system

PERSONS: Final = 20
CANARY: Final = "Zquartz"  # begins every word that stands for somebody; too long to come about by chance


@pytest.fixture
def logged(settings: Settings) -> io.StringIO:
    """Everything that is logged, at every level."""
    lines = io.StringIO()
    with contextlib.redirect_stderr(lines), contextlib.redirect_stdout(lines):
        configure_logging(settings.model_copy(update={"log_level": "debug", "log_format": "json"}))
    return lines


@pytest.fixture
async def onward(settings: Settings, logged: io.StringIO) -> AsyncIterator[System]:
    async with system(settings) as running:
        yield running


def _referral(number: int) -> Event:
    """A referral that says a canary wherever it can say anything."""
    word = f"{CANARY}{number}"
    event = referral(id=f"referral-{number}", reference=f"{word}REF")
    said = event["data"]
    said["person"] = {
        "identifiers": {"crn": f"X{number:06d}"},
        "name": {"given": f"{word}given", "family": f"{word}family"},
        "date_of_birth": "1985-04-12",
        "postcode_outward": "LS6",
    }
    _speak(said, word)
    return event


def _speak(said: Any, word: str) -> Any:
    """Put a canary in place of every text that is free: one with a space in it."""
    places = said.items() if isinstance(said, dict) else enumerate(said)
    for place, value in list(places):
        if isinstance(value, dict | list):
            _speak(value, word)
        elif isinstance(value, str) and " " in value:
            said[place] = f"{word} said so"
    return said


async def _play(onward: System) -> None:
    """Everybody's life goes on: referred, at risk, spoken of by a destination, decided on; some of it is refused."""
    for number in range(PERSONS):
        await onward.publish(_referral(number))
    await onward.settle()
    legs = {row["person_id"]: row["id"] for row in await onward.rows("SELECT * FROM legs WHERE destination = 'dapp'")}
    for number in range(PERSONS):
        word = f"{CANARY}{number}"
        person = await onward.person_with("crn", f"X{number:06d}")
        relapse = example("risk-relapse", id=f"risk-{number}", about={"person_id": person}, note=f"{word} relapsed")
        await onward.publish(relapse, channel="risk")
        started = example("progress-started", id=f"progress-{number}", leg_id=legs[person], note=f"{word} began")
        await onward.publish(started, channel="progress")
        closed = decision("close_leg", leg_id=legs[person], reason_code="duplicate", reason=f"{word} moved away")
        await onward.publish({**closed, "id": f"decision-{number}"}, channel="decision")
        refused = decision("close_leg", leg_id=legs[person], reason_code=f"{word}_not_a_code", reason=f"{word} again")
        await onward.publish({**refused, "id": f"refused-{number}"}, channel="decision")
        await onward.publish(f'{{"name": "{word} broken'.encode(), source="met-police")
    await onward.settle()
    for asked in (await onward.world.database.read(open_reviews))[:PERSONS]:
        answer = f"{CANARY} answered so"
        said = decision("answer_review", review_id=asked["id"], answer=answer, reason=f"{CANARY} asked")
        await onward.publish({**said, "id": f"answer-{asked['id']}"}, channel="decision")
    await onward.settle()


def _rows_with_canaries(connection: Connection) -> Iterator[str]:
    for table in metadata.tables.values():
        for row in connection.execute(select(table)).mappings():
            for name, value in row.items():
                if CANARY in str(value) or CANARY.encode() in (value if isinstance(value, bytes) else b""):
                    yield f"{table.name}.{name}"


async def _found(onward: System, settings: Settings) -> set[str]:
    """Where canaries stand in clear: in a column, or in a file of the store."""
    database = onward.world.database
    found = set(await database.read(lambda c: list(_rows_with_canaries(c))))
    for file in await files_of_the_store(database, settings):
        if CANARY.encode() in file.read_bytes():
            found.add(file.name)
    return found


async def test_nothing_of_anybody_is_in_clear_in_the_store_its_log_of_writes_or_ours(
    onward: System, settings: Settings, logged: io.StringIO
) -> None:
    await _play(onward)
    assert await onward.count("human_decisions") > PERSONS
    assert await onward.count("quarantine") >= 2 * PERSONS
    reviews = await onward.rows("SELECT answer FROM reviews WHERE answer IS NOT NULL")
    assert any(CANARY in row["answer"] for row in reviews), "they are there, for whoever has the keys"
    assert any(CANARY.encode() in row["raw"] for row in await onward.rows("SELECT raw FROM quarantine"))
    assert await _found(onward, settings) == set()
    assert CANARY not in logged.getvalue()


async def test_a_column_that_is_left_in_clear_is_found(
    onward: System, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted mistake: what a human wrote is kept as it is, in a column that would take it."""
    seal_text = Work.seal_text

    def leave_out(work: Work, person: str, column: Any, row: str, value: str | None) -> bytes | None:
        sealed = seal_text(work, person, column, row, value)
        return sealed and sealed[:40] + (value or "").encode() if column.name == "reason" else sealed

    monkeypatch.setattr(Work, "seal_text", leave_out)
    await onward.publish(_referral(1))
    await onward.settle()
    [leg] = await onward.rows("SELECT id FROM legs WHERE destination = 'dapp'")
    said = decision("close_leg", leg_id=leg["id"], reason_code="duplicate", reason=f"{CANARY} moved away")
    await onward.publish(said, channel="decision")
    await onward.settle()
    assert "human_decisions.reason" in await _found(onward, settings)


async def test_whoever_is_erased_reads_as_erased_everywhere_and_is_heard_of_no_more(
    onward: System, settings: Settings
) -> None:
    await onward.publish(_referral(1))
    await onward.publish(_referral(2))
    await onward.settle()
    person, other = await onward.person_with("crn", "X000001"), await onward.person_with("crn", "X000002")
    database = onward.world.database
    await database.write(lambda c: destroy(c, [person], onward.world.clock.now()))
    counted = await onward.count("case_events")

    def look(connection: Connection) -> tuple[Any, ...]:
        [event] = case_of(connection, person)["events"]
        trace = trace_of(connection, event["event_id"])
        read_case(connection, person)
        questions = [context_of(connection, each) for each in open_reviews(connection, persons=[person])]
        return case_of(connection, person), trace, questions, read_past(connection, None, lambda _done, _all: None)

    case, trace, questions, past = await database.read(look)
    assert {step["because"] for step in case["history"]} == {ERASED}
    assert {decided["said"] for decided in trace["decisions"]} == {ERASED}
    assert all(question["question"] == ERASED for question in questions)
    assert set(past.past.persons) == {other}, "and what is replayed knows nothing of them"
    shown = str((case, trace, questions))
    assert CANARY not in shown

    # Whatever comes of them is refused and not kept, and its neighbours are taken.
    [leg] = await onward.rows("SELECT id FROM legs WHERE destination = 'dapp' AND person_id = :p", p=person)
    for event, channel in (
        (example("risk-relapse", id="by-identifier", about={"identifiers": {"crn": "X000001"}}), "risk"),
        (example("progress-started", id="by-leg", leg_id=leg["id"]), "progress"),
        (example("risk-relapse", id="by-person", about={"person_id": person}), "risk"),
        (_referral(1), "referral"),  # repeated
        (example("risk-relapse", id="neighbour", about={"person_id": other}), "risk"),
    ):
        await onward.publish(event, channel=channel)
    await onward.settle()
    assert await onward.count("case_events") == counted + 1
    aside = await onward.rows("SELECT * FROM quarantine ORDER BY id")
    assert [(row["reason"], row["raw"], row["told_at"] is None) for row in aside] == [("erased", None, False)] * 4
    receipts = [m["data"] for m in await onward.messages("RECEIPT")]
    refused = [(r["origin"], r["reason"]) for r in receipts if r["outcome"] == "refused"]
    assert sorted(refused) == sorted(
        (name, "erased") for name in ("by-identifier", "by-leg", "by-person", "referral-1")
    )
    kept = await onward.rows("SELECT body, outcome FROM raw_messages")
    assert [row["body"] for row in kept if row["outcome"] == "refused"] == [None] * 4
    assert await onward.count("attempts") == 0


async def test_what_was_accepted_of_somebody_who_is_then_erased_is_refused_by_the_router(settings: Settings) -> None:
    async with system(settings, names=("intake",)) as onward:
        for number in (1, 2):
            await onward.publish(_referral(number))
        await settle(onward.world, onward.connection, seconds=30, names=("intake",))
        person, other = await onward.person_with("crn", "X000001"), await onward.person_with("crn", "X000002")
        await onward.world.database.write(lambda c: destroy(c, [person], onward.world.clock.now()))
        async with running(onward.world, ("router", "dispatch", "audit")):
            await onward.settle()
            [aside] = await onward.rows("SELECT service, reason, raw FROM quarantine")
            assert aside == {"service": "router", "reason": "erased", "raw": None}
            assert {row["person_id"] for row in await onward.rows("SELECT person_id FROM legs")} == {other}
            told = [m["data"] for m in await onward.messages("RECEIPT")]
            assert [r["origin"] for r in told if r.get("reason") == ERASED] == ["referral-1"]


async def test_a_person_is_found_by_what_is_kept_as_a_fingerprint(onward: System) -> None:
    await onward.publish(_referral(1))
    await onward.settle()
    person = await onward.person_with("crn", "X000001")
    database = onward.world.database
    for named in ("x000001", f"{CANARY}1REF", "referral-1", person):
        assert await database.read(lambda c, n=named: find_persons(c, n)) == [person]  # type: ignore[misc]
