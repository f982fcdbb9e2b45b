"""Offers, pauses and welfare checks through the real queue and store: kept as decided, and read back the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, update

from schemas.base import LegId, PersonId
from schemas.timer import TimerFellDue
from schemas.vocabulary import TimerKind
from services.ground.clock import SetClock
from services.ground.settings import Settings
from services.ground.work import Work
from services.router import store
from services.router.casework.act import Acting
from services.router.casework.case import Case
from services.router.casework.checks import check_escalates, check_fell_due
from services.router.casework.enter import enter
from services.router.casework.resting import CheckStatus
from services.router.casework.silence import nothing_silent
from services.router.keep import Cause, Keeping
from services.router.load import load_cases, load_open
from services.router.rules.loader import load_rule_set
from tests.support.events import example, referral, risk
from tests.support.system import System, system

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
DAPP = "dapp-northshire"


@pytest.fixture
def clock() -> SetClock:
    """A Monday, which stands still until it is moved."""
    return SetClock(MONDAY)


@pytest.fixture
async def onward(settings: Settings, clock: SetClock) -> AsyncIterator[System]:
    """A running system."""
    async with system(settings, clock=clock) as running:
        yield running


async def test_what_humans_decide_of_a_pause_is_done_and_kept(onward: System, clock: SetClock) -> None:
    leg = await _on_programme(onward)
    await _tell(
        onward, risk("risk-relapse", source=DAPP, about={"leg_id": leg}, occurred_at=MONDAY.isoformat()), "risk"
    )
    await _decide(onward, clock, "agree_offer", leg_id=leg)
    [pause] = await onward.rows("SELECT * FROM pauses")
    assert (str(pause["from_date"]), str(pause["until_date"])) == ("2026-11-02", "2026-11-30")
    assert await _checks(onward) == ["planned"] * 4

    await _decide(onward, clock, "extend_pause", leg_id=leg, on="2026-12-14")
    await _decide(onward, clock, "shorten_pause", leg_id=leg, on="2026-12-07")
    assert await _checks(onward) == ["planned"] * 5 + ["not_needed"]
    clock.move(timedelta(days=6))
    await _decide(onward, clock, "record_check", leg_id=leg, welfare_check="concern")
    assert (await _checks(onward))[0] == "done"
    [concern] = await onward.rows("SELECT kind FROM case_events WHERE kind = 'welfare_concern'")
    assert concern
    await _decide(onward, clock, "reschedule_check", leg_id=leg, on="2026-11-17")
    assert await _checks(onward) == ["done", "rescheduled", "planned", "planned", "planned", "planned", "not_needed"]
    await _decide(onward, clock, "mute_checks", role="programme_manager", leg_id=leg, on="2026-11-18")
    await _decide(onward, clock, "resume_leg", leg_id=leg)
    assert await _checks(onward) == ["done", "rescheduled", "muted", *["not_needed"] * 4]
    [row] = await onward.rows("SELECT status, held_from FROM legs WHERE destination = 'dapp'")
    assert row == {"status": "on_programme", "held_from": None}
    [pause] = await onward.rows("SELECT * FROM pauses")
    assert pause["ended"] == "resumed"
    told = [m["data"]["action"] for m in await onward.messages("ROUTE", "route.victim_safety")]
    assert told.count("notify") == 6, "the relapse, the pause, its two new ends, the concern and its end"
    audited = [m["data"] for m in await onward.messages("AUDIT", "audit.alter")]
    kinds = {record["kind"] for entry in audited for record in entry["records"]}
    assert {"offer", "pause", "welfare_check"} <= kinds
    assert await onward.rows("SELECT * FROM quarantine") == []


async def test_a_refused_decision_changes_nothing_and_its_sender_is_told(onward: System, clock: SetClock) -> None:
    leg = await _on_programme(onward)
    await _decide(onward, clock, "resume_leg", leg_id=leg)
    [aside] = await onward.rows("SELECT service, reason FROM quarantine")
    assert aside == {"service": "router", "reason": "not_paused"}
    receipts = [m["data"] for m in await onward.messages("RECEIPT", "receipt.onward-console")]
    assert [r["outcome"] for r in receipts] == ["accepted", "refused"]


async def test_a_case_that_is_read_back_is_the_case_that_was_kept(onward: System, clock: SetClock) -> None:
    leg = await _on_programme(onward)
    said = example("progress-pause-agreed", source=DAPP, leg_id=leg)
    said["data"]["pause"] |= {"from_date": "2026-11-02", "until_date": "2026-11-30"}
    await _tell(onward, said, "progress")
    person = (await onward.rows("SELECT person_id FROM legs"))[0]["person_id"]
    rules = load_rule_set(Settings().rules_dir)

    def ring(connection: Connection, kind: TimerKind, now: datetime) -> Case:
        work = Work(connection, service="router", now=now)
        case = _whole(person, work)
        assert nothing_silent(case, rules) == []
        timer = min((t for t in case.timers.values() if t.kind is kind), key=lambda t: t.due_at)
        del case.timers[timer.id]
        fired = update(store.timers).where(store.timers.c.id == timer.id).values(taken_at=now)
        connection.execute(fired)
        acting = Acting(case, rules, now, work.id, leg, event_id=work.id(), by="onward-timers")
        data = TimerFellDue(
            timer_id=timer.id, person_id=PersonId(person), kind=kind, due_at=timer.due_at, leg_id=LegId(leg)
        )
        takes = check_fell_due if kind is TimerKind.WELFARE_CHECK else check_escalates
        steps = takes(case, data, acting)
        enter(case, steps, event_id=acting.event_id, now=now)
        keeping = Keeping(work)
        for step in steps:
            keeping.step(step, case, Cause(acting.event_id, "onward-timers", acting.event_id))
        keeping.write()
        return case

    def read(connection: Connection) -> Case:
        return _whole(person, Work(connection, service="router", now=MONDAY))

    for kind, at in (
        (TimerKind.WELFARE_CHECK, datetime(2026, 11, 9, 9, tzinfo=UTC)),
        (TimerKind.CHECK_ESCALATION, datetime(2026, 11, 10, 17, tzinfo=UTC)),
        (TimerKind.CHECK_ESCALATION, datetime(2026, 11, 11, 17, tzinfo=UTC)),
    ):
        case = await onward.world.database.write(lambda c, kind=kind, at=at: ring(c, kind, at))  # type: ignore[misc]
        kept = await onward.world.database.read(read)
        for name in ("legs", "offers", "pauses", "checks", "timers"):
            assert getattr(kept, name) == getattr(case, name), name
        assert {id_: replace(r, decision_id=None, person_id=None) for id_, r in kept.reviews.items()} == {
            id_: replace(r, decision_id=None, person_id=None) for id_, r in case.reviews.items()
        }
    check = case.checks_of(leg, {CheckStatus.MISSED})[0]
    assert check.escalated_to == "programme_manager"
    [asked] = [r for r in kept.reviews.values() if r.role == "programme_manager"]

    await _decide(onward, clock, "answer_review", role=asked.role, review_id=asked.id, answer="not_reached")
    assert (await _checks(onward))[0] == "done"
    assert await onward.rows("SELECT id FROM reviews WHERE kind = 'welfare_check' AND answered_at IS NULL") == []


def _whole(person: str, work: Work) -> Case:
    case = load_cases([person], work)[person]
    load_open([case], work)
    return case


async def _on_programme(onward: System) -> str:
    """The case's referral, and the man on the programme. Returns its leg."""
    await _tell(onward, referral(), "referral")
    [row] = await onward.rows("SELECT id FROM legs WHERE destination = 'dapp'")
    await _tell(onward, example("progress-started", source=DAPP, leg_id=row["id"]), "progress")
    return str(row["id"])


async def _decide(onward: System, clock: SetClock, kind: str, *, role: str = "facilitator", **more: object) -> None:
    event = example("decision-answer-review")
    event["data"] = {
        "kind": kind,
        "decided_by": {"user": "f.worker", "role": role, "organisation": DAPP},
        "decided_at": clock.now().isoformat(),
        "reason": "Agreed with him.",
        **more,
    }
    await _tell(onward, event, "decision")


async def _tell(onward: System, event: dict[str, Any], channel: str) -> None:
    await onward.publish(event, channel=channel)
    await onward.settle()


async def _checks(onward: System) -> list[str]:
    return [row["status"] for row in await onward.rows("SELECT status FROM welfare_checks ORDER BY due_on, id")]
