"""Every fault point of every consumer: the n-th statement, publish or acknowledgement fails.

For n = 1, 2, 3 ... until a load passes with no fault left to strike. After each, the same must hold as after a kill.
(A process that dies at such a point is test_kills.py's.)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from nats.errors import Error as NatsError
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from services.cli.wiring import SERVICES
from services.ground.settings import Settings
from tests.support.checks import problems_of
from tests.support.events import referral_of, risk
from tests.support.system import System, system

KINDS = ("statement", "publish", "acknowledgement")
MOST_POINTS = 200  # of one kind and service; more would mean that the load never passes
_numbers = itertools.count(1)


@dataclass
class Fault:
    """Strikes once, at the n-th point of a kind in one service."""

    service: str
    kind: str
    at: int
    passed: int = 0
    struck: bool = False

    def point(self, kind: str) -> None:
        """Called at every point of every kind."""
        if kind != self.kind or self.struck:
            return
        self.passed += 1
        if self.passed == self.at:
            self.struck = True
            raise OperationalError("planted", None, RuntimeError("planted")) if kind == "statement" else NatsError()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", sorted(SERVICES))
async def test_a_failure_at_any_point_loses_and_doubles_nothing(settings: Settings, service: str) -> None:
    quick = settings.model_copy(update={"redelivery_seconds": (0.3, 0.3, 0.5), "sweep_seconds": 0.3})
    async with system(quick) as onward:
        covered = {kind: await _cover(onward, service, kind) for kind in KINDS}
    print(f"{service} on {onward.world.database.dialect}: {covered} points covered")  # noqa: T201
    assert covered["statement"] >= 5
    assert covered["acknowledgement"] >= 1


async def _cover(onward: System, service: str, kind: str) -> int:
    """Strike the 1st, 2nd, 3rd ... point until a load passes without. Returns how many there were."""
    for at in range(1, MOST_POINTS):
        fault = Fault(service, kind, at)
        sent = await _load(onward, fault)
        found = await problems_of(onward.world.database, onward.connection, acknowledged=sent)
        assert found == [], f"{service}: {kind} {at}"
        if not fault.struck:
            return at - 1
    raise AssertionError(f"{service}: more than {MOST_POINTS} points of one kind in one load")


async def _load(onward: System, fault: Fault) -> list[str]:
    """One new person's referral, a risk event, and something that nobody can read, while the fault may strike."""
    number = next(_numbers)
    about = {"identifiers": {"crn": f"X{number:06d}"}}
    events = [(referral_of(number), "referral"), (risk(id=f"risk-{number}", about=about), "risk")]
    with _injected(onward, fault):
        for message, channel in events:
            await onward.publish(message, channel=channel)
        await onward.publish(b'{"not": "a message %d"}' % number, source="met-police")
        await onward.settle()
    return [message["id"] for message, _ in events]


@contextmanager
def _injected(onward: System, fault: Fault) -> Iterator[None]:
    """Put the fault in the way of one service's statements, publishes and acknowledgements."""
    consumer: Any = onward.services[fault.service].consumer
    transact, attempt, ack = consumer._transact, consumer._publisher._attempt, consumer._subscription.ack
    ours: set[int] = set()  # the connections of this service's open transactions

    def before_statement(connection: object, *_: object) -> None:
        if id(connection) in ours:
            fault.point("statement")

    async def faulty_transact(batch: Any, act: Any) -> Any:
        def acting(work: Any) -> Any:
            ours.add(id(work.connection))
            try:
                return act(work)
            finally:
                ours.discard(id(work.connection))

        return await transact(batch, acting)

    async def faulty_attempt(messages: Any) -> Any:
        fault.point("publish")
        return await attempt(messages)

    async def faulty_ack(deliveries: Any) -> None:
        fault.point("acknowledgement")
        await ack(deliveries)

    consumer._transact, consumer._publisher._attempt = faulty_transact, faulty_attempt
    consumer._subscription.ack = faulty_ack
    event.listen(Engine, "before_cursor_execute", before_statement)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", before_statement)
        consumer._transact, consumer._publisher._attempt = transact, attempt
        consumer._subscription.ack = ack
