"""Fires due timers: each becomes an event that comes back in at intake, on its person's own order.

One transaction marks a timer as fired and writes the message that is to be published; so there is never one without the
other, whatever dies when. What is published twice all the same is one event at intake, because a timer's message is
made of its row alone: same id, same bytes. So one that never arrived, as the broker lost it, is simply sent again.
After an outage timers fire late. Those that were cancelled stay, unfired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Text, bindparam, column, exists, select, table, update

from schemas.envelope import TIMERS_SOURCE, Channel, EventType
from services.ground import streams, tables
from services.ground.driver import rows_of
from services.ground.handler import Chore
from services.ground.publisher import Outgoing
from services.ground.settings import Settings
from services.ground.sql import change_in
from services.ground.work import Work
from services.router import store

PAGE: Final = 1000  # timers in one transaction
SUBJECT: Final = f"intake.{TIMERS_SOURCE}.{Channel.TIMER.value}"
PARTITION: Final = 0  # whose owner fires, and sends what a crash left behind

_timer = store.timers.c
_WAITING = _timer.fired_at.is_(None) & _timer.cancelled_at.is_(None)
_ROW = (_timer.id, _timer.kind, _timer.person_id, _timer.due_at, _timer.leg_id, _timer.review_id)
_DUE = (
    select(*_ROW)
    .where(_WAITING, _timer.due_at <= bindparam("now", type_=store.timers.c.due_at.type))
    .order_by(_timer.due_at, _timer.id)
    .limit(bindparam("page"))
    # One that casework is cancelling just now is left to the next tick: waiting for it could end in a circle.
    .with_for_update(skip_locked=True)
)
_accepted = table(
    "accepted_events", column("source", Text), column("origin_id", Text)
).c  # intake's: read here, never written
_aside = tables.quarantine.c
_UNTAKEN = _timer.fired_at.is_not(None) & _timer.taken_at.is_(None) & _timer.cancelled_at.is_(None)
_LOST = (
    select(*_ROW)
    .where(
        _UNTAKEN,
        _timer.fired_at <= bindparam("before", type_=store.timers.c.fired_at.type),
        ~exists().where(_accepted.source == TIMERS_SOURCE, _accepted.origin_id == _timer.id),
        ~exists().where(_aside.service == "intake", _aside.source == TIMERS_SOURCE, _aside.message_id == _timer.id),
    )
    .order_by(_timer.due_at, _timer.id)
    .limit(bindparam("page"))
    .with_for_update(skip_locked=True, of=store.timers)
)
_FIRE, _FIRE_AGAIN = (
    update(store.timers).where(those).values(fired_at=bindparam("now")) for those in (_WAITING, _UNTAKEN)
)


def chores(settings: Settings) -> list[Chore]:
    """What one router does for all, with how often."""
    again = settings.reconcile_seconds
    return [
        Chore("fire_timers", settings.timer_seconds, lambda work: fire_due(work)),
        Chore("fire_lost_timers", again, lambda work: fire_lost(work, after_seconds=again)),
    ]


def fire_due(work: Work, *, page: int = PAGE) -> bool:
    """Fire one page of due timers, the longest due first. Returns whether there may be more.

    What is fired is no longer waiting, so the next page begins where this one ended, also among many that are due at
    one moment.
    """
    due = rows_of(work.connection, _DUE, {"now": work.now, "page": page})
    if due:
        change_in(work.connection, _FIRE, _timer.id, [timer["id"] for timer in due], now=work.now)
        _send(due, work)
    return len(due) == page


def fire_lost(work: Work, *, after_seconds: float, page: int = PAGE) -> bool:
    """Send a page of those again that were fired so long ago and that intake has neither taken nor set aside.

    A broker that lost its end, and went on from before it, can take an old acknowledgement for the new message in that
    place, and never deliver it. Each is sent once more in that time, while intake has not taken it.
    """
    values = {"before": work.now - timedelta(seconds=after_seconds), "page": page}
    lost = rows_of(work.connection, _LOST, values)
    if lost:
        change_in(work.connection, _FIRE_AGAIN, _timer.id, [timer["id"] for timer in lost], now=work.now)
        _send(lost, work)
    return len(lost) == page


def _send(timers: Sequence[Mapping[Any, object]], work: Work) -> None:
    for timer in timers:
        # The row of the outbox has an id of now: what the broker lost is looked for among the newest of them.
        message = Outgoing(work.id(), streams.INTAKE, SUBJECT, message_of(dict(timer)))
        # In clear: it holds ids and moments alone, and fires also where its person is erased meanwhile.
        work.send_as_it_is(message, person=None, partition=PARTITION)


def message_of(timer: Mapping[Any, object]) -> bytes:
    """The message of a timer: all of it from the row, so that it is the same whoever makes it and whenever."""
    data = {"timer_id": timer["id"], **{name: timer[name] for name in ("person_id", "kind", "due_at")}}
    data |= {name: timer[name] for name in ("leg_id", "review_id") if timer[name] is not None}
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": timer["id"],
            "source": TIMERS_SOURCE,
            "type": EventType.TIMER_FELL_DUE.value,
            "time": timer["due_at"],
            "subject": timer["person_id"],
            "datacontenttype": "application/json",
            "dataschema": f"urn:onward:schema:{EventType.TIMER_FELL_DUE.value}",
            "data": data,
        }
    )
