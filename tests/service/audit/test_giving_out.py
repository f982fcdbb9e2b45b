"""The queue is given the log, whole and in its order, whatever the broker loses and whenever a process ends."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from services.audit import giving_out, store
from services.audit.store import Given
from services.ground.publisher import Confirmed, Publisher
from services.ground.settings import Settings
from services.ground.settle import settle
from services.ground.streams import AUDIT
from tests.support.events import referral_of
from tests.support.grown import grow, published, until
from tests.support.system import System, system

FEW = 5  # entries of a page
ALL_BUT_AUDIT = ("intake", "router", "dispatch")


async def test_what_is_entered_while_audit_is_away_is_appended_and_given_out_later(settings: Settings) -> None:
    async with system(settings, names=ALL_BUT_AUDIT) as onward:
        await onward.publish(referral_of(1))
        await until(lambda: _at_least(onward, "deliveries", 1))
        assert await onward.count("log_entries") == 0
        assert await onward.messages(AUDIT) == []
        entered = [bytes(row["entry"]) for row in await onward.rows("SELECT entry FROM audit_entries ORDER BY number")]
    async with system(settings) as onward:
        await onward.settle()
        logged = [bytes(row["entry"]) for row in await onward.rows("SELECT entry FROM log_entries ORDER BY position")]
        assert logged[: len(entered)] == entered
        assert await onward.count("audit_entries") == 0
        assert await _given(onward) == await _logged(onward)


async def test_a_broker_that_lost_all_is_given_the_log_again(settings: Settings) -> None:
    async with system(settings) as onward:
        await grow(onward, 1, 2)
        before = await _logged(onward)
        assert await _given(onward) == before
    shutil.rmtree(settings.data_dir / "nats")
    async with system(settings) as onward:
        await until(lambda: _all_there(onward, before))
        await grow(onward, 3)
        assert await _given(onward) == await _logged(onward)


async def test_a_broker_that_lost_its_end_is_given_it_again_from_the_last_page_that_it_has(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end cannot be cut off here, so it says that it ends earlier; what is given out again it knows by its id."""
    monkeypatch.setattr(giving_out, "PAGE", FEW)
    async with system(settings) as onward:
        await grow(onward, 1, 2, 3, 4)
        pages = await onward.rows("SELECT position, sequence FROM log_given ORDER BY position")
    assert len(pages) > FEW
    kept = pages[2]
    get, noted, note = JetStreamContext.get_msg, list[Given](), store.note_given

    async def ends_there(self: JetStreamContext, stream: str, seq: int) -> Any:
        if seq > kept["sequence"] and not noted:
            raise NotFoundError
        return await get(self, stream, seq)

    def noting(connection: Any, given: Given) -> None:
        noted.append(given)
        note(connection, given)

    monkeypatch.setattr(JetStreamContext, "get_msg", ends_there)
    monkeypatch.setattr(store, "note_given", noting)
    async with system(settings) as onward:
        await until(lambda: _is_true(bool(noted)))
        await onward.settle()
        assert noted[0].position == kept["position"] + FEW
        assert await _given(onward) == await _logged(onward), "and nothing twice"


async def test_a_queue_that_was_given_nothing_yet_has_lost_nothing(settings: Settings) -> None:
    """As after a death before the first page: an empty stream begins at no place at all."""
    async with system(settings, names=("intake",)) as onward:
        js = onward.connection.jetstream()
        info = await js.stream_info(AUDIT)
        assert (info.state.messages, info.state.first_seq) == (0, 0)
        assert await giving_out._keeps(js, Given(0, 0, "", str(info.created)), first=info.state.first_seq)


async def test_what_was_sent_and_not_noted_is_not_given_out_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [RuntimeError("planted")]

    def failing(connection: Any, given: Given) -> None:
        if given.position and failures:
            raise failures.pop()
        note(connection, given)

    note = store.note_given
    monkeypatch.setattr(store, "note_given", failing)
    async with system(settings) as onward:
        await grow(onward, 1, 2)
        assert not failures
        given = await _given(onward)
        assert given == await _logged(onward)
        assert len(given) == len(set(given))


async def test_a_queue_that_confirms_nothing_holds_up_neither_the_log_nor_its_signature(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Publisher.publish

    async def never(self: Publisher, messages: Any) -> list[Confirmed]:
        if any(message.stream == AUDIT for message in messages):
            await until(_never)
        return await send(self, messages)

    monkeypatch.setattr(Publisher, "publish", never)
    async with system(settings) as onward:
        await onward.publish(referral_of(1))
        await settle(onward.world, onward.connection, seconds=30, names=ALL_BUT_AUDIT)
        await until(lambda: _is_empty(onward, "audit_entries"))
        assert (await published(onward)).checkpoint.size >= 3
        assert await _given(onward) == []


async def _never() -> bool:
    return False


async def _is_true(value: bool) -> bool:
    return value


async def _at_least(onward: System, table: str, number: int) -> bool:
    return await onward.count(table) >= number


async def _is_empty(onward: System, table: str) -> bool:
    return await onward.count(table) == 0


async def _all_there(onward: System, ids: list[str]) -> bool:
    return set(ids) <= set(await _given(onward))


async def _given(onward: System) -> list[str]:
    """The ids of the entries on the queue, in their order."""
    return [message["id"] for message in await onward.messages(AUDIT)]


async def _logged(onward: System) -> list[str]:
    """And in the log."""
    return [row["entry_id"] for row in await onward.rows("SELECT entry_id FROM log_entries ORDER BY position")]
