"""An entry is one sequence of bytes: canonical JSON, the same on the queue, in the log and under its proof."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unicodedata import normalize

import orjson
import pytest
import rfc8785
from nats.errors import TimeoutError as NatsTimeout
from sqlalchemy import create_engine

from schemas.log.canonical import canonical
from schemas.log.tiles import LONGEST_ENTRY
from schemas.refusal import Unacceptable
from schemas.vocabulary import AuditOperation
from services.ground import streams
from services.ground.keys import Keyring, carry
from services.ground.settings import Settings
from services.ground.work import Work, acting
from tests.support.events import referral_of, risk
from tests.support.system import System, system

_ENTRIES = "SELECT entry FROM log_entries ORDER BY position"
NOW = datetime(2026, 3, 2, 9, 0, 0, 120, tzinfo=UTC)
AWKWARD = ("żółć 🜂 \u007f \u2028", '\\ " / \t \n \b \f \r \u001f', normalize("NFD", "é"), "")


async def test_a_consumer_of_the_queue_holds_the_very_bytes_that_the_log_proves(settings: Settings) -> None:
    async with system(settings) as onward:
        for number in range(1, 6):
            await onward.publish(referral_of(number))
            about = {"identifiers": {"crn": f"X{number:06d}"}}
            await onward.publish(risk(id=f"relapse-{number}", about=about), channel="risk")
        await onward.settle()
        on_the_queue = await _raw(onward)
        in_the_log = [bytes(row["entry"]) for row in await onward.rows(_ENTRIES)]
    assert on_the_queue == in_the_log, "in the same order too"
    assert len(in_the_log) > 20
    for entry in in_the_log:
        assert entry == canonical(orjson.loads(entry)) == rfc8785.dumps(orjson.loads(entry))


async def _raw(onward: System) -> list[bytes]:
    """Every message of AUDIT, as it is stored."""
    js = onward.connection.jetstream()
    subscription = await js.subscribe("audit.*", stream=streams.AUDIT, ordered_consumer=True)
    found: list[bytes] = []
    try:
        while True:
            message = await subscription.next_msg(timeout=1)
            found.append(message.data)
            if message.metadata.num_pending == 0:
                return found
    except NatsTimeout:
        return found
    finally:
        await subscription.unsubscribe()


def _entry(**more: Any) -> bytes:
    """An entry as it is entered."""
    with create_engine("sqlite://").connect() as connection:
        carry(connection.info, Keyring())
        work = Work(connection, service="router", now=NOW)
        work.audit(
            AuditOperation.ALTER,
            actor=acting("somebody", organisation="onward", role="service"),
            purpose="routing",
            correlation_id="event-1",
            records=[("event", "event-1")],
            **more,
        )
        [entry] = work.entered
    return entry


@pytest.mark.parametrize("text", AWKWARD)
def test_an_entry_is_canonical_whatever_is_said_in_it(text: str) -> None:
    entry = _entry(justification=text, because=[{"rule": text, "because": text}], decision_id=None)
    assert entry == canonical(orjson.loads(entry)) == rfc8785.dumps(orjson.loads(entry))


def test_an_entry_that_no_bundle_holds_is_refused_where_it_is_made() -> None:
    longest = LONGEST_ENTRY - len(_entry(justification=""))
    largest = _entry(justification="x" * longest)
    assert len(largest) == LONGEST_ENTRY
    with pytest.raises(Unacceptable, match="audit_entry_too_large"):
        _entry(justification="x" * (longest + 1))
