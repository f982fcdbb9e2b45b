"""What the directory says of services: whom they take, who does whose job, and every mistake in it with its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from services.router.rules.directory import Capacity, Intake, ServiceStatus
from tests.unit.router.rules.small_rule_set import FILES, destination, load, mistakes_in


def _directory(rehab: str = "", safety: str = "", addiction: str = "") -> dict[str, str | None]:
    """The small directory with more said of some; what is said of `rehab` begins in line 12."""
    return {
        "destinations.yaml": "destinations:"
        + destination("rehab", extra=_lines(rehab))
        + destination("addiction", extra=_lines(addiction))
        + destination("dapp", extra="    service_areas: [North, South]\n")
        + destination("victim_safety", side="other_party", share="victim", extra=_lines(safety))
    }


def _lines(said: str) -> str:
    return "".join(f"    {line}\n" for line in said.splitlines())


MISTAKES = {
    "status: inactiv": "12:13: 'inactiv' is not a value of status; did you mean 'inactive'?",
    "capacity: acepting": "12:15: 'acepting' is not a value of capacity; did you mean 'accepting'?",
    "capacity: {places: 2}": "12:15: capacity needs 'intake'",
    "capacity: {intake: no_capacity, places: 2}": "12:15: places: 2 and intake: no_capacity contradict each other",
    "capacity: {intake: accepting, places: 0}": "12:15: places: 0 and intake: accepting contradict each other",
    "capacity: {intake: waitlist, as_off: 2026-03-01}": "12:34: capacity has no 'as_off'; did you mean 'as_of'?",
    "capacity: {intake: waitlist, as_of: March}": "12:41: as_of is a day such as 2026-12-24, got str 'March'",
    "minimal_age: 18": "12:5: rehab has no 'minimal_age'; did you mean 'minimum_age'?",
    "minimum_age: 18\nmaximum_age: 17": "13:18: maximum_age is below minimum_age 18: nobody could ever be taken",
    "maximum_age: old": "12:18: maximum_age is a whole number, got str 'old'",
    "service_areas: North": "12:20: service_areas is a list, got str 'North'",
    "serves: adiction": "12:13: nobody else serves 'adiction'; did you mean 'addiction'?",
    "serves: Help": "12:13: 'Help' is no name for a kind of need: small letters, digits, _ and - between them",
    "serves: [help]": "12:13: serves is the name of a kind of need",
    "instead: [adiction]": "12:15: no destination 'adiction'; did you mean 'addiction'?",
    "instead: [addiction]": "12:15: 'addiction' does not serve 'rehab'",
    "instead: [rehab]": "12:15: 'rehab' cannot stand in for itself",
    "serves: addiction\ninstead: [addiction, addiction]": "13:26: 'addiction' stands here twice",
}


@pytest.mark.parametrize(("said", "mistake"), MISTAKES.items())
def test_a_mistake_is_said_with_its_place_and_the_nearest_name(said: str, mistake: str, tmp_path: Path) -> None:
    assert mistakes_in(tmp_path, _directory(said)) == [f"destinations.yaml:{mistake}"]


def test_nobody_of_the_other_side_may_stand_in(tmp_path: Path) -> None:
    [mistake] = mistakes_in(tmp_path, _directory("serves: safety", safety="serves: safety"))
    assert mistake == (
        "destinations.yaml:47:13: 'victim_safety' and 'rehab' serve 'safety' on two sides; "
        "neither may stand in for the other"
    )


def test_no_source_speaks_for_both_sides(tmp_path: Path) -> None:
    said = str(_directory()["destinations.yaml"]).replace("source: victim-safety", "source: dapp")
    [mistake] = mistakes_in(tmp_path, {"destinations.yaml": said})
    assert mistake == (
        "destinations.yaml:30:13: 'victim_safety' and 'dapp' speak as 'dapp' on two sides; "
        "what one side told could not be told from the other's: name two sources"
    )


@pytest.mark.parametrize("source", ["rehab", "marac"])
def test_one_source_may_speak_for_several_services_of_a_side(source: str, tmp_path: Path) -> None:
    panel = destination("marac", side="panel").replace("source: marac", f"source: {source}")
    said = str(_directory()["destinations.yaml"]).replace("source: addiction", "source: rehab") + panel
    assert load(tmp_path, {"destinations.yaml": said}).her_sources == {"victim-safety"}


def test_what_is_said_is_kept_and_what_is_not_said_limits_nobody(tmp_path: Path) -> None:
    said = """\
serves: addiction
instead: [addiction]
status: inactive
capacity: {intake: waitlist, places: 3, as_of: 2026-03-01}
minimum_age: 18
maximum_age: 65
service_areas: [South, North]
eligibility_description: After detoxification.
wait_time: Three weeks.
application_process: By Onward."""
    known = load(tmp_path, _directory(said)).destinations
    rehab, addiction = known["rehab"], known["addiction"]
    assert (rehab.serves, rehab.instead, rehab.status) == ("addiction", ("addiction",), ServiceStatus.INACTIVE)
    assert rehab.capacity == Capacity(Intake.WAITLIST, 3, date(2026, 3, 1))
    assert (rehab.minimum_age, rehab.maximum_age, rehab.service_areas) == (18, 65, ("North", "South"))
    assert (rehab.eligibility_description, rehab.wait_time) == ("After detoxification.", "Three weeks.")
    assert rehab.application_process == "By Onward."
    assert (addiction.serves, addiction.instead, addiction.status) == ("addiction", (), ServiceStatus.ACTIVE)
    assert (addiction.minimum_age, addiction.maximum_age, addiction.service_areas) == (None, None, None)
    assert addiction.capacity is None


def test_the_order_of_preference_is_part_of_the_meaning(tmp_path: Path) -> None:
    three = FILES["destinations.yaml"] + destination("third", extra="    serves: addiction\n")
    three = three.replace("  rehab:\n", "  rehab:\n    serves: addiction\n")
    digests = {
        load(
            tmp_path, {"destinations.yaml": three.replace("  addiction:\n", f"  addiction:\n    instead: {order}\n")}
        ).digest
        for order in ("[rehab, third]", "[third, rehab]")
    }
    assert len(digests) == 2
