"""An ordinary route meets the directory: it goes there, to whom does the same job, or before a human."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.base import PersonId
from schemas.person import PersonRef
from schemas.risk import RiskReported
from schemas.vocabulary import LegStatus, ProgressKind, RiskKind, RouteAction
from services.router.casework.act import act
from services.router.casework.again import Original, decide_again
from services.router.casework.case import Case
from services.router.casework.places import Places
from services.router.casework.reviews import Review, WaitingRoute
from services.router.casework.steps import Command, LegOpened, ReviewAsked, ReviewKind, Step
from services.router.rules.decide import decide
from services.router.rules.decision import NotifyDecided, Reason, RouteDecided
from services.router.rules.directory import Capacity, Intake, ServiceStatus
from services.router.rules.due import Due
from services.router.rules.events import CaseEvent, EventKind
from services.router.rules.facts import facts_stated
from services.router.rules.ruleset import RuleSet
from tests.unit.router.casework.directory import (
    NOW,
    acting_on,
    directory,
    leg_to,
    opened_to,
    rules,
    service,
    somebody,
)

WHY = (Reason("a-rule", "Because."),)
TWO = directory(service("a"), service("b"))


def _route(case: Case, known: RuleSet, places: Places | None = None, **more: object) -> list[Step]:
    route = RouteDecided("a", 2, Due(working_days=2), "ordinary", None, WHY)._replace(**more)  # type: ignore[arg-type]
    quiet = decide(rules(), facts_stated(rules(), EventKind.PROGRESS_ATTENDED, {}, NOW.date()))
    return act(replace(quiet, routes=(route,)), acting_on(case, known, places))


def _question(steps: list[Step]) -> ReviewAsked:
    assert opened_to(steps) == []
    [asked] = [step for step in steps if isinstance(step, ReviewAsked)]
    assert asked.kind is ReviewKind.CONFIRM_ROUTE
    return asked


def _full(name: str) -> Places:
    places = Places()
    places.hear(name, ProgressKind.NO_CAPACITY, NOW - timedelta(days=1))
    return places


def test_a_new_leg_remembers_its_referral() -> None:
    [leg] = [step.leg for step in _route(somebody(), TWO) if isinstance(step, LegOpened)]
    assert (leg.destination, leg.occasion, leg.reroute_of) == ("a", "referral", None)


def test_while_a_service_is_full_the_next_one_gets_new_referrals_and_the_history_says_so() -> None:
    steps = _route(somebody(), TWO, _full("a"))
    assert opened_to(steps) == ["b"]
    [note] = [step.note for step in steps if isinstance(step, LegOpened)]
    assert note == "Instead of The a (has no capacity, by its own word, until 2 April 2026)."


def test_when_it_takes_people_again_it_gets_new_referrals_again() -> None:
    places = _full("a")
    places.hear("a", ProgressKind.ACCEPTED, NOW)
    assert opened_to(_route(somebody(), TWO, places)) == ["a"]


def test_a_full_service_that_nobody_can_stand_in_for_is_asked_all_the_same() -> None:
    assert opened_to(_route(somebody(), directory(service("a")), _full("a"))) == ["a"]


def test_a_full_service_whose_alternatives_do_not_fit_is_put_before_a_human() -> None:
    asked = _question(_route(somebody(), directory(service("a"), service("b", maximum_age=20)), _full("a")))
    assert "The b (takes nobody over 20)" in asked.question
    assert "until 2 April 2026" in asked.question


@pytest.mark.parametrize(
    "limits",
    [
        {"service_areas": ("Eastshire",)},
        {"minimum_age": 60},
        {"status": ServiceStatus.INACTIVE},
        {"capacity": Capacity(Intake.NO_CAPACITY)},
    ],
)
def test_whom_one_service_does_not_take_another_may(limits: dict[str, object]) -> None:
    assert opened_to(_route(somebody(), directory(service("a", **limits), service("b")))) == ["b"]
    asked = _question(_route(somebody(), directory(service("a", **limits))))
    assert asked.destination == "a"


@pytest.mark.parametrize(("fact", "limits"), [
    ("age", {"minimum_age": 18}), ("in_dapp_area", {"service_areas": ("Northshire",)}),
    ("consent", {"consent_needed": True}),
])  # fmt: skip
def test_what_is_not_known_is_asked_and_neither_passes_nor_sends_elsewhere(
    fact: str, limits: dict[str, object]
) -> None:
    case = somebody()
    case.remembered = {name: value for name, value in case.remembered.items() if name != fact}
    asked = _question(_route(case, directory(service("a", **limits), service("b"))))
    assert asked.destination == "a"


def test_a_refusal_of_consent_is_no_reason_to_try_elsewhere() -> None:
    assert "consent" in _question(_route(somebody(consent="no"), TWO)).question


def test_a_floor_knows_no_limits() -> None:
    strict = directory(service("a", minimum_age=60, service_areas=("Eastshire",), consent_needed=True), service("b"))
    assert opened_to(_route(somebody(consent="no"), strict, _full("a"), tier="floor")) == ["a"]


def test_a_route_that_waits_for_a_human_names_the_one_who_would_get_it() -> None:
    asked = _question(_route(somebody(), TWO, _full("a"), confirm="human"))
    assert asked.destination == "b"
    assert "Instead of The a" in asked.question


@pytest.mark.parametrize("standing", [LegStatus.ON_PROGRAMME, LegStatus.ON_HOLD, LegStatus.REQUESTED])
def test_a_leg_that_stands_in_for_another_is_stepped_up_in_its_place(standing: LegStatus) -> None:
    case = somebody(leg_to("a", 1, status=LegStatus.DECLINED), leg_to("b", 2, status=standing))
    steps = _route(case, TWO, priority=1)
    [command] = [step for step in steps if isinstance(step, Command)]
    assert (command.leg.destination, command.action, command.leg.priority) == ("b", RouteAction.STEP_UP, 1)


def test_of_two_open_legs_both_hear_of_rising_risk() -> None:
    case = somebody(leg_to("a", 1), leg_to("b", 2))
    told = [(step.leg.destination, step.action) for step in _route(case, TWO) if isinstance(step, Command)]
    assert told == [("a", RouteAction.STEP_UP), ("b", RouteAction.STEP_UP)]


def test_an_open_leg_is_stepped_up_without_asking_again_whether_it_fits() -> None:
    strict = directory(service("a", minimum_age=60, service_areas=("Eastshire",)), service("b"))
    case = somebody(leg_to("a", status=LegStatus.ON_PROGRAMME))
    [command] = [step for step in _route(case, strict, _full("a"), confirm="human") if isinstance(step, Command)]
    assert command.action is RouteAction.STEP_UP


def test_an_open_leg_of_somebody_who_refused_sharing_since_is_told_nothing_by_an_ordinary_rule() -> None:
    assert _question(_route(somebody(leg_to("a"), consent="no"), TWO)).destination == "a"


def test_news_goes_to_the_leg_that_stands_in() -> None:
    case = somebody(leg_to("a", 1, status=LegStatus.DECLINED), leg_to("b", 2))
    quiet = decide(rules(), facts_stated(rules(), EventKind.PROGRESS_ATTENDED, {}, NOW.date()))
    steps = act(replace(quiet, notifies=(NotifyDecided("a", "news", WHY),)), acting_on(case, TWO))
    assert [(s.leg.destination, s.action) for s in steps if isinstance(s, Command)] == [("b", RouteAction.NOTIFY)]


def test_a_route_that_waited_goes_elsewhere_where_what_is_known_now_says_so() -> None:
    east, inactive = rules().destinations["addiction_service_east"], ServiceStatus.INACTIVE
    those = [replace(d, status=inactive) if d.serves == east.serves else d for d in rules().destinations.values()]
    known = directory(*those, replace(east, id="b", service_areas=None))
    waiting = WaitingRoute(RouteDecided("addiction_service", 2, Due(working_days=2), "ordinary", None, WHY), NOW)
    case = somebody()
    case.reviews["waits"] = Review(
        "waits",
        ReviewKind.CONFIRM_ROUTE,
        "?",
        "duty_worker",
        NOW,
        "e",
        destination="addiction_service",
        waiting=waiting,
    )
    said = RiskReported(
        about=PersonRef(person_id=PersonId("01938f00-0000-7000-8000-00000000ffff")),
        kind=RiskKind.RELAPSE,
        occurred_at=NOW,
    )
    steps = decide_again(
        case, Original("e", CaseEvent(EventKind.RELAPSE, said, NOW, NOW), None), acting_on(case, known)
    )
    assert "b" in opened_to(steps)
    assert "addiction_service" not in opened_to(steps)
    assert case.reviews["waits"].answered
    [note] = [step.note for step in steps if isinstance(step, LegOpened) and step.leg.destination == "b"]
    assert note.startswith("Instead of")
