"""What a human's decision does to a case, and what no human may decide so."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from schemas.human import DecidedBy, HumanDecision
from schemas.reading import fit
from schemas.referral import ReferralSubmitted
from schemas.refusal import Unacceptable
from schemas.roles import LADDER, may_answer
from schemas.vocabulary import DecisionKind, LegStatus, RouteAction, TimerKind
from services.ground.settings import REPOSITORY, Settings
from services.router.casework.act import Acting, act
from services.router.casework.again import Original
from services.router.casework.case import Case, Leg
from services.router.casework.human import ANOTHER_PERSON, SAME_PERSON, take_human
from services.router.casework.reviews import Review, WaitingRoute
from services.router.casework.steps import (
    Command,
    DecidedAgain,
    LegOpened,
    ReviewAnswered,
    ReviewAsked,
    ReviewKind,
    ReviewSnoozed,
    Step,
    TimerCancelled,
    TimerSet,
)
from services.router.rules.decide import decide
from services.router.rules.decision import Decision, Reason, RouteDecided
from services.router.rules.due import Due
from services.router.rules.events import CaseEvent, EventKind
from services.router.rules.facts import facts_of
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import RuleSet

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
REVIEW = "01938f00-0000-7000-8000-0000000e0001"
OTHER = "01938f00-0000-7000-8000-0000000e0002"
EVENT = "01938f00-0000-7000-8000-0000000e1001"
WHY = (Reason("a-rule", "Because."),)
ROUTE = RouteDecided("residential_rehab", 2, Due(working_days=2), "ordinary", "human", WHY)
DUE = NOW + timedelta(days=1)


@cache
def _rules() -> RuleSet:
    return load_rule_set(Settings().rules_dir)


def _review(kind: ReviewKind = ReviewKind.RULE, role: str = "case_manager", **more: object) -> Review:
    return Review(REVIEW, kind, "What now?", role, NOW, EVENT, **more)  # type: ignore[arg-type]


def _waiting(route: RouteDecided = ROUTE) -> Review:
    return _review(
        ReviewKind.CONFIRM_ROUTE,
        "duty_worker",
        destination=route.destination,
        answers=("confirm", "refuse"),
        waiting=WaitingRoute(route, DUE),
    )


def _case(*reviews: Review, legs: tuple[Leg, ...] = ()) -> Case:
    return Case("person", NOW, legs={leg.id: leg for leg in legs}, reviews={review.id: review for review in reviews})


def _decided(
    kind: DecisionKind = DecisionKind.ANSWER_REVIEW, *, role: str = "Case manager", **more: object
) -> HumanDecision:
    return HumanDecision(
        kind=kind,
        decided_by=DecidedBy(user="j.smith", role=role, organisation="Northshire hub"),
        decided_at=NOW,
        reason="I spoke with the force.",
        **{"review_id": REVIEW, **more},  # type: ignore[arg-type]
    )


def _acting(case: Case) -> Acting:
    numbers = itertools.count()
    return Acting(case, _rules(), NOW, lambda: f"id-{next(numbers):04d}")


def _take(case: Case, decision: HumanDecision, originals: Mapping[str, Original] | None = None) -> list[Step]:
    return take_human(case, decision, _acting(case), originals or {})


def _refused(case: Case, decision: HumanDecision, originals: Mapping[str, Original] | None = None) -> tuple[str, str]:
    """Why, and at which place; nothing of the case may have changed."""
    before = (dict(case.legs), dict(case.reviews), dict(case.remembered))
    with pytest.raises(Unacceptable) as refusal:
        _take(case, decision, originals)
    assert (dict(case.legs), dict(case.reviews), dict(case.remembered)) == before
    [problem] = refusal.value.problems
    assert problem.message
    return refusal.value.reason, problem.place


@pytest.mark.parametrize("kind", [ReviewKind.RULE, ReviewKind.HOLD, ReviewKind.ESCALATION, ReviewKind.RESUME])
def test_a_question_is_closed_with_who_and_why(kind: ReviewKind) -> None:
    case = _case(_review(kind))
    assert _take(case, _decided()) == [ReviewAnswered(REVIEW, "j.smith", "I spoke with the force.")]
    assert case.reviews[REVIEW].answered


def test_only_an_offered_answer_is_taken_where_some_are_offered() -> None:
    case = _case(_review(answers=("resume", "close")))
    assert _refused(case, _decided(answer="delete")) == ("not_offered", "/data/answer")
    assert _refused(case, _decided()) == ("not_offered", "/data/answer")
    assert _take(case, _decided(answer="close")) == [ReviewAnswered(REVIEW, "j.smith", "close")]


@pytest.mark.parametrize("kind", [DecisionKind.ANSWER_REVIEW, DecisionKind.CONFIRM_ROUTE, DecisionKind.REFUSE_ROUTE])
def test_what_cannot_be_answered_is_refused(kind: DecisionKind) -> None:
    answer = {"answer": "confirm"} if kind is DecisionKind.ANSWER_REVIEW else {}
    assert _refused(_case(), _decided(kind, **answer)) == ("unknown_review", "/data/review_id")
    once = _case(_waiting())
    _take(once, _decided(kind, **answer))
    assert _refused(once, _decided(kind, **answer)) == ("already_answered", "/data/review_id")


def test_a_question_is_answered_by_its_role_or_one_above_it() -> None:
    for place, asked in enumerate(LADDER):
        for other, role in enumerate(LADDER):
            assert may_answer(role, asked) == (other >= place), (role, asked)
            case = _case(_review(role=asked))
            if other >= place:
                assert _take(case, _decided(role=role))
            else:
                assert _refused(case, _decided(role=role)) == ("not_their_role", "/data/decided_by/role")


def test_a_clinical_question_is_for_the_clinician_or_the_safeguarding_lead() -> None:
    assert [role for role in (*LADDER, "clinician") if may_answer(role, "clinician")] == [
        "safeguarding_lead",
        "clinician",
    ]
    assert not may_answer("clinician", "duty_worker")
    assert not may_answer("nobody known", "duty_worker")


def test_who_may_answer_is_told_to_who_may_not() -> None:
    with pytest.raises(Unacceptable) as refusal:
        _take(_case(_review(role="programme_manager")), _decided(role="facilitator"))
    assert refusal.value.problems[0].message == "this is for programme_manager or safeguarding_lead to decide"


def test_a_confirmed_route_opens_its_leg_as_it_was_decided() -> None:
    case = _case(_waiting())
    steps = _take(case, _decided(DecisionKind.CONFIRM_ROUTE, role="duty_worker"))
    [opened] = [step for step in steps if isinstance(step, LegOpened)]
    [command] = [step for step in steps if isinstance(step, Command)]
    assert (opened.leg.destination, opened.leg.priority, opened.leg.due_at) == ("residential_rehab", 2, DUE)
    assert (command.action, command.reasons) == (RouteAction.REFER, WHY)
    assert ReviewAnswered(REVIEW, "j.smith", "confirm") in steps


def test_a_route_confirmed_too_late_is_due_from_now() -> None:
    case = _case(replace(_waiting(), waiting=WaitingRoute(ROUTE, NOW - timedelta(days=1))))
    [opened] = [s for s in _take(case, _decided(answer="confirm")) if isinstance(s, LegOpened)]
    assert opened.leg.due_at is not None
    assert opened.leg.due_at > NOW


def test_a_route_confirmed_beside_an_open_leg_opens_no_second() -> None:
    leg = Leg("leg-1", ROUTE.destination, LegStatus.ACCEPTED, NOW, 3, None, NOW, commands=1)
    case = _case(_waiting(), legs=(leg,))
    steps = _take(case, _decided(DecisionKind.CONFIRM_ROUTE))
    assert [(s.leg.id, s.action) for s in steps if isinstance(s, Command)] == [("leg-1", RouteAction.STEP_UP)]
    assert list(case.legs) == ["leg-1"]


@pytest.mark.parametrize("how", [DecisionKind.REFUSE_ROUTE, DecisionKind.ANSWER_REVIEW])
def test_a_refused_route_opens_nothing(how: DecisionKind) -> None:
    case = _case(_waiting())
    answer = {"answer": "refuse"} if how is DecisionKind.ANSWER_REVIEW else {}
    assert _take(case, _decided(how, **answer)) == [ReviewAnswered(REVIEW, "j.smith", "refuse")]
    assert case.legs == {}


@pytest.mark.parametrize(
    "route", [ROUTE._replace(tier="floor"), ROUTE._replace(destination="victim_safety")], ids=["floor", "victim safety"]
)
def test_what_keeps_somebody_safe_is_never_refused(route: RouteDecided) -> None:
    for decision in (_decided(DecisionKind.REFUSE_ROUTE, role="safeguarding_lead"), _decided(answer="refuse")):
        assert _refused(_case(_waiting(route)), decision) == ("never_refused", "/data/review_id")
    assert _take(_case(_waiting(route)), _decided(answer="confirm")), "but it can be confirmed"


def test_a_route_of_a_destination_that_is_no_more_is_refused() -> None:
    gone = _waiting(ROUTE._replace(destination="gone"))
    assert _refused(_case(gone), _decided(DecisionKind.CONFIRM_ROUTE)) == ("no_such_route", "/data/review_id")


def test_confirming_needs_a_question_of_that_kind() -> None:
    assert _refused(_case(_review()), _decided(DecisionKind.CONFIRM_ROUTE)) == (
        "another_kind_of_review",
        "/data/review_id",
    )
    by_leg = _decided(DecisionKind.CONFIRM_ROUTE, review_id=None, leg_id=REVIEW)
    assert _refused(_case(_waiting()), by_leg) == ("which_review", "/data/review_id")


@pytest.mark.parametrize(
    ("asks", "decides"),
    [
        (ReviewKind.FACT, DecisionKind.CLOSE_LEG),
        (ReviewKind.CONFIRM_ROUTE, DecisionKind.CORRECT_STATUS),
        (ReviewKind.LINK, DecisionKind.REOPEN_LEG),
        (ReviewKind.OFFER_LAPSED, DecisionKind.RECORD_CHECK),
        (ReviewKind.PAUSE_END, DecisionKind.RECORD_CHECK),
        (ReviewKind.WELFARE_CHECK, DecisionKind.CLOSE_LEG),
        (ReviewKind.WELFARE_CHECK, DecisionKind.RESUME_LEG),
    ],
)
def test_a_question_with_answers_of_its_own_is_closed_by_no_other_decision(
    asks: ReviewKind, decides: DecisionKind
) -> None:
    leg = Leg("leg", "dapp", LegStatus.ON_PROGRAMME, NOW, 2, None, NOW)
    said = _decided().model_copy(update={"kind": decides, "leg_id": "leg"})
    case = _case(_review(asks, leg_id="leg"), legs=(leg,))
    assert _refused(case, said) == ("another_kind_of_review", "/data/review_id")


def test_a_question_about_one_leg_is_not_answered_by_what_becomes_of_another() -> None:
    legs = tuple(Leg(id_, to, LegStatus.ON_HOLD, NOW, 2, None, NOW) for id_, to in (("leg", "dapp"), (OTHER, "gp")))
    said = _decided(DecisionKind.RESUME_LEG, leg_id=OTHER)
    case = _case(_review(ReviewKind.PAUSE_END, leg_id="leg"), legs=legs)
    assert _refused(case, said) == ("another_leg", "/data/leg_id")


def test_a_snoozed_question_stays_open_and_is_due_later() -> None:
    case, until = _case(_review()), NOW + timedelta(days=14)
    snoozed, cancelled, timer = _take(case, _decided(DecisionKind.SNOOZE, until=until))
    assert snoozed == ReviewSnoozed(REVIEW, until)
    assert isinstance(cancelled, TimerCancelled)
    assert cancelled.means("its own", TimerKind.REVIEW, None, REVIEW)
    assert isinstance(timer, TimerSet)
    assert (timer.kind, timer.due_at, timer.review_id) == (TimerKind.SNOOZE, until, REVIEW)
    assert (case.reviews[REVIEW].due_at, case.reviews[REVIEW].answered) == (until, False)


@pytest.mark.parametrize(
    ("until", "why"),
    [(NOW, "not_ahead"), (NOW + timedelta(days=14, seconds=1), "too_far_ahead")],
)
def test_nobody_snoozes_into_the_past_or_for_ever(until: datetime, why: str) -> None:
    assert _refused(_case(_review()), _decided(DecisionKind.SNOOZE, until=until)) == (why, "/data/until")


def test_a_question_of_identity_is_answered_by_merging_or_keeping_apart() -> None:
    asked = _review(ReviewKind.LINK, perhaps=("another",))
    assert _refused(_case(asked), _decided(answer="yes")) == ("merge_or_keep_apart", "/data/kind")


def test_a_second_identifier_is_a_slip_or_another_person_for_a_human_to_sort_out() -> None:
    asked = _review(ReviewKind.LINK, answers=(SAME_PERSON, ANOTHER_PERSON))
    assert len(_take(_case(asked), _decided(answer=SAME_PERSON))) == 1
    steps = _take(_case(asked), _decided(answer=ANOTHER_PERSON))
    assert [s.kind for s in steps if isinstance(s, ReviewAsked)] == [ReviewKind.RULE], "nothing falls silent"


# A fact answered.


def _referral(**without: object) -> ReferralSubmitted:
    raw = json.loads((REPOSITORY / "schemas/examples/referral-assault-on-partner.json").read_bytes())["data"]
    for name in without:
        raw.pop(name, None)
    return fit(json.dumps(raw).encode(), ReferralSubmitted, extra="forbid")


def _first(case: Case, *, without: tuple[str, ...]) -> tuple[Decision, Original]:
    """The first decision on a referral that lacks something, carried out; and the event as it is read back."""
    event = CaseEvent(EventKind.REFERRAL, _referral(**dict.fromkeys(without)), NOW, NOW)
    decision = decide(_rules(), facts_of(_rules(), event, case.view(), NOW))
    for step in act(decision, _acting(case)):
        if isinstance(step, ReviewAsked):
            case.reviews[step.id] = Review(
                step.id,
                step.kind,
                step.question,
                step.role,
                step.due_at,
                EVENT,
                fact=step.fact,
                destination=step.destination,
                answers=step.answers,
                waiting=step.waiting,
            )
    original = Original(EVENT, event, "first")
    original.done.add(decision.to_json())
    return decision, original


def _question(case: Case, fact: str) -> Review:
    [found] = [review for review in case.reviews.values() if review.fact == fact]
    case.reviews[REVIEW] = replace(found, id=REVIEW)
    return found


def _commanded(steps: list[Step]) -> list[str]:
    return [step.leg.destination for step in steps if isinstance(step, Command)]


def test_a_fact_answered_opens_what_hung_on_it_and_nothing_twice() -> None:
    case = Case("person", NOW)
    first, original = _first(case, without=("relationship",))
    _question(case, "relationship")
    before = {leg.destination: leg.commands for leg in case.legs.values()}
    assert "dapp" not in before, "held back for want of the fact"
    steps = _take(case, _decided(fact="relationship", value="ex_partner"), {EVENT: original})
    [again] = [step for step in steps if isinstance(step, DecidedAgain)]
    assert (again.event_id, again.first_decision) == (EVENT, "first")
    assert again.decision.facts.values["relationship"] == "ex_partner"
    assert again.decision.facts.origins["relationship"] == "answer"
    assert "dapp" in _commanded(steps)
    assert {name: leg.commands for name in before for leg in case.legs.values() if leg.destination == name} == before
    assert not {s.fact for s in steps if isinstance(s, ReviewAsked)} & {q.fact for q in first.questions}


def test_a_fact_that_changes_nothing_sends_nothing() -> None:
    case = Case("person", NOW)
    _, original = _first(case, without=("relationship",))
    _question(case, "relationship")
    assert _commanded(_take(case, _decided(fact="relationship", value="sibling"), {EVENT: original})) == []


def test_the_same_event_decided_a_third_time_still_knows_the_first_answer() -> None:
    case = Case("person", NOW)
    _, original = _first(case, without=("relationship", "needs"))
    _question(case, "relationship")
    _take(case, _decided(fact="relationship", value="ex_partner"), {EVENT: original})
    other = next(r for r in case.reviews.values() if r.kind is ReviewKind.FACT and not r.answered and r.id != REVIEW)
    assert other.fact is not None
    case.reviews[REVIEW] = replace(other, id=REVIEW)
    answer = _rules().facts[other.fact].answers
    said = answer[0] if answer else "1"
    steps = _take(case, _decided(fact=other.fact, value=said), {EVENT: original})
    [again] = [step for step in steps if isinstance(step, DecidedAgain)]
    assert again.decision.facts.values["relationship"] == "ex_partner"
    assert "dapp" not in _commanded(steps)


def test_what_nobody_can_find_out_stays_unknown_and_is_closed_with_a_reason() -> None:
    case = Case("person", NOW)
    _, original = _first(case, without=("relationship",))
    _question(case, "relationship")
    steps = _take(case, _decided(answer="not_known"), {EVENT: original})
    assert steps == [ReviewAnswered(REVIEW, "j.smith", "not_known")]


def test_an_answer_to_another_fact_or_with_an_impossible_value_is_refused() -> None:
    case = Case("person", NOW)
    _, original = _first(case, without=("relationship",))
    _question(case, "relationship")
    desk = {EVENT: original}
    assert _refused(case, _decided(fact="strangulation", value="no"), desk) == ("another_fact", "/data/fact")
    assert _refused(case, _decided(fact="relationship", value="yes"), desk) == ("impossible_value", "/data/value")
    assert _refused(case, _decided(answer="yes"), desk) == ("impossible_value", "/data/answer")
    assert _refused(case, _decided(), desk) == ("no_answer", "/data/value")
    assert original.answers == {}


def test_a_route_that_waits_opens_once_the_fact_is_known_that_it_waited_for() -> None:
    case = Case("person", NOW)
    event = CaseEvent(EventKind.REFERRAL, _referral(), NOW, NOW)
    original = Original(EVENT, event, "first")
    decision = decide(_rules(), facts_of(_rules(), event, case.view(), NOW))
    original.done.add(decision.to_json())
    assert "dapp" in {route.destination for route in decision.routes}
    fact = _review(ReviewKind.FACT, fact="consent")
    waits = replace(_waiting(ROUTE._replace(destination="dapp")), id="waits")
    case.reviews |= {REVIEW: fact, "waits": waits}
    steps = _take(case, _decided(fact="consent", value="yes"), {EVENT: original})
    assert _commanded(steps) == ["dapp"]
    assert case.reviews["waits"].answered
    assert case.remembered["consent"] == "yes", "and later events know it too"
