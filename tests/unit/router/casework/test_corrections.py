"""What a human decides of a leg's status."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.refusal import Unacceptable
from schemas.vocabulary import DecisionKind, LegStatus, ProgressKind, RouteAction, TimerKind
from services.router.casework.case import Case
from services.router.casework.steps import (
    Command,
    Effect,
    LegMoved,
    LegNoted,
    PauseEnded,
    ReviewAsked,
    ReviewKind,
    Step,
    TimerSet,
)
from tests.unit.router.casework.news import LEG, NOW, case_at, decide, decision, leg_at, progress, take

OTHER = "01938f00-0000-7000-8000-00000000da98"
LATER = NOW + timedelta(hours=10)
CLOSE, CORRECT, REOPEN = DecisionKind.CLOSE_LEG, DecisionKind.CORRECT_STATUS, DecisionKind.REOPEN_LEG


def _moved(steps: list[Step]) -> LegMoved:
    [moved] = [step for step in steps if isinstance(step, LegMoved)]
    return moved


def _asked(steps: list[Step]) -> list[ReviewKind]:
    timers = {step.review_id for step in steps if isinstance(step, TimerSet)}
    assert all(step.id in timers for step in steps if isinstance(step, ReviewAsked))
    return [step.kind for step in steps if isinstance(step, ReviewAsked)]


def _refused(case: Case, kind: DecisionKind, reason: str, **more: Any) -> None:
    before = dict(case.legs)
    with pytest.raises(Unacceptable, match=reason):
        decide(case, decision(kind, **more))
    assert case.legs == before, "what is refused changes nothing"


def test_a_correction_goes_where_no_transition_leads_and_says_who_and_why() -> None:
    case = case_at(LegStatus.ON_PROGRAMME)
    moved = _moved(decide(case, decision(CORRECT, status=LegStatus.WAITLISTED)))
    assert moved.effect is Effect.CORRECTED
    assert (moved.before.status, moved.leg.status) == (LegStatus.ON_PROGRAMME, LegStatus.WAITLISTED)
    assert moved.because == "He telephoned."
    assert moved.word is not None
    assert (moved.word.by, moved.word.said) == ("c.manager", "correct_status")


def test_a_correction_into_an_end_asks_whether_that_is_right() -> None:
    case = case_at(LegStatus.ON_PROGRAMME)
    steps = decide(case, decision(CORRECT, status=LegStatus.PROGRAMME_COMPLETE))
    assert case.legs[LEG].closed
    assert _asked(steps) == [ReviewKind.CLOSED]


@pytest.mark.parametrize(
    ("status", "asks"), [(LegStatus.ON_HOLD, ReviewKind.PAUSE_END), (LegStatus.DEFERRED, ReviewKind.UNTIMED_HOLD)]
)
def test_a_correction_into_a_rest_asks_until_when(status: LegStatus, asks: ReviewKind) -> None:
    case = case_at(LegStatus.SCHEDULED)
    assert _asked(decide(case, decision(CORRECT, status=status))) == [asks]


def test_a_correction_out_of_a_pause_ends_the_pause() -> None:
    case = case_at(LegStatus.ON_PROGRAMME)
    take(case, progress(ProgressKind.PAUSE_AGREED))
    steps = decide(case, decision(CORRECT, status=LegStatus.ON_PROGRAMME))
    assert [step.pause.ended for step in steps if isinstance(step, PauseEnded)] == ["resumed"]


def test_a_rest_that_began_at_an_end_is_not_resumed_into_that_end() -> None:
    case = case_at(LegStatus.DECLINED)
    decide(case, decision(CORRECT, status=LegStatus.ON_HOLD))
    take(case, progress(ProgressKind.RESUMED, hours=24))
    assert case.legs[LEG].status is LegStatus.ON_PROGRAMME


def test_a_correction_of_an_end_opens_no_second_leg() -> None:
    case = case_at(LegStatus.DECLINED)
    case.legs[OTHER] = leg_at(LegStatus.SENT, OTHER)
    _refused(case, CORRECT, "another_leg_open", status=LegStatus.ACCEPTED)


@pytest.mark.parametrize(
    ("status", "reason"), [(LegStatus.ON_PROGRAMME, "already_so"), (LegStatus.RECALL, "unknown_status")]
)
def test_what_is_no_correction_is_refused(status: LegStatus, reason: str) -> None:
    _refused(case_at(LegStatus.ON_PROGRAMME), CORRECT, reason, status=status)


@pytest.mark.parametrize("kind", [CORRECT, REOPEN, CLOSE])
def test_a_leg_of_somebody_else_is_refused(kind: DecisionKind) -> None:
    more: dict[str, Any] = {"leg": OTHER, "status": LegStatus.WITHDRAWN, "reason_code": "other"}
    _refused(case_at(), kind, "unknown_leg", **more)


def test_a_closed_leg_reopens_as_itself_and_its_destination_must_answer() -> None:
    case = case_at(LegStatus.ON_PROGRAMME)
    decide(case, decision(CLOSE, reason_code="disengaged"))
    steps = decide(case, decision(REOPEN))
    moved = _moved(steps)
    assert (moved.leg.id, moved.effect, moved.leg.status) == (LEG, Effect.REOPENED, LegStatus.REQUESTED)
    assert not case.legs[LEG].closed
    [command] = [step for step in steps if isinstance(step, Command)]
    assert (command.action, command.number) == (RouteAction.REOPEN, 3), "after the referral and the closing"
    [timer] = [step for step in steps if isinstance(step, TimerSet)]
    assert (timer.kind, timer.leg_id) == (TimerKind.ACKNOWLEDGEMENT, LEG)


def test_a_leg_reopens_where_the_human_says_if_the_table_lets_it() -> None:
    case = case_at(LegStatus.WITHDRAWN)
    decide(case, decision(REOPEN, status=LegStatus.ON_PROGRAMME))
    assert case.legs[LEG].status is LegStatus.ON_PROGRAMME
    _refused(case_at(LegStatus.WITHDRAWN), REOPEN, "not_allowed", status=LegStatus.WAITLISTED)
    _refused(case_at(LegStatus.WITHDRAWN), REOPEN, "not_allowed", status=LegStatus.DECLINED)


def test_an_open_leg_is_not_reopened_nor_one_beside_another_that_is_open() -> None:
    _refused(case_at(LegStatus.SENT), REOPEN, "not_closed")
    case = case_at(LegStatus.DECLINED)
    case.legs[OTHER] = leg_at(LegStatus.SENT, OTHER)
    _refused(case, REOPEN, "another_leg_open")


def test_closing_is_asked_about_and_told_to_the_destination_without_the_humans_own_words() -> None:
    case = case_at(LegStatus.ON_PROGRAMME)
    steps = decide(case, decision(CLOSE, reason_code="moved_away", reason="His partner Ann telephoned."))
    moved = _moved(steps)
    assert (moved.leg.status, moved.leg.reason, moved.leg.stage) == (LegStatus.WITHDRAWN, "moved_away", "concluded")
    assert moved.because == "His partner Ann telephoned."
    assert _asked(steps) == [ReviewKind.CLOSED]
    [command] = [step for step in steps if isinstance(step, Command)]
    assert command.action is RouteAction.NOTIFY
    assert "Ann" not in str(command.reasons)


def test_closing_what_has_ended_concludes_it_once() -> None:
    case = case_at(LegStatus.ON_PROGRAMME)
    take(case, progress(ProgressKind.COMPLETED))
    assert case.legs[LEG].stage == "ended"
    _refused(case, CLOSE, "already_so", reason_code="health")
    [noted] = decide(case, decision(CLOSE, reason_code="completed"))
    assert isinstance(noted, LegNoted)
    assert (noted.effect, noted.leg.status) == (Effect.CONCLUDED, LegStatus.PROGRAMME_COMPLETE)
    assert case.legs[LEG].stage == "concluded"
    _refused(case, CLOSE, "already_so", reason_code="completed")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"reason_code": "moved_awy"}, "unknown_reason"),
        ({"reason_code": "other", "status": LegStatus.ON_HOLD}, "not_allowed"),
        ({"reason_code": "other", "status": LegStatus.DECLINED}, "not_allowed"),
    ],
)
def test_a_leg_is_closed_as_the_table_says_or_not_at_all(more: dict[str, Any], reason: str) -> None:
    _refused(case_at(LegStatus.ON_PROGRAMME), CLOSE, reason, **more)


def test_closing_needs_the_reason_that_the_rule_set_lists() -> None:
    with pytest.raises(ValueError, match="close_leg needs reason_code"):
        decision(CLOSE)


def test_news_from_before_a_humans_word_does_not_undo_it() -> None:
    case = case_at(LegStatus.REQUESTED)
    decide(case, decision(CORRECT, status=LegStatus.SCHEDULED), now=LATER)
    [noted] = take(case, progress(ProgressKind.WAITLISTED, hours=1), now=LATER)
    assert isinstance(noted, LegNoted)
    assert (noted.effect, case.legs[LEG].status) == (Effect.NOTED, LegStatus.SCHEDULED)


@pytest.mark.parametrize("kind", [ProgressKind.CLOSED, ProgressKind.PAUSE_AGREED, ProgressKind.DECLINED])
def test_an_end_or_a_rest_from_before_a_humans_word_asks_the_human_again(kind: ProgressKind) -> None:
    case = case_at(LegStatus.REQUESTED)
    decide(case, decision(CORRECT, status=LegStatus.SCHEDULED), now=LATER)
    steps = take(case, progress(kind, hours=1), now=LATER)
    assert _asked(steps) == [ReviewKind.CONFLICT]
    assert case.legs[LEG].status is LegStatus.SCHEDULED


def test_what_ended_a_leg_is_known_when_it_is_told_again_after_reopening() -> None:
    case = case_at(LegStatus.REQUESTED)
    declined = progress(ProgressKind.DECLINED, hours=1)
    take(case, declined)
    decide(case, decision(REOPEN), now=LATER)
    [noted] = take(case, declined, now=LATER)
    assert isinstance(noted, LegNoted)
    assert not case.legs[LEG].closed
    take(case, progress(ProgressKind.ACCEPTED, hours=20), now=LATER)
    assert case.legs[LEG].status is LegStatus.ACCEPTED
