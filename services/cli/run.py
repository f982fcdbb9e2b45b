"""onward up, run, migrate: prepare what runs, and start it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable, Sequence

from services.cli import terminal
from services.cli.named import ServiceName, check_service
from services.cli.wiring import SERVICES, migrate, running
from services.ground.clock import WallClock
from services.ground.errors import ConnectionLost, without_password
from services.ground.service import Service
from services.ground.settings import Settings
from services.ground.world import open_world

EXAMPLE = "schemas/examples/referral-assault-on-partner.json"


def up() -> None:
    """Run every service in this terminal until Ctrl-C, on its own broker and store unless settings name others."""
    terminal.run(_serve(list(SERVICES), prepare=True))


def run_service(name: ServiceName) -> None:
    """Run one service alone. The schema, the streams and the broker must be there: see `onward migrate`."""
    check_service(name)
    terminal.run(_serve([name], prepare=False))


def migrate_command() -> None:
    """Bring the database schema, the streams and the consumers to what this version needs. Safe to repeat."""

    async def work() -> None:
        async with open_world(terminal.settings(), WallClock(), stay="visiting") as world:
            await migrate(world)
            terminal.err.print(f"Ready: schema, streams and consumers at {_place(world.settings)}.")

    terminal.run(work())


async def _serve(names: Sequence[str], *, prepare: bool) -> None:
    settings = terminal.settings()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with open_world(settings, WallClock()) as world:
        if prepare:
            await migrate(world)
        async with running(world, names) as services:
            broker = without_password(world.nats_url)
            terminal.err.print(f"[bold]{', '.join(names)}[/bold] running at {_place(settings)}, broker {broker}")
            if prepare:
                terminal.err.print(
                    f"Send something: onward send {EXAMPLE} --source northshire-police\n"
                    "Look:           onward status    Stop: Ctrl-C",
                    soft_wrap=True,
                )
            lost = await _until(stop, services.values())
            terminal.err.print("Finishing what is in hand ...")
    if lost is not None:
        raise ConnectionLost(lost)  # whoever started us starts us again


async def _until(stop: asyncio.Event, services: Iterable[Service]) -> str | None:
    """Wait until we are told to stop, or a service can do nothing more. Returns the name of that one."""
    waiting = {asyncio.create_task(service.lost.wait()): service.name for service in services}
    told = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([told, *waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (told, *waiting):
            task.cancel()
    return None if told in done else next(name for task, name in waiting.items() if task in done)


def _place(settings: Settings) -> str:
    return "PostgreSQL" if settings.database_url else str(settings.sqlite_file)
