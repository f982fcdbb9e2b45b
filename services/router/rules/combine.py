"""From the set of rules that hold to one outcome. Depends on the set, never on the order.

Per destination the best priority and the earliest due; `withhold` takes back what ordinary rules ask for and never a
floor; a pause and a resume of one leg at once go to a human; a hold stands beside the routes and delays none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, TypeVar, cast

from services.router.rules.decision import (
    EscalationDecided,
    HoldDecided,
    Matched,
    NotifyDecided,
    OfferDecided,
    Outcome,
    Reason,
    Reasons,
    Recorded,
    ResumeDecided,
    ReviewDecided,
    RouteDecided,
    Withheld,
)
from services.router.rules.due import Due, sooner
from services.router.rules.language import (
    Action,
    Escalate,
    Hold,
    Notify,
    OfferPause,
    Otherwise,
    ProposeResume,
    Record,
    Review,
    Route,
    Rule,
    Withhold,
    facts_in,
)


class Combined:
    """What the rules so far ask for, by what makes two wishes the same wish. The reasons stand last in each part."""

    def __init__(self) -> None:  # by hand: a dataclass takes five times as long to make so many empty parts
        self.floors: dict[str, RouteDecided] = {}
        self.ordinary: dict[str, RouteDecided] = {}
        self.withholders: dict[str, tuple[Reason, ...]] = {}
        self.offers: dict[str, OfferDecided] = {}
        self.resumes: dict[str, ResumeDecided] = {}
        self.holds: dict[str, HoldDecided] = {}
        self.reviews: dict[tuple[str, str], ReviewDecided] = {}
        self.notifies: dict[tuple[str, str], NotifyDecided] = {}
        self.escalations: dict[str, EscalationDecided] = {}
        self.records: dict[str, Recorded] = {}
        self.routes: dict[str, RouteDecided] = {}  # once settled
        self.withheld: list[Withheld] = []  # once settled
        self._ordered: Outcome | None = None  # once somebody asked

    def outcome(self) -> Outcome:
        """All of it in order, once settled: put in order once, for the same set of rules holds again and again."""
        if self._ordered is None:
            self._ordered = self._in_order()
        return self._ordered

    def _in_order(self) -> Outcome:
        return Outcome(
            routes=in_order(self.routes),
            offers=in_order(self.offers),
            resumes=in_order(self.resumes),
            holds=in_order(self.holds),
            reviews=in_order(self.reviews),
            notifies=in_order(self.notifies),
            escalations=in_order(self.escalations),
            records=in_order(self.records),
            withheld=tuple(sorted(self.withheld)),
        )

    def effects(self) -> tuple[object, ...]:
        """What would be done, without the reasons: two outcomes with equal effects do the same."""
        parts = (self.routes, self.offers, self.resumes, self.holds, self.reviews, self.notifies, self.escalations)
        return (*(_without_reasons(part) for part in parts), self.records.keys())

    def does_something(self) -> bool:
        """Is anything done, put to a human, or rightly left alone? What was only held back is none of these."""
        done = self.routes or self.offers or self.resumes or self.holds or self.reviews or self.notifies
        return bool(done or self.escalations or (self.records and not self.withheld))


class Wish(NamedTuple):
    """One thing that a rule asks for: in which part of the outcome, and how it goes together with another's."""

    part: str
    key: object
    item: tuple[object, ...]
    both: Callable[[tuple[object, ...], tuple[object, ...]], tuple[object, ...]]


class Wishes(NamedTuple):
    """All that one rule asks for; worked out once a rule set."""

    rule: Rule
    wishes: tuple[Wish, ...]
    withholds: tuple[str, ...]
    reason: Reason
    reads: tuple[str, ...]  # the facts that its condition tests
    explained: dict[tuple[object, ...], Matched]  # why it held, by what those were: mostly it was so before


def wishes_of(rule: Rule) -> Wishes:
    """What a rule asks for where it holds."""
    reason = Reason(rule.id, rule.because)
    wishes = tuple(_wish(action, rule, (reason,)) for action in rule.then if not isinstance(action, Withhold))
    withholds = (action.destinations for action in rule.then if isinstance(action, Withhold))
    held_back = tuple(sorted({name for names in withholds for name in names}))
    return Wishes(rule, wishes, held_back, reason, facts_in(rule.when), {})


def combine(certain: Iterable[Wishes], acted: Iterable[Wishes], otherwise: Otherwise) -> Combined:
    """The outcome of the rules that certainly hold and of the floors that are acted on although a fact is unknown.

    What such a floor would withhold is not withheld: an unknown withholder withholds nothing.
    """
    combined = Combined()
    for asks in certain:
        _add(combined, asks.wishes)
        for destination in asks.withholds:
            combined.withholders[destination] = _joined(combined.withholders.get(destination, ()), (asks.reason,))
    for asks in acted:
        _add(combined, asks.wishes)
    _settle_routes(combined)
    _settle_contradictions(combined, otherwise)
    return combined


def _add(combined: Combined, wishes: Iterable[Wish]) -> None:
    for part, key, item, both in wishes:
        into = getattr(combined, part)
        there = into.get(key)
        into[key] = item if there is None else both(there, item)


@lru_cache(maxsize=1024)
def _shared(due: Due) -> Due:
    """One object for all equal due times: most are, and that they are is then seen at a glance."""
    return due


def _wish(action: Action, rule: Rule, why: Reasons) -> Wish:
    match action:
        case Route(destination, priority, due, confirm):
            due = _shared(due)
            part = "floors" if rule.tier == "floor" else "ordinary"
            made = RouteDecided(destination, priority, due, rule.tier, confirm, why)
            return _typed(part, destination, made, _both_routes)
        case OfferPause(destination, for_days, check_days, within):
            made_offer = OfferDecided(destination, for_days, check_days, within, why)
            return _typed("offers", destination, made_offer, _both_offers)
        case ProposeResume(destination):
            return _typed("resumes", destination, ResumeDecided(destination, why), _both_reasons)
        case Hold(text, due):
            return _typed("holds", text, HoldDecided(text, due, why), _both_dues)
        case Review(question, role, due):
            return _typed("reviews", (question, role), ReviewDecided(question, role, due, why), _both_dues)
        case Notify(destination, what):
            return _typed("notifies", (destination, what), NotifyDecided(destination, what, why), _both_reasons)
        case Escalate(role, due):
            return _typed("escalations", role, EscalationDecided(role, due, why), _both_dues)
        case Record(text):
            return _typed("records", text, Recorded(text, why), _both_reasons)
        case Withhold():
            raise TypeError("to withhold is no wish")


def _settle_routes(combined: Combined) -> None:
    combined.routes.update(combined.floors)
    if not combined.withholders and combined.floors.keys().isdisjoint(combined.ordinary):
        combined.routes.update(combined.ordinary)
        return
    for destination, route in combined.ordinary.items():
        held_back_by = combined.withholders.get(destination)
        if held_back_by is None:
            _merge(combined.routes, destination, route, _both_routes)
        else:
            combined.withheld.append(Withheld(destination, route.priority, held_back_by, route.reasons))


def _settle_contradictions(combined: Combined, otherwise: Otherwise) -> None:
    for destination in combined.offers.keys() & combined.resumes.keys():
        offer, resume = combined.offers.pop(destination), combined.resumes.pop(destination)
        question = otherwise.contradiction.replace("{destination}", destination)
        review = otherwise.review
        asked = ReviewDecided(question, review.role, review.due, _joined(offer.reasons, resume.reasons))
        _merge(combined.reviews, (question, review.role), asked, _both_dues)


K = TypeVar("K")
V = TypeVar("V")


def in_order(part: Mapping[K, V]) -> tuple[V, ...]:
    """The items by key."""
    return tuple([item for _, item in sorted(part.items(), key=_key)])


def _key(entry: tuple[object, object]) -> str:
    return str(entry[0])


WithDue = TypeVar("WithDue", HoldDecided, ReviewDecided, EscalationDecided)
WithReasons = TypeVar("WithReasons", ResumeDecided, NotifyDecided, Recorded)


def _merge(into: dict[K, V], key: K, new: V, both: Callable[[V, V], V]) -> None:
    there = into.get(key)
    into[key] = new if there is None else both(there, new)


def _both_routes(one: RouteDecided, other: RouteDecided) -> RouteDecided:
    destination, priority, due, tier, confirm, reasons = one  # quicker than each by its name, and most merges are these
    _, other_priority, other_due, other_tier, other_confirm, other_reasons = other
    return RouteDecided(
        destination,
        min(priority, other_priority),
        due if due is other_due else sooner(due, other_due),
        tier if tier == "floor" else other_tier,
        # A rule that sends at once would have sent at once without the other: more rules never delay a route.
        confirm and other_confirm,
        _joined(reasons, other_reasons),
    )


def _both_offers(one: OfferDecided, other: OfferDecided) -> OfferDecided:
    return OfferDecided(
        one.destination,
        max(one.for_days, other.for_days),
        min(one.welfare_check_days, other.welfare_check_days),
        sooner(one.answer_within, other.answer_within),
        _joined(one.reasons, other.reasons),
    )


def _both_dues(one: WithDue, other: WithDue) -> WithDue:
    # In each of them the due and the reasons stand last; `_replace` takes thrice as long.
    return type(one)._make((*one[:-2], sooner(one.due, other.due), _joined(one.reasons, other.reasons)))


def _both_reasons(one: WithReasons, other: WithReasons) -> WithReasons:
    return one._replace(reasons=_joined(one.reasons, other.reasons))


def _joined(one: Reasons, other: Reasons) -> Reasons:
    """Both rules' reasons, each once, by rule. Rules mostly come in that order already."""
    if not one or (other and one[-1] < other[0]):
        return one + other
    return tuple(sorted({*one, *other}))


def _typed(part: str, key: object, item: V, both: Callable[[V, V], V]) -> Wish:
    """A wish whose item and whose way to go together are of one type; past this point only their part knows which."""
    return Wish(part, key, cast("tuple[object, ...]", item), cast("Callable[..., tuple[object, ...]]", both))


def _without_reasons(part: object) -> dict[object, object]:
    return {key: item[:-1] for key, item in cast("dict[object, tuple[object, ...]]", part).items()}
