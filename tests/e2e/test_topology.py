"""The topology of docker-compose.yml from processes: three NATS nodes, PostgreSQL, two routers; and kills midway."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.cli.wiring import migrate, running
from services.ground.clock import WallClock
from services.ground.settings import Settings
from services.ground.streams import SUBJECTS
from services.ground.world import connect, open_world
from tests.support.cluster import Cluster, nats_cluster
from tests.support.events import Event, referral_of
from tests.support.postgres import drop_database, new_database
from tests.support.processes import start_service
from tests.support.system import System
from tests.support.warm import Forked

REFERRALS = 200
SETTLE_SECONDS = 40.0
FIRST_LEGS = {"dapp", "addiction_service", "mental_health_team", "victim_safety"}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """The three nodes."""
    async with nats_cluster(tmp_path) as nodes:
        yield nodes


@pytest.fixture
async def spread(cluster: Cluster, postgres: str, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings of the whole topology."""
    database = await new_database(postgres)
    yield Settings(
        data_dir=tmp_path,
        database_url=database,
        nats_url=",".join(cluster.urls),
        nats_replicas=3,
        lease_seconds=2,
        sweep_seconds=1,
        redelivery_seconds=(1.0, 2.0, 4.0),
        connect_seconds=20,
    )
    await drop_database(postgres, database)


async def test_a_node_and_a_router_are_killed_midway_and_every_referral_is_routed_once(
    cluster: Cluster, spread: Settings, tmp_path: Path
) -> None:
    async with open_world(spread, WallClock()) as world:
        await migrate(world)
        with _two_routers(spread, tmp_path) as routers:
            async with running(world, ["intake", "dispatch", "audit"]) as services:
                connection = await connect(world, name="test")
                onward = System(world, connection, services)
                try:
                    await _until_both_route(onward)
                    assert await _copies(connection) == dict.fromkeys(SUBJECTS, (3, 3))
                    sent = [referral_of(number, source="met-police") for number in range(REFERRALS)]
                    await _publish_all(connection, sent[: REFERRALS // 2])
                    node = cluster.kill_node(await _leader(connection, "INTAKE"))
                    routers[0].kill()
                    await _publish_all(connection, sent[REFERRALS // 2 :])
                    await _settle(onward)
                    await _assert_each_is_routed_once_and_audited(onward, sent)
                    await _assert_both_took_part(onward, routers)
                    cluster.start_node(node)
                    await _until_three_copies(connection)
                finally:
                    await connection.close()


@contextmanager
def _two_routers(settings: Settings, folder: Path) -> Iterator[list[Forked]]:
    routers = [start_service("router", settings, folder / f"router-{number}.log") for number in (1, 2)]
    try:
        yield routers
    finally:
        for router in routers:
            router.kill()
            router.wait()


async def _publish_all(connection: Client, events: list[Event]) -> None:
    """Publish each until the broker has acknowledged it, as a source that wants to be heard does.

    Under the same message id: one that was kept and not confirmed in time is not a second submission.
    """
    js = connection.jetstream(timeout=2)

    async def publish(event: Event) -> None:
        while True:
            try:
                headers = {"Nats-Msg-Id": f"met-police/{event['id']}"}
                raw = json.dumps(event).encode()
                await js.publish("intake.met-police.referral", raw, stream="INTAKE", headers=headers)
            except (NatsError, TimeoutError):
                await asyncio.sleep(0.1)
            else:
                return

    await asyncio.gather(*(publish(event) for event in events))


async def _leader(connection: Client, stream: str) -> str:
    cluster = (await connection.jetstream().stream_info(stream)).cluster
    assert cluster is not None
    assert cluster.leader is not None
    return cluster.leader


async def _copies(connection: Client) -> dict[str, tuple[int, int]]:
    """Of each stream: how many copies it is to have, and how many are there and up to date."""
    js = connection.jetstream(timeout=5)
    copies = {}
    for name in SUBJECTS:
        info = await js.stream_info(name)
        others = info.cluster.replicas if info.cluster and info.cluster.replicas else []
        copies[name] = (info.config.num_replicas or 0, 1 + len([one for one in others if one.current]))
    return copies


async def _until_three_copies(connection: Client) -> None:
    """The node that comes back catches up."""
    async with asyncio.timeout(20):
        while await _copies(connection) != dict.fromkeys(SUBJECTS, (3, 3)):  # noqa: ASYNC110 - nobody here can set an event
            await asyncio.sleep(0.2)


async def _settle(onward: System) -> None:
    """Until nothing waits. A consumer whose leader was killed answers nobody until it has a new one."""
    async with asyncio.timeout(SETTLE_SECONDS):
        while True:
            try:
                return await onward.settle(SETTLE_SECONDS)
            except NatsError:
                await asyncio.sleep(0.2)


async def _until_both_route(onward: System) -> None:
    """Until each router holds half of the partitions."""
    query = "SELECT owner, count(*) AS held FROM leases WHERE service = 'router' AND owner IS NOT NULL GROUP BY owner"
    async with asyncio.timeout(30):
        while [row["held"] for row in await onward.rows(query)] != [4, 4]:  # noqa: ASYNC110 - nobody here can set an event
            await asyncio.sleep(0.2)


async def _assert_each_is_routed_once_and_audited(onward: System, sent: list[Event]) -> None:
    accepted = await onward.rows("SELECT origin_id, event_id FROM accepted_events")
    assert sorted(row["origin_id"] for row in accepted) == sorted(event["id"] for event in sent)
    events = {row["event_id"] for row in accepted}
    decided = [row["event_id"] for row in await onward.rows("SELECT event_id FROM decisions")]
    assert Counter(decided) == dict.fromkeys(events, 1)
    deliveries = await onward.rows("SELECT event_id, destination, leg_id, number, message_id FROM deliveries")
    sent_to: dict[str, list[str]] = {}
    for row in deliveries:
        sent_to.setdefault(row["event_id"], []).append(row["destination"])
    assert set(sent_to) == events
    assert all(len(to) == len(set(to)) and set(to) >= FIRST_LEGS for to in sent_to.values())
    read: set[str] = set()
    async with asyncio.timeout(20):
        while len(read) < len(deliveries):
            read |= {message["id"] for message in await onward.messages("ROUTE")}  # a reader drops repeats by id
    assert read == {row["message_id"] for row in deliveries}
    assert await onward.count("quarantine") == 0
    await _assert_audited(onward, events, deliveries)


async def _assert_audited(onward: System, events: set[str], deliveries: list[dict[str, Any]]) -> None:
    places = [row["position"] for row in await onward.rows("SELECT position FROM log_entries ORDER BY position")]
    assert places == list(range(len(places)))
    # An acknowledgement that was on its way to the node that died is lost: its message comes again, as a repeat.
    entries = [entry for entry in await onward.entered() if entry["purpose"] != "repeat"]
    of_kind = Counter((entry["operation"], entry["correlation_id"]) for entry in entries)
    assert {event: of_kind[("collect", event)] for event in events} == dict.fromkeys(events, 1)
    assert {event: of_kind[("alter", event)] for event in events} == dict.fromkeys(events, 1)
    disclosed = Counter({event: of_kind[("disclose", event)] for event in events})
    assert disclosed == Counter(row["event_id"] for row in deliveries)


async def _assert_both_took_part(onward: System, routers: list[Forked]) -> None:
    rows = await onward.rows("SELECT owner, count(*) AS held FROM leases WHERE service = 'router' GROUP BY owner")
    [survivor] = rows
    assert survivor["owner"].endswith(f":{routers[1].pid}")
    assert survivor["held"] == onward.world.settings.partitions
    assert routers[0].poll() is not None
