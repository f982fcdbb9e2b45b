"""What reconciling says of stores that are made by hand: what was erased, what is unknown, what is half there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, create_engine, insert
from sqlalchemy.event import listen
from sqlalchemy.pool import StaticPool

from services.audit.store import log_entries
from services.cli.reconciling import reconciled
from services.ground import tables
from services.ground.database import metadata
from services.ground.ids import new_id
from services.ground.keys import Keyring, carry
from services.intake.store import accepted_events

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
PERSON, GONE = "01a20955-0000-7000-8000-000000000001", "01a20955-0000-7000-8000-000000000002"


@pytest.fixture
def store() -> Iterator[Connection]:
    """An empty store of our own."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    listen(engine, "connect", lambda driver, _: driver.execute("ATTACH ':memory:' AS keys"))
    metadata.create_all(engine)
    with engine.connect() as connection:
        carry(connection.info, Keyring())
        yield connection
    engine.dispose()


def _entry(operation: str, *records: tuple[str, str], **more: object) -> dict[str, Any]:
    return {
        "entry_id": new_id(NOW),
        "operation": operation,
        "at": NOW.isoformat(),
        "actor": {"id": "x", "organisation": "x", "role": "source"},
        "records": [{"kind": kind, "id": id_} for kind, id_ in records],
        "purpose": "test",
        "correlation_id": records[0][1] if records else "none",
        **more,
    }


def _log(store: Connection, *entries: dict[str, Any]) -> None:
    for position, entry in enumerate(entries):
        row = {name: entry.get(name) for name in ("entry_id", "operation", "person_id", "correlation_id")}
        raw = orjson.dumps({"data": entry})
        store.execute(insert(log_entries), {**row, "position": position, "at": NOW, "entry": raw})


def _accepted(store: Connection, id_: str) -> None:
    row = {"source": "x", "origin_id": id_, "event_id": id_, "digest": "", "type": "", "person_id": PERSON}
    store.execute(insert(accepted_events), {**row, "sequence": int(id_[-2:], 16), "accepted_at": NOW})


def test_a_record_that_was_erased_need_not_be_there(store: Connection) -> None:
    _log(
        store,
        _entry("alter", ("leg", "erased-1"), ("raw_message", "erased-2"), person_id=PERSON),
        _entry("erase", ("leg", "erased-1"), ("raw_message", "erased-2"), person_id=PERSON),
    )
    found = reconciled(store)
    assert (found.wrong, found.erased) == (0, 2)


def test_a_person_who_was_erased_need_not_be_there(store: Connection) -> None:
    _log(store, _entry("consult", ("person", GONE), person_id=GONE), _entry("erase", person_id=GONE))
    assert (reconciled(store).wrong, reconciled(store).erased) == (0, 1)


def test_a_record_that_is_not_there_is_told_with_the_entry_that_names_it(store: Connection) -> None:
    ghost = _entry("alter", ("leg", "nowhere"))
    _log(store, ghost)
    [finding] = reconciled(store).findings
    assert (finding.kind, finding.id) == ("entry", ghost["entry_id"])
    assert "nowhere" in finding.why


def test_kinds_that_nobody_knows_are_told_and_never_passed_over(store: Connection) -> None:
    _log(store, _entry("consult", ("horoscope", "1")), _entry("consult", ("search", "work_list?role=x")))
    found = reconciled(store)
    assert (dict(found.unknown), found.wrong) == ({"horoscope": 1}, 0)


@pytest.mark.parametrize("page", [1, 2, 3, 5_000])
def test_what_is_on_its_way_is_not_missing_and_what_is_twice_is_told(store: Connection, page: int) -> None:
    events = [f"event-{number:02x}" for number in range(7)]
    for event in events:
        _accepted(store, event)
    _log(store, *(_entry("collect", ("event", event)) for event in [*events[:4], events[0]]))
    waiting = _entry("collect", ("event", events[4]))
    store.execute(insert(tables.audit_entries), {"entry": orjson.dumps({"data": waiting})})
    found = reconciled(store, page=page)
    count = found.acts["accepted event"]
    assert (count.acts, count.entered, count.on_their_way, count.missing) == (7, 4, 1, 2)
    assert sorted((f.id, f.why.split(":")[0]) for f in found.findings) == [
        (events[0], "is entered 2 times"),
        (events[5], "has no entry"),
        (events[6], "has no entry"),
    ]
    assert found.log.on_their_way == 1
