"""The services' processes, started again by a supervisor whenever they die, and what happens to them on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.audit.appending import Appender
from services.audit.giving_out import LogQueue
from services.dispatch.handlers import DispatchHandler
from services.ground.consumer import Consumer
from services.ground.handler import Duty, Handler, Incoming, OfItself
from services.ground.settings import Settings
from services.ground.together import Together
from services.ground.world import World
from services.intake.handlers import IntakeHandler
from services.router import timers
from services.router.handlers import RouterHandler
from services.router.rules.ruleset import RuleSet
from services.router.shadow import InUse
from tests.sim.broker import Broker
from tests.sim.chaos import Chaos
from tests.sim.client import SimClient
from tests.sim.clock import SimClock
from tests.sim.invariants import Watched
from tests.sim.loop import Process, VirtualLoop
from tests.sim.store import SimDatabase, Store

RESTART_SECONDS = (0.2, 3.0)


@dataclass
class Surroundings:
    """What every process of a world shares."""

    loop: VirtualLoop
    chaos: Chaos
    broker: Broker
    store: Store
    settings: Settings
    rules: RuleSet
    found: Callable[[str], None]  # takes what is wrong
    trips: Callable[[Incoming[Any]], bool]


class Host:
    """A service, or all of them together, in one process after another."""

    def __init__(self, services: Sequence[str], number: int, around: Surroundings, outside: Process) -> None:
        self.services = services
        self.name = f"{services[0] if len(services) == 1 else 'all'}-{number}"
        self.around = around
        self.consumers: list[Consumer[Any]] = []
        self.database: SimDatabase | None = None
        self.clients: list[SimClient] = []
        self.process = Process(self.name)
        self._outside = outside
        self._away = self._sick = False  # the store, as seen from here
        self._lives = 0

    def start(self) -> None:
        """Begin a new life: a new process, which knows nothing of the last one but by the store."""
        around, last = self.around, self.process
        self._lives += 1
        self.process = process = Process(self.name)
        process.skew = last.skew
        process.on_death = self._on_death
        self.database = SimDatabase(around.store, process, around.loop, around.chaos)
        self.database.away, self.database.sick = self._away, self._sick
        # In a container the next life often has the last one's name; elsewhere its number differs.
        same_name = around.chaos.chance.random() < 0.5
        instance = f"{self.name}.{0 if same_name else self._lives}"
        self.consumers, self.clients = [], []
        together = Together()
        for service in self.services:
            self._add(service, instance, together)
        around.chaos.trace.note(self.name, f"starts as {instance}")
        around.loop.spawn(process, self._live(process, self.consumers))

    def _add(self, service: str, instance: str, together: Together) -> None:
        around = self.around
        assert self.database is not None
        client = SimClient(self.name, self.process, around.broker)
        settings = around.settings.model_copy(update={"instance": instance})
        handler = Watched(_handler(service, settings, around.rules), instance, around.found, around.trips)
        chores = timers.chores(settings) if service == "router" else ()
        clock = SimClock(around.loop, self.process)
        consumer = Consumer(
            handler,
            settings=settings,
            clock=clock,
            database=self.database,
            connection=client,  # type: ignore[arg-type]
            chores=[replace(chore, act=handler.chore(chore.act)) for chore in chores],
            duties=_duties(service, World(settings, clock, self.database, "")),
            together=together,
        )
        client.on_reconnected = consumer.reconnected
        self.clients.append(client)
        self.consumers.append(consumer)

    async def _live(self, process: Process, consumers: Sequence[Consumer[Any]]) -> None:
        try:
            for consumer in reversed(consumers):
                await consumer.start()
        except Exception as error:  # noqa: BLE001 - as an app does that cannot start: it ends, and is started again
            self.around.chaos.trace.note(self.name, f"cannot start: {type(error).__name__}")
            self.around.loop.kill(process)

    def _on_death(self) -> None:
        for client in self.clients:
            client.gone()
        self.around.chaos.trace.note(self.name, "is dead")
        pause = self.around.chaos.chance.uniform(*RESTART_SECONDS)
        self.around.loop.call_later(pause, self.start, context=self._outside.context)

    def kill_within(self, steps: int) -> None:
        """Let it die before one of its next steps."""
        self.process.dies_at = self.process.steps + 1 + steps

    def freeze(self, seconds: float) -> None:
        """Let it stand still."""
        loop = self.around.loop
        loop.freeze(self.process)
        loop.call_later(seconds, loop.thaw, self.process, context=self._outside.context)

    def stop(self) -> None:
        """Have it finish and go, as at a deployment."""
        if self.consumers and not self.process.frozen:
            self.around.loop.spawn(self.process, self._stop(self.process, self.consumers))

    async def _stop(self, process: Process, consumers: Sequence[Consumer[Any]]) -> None:
        try:
            for consumer in consumers:
                await consumer.stop()
        except Exception as error:  # noqa: BLE001 - it ends all the same
            self.around.chaos.trace.note(self.name, f"stops: {type(error).__name__}")
        await asyncio.sleep(0)
        self.around.loop.kill(process)

    def store(self, *, away: bool = False, sick: bool = False) -> None:
        """How the store is from now on, as seen from here."""
        self._away, self._sick = away, sick
        if self.database is not None:
            self.database.away, self.database.sick = away, sick

    def mend(self) -> None:
        """All is well with it from now on."""
        self.process.dies_at = None
        self.process.skew = 0.0
        self.store()
        self.around.loop.thaw(self.process)
        for client in self.clients:
            client.reconnect()


def _handler(service: str, settings: Settings, rules: RuleSet) -> Handler[Any]:
    if service == "intake":
        return IntakeHandler(settings)
    if service == "router":
        return RouterHandler(lambda _: InUse(rules), settings)
    return DispatchHandler(settings) if service == "dispatch" else OfItself("audit")


def _duties(service: str, world: World) -> list[Duty]:
    """Those that end in the store and the queue: what is signed and published has tests of its own."""
    if service != "audit":
        return []
    often = world.settings.append_seconds
    return [Duty("append_entries", often, Appender(world).act), Duty("give_out_log", often, LogQueue(world).act)]
