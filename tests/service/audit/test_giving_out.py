"""The queue is given the log, whole and in its order, whatever the broker loses and whenever a process ends."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from services.audit import giving_out, store
from services.audit.store import Given
from services.ground.publisher import Confirmed, Publisher
from services.ground.settings import Settings
from services.ground.streams import AUDIT
from tests.support.events import referral_of
from tests.support.grown import grow, published, until
from tests.support.system import System, system

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


def test_a_place_from_before_tells_of_a_loss_only_where_something_is_stored_in_it() -> None:
    owed = giving_out._Owed(Given(100, 50, "then"), [])  # of no messages, so that the position stays
    known = Confirmed("a", 7, again=True)
    assert giving_out._after(owed, [known]) == Given(100, 50, "then"), "a message that it had already"
    assert giving_out._after(owed, [known, Confirmed("b", 51)]) == Given(100, 51, "then")
    lost = giving_out._after(owed, [Confirmed("b", 41)])
    assert lost == Given(max(0, 100 - 10 - giving_out.PAGE), 0, "then")


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
        await until(lambda: _at_least(onward, "log_entries", 3))
        assert (await published(onward)).checkpoint.size >= 3
        assert await _given(onward) == []


async def _never() -> bool:
    return False


async def _at_least(onward: System, table: str, number: int) -> bool:
    return await onward.count(table) >= number


async def _all_there(onward: System, ids: list[str]) -> bool:
    return set(ids) <= set(await _given(onward))


async def _given(onward: System) -> list[str]:
    """The ids of the entries on the queue, in their order."""
    return [message["id"] for message in await onward.messages(AUDIT)]


async def _logged(onward: System) -> list[str]:
    """And in the log."""
    return [row["entry_id"] for row in await onward.rows("SELECT entry_id FROM log_entries ORDER BY position")]
