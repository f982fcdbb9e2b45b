"""An entry that is too long goes on in further ones: no record, field or reason is left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from schemas.audit import AuditEntry
from schemas.vocabulary import AuditOperation
from services.ground.entry_parts import ENTRY_MOST
from services.ground.keys import Keyring, carry
from services.ground.work import Work, acting

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
MANY = st.one_of(st.integers(0, 3), st.sampled_from([99, 100, 101, 200, 201, 350]))


@pytest.fixture(scope="module")
def store() -> Iterator[Connection]:
    """A store of which nothing is asked: a unit of work writes when it is finished."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        carry(connection.info, Keyring())
        yield connection
    engine.dispose()


@given(records=MANY, fields=MANY, reasons=MANY)
def test_whatever_is_entered_is_named_and_every_part_is_an_entry_as_published(
    store: Connection, records: int, fields: int, reasons: int
) -> None:
    work = Work(store, service="router", now=NOW)
    named = [("leg", f"leg-{number}") for number in range(records)]
    listed = [f"field_{number}" for number in range(fields)]
    because = [{"rule": f"rule-{number}", "because": f"Reason {number}."} for number in range(reasons)]
    work.audit(
        AuditOperation.ALTER,
        actor=acting("onward", organisation="onward", role="service"),
        records=named,
        fields=listed,
        because=because,
        purpose="routing",
        correlation_id="event-1",
        person_id=None,
    )
    entries = [AuditEntry.model_validate_json(orjson.dumps(orjson.loads(entry)["data"])) for entry in work.entered]
    assert [(r.kind, r.id) for entry in entries for r in entry.records] == named
    assert list(dict.fromkeys(name for entry in entries for name in entry.fields)) == listed
    assert list(dict.fromkeys(reason.rule for entry in entries for reason in entry.because)) == [
        reason["rule"] for reason in because
    ]
    assert len(entries) == max(1, -(-max(records, fields, reasons) // ENTRY_MOST))
    assert len({entry.entry_id for entry in entries}) == len(entries)
    if fields <= ENTRY_MOST:
        assert {entry.fields for entry in entries} == {tuple(listed)}, "each part says it, where it fits"
