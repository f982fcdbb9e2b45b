"""Erasure is real: canary words in every free field of two hundred persons, erased, are nowhere any more.

Not in the store's files nor in its log of writes, nor in the file of keys; not in the broker's, when its streams have
let go of what they held; not in what is exported or logged. And the log still verifies, and fits what there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Connection, select

from services.cli import erasing as cli_erasing
from services.cli.consulting import Looker
from services.cli.looking import case_of, trace_of
from services.cli.reconciling import reconciled
from services.cli.replaying import read_past
from services.ground import keys, tables
from services.ground.clock import WallClock
from services.ground.log import configure_logging
from services.ground.opening import read_gently
from services.ground.sealing import NotOpened
from services.ground.settings import Settings
from services.ground.work import Work
from services.intake import store
from services.intake.erasing import finish
from services.migrations.tables import metadata
from tests.service.test_sealed import CANARY, _referral, _speak
from tests.support.erased import files_below, files_of_the_store, found_in
from tests.support.events import decision, example
from tests.support.system import System, system
from tests.support.typed import Typed

PERSONS: Final = 200
WHO: Final = Looker("r.manager", "operator", "onward", "The retention period is over.")
QUICK: Final = {"stream_max_age_days": 60 / 86400, "duplicate_window_seconds": 1.0}


async def _publish_all(onward: System, events: Sequence[tuple[Any, str, str | None]]) -> None:
    """In batches, each confirmed."""
    for start in range(0, len(events), 100):
        part = events[start : start + 100]
        await asyncio.gather(*(onward.publish(e, channel=channel, source=source) for e, channel, source in part))


async def _play(onward: System, count: int) -> list[str]:
    """Everybody's life: referred, at risk, spoken of, decided on, refused, set aside unread. Returns their ids."""
    await _publish_all(onward, [(_referral(number), "referral", None) for number in range(count)])
    await onward.settle(180)
    legs = {row["person_id"]: row["id"] for row in await onward.rows("SELECT * FROM legs WHERE destination = 'dapp'")}
    persons = [await onward.person_with("crn", f"X{number:06d}") for number in range(count)]
    events: list[tuple[Any, str, str | None]] = []
    for number, person in enumerate(persons):
        word, leg = f"{CANARY}{number}", legs[person]
        relapse = example("risk-relapse", id=f"risk-{number}", about={"person_id": person})
        started = example("progress-started", id=f"progress-{number}", leg_id=leg)
        closed = decision("close_leg", leg_id=leg, reason_code="duplicate", reason=f"{word} moved away")
        refused = decision("close_leg", leg_id=leg, reason_code=f"{word}_not_a_code", reason=f"{word} again")
        conflict = _referral(number)
        conflict["data"]["narrative"] = f"{word} another story"
        events += [
            ({**relapse, "data": _speak({**relapse["data"], "note": "he is low"}, word)}, "risk", None),
            ({**started, "data": _speak({**started["data"], "note": "he began"}, word)}, "progress", None),
            ({**closed, "id": f"decision-{number}"}, "decision", None),
            ({**refused, "id": f"refused-{number}"}, "decision", None),
            (conflict, "referral", None),
        ]
    await _publish_all(onward, events)
    await onward.settle(180)
    return persons


async def _erase(onward: System, persons: Sequence[str]) -> None:
    database, settings, now = onward.world.database, onward.world.settings, onward.world.clock.now()
    for person in persons:
        await database.write(lambda c, p=person: cli_erasing.erase(c, settings, now, WHO, p, even_open=True))  # type: ignore[misc]
    await finish(database, now)


def _readable(connection: Connection) -> Iterator[str]:
    """Every column in which a canary can be read with what keys there are, or without one."""
    for table in metadata.tables.values():
        rows = [dict(row) for row in connection.execute(select(table)).mappings()]
        with contextlib.suppress(NotOpened):  # then it is in clear
            rows += read_gently(connection, select(table))
        for row in rows:
            for name, value in row.items():
                if CANARY in str(value) or CANARY.encode() in (value if isinstance(value, bytes) else b""):
                    yield f"{table.name}.{name}"


async def _left(onward: System, settings: Settings, secrets: Sequence[bytes]) -> set[str]:
    """Where something is left: columns, files with a word in clear, files with a key."""
    columns = await onward.world.database.read(lambda c: set(_readable(c)))
    everywhere = await files_of_the_store(onward.world.database, settings)
    words = found_in(everywhere, CANARY.encode())
    lasting = await files_of_the_store(onward.world.database, settings, log_of_writes=False)
    return columns | words | found_in(lasting, *secrets)


async def _secrets(onward: System) -> list[bytes]:
    """The keys of all, messages that are nobody's among them; not the secret of what is looked up, which stays."""
    key = tables.person_keys.c
    query = select(key.key).where(key.name != keys.INDEX, key.name.in_(_used()))
    return await onward.world.database.read(lambda c: [bytes(secret) for secret in c.execute(query).scalars()])


def _used() -> Any:
    return select(store.persons.c.id).union(
        select(tables.quarantine.c.id).where(tables.quarantine.c.service == "intake")
    )


@pytest.mark.timeout(400)
async def test_of_two_hundred_erased_persons_no_word_is_left_anywhere(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    logged = io.StringIO()
    chosen = settings.model_copy(update={**QUICK, "log_level": "debug", "log_format": "json"})
    with contextlib.redirect_stderr(logged), contextlib.redirect_stdout(logged):
        configure_logging(chosen)
    async with system(chosen) as onward:
        persons = await _play(onward, PERSONS)
        secrets = await _secrets(onward)
        assert len(secrets) == 3 * PERSONS  # their own, and those of what was set aside under keys of their own
        assert await onward.world.database.read(lambda c: set(_readable(c))) > {"case_events.content", "quarantine.raw"}
        await _erase(onward, persons)
        await onward.settle(180)
        assert await _left(onward, settings, secrets) == set()

        await _until_the_broker_forgot(onward)
        broker = [file for file in files_below(tmp_path) if file.parent != tmp_path]
        assert broker
        assert found_in(broker, CANARY.encode()) == set(), "nor with the broker, nor in the published log"
        assert CANARY not in logged.getvalue()

        typed = Typed(onward.world.settings, WallClock(), monkeypatch)
        shown = await typed.onward("audit", "export", "--out", str(tmp_path / "export.ndjson"))
        assert shown.exit_code == 0, shown.output
        assert CANARY not in (tmp_path / "export.ndjson").read_text()
        [key] = await onward.rows("SELECT verifier FROM log_keys")
        for what in (onward.world.settings.log_folder, tmp_path / "export.ndjson"):
            verified = await typed.onward("audit", "verify", str(what), "--key", key["verifier"])
            assert verified.exit_code == 0, verified.output
        assert (await onward.world.database.read(reconciled)).findings == []
        past = await onward.world.database.read(lambda c: read_past(c, None, lambda _done, _all: None))
        assert set(past.past.persons) == set()
        told = await onward.world.database.read(lambda c: [case_of(c, person) for person in persons[:20]])
        assert all({step["because"] for step in case["history"]} == {"erased"} for case in told)
        traced = await onward.world.database.read(lambda c: trace_of(c, told[0]["events"][0]["event_id"]))
        assert CANARY not in json.dumps([told, traced], default=str)


async def _until_the_broker_forgot(onward: System) -> None:
    """Its streams let go of what they held when its age is over, and their files are gone soon after."""
    js = onward.connection.jetstream()
    async with asyncio.timeout(120):
        for name in ("INTAKE", "CASE", "DISPATCH", "ROUTE", "RECEIPT", "QUARANTINE"):
            info = await js.stream_info(name)
            info.config.max_age = 1.0
            await js.update_stream(info.config)
        for name in ("INTAKE", "CASE", "DISPATCH", "ROUTE", "RECEIPT", "QUARANTINE"):
            while (await js.stream_info(name)).state.messages:  # noqa: ASYNC110 - the broker tells nobody of it
                await asyncio.sleep(0.5)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_column_that_is_left_in_clear_and_a_key_that_is_not_destroyed_are_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted mistakes."""
    seal_text = Work.seal_text

    def leave_out(work: Work, person: str, column: Any, row: str, value: str | None) -> bytes | None:
        sealed = seal_text(work, person, column, row, value)
        return sealed and sealed[:40] + (value or "").encode() if column.name == "reason" else sealed

    async with system(settings) as onward:
        with monkeypatch.context() as planted:
            planted.setattr(Work, "seal_text", leave_out)
            persons = await _play(onward, 3)
        secrets = await _secrets(onward)
        with monkeypatch.context() as planted:
            planted.setattr("services.intake.erasing.destroy", lambda *_: [])
            await _erase(onward, persons)
        left = await _left(onward, settings, secrets)
        assert {"onward.db-wal", "keys.db", "human_decisions.reason", "case_events.content"} <= left
