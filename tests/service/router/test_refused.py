"""What a leg does not allow: its sender is told why and what would be, it is kept, and nobody else has to look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.referral import ReferralSubmitted
from schemas.refusal import Unacceptable
from services.cli.looking import quarantined, state_of_the_store
from services.ground.clock import SetClock
from services.ground.settings import Settings
from services.router import handlers
from services.router.deciding import decide_event
from tests.support.events import decision, example, referral
from tests.support.system import System, system

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)


async def _state(onward: System) -> tuple[int, int]:
    """How many wait for people here, and how many for their sender."""
    state = await onward.world.database.read(lambda c: state_of_the_store(c, MONDAY))
    return state["quarantine"]["waiting"], state["refused"]["told"]


async def _aside(onward: System, *, told: bool) -> list[str]:
    found = await onward.world.database.read(lambda c: quarantined(c, told=told))
    return [str(row["reason"]) for row in found]


async def _dapp(onward: System) -> str:
    await onward.publish(referral())
    await onward.settle()
    return str((await onward.rows("SELECT id FROM legs WHERE destination = 'dapp'"))[0]["id"])


def _progress(leg: str, kind: str, *, hours: int = 0) -> dict[str, Any]:
    said = {"leg_id": leg, "kind": kind, "occurred_at": (MONDAY + timedelta(hours=hours)).isoformat()}
    return {**example("progress-pause-agreed", source="dapp-northshire"), "data": said}


async def _refusals(onward: System, source: str) -> list[dict[str, Any]]:
    told = [m["data"] for m in await onward.messages("RECEIPT", f"receipt.{source}")]
    return [receipt for receipt in told if receipt.get("outcome") == "refused"]


async def test_a_refused_transition_tells_its_sender_why_and_where_the_leg_may_go(settings: Settings) -> None:
    async with system(settings, clock=SetClock(MONDAY)) as onward:
        leg = await _dapp(onward)
        await onward.publish(_progress(leg, "started"), channel="progress")
        await onward.publish(_progress(leg, "waitlisted", hours=1), channel="progress")
        await onward.publish(decision("reopen_leg", leg_id=leg), channel="decision")
        await onward.publish(
            decision("close_leg", leg_id=leg, reason_code="health", status="waitlisted"), channel="decision"
        )
        await onward.settle()
        receipts = await _refusals(onward, "dapp-northshire") + await _refusals(onward, "onward-console")
        waitlisted, reopened, closed = receipts
        assert [receipt["reason"] for receipt in receipts] == ["not_allowed", "not_closed", "not_allowed"]
        assert "on_hold" in waitlisted["allowed"]
        assert not {"waitlisted", "deselected"} & set(waitlisted["allowed"]), "what a destination may not is not told"
        assert "allowed" not in reopened, "that was no transition"
        assert set(closed["allowed"]) == {"programme_complete", "not_suitable", "deselected", "withdrawn"}
        assert await _state(onward) == (0, 3)
        assert await _aside(onward, told=False) == []
        assert sorted(await _aside(onward, told=True)) == ["not_allowed", "not_allowed", "not_closed"]
        assert len(await onward.messages("QUARANTINE")) == 3, "whoever watches for them hears of each"


async def test_what_is_wrong_with_us_or_was_referred_waits_for_people_here(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses_referrals(taken: Any, *rest: Any) -> Any:
        if isinstance(taken.data, ReferralSubmitted):
            raise Unacceptable("not_today")
        return decide_event(taken, *rest)

    monkeypatch.setattr(handlers, "decide_event", refuses_referrals)
    async with system(settings, clock=SetClock(MONDAY)) as onward:
        await onward.publish(referral())
        await onward.settle()
        assert await _state(onward) == (1, 0)
        assert await _aside(onward, told=False) == ["not_today"]
        [refused] = await _refusals(onward, referral()["source"])
        assert refused["reason"] == "not_today"
