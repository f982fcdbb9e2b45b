"""What a batch did to legs, kept in a real store and read back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from schemas.vocabulary import LegStatus, ProgressKind
from services.ground.database import Database, open_database
from services.ground.settings import Settings
from services.ground.work import Work
from services.router.casework.account import Told
from services.router.casework.case import Case, Leg
from services.router.casework.pathway import put
from services.router.casework.steps import LegMoved, Step
from services.router.keep import Cause, Keeping
from services.router.load import load_cases
from services.router.rules.loader import load_rule_set
from services.router.store import case_events
from tests.support.opening import make_known

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
PERSON = "01938f00-0000-7000-8000-0000000000aa"
OLDER, NEWER = "01938f00-0000-7000-8000-000000000001", "01938f00-0000-7000-8000-000000000002"
CAUSE = Cause("event", "met-police", "decision")
PATHWAY = load_rule_set(Settings().rules_dir).pathway


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """An empty store."""
    found = await open_database(settings)
    await found.write(lambda c: make_known(c, PERSON))
    yield found
    await found.close()


def _leg(id_: str, status: LegStatus = LegStatus.REQUESTED) -> Leg:
    return Leg(id_, "dapp", status, NOW, 2, None, NOW, commands=1)


async def _keep(database: Database, *changes: Callable[[Case], Step]) -> Case:
    """Keep these changes as one batch. Returns the case as it is read back."""
    numbers = iter(range(1_000_000))

    def body(connection: Connection) -> Case:
        work = Work(connection, service="router", now=NOW)
        case = load_cases([PERSON], work)[PERSON]
        keeping = Keeping(work)
        event_id = work.id()
        keeping.event(
            {
                "event_id": event_id,
                "person_id": PERSON,
                "sequence": next(numbers),
                "kind": "referral",
                "occurred_at": NOW,
                "taken_at": NOW,
                "source": "s",
                "origin_id": "o",
                "content": work.seal(PERSON, case_events.c.content, event_id, b"{}"),
            },
            case,
        )
        for change in changes:
            keeping.step(change(case), case, CAUSE)
        keeping.write()
        work.finish()
        return load_cases([PERSON], Work(connection, service="router", now=NOW))[PERSON]

    return await database.write(body)


def _to(id_: str, status: LegStatus) -> Callable[[Case], Step]:
    """The leg is placed here; where there is none, it is made."""

    def change(case: Case) -> Step:
        before = case.legs.get(id_) or _leg(id_)
        case.legs[id_] = put(PATHWAY, before, status, now=NOW)
        return LegMoved(before, case.legs[id_], "So.")

    return change


@pytest.mark.parametrize(("ends", "opens"), [(OLDER, NEWER), (NEWER, OLDER)])
async def test_one_leg_may_end_and_another_open_to_one_destination_in_the_same_batch(
    database: Database, ends: str, opens: str
) -> None:
    await _keep(database, _to(opens, LegStatus.DECLINED), _to(ends, LegStatus.SENT))
    case = await _keep(database, _to(ends, LegStatus.WITHDRAWN), _to(opens, LegStatus.REQUESTED))
    assert {leg.id: leg.closed for leg in case.legs.values()} == {ends: True, opens: False}


async def test_a_leg_is_read_back_as_it_was_kept(database: Database) -> None:
    account = _leg(OLDER).told.placed(_leg(OLDER).stand, NOW)
    told = Told(NOW + timedelta(hours=1), ProgressKind.WAITLISTED, 4, (NOW + timedelta(days=9)).date(), "no_place")
    leg = put(PATHWAY, _leg(OLDER), LegStatus.WITHDRAWN, now=NOW, code="moved_away")._replace(
        waitlist_place=4,
        expected_on=told.expected_on,
        referral="event",
        account=account.with_(told).set_aside(told),
    )

    def change(case: Case) -> Step:
        case.legs[leg.id] = leg
        return LegMoved(_leg(OLDER), leg, "So.")

    case = await _keep(database, change)
    assert case.legs == {leg.id: leg}
