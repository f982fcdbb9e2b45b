"""Who is asked next, and that every way ends with somebody who looks after the person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import LegStatus, ProgressKind, RouteAction, TimerKind
from services.router.casework.act import Acting
from services.router.casework.case import Case, Leg
from services.router.casework.deadlines import NOT_ANSWERED
from services.router.casework.pathway import put
from services.router.casework.places import CapacityHeard, Places
from services.router.casework.reroute import MOST_HOPS, NOT_ACKNOWLEDGED, look_further
from services.router.casework.steps import (
    Command,
    LegMoved,
    LegOpened,
    ReviewAsked,
    ReviewKind,
    Step,
    TimerSet,
)
from services.router.rules.directory import Capacity, Intake, ServiceStatus
from services.router.rules.ruleset import Destination
from tests.unit.router.casework.directory import (
    NOW,
    acting_on,
    answer,
    directory,
    leg_to,
    opened_to,
    rules,
    service,
    somebody,
)

THREE = directory(service("a"), service("b"), service("c"), service("other", serves="something else"))
NO = (ProgressKind.DECLINED, ProgressKind.NO_CAPACITY)


def _reviews(steps: list[Step]) -> list[ReviewAsked]:
    return [step for step in steps if isinstance(step, ReviewAsked)]


@pytest.mark.parametrize("kind", NO)
def test_the_next_service_of_the_same_need_gets_the_referral(kind: ProgressKind) -> None:
    case = somebody(leg := leg_to("a", priority=1))
    steps = answer(case, leg, kind, acting_on(case, THREE))
    [opened] = [step for step in steps if isinstance(step, LegOpened)]
    [command] = [step for step in steps if isinstance(step, Command)]
    [timer] = [step for step in steps if isinstance(step, TimerSet)]
    assert (opened.leg.destination, opened.leg.reroute_of, opened.leg.priority) == ("b", leg.id, 1)
    assert (opened.leg.referral, opened.leg.opened_by) == (leg.referral, leg.opened_by)
    assert (command.action, command.number, command.leg.id) == (RouteAction.REFER, 1, opened.leg.id)
    assert (timer.kind, timer.leg_id) == (TimerKind.ACKNOWLEDGEMENT, opened.leg.id)
    assert "The a" in opened.note
    assert "The a" not in " ".join(reason.because for reason in command.reasons), "whose refusal it was stays with us"


def test_in_the_stead_of_who_was_told_of_a_newer_referral_too_the_next_one_is_told_of_both() -> None:
    case = somebody(leg := leg_to("a", referral="older", opened_by="older"))
    steps = answer(case, leg, ProgressKind.DECLINED, acting_on(case, THREE))
    told = [(each.leg.destination, each.action, each.about) for each in steps if isinstance(each, Command)]
    assert told == [("b", RouteAction.REFER, None), ("b", RouteAction.NOTIFY, "referral")]


def test_in_the_stead_of_who_was_told_of_a_relapse_the_next_one_and_the_one_after_are_told_of_it_too() -> None:
    case = somebody(leg := leg_to("a", told_in=("relapse", "threat")))
    for destination in ("b", "c"):
        steps = answer(case, leg, ProgressKind.DECLINED, acting_on(case, THREE))
        told = [(each.leg.destination, each.action, each.number, each.about) for each in steps if type(each) is Command]
        assert told == [
            (destination, RouteAction.REFER, 1, None),
            (destination, RouteAction.NOTIFY, 2, "relapse"),
            (destination, RouteAction.NOTIFY, 3, "threat"),
        ]
        [leg] = [each for each in case.legs.values() if each.destination == destination]


@pytest.mark.parametrize("kind", NO)
def test_the_leg_that_ended_keeps_its_status_and_its_history(kind: ProgressKind) -> None:
    case = somebody(leg := leg_to("a"))
    steps = answer(case, leg, kind, acting_on(case, THREE))
    assert case.legs[leg.id].closed
    assert [(step.before.status, step.leg.status) for step in steps if isinstance(step, LegMoved)] == [
        (LegStatus.REQUESTED, LegStatus(kind.value))
    ]


def test_no_reason_in_somebodys_words_leaves_with_the_leg_or_stands_in_the_question() -> None:
    alone = directory(service("a"), service("b"))
    case = somebody(leg := leg_to("a"))
    first = answer(case, leg, ProgressKind.DECLINED, acting_on(case, alone))
    [second] = [each for each in case.legs.values() if each.destination == "b"]
    last = answer(case, second, ProgressKind.DECLINED, acting_on(case, alone))
    texts = [reason.because for step in first if isinstance(step, Command) for reason in step.reasons]
    texts += [step.note for step in first if isinstance(step, LegOpened)]
    texts += [asked.question for asked in _reviews(last)]
    assert texts
    assert not [text for text in texts if "No place for him" in text]


def test_when_nobody_is_left_the_duty_worker_is_told_who_was_asked_and_why_the_others_do_not_fit() -> None:
    known = directory(
        service("a"),
        service("b"),
        service("young", maximum_age=25),
        service("far", service_areas=("Southshire",)),
        service("shut", status=ServiceStatus.TEMPORARILY_CLOSED),
    )
    case = somebody(leg := leg_to("a"))
    answer(case, leg, ProgressKind.DECLINED, acting_on(case, known))
    [second] = [each for each in case.legs.values() if each.destination == "b"]
    [asked] = _reviews(answer(case, second, ProgressKind.NO_CAPACITY, acting_on(case, known)))
    assert (asked.kind, asked.role, asked.leg_id) == (ReviewKind.NO_DESTINATION, "duty_worker", second.id)
    assert asked.question == (
        "The b has no capacity. Others: The a (was asked already: declined); The far (does not serve this area); "
        "The shut (is temporarily closed); The young (takes nobody over 25). Where should this go?"
    )


def test_a_service_whose_area_may_not_be_his_is_neither_asked_nor_passed_over() -> None:
    known = directory(service("a"), service("b", service_areas=("Northshire",)))
    case = somebody(leg := leg_to("a"))
    case.remembered = {}
    steps = answer(case, leg, ProgressKind.DECLINED, acting_on(case, known))
    assert opened_to(steps) == []
    [asked] = _reviews(steps)
    assert (asked.kind, asked.destination) == (ReviewKind.CONFIRM_ROUTE, "b")
    assert "is not known" in asked.question


def test_who_surely_fits_goes_before_who_may_and_the_history_says_who_was_passed_over() -> None:
    known = directory(service("a", instead=("b",)), service("b", service_areas=("Northshire",)), service("c"))
    case = somebody(leg := leg_to("a"))
    case.remembered = {}
    steps = answer(case, leg, ProgressKind.DECLINED, acting_on(case, known))
    assert opened_to(steps) == ["c"]
    assert "Passed over: The b (" in "".join(step.note for step in steps if isinstance(step, LegOpened))


def test_the_order_is_the_wish_of_the_first_service_then_free_places_then_names() -> None:
    known = directory(
        service("a", instead=("z",)),
        service("b", capacity=Capacity(Intake.WAITLIST)),
        service("c", capacity=Capacity(Intake.ACCEPTING)),
        service("d"),
        service("z", capacity=Capacity(Intake.ADDITIONAL_ASSESSMENT_REQUIRED)),
    )
    case = somebody(leg := leg_to("a"))
    asked = []
    for _ in range(MOST_HOPS):
        [opened] = opened_to(answer(case, leg, ProgressKind.DECLINED, acting_on(case, known)))
        asked.append(opened)
        leg = next(each for each in case.legs.values() if each.destination == opened)
    assert asked == ["z", "c", "d"]


def test_after_three_hops_a_human_is_asked_though_others_would_fit() -> None:
    known = directory(*(service(name) for name in "abcdef"))
    case = somebody(leg := leg_to("a"))
    for expected in "bcd":
        assert opened_to(answer(case, leg, ProgressKind.DECLINED, acting_on(case, known))) == [expected]
        leg = next(each for each in case.legs.values() if each.destination == expected)
    steps = answer(case, leg, ProgressKind.DECLINED, acting_on(case, known))
    assert opened_to(steps) == []
    [asked] = _reviews(steps)
    assert asked.kind is ReviewKind.NO_DESTINATION
    assert "3 others were asked" in asked.question


def test_hops_are_counted_for_each_need_and_each_referral() -> None:
    old = [
        leg_to(name, n, status=LegStatus.NO_CAPACITY, occasion="older", reroute_of="x") for n, name in enumerate("bcd")
    ]
    other = leg_to("other", 9, reroute_of="x")
    case = somebody(*old, other, leg := leg_to("a", 10))
    assert opened_to(answer(case, leg, ProgressKind.DECLINED, acting_on(case, THREE))) == ["b"]


def test_who_declined_him_before_is_not_asked_again() -> None:
    case = somebody(leg_to("b", 1, status=LegStatus.DECLINED, occasion="older"), leg := leg_to("a", 2))
    assert opened_to(answer(case, leg, ProgressKind.DECLINED, acting_on(case, THREE))) == ["c"]


def test_a_silent_leg_stays_open_while_another_one_opens_beside_it() -> None:
    case = somebody(leg := leg_to("a"))
    steps = look_further(case, leg, acting_on(case, THREE), NOT_ACKNOWLEDGED)
    assert opened_to(steps) == ["b"]
    assert case.legs[leg.id] == leg
    watched = {step.leg_id for step in steps if isinstance(step, TimerSet)}
    assert watched == set(case.legs) - {leg.id}, "who noticed watches it on"


def test_silence_for_a_second_time_asks_a_human_and_opens_no_third() -> None:
    case = somebody(leg := leg_to("a"))
    look_further(case, leg, acting_on(case, THREE), NOT_ACKNOWLEDGED)
    steps = look_further(case, leg, acting_on(case, THREE), NOT_ACKNOWLEDGED)
    assert opened_to(steps) == []
    [asked] = _reviews(steps)
    assert asked.leg_id == leg.id


def test_a_leg_that_answered_in_the_meantime_is_left_alone() -> None:
    case = somebody(leg := leg_to("a", status=LegStatus.ACKNOWLEDGED))
    assert look_further(case, leg, acting_on(case, THREE), NOT_ACKNOWLEDGED) == []


def test_when_the_first_answers_after_all_a_human_says_which_stays() -> None:
    case = somebody(leg := leg_to("a"))
    look_further(case, leg, acting_on(case, THREE), NOT_ACKNOWLEDGED)
    steps = answer(case, leg, ProgressKind.ACKNOWLEDGED, acting_on(case, THREE))
    [asked] = _reviews(steps)
    assert (asked.kind, asked.leg_id) == (ReviewKind.WHICH_LEG, leg.id)
    assert not [each for each in case.legs.values() if each.closed], "no clock and no rule closes either"
    assert _reviews(answer(case, leg, ProgressKind.ACCEPTED, acting_on(case, THREE))) == [], "it is asked once"


def test_nobody_is_asked_which_stays_where_the_other_has_gone() -> None:
    case = somebody(leg := leg_to("a"))
    look_further(case, leg, acting_on(case, THREE), NOT_ACKNOWLEDGED)
    [second] = [each for each in case.legs.values() if each.destination == "b"]
    case.legs[second.id] = put(rules().pathway, second, LegStatus.DECLINED, now=NOW)
    assert _reviews(answer(case, leg, ProgressKind.ACKNOWLEDGED, acting_on(case, THREE))) == []


def test_a_late_refusal_needs_nobody_else_where_the_second_has_him() -> None:
    case = somebody(leg := leg_to("a"))
    look_further(case, leg, acting_on(case, THREE), NOT_ACKNOWLEDGED)
    steps = answer(case, leg, ProgressKind.DECLINED, acting_on(case, THREE))
    assert opened_to(steps) == []
    assert _reviews(steps) == []


def test_the_second_refuses_while_the_first_is_silent_and_a_third_is_asked() -> None:
    case = somebody(leg := leg_to("a"))
    look_further(case, leg, acting_on(case, THREE), NOT_ACKNOWLEDGED)
    [second] = [each for each in case.legs.values() if each.destination == "b"]
    assert opened_to(answer(case, second, ProgressKind.DECLINED, acting_on(case, THREE))) == ["c"]


def test_a_destination_that_the_rules_no_longer_know_ends_with_a_human() -> None:
    case = somebody(leg := leg_to("gone", status=LegStatus.DECLINED))
    [asked] = _reviews(look_further(case, leg, acting_on(case, THREE), "declined"))
    assert asked.kind is ReviewKind.NO_DESTINATION


def test_the_review_of_an_urgent_leg_is_due_sooner() -> None:
    alone = directory(service("a"))
    dues = []
    for priority in (1, 2):
        case = somebody(leg := leg_to("a", priority=priority))
        [asked] = _reviews(answer(case, leg, ProgressKind.DECLINED, acting_on(case, alone)))
        dues.append(asked.due_at)
    assert dues[0] == NOW + timedelta(hours=4) < dues[1]


def test_one_persons_no_capacity_is_the_next_persons_knowledge() -> None:
    places = Places()
    case = somebody(leg := leg_to("b"))
    steps = answer(case, leg, ProgressKind.NO_CAPACITY, acting_on(case, THREE, places))
    assert [step.destination for step in steps if isinstance(step, CapacityHeard)] == ["b"]
    other = somebody(leg := leg_to("a"))
    assert opened_to(answer(other, leg, ProgressKind.DECLINED, acting_on(other, THREE, places))) == ["c"]


limits = st.fixed_dictionaries(
    {},
    optional={
        "minimum_age": st.sampled_from([18, 60]),
        "service_areas": st.sampled_from([("Northshire",), ("Eastshire",)]),
        "consent_needed": st.booleans(),
        "status": st.sampled_from(ServiceStatus),
        "capacity": st.sampled_from([Capacity(intake) for intake in Intake]),
    },
)
SILENT = None  # the acknowledgement timer fell due
answers = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from([SILENT, ProgressKind.ACKNOWLEDGED, ProgressKind.ACCEPTED, *NO, *NO])),
    max_size=30,
)
unknown = st.sets(st.sampled_from(["age", "in_dapp_area", "consent"]))


@st.composite
def services(draw: st.DrawFn) -> list[Destination]:
    names = [f"s{number}" for number in range(draw(st.integers(1, 7)))]
    return [
        service(
            name,
            instead=tuple(draw(st.lists(st.sampled_from([n for n in names if n != name]), unique=True))),
            **draw(limits),
        )
        if len(names) > 1
        else service(name, **draw(limits))
        for name in names
    ]


@given(services(), unknown, answers)
def test_rerouting_ends_never_asks_one_twice_and_never_falls_silent(
    known: list[Destination], missing: set[str], said: list[tuple[int, ProgressKind | None]]
) -> None:
    rules, places = directory(*known), Places()
    case = somebody(leg_to("s0"))
    case.remembered = {name: value for name, value in case.remembered.items() if name not in missing}
    asked: set[str] = set()  # the legs of which a human was asked
    for which, word in said:
        open_legs = [leg for leg in case.legs.values() if not leg.closed]
        if not open_legs:
            break
        leg = open_legs[which % len(open_legs)]
        acting = acting_on(case, rules, places)
        before = dict(case.legs)
        steps = answer(case, leg, word, acting) if word else look_further(case, leg, acting, NOT_ACKNOWLEDGED)
        asked |= {review.leg_id or "" for review in _reviews(steps)}
        _holds(case, before, word, leg, asked, steps)
    _all_the_rest_say_no(case, lambda: acting_on(case, rules, places), asked)


def _holds(
    case: Case, before: dict[str, Leg], word: ProgressKind | None, leg: Leg, asked: set[str], steps: list[Step]
) -> None:
    visited = [each.destination for each in case.legs.values()]
    assert len(visited) == len(set(visited)), "each destination once"
    assert sum(each.reroute_of is not None for each in case.legs.values()) <= MOST_HOPS
    assert set(before) <= set(case.legs), "no leg is lost"
    if word is SILENT:
        assert case.legs[leg.id] == leg, "no timer closes or changes a leg"
        if leg.status in NOT_ANSWERED:
            assert steps, "silence is never met with silence"
    assert asked or any(not each.closed for each in case.legs.values()), "somebody has him, or a human is asked"


def _all_the_rest_say_no(case: Case, acting: Callable[[], Acting], asked: set[str]) -> None:
    """Whatever came before: when all who are left say no, it ends, and with a human."""
    for _ in range(20):
        leg = next((leg for leg in case.legs.values() if not leg.closed), None)
        if leg is None:
            assert asked
            return
        asked |= {review.leg_id or "" for review in _reviews(answer(case, leg, ProgressKind.DECLINED, acting()))}
    raise AssertionError("it does not end")
