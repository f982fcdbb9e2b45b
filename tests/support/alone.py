"""Runs one service as a process of its own, from the environment: `python -m tests.support.alone router`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from services.cli.wiring import running
from services.ground.clock import WallClock
from services.ground.log import configure_logging
from services.ground.nats_server import _die_with_parent
from services.ground.settings import REPOSITORY, Settings, load_settings
from services.ground.world import open_world


def start_alone(service: str, settings: Settings, log: Path) -> subprocess.Popen[bytes]:
    """A process that runs this service with these settings, and dies with us."""
    assert settings.database_url is not None
    assert settings.nats_url is not None
    environment = {
        "ONWARD_DATA_DIR": str(settings.data_dir),
        "ONWARD_DATABASE_URL": settings.database_url.get_secret_value(),
        "ONWARD_NATS_URL": settings.nats_url,
        "ONWARD_NATS_REPLICAS": str(settings.nats_replicas),
        "ONWARD_LEASE_SECONDS": str(settings.lease_seconds),
        "ONWARD_SWEEP_SECONDS": str(settings.sweep_seconds),
        "ONWARD_REDELIVERY_SECONDS": str(list(settings.redelivery_seconds)),
        "ONWARD_LOG_FORMAT": "json",
    }
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.alone", service],
            env={**os.environ, **environment},
            cwd=REPOSITORY,
            stdout=output,
            stderr=output,
            preexec_fn=_die_with_parent,
        )


async def _run(service: str) -> None:
    settings = load_settings()
    configure_logging(settings)
    told_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_stop.set)
    async with open_world(settings, WallClock()) as world, running(world, [service]):
        await told_to_stop.wait()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1]))
