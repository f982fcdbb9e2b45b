"""One bad message is set aside alone, whatever it does to the store, the handler or those that waited for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.exc import OperationalError

from services.ground import streams, tables
from services.ground.settings import Settings
from tests.support.toy import Toy, delivered, says, toy


@pytest.fixture
async def consumer(settings: Settings) -> AsyncIterator[Toy]:
    async with toy(settings) as made:
        yield made


def _failures(consumer: Toy) -> tuple[str, ...]:
    """What a message can do to a handler: its own error, and what the store says of its data."""
    return ("boom", "null", "nul") if consumer.database.dialect == "postgresql" else ("boom", "null")


async def test_a_follower_that_fails_is_set_aside_and_its_predecessor_and_successor_are_taken(consumer: Toy) -> None:
    for number, failure in enumerate((*_failures(consumer), "refused")):
        person = f"p{number}"
        early = [says(f"{person}-{n}", at=n, person=person, number=n, take=failure if n == 2 else "") for n in (3, 2)]
        assert await consumer.take(*early) == []
        assert await consumer.take(says(f"{person}-1", at=4, person=person, number=1)) == []
        reason = "refused" if failure == "refused" else "failed_after_waiting"
        assert (await consumer.aside())[number:] == [(f"{person}-2", reason)]
        assert (await consumer.taken())[2 * number :] == [f"{person}-1", f"{person}-3"]
    assert await consumer.rows(tables.early) == []
    assert await consumer.rows(tables.attempts) == []
    sent_again = says("p0-2", at=99, person="p0", number=2)
    await consumer.take(sent_again)
    assert (await consumer.taken())[-1] == "p0-2", "once mended it is no repeat"


async def test_a_follower_that_fails_behind_one_that_is_set_aside_is_set_aside_too(consumer: Toy) -> None:
    for number, failure in enumerate(_failures(consumer)):
        person = f"p{number}"
        early = [says(f"{person}-{n}", at=n, person=person, number=n, take=failure if n == 2 else "") for n in (3, 2)]
        await consumer.take(*early)
        await consumer.take(says(f"{person}-1", at=4, person=person, number=1, take="refused"))
        found = (await consumer.aside())[2 * number :]
        assert found == [(f"{person}-1", "refused"), (f"{person}-2", "failed_after_waiting")]
        assert (await consumer.taken())[number:] == [f"{person}-3"]
    assert await consumer.rows(tables.early) == []


async def test_a_message_whose_refusal_fails_ends_in_quarantine_and_its_neighbours_go_on(consumer: Toy) -> None:
    batch = []
    for number, failure in enumerate(_failures(consumer)):
        batch += [
            says(f"good-{number}", at=100 + number),
            says(f"refused-{number}", at=200 + number, take="refused", refuse=failure),
            says(f"failing-{number}", at=300 + number, take="boom", refuse=failure),
            delivered(b'{"refuse": "%s", "unreadable": %d}' % (failure.encode(), number), at=400 + number),
        ]
    bad = [delivery for delivery in batch if b"good" not in delivery.raw]
    for attempt in (1, 2):
        assert await consumer.take(*(batch if attempt == 1 else bad)) == bad, "they are tried again"
    assert await consumer.take(*bad) == []
    assert await consumer.taken() == [f"good-{number}" for number in range(len(_failures(consumer)))]
    assert len(await consumer.aside()) == len(bad)
    reasons = Counter(reason for _, reason in await consumer.aside())
    assert set(reasons) == {"refused", "failed_repeatedly", "unreadable"}
    assert await consumer.told(streams.QUARANTINE) == len(bad)
    assert await consumer.told(streams.RECEIPT) == 0, "what failed left nothing of itself behind"
    assert await consumer.rows(tables.attempts) == []


async def test_a_waiting_message_that_cannot_be_read_any_more_is_set_aside_and_its_predecessor_is_taken(
    consumer: Toy,
) -> None:
    for number, first in enumerate(("", "refused")):
        person = f"p{number}"
        await consumer.take(*(says(f"{person}-{n}", at=n, person=person, number=n) for n in (3, 2)))
        consumer.handler.unreadable = {f"{person}-2"}
        assert await consumer.take(says(f"{person}-1", at=4, person=person, number=1, take=first)) == []
        assert (f"{person}-2", "unreadable") in await consumer.aside()
        assert (await consumer.taken())[-1] == f"{person}-3"
        consumer.handler.unreadable = set()
        await consumer.take(says(f"{person}-2", at=50 + number, person=person, number=2))
        assert (await consumer.taken())[-1] == f"{person}-2", "sent again it is no repeat"
    assert (await consumer.taken())[0] == "p0-1"
    assert await consumer.rows(tables.early) == []


async def test_a_waiting_message_is_taken_in_the_partition_where_it_came(consumer: Toy) -> None:
    await consumer.take(says("a-2", at=1, partition=1, person="a", number=2))
    others = says("b-1", at=2, partition=0, person="b", number=1)
    await consumer.take(others, says("a-1", at=3, partition=1, person="a", number=1))
    assert [(d.partition, d.stream_sequence) for d in consumer.handler.seen] == [(0, 2), (1, 3), (1, 1)]


async def test_a_message_set_aside_before_its_turn_keeps_nobody_waiting(consumer: Toy) -> None:
    if consumer.database.dialect != "postgresql":
        pytest.skip("SQLite refuses nothing that an early message can hold")
    early = [says("2" if n == 2 else f"{n}", at=n, person="p", number=n) for n in (2, 3)]
    cannot_be_kept = delivered(early[0].raw.replace(b'"2"', b'"\\u0000"'), at=2)
    for attempt in (1, 2, 3):
        assert await consumer.take(cannot_be_kept) == ([cannot_be_kept] if attempt < 3 else [])
    await consumer.take(early[1])
    await consumer.take(says("1", at=4, person="p", number=1))
    assert await consumer.taken() == ["1", "3"]
    assert await consumer.rows(tables.early) == []
    await consumer.take(early[0])
    assert await consumer.taken() == ["1", "3", "2"]


async def test_two_messages_at_one_place_are_both_taken(consumer: Toy) -> None:
    """No service of ours makes them, but a message mended by hand may be given another id."""
    await consumer.take(says("2", at=1, person="p", number=2), says("2-mended", at=2, person="p", number=2))
    await consumer.take(says("2-again", at=3, person="p", number=2))
    await consumer.take(says("1", at=4, person="p", number=1))
    assert Counter(await consumer.taken()) == Counter(["1", "2", "2-mended", "2-again"])
    assert await consumer.rows(tables.early) == []


async def test_a_repeat_changes_nothing_and_a_refused_message_may_be_sent_again(consumer: Toy) -> None:
    await consumer.take(says("a", at=1), says("a", at=2), says("b", at=3))
    await consumer.take(says("b", at=4), says("c", at=5, take="refused"))
    assert await consumer.taken() == ["a", "b"]
    await consumer.take(says("c", at=6, take="refused"))
    assert await consumer.aside() == [("c", "refused")] * 2, "sent again with the same fault: another one to mend"
    await consumer.take(says("c", at=7), says("c", at=8))
    assert await consumer.taken() == ["a", "b", "c"]


async def test_a_mended_message_in_the_same_batch_as_the_refused_one_is_taken(consumer: Toy) -> None:
    """The refused one comes again when a process died before it said that it was done with it."""
    consumer.handler.refuses_itself = True
    refused, mended = says("a", at=1, take="refused"), says("a", at=2)
    assert await consumer.take(refused, mended, says("b", at=3)) == []
    assert Counter(await consumer.taken()) == Counter(["a", "b"])
    assert await consumer.aside() == [("a", "refused")]


async def test_a_refused_message_that_is_delivered_again_has_no_second_effect(consumer: Toy) -> None:
    bad = (says("a", at=1, take="refused"), delivered(b"unreadable", at=2))
    for _ in range(2):
        assert await consumer.take(*bad) == []
    assert len(await consumer.aside()) == 2
    assert await consumer.told(streams.QUARANTINE) == 2
    assert await consumer.told(streams.RECEIPT) == 2


async def test_an_outage_of_the_store_is_nobodys_attempt(consumer: Toy) -> None:
    while_taken = says("a", at=2, take="outage")
    while_refused = says("b", at=2, take="refused", refuse="outage")
    for struck in (while_taken, while_refused):
        for _ in range(3):
            with pytest.raises(OperationalError):
                await consumer.take(says("good", at=1), struck)
    early = says("2", at=3, person="p", number=2, take="outage")
    await consumer.take(early)
    for _ in range(3):
        with pytest.raises(OperationalError):
            await consumer.take(says("1", at=4, person="p", number=1))
    assert await consumer.taken() == []
    assert await consumer.aside() == []
    assert await consumer.rows(tables.attempts) == []
