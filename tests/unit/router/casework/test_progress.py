"""What a destination's word does to its leg."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from schemas.base import LegId
from schemas.progress import Pause, ProgressReported
from schemas.refusal import Unacceptable
from schemas.vocabulary import LegStatus, PauseParty, PauseReason, ProgressKind, TimerKind
from services.ground.settings import Settings
from services.router.casework.act import Acting
from services.router.casework.case import Case, Leg
from services.router.casework.pause_ends import follow
from services.router.casework.progress import leg_of, take_progress
from services.router.casework.steps import (
    Effect,
    LegMoved,
    LegNoted,
    PauseAgreed,
    PauseEnded,
    ReviewAsked,
    ReviewKind,
    Step,
    TimerSet,
)
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import RuleSet

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
LEG = "01938f00-0000-7000-8000-00000000da99"


@cache
def _rules() -> RuleSet:
    return load_rule_set(Settings().rules_dir)


def _case(status: LegStatus = LegStatus.ON_PROGRAMME, held_from: LegStatus | None = None) -> Case:
    leg = Leg(LEG, "dapp", status, NOW, 2, None, NOW, commands=1, held_from=held_from)
    return Case("person", NOW, legs={LEG: leg})


def _said(kind: ProgressKind, *, hours: int = 0, **more: object) -> ProgressReported:
    at = NOW + timedelta(hours=hours)
    return ProgressReported(leg_id=LegId(LEG), kind=kind, occurred_at=at, **more)  # type: ignore[arg-type]


def _pause(start: date, end: date) -> ProgressReported:
    pause = Pause(reason=PauseReason.RELAPSE, from_date=start, until_date=end, agreed_by=frozenset(PauseParty))
    return _said(ProgressKind.PAUSE_AGREED, pause=pause)


def _take(case: Case, said: ProgressReported) -> list[Step]:
    numbers = itertools.count()
    acting = Acting(case, _rules(), NOW, lambda: f"id-{next(numbers)}")
    steps = take_progress(case, case.legs[LEG], said, acting)
    return steps + follow(case, steps, acting)


def test_a_pause_holds_the_leg_and_remembers_where_it_stood() -> None:
    case = _case()
    steps = _take(case, _pause(date(2026, 3, 21), date(2026, 4, 18)))
    assert case.legs[LEG].status is LegStatus.ON_HOLD
    assert case.legs[LEG].held_from is LegStatus.ON_PROGRAMME
    assert [step.pause.held_from for step in steps if isinstance(step, PauseAgreed)] == [LegStatus.ON_PROGRAMME]


def test_a_pause_of_four_weeks_has_a_check_each_week_and_a_review_at_its_end() -> None:
    steps = _take(_case(), _pause(date(2026, 3, 21), date(2026, 4, 18)))
    timers = [step for step in steps if isinstance(step, TimerSet)]
    checks = [timer.due_at for timer in timers if timer.kind is TimerKind.WELFARE_CHECK]
    assert [check.date() for check in checks] == [
        date(2026, 3, 28),
        date(2026, 4, 4),
        date(2026, 4, 11),
        date(2026, 4, 18),
    ]
    assert [t.due_at.date() for t in timers if t.kind is TimerKind.PAUSE_REVIEW] == [date(2026, 4, 18)]


def test_checks_fall_due_at_nine_in_london_before_and_after_the_clocks_change() -> None:
    steps = _take(_case(), _pause(date(2026, 3, 21), date(2026, 4, 18)))
    hours = [s.due_at.hour for s in steps if isinstance(s, TimerSet) and s.kind is TimerKind.WELFARE_CHECK]
    assert hours == [9, 8, 8, 8], "9 am in winter is 9 UTC; from 29 March it is 8 UTC"


def test_resuming_goes_back_to_where_the_leg_stood() -> None:
    case = _case(LegStatus.ON_HOLD, held_from=LegStatus.SCHEDULED)
    _take(case, _said(ProgressKind.RESUMED))
    assert case.legs[LEG].status is LegStatus.SCHEDULED


@pytest.mark.parametrize(
    ("status", "kind", "allowed"),
    [
        (LegStatus.ON_PROGRAMME, ProgressKind.WAITLISTED, "it may become awaiting_allocation, awaiting_assessment"),
        (LegStatus.ON_PROGRAMME, ProgressKind.NO_CAPACITY, "programme_complete, withdrawn"),
        (
            LegStatus.DEFERRED,
            ProgressKind.COMPLETED,
            "it may become accepted, awaiting_allocation, awaiting_assessment",
        ),
    ],
)
def test_what_no_transition_allows_is_refused_with_what_would_be_and_changes_nothing(
    status: LegStatus, kind: ProgressKind, allowed: str
) -> None:
    case = _case(status)
    before = case.legs[LEG]
    with pytest.raises(Unacceptable, match="not_allowed") as refused:
        _take(case, _said(kind))
    [problem] = refused.value.problems
    assert problem.place == "/data/kind"
    assert allowed in problem.message
    assert case.legs[LEG] == before


@pytest.mark.parametrize("status", [LegStatus.ON_PROGRAMME, LegStatus.SCHEDULED])
def test_a_leg_that_goes_on_already_is_not_moved_by_hearing_that_it_does(status: LegStatus) -> None:
    case = _case(status)
    [noted] = _take(case, _said(ProgressKind.RESUMED))
    assert isinstance(noted, LegNoted)
    assert case.legs[LEG].status is status


def test_a_paused_leg_cannot_be_paused_again() -> None:
    case = _case(LegStatus.ON_HOLD, held_from=LegStatus.ON_PROGRAMME)
    before = case.legs[LEG]
    with pytest.raises(Unacceptable, match="already_paused"):
        _take(case, _pause(date(2026, 3, 21), date(2026, 4, 18)))
    assert case.legs[LEG] == before


def test_a_pause_ends_by_a_word_that_says_so_and_never_by_the_way() -> None:
    case = _case(LegStatus.ON_HOLD, held_from=LegStatus.ACCEPTED)
    before = case.legs[LEG]
    with pytest.raises(Unacceptable, match="paused"):
        _take(case, _said(ProgressKind.STARTED))
    assert case.legs[LEG] == before


def test_a_leg_that_ends_while_it_rests_ends_its_pause() -> None:
    case = _case(LegStatus.ON_PROGRAMME)
    _take(case, _pause(date(2026, 3, 21), date(2026, 4, 18)))
    steps = _take(case, _said(ProgressKind.CLOSED, reason="Moved away."))
    assert [step.pause.ended for step in steps if isinstance(step, PauseEnded)] == [LegStatus.WITHDRAWN]
    assert case.legs[LEG].closed


@pytest.mark.parametrize(
    "kind", [ProgressKind.STARTED, ProgressKind.ATTENDED, ProgressKind.WAITLISTED, ProgressKind.RESUMED]
)
def test_what_cannot_be_of_a_closed_leg_is_kept_and_asked_and_never_dropped(kind: ProgressKind) -> None:
    case = _case()
    _take(case, _said(ProgressKind.CLOSED, reason="Moved away."))
    steps = _take(case, _said(kind, hours=1))
    assert case.legs[LEG].status is LegStatus.WITHDRAWN
    assert [s.effect for s in steps if isinstance(s, LegNoted)] == [Effect.CONFLICT]
    assert [(s.kind, s.leg_id) for s in steps if isinstance(s, ReviewAsked)] == [(ReviewKind.CONFLICT, LEG)]
    assert [s for s in steps if isinstance(s, TimerSet)], "and the question has a due time"


def test_a_conflict_is_asked_once_however_often_it_is_told() -> None:
    case = _case()
    _take(case, _said(ProgressKind.CLOSED, reason="Moved away."))
    _take(case, _said(ProgressKind.STARTED, hours=1))
    again = _take(case, _said(ProgressKind.STARTED, hours=1))
    assert [type(step) for step in again] == [LegNoted]


def test_the_place_on_a_waiting_list_and_the_expected_day_are_kept_until_it_moves_on() -> None:
    case = _case(LegStatus.ACCEPTED)
    [moved] = _take(case, _said(ProgressKind.WAITLISTED, waitlist_place=9, expected_on=date(2026, 6, 1)))
    assert isinstance(moved, LegMoved)
    assert moved.because == "waitlisted, place 9, expected on 2026-06-01"
    [noted] = _take(case, _said(ProgressKind.WAITLISTED, hours=48, waitlist_place=4))
    assert isinstance(noted, LegNoted)
    assert (case.legs[LEG].waitlist_place, case.legs[LEG].expected_on) == (4, date(2026, 6, 1))
    _take(case, _said(ProgressKind.WAITLISTED, hours=24, waitlist_place=6))
    assert case.legs[LEG].waitlist_place == 4, "older news of the place is no news"
    _take(case, _said(ProgressKind.STARTED, hours=72))
    assert (case.legs[LEG].waitlist_place, case.legs[LEG].expected_on) == (None, None)


@pytest.mark.parametrize(
    ("more", "stage"),
    [
        ({"reason": "He moved."}, "ended"),  # nobody said whether anything remains
        ({"reason": "He moved.", "reason_code": "moved_away"}, "concluded"),
        ({"reason": "He is ill.", "reason_code": "health"}, "ended"),
    ],
)
def test_a_leg_ends_and_is_concluded_only_where_nothing_remains(more: dict[str, Any], stage: str) -> None:
    case = _case()
    [moved] = _take(case, _said(ProgressKind.CLOSED, **more))
    assert isinstance(moved, LegMoved)
    assert moved.leg.closed
    assert case.legs[LEG].stage == stage


def test_a_completed_leg_is_concluded_when_its_file_is_closed() -> None:
    case = _case()
    _take(case, _said(ProgressKind.COMPLETED))
    assert case.legs[LEG].stage == "ended"
    [noted] = _take(case, _said(ProgressKind.CLOSED, hours=24, reason="Done.", reason_code="completed"))
    assert isinstance(noted, LegNoted)
    assert noted.effect is Effect.CONCLUDED
    assert (case.legs[LEG].status, case.legs[LEG].stage) == (LegStatus.PROGRAMME_COMPLETE, "concluded")


def test_a_reason_that_the_rule_set_does_not_have_is_refused_with_the_nearest() -> None:
    case = _case()
    with pytest.raises(Unacceptable, match="unknown_reason") as refused:
        _take(case, _said(ProgressKind.CLOSED, reason="He moved.", reason_code="moved_awy"))
    assert "did you mean 'moved_away'?" in refused.value.problems[0].message
    assert not case.legs[LEG].closed


def test_only_the_destinations_own_source_speaks_for_its_leg() -> None:
    with pytest.raises(Unacceptable, match="not_their_leg"):
        leg_of(_case(), LEG, reported_by="somebody-else", may_report={"dapp": "dapp-northshire"})


@pytest.mark.parametrize("kind", [ProgressKind.ATTENDED, ProgressKind.MISSED, ProgressKind.WELFARE_CHECK_DONE])
def test_news_that_is_no_change_of_status_changes_none(kind: ProgressKind) -> None:
    case = _case()
    [noted] = _take(case, _said(kind))
    assert isinstance(noted, LegNoted)
    assert noted.effect is Effect.NOTED
    assert case.legs[LEG].status is LegStatus.ON_PROGRAMME
