"""Fails every point of every service in turn, on one running system, and counts what it covered."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import text

from services.ground.streams import SUBJECTS
from tests.support.checks import problems_of
from tests.support.events import referral_of, risk
from tests.support.faulty import ACKNOWLEDGEMENT, FaultySystem
from tests.support.gate import Fault, Kind, Point

STRIKE_SECONDS = 0.6  # every chore comes round in this time
SETTLE_SECONDS = 60.0  # on a busy machine; waited for only as long as something is left to do
LASTING = 4  # strikes, after which a lasting fault is mended
MOST_AGAIN = 8  # statements of a batch taken apart: from the third message on they repeat themselves
# Messages that one loop sends, one by one by the same line: the ninth that fails differs from the eighth in nothing but
# that one more went before it. So these and the last stand for all, unless the whole is asked for.
MOST_SENT = 8
OWED = 20  # rows that a former owner did not get to send
BEYOND = 1_000_000  # a number that no point has

ONCE_MORE = frozenset({Kind.STATEMENT_AGAIN})
OF_MESSAGES = frozenset({Kind.REFUSED, Kind.LOST, Kind.REJECTED, Kind.UNCONFIRMED})


@dataclass(frozen=True)
class Scenario:
    """What a load meets, and which points are failed meanwhile."""

    name: str
    prepare: Callable[[FaultySystem], Awaitable[None]] | None = None  # just before the load
    kinds: Collection[Kind] = frozenset(Kind) - ONCE_MORE
    lasting: bool = False  # fails from the point on, until it is mended
    every_number: bool = True  # not only the first of each kind in each place
    only_new: bool = True  # points that an earlier scenario did not have


@dataclass
class Sweep:
    """The rounds so far."""

    onward: FaultySystem
    whole: bool = False  # each of the messages of one loop, not MOST_SENT and the last
    sent: list[str] = field(default_factory=list)
    poison: list[bytes] = field(default_factory=list)
    rounds: list[str] = field(default_factory=list)  # which faults each round had
    covered: Counter[tuple[str, Kind, bool]] = field(default_factory=Counter)  # (service, kind, lasting)
    known: set[tuple[str, str, Kind]] = field(default_factory=set)
    not_met: list[str] = field(default_factory=list)

    async def cover(self, scenario: Scenario) -> None:
        """Fail every point that a load has in this scenario: in each round one in each service."""
        queues = {name: deque(points) for name, points in (await self._points(scenario)).items()}
        while any(queues.values()):
            faults = {
                name: Fault(queue.popleft(), LASTING if scenario.lasting else 1)
                for name, queue in queues.items()
                if queue
            }
            await self._round(scenario, faults)
            for name, fault in faults.items():
                if fault.struck:
                    self.covered[name, fault.point.kind, scenario.lasting] += 1
                else:  # a load is not cut into batches the same way each time
                    self.not_met.append(f"{scenario.name}, {name}: {fault.point}")

    async def problems(self) -> list[str]:
        """What is wrong after all rounds, each with the faults of its round."""
        onward = self.onward
        found = await problems_of(
            onward.world.database,
            onward.connection,
            acknowledged=self.sent,
            poison=self.poison,
            settings=onward.world.settings,
        )
        if not found:
            return []
        legs = await onward.rows(
            "SELECT d.leg_id, d.message_id, a.person_id, a.event_id, a.origin_id FROM accepted_events a"
            " LEFT JOIN deliveries d ON d.event_id = a.event_id"
        )
        return [f"{problem}: {self._faults_of(problem, legs)}" for problem in found]

    def summary(self) -> list[str]:
        """How many points were covered, by service and kind."""
        kinds: dict[tuple[str, bool], Counter[str]] = {}
        for (service, kind, lasting), number in self.covered.items():
            kinds.setdefault((service, lasting), Counter())[kind.value] += number
        store = self.onward.world.database.dialect
        lines = [
            f"{service} on {store}, {'until mended' if lasting else 'once'}: {counts.total()} points "
            + str(dict(sorted(counts.items())))
            for (service, lasting), counts in kinds.items()
        ]
        total = (
            f"{self.covered.total()} points on {store} in {len(self.rounds)} rounds, {len(self.not_met)} not met again"
        )
        return [*lines, total]

    async def _points(self, scenario: Scenario) -> dict[str, list[Point]]:
        """What a load comes to that is to be failed, service by service."""
        gates = self.onward.gates
        await self._round(scenario, {})  # the first of its kind is like no other
        for gate in gates.values():
            gate.seen.clear()
        if Kind.STATEMENT_AGAIN in scenario.kinds:
            await self._see_what_follows_a_failure(scenario)
        else:
            await self._round(scenario, {})
        found: dict[str, list[Point]] = {}
        for name, gate in gates.items():
            points = [
                Point(place, kind, number)
                for (place, kind), most in sorted(gate.seen.items())
                if kind in scenario.kinds
                for number in (_numbers(place, kind, most, whole=self.whole) if scenario.every_number else [1])
            ]
            if scenario.lasting:  # it strikes everywhere from then on, so it begins in one place
                busiest = {kind: place for (place, kind), _ in sorted(gate.seen.items(), key=lambda item: item[1])}
                points = [point for point in points if busiest[point.kind] == point.place]
            found[name] = [p for p in points if not scenario.only_new or (name, p.place, p.kind) not in self.known]
            self.known |= {(name, point.place, point.kind) for point in points}
        return found

    async def _see_what_follows_a_failure(self, scenario: Scenario) -> None:
        """How many statements the transaction after a failed one has, in each place."""
        queues = {
            name: deque(
                sorted(place for service, place, kind in self.known if service == name and kind is Kind.STATEMENT)
            )
            for name in self.onward.gates
        }
        while any(queues.values()):
            faults = {
                name: Fault(Point(queue.popleft(), Kind.STATEMENT_AGAIN, BEYOND))
                for name, queue in queues.items()
                if queue
            }
            await self._round(scenario, faults)

    async def _round(self, scenario: Scenario, faults: Mapping[str, Fault]) -> None:
        """One new person: a referral, a relapse and what nobody can read; after the fault a second relapse."""
        onward, number = self.onward, len(self.rounds) + 1
        self.rounds.append(f"{scenario.name}: {'; '.join(f'{n}: {f.point}' for n, f in faults.items()) or 'none'}")
        about = {"identifiers": {"crn": f"X{number:06d}"}}
        first = [(referral_of(number), "referral"), (risk(id=f"relapse-{number}", about=about), "risk")]
        again = risk(id=f"again-{number}", about=about)
        bad = b'{"not": "a message %d"}' % number
        for name, gate in onward.gates.items():
            gate.arm(faults.get(name))
        if scenario.prepare:
            await scenario.prepare(onward)
        await asyncio.gather(
            *(onward.publish(message, channel=channel) for message, channel in first),
            onward.publish(bad, source="met-police"),
        )
        waited_for = [f for f in faults.values() if f.point.number != BEYOND]
        await _until(lambda: all(fault.struck for fault in waited_for), STRIKE_SECONDS)
        if faults:
            await onward.publish(again, channel="risk")  # it must not overtake what the fault holds up
        try:
            await onward.settle(SETTLE_SECONDS)
        except TimeoutError as error:
            raise AssertionError(f"round {number}, {self.rounds[-1]}: {error}") from error
        self.sent += [*(event["id"] for event, _ in first), *([again["id"]] if faults else [])]
        self.poison.append(bad)

    def _faults_of(self, problem: str, legs: list[dict[str, object]]) -> str:
        """Which faults were there when the event of this problem was under way."""
        for leg in legs:
            origin = str(leg["origin_id"])
            if origin in problem.split() or any(
                str(value) in problem for key, value in leg.items() if key != "origin_id"
            ):
                return self.rounds[int(re.findall(r"\d+", origin)[0]) - 1]
        return "no round of it known"


def _numbers(place: str, kind: Kind, most: int, *, whole: bool) -> list[int]:
    if kind is Kind.STATEMENT:
        return list(range(1, most + 1))
    if kind is Kind.REFUSED and place in (*SUBJECTS, ACKNOWLEDGEMENT):
        return [number for number in range(1, most + 1) if whole or number <= MOST_SENT or number == most]
    if kind is Kind.STATEMENT_AGAIN:
        return list(range(1, min(most, MOST_AGAIN) + 1))
    return [1, most] if most > 1 and place in SUBJECTS else [1]


async def _until(done: Callable[[], bool], seconds: float) -> None:
    """Wait for it, but not longer than this."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not done() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - struck in a thread
        await asyncio.sleep(0.01)


async def taken_over(onward: FaultySystem) -> None:
    """Every partition has a new lease, and its former owner did not get to send its last rows."""
    owed = text(
        "UPDATE outbox SET sent_at = NULL, stream_sequence = NULL WHERE id IN"
        " (SELECT id FROM outbox WHERE service = :service ORDER BY id DESC LIMIT :most)"
    )

    for service in onward.gates:
        await onward.world.database.write(lambda c, s=service: c.execute(owed, {"service": s, "most": OWED}))  # type: ignore[misc]
    await onward.world.database.write(lambda c: c.execute(text("UPDATE leases SET epoch = epoch + 1")))


async def looked_through(onward: FaultySystem) -> None:
    """What was lost on the way to a reader is looked for."""
    for service in onward.services.values():
        assert service.consumer is not None
        await asyncio.gather(service.consumer.reconcile(), return_exceptions=True)
