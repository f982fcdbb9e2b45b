"""What a destination's word does to its leg."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from functools import cache

import pytest

from schemas.base import LegId
from schemas.progress import Pause, ProgressReported
from schemas.refusal import Unacceptable
from schemas.vocabulary import LegStatus, PauseParty, PauseReason, ProgressKind, TimerKind
from services.ground.settings import Settings
from services.router.casework.act import Acting
from services.router.casework.case import CLOSED, Case, Leg
from services.router.casework.progress import leg_of, take_progress
from services.router.casework.steps import PauseAgreed, TimerSet
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import RuleSet

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
LEG = "01938f00-0000-7000-8000-00000000da99"


def _case(status: LegStatus = LegStatus.ON_PROGRAMME, held_from: LegStatus | None = None) -> Case:
    leg = Leg(LEG, "dapp", status, NOW, 2, None, NOW, commands=1, held_from=held_from)
    return Case("person", NOW, legs={LEG: leg})


def _said(kind: ProgressKind, **more: object) -> ProgressReported:
    return ProgressReported(leg_id=LegId(LEG), kind=kind, occurred_at=NOW, **more)  # type: ignore[arg-type]


def _pause(start: date, end: date) -> ProgressReported:
    pause = Pause(reason=PauseReason.RELAPSE, from_date=start, until_date=end, agreed_by=frozenset(PauseParty))
    return _said(ProgressKind.PAUSE_AGREED, pause=pause)


@cache
def _rules() -> RuleSet:
    return load_rule_set(Settings().rules_dir)


def _take(case: Case, said: ProgressReported) -> list[object]:
    numbers = itertools.count()
    acting = Acting(case, _rules(), NOW, lambda: f"id-{next(numbers)}", LEG)
    return list(take_progress(case, case.legs[LEG], said, acting))


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
    ("status", "kind"),
    [(LegStatus.ON_PROGRAMME, ProgressKind.RESUMED), (LegStatus.SCHEDULED, ProgressKind.RESUMED)],
)
def test_what_cannot_be_said_in_a_status_is_refused_and_changes_nothing(status: LegStatus, kind: ProgressKind) -> None:
    case = _case(status)
    before = case.legs[LEG]
    with pytest.raises(Unacceptable):
        _take(case, _said(kind))
    assert case.legs[LEG] == before


def test_a_paused_leg_cannot_be_paused_again() -> None:
    case = _case(LegStatus.ON_HOLD, held_from=LegStatus.ON_PROGRAMME)
    before = case.legs[LEG]
    with pytest.raises(Unacceptable, match="already_paused"):
        _take(case, _pause(date(2026, 3, 21), date(2026, 4, 18)))
    assert case.legs[LEG] == before


@pytest.mark.parametrize("status", sorted(CLOSED))
def test_a_closed_leg_takes_no_progress(status: LegStatus) -> None:
    with pytest.raises(Unacceptable, match="leg_closed"):
        leg_of(_case(status), LEG, reported_by="dapp-northshire", may_report={"dapp": "dapp-northshire"})


def test_only_the_destinations_own_source_speaks_for_its_leg() -> None:
    with pytest.raises(Unacceptable, match="not_their_leg"):
        leg_of(_case(), LEG, reported_by="somebody-else", may_report={"dapp": "dapp-northshire"})


@pytest.mark.parametrize("kind", [ProgressKind.ATTENDED, ProgressKind.MISSED, ProgressKind.WELFARE_CHECK_DONE])
def test_news_that_is_no_change_of_status_changes_none(kind: ProgressKind) -> None:
    case = _case()
    assert _take(case, _said(kind)) == []
    assert case.legs[LEG].status is LegStatus.ON_PROGRAMME


@pytest.mark.parametrize(
    ("kind", "held_from", "goes_on_as"),
    [
        (ProgressKind.STARTED, LegStatus.SCHEDULED, LegStatus.ON_PROGRAMME),
        (ProgressKind.ACKNOWLEDGED, LegStatus.REQUESTED, LegStatus.ACKNOWLEDGED),
        (ProgressKind.ACKNOWLEDGED, LegStatus.ON_PROGRAMME, LegStatus.ON_PROGRAMME),
    ],
)
def test_only_resuming_ends_a_pause_whatever_else_is_told_in_it(
    kind: ProgressKind, held_from: LegStatus, goes_on_as: LegStatus
) -> None:
    case = _case(LegStatus.ON_HOLD, held_from=held_from)
    _take(case, _said(kind))
    assert (case.legs[LEG].status, case.legs[LEG].held_from) == (LegStatus.ON_HOLD, goes_on_as)
