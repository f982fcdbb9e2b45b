"""What becomes of the router's rate as the store grows, with a second router, and of its memory over many events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import MappingProxyType
from typing import Final

from sqlalchemy import text

from bench.fill import Seed, forget_seed, require_open
from bench.progress import progress
from bench.report import Report, WrongResult
from bench.stage import PATIENCE_SECONDS, Side, Stage, sides, stage
from services.ground import streams
from tests.support.postgres import drop_database, new_database, postgres_server

SEED = 1000
SHARED_OUT_SECONDS = 30.0
ALONE = {"reconcile_seconds": 86400}  # no reader runs here, so the reconciler would send all again after a while


async def run(*, quick: bool) -> Report:
    """Each store small and large; one router and two; memory."""
    report = Report("growth")
    for part in PARTS.values():
        await part(report, quick)
    return report


async def run_part(name: str, *, quick: bool) -> Report:
    """One of the parts alone."""
    report = Report(f"growth_{name}")
    await PARTS[name](report, quick)
    return report


async def _stored_part(report: Report, quick: bool, *, store: str, target: float) -> None:  # noqa: FBT001
    count, repeats = (1000, 1) if quick else (4000, 3)
    small, large = 10_000, 100_000 if quick else 1_000_000
    with _server(store) as server:
        async with _stage(store, server) as on:
            rates = await _small_and_large(on, store, count, repeats, small=small, large=large)
    for rows, values in zip((small, large), rates, strict=True):
        report.figure(f"router on {store}, {rows:,} decisions stored", "ev/s", values)
    report.ratio(f"{large:,} decisions to {small:,} on {store}", rates[1], rates[0], "at least", target)


async def _routers_part(report: Report, quick: bool) -> None:  # noqa: FBT001
    count, repeats = (1000, 1) if quick else (4000, 3)
    alone: list[float] = []
    together: list[float] = []
    with postgres_server() as server, progress("one router and two", 2 * repeats) as done:
        for _ in range(repeats):
            for routers, found in ((1, alone), (2, together)):
                async with _stage("PostgreSQL", server) as on:
                    found.append(await _routers(on, routers, count))
                done(len(alone) + len(together))
    report.figure("one router process on PostgreSQL", "ev/s", alone)
    report.figure("two router processes on PostgreSQL", "ev/s", together)
    report.ratio("two router processes to one", together, alone, "at least", 1.5)


async def _memory_part(report: Report, quick: bool) -> None:  # noqa: FBT001
    early, late = (2_000, 10_000) if quick else (20_000, 100_000)
    before, after = await _memory(early, late)
    report.figure(f"router's memory after {early:,} events", "MiB", [before])
    report.figure(f"router's memory after {late:,} events", "MiB", [after])
    report.ratio("memory late to early", [after], [before], "at most", 1.15)


PARTS: Final[Mapping[str, Callable[[Report, bool], Awaitable[None]]]] = MappingProxyType(
    {
        "sqlite": partial(_stored_part, store="SQLite", target=0.4),
        "postgresql": partial(_stored_part, store="PostgreSQL", target=0.7),
        "routers": _routers_part,
        "memory": _memory_part,
    }
)


@contextmanager
def _server(store: str) -> Iterator[str]:
    """A PostgreSQL where one is needed."""
    if store == "SQLite":
        yield ""
        return
    with postgres_server() as server:
        yield server


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
    on: Stage, store: str, count: int, repeats: int, *, small: int, large: int
) -> tuple[list[float], list[float]]:
    counted = _Counted(on)
    await _rate(on, counted, SEED)
    write = on.world.database.write
    seed = await write(Seed)
    if seed.decisions != SEED:
        raise WrongResult(f"{seed.decisions} decisions of {SEED} events")
    rates: list[list[float]] = []
    copies = 0
    for size in (small, large):
        with progress(f"{store}: {size:,} decisions", size) as done:
            while (copies + 1) * SEED < size:
                copies += 1
                await write(lambda c, n=copies: seed.copy(c, n))  # type: ignore[misc]
                done((copies + 1) * SEED)
        if await on.world.database.read(lambda c, n=copies: require_open(c, n)) < SEED:  # type: ignore[misc]
            raise WrongResult("a copy holds less than was sealed in the seed")
        with progress(f"{store}: the router beside {size:,} decisions", repeats + 1) as done:
            await _rate(on, counted, SEED // 5)  # the first start looks through all that was copied
            rates.append([])
            for number in range(1, repeats + 1):
                done(number)
                rates[-1].append(await _rate(on, counted, count))
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
    """Raises WrongResult where the router publishes another number of messages."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while (found := {name: await on.stored(name) for name in counted.expected}) != counted.expected:
        if asyncio.get_running_loop().time() > deadline:
            raise WrongResult(f"not done after {PATIENCE_SECONDS:.0f} s: {found} in place of {counted.expected}")
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
            with progress("memory: events", late) as done:
                for size in (early, late):
                    while counted.events < size:
                        await counted.preload(min(SEED, size - counted.events))
                        await _until_done(on, counted, [router])
                        done(counted.events)
                    found.append(router.resident_bytes / 2**20)
    return found[0], found[1]
