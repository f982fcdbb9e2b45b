"""What becomes of the router's rate as the store grows, with a second router, and of its memory over many events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from bench.fill import copy_seed, forget_seed, keep_seed
from bench.report import Report, WrongResult
from bench.stage import Side, Stage, sides, stage
from services.ground import streams
from tests.support.postgres import drop_database, new_database, postgres_server

SEED = 1000
SHARED_OUT_SECONDS = 30.0
ALONE = {"reconcile_seconds": 86400}  # no reader runs here, so the reconciler would send all again after a while


async def run(*, quick: bool) -> Report:
    """Each store small and large; one router and two; memory."""
    count, repeats = (1000, 1) if quick else (4000, 3)
    small, large = 10_000, 100_000 if quick else 1_000_000
    report = Report("growth")
    with postgres_server() as server:
        for store, target in (("SQLite", 0.4), ("PostgreSQL", 0.7)):
            async with _stage(store, server) as on:
                rates = await _small_and_large(on, count, repeats, small=small, large=large)
            for rows, values in zip((small, large), rates, strict=True):
                report.figure(f"router on {store}, {rows:,} decisions stored", "ev/s", values)
            report.ratio(f"{large:,} decisions to {small:,} on {store}", rates[1], rates[0], "at least", target)
        alone: list[float] = []
        together: list[float] = []
        for _ in range(repeats):
            for routers, found in ((1, alone), (2, together)):
                async with _stage("PostgreSQL", server) as on:
                    found.append(await _routers(on, routers, count))
    report.figure("one router process on PostgreSQL", "ev/s", alone)
    report.figure("two router processes on PostgreSQL", "ev/s", together)
    report.ratio("two router processes to one", together, alone, "at least", 1.5)
    early, late = (2_000, 10_000) if quick else (20_000, 100_000)
    before, after = await _memory(early, late)
    report.figure(f"router's memory after {early:,} events", "MiB", [before])
    report.figure(f"router's memory after {late:,} events", "MiB", [after])
    report.ratio("memory late to early", [after], [before], "at most", 1.15)
    return report


@asynccontextmanager
async def _stage(store: str, server: str) -> AsyncIterator[Stage]:
    if store == "SQLite":
        async with stage() as on:
            yield on
        return
    url = await new_database(server)
    try:
        async with stage(database_url=url) as on:
            yield on
    finally:
        await drop_database(server, url)


class _Counted:
    """Events sent so far, and what they must have become."""

    def __init__(self, on: Stage) -> None:
        self._on = on
        self.events = 0
        self.routes = 0

    async def preload(self, count: int) -> None:
        self.routes += await self._on.preload(count, stream=streams.CASE, first=self.events)
        self.events += count

    @property
    def expected(self) -> dict[str, int]:
        return {streams.DISPATCH: self.routes, streams.AUDIT: self.events}


async def _small_and_large(
    on: Stage, count: int, repeats: int, *, small: int, large: int
) -> tuple[list[float], list[float]]:
    counted = _Counted(on)
    await _rate(on, counted, SEED)
    write = on.world.database.write
    seed = await write(keep_seed)
    if seed != SEED:
        raise WrongResult(f"{seed} decisions of {SEED} events")
    rates: list[list[float]] = []
    copies = 0
    for size in (small, large):
        while (copies + 1) * SEED < size:
            copies += 1
            await write(lambda c, n=copies: copy_seed(c, n))  # type: ignore[misc]
        await _rate(on, counted, SEED // 5)  # the first start looks through all that was copied
        rates.append([await _rate(on, counted, count) for _ in range(repeats)])
    await write(forget_seed)
    return rates[0], rates[1]


async def _rate(on: Stage, counted: _Counted, count: int) -> float:
    await counted.preload(count)
    async with sides(on, ["router"], **ALONE) as [router]:
        return (await on.finish(router, count, stream=streams.CASE, expected=counted.expected)).rate


async def _routers(on: Stage, number: int, count: int) -> float:
    """The rate of so many routers that have shared the partitions out before the first event comes."""
    counted = _Counted(on)
    async with sides(on, ["router"] * number, **ALONE) as routers:
        for router in routers:
            router.go()
        await _shared_out(on, number)
        loop = asyncio.get_running_loop()
        before = loop.time()
        await counted.preload(count)
        await _until_done(on, counted, routers)
        return count / (loop.time() - before)


async def _until_done(on: Stage, counted: _Counted, routers: list[Side]) -> None:
    while {name: await on.stored(name) for name in counted.expected} != counted.expected:
        for router in routers:
            router.require_alive()
        await asyncio.sleep(0.02)


async def _shared_out(on: Stage, owners: int) -> None:
    query = text("SELECT count(*), count(DISTINCT owner) FROM leases WHERE service = 'router' AND owner IS NOT NULL")
    deadline = asyncio.get_running_loop().time() + SHARED_OUT_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        held, by = await on.world.database.read(lambda c: tuple(c.execute(query).one()))
        if held == on.settings.partitions and by == owners:
            return
        await asyncio.sleep(0.1)
    raise WrongResult(f"the partitions were not shared out among {owners} routers")


async def _memory(early: int, late: int) -> tuple[float, float]:
    """MiB that one router process holds after the early and after the late number of events."""
    found = []
    async with stage() as on:
        counted = _Counted(on)
        async with sides(on, ["router"], **ALONE) as [router]:
            router.go()
            for size in (early, late):
                await counted.preload(size - counted.events)
                await _until_done(on, counted, [router])
                found.append(router.resident_bytes / 2**20)
    return found[0], found[1]
