"""What somebody was asked about because it had not come comes after all: the question is answered by it, on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.ground.clock import SetClock
from services.ground.settings import Settings
from services.router.rules.loader import load_rule_set
from tests.support.events import example, referral
from tests.support.system import System, system

MONDAY = datetime(2027, 3, 1, 9, tzinfo=UTC)


async def _tell(onward: System, clock: SetClock, destination: str, leg: str, kind: str) -> None:
    clock.move(timedelta(minutes=1))
    source = load_rule_set(Settings().rules_dir).destinations[destination].source
    said = {"leg_id": leg, "kind": kind, "occurred_at": clock.now().isoformat()}
    await onward.publish({**example("progress-started", source=source), "data": said}, channel="progress")
    await onward.settle()


async def _questions(onward: System, leg: str, kind: str) -> list[dict[str, Any]]:
    return await onward.rows("SELECT * FROM reviews WHERE leg_id = :leg AND kind = :kind", leg=leg, kind=kind)


async def _watched(onward: System, review: str) -> int:
    waits = "SELECT id FROM timers WHERE review_id = :id AND fired_at IS NULL AND cancelled_at IS NULL"
    return len(await onward.rows(waits, id=review))


async def test_a_first_contact_that_is_told_late_answers_who_was_asked_about_it(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        await onward.publish(referral())
        await onward.settle()
        [leg] = [r["id"] for r in await onward.rows("SELECT id FROM legs WHERE destination = 'dapp'")]
        await _tell(onward, clock, "dapp", leg, "accepted")
        clock.move(timedelta(days=9))
        await onward.settle()
        [asked] = await _questions(onward, leg, "deadline")
        assert asked["answered_at"] is None
        await _tell(onward, clock, "dapp", leg, "attended")
        [answered] = await _questions(onward, leg, "deadline")
        assert (answered["answered_by"], answered["answer"]) == ("dapp-northshire", "told since: attended")
        assert await _watched(onward, asked["id"]) == 0


async def test_an_answer_after_all_leaves_one_question_which_of_two_legs_stays(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        await onward.publish(referral())
        await onward.settle()
        where = "SELECT id FROM legs WHERE destination = 'addiction_service'"
        [leg] = [r["id"] for r in await onward.rows(where)]
        for _ in range(2):  # the second time nobody is left to ask
            clock.move(timedelta(days=6))
            await onward.settle()
        [silent] = await _questions(onward, leg, "no_destination")
        await _tell(onward, clock, "addiction_service", leg, "acknowledged")
        [answered] = await _questions(onward, leg, "no_destination")
        assert (silent["answered_at"], answered["answer"]) == (None, "told since: acknowledged")
        [which] = await _questions(onward, leg, "which_leg")
        assert which["answered_at"] is None
