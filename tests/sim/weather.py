"""What befalls processes, broker and store as time goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from tests.sim.broker import Broker
from tests.sim.chaos import Chaos, Fault
from tests.sim.hosts import Host
from tests.sim.loop import VirtualLoop

AWAY_SECONDS = (0.5, 10.0)
SICK_SECONDS = (2.0, 25.0)
PAUSES_IN_LEASES = (0.2, 2.5)
SKEW_SECONDS = 40.0  # either way: more than a lease
STEPS_TO_DEATH = 150
CUT_MOST = 3  # messages lost at the end of a stream


class Weather:
    """Strikes at random times until it is calmed."""

    def __init__(
        self, loop: VirtualLoop, chaos: Chaos, broker: Broker, hosts: Sequence[Host], *, lease_seconds: float
    ) -> None:
        self._loop, self._chaos, self._broker, self._hosts = loop, chaos, broker, hosts
        self._lease = lease_seconds
        self._acts: dict[Fault, Callable[[Fault], None]] = {
            Fault.STORE_OUTAGE: self._store_outage,
            Fault.STORE_SICK: self._store_sick,
            Fault.CRASH: self._crash,
            Fault.PAUSE: self._pause,
            Fault.STOP: self._stop,
            Fault.CLOCK: self._clock,
            Fault.DISCONNECTED: self._disconnect,
            Fault.BROKER_AWAY: self._broker_away,
            Fault.BROKER_CRASHED: self._broker_crash,
            Fault.BROKER_CUT: self._broker_cut,
            Fault.BROKER_WIPED: self._broker_wipe,
        }

    async def strike(self, fault: Fault, mean_seconds: float) -> None:
        """One kind of weather."""
        while True:
            await asyncio.sleep(self._chaos.chance.expovariate(1 / mean_seconds))
            if not self._chaos.on:
                return
            self._acts[fault](fault)

    def mend(self) -> None:
        """The sky clears."""
        self._broker_back()
        for host in self._hosts:
            host.mend()
        for client in list(self._broker.clients):
            client.reconnect()

    def _one(self) -> Host:
        return self._chaos.chance.choice(self._hosts)

    def _later(self, act: Callable[[], None]) -> None:
        self._loop.call_later(self._chaos.chance.uniform(*AWAY_SECONDS), act)

    def _store_outage(self, fault: Fault) -> None:
        hosts = self._some(fault)
        for host in hosts:
            host.store(away=True)
        self._later(lambda: _well(hosts))

    def _store_sick(self, fault: Fault) -> None:
        hosts = self._some(fault)
        for host in hosts:
            host.store(sick=True)
        self._loop.call_later(self._chaos.chance.uniform(*SICK_SECONDS), _well, hosts)

    def _some(self, fault: Fault) -> list[Host]:
        hosts = self._chaos.chance.choice((list(self._hosts), [self._one()]))
        self._chaos.note(fault, ",".join(host.name for host in hosts))
        return hosts

    def _crash(self, fault: Fault) -> None:
        host = self._one()
        if not host.process.dead:
            self._chaos.note(fault, host.name)
            host.kill_within(self._chaos.chance.randrange(STEPS_TO_DEATH))

    def _pause(self, fault: Fault) -> None:
        host = self._one()
        if not host.process.dead and not host.process.frozen:
            self._chaos.note(fault, host.name)
            host.freeze(self._lease * self._chaos.chance.uniform(*PAUSES_IN_LEASES))

    def _stop(self, fault: Fault) -> None:
        host = self._one()
        if not host.process.dead:
            self._chaos.note(fault, host.name)
            host.stop()

    def _clock(self, fault: Fault) -> None:
        host = self._one()
        self._chaos.note(fault, host.name)
        host.process.skew = self._chaos.chance.uniform(-SKEW_SECONDS, SKEW_SECONDS)

    def _disconnect(self, fault: Fault) -> None:
        client = self._chaos.chance.choice(self._broker.clients)
        self._chaos.note(fault, client.name)
        client.disconnect()
        self._later(client.reconnect)

    def _broker_away(self, fault: Fault) -> None:
        self._chaos.note(fault, "broker")
        if not self._broker.up:
            return
        self._broker.up = False
        for client in list(self._broker.clients):
            client.disconnect()
        self._later(self._broker_back)

    def _broker_back(self) -> None:
        if self._broker.up:
            return
        self._broker.up = True
        self._chaos.trace.note("broker", "is back")
        for client in list(self._broker.clients):
            self._loop.call_later(self._chaos.chance.uniform(0, 0.5), client.reconnect)

    def _broker_crash(self, fault: Fault) -> None:
        self._broker_away(fault)
        self._broker.forget_acknowledgements()

    def _broker_cut(self, fault: Fault) -> None:
        longest = [stream for stream in self._broker.streams.values() if stream.last]
        if longest:
            self._broker_away(fault)
            stream = self._chaos.chance.choice(longest)
            self._broker.cut(stream.name, min(stream.last, self._chaos.chance.randint(1, CUT_MOST)))

    def _broker_wipe(self, fault: Fault) -> None:
        self._broker_away(fault)
        self._broker.wipe()


def _well(hosts: Sequence[Host]) -> None:
    for host in hosts:
        host.store()
