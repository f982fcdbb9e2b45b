"""The router step: decode, validate, decide, one transaction, publish routes and audit, acknowledge.

Beside it on the same events: the fastest store-less client, a bare FastStream handler, and our own unit of work held to
one message at a time. With the broker syncing each write to disk (what Onward requires) and with its default.
"""

from __future__ import annotations

from collections import defaultdict

from bench.report import Report
from bench.stage import Run, sides, stage
from services.ground import streams

SYNCS = (("always", "sync always"), ("2m", "broker's default sync"))
FEWER = 5  # the slow side gets a fifth of the events
ONE_AT_A_TIME = {"batch_size": 1, "overlap": 1}


async def run(*, quick: bool) -> Report:
    """Measure every side, interleaved, three times."""
    count, repeats = (1000, 1) if quick else (10_000, 3)
    report = Report("router_step")
    for sync, said in SYNCS:
        rates: dict[str, list[float]] = defaultdict(list)
        cpu: dict[str, list[float]] = defaultdict(list)
        for _ in range(repeats):
            for name, side, number, settings in (
                ("router", "router", count, {}),
                ("store-less, pipelined", "storeless-case", count, {}),
                ("store-less, atomic batches", "storeless-case-atomic", count, {}),
                ("bare FastStream", "bare-case", count, {}),
                ("bare FastStream, 64 at once", "bare-case-concurrent", count, {}),
                ("router, one message at a time", "router", count // FEWER, ONE_AT_A_TIME),
            ):
                done = await measure(side, number, nats_sync=sync, **settings)
                rates[name].append(done.rate)
                cpu[name].append(done.cpu_microseconds)
        for name, values in rates.items():
            report.figure(f"{name} ({said})", "ev/s", values)
        for name in ("router", "store-less, pipelined", "bare FastStream"):
            report.figure(f"{name}: CPU an event ({said})", "us", cpu[name])
        fastest = [
            max(pair) for pair in zip(rates["store-less, pipelined"], rates["store-less, atomic batches"], strict=True)
        ]
        report.ratio(f"router to the faster store-less client ({said})", rates["router"], fastest, "at least", 0.40)
        report.ratio(f"router to bare FastStream ({said})", rates["router"], rates["bare FastStream"], "at least", 4)
        report.ratio(
            f"router to one message at a time ({said})",
            rates["router"],
            rates["router, one message at a time"],
            "at least",
            12,
        )
    report.notes.append("about 1.7 routes an event; the store-less client publishes as many and one audit message")
    return report


async def measure(side: str, count: int, *, nats_sync: str, **settings: object) -> Run:
    """One side over a preloaded stream of accepted events, in a fresh world."""
    async with stage(nats_sync=nats_sync) as on:
        routes = await on.preload(count, stream=streams.CASE)
        if side == "router":
            expected = {streams.DISPATCH: routes, streams.AUDIT: count}
        elif side.startswith("storeless"):
            expected = {streams.ROUTE: routes + count}
        else:
            expected = {streams.ROUTE: routes}
        async with sides(on, [side], **settings) as [started]:
            return await on.finish(started, count, stream=streams.CASE, expected=expected)
