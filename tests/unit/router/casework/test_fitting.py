"""Whom a destination takes: what is known decides, and what is not known is nobody's yes and nobody's no."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import LegStatus, ProgressKind
from services.router.casework.fitting import Person, fitting, person_of, tried
from services.router.casework.places import FULL_FOR, TAKES_AGAIN, Places
from services.router.rules.directory import Capacity, Intake, ServiceStatus
from services.router.rules.language import FactValue
from services.router.rules.ruleset import Destination
from tests.unit.router.casework.directory import NOW, leg_to, rules, service, somebody

HIM = Person(age=35, area="Northshire", consent="yes")


def _obstacles(destination: Destination, person: Person = HIM, places: Places | None = None) -> list[tuple[str, bool]]:
    return [(each.what, each.certain) for each in fitting(destination, person, places or Places(), NOW)]


def test_a_service_without_limits_takes_everybody_of_whom_nothing_is_known() -> None:
    assert _obstacles(service("open"), Person()) == []


@pytest.mark.parametrize(
    ("destination", "person", "obstacle"),
    [
        (service("s", minimum_age=36), HIM, ("age", True)),
        (service("s", minimum_age=35, maximum_age=35), HIM, None),
        (service("s", maximum_age=34), HIM, ("age", True)),
        (service("s", maximum_age=34), Person(), ("age", False)),
        (service("s", service_areas=("Eastshire",)), HIM, ("area", True)),
        (service("s", service_areas=("Eastshire", "northshire ".strip())), HIM, None),
        (service("s", service_areas=("Eastshire",)), Person(), ("area", False)),
        (service("s", consent_needed=True), HIM, None),
        (service("s", consent_needed=True), Person(), ("consent", False)),
        (service("s", consent_needed=True), Person(consent="not_sought"), ("consent", False)),
        (service("s"), Person(consent="no"), ("consent", True)),
        (service("s", voluntary=False), Person(consent="no"), None),
        (service("s", status=ServiceStatus.INACTIVE), HIM, ("status", True)),
        (service("s", status=ServiceStatus.TEMPORARILY_CLOSED), HIM, ("status", True)),
        (service("s", capacity=Capacity(Intake.NO_CAPACITY)), HIM, ("capacity", True)),
        (service("s", capacity=Capacity(Intake.WAITLIST)), HIM, None),
        (service("s", capacity=Capacity(Intake.ADDITIONAL_ASSESSMENT_REQUIRED)), HIM, None),
        (service("s", capacity=Capacity(Intake.ACCEPTING, places=2)), HIM, None),
    ],
)
def test_each_limit_is_held_against_what_is_known(
    destination: Destination, person: Person, obstacle: tuple[str, bool] | None
) -> None:
    assert _obstacles(destination, person) == ([obstacle] if obstacle else [])


def test_every_reason_is_said_and_none_says_anything_of_the_person() -> None:
    nobody = service("s", minimum_age=40, service_areas=("Eastshire",), status=ServiceStatus.INACTIVE)
    reasons = fitting(nobody, HIM, Places(), NOW)
    assert [each.what for each in reasons] == ["status", "age", "area"]
    assert not [each for each in reasons if "35" in each.says or "Northshire" in each.says]


def test_what_is_known_comes_from_the_facts_and_else_from_what_the_case_remembers() -> None:
    case = somebody()
    assert person_of(rules(), case, {}, NOW) == Person(35, "Northshire", "yes")
    facts: dict[str, FactValue] = {"age": 17, "consent": "no"}
    assert person_of(rules(), case, facts, NOW) == Person(17, "Northshire", "no")
    case.remembered = {}
    assert person_of(rules(), case, {"consent": "none"}, NOW) == Person()


def test_an_area_that_a_human_answered_for_counts_for_all_services_of_that_area() -> None:
    case = somebody()
    case.remembered = {}
    dapp = rules().destinations["dapp"]
    for answered, expected in ((True, []), (False, [("area", True)])):
        person = person_of(rules(), case, {"in_dapp_area": answered, "age": 35}, NOW)
        assert _obstacles(dapp, person) == expected
    assert _obstacles(service("s", service_areas=("Southshire",)), person) == [("area", False)]


def test_a_destination_is_full_by_its_own_word_for_fourteen_days() -> None:
    places = Places()
    [heard] = places.hear("s", ProgressKind.NO_CAPACITY, NOW)
    assert heard.full_until == NOW + FULL_FOR == NOW + timedelta(days=14)
    assert _obstacles(service("s"), HIM, places) == [("capacity", True)]
    assert fitting(service("s"), HIM, places, NOW + FULL_FOR) == ()


@pytest.mark.parametrize("kind", [ProgressKind.ACCEPTED, ProgressKind.STARTED])
def test_a_destination_that_takes_somebody_later_is_no_longer_full(kind: ProgressKind) -> None:
    places = Places()
    places.hear("s", ProgressKind.NO_CAPACITY, NOW - timedelta(days=2))
    assert places.hear("s", kind, NOW - timedelta(days=3)) == [], "it was so before it was full"
    assert _obstacles(service("s"), HIM, places) == [("capacity", True)]
    [heard] = places.hear("s", kind, NOW - timedelta(days=1))
    assert heard.full_until is None
    assert _obstacles(service("s"), HIM, places) == []
    assert places.hear("s", ProgressKind.NO_CAPACITY, NOW - timedelta(days=2)) == [], "an old word, come again"


def test_words_that_say_nothing_of_places_change_nothing() -> None:
    places = Places()
    for kind in set(ProgressKind) - TAKES_AGAIN - {ProgressKind.NO_CAPACITY}:
        assert places.hear("s", kind, NOW) == []


words = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from([ProgressKind.NO_CAPACITY, *TAKES_AGAIN])),
    unique_by=lambda word: word[0],
)


@given(words.flatmap(lambda drawn: st.tuples(st.permutations(drawn), st.permutations(drawn))))
def test_words_in_any_order_leave_the_latest_one(orders: tuple[list[tuple[int, ProgressKind]], ...]) -> None:
    one, other = Places(), Places()
    for places, order in zip((one, other), orders, strict=True):
        for day, kind in order:
            places.hear("s", kind, NOW + timedelta(days=day))
    assert one.heard == other.heard


@pytest.mark.parametrize(("as_of", "full"), [(date(2026, 3, 1), False), (date(2026, 3, 20), True), (None, True)])
def test_a_services_own_word_goes_before_an_older_line_of_the_directory(as_of: date | None, full: bool) -> None:
    listed = service("s", capacity=Capacity(Intake.NO_CAPACITY, as_of=as_of))
    places = Places()
    places.hear("s", ProgressKind.NO_CAPACITY, NOW - timedelta(days=5))
    assert places.full(listed, NOW) is not None
    places.hear("s", ProgressKind.STARTED, NOW)
    assert (places.full(listed, NOW) is not None) is full


def test_who_said_no_once_counts_as_asked_for_every_later_referral() -> None:
    moved = {
        LegStatus.DECLINED: True,
        LegStatus.WITHDRAWN: True,
        LegStatus.NOT_SUITABLE: True,
        LegStatus.NO_CAPACITY: False,
        LegStatus.PROGRAMME_COMPLETE: False,
        LegStatus.ON_PROGRAMME: True,
    }
    for status, counts in moved.items():
        case = somebody(leg_to("s", status=status, occasion="an-older-one"))
        assert (tried(case, "s", "referral") is not None) is counts, status


def test_every_leg_of_the_same_referral_counts_as_asked() -> None:
    for status in LegStatus:
        assert tried(somebody(leg_to("s", status=status)), "s", "referral") is not None
        assert tried(somebody(leg_to("s", status=status, occasion=None)), "s", "referral") is not None
    assert tried(somebody(), "s", "referral") is None


def test_moments_of_being_full_are_days_in_london() -> None:
    places = Places()
    places.hear("s", ProgressKind.NO_CAPACITY, datetime(2026, 3, 20, 23, 30, tzinfo=UTC))
    assert "4 April 2026" in str(places.full(service("s"), NOW))
