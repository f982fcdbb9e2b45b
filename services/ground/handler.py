"""What a service supplies: how it reads a message and what it does with those it has not taken before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from nats.aio.client import Client

from schemas.refusal import Unacceptable
from services.ground.inorder import Place
from services.ground.microbatch import Delivery
from services.ground.work import Key, Work

Body = TypeVar("Body")


class Incoming(NamedTuple, Generic[Body]):
    """A message that could be read.

    `key` None: the handler itself knows repeats (intake, whose sources choose their ids). `place` None: order does not
    matter to this consumer. `person`: under whose key it is kept while it waits for its predecessor; None for what says
    nothing of anybody.
    """

    delivery: Delivery
    body: Body
    key: Key | None = None
    place: Place | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Chore:
    """What a service does of its own accord, from time to time, in one process: the one that holds its partition 0.

    `act` does one page in the transaction that it is given, and returns whether there may be more. It may run again
    after a crash, and in two processes after one another, never at once.
    """

    name: str
    every_seconds: float
    act: Callable[[Work], bool]


# Runs a function in one transaction; raises LeaseLost, and keeps nothing, once another process holds the partition.
Write: TypeAlias = Callable[[Callable[[Work], None]], Awaitable[None]]


class Hands(NamedTuple):
    """What a duty acts with, beside what it was made with."""

    write: Write
    connection: Client  # to the broker
    note_taken: Callable[[int], None]  # counts, for `onward status`


@dataclass(frozen=True, slots=True)
class Duty:
    """What a service does outside of the store as well (signs, writes files, asks others), in the same one process.

    `act` writes to the store through the hands that it is given. It may be cut off anywhere and begun again, also by
    another process while the former one still ends. What it raises is what `onward health` says until it succeeds.
    """

    name: str
    every_seconds: float
    act: Callable[[Hands], Awaitable[None]]


class Handler(Protocol[Body]):
    """One service's part of the unit of work. Both methods may run again after a crash or a rollback."""

    service: str

    def read(self, delivery: Delivery) -> Incoming[Body]:
        """Decode and check one message; pure. Raises Unacceptable for what can never be taken."""
        ...

    def take(self, messages: Sequence[Incoming[Body]], work: Work) -> None:
        """Act on messages that were not taken before, all in one transaction.

        Raises Unacceptable only when called with one message; any other error leaves the whole batch to be tried one
        message at a time.
        """
        ...

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Set one message aside, and tell whoever must know."""
        ...


class OfItself:
    """The part of a service that takes no messages: what it does are chores and duties."""

    def __init__(self, service: str) -> None:
        self.service = service

    def read(self, delivery: Delivery) -> Incoming[Any]:  # noqa: ARG002 - none comes
        """Nothing comes."""
        raise Unacceptable("unknown_channel")

    def take(self, messages: Sequence[Incoming[Any]], work: Work) -> None:
        """Nothing comes."""

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Set aside what nobody should have sent here."""
        work.quarantine(delivery, why, key=key)
