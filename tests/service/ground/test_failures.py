"""Failures are counted for each message, across processes, until it is dealt with."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.ground import tables
from services.ground.settings import Settings
from tests.support.statements import watched_statements
from tests.support.toy import Toy, says, toy


@pytest.fixture
async def consumer(settings: Settings) -> AsyncIterator[Toy]:
    async with toy(settings) as made:
        yield made


async def test_failures_are_counted_up_to_the_last_attempt(consumer: Toy) -> None:
    for tries in (1, 2, 3):
        bad = says("bad", at=5, tries=tries, take="boom")
        assert await consumer.take(bad, says("good", at=4)) == ([bad] if tries < 3 else [])
        counted = [(row["failures"], row["error"]) for row in await consumer.rows(tables.attempts)]
        assert counted == ([(tries, "RuntimeError")] if tries < 3 else [])
    assert await consumer.aside() == [("bad", "failed_repeatedly")]
    once = says("once", at=6, take="boom")
    assert await consumer.take(once, max_attempts=1) == []
    assert await consumer.rows(tables.attempts) == []


async def test_another_message_at_the_same_place_begins_anew(consumer: Toy) -> None:
    """After the broker lost its stream, and the stream was made again, every place is another message's."""
    for _ in range(2):
        await consumer.take(says("old", at=5, take="boom"))
    new = says("new", at=5, take="boom")
    assert await consumer.take(new) == [new]
    assert await consumer.aside() == []


async def test_a_message_that_is_taken_at_last_is_failing_no_more(consumer: Toy) -> None:
    consumer.handler.failing = {"a", "b", "c"}
    first = [says("a", at=1), says("b", at=2), says("c", at=3)]
    assert await consumer.take(*first) == first
    consumer.handler.failing = {"c"}
    again = [says(id_, at=at, tries=2) for at, id_ in enumerate("abc", 1)]
    assert await consumer.take(again[0], says("d", at=4)) == []
    assert await consumer.take(*again[1:]) == [again[2]], "one by one, because of c"
    assert [row["failures"] for row in await consumer.rows(tables.attempts)] == [2], "of c"
    assert await consumer.taken() == ["a", "d", "b"]


async def test_a_batch_that_comes_for_the_first_time_asks_nothing_about_failures(consumer: Toy) -> None:
    statements: list[str] = []

    with watched_statements(lambda _, statement: statements.append(statement)):
        await consumer.take(says("a", at=1), says("b", at=2, person="p", number=1))
        about = [statement for statement in statements if "attempts" in statement]
        assert about == []
        await consumer.take(says("c", at=3, tries=2), says("d", at=4, tries=2))
        about = [statement for statement in statements if "attempts" in statement]
        assert len(about) == 1
