"""Welfare checks as the store has them: the router's table where there is one, timers and reports where not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import Column, Connection, MetaData, Table, Text, insert

from services.cli.picture.reading import checks_of
from services.cli.picture.records import EventRow
from services.ground.database import Database, metadata, open_database
from services.ground.settings import Settings
from services.ground.tables import Moment
from services.router import store as router
from tests.support.pictures import moment

START = moment(2026, 3, 2)
OWN = Table(  # as the router would declare it
    "checks_of_this_test",
    MetaData(),
    *(Column(name, Text) for name in ("id", "leg_id", "pause_id", "status", "outcome", "reason")),
    *(Column(name, Moment) for name in ("due_at", "at")),
)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    opened = await open_database(settings)
    await opened.write(lambda c: metadata.create_all(c, [router.timers]))
    yield opened
    await opened.close()


def _timer(
    number: int, *, kind: str = "welfare_check", leg: str | None = "leg-1", person: str = "p"
) -> dict[str, object]:
    due = START + timedelta(weeks=number)
    return {"id": f"t{number}-{kind}-{person}", "kind": kind, "person_id": person, "due_at": due, "set_at": START,
            "leg_id": leg, "fired_at": due if number == 1 else None}  # fmt: skip


def _told(kind: str, days: int, leg: str | None = "leg-1") -> EventRow:
    at = START + timedelta(days=days)
    return EventRow(f"e{days}", days, kind, at, at, "dapp-northshire", leg)


async def test_without_a_table_the_timers_are_the_checks_and_the_next_report_says_how_each_went(
    database: Database,
) -> None:
    def given(connection: Connection) -> None:
        others = [_timer(1, kind="pause_review"), _timer(2, person="q"), _timer(5, leg=None)]
        connection.execute(insert(router.timers), [*map(_timer, (1, 2, 3, 4)), *others])

    await database.write(given)
    events = [
        _told("progress_welfare_check_done", 15),
        _told("missed_welfare_check", 8),
        _told("relapse", 9),
        _told("missed_welfare_check", 22, leg=None),
        _told("missed_welfare_check", 22, leg="leg-2"),
    ]
    checks = await database.read(lambda c: checks_of(c, "p", ["leg-1"], events, None))
    assert [(check.status, check.due_at) for check in checks] == [
        (status, START + timedelta(weeks=number)) for number, status in enumerate(("missed", "done", "due", "due"), 1)
    ]
    assert checks[0].at == START + timedelta(days=8)


async def test_a_table_of_checks_is_read_as_it_stands(database: Database) -> None:
    row = {"id": "c1", "leg_id": "leg-1", "pause_id": "p1", "due_at": START, "status": "muted", "reason": "in hospital"}

    def given(connection: Connection) -> None:
        OWN.create(connection)
        connection.execute(insert(OWN), [row, row | {"id": "c2", "leg_id": "leg-of-another"}])

    await database.write(given)
    missed = [_told("missed_welfare_check", 8)]
    [check] = await database.read(lambda c: checks_of(c, "p", ["leg-1"], missed, OWN))
    assert (check.id, check.status, check.reason, check.due_at, check.at) == ("c1", "muted", "in hospital", START, None)
