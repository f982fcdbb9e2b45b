"""A service starts only where it can work, and says so only while it can."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext

from services.cli.wiring import SERVICES, migrate
from services.ground.clock import WallClock
from services.ground.errors import BrokerUnreachable, NotMigrated, OnwardError
from services.ground.settings import Settings
from services.ground.settle import settle
from services.ground.streams import declare
from services.ground.world import World, connect, open_world
from tests.support.events import referral_of
from tests.support.system import System, system

QUESTIONS = ("consumer_info", "stream_info")  # that a starting service asks the broker: one before it has partitions


async def test_a_service_that_works_answers_ready_with_what_it_holds(settings: Settings) -> None:
    async with system(settings) as onward:
        for name in SERVICES:
            reply = await onward.connection.request(f"ops.{name}.ready", b"", timeout=5)
            answer = json.loads(reply.data)
            assert answer["ready"] is True, answer
            assert answer["partitions"] == onward.services[name].consumer.partitions  # type: ignore[union-attr]


async def test_a_broker_that_is_not_there_is_an_error_in_limited_time(tmp_path: Path) -> None:
    alone = Settings(data_dir=tmp_path, nats_url="nats://user:hunter2@127.0.0.1:9", connect_seconds=0.5)
    async with open_world(alone, WallClock()) as world:
        started = datetime.now(UTC)
        with pytest.raises(BrokerUnreachable) as refused:
            await (await SERVICES["intake"](world)).start()
        assert (datetime.now(UTC) - started).total_seconds() < 10
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_broker_that_dies_while_a_service_starts_does_not_end_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    async with open_world(Settings(data_dir=tmp_path), WallClock()) as world:
        await migrate(world)
        service = await SERVICES["intake"](world)
        struck = _before_the_first(question, lambda: _dies_before_it_answers(world), monkeypatch)
        await service.start()
        connection = await connect(world, name="test")
        try:
            onward = System(world, connection, {"intake": service})
            await onward.publish(referral_of(1))
            await settle(world, connection, seconds=20, names=["intake"])
            assert struck
            assert await onward.count("accepted_events") == 1
        finally:
            await connection.close()
            await service.stop()


async def test_a_broker_that_dies_before_it_says_who_is_busy_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(Settings(data_dir=tmp_path), WallClock()) as world:
        await migrate(world)
        connection = await connect(world, name="test")
        struck = _before_the_first("consumers_info", lambda: _dies_before_it_answers(world), monkeypatch)
        try:
            await settle(world, connection, seconds=20, names=["intake"])
            assert struck
        finally:
            await connection.close()


async def test_a_broker_that_does_not_answer_a_starting_service_is_an_error_in_limited_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(Settings(data_dir=tmp_path), WallClock()) as world:
        await migrate(world)
        impatient = world.settings.model_copy(update={"connect_seconds": 3.0})
        service = await SERVICES["intake"](World(impatient, world.clock, world.database, world.nats_url))
        frozen: list[int] = []
        _before_the_first("consumer_info", lambda: frozen.append(_frozen(world)), monkeypatch)
        with pytest.raises(BrokerUnreachable, match="within 3 s"):
            await service.start()
        os.kill(frozen.pop(), signal.SIGCONT)
        await service.stop()


async def test_a_service_whose_connection_is_closed_for_good_says_so_and_one_that_stops_does_not(
    tmp_path: Path,
) -> None:
    async with open_world(Settings(data_dir=tmp_path), WallClock()) as world:
        await migrate(world)
        service, stopped = await SERVICES["intake"](world), await SERVICES["audit"](world)
        await service.start()
        await stopped.start()
        await stopped.stop()
        assert not stopped.lost.is_set()
        assert service.consumer is not None
        await service.consumer._connection._process_err("'Authorization Violation'")
        await asyncio.wait_for(service.lost.wait(), 10)
        await service.stop()


def _dies_before_it_answers(world: World) -> None:
    asyncio.get_running_loop().call_later(0.1, os.kill, _frozen(world), signal.SIGKILL)


def _frozen(world: World) -> int:
    """The process id of the broker, which answers nothing from now on."""
    assert world.server is not None
    os.kill(world.server.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, world.server.pid, os.WSTOPPED | os.WNOWAIT)  # on a busy machine it goes on for a moment
    return world.server.pid


def _before_the_first(question: str, strike: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have `strike` called before a question is asked for the first time. The list then has the question."""
    ask: Callable[..., Any] = getattr(JetStreamContext, question)
    struck: list[str] = []

    async def strike_and_ask(js: JetStreamContext, *words: object, **more: object) -> Any:
        if not struck:
            struck.append(question)
            strike()
        return await ask(js, *words, **more)

    monkeypatch.setattr(JetStreamContext, question, strike_and_ask)
    return struck


async def test_a_service_does_not_start_before_migrate_and_says_so(tmp_path: Path) -> None:
    async with open_world(Settings(data_dir=tmp_path), WallClock()) as world:
        with pytest.raises(NotMigrated, match="onward migrate"):
            await SERVICES["router"](world)
        service = await SERVICES["intake"](world)
        with pytest.raises(NotMigrated, match="onward migrate"):
            await service.start()
        await service.stop()


async def test_a_service_whose_consumer_is_missing_does_not_start_and_consume_nothing(tmp_path: Path) -> None:
    async with open_world(Settings(data_dir=tmp_path), WallClock()) as world:
        await migrate(world)
        connection = await connect(world, name="test")
        await connection.jetstream().delete_consumer("CASE", "router-3")
        await connection.close()
        service = await SERVICES["router"](world)
        with pytest.raises(NotMigrated, match="router-3"):
            await service.start()
        await service.stop()


async def test_another_number_of_partitions_is_refused_once_streams_exist(tmp_path: Path) -> None:
    async with open_world(Settings(data_dir=tmp_path), WallClock()) as world:
        await migrate(world)
        connection = await connect(world, name="test")
        other = world.settings.model_copy(update={"partitions": 4})
        with pytest.raises(OnwardError, match="ONWARD_PARTITIONS"):
            await declare(connection.jetstream(), other)
        await connection.close()


async def test_migrating_twice_changes_nothing(settings: Settings) -> None:
    async with open_world(settings, WallClock()) as world:
        await migrate(world)
        await migrate(world)


async def test_a_broker_too_small_for_our_commands_is_refused(tmp_path: Path) -> None:
    async with open_world(Settings(data_dir=tmp_path), WallClock()) as world:
        await migrate(world)
        larger = world.settings.model_copy(update={"max_message_bytes": 10_000_000})
        service = await SERVICES["dispatch"](type(world)(larger, world.clock, world.database, world.nats_url))
        with pytest.raises(OnwardError, match="ONWARD_MAX_MESSAGE_BYTES"):
            await service.start()
        await service.stop()
