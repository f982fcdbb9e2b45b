"""Runs benchmarks: `python -m bench [NAME ...] [--quick] [--json]`.

Ends with 0 whatever the figures are, and with 1 only where a side did not do its work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol

from bench import decide, durability, growth, log, prove, replay, router_step, whole_way
from bench.report import Report, WrongResult
from services.ground.log import configure_logging
from services.ground.settings import Settings


class _Benchmark(Protocol):
    def __call__(self, *, quick: bool) -> Awaitable[Report]: ...


BENCHMARKS: Final[Mapping[str, _Benchmark]] = {
    "router_step": router_step.run,
    "whole_way": whole_way.run,
    "durability": durability.run,
    "growth": growth.run,
    "decide": decide.run,
    "replay": replay.run,
    "prove": prove.run,
    "log": log.run,
}
PARTS: Final[Mapping[str, _Benchmark]] = {f"growth_{name}": partial(growth.run_part, name) for name in growth.PARTS}


async def _run(names: list[str], tell: Callable[[Report], None], *, quick: bool) -> list[Report]:
    reports = []
    for name in names:
        reports.append(await {**BENCHMARKS, **PARTS}[name](quick=quick))
        tell(reports[-1])
    return reports


def main() -> int:
    """Run what was asked for and print it."""
    known = ", ".join([*BENCHMARKS, *PARTS])
    parser = argparse.ArgumentParser(prog="python -m bench", description="Each prints ratios measured in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {known}; without one the first four")
    parser.add_argument("--quick", action="store_true", help="fewer events and one repeat: shows that it works")
    parser.add_argument("--json", action="store_true", help="one JSON document in place of text")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in BENCHMARKS and name not in PARTS]
    if unknown:
        parser.error(f"no benchmark called {unknown[0]!r}; there are {known}")
    configure_logging(Settings(_env_file=None, log_level="error", log_format="json"))

    def tell(report: Report) -> None:
        if not asked.json:
            print(report.text(), flush=True)

    try:
        reports = asyncio.run(_run(asked.names or list(BENCHMARKS), tell, quick=asked.quick))
    except WrongResult as wrong:
        print(f"wrong result: {wrong}", file=sys.stderr)
        return 1
    if asked.json:
        print(json.dumps([report.to_json() for report in reports], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
