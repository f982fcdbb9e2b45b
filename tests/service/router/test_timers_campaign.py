"""Ten years of timers with restarts, deaths and a clock that jumps: none missed, twice, early, or though cancelled.

Then the same with mistakes planted in the firing, each of which must be found.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, select, update

from services.ground import streams
from services.ground.database import Database
from services.ground.publisher import Outgoing
from services.ground.settings import Settings
from services.ground.work import Work
from services.router import store
from services.router.rules.calendar import LONDON
from services.router.timers import SUBJECT, fire_due, message_of
from tests.support.timers import Campaign, Fate, Firing, Mistaken, fire

ONE_STORE = pytest.mark.parametrize("store", ["sqlite"], indirect=True)

_timer = store.timers.c
_NOW = bindparam("now", type_=_timer.due_at.type)
_ALL = select(store.timers).order_by(_timer.due_at, _timer.id)
_WAITING = _timer.fired_at.is_(None) & _timer.cancelled_at.is_(None)


@ONE_STORE
async def test_a_hundred_thousand_timers_over_ten_years(settings: Settings) -> None:
    campaign = Campaign(settings, timers=100_000, ticks=400, page=4_000)
    await campaign.run()
    assert len(campaign.due) == 100_000
    assert len(campaign.fired) + len(campaign.cancelled) == 100_000
    assert min(campaign.deaths, campaign.restarts, campaign.back, len(campaign.cancelled)) > 10


async def test_ten_years_of_timers_on_both_stores(settings: Settings) -> None:
    await Campaign(settings, timers=5_000, ticks=300, page=300, seed=2).run()


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_a_million_timers_over_ten_years(settings: Settings) -> None:
    campaign = Campaign(settings, timers=1_000_000, ticks=5_000, page=8_000, seed=3)
    await campaign.run()
    assert len(campaign.due) == 1_000_000


def _send(due: list[Mapping[Any, object]], work: Work) -> None:
    for timer in due:
        work.send_as_it_is(Outgoing(work.id(), streams.INTAKE, SUBJECT, message_of(timer)), person=None, partition=0)


def _firing(statement: Any, *, mark: bool = True) -> Firing:
    """Fires what a statement finds, a page a transaction."""

    async def firing(database: Database, now: datetime, page: int, fate: Fate) -> None:
        last: list[datetime] = [datetime(1900, 1, 1, tzinfo=UTC)]

        def body(connection: Connection) -> bool:
            work = Work(connection, service="router", now=now)
            values = {"now": now, "last": last[0], "since": now - timedelta(days=1)}
            due: list[Mapping[str, Any]] = [
                dict(row) for row in connection.execute(statement.limit(page), values).mappings()
            ]
            ids = [timer["id"] for timer in due]
            if mark:
                connection.execute(update(store.timers).where(_timer.id.in_(ids)).values(fired_at=now))
            _send(due, work)
            work.finish()
            last[0] = max([last[0], *(timer["due_at"] for timer in due)])
            return len(due) == page

        while await database.write(body):
            fate.point("after the commit")

    return firing


async def _in_two_transactions(database: Database, now: datetime, page: int, fate: Fate) -> None:
    def mark(connection: Connection) -> list[dict[Any, object]]:
        due = [
            dict(row)
            for row in connection.execute(_ALL.where(_WAITING, _timer.due_at <= _NOW), {"now": now}).mappings()
        ]
        for start in range(0, len(due), page):
            ids = [timer["id"] for timer in due[start : start + page]]
            connection.execute(update(store.timers).where(_timer.id.in_(ids)).values(fired_at=now))
        return due

    def send(connection: Connection) -> None:
        work = Work(connection, service="router", now=now)
        _send(list(due), work)
        work.finish()

    due = await database.write(mark)
    fate.point("between two transactions")
    await database.write(send)


async def _the_other_way_round(database: Database, now: datetime, page: int, fate: Fate) -> None:
    def send(connection: Connection) -> list[str]:
        work = Work(connection, service="router", now=now)
        due = [
            dict(row)
            for row in connection.execute(_ALL.where(_WAITING, _timer.due_at <= _NOW), {"now": now}).mappings()
        ]
        _send(list(due), work)
        work.finish()
        return [str(timer["id"]) for timer in due]

    ids = await database.write(send)
    fate.point("between two transactions")
    for start in range(0, len(ids), page):
        some = ids[start : start + page]
        mark = update(store.timers).where(_timer.id.in_(some)).values(fired_at=now)
        await database.write(lambda c, m=mark: c.execute(m))  # type: ignore[misc]


async def _by_the_local_clock(database: Database, now: datetime, page: int, fate: Fate) -> None:
    def body(connection: Connection) -> bool:
        local = now.astimezone(LONDON).replace(tzinfo=UTC)
        work = Work(connection, service="router", now=local)
        more = fire_due(work, page=page)
        work.finish()
        return more

    while await database.write(body):
        fate.point("after the commit")


async def _one_page_a_tick(database: Database, now: datetime, page: int, fate: Fate) -> None:
    def body(connection: Connection) -> None:
        work = Work(connection, service="router", now=now)
        fire_due(work, page=page)
        work.finish()

    await database.write(body)


_AFTER = _timer.due_at > bindparam("last", type_=_timer.due_at.type)
_RECENT = _timer.due_at > bindparam("since", type_=_timer.due_at.type)

PLANTED: Mapping[str, Firing] = {
    "fired_at is set in another transaction than the message, before it": _in_two_transactions,
    "fired_at is set in another transaction than the message, after it": _the_other_way_round,
    "due is compared with < in place of <=": _firing(_ALL.where(_WAITING, _timer.due_at < _NOW)),
    "local time is compared with UTC": _by_the_local_clock,
    "the next page begins after the last due time, which skips those that share it": _firing(
        _ALL.where(_WAITING, _timer.due_at <= _NOW, _AFTER)
    ),
    "nothing is marked as fired": _firing(_ALL.where(_WAITING, _timer.due_at <= _NOW, _AFTER), mark=False),
    "cancelled timers fire": _firing(_ALL.where(_timer.fired_at.is_(None), _timer.due_at <= _NOW)),
    "a timer fires only on the day on which it is due": _firing(_ALL.where(_WAITING, _timer.due_at <= _NOW, _RECENT)),
    "a tick ends after one page": _one_page_a_tick,
}


@ONE_STORE
@pytest.mark.parametrize("mistake", PLANTED)
async def test_a_planted_mistake_is_found(mistake: str, settings: Settings) -> None:
    with pytest.raises(Mistaken) as found:
        await Campaign(settings, timers=3_000, ticks=300, page=200, firing=PLANTED[mistake]).run()
    print(found.value)  # noqa: T201


@ONE_STORE
async def test_the_same_campaign_without_a_mistake_finds_none(settings: Settings) -> None:
    await Campaign(settings, timers=3_000, ticks=300, page=200, firing=fire).run()
