"""The whole way: from a source's message through intake, router, dispatch and audit to what a destination reads.

All four services in one process, beside a bare handler that does it in one step and keeps nothing (rate), and beside
the store-less client at 200 events a second (latency, from the source's publish to the first route message read).
"""

from __future__ import annotations

import asyncio
from typing import Any

import nats
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import DeliverPolicy

from bench import events
from bench.report import Report, WrongResult, percentile
from bench.stage import Run, Stage, sides, stage
from services.ground import streams

EACH_SECOND = 200
WARM_SECONDS = 2
GRACE_SECONDS = 60.0
LOGGED = ("whole", "whole-unproved")  # sides that keep an audit log


async def run(*, quick: bool) -> Report:
    """Measure both sides of both questions, interleaved, three times."""
    count, seconds, repeats = (500, 3, 1) if quick else (3000, 10, 3)
    report = Report("whole_way")
    for sync, said in (("always", "sync always"), ("2m", "broker's default sync")):
        own, bare = [], []
        for _ in range(repeats):
            own.append((await saturated("whole", count, nats_sync=sync)).rate)
            bare.append((await saturated("bare-intake", count, nats_sync=sync)).rate)
        report.figure(f"whole way ({said})", "ev/s", own)
        report.figure(f"bare FastStream ({said})", "ev/s", bare)
        report.ratio(f"whole way to bare FastStream ({said})", own, bare, "at least", 1.5)
        ours = [await latencies("whole", seconds, nats_sync=sync) for _ in range(repeats)]
        theirs = [await latencies("storeless-intake", seconds, nats_sync=sync) for _ in range(repeats)]
        for share, label, target in ((0.5, "p50", 3), (0.99, "p99", 4)):
            mine, other = ([percentile(one, share) for one in runs] for runs in (ours, theirs))
            report.figure(f"whole way, {label} at {EACH_SECOND}/s ({said})", "ms", mine)
            report.figure(f"store-less client, {label} at {EACH_SECOND}/s ({said})", "ms", other)
            report.ratio(f"whole way to store-less client, {label} ({said})", mine, other, "at most", target)
    return report


async def saturated(side: str, count: int, *, nats_sync: str) -> Run:
    """The rate over a preloaded stream, until the last route is stored, and where there is a log its last entry.

    Collected at intake, altered by the router, disclosed by dispatch: each is entered, in the log, and on the queue.
    """
    async with stage(nats_sync=nats_sync) as on:
        routes = await on.preload(count, stream=streams.INTAKE)
        async with sides(on, [side]) as [started]:
            expected = {streams.ROUTE: routes}
            if side in LOGGED:
                expected[streams.AUDIT] = 2 * count + routes
            return await on.finish(started, count, stream=streams.INTAKE, expected=expected)


async def latencies(side: str, seconds: int, *, nats_sync: str) -> list[float]:
    """Milliseconds from the source's publish to the first route message read, one a event, the warm-up left out."""
    async with stage(nats_sync=nats_sync) as on, sides(on, [side]) as [started]:
        started.go()
        await asyncio.sleep(WARM_SECONDS)
        source = await _partner(on)
        destination = await _partner(on)
        sent: dict[str, float] = {}
        read: dict[str, float] = {}
        now = asyncio.get_running_loop().time

        async def on_route(message: Msg) -> None:
            reference = _reference(orjson.loads(message.data))
            if reference is not None:
                read.setdefault(reference, now())

        await destination.jetstream().subscribe(
            "route.*", stream=streams.ROUTE, cb=on_route, ordered_consumer=True, deliver_policy=DeliverPolicy.ALL
        )
        total = EACH_SECOND * (seconds + WARM_SECONDS)
        begun = now()
        for number in range(total):
            if (wait := begun + number / EACH_SECOND - now()) > 0:
                await asyncio.sleep(wait)
            raw = events.submitted(number)
            sent[f"NS/{number}/26"] = now()
            await source.publish(f"intake.{events.SOURCE}.referral", raw, reply="bench.confirmed")
        deadline = now() + GRACE_SECONDS
        while len(read) < total:
            started.require_alive()
            if now() > deadline:
                raise WrongResult(f"{total - len(read)} of {total} events reached no destination")
            await asyncio.sleep(0.05)
        await source.close()
        await destination.close()
        measured = [f"NS/{number}/26" for number in range(EACH_SECOND * WARM_SECONDS, total)]
        return [(read[reference] - sent[reference]) * 1000 for reference in measured]


def _reference(envelope: dict[str, Any]) -> str | None:
    """Of a route message the source's reference; not every destination may read it, but one of each event's may."""
    data = envelope.get("data") or {}
    found = data.get("fields", data).get("reference")
    return found if isinstance(found, str) else None


async def _partner(on: Stage) -> Client:
    return await nats.connect(on.world.nats_url)
