"""Years of timers in seconds: a clock that jumps, processes that die, and a model that says what must have fired when.

The store, the firing and the steps that set and cancel timers are the real ones. After every tick the messages that are
there to be published are held against the model: none early, none twice, none that was cancelled, none missing.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias

import orjson
from sqlalchemy import Connection, select

from schemas.envelope import Channel
from schemas.registry import read_submission
from schemas.timer import TimerFellDue
from schemas.vocabulary import TimerKind
from services.ground import tables
from services.ground.database import Database, open_database
from services.ground.opening import read_gently
from services.ground.settings import Settings
from services.ground.work import Work
from services.router.casework.case import Case
from services.router.casework.steps import Step, TimerCancelled, TimerSet
from services.router.keep import Cause, Keeping
from services.router.rules.calendar import moment_of
from services.router.timers import fire_due
from tests.support.opening import make_known

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
LAST_TICK = END + timedelta(days=400)  # whatever was set last is due by then
PERSON = "01938f00-0000-7000-8000-00000000a001"
ONE_INSTANT = timedelta(microseconds=1)


class Died(Exception):
    """The process ended here."""


class Mistaken(AssertionError):
    """A timer that fired early, twice, after it was cancelled, or not at all."""


@dataclass
class Fate:
    """Where this tick's process dies, if it does."""

    at: str | None = None

    def point(self, name: str) -> None:
        """A place in which a process can die."""
        if name == self.at:
            raise Died(name)


Firing: TypeAlias = Callable[[Database, datetime, int, Fate], Awaitable[None]]
POINTS = ("in the transaction", "before the commit", "after the commit", "between two transactions")


async def fire(database: Database, now: datetime, page: int, fate: Fate) -> None:
    """What the router's chore does: page after page, a transaction each."""
    more = True
    while more:

        def body(connection: Connection) -> bool:
            work = Work(connection, service="router", now=now)
            left = fire_due(work, page=page)
            fate.point("in the transaction")
            work.finish()
            fate.point("before the commit")
            return left

        more = await database.write(body)
        fate.point("after the commit")


@dataclass
class Campaign:
    """One run."""

    settings: Settings
    timers: int
    ticks: int
    page: int
    seed: int = 1
    firing: Firing = fire
    due: dict[str, datetime] = field(default_factory=dict)  # every timer that was set
    fired: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    waiting: list[tuple[datetime, str]] = field(default_factory=list)  # a heap
    deaths: int = 0
    restarts: int = 0
    back: int = 0  # jumps of the clock
    seen: str = ""  # the last row of the outbox that was looked at

    async def run(self) -> None:
        """Ten years. Raises Mistaken at the first thing that is wrong."""
        chance = random.Random(self.seed)
        database = await open_database(self.settings)
        await database.write(lambda c: make_known(c, PERSON))
        try:
            wanted = moments(chance, self.timers, ties=3 * self.page + 7)
            at_first = len(wanted) * 7 // 10
            await self._set(database, START, wanted[:at_first])
            later = wanted[at_first:]
            now, each = START, 1 + 2 * len(later) // self.ticks
            while now < LAST_TICK:
                now = self._next(now, chance)
                if chance.random() < 0.05:
                    await database.close()
                    database = await open_database(self.settings)
                    self.restarts += 1
                if later and chance.random() < 0.8:
                    # Set after they were due, now, or for later: `wanted` knows nothing of where the clock stands.
                    await self._set(database, now, [min(due + (now - START) / 4, END) for due in later[:each]])
                    del later[:each]
                if chance.random() < 0.3:
                    await self._cancel_some(database, now, chance)
                fate = Fate(chance.choice(POINTS) if chance.random() < 0.1 else None)
                await self._tick(database, now, fate)
            await self._set(database, now, later)
            await self._tick(database, now, Fate())
            await self._end(database)
        finally:
            await database.close()

    async def _tick(self, database: Database, now: datetime, fate: Fate) -> None:
        died = False
        try:
            await self.firing(database, now, self.page, fate)
        except Died:
            died = True
            self.deaths += 1
        for id_, due in await self._published(database):
            if due != self.due[id_]:
                raise Mistaken(f"says that it was due {due}, and was due {self.due[id_]}")
            if due > now:
                raise Mistaken(f"fired at {now}, due {due}: early")
            if id_ in self.fired:
                raise Mistaken(f"fired twice, due {due}")
            if id_ in self.cancelled:
                raise Mistaken(f"was cancelled and fired, due {due}")
            self.fired.add(id_)
        while self.waiting and (self.waiting[0][1] in self.fired or self.waiting[0][1] in self.cancelled):
            heapq.heappop(self.waiting)
        if not died and self.waiting and self.waiting[0][0] <= now:
            raise Mistaken(f"not fired at {now}, due {self.waiting[0][0]}")

    async def _published(self, database: Database) -> list[tuple[str, datetime]]:
        """What there is to be published and was not seen before: timer and due time."""
        row = tables.payloads.c
        query = select(row.id, row.payload).where(row.id > self.seen).order_by(row.id)
        rows = await database.read(lambda c: read_gently(c, query))
        if rows:
            self.seen = rows[-1]["id"]
        messages = [orjson.loads(r["payload"]) for r in rows]
        return [(m["id"], datetime.fromisoformat(m["data"]["due_at"])) for m in messages]

    async def _end(self, database: Database) -> None:
        if missing := set(self.due) - self.fired - self.cancelled:
            raise Mistaken(f"{len(missing)} never fired")
        query = select(tables.payloads).limit(500)
        for row in await database.read(lambda c: read_gently(c, query)):
            assert isinstance(read_submission(row["payload"], Channel.TIMER).data, TimerFellDue)

    def _next(self, now: datetime, chance: random.Random) -> datetime:
        """Where the clock stands at the next tick. It may have stood still, jumped ahead, or been set back."""
        usual = (LAST_TICK - START) / self.ticks
        kind = chance.random()
        if kind < 0.06:
            self.back += 1
            return max(START, now - chance.choice([timedelta(minutes=1), timedelta(hours=1), usual, timedelta(days=2)]))
        if kind < 0.20 and self.waiting and self.waiting[0][0] > now:
            return self.waiting[0][0]  # the very moment
        if kind < 0.30 and self.waiting and self.waiting[0][0] > now + ONE_INSTANT:
            return self.waiting[0][0] - ONE_INSTANT
        if kind < 0.32:
            return now + 10 * usual * chance.random()  # an outage
        return now + 2 * usual * chance.random()

    async def _set(self, database: Database, now: datetime, due: list[datetime]) -> None:
        kinds = list(TimerKind)

        def body(work: Work) -> list[Step]:
            return [TimerSet(work.id(), kinds[n % len(kinds)], moment) for n, moment in enumerate(due)]

        for step in await self._keep(database, now, body):
            assert isinstance(step, TimerSet)
            self.due[step.id] = step.due_at
            heapq.heappush(self.waiting, (step.due_at, step.id))

    async def _cancel_some(self, database: Database, now: datetime, chance: random.Random) -> None:
        """Also some that have fired already: that changes nothing of what was sent."""
        some = [self.waiting[chance.randrange(min(len(self.waiting), 50))][1] for _ in range(3) if self.waiting]
        steps: list[Step] = [TimerCancelled("moved on", timer_id=id_) for id_ in some]
        await self._keep(database, now, lambda _: steps)
        self.cancelled |= set(some) - self.fired

    async def _keep(self, database: Database, now: datetime, make: Callable[[Work], list[Step]]) -> list[Step]:
        def body(connection: Connection) -> list[Step]:
            work = Work(connection, service="router", now=now)
            keeping, case, cause = Keeping(work), Case(PERSON, now), Cause("event", "source", "decision")
            steps = make(work)
            for step in steps:
                keeping.step(step, case, cause)
            keeping.write()
            work.finish()
            return steps

        return await database.write(body)


def moments(chance: random.Random, count: int, *, ties: int) -> list[datetime]:
    """Due times of ten years: where clocks change, on leap days, at nine o'clock, anywhere, and many at one moment."""
    found = [moment for year in range(START.year, END.year) for moment in _odd_moments(year)]
    found += [moment_of(date(2027, 6, 1), time(9))] * ties
    days = (END - START).days
    while len(found) < count:
        day = START.date() + timedelta(days=chance.randrange(days))
        if chance.random() < 0.5:
            found.append(moment_of(day, time(9)))
        else:
            found.append(START + (END - START) * chance.random())
    chance.shuffle(found)
    return found[:count] if count > ties else found


def _odd_moments(year: int) -> list[datetime]:
    found: list[datetime] = []
    for month in (3, 10):
        day = max(date(year, month, n) for n in range(25, 32) if date(year, month, n).weekday() == 6)
        change = datetime.combine(day, time(1), UTC)
        around = (-3600, -1800, -1, 0, 1, 1800, 3600)
        found += [change + timedelta(seconds=seconds) for seconds in around]
        found += [change - ONE_INSTANT, change + ONE_INSTANT]
        found += [moment_of(day, time(hour, minute)) for hour in (0, 1, 2, 9) for minute in (0, 30)]
    for day in (date(year, 2, 28), date(year, 2, 28) + timedelta(days=1), date(year, 12, 31)):  # 29 Feb, where it is
        found += [moment_of(day, time(0)), moment_of(day, time(9)), moment_of(day, time(23, 59, 59, 999_999))]
    return found
