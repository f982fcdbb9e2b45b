"""What must hold of a case after every step, and of every step itself. Add a function to the list, and it is checked.

Checked inside each transaction of each router, before its commit, and of every case at a world's end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import bindparam, select

from schemas.vocabulary import TimerKind
from services.ground import tables
from services.ground.driver import rows_of
from services.ground.handler import Handler, Incoming
from services.ground.microbatch import Delivery
from services.ground.settings import Settings
from services.ground.work import Key, Work
from services.router import store
from services.router.casework.case import Case
from services.router.casework.resting import RESUMED, CheckStatus
from services.router.casework.silence import nothing_silent
from services.router.load import load_cases, load_open
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import RuleSet

Invariant: TypeAlias = Callable[[Case], list[str]]

_timer = store.timers.c
_FIRED_AND_CANCELLED = select(_timer.id).where(
    _timer.fired_at == bindparam("now", type_=store.timers.c.fired_at.type), _timer.cancelled_at.is_not(None)
)
_OWNERS = select(tables.leases.c.partition, tables.leases.c.owner).where(
    tables.leases.c.service == bindparam("service")
)
_OF_A_QUESTION = (TimerKind.REVIEW, TimerKind.SNOOZE)


def one_open_leg_to_a_destination(case: Case) -> list[str]:
    """Never are two legs of one person to one destination open, but where two persons are one: then one goes on."""
    open_legs = Counter(leg.destination for leg in case.legs.values() if case.goes_on(leg))
    return [f"{n} open legs to {destination}" for destination, n in open_legs.items() if n > 1]


def each_leg_was_commanded(case: Case) -> list[str]:
    """No leg is opened in silence."""
    return [f"nothing was sent for the leg to {leg.destination}" for leg in case.legs.values() if leg.commands < 1]


def nothing_is_silent(case: Case) -> list[str]:
    """By the rules that the routers here decide by."""
    return nothing_silent(case, _rules())


@cache
def _rules() -> RuleSet:
    return load_rule_set(Settings().rules_dir)


def each_question_comes_back(case: Case) -> list[str]:
    """Whoever is asked and does not answer is asked again: by the question's own timer, or as its welfare check is."""
    watched = {timer.review_id for timer in case.timers.values() if timer.kind in _OF_A_QUESTION}
    for check in case.checks.values():
        # Its own timer asks a higher role; once the highest is asked, that question has a timer, and the others wait.
        watched |= set(check.asked if check.next_at is not None else check.asked[:-1])
    return [
        f"review {r.id}: {r.kind} never comes back"
        for r in case.reviews.values()
        if not r.answered and r.id not in watched
    ]


def no_check_goes_with_its_leg(case: Case) -> list[str]:
    """Somebody was asked how he is, the leg was closed, and nobody needs to know any more: that must not be."""
    return [
        f"check {check.id}: asked for, and dropped as its leg was closed"
        for check in case.checks.values()
        if check.status is CheckStatus.NOT_NEEDED
        and check.asked
        and (pause := case.pauses.get(check.pause_id)) is not None
        and pause.ended not in (None, RESUMED)
    ]


# Of the case as it is read again from the store, with its open questions and its timers.
CASE_INVARIANTS: list[Invariant] = [
    one_open_leg_to_a_destination,
    each_leg_was_commanded,
    nothing_is_silent,
    each_question_comes_back,
    no_check_goes_with_its_leg,
]


def broken(person_ids: Collection[str], work: Work) -> list[str]:
    """What does not hold of these persons' cases."""
    cases = {case.person_id: case for case in load_cases(sorted(set(person_ids)), work).values()}
    load_open(list(cases.values()), work)
    return [
        f"{found}, of {case.person_id}" for case in cases.values() for holds in CASE_INVARIANTS for found in holds(case)
    ]


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
            for problem in broken([message.body.event.subject for message in messages], work):
                self._found(problem)

    def refuse(self, delivery: Delivery, why: Any, work: Work, *, key: Key | None) -> None:
        """As the real one."""
        self.handler.refuse(delivery, why, work, key=key)

    def chore(self, act: Callable[[Work], bool]) -> Callable[[Work], bool]:
        """A chore, watched: one process of the service does it for all."""

        def watched(work: Work) -> bool:
            self._only_the_owner_writes({0}, work)
            more = act(work)
            for timer in rows_of(work.connection, _FIRED_AND_CANCELLED, {"now": work.now}):
                self._found(f"timer {timer['id']} was fired after it was cancelled")
            return more

        return watched

    def _only_the_owner_writes(self, partitions: set[int], work: Work) -> None:
        rows = rows_of(work.connection, _OWNERS, {"service": self.service})
        owners = {row["partition"]: row["owner"] for row in rows}
        for partition in sorted(partitions):
            if owners.get(partition) != self._owner:
                self._found(f"{self._owner} wrote for partition {partition} of {self.service} and does not own it")
