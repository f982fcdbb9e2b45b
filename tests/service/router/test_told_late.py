"""What is told late of a leg is weighed for what happened since: the relapse finds him on the programme after all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ground.clock import SetClock
from services.ground.settings import Settings
from tests.support.events import Event, example, referral, risk
from tests.support.system import System, system

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)


def _started(leg: str, *, hours: int) -> Event:
    said = {"leg_id": leg, "kind": "started", "occurred_at": (MONDAY + timedelta(hours=hours)).isoformat()}
    return {**example("progress-started", source="dapp-northshire"), "data": said}


def _relapse(leg: str, *, hours: int) -> Event:
    at = (MONDAY + timedelta(hours=hours)).isoformat()
    return risk(source="dapp-northshire", about={"leg_id": leg}, occurred_at=at)


async def _dapp(onward: System) -> str:
    await onward.publish(referral())
    await onward.settle()
    [leg] = await onward.rows("SELECT id FROM legs WHERE destination = 'dapp'")
    return str(leg["id"])


async def _again(onward: System) -> list[dict[str, Any]]:
    return await onward.rows("SELECT * FROM decisions WHERE first_decision IS NOT NULL")


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "after it"])
async def test_a_start_that_is_told_after_the_relapse_offers_the_pause_all_the_same(
    settings: Settings, together: bool
) -> None:
    async with system(settings, clock=SetClock(MONDAY + timedelta(days=1))) as onward:
        leg = await _dapp(onward)
        await onward.publish(_relapse(leg, hours=4), channel="risk")
        if not together:
            await onward.settle()
            assert await onward.count("offers") == 0
        await onward.publish(_started(leg, hours=2), channel="progress")
        await onward.settle()
        [offer] = await onward.rows("SELECT leg_id, event_id FROM offers")
        [relapse] = await onward.rows("SELECT event_id FROM case_events WHERE kind = 'relapse'")
        assert (offer["leg_id"], offer["event_id"]) == (leg, relapse["event_id"])
        [again] = await _again(onward)
        assert again["event_id"] == relapse["event_id"]
        gp = await onward.rows("SELECT id FROM legs WHERE destination = 'gp_follow_up'")
        assert len(gp) == 1
        told = [m["data"]["action"] for m in await onward.messages("ROUTE", "route.victim_safety")]
        assert told.count("notify") == 1, "what was told is not told again"


async def test_a_start_after_the_relapse_offers_nothing_for_it(settings: Settings) -> None:
    async with system(settings, clock=SetClock(MONDAY + timedelta(days=1))) as onward:
        leg = await _dapp(onward)
        await onward.publish(_relapse(leg, hours=2), channel="risk")
        await onward.publish(_started(leg, hours=4), channel="progress")
        await onward.settle()
        assert await onward.count("offers") == 0
        assert await _again(onward) == []
