"""From a decision to what is done: legs opened or stepped up, commands, offers, questions to humans, timers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.vocabulary import LegStatus, RouteAction, TimerKind
from services.router.casework.case import Case, Leg
from services.router.casework.enter import enter
from services.router.casework.fitting import Person, person_of
from services.router.casework.offers import make_offer
from services.router.casework.places import Places
from services.router.casework.placing import (
    Placed,
    comes_back_on_her,
    is_refused,
    may_hear,
    place,
    told_by_her,
)
from services.router.casework.reviews import Review, WaitingRoute
from services.router.casework.steps import (
    Command,
    LegMoved,
    LegOpened,
    ReviewAsked,
    ReviewKind,
    RouteRaised,
    Step,
    TimerCancelled,
    TimerSet,
)
from services.router.rules.decision import Decision, OfferDecided, Reasons, ResumeDecided, RouteDecided
from services.router.rules.due import Due, resolve_due, sooner
from services.router.rules.events import EventKind, tells
from services.router.rules.language import FactValue, Role
from services.router.rules.ruleset import Destination, RuleSet

CONFIRM, REFUSE = "confirm", "refuse"  # the answers to a route that waits
NOT_KNOWN = "not_known"  # an answer to a question of fact: it could not be found out, and stays unknown
NEWS_PRIORITY = 3  # of a leg that is opened only because its destination must be told something


@dataclass(slots=True)  # not frozen: of so many fields that takes four times as long to make, for every event
class Acting:
    """What acting on one decision needs. Whoever needs it otherwise makes another one."""

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
    told_by: str = ""  # the source of the event that is acted on
    facts: Mapping[str, FactValue] = field(default_factory=dict)  # as they are now
    places: Places = field(default_factory=Places)  # what destinations said of theirs
    read_waiting: Callable[[], None] = lambda: None  # gives the case its routes that wait for a word, once asked for

    @property
    def news(self) -> str | None:
        """The event that is acted on, where it tells of him, and not of how far a destination is with him."""
        told = tells(self.kind) and not self.kind.startswith("progress_")
        return self.event_id if told and self.event_id else None

    def due(self, due: Due) -> datetime:
        """The moment by which something is due."""
        moment = self.moments.get(due)
        if moment is None:
            moment = self.moments[due] = resolve_due(due, self.now, self.rules.calendar)
        return moment


def act(decision: Decision, acting: Acting) -> list[Step]:
    """Do what the decision says. The case is changed; the steps are what to write down and send."""
    steps: list[Step] = []
    if decision.routes:
        person = whom(decision, acting)
        for route in decision.routes:
            steps += _route(route, person, acting)
    for notify in decision.notifies:
        steps += _notify(notify.destination, notify.reasons, acting)
    steps += _offers(decision.offers, acting)
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


def whom(decision: Decision, acting: Acting) -> Person:
    """What destinations can ask of the person that a decision is about."""
    return person_of(acting.rules, acting.case, decision.facts.values, acting.now)


def _route(route: RouteDecided, person: Person, acting: Acting) -> list[Step]:
    destination = acting.rules.destinations[route.destination]
    goes_on = bool(open_legs(destination, acting)) and not is_refused(route, destination, person)
    if goes_on and not comes_back_on_her(route, destination, acting):
        return refer(route, acting)
    placed = Placed(destination, may_hear(destination)) if goes_on else place(route, person, acting)
    if placed.question is None:
        return refer(route._replace(destination=placed.destination.id), acting, note=placed.note)
    there = route._replace(destination=placed.destination.id)
    hers = comes_back_on_her(there, placed.destination, acting)
    may_read = tells(acting.kind) and not (placed.destination.side == "person" and told_by_her(acting))
    told_in = (acting.event_id,) if may_read else ()
    waiting = WaitingRoute(there, acting.due(route.due), hers, told_in)
    asked = waits_already(there, waiting_routes(acting), acting)
    steps = _raise(asked, waiting, acting) if asked is not None else _ask_for(waiting, placed.question, acting)
    enter(acting.case, steps, event_id=acting.event_id, now=acting.now)
    return steps


def _ask_for(waiting: WaitingRoute, question: str, acting: Acting) -> list[Step]:
    side = acting.rules.destinations[waiting.route.destination].side
    return ask(
        acting,
        ReviewKind.CONFIRM_ROUTE,
        question,
        role=Role.CASE_MANAGER if told_by_her(acting) else Role.DUTY_WORKER,  # below are people of the programme
        due=waiting.route.due,
        destination=waiting.route.destination,
        answers=(CONFIRM, REFUSE) if side != "other_party" else (CONFIRM,),  # what protects her is never refused
        waiting=waiting,
    )


def waiting_routes(acting: Acting) -> list[Review]:
    """The routes that rules want and that wait for a human's word. One in a silent leg's stead is that leg's own."""
    acting.read_waiting()
    asked = (r for r in acting.case.reviews.values() if r.kind is ReviewKind.CONFIRM_ROUTE and r.leg_id is None)
    return [review for review in asked if not review.answered]


def waits_already(route: RouteDecided, among: Iterable[Review], acting: Acting) -> Review | None:
    """The question whether this route may be taken. What would come back on her is never one with what would not."""
    hers = comes_back_on_her(route, acting.rules.destinations[route.destination], acting)
    there = (review for review in among if review.destination == route.destination)
    return next((r for r in there if (r.waiting is not None and r.waiting.comes_back_on_her) is hers), None)


def _raise(asked: Review, more: WaitingRoute, acting: Acting) -> list[Step]:
    """One question for all who want the route: for the reasons of all, and as urgent as the most urgent of them.

    Where that is sooner than it was, the question is due sooner; else it stays as it is, put off or brought further.
    """
    before = asked.waiting
    if before is None:  # asked by what kept no route
        return []
    old, new = before.route, more.route
    route = old._replace(
        priority=min(old.priority, new.priority),
        due=sooner(old.due, new.due),
        tier="floor" if "floor" in (old.tier, new.tier) else old.tier,
        reasons=tuple(dict.fromkeys((*old.reasons, *new.reasons))),
    )
    told_in = tuple(dict.fromkeys((*before.told_in, *more.told_in)))
    waiting = replace(before, route=route, due_at=min(before.due_at, more.due_at), told_in=told_in)
    if waiting == before:
        return []
    presses = (route.priority, route.tier, waiting.due_at) != (old.priority, old.tier, before.due_at)
    due_at = min(asked.due_at, more.due_at) if presses else asked.due_at
    steps: list[Step] = [RouteRaised(asked.id, waiting, due_at)]
    if due_at != asked.due_at:
        steps.append(TimerCancelled("asked for sooner", review_id=asked.id))
        steps.append(TimerSet(acting.new_id(), TimerKind.REVIEW, due_at, review_id=asked.id))
    return steps


def refer(route: RouteDecided, acting: Acting, *, due_at: datetime | None = None, note: str = "") -> list[Step]:
    """Take a route: open the leg, or step up those that are open. `due_at` is when it was due already, if ever.

    Who is referred by an older referral than the newest hears of that one too.
    """
    destination = acting.rules.destinations[route.destination]
    legs = open_legs(destination, acting)
    if legs:
        return [step for leg in legs for step in _step_up(leg, route, acting)]
    due = due_at if due_at is not None and due_at > acting.now else acting.due(route.due)
    leg = _new_leg(destination, route.priority, due, acting)
    steps = begin(leg, RouteAction.REFER, route.reasons, destination, acting, note)
    if acting.referral is not None and leg.occasion not in (acting.referral, None):
        steps += tell(leg, route.reasons, acting, about=leg.occasion)
    return steps


def refer_as_asked(asked: Review, route: RouteDecided, acting: Acting, note: str = "") -> list[Step]:
    """Take a route that waited, for the event that is acted on; then tell of each other one that wanted it.

    So a destination that was waited for reads what it would have read had its leg been open all the time.
    """
    waiting = asked.waiting
    steps = refer(route, acting, due_at=waiting.due_at if waiting else None, note=note)
    told = {acting.event_id, *(step.about for step in steps if isinstance(step, Command))}
    for event_id in waiting.told_in if waiting else ():
        if event_id not in told:
            for leg in open_legs(acting.rules.destinations[route.destination], acting):
                steps += tell(leg, route.reasons, acting, about=event_id)
    return steps


def open_legs(destination: Destination, acting: Acting) -> list[Leg]:
    """The open legs that do this destination's job: its own, and those that were opened in its stead."""
    known = acting.rules.destinations
    return [
        leg
        for leg in acting.case.legs.values()
        if acting.case.goes_on(leg) and leg.destination in known and known[leg.destination].serves == destination.serves
    ]


def _new_leg(destination: Destination, priority: int, due_at: datetime, acting: Acting) -> Leg:
    return Leg(
        id=acting.new_id(),
        destination=destination.id,
        status=LegStatus.REQUESTED,
        since=acting.now,
        priority=priority,
        due_at=due_at,
        opened_at=acting.now,
        commands=1,
        referral=acting.referral,
        occasion=acting.case.referral_event,
        opened_by=acting.event_id or None,
    )


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
    after = leg._replace(
        priority=min(leg.priority, route.priority),
        due_at=due if leg.due_at is None or leg.due_at < acting.now else min(leg.due_at, due),
        commands=leg.commands + 1,
        told_in=_told_in(leg, acting.news),
    )
    acting.case.legs[leg.id] = after
    return [LegMoved(leg, after, "stepped up"), Command(after, RouteAction.STEP_UP, after.commands, route.reasons)]


def _notify(destination_id: str, reasons: Reasons, acting: Acting) -> list[Step]:
    """Tell a destination. Where it has no leg yet, telling it opens one: news of risk is never dropped."""
    destination = acting.rules.destinations[destination_id]
    if destination.side == "person" and told_by_her(acting):
        return _ask_about_her(may_hear(destination), None, acting)
    legs = open_legs(destination, acting)
    if not legs:
        leg = _new_leg(destination, NEWS_PRIORITY, acting.due(destination.acknowledge_within), acting)
        return begin(leg, RouteAction.NOTIFY, reasons, destination, acting)
    return [step for leg in legs for step in tell(leg, reasons, acting)]


def tell(leg: Leg, reasons: Reasons, acting: Acting, *, about: str | None = None) -> list[Step]:
    """Let the destination of a leg know of something, of this event or another one; nothing is asked of it."""
    after = leg._replace(commands=leg.commands + 1, told_in=_told_in(leg, about or acting.news))
    acting.case.legs[leg.id] = after
    return [Command(after, RouteAction.NOTIFY, after.commands, reasons, about)]


def _told_in(leg: Leg, event_id: str | None) -> tuple[str, ...]:
    if event_id is None or event_id in (leg.opened_by, *leg.told_in):
        return leg.told_in
    return (*leg.told_in, event_id)


def _offers(offers: Iterable[OfferDecided], acting: Acting) -> list[Step]:
    """Offer pauses; a leg's destination hears of it, for it is there that he is asked. Without a leg nothing rests.

    Of all the legs that are meant, also those in another's stead, the ones that he is on; where he is on none, all.
    """
    wanted: dict[str, OfferDecided] = {}
    for offer in offers:
        for leg in open_legs(acting.rules.destinations[offer.destination], acting):
            if leg.id not in wanted or leg.destination == offer.destination:
                wanted[leg.id] = offer
    legs = {id_: acting.case.legs[id_] for id_ in wanted}
    on = [id_ for id_, leg in legs.items() if leg.status is LegStatus.ON_PROGRAMME or rests(leg, acting.rules)]
    return [step for id_ in on or legs for step in _offer(legs[id_], wanted[id_], acting)]


def _ask_about_her(question: str, leg_id: str | None, acting: Acting) -> list[Step]:
    """What rules would have told his side of what her side told is put to a human, who knows both."""
    standard = acting.rules.otherwise.review
    return ask(acting, ReviewKind.RULE, question, role=standard.role, due=standard.due, leg_id=leg_id)


def _offer(leg: Leg, offer: OfferDecided, acting: Acting) -> list[Step]:
    if told_by_her(acting) and acting.rules.destinations[leg.destination].side == "person":
        programme = acting.rules.destinations[leg.destination]
        question = may_hear(programme, f"Should a pause of {programme.label} be offered?")
        return _ask_about_her(question, leg.id, acting)
    if rests(leg, acting.rules):
        question = "A pause would be offered now, but the leg rests already. Should it rest longer?"
        if _is_asked(ReviewKind.RULE, question, leg.id, acting):
            return []
        due = acting.rules.otherwise.review.due
        return ask(acting, ReviewKind.RULE, question, role=Role.FACILITATOR, due=due, leg_id=leg.id)
    made = make_offer(leg, offer, acting)
    return made + tell(leg, offer.reasons, acting) if made else []


def _is_asked(kind: ReviewKind, question: str, leg_id: str, acting: Acting) -> bool:
    """Whether just this is being asked of a leg that rests, whose questions are always at hand: it has its timer."""
    asked = (kind, question, leg_id)
    return any((r.kind, r.question, r.leg_id) == asked for r in acting.case.reviews.values() if not r.answered)


def rests(leg: Leg, rules: RuleSet) -> bool:
    """Whether a leg is put aside for a while, in whatever way."""
    return rules.pathway.statuses[leg.status].hold


def _resumes(resumes: Iterable[ResumeDecided], acting: Acting) -> list[Step]:
    """Ask whether the legs that rest should go on, also those in another's stead; each of them once."""
    meant = {resume.destination: open_legs(acting.rules.destinations[resume.destination], acting) for resume in resumes}
    resting = {leg.id: leg for legs in meant.values() for leg in legs if rests(leg, acting.rules)}
    asked: list[tuple[str, str | None]] = [(leg.destination, leg.id) for leg in resting.values()]
    asked = asked or [(name, None) for name in list(meant)[:1]]
    steps: list[Step] = []
    for name, leg_id in asked:
        standard = acting.rules.otherwise.review
        question = f"Should {acting.rules.destinations[name].label} go on?"
        if leg_id is not None and _is_asked(ReviewKind.RESUME, question, leg_id, acting):
            continue
        steps += ask(acting, ReviewKind.RESUME, question, role=standard.role, due=standard.due, leg_id=leg_id)
    return steps


def _questions(decision: Decision, acting: Acting) -> list[Step]:
    steps: list[Step] = []
    standard = acting.rules.otherwise.review
    about = acting.case.legs.get(acting.about_leg or "")
    closed = acting.kind == EventKind.PROGRESS_CLOSED and about is not None and about.closed
    kind = ReviewKind.CLOSED if closed else ReviewKind.RULE
    for review in decision.reviews:
        steps += ask(acting, kind, review.question, role=review.role, due=review.due, leg_id=acting.about_leg)
    for hold in decision.holds:
        steps += ask(acting, ReviewKind.HOLD, hold.text, role=standard.role, due=hold.due, leg_id=acting.about_leg)
    steps += _resumes(decision.resumes, acting)
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
