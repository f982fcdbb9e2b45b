"""What can go wrong in a simulated world, how often it does under a seed, and how often it did."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Collection
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """Each has its own rate in each seed, often none at all: with all at once few would be seen through."""

    # The store
    BEGIN = "transaction not begun"
    STATEMENT = "statement failed"
    COMMIT_REFUSED = "commit refused"  # nothing is kept
    COMMIT_UNSEEN = "commit unseen"  # all is kept, and the caller is told of an error
    STORE_SLOW = "store slow"
    STORE_OUTAGE = "store away"
    STORE_SICK = "store fails in the midst of most transactions"

    # Processes
    CRASH = "died between two steps"
    CRASH_BEFORE_COMMIT = "died before the commit"
    CRASH_AFTER_COMMIT = "died after the commit"
    PAUSE = "frozen beyond its lease"
    STOP = "stopped and started"
    CLOCK = "clock jumped"

    # Between processes and broker
    REFUSED = "publish failed at once"
    LOST = "message lost on the way to the broker"
    REJECTED = "publish rejected by the broker"
    UNCONFIRMED = "kept, not confirmed"
    LATE = "connection slow"
    DISCONNECTED = "one connection lost"
    ACK_LOST = "acknowledgement lost"
    DELIVERY_LOST = "delivery lost"
    DELIVERED_TWICE = "delivered twice"
    REORDERED = "delivered out of order"

    # The broker
    BROKER_AWAY = "broker away"
    BROKER_CRASHED = "broker crashed and forgot acknowledgements"
    BROKER_CUT = "broker lost the end of a stream"
    BROKER_WIPED = "broker lost everything"

    # People and what they send
    REPEATED = "event sent again"
    CONFLICT = "another body under the same id"
    POISON = "poison sent"
    TRIPPED = "handler failed on one event until mended"


# Of each call that the fault can strike, when it is at its usual strength.
OF_CALLS = {
    Fault.BEGIN: 0.02,
    Fault.STATEMENT: 0.03,
    Fault.COMMIT_REFUSED: 0.02,
    Fault.COMMIT_UNSEEN: 0.03,
    Fault.STORE_SLOW: 0.02,
    Fault.CRASH_BEFORE_COMMIT: 0.01,
    Fault.CRASH_AFTER_COMMIT: 0.02,
    Fault.REFUSED: 0.02,
    Fault.LOST: 0.02,
    Fault.REJECTED: 0.03,
    Fault.UNCONFIRMED: 0.03,
    Fault.LATE: 0.01,
    Fault.ACK_LOST: 0.08,
    Fault.DELIVERY_LOST: 0.05,
    Fault.DELIVERED_TWICE: 0.05,
    Fault.REORDERED: 0.1,
    Fault.REPEATED: 0.3,
    Fault.CONFLICT: 0.15,
    Fault.POISON: 0.2,
    Fault.TRIPPED: 0.15,
}

# Seconds from one to the next, on average.
OF_TIME = {
    Fault.STORE_OUTAGE: 25.0,
    Fault.STORE_SICK: 25.0,
    Fault.CRASH: 8.0,
    Fault.PAUSE: 20.0,
    Fault.STOP: 25.0,
    Fault.CLOCK: 12.0,
    Fault.DISCONNECTED: 15.0,
    Fault.BROKER_AWAY: 25.0,
    Fault.BROKER_CRASHED: 25.0,
    Fault.BROKER_CUT: 50.0,
    Fault.BROKER_WIPED: 60.0,
}

PRESENT = 0.45  # how likely a seed has a fault at all
RARE = {Fault.BROKER_CUT: 0.15, Fault.BROKER_WIPED: 0.15, Fault.TRIPPED: 0.3}
STRENGTH = (0.4, 4.0)  # of its usual rate
STRESSED = 5.0  # strength of what a world is to have much of
MOST = 0.5  # of any call: with more nothing would ever be done


class Trace:
    """What happened, line by line; two runs are the same if their digests are."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._digest = hashlib.blake2b(digest_size=16)
        self.lines: list[str] = []

    def note(self, who: str, what: str) -> None:
        """Add a line."""
        line = f"{self._time():10.4f} {who:<11} {what}"
        self._digest.update(line.encode())
        self.lines.append(line)

    @property
    def digest(self) -> str:
        """Of all lines so far."""
        return self._digest.hexdigest()


class Chaos:
    """Decides, by the seed, what goes wrong. Nothing does any more once it is calmed."""

    def __init__(self, chance: Random, trace: Trace, *, stressing: Collection[Fault] = ()) -> None:
        self.chance = chance
        self.trace = trace
        self.on = True
        self.struck: Counter[Fault] = Counter()
        self.rates: dict[Fault, float] = {}
        self.every: dict[Fault, float] = {}
        for fault in Fault:
            present = chance.random() < RARE.get(fault, PRESENT)
            strength = math.exp(chance.uniform(*map(math.log, STRENGTH)))
            if fault in stressing:
                present, strength = True, STRESSED
            if present and fault in OF_CALLS:
                self.rates[fault] = min(MOST, OF_CALLS[fault] * strength)
            elif present:
                self.every[fault] = OF_TIME[fault] / strength

    def strikes(self, fault: Fault, who: str) -> bool:
        """Whether this call is struck by this fault."""
        rate = self.rates.get(fault)
        if rate is None or not self.on or self.chance.random() >= rate:
            return False
        self.note(fault, who)
        return True

    def note(self, fault: Fault, who: str) -> None:
        """It happened."""
        self.struck[fault] += 1
        self.trace.note(who, f"! {fault}")

    def calm(self) -> None:
        """From now on all goes well."""
        self.on = False
