"""Pauses: one leg rests, and only a human lets it go on, rest longer or close."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.progress import Pause
from schemas.refusal import Unacceptable
from schemas.vocabulary import (
    DecisionKind,
    LegStatus,
    PauseParty,
    PauseReason,
    ProgressKind,
    RiskKind,
    RouteAction,
    TimerKind,
    WelfareOutcome,
)
from services.router.casework.act import Acting
from services.router.casework.enter import enter
from services.router.casework.pathway import put
from services.router.casework.pause_ends import follow
from services.router.casework.resting import CheckStatus
from services.router.casework.steps import Command, LegMoved, ReviewKind, Step
from services.router.rules.language import Role
from tests.unit.router.casework.resting_world import DAPP, LEGS, World, rules

WEDNESDAY = datetime(2026, 3, 18, 12, tzinfo=UTC)
END = date(2026, 4, 15)  # four weeks


def _paused() -> World:
    world = World(WEDNESDAY)
    world.pause(END)
    return world


def _over() -> World:
    world = _paused()
    for check_day in (25, 32, 39):
        world.go_to(datetime(2026, 3, 18, 12, tzinfo=UTC) + timedelta(days=check_day - 18))
        world.progress(ProgressKind.WELFARE_CHECK_DONE, welfare_check=WelfareOutcome.WELL)
    world.go_to(datetime(2026, 4, 15, 9, tzinfo=UTC))
    return world


def _told(steps: list[Step], leg: str) -> list[RouteAction]:
    return [step.action for step in steps if isinstance(step, Command) and step.leg.id == LEGS[leg]]


def _days(world: World, status: CheckStatus) -> list[date]:
    return [check.due_on for check in world.checks if check.status is status]


def test_only_the_paused_leg_rests() -> None:
    world = _paused()
    resting = [leg.destination for leg in world.case.legs.values() if leg.status is LegStatus.ON_HOLD]
    assert resting == ["dapp"]


def test_victim_safety_hears_of_the_pause_and_its_end_and_nobody_else_needs_to() -> None:
    world = World(WEDNESDAY)
    steps = world.pause(END)
    assert _told(steps, "victim_safety") == [RouteAction.NOTIFY]
    assert _told(steps, "addiction_service") == []
    assert _told(world.progress(ProgressKind.RESUMED), "victim_safety") == [RouteAction.NOTIFY]


def test_extending_adds_the_checks_between_and_moves_the_review() -> None:
    world = _paused()
    world.human(DecisionKind.EXTEND_PAUSE, on=date(2026, 4, 29))
    assert _days(world, CheckStatus.PLANNED)[-2:] == [date(2026, 4, 22), date(2026, 4, 29)]
    assert len(world.checks) == 6
    world.go_to(datetime(2026, 4, 28, 12, tzinfo=UTC))
    assert world.reviews(ReviewKind.PAUSE_END) == [], "the old end has passed, and was moved"
    world.go_to(datetime(2026, 4, 29, 9, tzinfo=UTC))
    assert [review.role for review in world.reviews(ReviewKind.PAUSE_END)] == [Role.FACILITATOR]


def test_shortening_drops_no_check_but_says_that_it_is_not_needed() -> None:
    world = _paused()
    world.human(DecisionKind.SHORTEN_PAUSE, on=date(2026, 4, 1))
    assert _days(world, CheckStatus.PLANNED) == [date(2026, 3, 25), date(2026, 4, 1)]
    assert _days(world, CheckStatus.NOT_NEEDED) == [date(2026, 4, 8), date(2026, 4, 15)]
    assert {c.reason for c in world.checks if c.status is CheckStatus.NOT_NEEDED} == {"the pause was shortened"}


def test_longer_again_after_shorter_has_its_checks_again() -> None:
    world = _paused()
    world.human(DecisionKind.SHORTEN_PAUSE, on=date(2026, 4, 1))
    world.human(DecisionKind.EXTEND_PAUSE, on=END)
    assert _days(world, CheckStatus.PLANNED) == [date(2026, 3, 25), date(2026, 4, 1), date(2026, 4, 8), END]


@pytest.mark.parametrize(
    ("kind", "on", "why"),
    [
        (DecisionKind.EXTEND_PAUSE, END, "not_later"),
        (DecisionKind.EXTEND_PAUSE, date(2026, 3, 18), "not_ahead"),
        (DecisionKind.SHORTEN_PAUSE, END, "not_earlier"),
        (DecisionKind.SHORTEN_PAUSE, date(2026, 3, 17), "not_earlier"),
    ],
)
def test_a_day_that_makes_no_sense_is_refused_and_changes_nothing(kind: DecisionKind, on: date, why: str) -> None:
    world = _paused()
    before = dict(world.case.pauses), dict(world.case.checks), dict(world.case.legs)
    with pytest.raises(Unacceptable, match=why):
        world.human(kind, on=on)
    assert (world.case.pauses, world.case.checks, world.case.legs) == before


@pytest.mark.parametrize("kind", [DecisionKind.EXTEND_PAUSE, DecisionKind.SHORTEN_PAUSE, DecisionKind.RESUME_LEG])
def test_what_does_not_rest_is_not_made_longer_shorter_or_resumed(kind: DecisionKind) -> None:
    world = World(WEDNESDAY)
    with pytest.raises(Unacceptable, match="not_paused"):
        world.human(kind, on=END)


@pytest.mark.parametrize("by_human", [False, True])
def test_resuming_early_goes_back_where_it_stood_and_keeps_the_checks_on_record(by_human: bool) -> None:
    world = _paused()
    world.go(timedelta(days=10))
    steps = world.human(DecisionKind.RESUME_LEG) if by_human else world.progress(ProgressKind.RESUMED)
    assert (world.dapp.status, world.dapp.held_from) == (LegStatus.ON_PROGRAMME, None)
    assert len(world.checks) == 4
    assert {check.status for check in world.checks} == {CheckStatus.NOT_NEEDED}
    assert world.reviews(ReviewKind.WELFARE_CHECK) == []
    assert _told(steps, "dapp") == ([RouteAction.NOTIFY] if by_human else [])
    [pause] = world.case.pauses.values()
    assert (pause.ended, pause.ended_at) == ("resumed", world.now)


def test_a_leg_that_was_paused_before_it_was_answered_is_watched_again() -> None:
    world = World(WEDNESDAY)
    world.case.legs[DAPP] = put(rules().pathway, world.dapp, LegStatus.REQUESTED, now=world.now)
    world.pause(END)
    world.progress(ProgressKind.RESUMED)
    assert world.dapp.status is LegStatus.REQUESTED
    [timer] = [t for t in world.case.timers.values() if t.kind is TimerKind.ACKNOWLEDGEMENT and t.leg_id == DAPP]
    assert timer.due_at > world.now


def test_at_its_end_a_human_is_asked_and_the_leg_rests_on() -> None:
    world = _over()
    [asked] = world.reviews(ReviewKind.PAUSE_END)
    assert (asked.role, asked.answers) == ("facilitator", ("resume", "extend", "close"))
    assert world.dapp.status is LegStatus.ON_HOLD


def test_while_nobody_answers_at_its_end_the_checks_go_on() -> None:
    world = _over()
    world.go(timedelta(days=21))
    days = [check.due_on for check in world.checks]
    assert days[-4:] == [date(2026, 4, 22), date(2026, 4, 29), date(2026, 5, 6), date(2026, 5, 13)]
    assert world.dapp.status is LegStatus.ON_HOLD
    assert len(world.reviews(ReviewKind.PAUSE_END)) == 1


def test_answered_with_resume_he_goes_on() -> None:
    world = _over()
    [asked] = world.reviews(ReviewKind.PAUSE_END)
    steps = world.human(DecisionKind.ANSWER_REVIEW, review_id=asked.id, answer="resume")
    assert world.dapp.status is LegStatus.ON_PROGRAMME
    assert world.reviews(ReviewKind.PAUSE_END) == []
    assert _told(steps, "victim_safety") == [RouteAction.NOTIFY]


def test_answered_with_extend_it_rests_until_the_day_said() -> None:
    world = _over()
    [asked] = world.reviews(ReviewKind.PAUSE_END)
    with pytest.raises(Unacceptable, match="until_when"):
        world.human(DecisionKind.ANSWER_REVIEW, review_id=asked.id, answer="extend")
    world.human(DecisionKind.ANSWER_REVIEW, review_id=asked.id, answer="extend", on=date(2026, 5, 6))
    assert world.reviews(ReviewKind.PAUSE_END) == []
    planned = [check.due_on for check in world.checks if check.status is CheckStatus.PLANNED]
    assert planned == [date(2026, 4, 22), date(2026, 4, 29), date(2026, 5, 6)]
    world.go_to(datetime(2026, 5, 6, 9, tzinfo=UTC))
    assert len(world.reviews(ReviewKind.PAUSE_END)) == 1


def test_answered_with_close_it_is_closed_with_the_reason_told_and_looked_at_again() -> None:
    world = _over()
    [asked] = world.reviews(ReviewKind.PAUSE_END)
    answer = {"review_id": asked.id, "answer": "close", "reason": "He moved away."}
    with pytest.raises(Unacceptable, match="needs_reason"):
        world.human(DecisionKind.ANSWER_REVIEW, **answer)
    steps = world.human(DecisionKind.ANSWER_REVIEW, reason_code="moved_away", **answer)
    assert world.dapp.closed
    assert [step.because for step in steps if isinstance(step, LegMoved)] == ["He moved away."]
    assert _told(steps, "victim_safety") == [RouteAction.NOTIFY]
    assert _told(steps, "dapp") == [RouteAction.NOTIFY]
    assert world.reviews(ReviewKind.CLOSED), "nothing closes silently"


def test_an_answer_that_was_not_offered_is_refused() -> None:
    world = _over()
    [asked] = world.reviews(ReviewKind.PAUSE_END)
    with pytest.raises(Unacceptable, match="not_offered"):
        world.human(DecisionKind.ANSWER_REVIEW, review_id=asked.id, answer="perhaps")


def test_a_paused_leg_that_its_destination_closes_is_no_longer_paused_but_a_missed_check_is_still_asked_after() -> None:
    world = _paused()
    world.go_to(datetime(2026, 3, 27, 12, tzinfo=UTC))  # the check of the 25th was missed on the 26th
    steps = world.progress(ProgressKind.CLOSED, reason="He does not come.")
    assert world.case.open_pause(DAPP) is None
    assert _days(world, CheckStatus.MISSED) == [date(2026, 3, 25)]
    assert len(_days(world, CheckStatus.NOT_NEEDED)) == 3
    assert world.reviews(ReviewKind.WELFARE_CHECK)
    assert _told(steps, "victim_safety") == [RouteAction.NOTIFY]


def test_a_leg_held_by_others_without_an_end_is_put_to_the_facilitator_who_can_give_it_one() -> None:
    world = World(WEDNESDAY)
    before = world.dapp
    world.case.legs[DAPP] = put(rules().pathway, before, LegStatus.ON_HOLD, now=world.now)
    acting = Acting(world.case, rules(), world.now, world.id)
    enter(world.case, follow(world.case, [LegMoved(before, world.dapp, "corrected")], acting))
    [asked] = world.reviews(ReviewKind.PAUSE_END)
    world.human(DecisionKind.ANSWER_REVIEW, review_id=asked.id, answer="extend", on=END)
    [pause] = world.case.pauses.values()
    assert (pause.until_date, pause.held_from) == (END, LegStatus.ON_PROGRAMME)
    assert len(world.checks) == 4
    assert world.reviews(ReviewKind.PAUSE_END) == []


def test_a_pause_told_late_asks_once_how_he_is_and_not_for_each_day_gone_by() -> None:
    world = World(WEDNESDAY)
    world.pause(END, start=date(2026, 2, 25))
    assert [check.status for check in world.checks[:3]] == [
        CheckStatus.NOT_NEEDED,
        CheckStatus.NOT_NEEDED,
        CheckStatus.PLANNED,
    ]
    assert world.checks[2].due_on == world.today, "the check of this very day"
    world.go(timedelta(minutes=1))
    assert len(world.reviews(ReviewKind.WELFARE_CHECK)) == 1


def test_another_leg_can_rest_too_and_neither_touches_the_other() -> None:
    world = _paused()
    said = Pause(reason=PauseReason.WORK, from_date=world.today, until_date=END, agreed_by=frozenset(PauseParty))
    world.progress(ProgressKind.PAUSE_AGREED, leg="addiction_service", pause=said)
    world.progress(ProgressKind.RESUMED)
    assert world.case.legs[LEGS["addiction_service"]].status is LegStatus.ON_HOLD
    assert world.case.open_pause(LEGS["addiction_service"]) is not None


def test_a_relapse_in_the_pause_moves_no_leg() -> None:
    world = _paused()
    world.risk(RiskKind.RELAPSE)
    assert world.dapp.status is LegStatus.ON_HOLD
    assert world.offers == []
