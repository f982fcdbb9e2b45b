"""What `destinations.yaml` says of who can do whose job, and of free places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as Names

from services.router.rules.directory import Capacity, Intake
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.tree import Mapping, Node, Scalar
from services.router.rules.mistakes import did_you_mean
from services.router.rules.ruleset import Destination

_MOST_PLACES = 100_000


def read_capacity(desk: Desk, node: Node | None) -> Capacity | None:
    """`capacity: waitlist`, or a mapping that also says how many places, and when that was true."""
    if node is None:
        return None
    if isinstance(node, Scalar):
        intake = desk.word(node, "capacity", Intake)
        return None if intake is None else Capacity(intake)
    said = desk.mapping(node, "capacity", ("intake", "places", "as_of"), needs=("intake",))
    intake = desk.word(said.get("intake"), "intake", Intake) if said else None
    if said is None or intake is None:
        return None
    places = desk.number(said.get("places"), "places", 0, _MOST_PLACES)
    if (places == 0 and intake is Intake.ACCEPTING) or (places and intake is Intake.NO_CAPACITY):
        desk.note(node.at, f"places: {places} and intake: {intake} contradict each other")
    return Capacity(intake, places, desk.day(said.get("as_of"), "as_of"))


def check_alternatives(desk: Desk, found: Names[str, Destination], places: Names[str, Mapping]) -> None:
    """Destinations that serve one need can stand in for each other, so they are on one side."""
    for name, said in places.items():
        destination = found[name]
        _check_ages(desk, destination, said)
        _check_need(desk, destination, said, found)
        _check_instead(desk, destination, said, found)


def _check_ages(desk: Desk, destination: Destination, said: Mapping) -> None:
    youngest, oldest, node = destination.minimum_age, destination.maximum_age, said.get("maximum_age")
    if node is not None and youngest is not None and oldest is not None and oldest < youngest:
        desk.note(node.at, f"maximum_age is below minimum_age {youngest}: nobody could ever be taken")


def _check_need(desk: Desk, destination: Destination, said: Mapping, found: Names[str, Destination]) -> None:
    node = said.get("serves")
    if node is None:
        return
    if not isinstance(node, Scalar):
        desk.note(node.at, "serves is the name of a kind of need")
        return
    counted = Counter(each.serves for each in found.values())
    others = [need for need, number in counted.items() if need != node.text and number >= counted[node.text]]
    if counted[node.text] == 1 and (near := did_you_mean(node.text, others)):
        desk.note(node.at, f"nobody else serves {node.text!r}{near}")
    first = next(each for each in found.values() if each.serves == node.text)
    if first.side != destination.side:
        desk.note(
            node.at,
            f"{destination.id!r} and {first.id!r} serve {node.text!r} on two sides; neither may stand in for the other",
        )


def _check_instead(desk: Desk, destination: Destination, said: Mapping, found: Names[str, Destination]) -> None:
    seen: set[str] = set()
    for item in desk.items(said.get("instead"), "instead"):
        if not isinstance(item, Scalar):
            desk.note(item.at, "instead is a list of destinations")
        elif item.text in seen:
            desk.note(item.at, f"{item.text!r} stands here twice")
        elif item.text not in found:
            desk.note(item.at, f"no destination {item.text!r}{did_you_mean(item.text, found)}")
        elif item.text == destination.id:
            desk.note(item.at, f"{item.text!r} cannot stand in for itself")
        elif found[item.text].serves != destination.serves:
            desk.note(item.at, f"{item.text!r} does not serve {destination.serves!r}")
        seen.add(item.text if isinstance(item, Scalar) else "")
