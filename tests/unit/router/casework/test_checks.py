"""Welfare checks: due, done, missed and brought before one role after another, put off, muted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.base import LegId
from schemas.human import DecidedBy, HumanDecision
from schemas.person import PersonRef
from schemas.progress import ProgressReported
from schemas.refusal import Unacceptable
from schemas.risk import RiskReported
from schemas.vocabulary import DecisionKind, ProgressKind, RiskKind, RouteAction, WelfareOutcome
from services.router.casework.as_risk import as_risk
from services.router.casework.resting import CheckStatus, Pause, at_start_of_work
from services.router.casework.steps import Command, ReviewAsked, ReviewKind, Step
from tests.unit.router.casework.resting_world import DAPP, LEGS, World

WEDNESDAY = datetime(2026, 3, 18, 12, tzinfo=UTC)
FIRST = datetime(2026, 3, 25, 9, tzinfo=UTC)  # a Wednesday, in winter time
MISSED = datetime(2026, 3, 26, 17, tzinfo=UTC)  # the end of the next working day


def _paused() -> World:
    world = World(WEDNESDAY)
    world.pause(date(2026, 4, 15))
    return world


def _asked(world: World) -> list[tuple[str, datetime]]:
    return [(review.role, review.due_at) for review in world.reviews(ReviewKind.WELFARE_CHECK)]


def _told(steps: list[Step], leg: str) -> list[RouteAction]:
    return [step.action for step in steps if isinstance(step, Command) and step.leg.id == LEGS[leg]]


def test_a_check_is_due_at_nine_and_the_facilitator_is_asked() -> None:
    world = _paused()
    world.go_to(FIRST - timedelta(seconds=1))
    assert _asked(world) == []
    world.go_to(FIRST)
    assert world.checks[0].status is CheckStatus.DUE
    assert _asked(world) == [("facilitator", MISSED)]


@pytest.mark.parametrize(
    ("day", "at"),
    [
        (date(2026, 3, 28), "2026-03-28T09:00+00:00"),  # the day before the clocks go forward
        (date(2026, 3, 29), "2026-03-29T08:00+00:00"),
        (date(2026, 10, 24), "2026-10-24T08:00+00:00"),
        (date(2026, 10, 25), "2026-10-25T09:00+00:00"),  # the day on which they go back
        (date(2028, 2, 29), "2028-02-29T09:00+00:00"),
    ],
)
def test_nine_is_nine_in_london_all_year(day: date, at: str) -> None:
    assert at_start_of_work(day) == datetime.fromisoformat(at)


def test_a_pause_over_a_leap_day_keeps_its_rhythm_of_days() -> None:
    world = World(datetime(2028, 2, 8, 12, tzinfo=UTC))
    world.pause(date(2028, 3, 7))
    assert [check.due_on for check in world.checks] == [
        date(2028, 2, 15),
        date(2028, 2, 22),
        date(2028, 2, 29),
        date(2028, 3, 7),
    ]


def test_the_days_of_a_rhythm_are_without_the_first_and_with_the_last() -> None:
    world = _paused()
    [pause] = world.case.pauses.values()
    assert isinstance(pause, Pause)
    assert pause.check_days(after=date(2026, 3, 25), until=date(2026, 4, 8)) == [date(2026, 4, 1), date(2026, 4, 8)]
    assert pause.check_days(after=date(2026, 3, 18), until=date(2026, 3, 24)) == []


@pytest.mark.parametrize("outcome", WelfareOutcome)
def test_done_it_has_its_outcome_and_nobody_is_asked_any_more(outcome: WelfareOutcome) -> None:
    world = _paused()
    world.go_to(FIRST + timedelta(hours=2))
    world.progress(ProgressKind.WELFARE_CHECK_DONE, welfare_check=outcome)
    check = world.checks[0]
    assert (check.status, check.outcome, check.by_whom, check.at) == (
        CheckStatus.DONE,
        outcome,
        "dapp-northshire",
        world.now,
    )
    assert _asked(world) == []


def test_a_human_records_a_check_or_answers_its_question() -> None:
    for kind in (DecisionKind.RECORD_CHECK, DecisionKind.ANSWER_REVIEW):
        world = _paused()
        world.go_to(FIRST)
        [asked] = world.reviews(ReviewKind.WELFARE_CHECK)
        if kind is DecisionKind.RECORD_CHECK:
            world.human(kind, welfare_check=WelfareOutcome.WELL)
        else:
            world.human(kind, review_id=asked.id, answer="well")
        assert (world.checks[0].status, world.checks[0].outcome) == (CheckStatus.DONE, WelfareOutcome.WELL)
        assert world.checks[0].by_whom == "fay"
        assert world.reviews(ReviewKind.WELFARE_CHECK) == []


def test_a_check_done_early_is_not_asked_for_again() -> None:
    world = _paused()
    world.go(timedelta(days=5))
    world.progress(ProgressKind.WELFARE_CHECK_DONE, welfare_check=WelfareOutcome.WELL)
    world.go_to(FIRST + timedelta(hours=1))
    assert world.checks[0].status is CheckStatus.DONE
    assert _asked(world) == []
    assert world.checks[1].status is CheckStatus.PLANNED, "one talk is one check"


def test_not_done_by_the_end_of_the_next_working_day_it_is_missed_and_goes_up_by_working_days() -> None:
    world = _paused()
    world.go_to(MISSED)
    check = world.checks[0]
    assert (check.status, check.missed_at, check.escalated_to) == (CheckStatus.MISSED, MISSED, "facilitator")
    world.go_to(datetime(2026, 3, 27, 17, tzinfo=UTC))  # Friday
    assert world.checks[0].escalated_to == "programme_manager"
    world.go_to(datetime(2026, 3, 30, 15, 59, tzinfo=UTC))
    assert world.checks[0].escalated_to == "programme_manager", "not over the weekend"
    world.go_to(datetime(2026, 3, 30, 16, tzinfo=UTC))  # Monday, in summer time
    assert world.checks[0].escalated_to == "safeguarding_lead"
    assert [role for role, _ in _asked(world)] == [
        "facilitator",
        "facilitator",
        "programme_manager",
        "safeguarding_lead",
    ]


def test_recorded_late_the_escalation_ends_and_the_miss_stays_on_record() -> None:
    world = _paused()
    world.go_to(MISSED + timedelta(hours=1))
    world.human(DecisionKind.RECORD_CHECK, welfare_check=WelfareOutcome.WELL)
    world.go(timedelta(days=4))
    check = world.checks[0]
    assert (check.status, check.missed_at, check.next_at) == (CheckStatus.DONE, MISSED, None)
    assert _asked(world) == []


def test_a_missed_check_is_a_risk_event_decided_by_the_rules_and_counted_in_their_windows() -> None:
    world = _paused()
    before = len(world.steps)
    world.go_to(MISSED)
    assert [event.kind for event in world.case.events].count("missed_welfare_check") == 1
    assert _told(world.steps[before:], "victim_safety") == [RouteAction.NOTIFY]
    world.go_to(datetime(2026, 4, 2, 16, tzinfo=UTC))  # the next check is missed too
    roles = {review.role for review in world.reviews(ReviewKind.ESCALATION)}
    assert roles == {"programme_manager", "safeguarding_lead"}, "two in a row: the rules bring it before both at once"
    assert [event.kind for event in world.case.events].count("missed_welfare_check") == 2


def test_one_miss_is_told_once_however_far_it_goes_up() -> None:
    world = _paused()
    world.go_to(datetime(2026, 3, 31, 12, tzinfo=UTC))
    assert [event.kind for event in world.case.events].count("missed_welfare_check") == 1


def test_a_concern_is_a_risk_event_of_its_own() -> None:
    world = _paused()
    world.go_to(FIRST)
    world.progress(ProgressKind.WELFARE_CHECK_DONE, welfare_check=WelfareOutcome.CONCERN)
    world.go(timedelta(days=7))
    steps = world.human(DecisionKind.RECORD_CHECK, welfare_check=WelfareOutcome.CONCERN)
    assert [event.kind for event in world.case.events].count("welfare_concern") == 2
    escalated = [step.role for step in steps if isinstance(step, ReviewAsked) and step.kind is ReviewKind.ESCALATION]
    assert escalated == ["safeguarding_lead"], "the second within four weeks"


def test_what_a_concern_tells_of_is_told_as_a_risk_with_its_note() -> None:
    world = _paused()
    said = ProgressReported(
        leg_id=LegId(DAPP),
        kind=ProgressKind.WELFARE_CHECK_DONE,
        occurred_at=world.now,
        welfare_check=WelfareOutcome.CONCERN,
        note="He sleeps badly.",
    )
    risk = as_risk(world.case, said)
    assert risk is not None
    assert (risk.kind, risk.about.leg_id, risk.note) == (RiskKind.WELFARE_CONCERN, DAPP, "He sleeps badly.")
    assert as_risk(world.case, said.model_copy(update={"welfare_check": WelfareOutcome.WELL})) is None


def test_a_miss_that_a_source_reports_first_is_the_same_miss() -> None:
    world = _paused()
    world.go_to(FIRST + timedelta(hours=3))
    world.risk(RiskKind.MISSED_WELFARE_CHECK)
    assert (world.checks[0].status, world.checks[0].escalated_to) == (CheckStatus.MISSED, "facilitator")
    world.go_to(MISSED)
    assert world.checks[0].escalated_to == "programme_manager"
    assert [event.kind for event in world.case.events].count("missed_welfare_check") == 1


def test_a_miss_of_which_we_know_nothing_is_asked_after_all_the_same() -> None:
    world = World(WEDNESDAY)
    said = RiskReported(about=PersonRef(leg_id=LegId(DAPP)), kind=RiskKind.MISSED_WELFARE_CHECK, occurred_at=world.now)
    world.take(said, "a-source")
    assert [review.role for review in world.reviews(ReviewKind.ESCALATION)] == ["facilitator"]


def test_put_off_another_check_takes_its_place() -> None:
    world = _paused()
    world.go_to(FIRST)
    world.human(DecisionKind.RESCHEDULE_CHECK, on=date(2026, 3, 30), reason="He is at his mother's.")
    old = world.checks[0]
    [new] = [check for check in world.checks if check.instead_of == old.id]
    assert (old.status, old.reason) == (CheckStatus.RESCHEDULED, "He is at his mother's.")
    assert (new.due_on, new.status) == (date(2026, 3, 30), CheckStatus.PLANNED)
    assert _asked(world) == []
    world.go_to(datetime(2026, 3, 30, 8, tzinfo=UTC))
    assert _asked(world) == [("facilitator", datetime(2026, 3, 31, 16, tzinfo=UTC))]


@pytest.mark.parametrize(("on", "why"), [(date(2026, 3, 24), "not_ahead"), (date(2026, 4, 9), "too_far_ahead")])
def test_a_check_is_not_put_off_into_the_past_or_for_ever(on: date, why: str) -> None:
    world = _paused()
    world.go_to(FIRST)
    with pytest.raises(Unacceptable, match=why):
        world.human(DecisionKind.RESCHEDULE_CHECK, on=on)


def test_muted_nobody_is_asked_until_that_day_and_the_rows_say_why() -> None:
    world = _paused()
    world.go_to(FIRST)
    world.human(DecisionKind.MUTE_CHECKS, on=date(2026, 4, 2), reason="He is in hospital and seen every day.")
    assert [check.status for check in world.checks] == [
        CheckStatus.MUTED,
        CheckStatus.MUTED,
        CheckStatus.PLANNED,
        CheckStatus.PLANNED,
    ]
    assert {check.reason for check in world.checks[:2]} == {"He is in hospital and seen every day."}
    world.go_to(datetime(2026, 4, 8, 7, tzinfo=UTC))
    assert _asked(world) == []
    world.go_to(datetime(2026, 4, 8, 8, tzinfo=UTC))
    assert len(_asked(world)) == 1


@pytest.mark.parametrize("on", [date(2026, 3, 24), date(2026, 4, 16)])
def test_checks_are_muted_within_the_pause(on: date) -> None:
    world = _paused()
    world.go_to(FIRST)
    with pytest.raises(Unacceptable, match="not_in_the_pause"):
        world.human(DecisionKind.MUTE_CHECKS, on=on)


def test_days_that_were_muted_stay_muted_in_a_longer_pause() -> None:
    world = World(WEDNESDAY)
    world.pause(date(2026, 3, 26))
    world.human(DecisionKind.MUTE_CHECKS, on=date(2026, 4, 1))
    world.human(DecisionKind.EXTEND_PAUSE, on=date(2026, 4, 15))
    assert [check.status for check in world.checks] == [
        CheckStatus.MUTED,
        CheckStatus.MUTED,
        CheckStatus.PLANNED,
        CheckStatus.PLANNED,
    ]


def test_there_is_nothing_to_put_off_where_nothing_rests() -> None:
    world = World(WEDNESDAY)
    with pytest.raises(Unacceptable, match="no_check"):
        world.human(DecisionKind.RESCHEDULE_CHECK, on=date(2026, 3, 20))


def test_a_timer_that_rings_days_late_asks_and_gives_the_same_time_to_do_it() -> None:
    world = _paused()
    timer = min((t for t in world.case.timers.values() if t.due_at == FIRST), key=lambda t: t.id)
    world.now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    world.ring(timer)
    assert _asked(world) == [("facilitator", datetime(2026, 3, 31, 16, tzinfo=UTC))]
    assert world.checks[0].status is CheckStatus.DUE


@pytest.mark.parametrize(
    "said",
    [
        {"kind": DecisionKind.RECORD_CHECK, "leg_id": LegId(DAPP)},
        {"kind": DecisionKind.RECORD_CHECK, "welfare_check": WelfareOutcome.WELL},
        {"kind": DecisionKind.RESCHEDULE_CHECK, "leg_id": LegId(DAPP)},
        {"kind": DecisionKind.MUTE_CHECKS, "leg_id": LegId(DAPP)},
        {"kind": DecisionKind.EXTEND_PAUSE, "leg_id": LegId(DAPP)},
        {"kind": DecisionKind.SHORTEN_PAUSE, "on": date(2026, 4, 1)},
        {"kind": DecisionKind.RESUME_LEG},
        {"kind": DecisionKind.AGREE_OFFER},
    ],
)
def test_a_decision_says_what_its_kind_needs(said: dict[str, object]) -> None:
    by = DecidedBy(user="fay", role="facilitator", organisation="dapp-northshire")
    whole = {"decided_by": by, "decided_at": WEDNESDAY, "reason": "Agreed with him.", **said}
    with pytest.raises(ValueError, match="needs"):
        HumanDecision.model_validate(whole)
