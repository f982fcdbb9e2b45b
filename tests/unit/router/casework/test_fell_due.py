"""What a timer that fell due leads to; and which timers an event's steps set and cancel."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import LegId, PersonId
from schemas.progress import ProgressReported
from schemas.timer import TimerFellDue
from schemas.vocabulary import LegStatus, PauseReason, ProgressKind, TimerKind
from services.ground.settings import Settings
from services.router.casework.account import Account, Told
from services.router.casework.act import Acting
from services.router.casework.case import Case, Leg
from services.router.casework.deadlines import NOT_ANSWERED, NOT_MET, with_deadlines
from services.router.casework.enter import enter
from services.router.casework.fell_due import ON_DUE, fell_due
from services.router.casework.resting import Offer, OfferAnswer, Pause
from services.router.casework.reviews import Review
from services.router.casework.steps import (
    Command,
    Effect,
    LegMoved,
    LegNoted,
    LegOpened,
    OfferAnswered,
    PauseEnded,
    ReviewAnswered,
    ReviewAsked,
    ReviewKind,
    ReviewMoved,
    Step,
    TimerCancelled,
    TimerSet,
    Word,
)
from services.router.rules.language import Role
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import RuleSet

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)  # a Friday
LEG = "01938f00-0000-7000-8000-00000000da99"
REVIEW = "01938f00-0000-7000-8000-00000000ee01"
PERSON = "01938f00-0000-7000-8000-00000000a001"
TIMER = "01938f00-0000-7000-8000-0000000071e5"
OF_A_LEG = [kind for kind in TimerKind if kind not in (TimerKind.REVIEW, TimerKind.SNOOZE)]
OF_A_PAUSE = [TimerKind.WELFARE_CHECK, TimerKind.CHECK_ESCALATION, TimerKind.PAUSE_REVIEW]
WAITED_FOR = {  # a status of the leg in which each kind still asks; those of offers and pauses are in their own tests
    TimerKind.ACKNOWLEDGEMENT: LegStatus.SENT,
    TimerKind.FIRST_CONTACT: LegStatus.ACCEPTED,
}
PAUSE = Pause("pause", LEG, PauseReason.RELAPSE, NOW.date(), NOW.date(), 7, LegStatus.ON_PROGRAMME, NOW, "event")
ENDED = replace(PAUSE, ended_at=NOW, ended="resumed")
OFFER = Offer("offer", LEG, NOW, NOW, 28, 7, PauseReason.RELAPSE, "event", answer=OfferAnswer.DECLINED)


@cache
def _rules() -> RuleSet:
    return load_rule_set(Settings().rules_dir)


def _leg(status: LegStatus) -> Leg:
    closed_at = NOW if _rules().pathway.statuses[status].closed else None
    return Leg(LEG, "dapp", status, NOW, 2, None, NOW, commands=1, closed_at=closed_at)


def _case(status: LegStatus = LegStatus.REQUESTED, *reviews: Review) -> Case:
    return Case(PERSON, NOW, legs={LEG: _leg(status)}, reviews={review.id: review for review in reviews})


def _asked(role: Role, *, had: timedelta = timedelta(days=2), due_at: datetime = NOW, answered: bool = False) -> Review:
    return Review(REVIEW, ReviewKind.RULE, "Well?", role, due_at, "event", answered=answered, put_at=due_at - had)


def _acting(case: Case) -> Acting:
    numbers = itertools.count()
    return Acting(case, _rules(), NOW, lambda: f"id-{next(numbers):04d}")


def _timer(kind: TimerKind, *, due_at: datetime = NOW) -> TimerFellDue:
    about = {"leg_id": LegId(LEG)} if kind in OF_A_LEG else {"review_id": REVIEW}
    return TimerFellDue(timer_id=TIMER, person_id=PersonId(PERSON), kind=kind, due_at=due_at, **about)


def _fall_due(case: Case, kind: TimerKind, *, due_at: datetime = NOW) -> list[Step]:
    acting = _acting(case)
    steps = fell_due(case, _timer(kind, due_at=due_at), acting)
    enter(case, steps, event_id="event", now=NOW)
    return steps


def _due_next(steps: list[Step]) -> set[tuple[str | None, str | None]]:
    return {(step.leg_id, step.review_id) for step in steps if isinstance(step, TimerSet) and step.due_at > NOW}


def test_every_kind_of_timer_has_somebody_who_looks() -> None:
    assert set(ON_DUE) == set(TimerKind)


@pytest.mark.parametrize("kind", WAITED_FOR)
def test_what_is_still_waited_for_is_asked_of_somebody_with_a_due_time(kind: TimerKind) -> None:
    steps = _fall_due(_case(WAITED_FOR[kind]), kind)
    [asked] = [step for step in steps if isinstance(step, ReviewAsked)]
    assert asked.leg_id == LEG
    assert (None, asked.id) in _due_next(steps)


@pytest.mark.parametrize("kind", WAITED_FOR)
def test_a_leg_that_waits_is_watched_on_and_the_open_question_is_not_asked_again(kind: TimerKind) -> None:
    case = _case(WAITED_FOR[kind])
    assert (LEG, None) in _due_next(_fall_due(case, kind))
    again = _fall_due(case, kind)
    assert (LEG, None) in _due_next(again)
    assert not [step for step in again if isinstance(step, ReviewAsked)]


@pytest.mark.parametrize(("kind", "role"), [(TimerKind.ACKNOWLEDGEMENT, Role.DUTY_WORKER),
                                            (TimerKind.FIRST_CONTACT, Role.CASE_MANAGER)])  # fmt: skip
def test_who_is_asked(kind: TimerKind, role: Role) -> None:
    steps = _fall_due(_case(WAITED_FOR[kind]), kind)
    assert [step.role for step in steps if isinstance(step, ReviewAsked)] == [role]


@given(st.sampled_from(TimerKind), st.sampled_from(LegStatus), st.booleans(), st.sampled_from(Role))
def test_no_timer_closes_or_moves_a_leg_or_answers_a_question(
    kind: TimerKind, status: LegStatus, answered: bool, role: Role
) -> None:
    case = _case(status, _asked(role, answered=answered))
    before = dict(case.legs)
    steps = _fall_due(case, kind)
    assert case.legs == before
    moving = (LegMoved, LegOpened, Command, PauseEnded, OfferAnswered, ReviewAnswered, TimerCancelled)
    assert not [step for step in steps if isinstance(step, moving)]


@given(st.sampled_from(TimerKind), st.sampled_from(LegStatus), st.sampled_from(Role))
def test_whatever_is_asked_has_a_next_due_time(kind: TimerKind, status: LegStatus, role: Role) -> None:
    steps = _fall_due(_case(status, _asked(role)), kind)
    asked = {step.id for step in steps if isinstance(step, ReviewAsked)}
    asked |= {step.review_id for step in steps if isinstance(step, ReviewMoved)}
    assert asked <= {review for _, review in _due_next(steps)}


@pytest.mark.parametrize("kind", OF_A_LEG)
def test_a_leg_that_is_closed_asks_nothing(kind: TimerKind) -> None:
    assert _fall_due(_case(LegStatus.WITHDRAWN), kind) == []


@pytest.mark.parametrize("status", [s for s in LegStatus if s not in NOT_ANSWERED])
def test_a_leg_that_was_answered_needs_no_acknowledgement(status: LegStatus) -> None:
    assert _fall_due(_case(status), TimerKind.ACKNOWLEDGEMENT) == []


@pytest.mark.parametrize("status", [s for s in LegStatus if s not in NOT_MET])
def test_a_leg_that_has_moved_on_needs_no_first_contact(status: LegStatus) -> None:
    assert _fall_due(_case(status), TimerKind.FIRST_CONTACT) == []


@pytest.mark.parametrize("kind", OF_A_PAUSE)
def test_a_leg_that_rests_no_longer_needs_no_check(kind: TimerKind) -> None:
    assert _fall_due(_case(LegStatus.ON_PROGRAMME), kind) == []


@pytest.mark.parametrize("kind", OF_A_LEG)
def test_a_leg_that_is_not_there_is_asked_about_and_not_passed_over(kind: TimerKind) -> None:
    case = Case(PERSON, NOW)
    assert [step.kind for step in _fall_due(case, kind) if isinstance(step, ReviewAsked)] == [ReviewKind.DEADLINE]


@pytest.mark.parametrize("role", Role)
def test_an_unanswered_question_reaches_the_safeguarding_lead_and_stays_with_them(role: Role) -> None:
    case = _case(LegStatus.REQUESTED, _asked(role))
    came_to = [str(role)]
    for _ in range(5):
        steps = _fall_due(case, TimerKind.REVIEW, due_at=case.reviews[REVIEW].due_at)
        assert (None, REVIEW) in _due_next(steps)
        came_to.append(case.reviews[REVIEW].role)
    assert came_to[-1] == Role.SAFEGUARDING_LEAD
    ranks = [came_to.index(each) for each in came_to]
    assert ranks == sorted(ranks), "it never goes back down"


def test_a_question_with_hours_to_answer_gives_the_next_role_no_more_hours() -> None:
    case = _case(LegStatus.REQUESTED, _asked(Role.DUTY_WORKER, had=timedelta(hours=4)))
    _fall_due(case, TimerKind.REVIEW)
    assert case.reviews[REVIEW].due_at == NOW + timedelta(hours=4), "Friday evening, not Monday"


def test_a_question_with_days_to_answer_gives_the_next_role_working_time() -> None:
    case = _case(LegStatus.REQUESTED, _asked(Role.DUTY_WORKER, had=timedelta(days=2)))
    _fall_due(case, TimerKind.REVIEW)
    assert case.reviews[REVIEW].due_at == datetime(2026, 3, 23, 17, tzinfo=UTC)  # Monday


def test_an_answered_question_asks_nothing() -> None:
    assert _fall_due(_case(LegStatus.SENT, _asked(Role.DUTY_WORKER, answered=True)), TimerKind.REVIEW) == []
    assert _fall_due(_case(LegStatus.SENT, _asked(Role.DUTY_WORKER, answered=True)), TimerKind.SNOOZE) == []


@pytest.mark.parametrize("kind", [TimerKind.REVIEW, TimerKind.SNOOZE])
def test_a_question_that_is_not_in_the_case_yet_is_asked_about_and_comes_back(kind: TimerKind) -> None:
    """As while a human's word that two are one lies in quarantine, and the other's timers come in this one's order."""
    steps = _fall_due(_case(), kind)
    assert any(isinstance(step, ReviewAsked) for step in steps)
    assert (None, REVIEW) in _due_next(steps)


def test_a_question_that_was_put_off_while_its_timer_was_on_its_way_is_left_alone() -> None:
    case = _case(LegStatus.SENT, _asked(Role.DUTY_WORKER, due_at=NOW + timedelta(days=3)))
    assert _fall_due(case, TimerKind.REVIEW) == []


def test_a_question_that_was_put_off_comes_back_to_whom_it_was_asked_of() -> None:
    steps = _fall_due(_case(LegStatus.SENT, _asked(Role.CLINICIAN)), TimerKind.SNOOZE)
    assert [step.role for step in steps if isinstance(step, ReviewMoved)] == [Role.CLINICIAN]
    assert (None, REVIEW) in _due_next(steps)


def _moved(before: LegStatus, after: LegStatus) -> list[Step]:
    leg = _leg(before)
    case = Case(PERSON, NOW, legs={LEG: leg})
    said = ProgressReported(leg_id=LegId(LEG), kind=ProgressKind.ACCEPTED, occurred_at=NOW)
    return with_deadlines(said, [LegMoved(leg, _leg(after), "so")], _acting(case))


def _cancels(steps: list[Step], kind: TimerKind) -> bool:
    return any(isinstance(step, TimerCancelled) and step.means(TIMER, kind, LEG, None) for step in steps)


def test_an_accepted_leg_waits_for_its_first_contact_five_working_days() -> None:
    [timer] = [step for step in _moved(LegStatus.REQUESTED, LegStatus.ACCEPTED) if isinstance(step, TimerSet)]
    assert (timer.kind, timer.leg_id) == (TimerKind.FIRST_CONTACT, LEG)
    assert timer.due_at == datetime(2026, 3, 27, 17, tzinfo=UTC)


def _contact_by(steps: list[Step]) -> list[datetime]:
    return [step.due_at for step in steps if isinstance(step, TimerSet) and step.kind is TimerKind.FIRST_CONTACT]


def test_a_leg_that_has_only_said_that_it_has_the_referral_is_looked_at_again() -> None:
    assert _contact_by(_moved(LegStatus.SENT, LegStatus.ACKNOWLEDGED)) == [datetime(2026, 3, 27, 17, tzinfo=UTC)]
    case = _case(LegStatus.ACKNOWLEDGED)
    [asked] = [step for step in _fall_due(case, TimerKind.FIRST_CONTACT) if isinstance(step, ReviewAsked)]
    assert "has not said whether it takes him on" in asked.question


def test_of_a_panel_it_is_enough_that_it_knows() -> None:
    case = _case(LegStatus.ACKNOWLEDGED)
    case.legs[LEG] = case.legs[LEG]._replace(destination="marac")
    assert _fall_due(case, TimerKind.FIRST_CONTACT) == []


@pytest.mark.parametrize(
    ("expected_on", "due_at"),
    [
        (None, datetime(2026, 4, 21, 16, tzinfo=UTC)),  # twenty working days, over Easter and the change of clocks
        (date(2026, 5, 11), datetime(2026, 5, 11, 8, tzinfo=UTC)),
        (date(2026, 3, 1), datetime(2026, 4, 21, 16, tzinfo=UTC)),  # a day that has passed promises nothing
    ],
)
def test_whoever_waits_on_a_list_is_looked_at_when_an_answer_may_be_expected(
    expected_on: date | None, due_at: datetime
) -> None:
    case = _case(LegStatus.WAITLISTED)
    before, leg = _leg(LegStatus.SENT), case.legs[LEG]._replace(expected_on=expected_on)
    case.legs[LEG] = leg
    said = ProgressReported(leg_id=LegId(LEG), kind=ProgressKind.WAITLISTED, occurred_at=NOW, expected_on=expected_on)
    assert _contact_by(with_deadlines(said, [LegMoved(before, leg, "so")], _acting(case))) == [due_at]
    again = LegNoted(leg, "waitlisted", Effect.NOTED, Word("waitlisted", NOW))
    steps = with_deadlines(said, [again], _acting(case))
    assert _cancels(steps, TimerKind.FIRST_CONTACT), "the day that was named before"
    assert _contact_by(steps) == [due_at]


@pytest.mark.parametrize("status", sorted(NOT_MET))
def test_whoever_was_seen_is_not_asked_after(status: LegStatus) -> None:
    case = _case(status)
    seen = Told(NOW, ProgressKind.FIRST_CONTACT)
    case.legs[LEG] = case.legs[LEG]._replace(account=Account(case.legs[LEG].stand, None, (seen,)))
    assert _fall_due(case, TimerKind.FIRST_CONTACT) == []
    assert _contact_by(with_deadlines(_timer(TimerKind.REVIEW), [LegMoved(_leg(LegStatus.SENT), case.legs[LEG], "so")],
                                      _acting(case))) == []  # fmt: skip


@pytest.mark.parametrize("before", LegStatus)
def test_an_open_leg_without_an_answer_or_a_contact_keeps_its_timer(before: LegStatus) -> None:
    for after in LegStatus:
        steps = _moved(before, after)
        if after in NOT_ANSWERED:
            assert not _cancels(steps, TimerKind.ACKNOWLEDGEMENT), after
        if before in NOT_MET and after in NOT_MET and _cancels(steps, TimerKind.FIRST_CONTACT):
            assert TimerKind.FIRST_CONTACT in [step.kind for step in steps if isinstance(step, TimerSet)], after
        if before in NOT_ANSWERED and after not in NOT_ANSWERED:
            assert _cancels(steps, TimerKind.ACKNOWLEDGEMENT), after
        if before in NOT_MET and after not in NOT_MET:
            assert _cancels(steps, TimerKind.FIRST_CONTACT), after


@pytest.mark.parametrize("kind", OF_A_LEG)
def test_a_leg_that_closes_takes_its_timers_with_it(kind: TimerKind) -> None:
    stays = kind is TimerKind.CHECK_ESCALATION  # nobody has seen him
    assert _cancels(_moved(LegStatus.ON_HOLD, LegStatus.WITHDRAWN), kind) is not stays


@pytest.mark.parametrize("kind", [ProgressKind.FIRST_CONTACT, ProgressKind.ATTENDED, ProgressKind.STARTED])
def test_a_contact_that_is_told_ends_the_wait_for_it(kind: ProgressKind) -> None:
    said = ProgressReported(leg_id=LegId(LEG), kind=kind, occurred_at=NOW)
    case = _case(LegStatus.ACCEPTED)
    assert not _cancels(with_deadlines(said, [], _acting(case)), TimerKind.FIRST_CONTACT), "it was before he was placed"
    case.legs[LEG] = case.legs[LEG]._replace(account=Account(case.legs[LEG].stand, None, (Told(NOW, kind),)))
    assert _cancels(with_deadlines(said, [], _acting(case)), TimerKind.FIRST_CONTACT)


def test_what_is_answered_or_ended_is_waited_for_no_longer() -> None:
    steps: list[Step] = [ReviewAnswered(REVIEW, "somebody", "yes"), PauseEnded(ENDED), OfferAnswered(OFFER)]
    found = with_deadlines(_timer(TimerKind.SNOOZE), steps, _acting(_case()))
    cancels = [step for step in found if isinstance(step, TimerCancelled)]
    for kind in (TimerKind.REVIEW, TimerKind.SNOOZE):
        assert any(step.means(TIMER, kind, None, REVIEW) for step in cancels)
    for kind in (*OF_A_PAUSE, TimerKind.OFFER):
        assert any(step.means(TIMER, kind, LEG, None) for step in cancels)
    assert not any(step.means(TIMER, TimerKind.ACKNOWLEDGEMENT, LEG, None) for step in cancels)


def test_what_an_event_sets_after_it_ended_something_stays() -> None:
    new = TimerSet("new", TimerKind.PAUSE_REVIEW, NOW + timedelta(days=28), leg_id=LEG)
    found = with_deadlines(_timer(TimerKind.OFFER), [PauseEnded(ENDED), new], _acting(_case(LegStatus.ON_HOLD)))
    cancels = [place for place, step in enumerate(found) if isinstance(step, TimerCancelled)]
    assert max(cancels) < found.index(new)


def test_a_cancellation_of_one_leg_means_no_other_and_one_of_nothing_means_none() -> None:
    assert not TimerCancelled("so", leg_id=LEG).means(TIMER, TimerKind.OFFER, "another", None)
    assert not TimerCancelled("so", leg_id=LEG).means(TIMER, TimerKind.REVIEW, None, REVIEW)
    assert not TimerCancelled("so", timer_id="another").means(TIMER, TimerKind.OFFER, LEG, None)
    assert not TimerCancelled("so", kinds=(TimerKind.OFFER,)).means(TIMER, TimerKind.OFFER, None, None)
