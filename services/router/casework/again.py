"""An event decided again, once a human has told what was not known of it: only what is new is done."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from schemas.progress import ProgressReported
from schemas.referral import ReferralSubmitted
from services.router.casework.act import Acting, act, ask, refer_as_asked, waiting_routes, waits_already, whom
from services.router.casework.case import Case
from services.router.casework.placing import place
from services.router.casework.steps import DecidedAgain, ReviewAnswered, ReviewKind, Step
from services.router.rules.decide import decide
from services.router.rules.decision import Decision, RouteDecided
from services.router.rules.events import CaseEvent, CaseView, PastEvent
from services.router.rules.facts import answered, facts_of
from services.router.rules.language import FactValue, Json
from services.router.rules.mistakes import ImpossibleValue
from services.router.rules.ruleset import RuleSet

# What tells two items of a part of a decision apart: done once, an item is not done again for the same event.
_NAMED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "offers": ("destination",),
    "resumes": ("destination",),
    "holds": ("text",),
    "reviews": ("question", "role"),
    "notifies": ("destination", "what"),
    "escalations": ("role", "reasons"),  # the same role hears of a new reason
    "questions": ("fact",),
}


@dataclass(slots=True)
class Done:
    """What the decisions on one event led to so far."""

    routed: dict[str, tuple[int, bool]] = field(default_factory=dict)  # by destination: best priority, was it a floor
    withheld: set[str] = field(default_factory=set)
    named: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, said: Mapping[str, Json]) -> None:
        """Take in a decision, as `Decision.to_json` writes it."""
        for route in _items(said, "routes"):
            priority, floor = self.routed.get(str(route["destination"]), (9, False))
            stated = route["priority"]
            assert isinstance(stated, int)
            self.routed[str(route["destination"])] = (min(priority, stated), floor or route["tier"] == "floor")
        self.withheld |= {str(item["destination"]) for item in _items(said, "withheld")}
        for part in _NAMED_BY:
            self.named |= {_name(part, item) for item in _items(said, part)}

    def lacks(self, route: RouteDecided) -> bool:
        """Whether this route was not taken yet, or not as urgently, or not for safety's sake."""
        priority, floor = self.routed.get(route.destination, (9, False))
        return route.priority < priority or (route.tier == "floor" and not floor)


@dataclass(slots=True)
class Original:
    """An event that may be decided again. Changed with each answer, so that the next one knows of it."""

    event_id: str
    event: CaseEvent
    first_decision: str | None
    source: str = ""  # who told of it
    answers: dict[str, str] = field(default_factory=dict)  # by fact, as humans said them
    done: Done = field(default_factory=Done)


def beyond(decision: Decision, done: Done) -> Decision:
    """The part of a decision that was not done yet."""
    said = decision.to_json()
    new: dict[str, tuple[object, ...]] = {"routes": tuple(route for route in decision.routes if done.lacks(route))}
    for part in _NAMED_BY:
        items = zip(getattr(decision, part), _items(said, part), strict=True)
        new[part] = tuple(item for item, plain in items if _name(part, plain) not in done.named)
    return replace(decision, **new)  # type: ignore[arg-type] # the same items, fewer of them


def decide_again(case: Case, original: Original, acting: Acting) -> list[Step]:
    """Decide an event with all that humans answered, on the case as it is now; do what was not done before."""
    rules = acting.rules
    facts = facts_of(rules, original.event, _before(case, original.event), acting.now)
    decision = decide(rules, answered(rules, facts, _values(rules, original.answers)))
    payload = original.event.payload
    about = replace(
        acting,
        about_leg=payload.leg_id if isinstance(payload, ProgressReported) else None,
        referral=original.event_id if isinstance(payload, ReferralSubmitted) else None,
        event_id=original.event_id,
        kind=original.event.kind.value,
        told_by=original.source,
        facts=facts.values,
    )
    steps: list[Step] = [DecidedAgain(acting.new_id(), original.event_id, original.first_decision, decision)]
    waiting = waiting_routes(about)
    taken = set()
    for route in decision.routes:
        review = waits_already(route, waiting, about)
        if review is None:
            continue
        placed = place(route, whom(decision, about), about)
        if placed.question is None:
            there = route._replace(destination=placed.destination.id)
            steps += refer_as_asked(review, there, about, placed.note)
            steps.append(ReviewAnswered(review.id, "rules", "with what is known now, it needs nobody's word"))
            case.reviews[review.id] = replace(review, answered=True)
            taken.add(route.destination)
    new = beyond(decision, original.done)
    new = replace(new, routes=tuple(route for route in new.routes if route.destination not in taken))
    steps += act(new, about)
    steps += _speaks_against(decision, original.done, about)
    original.done.add(decision.to_json())
    return steps


def _speaks_against(decision: Decision, done: Done, acting: Acting) -> list[Step]:
    """What was referred while the fact was unknown, and would now be held back: a human says what becomes of it."""
    steps: list[Step] = []
    standard = acting.rules.otherwise.review
    routed = {route.destination for route in decision.routes}
    for withheld in decision.withheld:
        leg = acting.case.open_leg(withheld.destination)
        known = withheld.destination in done.withheld or withheld.destination not in done.routed
        if leg is None or known or withheld.destination in routed:
            continue
        label = acting.rules.destinations[withheld.destination].label
        question = f"What is known now speaks against {label}, which was referred to already. Should that leg go on?"
        steps += ask(acting, ReviewKind.RULE, question, role=standard.role, due=standard.due, leg_id=leg.id)
    return steps


def _values(rules: RuleSet, answers: Mapping[str, str]) -> dict[str, FactValue]:
    """What humans answered, as the rules in force read it; what they no longer know of cannot weigh any more."""
    values: dict[str, FactValue] = {}
    for name, said in answers.items():
        fact = rules.facts.get(name)
        if fact is not None:
            with suppress(ImpossibleValue):
                values[name] = fact.value_said(said)
    return values


def _before(case: Case, event: CaseEvent) -> CaseView:
    """The case without the event itself, which is not to be counted twice."""
    view = case.view()
    others = list(view.events)
    itself = PastEvent(event.kind.value, event.occurred_at)
    if itself in others:
        others.remove(itself)
    return CaseView(view.legs, others, view.remembered)


def _items(said: Mapping[str, Json], part: str) -> list[dict[str, Json]]:
    items = said.get(part, [])
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _name(part: str, item: Mapping[str, Json]) -> tuple[str, ...]:
    return (part, *(str(item[name]) for name in _NAMED_BY[part]))
