"""A fresh broker and store for one measurement, and the process of the side that is measured."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from nats.aio.client import Client
from sqlalchemy import Connection, func, select

from bench import events
from bench.report import WrongResult
from services.cli.wiring import migrate
from services.ground import streams, tables
from services.ground.clock import WallClock
from services.ground.keys import make_keys
from services.ground.publisher import Outgoing, Publisher
from services.ground.settings import REPOSITORY, Settings
from services.ground.world import World, connect, open_world

PATIENCE_SECONDS = 600.0
LOOK_SECONDS = 0.02  # how often the broker is asked how far a side is
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Run:
    """What one side took for its work."""

    events: int
    seconds: float
    cpu_seconds: float
    resident_bytes: int

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """CPU time of the side's process an event."""
        return self.cpu_seconds / self.events * 1e6


class Side:
    """The process of one side. It has connected when this exists, and works from `go` on."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)

    @classmethod
    async def start(cls, stage: Stage, name: str, **settings: object) -> Side:
        """Start `python -m bench.sides NAME` on this stage, with settings beside the stage's own."""
        own = {
            "data_dir": stage.settings.data_dir,
            "nats_url": stage.world.nats_url,
            "log_level": "error",
            "log_format": "json",
            **settings,
        }
        if stage.settings.database_url is not None:
            own["database_url"] = stage.settings.database_url.get_secret_value()
        process = subprocess.Popen(  # noqa: ASYNC220 - takes milliseconds, before anything is measured
            [sys.executable, "-m", "bench.sides", name],
            env={**_plain_environment(), **{f"ONWARD_{key.upper()}": str(value) for key, value in own.items()}},
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        side = cls(process)
        assert process.stdout is not None
        word = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), START_SECONDS)
        if word.strip() != b"ready":
            side.stop()
            raise WrongResult(f"the side {name} did not start")
        return side

    def go(self) -> None:
        """Let it work."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    @property
    def cpu_seconds(self) -> float:
        """CPU time that it has used."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    @property
    def resident_bytes(self) -> int:
        """Memory that it holds."""
        return int(self._seen.memory_info().rss)

    def require_alive(self) -> None:
        """Raise WrongResult if it has ended."""
        if self._process.poll() is not None:
            raise WrongResult(f"a side ended by itself with {self._process.returncode}")

    def stop(self) -> None:
        """Have it finish; its standard input ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


@dataclass(frozen=True)
class Stage:
    """A migrated store and broker, and a connection of ours to look with."""

    settings: Settings
    world: World
    connection: Client
    before: Mapping[str, int] = field(default_factory=dict)  # messages that each stream held when all began

    async def preload(self, count: int, *, stream: str, first: int = 0) -> int:
        """Put events into the stream of accepted events, or of submitted ones. Returns how many routes they have."""
        publisher = Publisher(self.connection, timeout_seconds=30)
        await publisher.start()
        for start in range(first, first + count, 1000):
            numbers = range(start, min(start + 1000, first + count))
            keys = await self.world.database.write(lambda c, n=numbers: make_keys(c, len(n), events.MOMENT))  # type: ignore[misc]
            outgoing = [self._outgoing(n, stream, person) for n, (person, _) in zip(numbers, keys, strict=True)]
            await publisher.publish(outgoing)
        return sum(len(events.routes_of(n)) for n in range(first, first + count))

    def _outgoing(self, number: int, stream: str, person: str) -> Outgoing:
        """An event of this person; of whoever intake makes of it, where it is still to be accepted."""
        if stream == streams.CASE:
            subject, raw = events.accepted(number, person, partitions=self.settings.partitions)
            return Outgoing(f"bench-{number}", stream, subject, raw)
        return Outgoing(f"bench-{number}", stream, f"intake.{events.SOURCE}.referral", events.submitted(number))

    async def stored(self, stream: str) -> int:
        """How many messages a stream has taken since all began."""
        return await _messages(self.connection, stream) - self.before.get(stream, 0)

    async def drained(self, stream: str) -> bool:
        """Whether every consumer of a stream that was used has taken and acknowledged all."""
        js = self.connection.jetstream()
        infos = await js.consumers_info(stream)
        used = [info for info in infos if info.delivered and info.delivered.stream_seq]
        return bool(used) and not any(info.num_ack_pending for info in used)

    async def finish(self, side: Side, count: int, *, stream: str, expected: Mapping[str, int]) -> Run:
        """Let a side work until it has acknowledged its input and these numbers of messages are stored.

        Raises WrongResult when it stores another number in the end.
        """
        loop = asyncio.get_running_loop()
        before, cpu = loop.time(), side.cpu_seconds
        side.go()
        while not await self._reached(expected) or not await self.drained(stream):
            side.require_alive()
            if loop.time() - before > PATIENCE_SECONDS:
                raise WrongResult(f"not done after {PATIENCE_SECONDS:.0f} s: wanted {dict(expected)}")
            await asyncio.sleep(LOOK_SECONDS)
        run = Run(count, loop.time() - before, side.cpu_seconds - cpu, side.resident_bytes)
        for name, number in expected.items():
            if (found := await self.stored(name)) != number:
                raise WrongResult(f"{name} holds {found} messages and should hold {number}")
        return run

    async def _reached(self, expected: Mapping[str, int]) -> bool:
        for name, number in expected.items():
            if await self.stored(name) < number:
                return False
        return True


@asynccontextmanager
async def stage(**settings: object) -> AsyncIterator[Stage]:
    """A fresh folder, store and broker; all gone at the end."""
    with tempfile.TemporaryDirectory(prefix="onward-bench-", ignore_cleanup_errors=True) as folder:
        chosen = Settings(_env_file=None, data_dir=Path(folder), **settings)  # type: ignore[arg-type]
        async with open_world(chosen, WallClock()) as world:
            await migrate(world)
            connection = await connect(world, name="bench")
            try:
                before = {name: await _messages(connection, name) for name in streams.SUBJECTS}
                before[streams.AUDIT] += await world.database.read(_entered)
                yield Stage(chosen, world, connection, before)
            finally:
                await connection.close()


@asynccontextmanager
async def sides(on: Stage, names: Sequence[str], **settings: object) -> AsyncIterator[list[Side]]:
    """Several sides, stopped at the end whatever happens."""
    started: list[Side] = []
    try:
        for number, name in enumerate(names):
            started.append(await Side.start(on, name, **settings, instance=f"bench-{number}"))
        yield started
    finally:
        for side in started:
            await asyncio.to_thread(side.stop)


async def _messages(connection: Client, stream: str) -> int:
    return int((await connection.jetstream().stream_info(stream)).state.messages)


def _entered(connection: Connection) -> int:
    """What was entered to begin with, and is given out as soon as audit runs."""
    return int(connection.execute(select(func.count()).select_from(tables.audit_entries)).scalar_one())


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ONWARD_")}
