"""The broker is transport: what it loses is owed again, and what no reader took is sent again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection, insert, select, text

from services.cli.wiring import migrate
from services.ground import outbox, tables
from services.ground.clock import SetClock, WallClock
from services.ground.database import open_database
from services.ground.publisher import Confirmed, Outgoing
from services.ground.relay import Relay
from services.ground.sealing import in_clear
from services.ground.settings import Settings
from services.ground.streams import CASE
from services.ground.world import open_world
from tests.support.events import referral_of
from tests.support.system import System, system

BEFORE_THE_ROUTER = ("intake",)
PERSONS = 5


async def test_a_wiped_broker_is_filled_again_from_the_store(settings: Settings) -> None:
    async with system(settings, names=BEFORE_THE_ROUTER) as onward:
        for number in range(PERSONS):
            await onward.publish(referral_of(number + 1))
        await _until(onward, "SELECT count(*) FROM accepted_events", PERSONS)
        await _until(onward, "SELECT count(*) FROM outbox WHERE sent_at IS NULL", 0)
    shutil.rmtree(settings.data_dir / "nats")
    async with system(settings) as onward:
        await _until(onward, "SELECT count(*) FROM decisions", PERSONS)
        await onward.settle()
        legs = await onward.count("legs")
        assert legs > 0
        routed = [(m["data"]["leg_id"], m["data"]["sequence"]) for m in await onward.messages("ROUTE")]
        assert len(routed) == len(set(routed)) == legs


async def test_a_stream_made_anew_before_anybody_looked_has_lost_something_all_the_same(settings: Settings) -> None:
    async with open_world(settings, WallClock()) as world:
        await migrate(world)
        await world.database.write(lambda c: _keep(c, [_sent("a", "RECEIPT", 1)]))
        owed = await world.database.write(
            lambda c: outbox.owe_again(c, "RECEIPT", created="another", last_sequence=1, confirmed=1)
        )
    assert owed == 1


async def test_a_message_that_the_broker_confirmed_and_lost_is_sent_again(settings: Settings) -> None:
    quick = settings.model_copy(update={"reconcile_seconds": 0.5})
    async with system(quick, names=BEFORE_THE_ROUTER) as onward:
        # Confirmed, as the store has it; in truth never stored: the connection to CASE is cut before the publish.
        await _forget_to_send(onward)
        await onward.publish(referral_of(1))
        await _until(onward, "SELECT count(*) FROM outbox WHERE stream = 'CASE' AND sent_at IS NOT NULL", 1)
        assert await onward.messages("CASE") == []
    async with system(quick) as onward:
        await _until(onward, "SELECT count(*) FROM decisions", 1)


async def test_what_the_broker_holds_and_takes_for_acknowledged_reaches_its_reader_all_the_same(
    settings: Settings,
) -> None:
    """As where it lost messages, and an old acknowledgement came for the new message in the place of one of them."""
    quick = settings.model_copy(update={"reconcile_seconds": 0.5})
    async with system(quick, names=BEFORE_THE_ROUTER) as onward:
        await onward.publish(referral_of(1))
        await _until(onward, "SELECT count(*) FROM outbox WHERE stream = 'CASE' AND sent_at IS NOT NULL", 1)
        [held] = await onward.rows("SELECT subject FROM outbox WHERE stream = 'CASE'")
        durable = f"router-{held['subject'].split('.')[1]}"
        pulled = await onward.connection.jetstream().pull_subscribe_bind(durable, CASE)
        [message] = await pulled.fetch(1)
        await message.ack_sync()
    async with system(quick) as onward:
        await _until(onward, "SELECT count(*) FROM decisions", 1)
        await onward.settle()
        assert await onward.count("decisions") == 1


async def test_what_was_quarantined_is_not_sent_again_for_ever(settings: Settings) -> None:
    async with system(settings, names=BEFORE_THE_ROUTER) as onward:
        await onward.publish(referral_of(1))
        await _until(onward, "SELECT count(*) FROM outbox WHERE stream = 'CASE' AND sent_at IS NOT NULL", 1)
        [row] = await onward.rows("SELECT id FROM outbox WHERE stream = 'CASE'")
        aside = (
            "INSERT INTO quarantine (id, service, delivery, stream, subject, source, message_id, raw, digest, reason,"
            " problems, quarantined_at) SELECT id, 'router', id, stream, subject, 'onward-intake', id, payload, 'x',"
            " 'unreadable', '[]', created_at FROM payloads NATURAL JOIN outbox WHERE stream = 'CASE'"
        )
        await onward.world.database.write(lambda c: c.execute(text("DELETE FROM inbox WHERE consumer = 'router'")))
        found = await onward.world.database.write(lambda c: outbox.not_taken(c, "intake", CASE, before_id="g"))
        assert [message.id for message in found] == [row["id"]], "neither taken nor set aside"
        await onward.world.database.write(lambda c: c.execute(text(aside)))
        assert await onward.world.database.write(lambda c: outbox.not_taken(c, "intake", CASE, before_id="g")) == []


async def test_what_was_sent_after_others_were_looked_at_is_looked_at_too(settings: Settings) -> None:
    async with system(settings, names=BEFORE_THE_ROUTER) as onward:
        await onward.publish(referral_of(1))
        await _until(onward, "SELECT count(*) FROM outbox WHERE stream = 'CASE' AND sent_at IS NOT NULL", 1)
        database = onward.world.database
        await database.write(lambda c: c.execute(text("UPDATE outbox SET sent_at = NULL WHERE stream = 'CASE'")))
        assert await database.write(lambda c: outbox.not_taken(c, "intake", CASE, before_id="g")) == [], "still owed"
        await database.write(lambda c: c.execute(text("UPDATE outbox SET sent_at = created_at WHERE stream = 'CASE'")))
        assert len(await database.write(lambda c: outbox.not_taken(c, "intake", CASE, before_id="g"))) == 1


async def test_what_is_confirmed_while_the_broker_is_asked_is_no_loss(settings: Settings) -> None:
    async with system(settings, names=BEFORE_THE_ROUTER) as onward:
        await onward.publish(referral_of(1))
        await _until(onward, "SELECT count(*) FROM outbox WHERE stream = 'CASE' AND sent_at IS NOT NULL", 1)
        database = onward.world.database
        newest = await database.read(lambda c: outbox.newest_confirmed(c, CASE))
        assert newest == 1

        def owed(confirmed: int) -> Callable[[Connection], int]:
            return lambda c: outbox.owe_again(c, CASE, created="then", last_sequence=0, confirmed=confirmed)

        await database.write(lambda c: c.execute(text("UPDATE streams_seen SET created = 'then'")))
        assert await database.write(owed(0)) == 0, "confirmed after it was read how far the store is"
        assert await database.write(owed(newest)) == 1


async def test_a_broker_that_lost_the_end_of_a_stream_and_went_on_is_noticed_by_the_places_it_gives_again(
    settings: Settings,
) -> None:
    rows = [("a", "RECEIPT", 1), ("b", "RECEIPT", 2), ("c", "RECEIPT", 3), ("d", "RECEIPT", 2), ("e", "ROUTE", 3)]
    database = await open_database(settings)
    try:
        await database.write(lambda c: _keep(c, [_sent(*row) for row in rows]))
        look = partial(outbox.owe_again, stream="RECEIPT", created="then", last_sequence=5)
        newest = await database.read(lambda c: outbox.newest_confirmed(c, "RECEIPT"))
        twice = await database.read(lambda c: outbox.given_twice(c, "RECEIPT", newest=newest))
        assert (newest, twice) == (3, [2])
        assert await database.write(lambda c: look(c, confirmed=newest)) == 0, "its end tells nothing any more"
        assert await database.write(lambda c: look(c, confirmed=newest, twice=twice)) == 2
        owed = select(tables.outbox.c.id).where(tables.outbox.c.sent_at.is_(None)).order_by(tables.outbox.c.id)
        assert await database.read(lambda c: c.execute(owed).scalars().all()) == ["b", "d"]
    finally:
        await database.close()


async def test_what_a_former_owner_with_a_clock_ahead_owes_is_sent_at_once_when_it_is_taken_over(
    settings: Settings,
) -> None:
    sent: list[str] = []

    class Noting:
        async def publish(self, messages: Sequence[Outgoing]) -> list[Confirmed]:
            sent.extend(message.id for message in messages)
            return [Confirmed(message.id, 1) for message in messages]

        def still_kept(self, confirmed: Sequence[Confirmed]) -> Sequence[Confirmed]:
            return confirmed

    database = await open_database(settings)
    try:
        row = _sent("a", "ROUTE", 1) | {"sent_at": None, "stream_sequence": None}
        await database.write(lambda c: _keep(c, [row]))
        clock = SetClock(datetime(2026, 3, 1, 23, 59, tzinfo=UTC))
        relay = Relay("intake", clock=clock, database=database, publisher=Noting())  # type: ignore[arg-type]
        await relay.send_unsent([0], older_than_seconds=10)
        assert sent == [], "the sweep leaves what a batch may be about to send"
        await relay.send_unsent([0], older_than_seconds=0)
        assert sent == ["a"]
    finally:
        await database.close()


def _keep(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Rows of the outbox with what they carry."""
    connection.execute(insert(tables.outbox), rows)
    connection.execute(insert(tables.payloads), [{"id": row["id"], "payload": in_clear(b"")} for row in rows])


def _sent(id_: str, stream: str, place: int) -> dict[str, object]:
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    return {
        "id": id_,
        "service": "intake",
        "partition": 0,
        "stream": stream,
        "subject": "any",
        "created_at": moment,
        "sent_at": moment,
        "stream_sequence": place,
    }


async def _forget_to_send(onward: System) -> None:
    """Let the running intake believe that its CASE messages were stored."""
    consumer = onward.services["intake"].consumer
    assert consumer is not None
    publisher = consumer._sender.publisher
    attempt = publisher._attempt

    async def lossy(messages):  # type: ignore[no-untyped-def]
        lost = [m for m in messages if m.stream == CASE]
        return await attempt([m for m in messages if m.stream != CASE]) + [Confirmed(m.id, 0) for m in lost]

    publisher._attempt = lossy  # type: ignore[method-assign]


async def _until(onward: System, query: str, number: int, seconds: float = 60.0) -> None:
    for _ in range(int(seconds / 0.1)):
        if next(iter((await onward.rows(query))[0].values())) == number:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(query)
