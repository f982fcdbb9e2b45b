"""What safety against a power cut costs: the router step with each write of the broker synced, or its default."""

from __future__ import annotations

from bench.report import Report
from bench.router_step import measure


async def run(*, quick: bool) -> Report:
    """Measure both, in turn, three times."""
    count, repeats = (1000, 1) if quick else (3000, 3)
    safe, default = [], []
    for _ in range(repeats):
        safe.append((await measure("router", count, nats_sync="always")).rate)
        default.append((await measure("router", count, nats_sync="2m")).rate)
    report = Report("durability")
    report.figure("router, sync always (atomic batches)", "ev/s", safe)
    report.figure("router, broker's default sync", "ev/s", default)
    report.ratio("sync always to the default", safe, default, "at least", 0.6)
    return report
