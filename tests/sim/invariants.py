"""What must hold of a case after every step, and of every step itself. Add a function to the list, and it is checked.

Checked inside each transaction of each router, before its commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from services.ground.handler import Handler, Incoming
from services.ground.microbatch import Delivery
from services.ground.work import Key, Work
from services.router.casework.case import Case
from services.router.casework.silence import nothing_silent
from services.router.load import load_cases, load_open

Invariant: TypeAlias = Callable[[Case], list[str]]


def one_open_leg_to_a_destination(case: Case) -> list[str]:
    """Never are two legs of one person to one destination open."""
    open_legs = Counter(leg.destination for leg in case.legs.values() if not leg.closed)
    return [f"{n} open legs to {destination}" for destination, n in open_legs.items() if n > 1]


def each_leg_was_commanded(case: Case) -> list[str]:
    """No leg is opened in silence."""
    return [f"nothing was sent for the leg to {leg.destination}" for leg in case.legs.values() if leg.commands < 1]


# Of the case as it is read again from the store, with its open questions and its timers.
CASE_INVARIANTS: list[Invariant] = [one_open_leg_to_a_destination, each_leg_was_commanded, nothing_silent]


class Watched:
    """A service's real handler, watched: who may take, who trips, and what holds afterwards."""

    def __init__(
        self, handler: Handler[Any], owner: str, found: Callable[[str], None], trips: Callable[[Incoming[Any]], bool]
    ) -> None:
        self.service = handler.service
        self.handler = handler
        self._owner, self._found, self._trips = owner, found, trips

    def read(self, delivery: Delivery) -> Incoming[Any]:
        """As the real one."""
        return self.handler.read(delivery)

    def take(self, messages: Sequence[Incoming[Any]], work: Work) -> None:
        """As the real one; it trips over what the seed says, and what it leaves is looked at."""
        if any(self._trips(message) for message in messages):
            raise RuntimeError("planted")
        self._only_the_owner_writes({message.delivery.partition for message in messages}, work)
        self.handler.take(messages, work)
        if self.service == "router" and CASE_INVARIANTS:
            cases = load_cases([message.body.event.subject for message in messages], work)
            load_open(list({id(case): case for case in cases.values()}.values()), work)
            for case in cases.values():
                for problem in [found for holds in CASE_INVARIANTS for found in holds(case)]:
                    self._found(f"{problem}, of {case.person_id}")

    def refuse(self, delivery: Delivery, why: Any, work: Work, *, key: Key | None) -> None:
        """As the real one."""
        self.handler.refuse(delivery, why, work, key=key)

    def _only_the_owner_writes(self, partitions: set[int], work: Work) -> None:
        rows = work.connection.exec_driver_sql("SELECT partition, owner FROM leases WHERE service = ?", (self.service,))
        owners = {row[0]: row[1] for row in rows}
        for partition in sorted(partitions):
            if owners.get(partition) != self._owner:
                self._found(f"{self._owner} wrote for partition {partition} of {self.service} and does not own it")
