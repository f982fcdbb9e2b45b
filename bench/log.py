"""The audit log: how quickly it takes entries, proves one, and what it costs the whole way; and its memory.

Entries are appended as the audit service does, in pages, each a transaction of its own with its part of the tree;
SQLite syncs each. What it costs is measured on the whole way: beside the same services with the tree, the
signing and the publishing left out (the log is kept, and nobody can prove it), and beside services that write no
entries at all.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from sqlalchemy import Connection

from bench.progress import progress
from bench.report import Report, WrongResult, percentile
from bench.whole_way import saturated
from schemas.log.merkle import inclusion_proof, leaf_hash, root_of, verify_inclusion
from schemas.vocabulary import AuditOperation
from services.audit import store, tree
from services.audit.appending import append_waiting
from services.ground.clock import WallClock
from services.ground.database import Database, open_database
from services.ground.migration import upgrade_schema
from services.ground.settings import Settings
from services.ground.work import Work, acting

MADE_AT_ONCE = 5_120  # entries that are made before the clock starts, so that memory shows the log's own
PROVED_AT = 1_000_000
PROOFS = 200
AT_ONCE = 65_536  # leaves, where only the tree is made
CLOCK = WallClock()


async def run(*, quick: bool) -> Report:
    """Append, prove, and the whole way with and without."""
    report = Report("log")
    early, late = (10_240, 51_200) if quick else (102_400, 1_024_000)
    await _append(report, early, late)
    await _prove(report)
    await _whole_way(report, *((1000, 1) if quick else (10_000, 3)))
    return report


async def _append(report: Report, early: int, late: int) -> None:
    """Rate and memory, in this process."""
    seconds, done, held = 0.0, 0, [0.0, 0.0]
    with tempfile.TemporaryDirectory(prefix="onward-bench-") as folder:
        database = await _fresh(Path(folder))
        with progress("log: entries", late) as show:
            while done < late:
                await database.write(lambda c, d=done: _enter(c, d, MADE_AT_ONCE))  # type: ignore[misc]
                before = time.perf_counter()
                while await database.read(store.something_waits):
                    await database.write(lambda c: append_waiting(Work(c, service="audit", now=CLOCK.now())))
                seconds += time.perf_counter() - before
                done += MADE_AT_ONCE
                held[done > early] = psutil.Process().memory_info().rss / 2**20
                show(done)
        if await database.read(store.length) != done:
            raise WrongResult("the log does not hold what it was given")
        await database.close()
    report.figure(f"entries appended a second, of {done:,}", "/s", [done / seconds])
    report.ratio("appended to 20,000 a second", [done / seconds], [20_000], "at least", 1)
    report.figure(f"memory at {early:,} entries", "MiB", [held[0]])
    report.figure(f"memory at {done:,} entries", "MiB", [held[1]])
    report.ratio("memory late to early", [held[1]], [held[0]], "at most", 1.15)
    if done < 100_000:
        report.notes.append("memory: SQLite's cache of 64 MB still fills; the whole benchmark begins after that")


async def _prove(report: Report) -> None:
    """Milliseconds of an inclusion proof, made from the store each with nothing in memory."""
    with tempfile.TemporaryDirectory(prefix="onward-bench-") as folder:
        database = await _fresh(Path(folder))
        for size in range(0, PROVED_AT, AT_ONCE):
            leaves = list(_leaves(size, min(PROVED_AT, size + AT_ONCE)))
            await database.write(lambda c, s=size, e=leaves: tree.append(c, s, e))  # type: ignore[misc]
        found = await database.read(_proofs)
        await database.close()
    report.figure(f"inclusion proof at {PROVED_AT:,} entries, median", "ms", [percentile(found, 0.5)])
    report.figure(f"inclusion proof at {PROVED_AT:,} entries, p99", "ms", [percentile(found, 0.99)])
    report.ratio("inclusion proof (median) to 2 ms", [percentile(found, 0.5)], [2], "at most", 1)


def _proofs(connection: Connection) -> list[float]:
    chance = random.Random(7)
    root = root_of(PROVED_AT, tree.reader(connection, PROVED_AT))
    found = []
    for _ in range(PROOFS):
        position = chance.randrange(PROVED_AT)
        before = time.perf_counter()
        proof = inclusion_proof(position, PROVED_AT, tree.reader(connection, PROVED_AT))
        found.append((time.perf_counter() - before) * 1000)
        [leaf] = _leaves(position, position + 1)
        verify_inclusion(leaf_hash(leaf), position, PROVED_AT, proof, root)
    return found


async def _whole_way(report: Report, count: int, repeats: int) -> None:
    whole: list[float] = []
    unproved: list[float] = []
    unlogged: list[float] = []
    with progress("log: the whole way", 3 * repeats) as done:
        for _ in range(repeats):
            for side, found in (("whole", whole), ("whole-unproved", unproved), ("whole-unlogged", unlogged)):
                found.append((await saturated(side, count, nats_sync="always")).rate)
                done(len(whole) + len(unproved) + len(unlogged))
    report.figure("whole way, with the log", "ev/s", whole)
    report.figure("whole way, the log kept and not proved", "ev/s", unproved)
    report.figure("whole way, no entries at all", "ev/s", unlogged)
    report.ratio("cost of proving: time with to without", unproved, whole, "at most", 1.15)
    report.ratio("cost of the log: time with to without", unlogged, whole, "at most", 1.15)


async def _fresh(folder: Path) -> Database:
    database = await open_database(Settings(_env_file=None, data_dir=folder))
    await database.write(upgrade_schema)
    return database


def _enter(connection: Connection, first: int, count: int) -> None:
    """Entries such as the router writes, as every transaction leaves them for the log."""
    work = Work(connection, service="router", now=CLOCK.now())
    for number in range(first, first + count):
        person = hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest()
        work.audit(
            AuditOperation.ALTER,
            actor=acting("northshire-police", organisation="northshire-police", role="source"),
            person_id=f"{person[:8]}-{person[8:12]}-7{person[13:16]}-8{person[17:20]}-{person[20:]}",
            records=[("event", work.id()), ("decision", work.id()), ("leg", work.id()), ("leg", work.id())],
            fields=("status",),
            purpose="routing",
            correlation_id=work.id(),
            decision_id=work.id(),
            rule_set=f"sha256:{person}{person}",
            because=[{"rule": "referral-dapp", "because": "Violence or threats towards a partner are referred."}],
        )
    work.finish()


def _leaves(begin: int, end: int) -> Iterator[bytes]:
    return (b"entry %d" % number for number in range(begin, end))
