"""A human's word on two persons stands in the orders of both: taken in one, and from there handed on to the other.

That the one's order is complete before the other's goes on needs no lock and no waiting: the place in the other's order
is empty until the message is handed on, and what comes after it waits there (decision record 0007).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson
from sqlalchemy import bindparam, select

from schemas.envelope import ROUTER_SOURCE
from schemas.human import HumanDecision
from schemas.registry import Accepted
from schemas.vocabulary import DecisionKind
from services.ground import streams, tables
from services.ground.microbatch import Delivery
from services.ground.publisher import Outgoing
from services.ground.settings import Settings
from services.ground.sql import select_in
from services.ground.work import Work
from services.router import store
from services.router.casework.act import Acting
from services.router.casework.case import Case
from services.router.casework.joining import Taken, join, look_at_what_was_decided, part, recall
from services.router.casework.steps import Step
from services.router.load import edges_of
from services.router.questions import case_event_of

_SENT: Final = select(tables.outbox.c.id).where(tables.outbox.c.id == bindparam("id"))
_HISTORY: Final = select(store.case_events).order_by(store.case_events.c.event_id)


def joins(event: Accepted) -> bool:
    """Whether an event makes one case of two, or two of one: it is taken alone, on what was written before it."""
    data = event.data
    return isinstance(data, HumanDecision) and data.kind in (DecisionKind.MERGE_PERSONS, DecisionKind.UNMERGE_PERSONS)


def is_told(event: Accepted) -> bool:
    """Whether this is the one of the two that its sender is told of, and that stands for the decision."""
    data = event.data
    if not joins(event) or not isinstance(data, HumanDecision):
        return True
    return (event.handoverfrom if data.kind is DecisionKind.MERGE_PERSONS else event.handoverto) is not None


def take_joined(event: Accepted, case: Case, other: Case | None, acting: Acting, work: Work) -> list[Step]:
    """Make one case of two, or two of one. `other` is the case that comes, of who was merged."""
    decision = event.data
    assert isinstance(decision, HumanDecision)
    if decision.kind is DecisionKind.MERGE_PERSONS:
        if other is None:  # this is the last word in the order of who was merged
            return []
        persons = [case.person_id, *case.joined, other.person_id, *other.joined]
        return join(case, other, history_of(persons, case, work), decision, acting)
    if event.handoverto is not None:
        history = history_of([case.person_id, *case.joined], case, work)
        return part(case, event.handoverto, edges_of(case, work), history, decision, acting)
    recall(case, history_of([case.person_id, *case.joined], case, work), acting.rules)
    return look_at_what_was_decided(acting)


def history_of(persons: Sequence[str], case: Case, work: Work) -> list[Taken]:
    """What happened to these persons, in the order in which intake heard of it."""
    keys = [(person,) for person in sorted(set(persons))]
    found = select_in(work.connection, _HISTORY, (store.case_events.c.person_id,), keys)
    return [Taken(str(r["event_id"]), str(r["person_id"]), case_event_of(r, case)) for r in found]


def hand_over(event: Accepted, delivery: Delivery, settings: Settings, work: Work) -> None:
    """Hand a decision on to its place in the other person's order, whatever became of it here.

    Once: one that was refused was handed on then, and comes again when somebody sends it again from quarantine.
    """
    if event.handoverto is None or event.handoverid is None:
        return
    if work.connection.execute(_SENT, {"id": event.handoverid}).first() is not None:
        return
    envelope = orjson.loads(delivery.raw)
    for name in ("handoverto", "handoverid", "handoversequence"):
        del envelope[name]
    envelope |= {
        "id": event.handoverid,
        "source": ROUTER_SOURCE,
        "subject": event.handoverto,
        "sequence": event.handoversequence,
        "handoverfrom": event.subject,
    }
    channel = delivery.subject.rpartition(".")[2]
    subject = f"case.{streams.partition_of(event.handoverto, settings)}.{channel}"
    message = Outgoing(event.handoverid, streams.CASE, subject, orjson.dumps(envelope))
    work.send_as_it_is(message, person=event.handoverto, partition=delivery.partition)
