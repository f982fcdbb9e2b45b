"""`onward health` speaks of its own process: a healthy neighbour hides nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.ground.settings import Settings
from tests.support.processes import environment_of, start_service
from tests.support.system import System, system
from tests.support.warm import Forked, forked

ONWARD = Path(sys.executable).parent / "onward"


async def test_a_frozen_process_is_unhealthy_beside_a_healthy_neighbour_of_its_service(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, log_level="error")
    async with system(settings) as onward, _second_audit(onward) as second:
        neighbour, own = settings.instance, settings.instance.replace(str(os.getpid()), str(second.pid))
        assert await _health(onward) == 0, "both are well"
        second.send_signal(signal.SIGSTOP)
        found = await asyncio.gather(
            _health(onward, instance=own),
            _health(onward),
            _health(onward, instance=neighbour),
            _health(onward, "--anywhere"),
        )
        assert list(found) == [1, 1, 0, 0], "itself, this machine, the neighbour, whichever answers"
        second.kill()
        second.wait()
        assert await _health(onward) == 0, "who is gone is not asked"


async def test_where_no_process_of_a_service_runs_health_says_so(tmp_path: Path) -> None:
    async with system(Settings(data_dir=tmp_path, log_level="error"), names=["intake"]) as onward:
        assert await _health(onward) == 1
        assert await _health(onward, instance="nobody:1") == 1


@asynccontextmanager
async def _second_audit(onward: System) -> AsyncIterator[Forked]:
    """Another audit process beside the one of this process, known to the store."""
    settings = onward.world.settings.model_copy(update={"nats_url": onward.world.nats_url})
    process = start_service("audit", settings, settings.data_dir / "audit.log")
    try:
        async with asyncio.timeout(30):
            while len(await onward.rows("SELECT owner FROM instances WHERE service = 'audit'")) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


async def _health(onward: System, *words: str, instance: str | None = None) -> int:
    settings = onward.world.settings.model_copy(update={"nats_url": onward.world.nats_url})
    named = {"ONWARD_INSTANCE": instance} if instance else {}
    line = [str(ONWARD), "health", "audit", *words]
    environment = {**os.environ, **environment_of(settings), **named}
    done = await asyncio.to_thread(forked().run, line, given=b"", environment=environment, timeout=60)
    return done.returncode
