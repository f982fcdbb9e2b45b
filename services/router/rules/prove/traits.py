"""Topics and their traits: all there is to say of an outcome, so that two are equal where every trait is.

A topic is one thing that can be done (the route to one destination, one hold). Its traits say whether it is done, how
urgently and how. Traits of due times are thresholds, since the earliest due of all rules counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from services.router.rules.decision import (
    DUE_PARTS,
    EscalationDecided,
    HoldDecided,
    OfferDecided,
    ReviewDecided,
    RouteDecided,
)
from services.router.rules.due import Due
from services.router.rules.prove.circuit import Formula
from services.router.rules.prove.outcome import Item, Outcomes, Which
from services.router.rules.prove.world import World

ROUTE, WITHHELD, PAUSE, REVIEW = "route", "withheld", "pause", "review"
TOPIC_OF: Final = {
    "floors": ROUTE,
    "ordinary": ROUTE,
    "offers": PAUSE,
    "resumes": PAUSE,
    "reviews": REVIEW,
    "holds": "hold",
    "notifies": "notify",
    "escalations": "escalate",
    "records": "record",
}
PART_OF: Final = {topic: part for part, topic in TOPIC_OF.items() if topic not in (ROUTE, PAUSE, REVIEW)}


class Topic(NamedTuple):
    """One thing that can be done: of which sort, and which of that sort."""

    sort: str
    key: object


class Trait(NamedTuple):
    """One thing that can be said of a topic, and where it is so. More of `rising` is more, sooner or more urgent."""

    name: str  # done, priority, hours, working_days, working_hours, floor, at once, days, checks, resume, clash
    level: int  # of thresholds
    so: Formula


def topics_of(outcomes: Outcomes, place: int) -> list[Topic]:
    """What a rule has a say in. What it holds back is a topic of its own, which no question turns on."""
    wishes = outcomes.rules.wishes[place]
    topics = [Topic(TOPIC_OF[wish.part], wish.key) for wish in wishes.wishes]
    withheld = [Topic(ROUTE, destination) for destination in wishes.withholds]
    met = [outcomes.clash_review(str(key)) for sort, key in topics if sort == PAUSE and key in outcomes.both_ways]
    reviews = [Topic(REVIEW, (item.question, item.role)) for item in met]
    found = list(dict.fromkeys([*topics, *reviews, *withheld]))
    return [*found, *(Topic(WITHHELD, topic.key) for topic in found if topic.sort == ROUTE)]


def topics_in(outcomes: Outcomes) -> list[Topic]:
    """Every topic of a rule set, in order."""
    found = {topic for place in range(len(outcomes.rules.rules)) for topic in topics_of(outcomes, place)}
    return sorted(found, key=lambda topic: (topic.sort, str(topic.key)))


def traits_of(outcomes: Outcomes, world: World, topic: Topic, levels: Iterable[Outcomes] = ()) -> list[Trait]:
    """All there is to say of a topic in a world; with the thresholds of other rule sets too, where two are compared."""
    those = (outcomes, *levels)
    match topic.sort:
        case "route":
            return _route(outcomes, world, str(topic.key), _items(those, ("floors", "ordinary"), topic.key))
        case "withheld":
            destination = str(topic.key)
            items = _items(those, ("ordinary",), destination)
            return [
                Trait("priority", level, outcomes.held_back(world, destination, which))
                for level, which in _priorities(items)
            ]
        case "pause":
            return _pause(outcomes, world, str(topic.key), those)
        case "review":
            items = [*_items(those, ("reviews",), topic.key), *_clash_reviews(those, topic.key)]
            return [
                Trait(name, level, outcomes.reviewed(world, topic.key, which)) for name, level, which in _dues(items)
            ]
    part = PART_OF[topic.sort]
    items = _items(those, (part,), topic.key)
    return [Trait(name, level, outcomes.wanted(world, part, topic.key, which)) for name, level, which in _dues(items)]


def changed_by(
    outcomes: Outcomes, topics: Iterable[Topic], one: World, other: World, *, also_held_back: bool
) -> Formula:
    """Some trait of these topics is otherwise in the other world."""
    return outcomes.circuit.some(
        outcomes.circuit.differ(before.so, after.so)
        for topic in topics
        if also_held_back or topic.sort != WITHHELD
        for before, after in zip(traits_of(outcomes, one, topic), traits_of(outcomes, other, topic), strict=True)
    )


def _route(outcomes: Outcomes, world: World, destination: str, items: list[Item]) -> list[Trait]:
    found = [
        Trait("priority", level, outcomes.routed(world, destination, which)) for level, which in _priorities(items)
    ]
    found += [
        Trait(name, level, outcomes.routed(world, destination, which))
        for name, level, which in _dues(items)
        if name != "done"
    ]
    found.append(Trait("floor", 0, outcomes.wanted(world, "floors", destination)))
    if any(isinstance(item, RouteDecided) and item.confirm for item in items):
        found.append(Trait("at once", 0, outcomes.routed(world, destination, sent_at_once)))
    return [Trait("done", 0, outcomes.routed(world, destination)), *found]


def _pause(outcomes: Outcomes, world: World, destination: str, those: Iterable[Outcomes]) -> list[Trait]:
    offers = [item for item in _items(those, ("offers",), destination) if isinstance(item, OfferDecided)]
    found = [Trait("done", 0, outcomes.offered(world, destination))]
    lengths, checks = ({offer.for_days for offer in offers}, {offer.welfare_check_days for offer in offers})
    found += [Trait("days", n, outcomes.offered(world, destination, _as_long(n))) for n in sorted(lengths)]
    found += [Trait("checks", n, outcomes.offered(world, destination, _as_often(n))) for n in sorted(checks)]
    found += [
        Trait(name, level, outcomes.offered(world, destination, which))
        for name, level, which in _dues(offers)
        if name != "done"
    ]
    found.append(Trait("resume", 0, outcomes.resumed(world, destination)))
    found.append(Trait("clash", 0, outcomes.clash(world, destination)))
    return found


def _items(those: Iterable[Outcomes], parts: Iterable[str], key: object) -> list[Item]:
    return [item for each in those for part in parts for _, item in each.asked_for.get((part, key), ())]


def _clash_reviews(those: Iterable[Outcomes], key: object) -> Iterator[Item]:
    for each in those:
        for destination in each.both_ways:
            item = each.clash_review(destination)
            if (item.question, item.role) == key:
                yield item


def _priorities(items: Iterable[Item]) -> list[tuple[int, Which]]:
    levels = sorted({item.priority for item in items if isinstance(item, RouteDecided)})
    return [(level, as_urgent(level)) for level in levels]


def _dues(items: Iterable[Item]) -> Iterator[tuple[str, int, Which]]:
    """It is done at all; and by each due time that some rule names."""
    yield "done", 0, _any
    dues = {due for item in items if (due := due_in(item)) is not None}
    for name in DUE_PARTS:
        for level in sorted({number for due in dues if (number := getattr(due, name)) is not None}):
            yield name, level, _as_soon(name, level)


def due_in(item: Item) -> Due | None:
    """The due time of a part of a decision, where it has one."""
    match item:
        case RouteDecided() | HoldDecided() | ReviewDecided() | EscalationDecided():
            return item.due
        case OfferDecided():
            return item.answer_within
    return None


def as_urgent(priority: int) -> Which:
    """A route of this priority or a more urgent one."""
    return lambda item: isinstance(item, RouteDecided) and item.priority <= priority


def sent_at_once(item: Item) -> bool:
    """A route that waits for nobody."""
    return isinstance(item, RouteDecided) and item.confirm is None


def _any(item: Item) -> bool:
    return item is not None


def _as_long(days: int) -> Which:
    return lambda item: isinstance(item, OfferDecided) and item.for_days >= days


def _as_often(days: int) -> Which:
    return lambda item: isinstance(item, OfferDecided) and item.welfare_check_days <= days


def _as_soon(name: str, level: int) -> Which:
    def which(item: Item) -> bool:
        number = getattr(due_in(item), name, None)
        return number is not None and number <= level

    return which
