"""Where one service's calls of the store and the broker pass, are counted, and can be made to fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from nats.errors import Error as NatsError
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError


class Kind(StrEnum):
    """In which way a call fails."""

    BEGIN = "transaction not begun"
    STATEMENT = "statement failed"
    STATEMENT_AGAIN = "statement failed, in the transaction after a failed one"
    COMMIT_REFUSED = "commit refused"  # nothing is kept
    COMMIT_UNSEEN = "commit unseen"  # all is kept, and the caller is told of an error
    REFUSED = "not sent"
    LOST = "lost on the way"  # the caller is told nothing
    REJECTED = "rejected by the broker"
    UNCONFIRMED = "kept, not confirmed"
    CALL = "call failed"
    CALL_AFTER = "call failed after its effect"


Where = tuple[str, Kind]  # a place (whose transaction, which message, which call) and a kind


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th time that something can fail in one way in one place.

    Statements are counted within their transaction, all else since the fault was armed.
    """

    place: str
    kind: Kind
    number: int

    def __str__(self) -> str:
        return f"{self.place}, {self.kind} ({self.number})"


@dataclass
class Fault:
    """Strikes at one point, and from there on at everything that can fail in that way, until it has struck `times`."""

    point: Point
    times: int = 1
    struck: int = 0


class Gate:
    """One service's."""

    def __init__(self) -> None:
        self.seen: dict[Where, int] = {}  # the highest number of each
        self._fault: Fault | None = None
        self._passed: Counter[Where] = Counter()
        self._failed_before: set[str] = set()  # places of transactions that were failed so that the next is struck
        self._open: dict[int, _Transaction] = {}

    def arm(self, fault: Fault | None) -> None:
        """Let this fault strike, and no other. Numbers begin at one again."""
        self._fault = fault
        self._passed.clear()
        self._failed_before.clear()

    def strikes(self, place: str, kind: Kind, number: int | None = None) -> bool:
        """Whether this call is to fail. Called each time that one could."""
        where = (place, kind)
        if number is None:
            self._passed[where] += 1
            number = self._passed[where]
        self.seen[where] = max(number, self.seen.get(where, 0))
        fault = self._fault
        if fault is None or fault.struck == fault.times or fault.point.kind is not kind:
            return False
        if not fault.struck and (fault.point.place, fault.point.number) != (place, number):
            return False
        fault.struck += 1
        return True

    def store(self, place: str, kind: Kind, number: int | None = None) -> None:
        """Fail as the store does when it is away."""
        if self.strikes(place, kind, number):
            raise OperationalError("planted", None, RuntimeError("planted"))

    def broker(self, place: str, kind: Kind) -> None:
        """Fail as the client does."""
        if self.strikes(place, kind):
            raise NatsError

    @contextmanager
    def transaction(self, connection: Connection, place: str) -> Iterator[None]:
        """Count the statements of a transaction."""
        self._open[id(connection)] = _Transaction(place, after_a_failed_one=place in self._failed_before)
        self._failed_before.discard(place)
        try:
            yield
        finally:
            del self._open[id(connection)]

    def statement(self, connection: Connection) -> None:
        """A statement is about to be sent."""
        transaction = self._open.get(id(connection))
        if transaction is None:
            return
        transaction.statements += 1
        if transaction.after_a_failed_one:
            self.store(transaction.place, Kind.STATEMENT_AGAIN, transaction.statements)
            return
        fault = self._fault
        place, kind = (fault.point.place, fault.point.kind) if fault and not fault.struck else (None, None)
        if place == transaction.place and kind is Kind.STATEMENT_AGAIN:
            self._failed_before.add(transaction.place)
            raise OperationalError("planted", None, RuntimeError("planted"))
        self.store(transaction.place, Kind.STATEMENT, transaction.statements)


@dataclass
class _Transaction:
    place: str
    after_a_failed_one: bool
    statements: int = 0
