"""A pause is offered, and going on is asked about, where he is: also at who was asked in another's stead."""

from __future__ import annotations

from dataclasses import replace

from schemas.vocabulary import LegStatus
from services.router.casework.act import act
from services.router.casework.case import Case, Leg
from services.router.casework.steps import PauseOffered, ReviewAsked, Step
from services.router.rules.decide import decide
from services.router.rules.decision import OfferDecided, Reason, ResumeDecided
from services.router.rules.due import Due
from services.router.rules.events import EventKind
from services.router.rules.facts import facts_stated
from tests.unit.router.casework.directory import NOW, acting_on, directory, leg_to, rules, service, somebody

WHY = (Reason("a-rule", "Because."),)
SERVICES = directory(
    service("first", serves="change", kind="programme"),
    service("second", serves="change", kind="programme"),
    service("fathers", serves="fathers", kind="programme"),
)


def _offers(*legs: Leg, of: tuple[str, ...] = ("fathers", "first", "second")) -> list[Step]:
    return _act(somebody(*legs), offers=tuple(OfferDecided(name, 28, 7, Due(working_days=5), WHY) for name in of))


def _resumes(*legs: Leg) -> list[Step]:
    return _act(somebody(*legs), resumes=tuple(ResumeDecided(name, WHY) for name in ("fathers", "first", "second")))


def _act(case: Case, **parts: object) -> list[Step]:
    quiet = decide(rules(), facts_stated(rules(), EventKind.PROGRESS_ATTENDED, {}, NOW.date()))
    return act(replace(quiet, **parts), replace(acting_on(case, SERVICES), event_id="event"))  # type: ignore[arg-type]


def _offered(steps: list[Step]) -> list[str]:
    return [step.offer.leg_id[-1] for step in steps if isinstance(step, PauseOffered)]


def _asked(steps: list[Step]) -> list[tuple[str, str | None]]:
    return [(step.question, step.leg_id and step.leg_id[-1]) for step in steps if isinstance(step, ReviewAsked)]


def test_the_pause_is_offered_where_he_is_and_not_where_nobody_answered() -> None:
    legs = leg_to("first", 1), leg_to("second", 2, status=LegStatus.ON_PROGRAMME), leg_to("fathers", 3)
    assert _offered(_offers(*legs)) == ["2"]


def test_a_rule_that_names_the_first_one_means_whoever_does_its_job() -> None:
    assert _offered(_offers(leg_to("second", 2, status=LegStatus.ON_PROGRAMME), of=("first",))) == ["2"]


def test_who_is_on_two_programmes_is_offered_a_pause_of_each_once() -> None:
    legs = (leg_to(name, number, status=LegStatus.ON_PROGRAMME) for number, name in ((1, "first"), (3, "fathers")))
    assert _offered(_offers(*legs)) == ["3", "1"]


def test_who_is_on_none_yet_is_offered_a_pause_of_what_waits_for_him() -> None:
    assert _offered(_offers(leg_to("first", 1, status=LegStatus.WAITLISTED))) == ["1"]


def test_whether_a_leg_that_rests_should_rest_longer_is_asked_once() -> None:
    for status in (LegStatus.ON_HOLD, LegStatus.DEFERRED):
        asked = _asked(_offers(leg_to("second", 2, status=status)))
        assert asked == [("A pause would be offered now, but the leg rests already. Should it rest longer?", "2")]


def test_going_on_is_proposed_of_the_leg_that_rests() -> None:
    legs = leg_to("first", 1, status=LegStatus.ON_PROGRAMME), leg_to("second", 2, status=LegStatus.ON_HOLD)
    assert _asked(_resumes(*legs)) == [("Should The second go on?", "2")]


def test_where_no_leg_rests_somebody_is_asked_all_the_same() -> None:
    assert _asked(_resumes()) == [("Should The fathers go on?", None)]
