"""The loop is closed: late and doubtful news, humans' corrections and what sources hear, through the real queue."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from services.ground.clock import SetClock
from services.ground.settings import Settings
from services.router.rules.loader import load_rule_set
from tests.support.events import referral
from tests.support.system import System, system

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
_numbers = itertools.count()


async def test_a_source_hears_what_became_of_its_referral_and_nothing_of_health_or_of_the_other_party(
    settings: Settings,
) -> None:
    async with system(settings, clock=SetClock(MONDAY)) as onward:
        sent = referral()
        legs = await _referred(onward, sent)
        await _tell(onward, "dapp", legs, "accepted", note="He seems frightened.")
        await _tell(onward, "dapp", legs, "started", hours=1)
        await _tell(onward, "victim_safety", legs, "accepted")
        pause = {"reason": "relapse", "from_date": "2026-11-03", "until_date": "2026-12-01"}
        await _tell(
            onward, "dapp", legs, "pause_agreed", hours=2, pause=pause | {"agreed_by": ["person", "facilitator"]}
        )
        await _tell(onward, "dapp", legs, "resumed", hours=3)
        await _tell(onward, "dapp", legs, "closed", hours=4, reason="A relapse.", reason_code="health")
        for hours, kind in enumerate(("accepted", "started", "completed"), start=5):
            await _tell(onward, "mental_health_team", legs, kind, hours=hours)
        heard = await _outcomes(onward, sent["source"])
        assert [(o["destination"], o["outcome"]) for o in heard] == [
            ("dapp", "accepted"),
            ("dapp", "started"),
            ("dapp", "closed"),
            ("mental_health_team", "accepted"),  # whether he came and stayed is between him and them
        ]
        for outcome in heard:
            assert (outcome["origin"], outcome["reference"]) == (sent["id"], sent["data"]["reference"])
            assert set(outcome) == {"origin", "reference", "destination", "outcome", "told_at"}
        everything = await onward.messages("RECEIPT")
        told = [m for m in everything if m["type"] == "onward.outcome.reported.v1"]
        assert {m["subject"] for m in told} == {f"receipt.{sent['source']}"}
        said = json.dumps([m["data"] | {"destination": None} for m in told])  # the names are those that it referred to
        assert not [word for word in ("relapse", "frightened", "health") if word in said]
        audit = [message["data"] for message in await onward.messages("AUDIT")]
        assert len([entry for entry in audit if entry.get("recipient") == sent["source"]]) == len(heard)


async def test_news_out_of_order_leaves_the_leg_where_it_stands_and_a_contradiction_asks_a_human(
    settings: Settings,
) -> None:
    async with system(settings, clock=SetClock(MONDAY)) as onward:
        legs = await _referred(onward, referral())
        for kind, hours in (("acknowledged", 1), ("started", 5), ("waitlisted", 2), ("accepted", 3), ("accepted", 3)):
            await _tell(onward, "dapp", legs, kind, hours=hours)
        await _tell(onward, "dapp", legs, "completed", hours=9)
        await _tell(onward, "dapp", legs, "started", hours=10)
        [leg] = await onward.rows("SELECT status, closed_at, concluded_at FROM legs WHERE destination = 'dapp'")
        assert leg["status"] == "programme_complete"
        assert leg["closed_at"] is not None
        assert leg["concluded_at"] is None, "ended, and not concluded"
        query = "SELECT said, effect, stage FROM leg_history WHERE leg_id = :leg ORDER BY id"
        assert [(row["said"], row["effect"], row["stage"]) for row in await onward.rows(query, leg=legs["dapp"])] == [
            (None, "opened", "open"),
            ("acknowledged", "moved", "open"),
            ("started", "moved", "open"),
            ("waitlisted", "noted", "open"),
            ("accepted", "noted", "open"),
            ("accepted", "noted", "open"),
            ("completed", "moved", "ended"),
            ("started", "conflict", "ended"),
        ]
        [question] = await onward.rows("SELECT leg_id FROM reviews WHERE kind = 'conflict'")
        assert question["leg_id"] == legs["dapp"]


async def test_what_no_transition_allows_is_refused_to_its_sender_with_what_would_be(settings: Settings) -> None:
    async with system(settings, clock=SetClock(MONDAY)) as onward:
        legs = await _referred(onward, referral())
        await _tell(onward, "dapp", legs, "started")
        await _tell(onward, "dapp", legs, "waitlisted", hours=1)
        receipts = [m["data"] for m in await onward.messages("RECEIPT", f"receipt.{_source_of('dapp')}")]
        [refused] = [receipt for receipt in receipts if receipt["outcome"] == "refused"]
        [problem] = refused["problems"]
        assert "a leg that is on_programme cannot become waitlisted" in problem["message"]
        assert "it may become" in problem["message"]
        [leg] = await onward.rows("SELECT status FROM legs WHERE destination = 'dapp'")
        assert leg["status"] == "on_programme"


async def test_a_leg_is_closed_reopened_and_corrected_by_a_human_and_stays_one_leg(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        sent = referral()
        legs = await _referred(onward, sent)
        await _tell(onward, "dapp", legs, "started")
        await _decide(onward, "close_leg", legs["dapp"], reason_code="disengaged")
        [leg] = await onward.rows("SELECT * FROM legs WHERE destination = 'dapp'")
        assert (leg["status"], leg["reason"], leg["concluded_at"]) == ("withdrawn", "disengaged", None)
        assert len(await onward.rows("SELECT id FROM reviews WHERE kind = 'closed'")) == 1
        clock.move(timedelta(days=30))
        await _decide(onward, "reopen_leg", legs["dapp"])
        clock.move(timedelta(hours=1))
        await _decide(onward, "correct_status", legs["dapp"], status="on_programme")
        [leg] = await onward.rows("SELECT * FROM legs WHERE destination = 'dapp'")
        assert (leg["id"], leg["status"], leg["closed_at"]) == (legs["dapp"], "on_programme", None)
        rows = await onward.rows("SELECT * FROM leg_history WHERE leg_id = :leg ORDER BY id", leg=legs["dapp"])
        assert [row["effect"] for row in rows] == ["opened", "moved", "moved", "reopened", "corrected"]
        assert [row["by_user"] for row in rows[2:]] == ["c.manager"] * 3
        assert {row["because"] for row in rows[2:]} == {"He telephoned."}
        routed = [m["data"] for m in await onward.messages("ROUTE", "route.dapp")]
        assert [(m["action"], m["sequence"]) for m in routed] == [("refer", 1), ("notify", 2), ("reopen", 3)]
        assert "telephoned" not in json.dumps(routed), "a human's own words stay here"
        actions = [m["data"]["action"] for m in await onward.messages("ROUTE", "route.victim_safety")]
        assert actions.count("notify") >= 3, "victim safety hears of each"
        heard = [o["outcome"] for o in await _outcomes(onward, sent["source"])]
        assert heard == ["started", "closed", "reopened", "started"]


async def _referred(onward: System, sent: dict[str, Any]) -> dict[str, str]:
    """The referral is taken. Returns the leg ids by destination."""
    await onward.publish(sent)
    await onward.settle()
    return {row["destination"]: row["id"] for row in await onward.rows("SELECT destination, id FROM legs")}


def _source_of(destination: str) -> str:
    return load_rule_set(Settings().rules_dir).destinations[destination].source


async def _tell(
    onward: System, destination: str, legs: dict[str, str], kind: str, *, hours: int = 0, **more: object
) -> None:
    at = (MONDAY + timedelta(hours=hours)).isoformat()
    data = {"leg_id": legs[destination], "kind": kind, "occurred_at": at, **more}
    await _publish(onward, _source_of(destination), "progress", "onward.progress.reported.v1", data)


async def _decide(onward: System, kind: str, leg: str, **more: object) -> None:
    by = {"user": "c.manager", "role": "case_manager", "organisation": "northshire"}
    at = onward.world.clock.now().isoformat()
    data = {"kind": kind, "decided_by": by, "decided_at": at, "reason": "He telephoned.", "leg_id": leg, **more}
    await _publish(onward, "onward-console", "decision", "onward.decision.made.v1", data)


async def _publish(onward: System, source: str, channel: str, type_: str, data: dict[str, Any]) -> None:
    message = {
        "specversion": "1.0",
        "id": f"word-{next(_numbers)}",
        "source": source,
        "type": type_,
        "time": onward.world.clock.now().isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }
    await onward.publish(message, channel=channel)
    await onward.settle()


async def _outcomes(onward: System, source: str) -> list[dict[str, Any]]:
    messages = await onward.messages("RECEIPT", f"receipt.{source}")
    return [m["data"] for m in messages if m["type"] == "onward.outcome.reported.v1"]
