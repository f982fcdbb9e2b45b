"""One world from its beginning to its end: a load amid faults, then all is mended, then everything must finish.

`play(seed)` is a function of the seed alone, given PYTHONHASHSEED (Python orders its sets by it).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

import structlog
from structlog.typing import EventDict

from services.audit import giving_out
from services.ground import keys, microbatch, publisher
from services.ground.handler import Incoming
from services.ground.outbox import note_streams
from services.ground.settings import Settings
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import RuleSet
from tests.sim.broker import Broker
from tests.sim.chaos import Chaos, Fault, Trace
from tests.sim.check import Ended, lost_for_good, not_taken, problems_at_the_end
from tests.sim.client import SimClient
from tests.sim.clock import BEGIN, moment, seeded_ids
from tests.sim.hosts import Host, Surroundings
from tests.sim.loop import Process, TooManySteps, VirtualLoop, current
from tests.sim.people import CASEWORK, DENSE, LOAD_SECONDS, USUAL, Load, People
from tests.sim.store import SimDatabase, the_store
from tests.sim.weather import SKEW_SECONDS, Weather

HEAL_SECONDS = LOAD_SECONDS + 5.0
FINISH_SECONDS = 600.0  # simulated, from when all is mended
LOOK_SECONDS = 2.0

# Days pass at a moment of their own, and all that fell due in them is late: as after a night, or an outage of all.
LEAP_HOURS = (5, 28, 28, 60, 60, 200, 800)
LEAPS_AT_LAST = 0.4  # how often once more, when all is mended
SERVICES = ("intake", "router", "dispatch", "audit")
HOSTS = (("intake",), ("router",), ("router",), ("dispatch",), ("audit",))
# All in one process, which hands on from service to service; beside it another one, or a service by itself, or none.
ALL_IN_ONE = (SERVICES,)

# Slower than in life in proportion to each other, so that a world has few of them.
FLUSH_SECONDS = 5.0
APPEND_SECONDS = 5.0
WAIT_SECONDS = 5.0
KEYS_AHEAD = 24  # few, so that they are used up, and made, amid the faults too
RECONCILE_SECONDS = 30.0


@dataclass
class Outcome:
    """What became of a seed."""

    seed: int
    problems: list[str]
    digest: str
    faults: Counter[str]
    seconds: float  # simulated
    steps: int
    messages: int  # published by sources
    taken: Counter[str]  # events by their kind, as the router took them
    refused: Counter[str]  # and why it, or intake, refused others
    lines: list[str] = field(repr=False, default_factory=list)


@cache
def _rules() -> RuleSet:
    return load_rule_set(Settings().rules_dir)


@cache
def _settings() -> Settings:
    return Settings(
        sweep_seconds=8,
        redelivery_seconds=(6, 8, 12),
        publish_seconds=2,
        timer_seconds=4,
        reconcile_seconds=RECONCILE_SECONDS,
        flush_seconds=FLUSH_SECONDS,
        append_seconds=APPEND_SECONDS,
        max_attempts=2,
        drain_seconds=4,
        window=64,
    )


def play(
    seed: int, *, stressing: Collection[Fault] = (), load: Load | None = None, keep_lines: bool = False
) -> Outcome:
    """Run one seed; with `stressing`, in a world that has much of these faults, and much to do. `load` says what."""
    chance = Random(seed)
    loop = VirtualLoop(chance)
    trace = Trace(loop.time)
    with ExitStack() as stack:
        stack.enter_context(seeded_ids(chance))
        stack.enter_context(_constants(chance))
        stack.enter_context(_logged(trace))
        world = _World(loop, chance, trace, stressing, load)
        world.build()
        task = loop.spawn(world.outside, world.live())
        try:
            loop.run(task)
        except TooManySteps:
            world.problems.append("it turns in a circle")
        finally:
            loop.end()
        problems = world.problems + loop.errors + ([] if world.unfinished else world.check())
    return Outcome(
        seed,
        problems,
        trace.digest,
        Counter({str(fault): n for fault, n in world.chaos.struck.items()}),
        loop.time(),
        loop.steps,
        len(world.people.sent),
        Counter(dict(world.store.rows("SELECT kind, count(*) FROM case_events GROUP BY kind"))),
        Counter(dict(world.store.rows("SELECT reason, count(*) FROM quarantine GROUP BY reason"))),
        trace.lines if keep_lines or problems else [],
    )


class _World:
    def __init__(
        self, loop: VirtualLoop, chance: Random, trace: Trace, stressing: Collection[Fault], load: Load | None
    ) -> None:
        self.load = load
        self.loop, self.chance, self.trace, self.stressing = loop, chance, trace, stressing
        self.problems: list[str] = []
        self.unfinished = False
        self.due_by = BEGIN  # timers that were due by then must have been looked at in the end

    def build(self) -> None:
        chance, loop = self.chance, self.loop
        self.chaos = chaos = Chaos(chance, self.trace, stressing=self.stressing)
        changes = {
            "partitions": chance.randint(1, 3),
            "batch_size": chance.choice((1, 4, 256, 256)),
            "lease_seconds": chance.choice((12.0, 12.0, 40.0)),  # in the last, none ever runs out
        }
        settings = _settings().model_copy(update=changes)
        self.window = chance.choice((3600.0, 3600.0, 2.0))  # in which the broker knows a message's id
        if Fault.BROKER_CUT in chaos.every:
            self.window = 3600.0  # two losses and a repeat beyond the window at one place hide one another
        self.broker = Broker(loop, chaos, settings, window=self.window)
        self.outside = Process("outside")
        self.store = the_store()
        self.store.empty()
        with self.store.connection.begin():  # as `onward migrate` does
            note_streams(self.store.connection, {name: stream.created for name, stream in self.broker.streams.items()})
        client = SimClient("outside", self.outside, self.broker)
        database = SimDatabase(self.store, self.outside, loop, _Calm(chance, self.trace))
        load = self.load or (DENSE if self.stressing else chance.choice((USUAL, USUAL, CASEWORK)))
        self.people = People(loop, self.outside, self.broker, chaos, self.store, client, database, settings, load)
        self.tripped: set[str] = set()
        around = Surroundings(
            loop, chaos, self.broker, self.store, settings, _rules(), self.problems.append, self._trips
        )
        usual = chance.choice((HOSTS, ALL_IN_ONE))
        more = chance.choice(((), ((chance.choice(SERVICES),),), (SERVICES,) if usual is ALL_IN_ONE else ()))
        hosts = [*usual, *more]
        self.hosts = [Host(services, number, around, self.outside) for number, services in enumerate(hosts, 1)]
        self.weather = Weather(loop, chaos, self.broker, self.hosts, lease_seconds=settings.lease_seconds)

    async def live(self) -> None:
        for host in self.hosts:
            host.start()
        await self.people.start()
        for fault, mean_seconds in self.chaos.every.items():
            self.loop.spawn(self.outside, self.weather.strike(fault, mean_seconds))
        for _ in range(self.chance.choice(self.people.load.leaps)):
            self.loop.spawn(self.outside, self._leap(self.chance.uniform(LOAD_SECONDS / 3, HEAL_SECONDS)))
        await asyncio.sleep(HEAL_SECONDS)
        self.tripped = set(self.people.tripped)
        self.trace.note("outside", "all is mended")
        self.chaos.calm()
        self.weather.mend()
        if self.chance.random() < LEAPS_AT_LAST:
            await self._leap(LOOK_SECONDS)
        await self._finish()

    async def _leap(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        hours = self.chance.choice(LEAP_HOURS)
        self.trace.note("outside", f"{hours} hours pass")
        self.loop.leapt += 3600.0 * hours
        self.due_by = moment(self.loop)

    async def _finish(self) -> None:
        deadline = self.loop.time() + FINISH_SECONDS
        losses = self.broker.losses
        await asyncio.sleep(RECONCILE_SECONDS if losses else LOOK_SECONDS)
        resent = False
        while busy := self._busy() or (None if resent else "to be sent again"):
            if busy == "to be sent again":
                resent = True
                await self.people.after_all_is_mended()
            elif self.loop.time() > deadline:
                self.unfinished = True
                self.problems.append(f"not finished {FINISH_SECONDS:g} s after all was mended: {busy}")
                return
            await asyncio.sleep(LOOK_SECONDS)

    def _busy(self) -> str | None:
        if self.people.busy:
            return "somebody outside"
        if busy := self.broker.busy():
            return busy
        for what, query in _LEFT:
            if n := self.store.rows(query.format(due_by=f"{self.due_by:%Y-%m-%d %H:%M:%S}"))[0][0]:
                return f"{n} {what}"
        if lost := lost_for_good(self.store, self.broker):
            return f"{len(lost)} not sent again, as {lost[0]}"
        # A broker that lost messages can take an old acknowledgement for a new one: seen at the second look from then.
        untaken = not_taken(self.store.rows) if self.broker.losses else []
        return f"{len(untaken)} messages, as one {untaken[0]}" if untaken else None

    def _trips(self, message: Incoming[Any]) -> bool:
        event = getattr(message.body, "event", None)
        return event is not None and event.originid in self.people.tripped

    def check(self) -> list[str]:
        ended = Ended(
            self.store,
            self.broker,
            self.people.sent,
            frozenset(self.tripped),
            bool(self.broker.losses) or self.window < 60,
            self.loop.time() + self.loop.leapt,
            moment(self.loop),
            SKEW_SECONDS,
            self.due_by,
        )
        try:
            return problems_at_the_end(ended)
        finally:
            self.store.connection.rollback()


_LEFT = (
    ("to send", "SELECT count(*) FROM outbox WHERE sent_at IS NULL"),
    ("to be appended to the log", "SELECT count(*) FROM audit_entries"),
    (
        "of the log to be given out",
        "SELECT count(*) FROM log_entries WHERE position >= (SELECT coalesce(max(position), 0) FROM log_given)",
    ),
    ("waiting for a predecessor", "SELECT count(*) FROM early"),
    (
        "due and not looked at",
        "SELECT count(*) FROM timers WHERE due_at <= '{due_by}' AND taken_at IS NULL AND cancelled_at IS NULL",
    ),
)


class _Calm(Chaos):
    """For those outside, whose store never fails."""

    def __init__(self, chance: Random, trace: Trace) -> None:
        super().__init__(Random(0), trace)
        self.chance = chance
        self.calm()


@contextmanager
def _constants(chance: Random) -> Iterator[None]:
    """Chores come seldom, for each costs as much as an event; atomic batches begin early in some worlds."""
    atomic_from = chance.choice((2, 4, 16))
    changes = (
        (giving_out, "PAGE", 4 * atomic_from),
        (keys, "BLOCK", KEYS_AHEAD),
        (microbatch, "WAIT_SECONDS", WAIT_SECONDS),
        (publisher, "ATOMIC_FROM", atomic_from),
    )
    before = [(module, name, getattr(module, name)) for module, name, _ in changes]
    for module, name, value in changes:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


@contextmanager
def _logged(trace: Trace) -> Iterator[None]:
    """What the services log becomes lines of the trace."""

    def note(_: object, __: str, event: EventDict) -> EventDict:
        what = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("service", "event"))
        trace.note(current().name, f"logs {event['event']} {what}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[note], wrapper_class=structlog.BoundLogger, cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)
