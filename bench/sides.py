"""The process of one side: `python -m bench.sides NAME`. Says "ready", works from "go" until its input ends."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from bench.bare import bare
from bench.storeless import storeless
from services.audit import tree
from services.cli.wiring import SERVICES
from services.ground.clock import WallClock
from services.ground.collector import calm_collector
from services.ground.log import configure_logging
from services.ground.service import Service
from services.ground.settings import Settings, load_settings
from services.ground.work import Work
from services.ground.world import open_world

Start = Callable[[], Awaitable[None]]


@asynccontextmanager
async def _own(settings: Settings, *names: str) -> AsyncIterator[Start]:
    """Services whose rules are read before the start, as the other sides' code is."""
    async with open_world(settings, WallClock()) as world:
        services = [await SERVICES[name](world) for name in names]
        calm_collector()

        async def start() -> None:
            for service in reversed(services):
                await service.start()

        try:
            yield start
        finally:
            for service in services:
                await service.stop()


def _nothing(*_: object, **__: object) -> None:
    """In place of a part that is left out."""


@asynccontextmanager
async def _unproved(settings: Settings) -> AsyncIterator[Start]:
    """All services, and the log is only kept and given out on the queue: no tree, nothing signed, nothing published."""
    tree.append = _nothing
    with_duties = Service.__init__

    def without(self: Service, *args: Any, **named: Any) -> None:
        kept = [duty for duty in named.pop("duties", ()) if duty.name not in ("sign_log", "publish_log")]
        with_duties(self, *args, **named, duties=kept)

    Service.__init__ = without  # type: ignore[method-assign]
    async with _own(settings, *SERVICES) as start:
        yield start


@asynccontextmanager
async def _unlogged(settings: Settings) -> AsyncIterator[Start]:
    """All services but audit, and nobody writes an entry."""
    Work.audit = _nothing  # type: ignore[method-assign]
    async with _own(settings, *(name for name in SERVICES if name != "audit")) as start:
        yield start


SIDES: Final[dict[str, Callable[[Settings], AbstractAsyncContextManager[Start]]]] = {
    "router": lambda settings: _own(settings, "router", "audit"),  # which gives out what the router enters
    "whole": lambda settings: _own(settings, *SERVICES),
    "whole-unproved": _unproved,
    "whole-unlogged": _unlogged,
    "storeless-case": lambda settings: storeless(settings, "CASE", atomic=None),
    "storeless-case-atomic": lambda settings: storeless(settings, "CASE", atomic="whole batch"),
    "storeless-intake": lambda settings: storeless(settings, "INTAKE", atomic=None),
    "bare-case": lambda settings: bare(settings, "CASE", workers=1),
    "bare-case-concurrent": lambda settings: bare(settings, "CASE", workers=64),
    "bare-intake": lambda settings: bare(settings, "INTAKE", workers=1),
}


async def _main(name: str) -> None:
    settings = load_settings()
    configure_logging(settings)
    loop = asyncio.get_running_loop()
    async with SIDES[name](settings) as start:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        if await loop.run_in_executor(None, sys.stdin.readline):
            await start()
        await loop.run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
