"""From a decision to what is done: legs opened or stepped up, commands, offers, questions to humans, timers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.vocabulary import ConsentToShare, LegStatus, RouteAction
from services.router.casework.case import Case, Leg
from services.router.casework.fitting import Candidate, Person, Seeking, alternatives, fitting, person_of
from services.router.casework.places import Places
from services.router.casework.steps import (
    Command,
    LegMoved,
    LegOpened,
    PauseOffered,
    ReviewAsked,
    ReviewKind,
    Step,
    TimerKind,
    TimerSet,
)
from services.router.rules.decision import Decision, Reasons, RouteDecided
from services.router.rules.due import Due, resolve_due
from services.router.rules.language import FactValue
from services.router.rules.ruleset import Destination, RuleSet

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
    event_id: str | None = None  # the event that is acted on
    facts: Mapping[str, FactValue] = field(default_factory=dict)  # as they are now
    places: Places = field(default_factory=Places)  # what destinations said of theirs

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
        leg = acting.case.open_leg(offer.destination)
        if leg is not None:
            steps.append(PauseOffered(acting.new_id(), leg.id, offer.for_days, offer.welfare_check_days))
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
) -> list[Step]:
    """A question to a human, with the timer that keeps it from being forgotten."""
    asked = ReviewAsked(acting.new_id(), kind, question, role, acting.due(due), leg_id, fact, destination)
    return [asked, TimerSet(acting.new_id(), TimerKind.REVIEW, asked.due_at, review_id=asked.id)]


def _route(route: RouteDecided, decision: Decision, acting: Acting) -> list[Step]:
    destination = acting.rules.destinations[route.destination]
    person = person_of(acting.rules, acting.case, decision.facts.values, acting.now)
    legs = open_legs(destination, acting)
    if legs and not (route.tier == "ordinary" and destination.voluntary and person.consent == ConsentToShare.NO):
        return [step for leg in legs for step in _step_up(leg, route, acting)]
    chosen, question, note = destination, None, ""
    if route.tier != "floor":  # floors know no limits
        chosen, question, note = _limit(destination, person, acting)
    if question is None and route.confirm == "human":
        question = " ".join(filter(None, [note, f"May this be referred to {chosen.label}?"]))
    if question is not None:
        return ask(acting, ReviewKind.CONFIRM_ROUTE, question, role="duty_worker", due=route.due, destination=chosen.id)
    return _open(route, chosen, acting, note)


def open_legs(destination: Destination, acting: Acting) -> list[Leg]:
    """The open legs that do this destination's job: its own, and those that were opened in its stead."""
    known = acting.rules.destinations
    return [
        leg
        for leg in acting.case.legs.values()
        if not leg.closed and leg.destination in known and known[leg.destination].serves == destination.serves
    ]


def _open(route: RouteDecided, destination: Destination, acting: Acting, note: str = "") -> list[Step]:
    leg = Leg(
        id=acting.new_id(),
        destination=destination.id,
        status=LegStatus.REQUESTED,
        since=acting.now,
        priority=route.priority,
        due_at=acting.due(route.due),
        opened_at=acting.now,
        commands=1,
        referral=acting.case.referral_event,
        opened_by=acting.event_id,
    )
    return begin(leg, RouteAction.REFER, route.reasons, destination, acting, note)


def begin(
    leg: Leg, action: RouteAction, reasons: Reasons, destination: Destination, acting: Acting, note: str = ""
) -> list[Step]:
    """Open a leg: it joins the case, its destination is told, and its answer is watched for."""
    acting.case.legs[leg.id] = leg
    return [LegOpened(leg, reasons, note), Command(leg, action, 1, reasons), watch(leg, destination, acting)]


def watch(leg: Leg, destination: Destination, acting: Acting) -> Step:
    """The promise to look whether a destination has answered."""
    answer_by = acting.due(destination.acknowledge_within)
    return TimerSet(acting.new_id(), TimerKind.ACKNOWLEDGEMENT, answer_by, leg_id=leg.id)


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
    destination = acting.rules.destinations[destination_id]
    legs = open_legs(destination, acting)
    if not legs:
        leg = Leg(
            id=acting.new_id(),
            destination=destination_id,
            status=LegStatus.REQUESTED,
            since=acting.now,
            priority=NEWS_PRIORITY,
            due_at=acting.due(destination.acknowledge_within),
            opened_at=acting.now,
            commands=1,
            referral=acting.case.referral_event,
            opened_by=acting.event_id,
        )
        return begin(leg, RouteAction.NOTIFY, reasons, destination, acting)
    told: list[Step] = []
    for leg in legs:
        after = replace(leg, commands=leg.commands + 1)
        acting.case.legs[leg.id] = after
        told.append(Command(after, RouteAction.NOTIFY, after.commands, reasons))
    return told


def _limit(destination: Destination, person: Person, acting: Acting) -> tuple[Destination, str | None, str]:
    """Who gets an ordinary referral, why a human must look before, and what is to be remembered of it.

    Where another destination surely fits and this one surely does not, that one gets it at once.
    """
    obstacles = fitting(destination, person, acting.places, acting.now)
    if not obstacles:
        return destination, None, ""
    case = acting.case
    seeking = Seeking(case, acting.rules, person, acting.places, acting.now, case.referral_event)
    others = alternatives(destination, seeking, first=destination.instead)
    if not others and acting.places.learned(destination, acting.now):
        # Nobody else does its job: it is asked again, for a place may have come free.
        obstacles = tuple(each for each in obstacles if each.what != "capacity")
        if not obstacles:
            return destination, None, ""
    here = str(Candidate(destination, obstacles))
    refused = any(each.what == "consent" and each.certain for each in obstacles)
    if not refused and any(each.certain for each in obstacles):
        chosen = next((each for each in others if not each.obstacles), None)
        if chosen is not None:
            passed = [here, *(str(each) for each in others[: others.index(chosen)])]
            return chosen.destination, None, f"Instead of {', '.join(passed)}."
    beside = f" Others: {', '.join(map(str, others))}." if others else ""
    return destination, f"{here}.{beside} Refer there all the same, or elsewhere?", ""


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
            acting, ReviewKind.FACT, question.question, role=standard.role, due=question.due, fact=question.fact
        )
    return steps
