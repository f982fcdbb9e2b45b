"""A system of real processes: each service its own, the broker another, and any of them can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from pydantic import SecretStr

from services.cli.wiring import SERVICES, migrate
from services.ground.clock import WallClock
from services.ground.database import Database, open_database
from services.ground.nats_server import ChildNatsServer
from services.ground.settings import Settings
from services.ground.world import World
from tests.support.warm import COMMAND_LINE, Forked, forked

BROKER = "broker"
ALL = "up"  # every service in one process, as `onward up` runs them
LAST_WORDS = 20  # lines of each process's log, which has ids only
PASSED_ON = (
    "data_dir",
    "database_url",
    "nats_url",
    "nats_replicas",
    "lease_seconds",
    "sweep_seconds",
    "redelivery_seconds",
    "batch_size",
    "partitions",
    "max_attempts",
    "checkpoint_seconds",
)


def start_service(
    service: str,
    settings: Settings,
    log: Path,
    *,
    module: str = COMMAND_LINE,
    words: tuple[str, ...] = ("run",),
) -> Forked:
    """A process that runs this service with these settings, and dies with us."""
    with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
        return forked().start(
            module,
            ["onward", *words, service],
            environment={**os.environ, "ONWARD_LOG_FORMAT": "json", **environment_of(settings)},
            streams=(nothing, output, output),
        )


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables that give a process these settings."""
    values = {name: getattr(settings, name) for name in PASSED_ON}
    return {f"ONWARD_{name.upper()}": _written(value) for name, value in values.items() if value is not None}


def _written(value: object) -> str:
    """A setting's value as the environment holds it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(list(value)) if isinstance(value, tuple) else str(value)


@dataclass
class Processes:
    """Every service as a process of its own, on one broker and one store."""

    settings: Settings
    server: ChildNatsServer
    database: Database
    connection: Client
    running: dict[str, Forked] = field(default_factory=dict)
    kills: int = 0

    @property
    def world(self) -> World:
        """What a test needs to look into the system."""
        return World(self.settings, WallClock(), self.database, self.server.url)

    def start(
        self,
        service: str,
        *,
        name: str | None = None,
        module: str = COMMAND_LINE,
        words: tuple[str, ...] | None = None,
    ) -> None:
        """Start one service's process, or ALL's, under a `name` of its own where there are several."""
        if words is None:
            words = () if service == ALL else ("run",)
        here = self.settings.model_copy(update={"nats_url": self.server.url})
        log = self.settings.data_dir / f"{service}.log"
        self.running[name or service] = start_service(service, here, log, module=module, words=words)

    def kill(self, name: str) -> None:
        """SIGKILL a service, which is started again, or the broker, which its keeper starts again."""
        self.kills += 1
        if name == BROKER:
            with suppress(ProcessLookupError):
                os.kill(self.server.pid, signal.SIGKILL)
            return
        self.running[name].kill()
        self.running[name].wait()
        self.start(name)

    def replace(self, service: str, *, module: str, words: tuple[str, ...]) -> None:
        """SIGKILL a service and start another one in its place."""
        self.running[service].kill()
        self.running[service].wait()
        self.start(service, module=module, words=words)

    def stop(self) -> None:
        """End every process."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def story(self) -> str:
        """Which process runs still, and what each said last."""
        logs = {name: self.settings.data_dir / f"{name}.log" for name in (*SERVICES, ALL)}
        logs[BROKER] = self.settings.data_dir / "nats" / "nats.log"
        codes = {name: process.poll() for name, process in self.running.items()}
        lines = [f"{name} ended with {code}" for name, code in codes.items() if code is not None]
        for name, log in logs.items():
            said = log.read_text(errors="replace").splitlines() if log.exists() else []
            lines += ["", f"{name} said last:", *said[-LAST_WORDS:]]
        return "\n".join(lines)

    async def publish(self, source: str, channel: str, id_: str, raw: bytes) -> bool:
        """Publish as a careful source does: again under the same message id until it is confirmed. False: given up."""
        for _ in range(20):
            try:
                js = self.connection.jetstream(timeout=1)
                headers = {"Nats-Msg-Id": f"{source}/{id_}"}
                await js.publish(f"intake.{source}.{channel}", raw, stream="INTAKE", headers=headers)
            except (NatsError, OSError, TimeoutError):
                await asyncio.sleep(0.2)
            else:
                return True
        return False


@asynccontextmanager
async def processes(settings: Settings, names: Sequence[str] = tuple(SERVICES)) -> AsyncIterator[Processes]:
    """A migrated system with these running, each as its own process. What fails in it tells what they said last."""
    database = await open_database(settings)
    server = ChildNatsServer(settings, stay="serving")
    await server.start()
    await migrate(World(settings, WallClock(), database, server.url))

    async def quiet(_: Exception) -> None:
        return None

    connection = await nats.connect(
        server.url,
        error_cb=quiet,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,  # the client sleeps for it
    )
    system = Processes(settings, server, database, connection)
    try:
        for name in names:
            system.start(name)
        yield system
    except Exception as error:
        error.add_note(system.story())
        raise
    finally:
        system.stop()
        await connection.close()
        await server.stop()
        await database.close()
