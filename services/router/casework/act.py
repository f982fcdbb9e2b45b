"""From a decision to what is done: legs opened or stepped up, commands, offers, questions to humans, timers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.vocabulary import LegStatus, RouteAction, TimerKind
from services.router.casework.case import Case, Leg
from services.router.casework.offers import make_offer
from services.router.casework.reviews import WaitingRoute
from services.router.casework.steps import (
    Command,
    LegMoved,
    LegOpened,
    ReviewAsked,
    ReviewKind,
    Step,
    TimerSet,
)
from services.router.rules.decision import Decision, OfferDecided, Reasons, RouteDecided
from services.router.rules.due import Due, resolve_due
from services.router.rules.language import Role
from services.router.rules.ruleset import Destination, RuleSet

CONFIRM, REFUSE = "confirm", "refuse"  # the answers to a route that waits
NOT_KNOWN = "not_known"  # an answer to a question of fact: it could not be found out, and stays unknown
NEWS_PRIORITY = 3  # of a leg that is opened only because its destination must be told something


@dataclass(frozen=True, slots=True)
class Acting:
    """What acting on one decision needs."""

    case: Case
    rules: RuleSet
    now: datetime
    new_id: Callable[[], str]
    about_leg: str | None = None  # the leg that the event came from
    moments: dict[Due, datetime] = field(default_factory=dict)  # worked out already, for the same `now`
    referral: str | None = None  # the event that legs opened now stem from, where it is a referral
    event_id: str = ""  # of the event that is acted on
    kind: str = ""  # an EventKind's value
    by: str = ""  # who says so: a user of the console, or a source

    def due(self, due: Due) -> datetime:
        """The moment by which something is due."""
        moment = self.moments.get(due)
        if moment is None:
            moment = self.moments[due] = resolve_due(due, self.now, self.rules.calendar)
        return moment


def act(decision: Decision, acting: Acting) -> list[Step]:
    """Do what the decision says. The case is changed; the steps are what to write down and send."""
    steps: list[Step] = []
    for route in decision.routes:
        steps += _route(route, decision, acting)
    for notify in decision.notifies:
        steps += _notify(notify.destination, notify.reasons, acting)
    for offer in decision.offers:
        steps += _offer(offer, acting)
    steps += _questions(decision, acting)
    return steps


def ask(
    acting: Acting,
    kind: ReviewKind,
    question: str,
    *,
    role: str,
    due: Due,
    leg_id: str | None = None,
    fact: str | None = None,
    destination: str | None = None,
    answers: tuple[str, ...] = (),
    waiting: WaitingRoute | None = None,
) -> list[Step]:
    """A question to a human, with the timer that keeps it from being forgotten."""
    asked = ReviewAsked(
        acting.new_id(), kind, question, role, acting.due(due), leg_id, fact, destination, answers, waiting
    )
    return [asked, TimerSet(acting.new_id(), TimerKind.REVIEW, asked.due_at, review_id=asked.id)]


def _route(route: RouteDecided, decision: Decision, acting: Acting) -> list[Step]:
    question = must_be_confirmed(route, decision, acting.rules)
    if question is not None:
        return ask(
            acting,
            ReviewKind.CONFIRM_ROUTE,
            question,
            role="duty_worker",
            due=route.due,
            destination=route.destination,
            answers=(CONFIRM, REFUSE),
            waiting=WaitingRoute(route, acting.due(route.due)),
        )
    return refer(route, acting)


def must_be_confirmed(route: RouteDecided, decision: Decision, rules: RuleSet) -> str | None:
    """What a human is asked before this route is taken; None where it needs nobody's word."""
    destination = rules.destinations[route.destination]
    question = _limit(route, destination, decision)
    if question is None and route.confirm == "human":
        question = f"May this be referred to {destination.label}?"
    return question


def refer(route: RouteDecided, acting: Acting, *, due_at: datetime | None = None) -> list[Step]:
    """Take a route: open the leg, or step up the one that is open. `due_at` is when it was due already, if ever."""
    leg = acting.case.open_leg(route.destination)
    if leg is not None:
        return _step_up(leg, route, acting)
    due = due_at if due_at is not None and due_at > acting.now else acting.due(route.due)
    return _open(route, acting.rules.destinations[route.destination], due, acting)


def _open(route: RouteDecided, destination: Destination, due_at: datetime, acting: Acting) -> list[Step]:
    leg = Leg(
        id=acting.new_id(),
        destination=destination.id,
        status=LegStatus.REQUESTED,
        since=acting.now,
        priority=route.priority,
        due_at=due_at,
        opened_at=acting.now,
        commands=1,
        referral=acting.referral,
    )
    return _begin(leg, RouteAction.REFER, route.reasons, destination, acting)


def _begin(leg: Leg, action: RouteAction, reasons: Reasons, destination: Destination, acting: Acting) -> list[Step]:
    acting.case.legs[leg.id] = leg
    answer_by = acting.due(destination.acknowledge_within)
    return [
        LegOpened(leg, reasons),
        Command(leg, action, 1, reasons),
        TimerSet(acting.new_id(), TimerKind.ACKNOWLEDGEMENT, answer_by, leg_id=leg.id),
    ]


def _step_up(leg: Leg, route: RouteDecided, acting: Acting) -> list[Step]:
    """The leg is open already: its destination hears of what happened, at the higher urgency of the two."""
    due = acting.due(route.due)
    after = replace(
        leg,
        priority=min(leg.priority, route.priority),
        due_at=due if leg.due_at is None or leg.due_at < acting.now else min(leg.due_at, due),
        commands=leg.commands + 1,
    )
    acting.case.legs[leg.id] = after
    return [LegMoved(leg, after, "stepped up"), Command(after, RouteAction.STEP_UP, after.commands, route.reasons)]


def _notify(destination_id: str, reasons: Reasons, acting: Acting) -> list[Step]:
    """Tell a destination. Where it has no leg yet, telling it opens one: news of risk is never dropped."""
    leg = acting.case.open_leg(destination_id)
    destination = acting.rules.destinations[destination_id]
    if leg is None:
        due = acting.due(destination.acknowledge_within)
        leg = Leg(acting.new_id(), destination_id, LegStatus.REQUESTED, acting.now, NEWS_PRIORITY, due, acting.now, 1)
        return _begin(leg, RouteAction.NOTIFY, reasons, destination, acting)
    return tell(leg, reasons, acting)


def tell(leg: Leg, reasons: Reasons, acting: Acting) -> list[Step]:
    """Let the destination of a leg know of something; nothing is asked of it."""
    after = replace(leg, commands=leg.commands + 1)
    acting.case.legs[leg.id] = after
    return [Command(after, RouteAction.NOTIFY, after.commands, reasons)]


def _offer(offer: OfferDecided, acting: Acting) -> list[Step]:
    """Offer a pause; the destination hears of it, for it is there that he is asked."""
    leg = acting.case.open_leg(offer.destination)
    if leg is None:
        return []  # there is nothing that could rest
    if leg.status is LegStatus.ON_HOLD:
        question = "A pause would be offered now, but the leg rests already. Should it rest longer?"
        standard = acting.rules.otherwise.review
        return ask(acting, ReviewKind.RULE, question, role=Role.FACILITATOR, due=standard.due, leg_id=leg.id)
    steps = make_offer(leg, offer, acting)
    return steps + tell(leg, offer.reasons, acting) if steps else []


def _limit(route: RouteDecided, destination: Destination, decision: Decision) -> str | None:
    """Why a human must look before this destination gets an ordinary referral; floors know no limits."""
    if route.tier == "floor":
        return None
    facts = decision.facts.values
    age, area = facts.get("age"), facts.get("area")
    if destination.min_age is not None and isinstance(age, int) and age < destination.min_age:
        return f"{destination.label} takes nobody under {destination.min_age}. Refer elsewhere?"
    if destination.areas is not None and area is not None and area not in destination.areas:
        return f"{destination.label} does not serve this area. Refer elsewhere?"
    if destination.consent_needed and facts.get("consent") != "yes":
        return f"{destination.label} needs consent to share, which is not on record. Has it been given?"
    return None


def _questions(decision: Decision, acting: Acting) -> list[Step]:
    steps: list[Step] = []
    standard = acting.rules.otherwise.review
    for review in decision.reviews:
        steps += ask(
            acting, ReviewKind.RULE, review.question, role=review.role, due=review.due, leg_id=acting.about_leg
        )
    for hold in decision.holds:
        steps += ask(acting, ReviewKind.HOLD, hold.text, role=standard.role, due=hold.due, leg_id=acting.about_leg)
    for resume in decision.resumes:
        leg = acting.case.open_leg(resume.destination)
        label = acting.rules.destinations[resume.destination].label
        steps += ask(
            acting,
            ReviewKind.RESUME,
            f"Should {label} go on?",
            role=standard.role,
            due=standard.due,
            leg_id=leg.id if leg else None,
        )
    for escalation in decision.escalations:
        text = "; ".join(reason.because for reason in escalation.reasons)
        steps += ask(
            acting, ReviewKind.ESCALATION, text, role=escalation.role, due=escalation.due, leg_id=acting.about_leg
        )
    for question in decision.questions:
        steps += ask(
            acting,
            ReviewKind.FACT,
            question.question,
            role=standard.role,
            due=question.due,
            fact=question.fact,
            answers=(*acting.rules.facts[question.fact].answers, NOT_KNOWN),
        )
    return steps
