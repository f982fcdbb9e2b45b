"""Where one destination cannot take somebody, the next one that fits is asked, and after the last one a human.

Every way ends in a leg that is watched or in a question to a human. Each destination is asked once for a referral.
"""

from __future__ import annotations

from typing import Final, cast

from schemas.progress import ProgressReported
from schemas.vocabulary import LegStatus, ProgressKind, RouteAction
from services.router.casework.act import CONFIRM, REFUSE, Acting, ask, begin, open_legs, tell
from services.router.casework.case import Case, Leg
from services.router.casework.deadlines import MET, NOT_ANSWERED, NOT_DECIDED, NOT_MET
from services.router.casework.enter import enter
from services.router.casework.fitting import Candidate, Seeking, alternatives, person_of
from services.router.casework.reviews import WaitingRoute
from services.router.casework.steps import ReviewAnswered, ReviewKind, Step
from services.router.rules.decision import Reason, Reasons, RouteDecided
from services.router.rules.due import Due
from services.router.rules.language import Priority
from services.router.rules.ruleset import Destination

MOST_HOPS: Final = 3  # for one need of one referral; who was passed on three times needs a person, not a fourth service
ASKS: Final = "duty_worker"
SOON: Final = Due(hours=4)  # for what was urgent enough for priority 1

DECLINED: Final = "declined"
NO_CAPACITY: Final = "has no capacity"
NOT_ACKNOWLEDGED: Final = "did not answer in time"

# What the next destination reads. Who could not take him, and why, is not its business.
WHY: Final[Reasons] = (
    Reason("look-further", "Another service could not take this referral; yours serves the same need."),
)
TOLD_BEFORE: Final[Reasons] = (Reason("look-further", "This was told of before your service was asked."),)


def after_progress(case: Case, leg: Leg, said: ProgressReported, acting: Acting) -> list[Step]:
    """What a destination's word means beyond its leg. `leg` is as it stood before; the case has moved it already."""
    steps: list[Step] = list(acting.places.hear(leg.destination, said.kind, min(said.occurred_at, acting.now)))
    now = case.legs[leg.id]
    if said.kind is ProgressKind.DECLINED:
        steps += look_further(case, now, acting, DECLINED)
    elif said.kind is ProgressKind.NO_CAPACITY:
        steps += look_further(case, now, acting, NO_CAPACITY)
    elif leg.status in NOT_ANSWERED and now.status not in NOT_ANSWERED and not now.closed:
        steps += _which_stays(case, now, acting)
    return steps


def has_been_asked_about(case: Case, leg: Leg, said: ProgressReported) -> bool:
    """Whether somebody may have been asked about just this: then the questions of the case are needed."""
    answers = said.kind in MET or leg.status in NOT_DECIDED
    return (leg.status in NOT_MET and answers) or (leg.status in NOT_ANSWERED and bool(case.successors(leg)))


def has_come(case: Case, leg: Leg, said: ProgressReported, acting: Acting) -> list[Step]:
    """What somebody was asked about because it had not come has come: that answers the question, and is kept as it.

    `leg` is as it stood before. Where it closed instead, whoever was asked still looks.
    """
    now = case.legs[leg.id]
    over: set[ReviewKind] = set()
    if now.closed:
        return []
    if leg.status in NOT_ANSWERED and now.status not in NOT_ANSWERED:
        over.add(ReviewKind.NO_DESTINATION)
    if said.kind in MET or (leg.status in NOT_DECIDED and now.status is not leg.status):
        over.add(ReviewKind.DEADLINE)
    asked = (r for r in case.reviews.values() if r.leg_id == leg.id and r.kind in over and not r.answered)
    steps: list[Step] = [ReviewAnswered(r.id, acting.by, f"told since: {said.kind.value}") for r in asked]
    enter(case, steps)
    return steps


def look_further(case: Case, leg: Leg, acting: Acting, because: str) -> list[Step]:
    """Ask the next destination that fits, or a human where none is left. `because` follows the destination's name.

    A leg that is still open stays so, and whoever noticed watches it on; the new one opens beside it. While a human is
    being asked where this goes, nobody else is.
    """
    leg = case.legs[leg.id]
    if any(case.asks(kind, leg.id) for kind in (ReviewKind.NO_DESTINATION, ReviewKind.CONFIRM_ROUTE)):
        return []
    destination = acting.rules.destinations.get(leg.destination)
    if not leg.closed and leg.status not in NOT_ANSWERED:
        return []  # it has answered after all
    if destination is None:
        return _nobody(leg, leg.destination, because, [], acting)
    if leg.closed and _somebody_has_him(case, leg, destination, acting):
        return []
    if not leg.closed and case.successors(leg):
        return _still_silent(leg, destination, acting)
    return _next(case, leg, destination, acting, because)


def _next(case: Case, leg: Leg, destination: Destination, acting: Acting, because: str) -> list[Step]:
    person = person_of(acting.rules, case, acting.facts, acting.now)
    seeking = Seeking(case, acting.rules, person, acting.places, acting.now, leg.occasion)
    wished = acting.rules.destinations.get(_first(case, leg).destination, destination)
    others = alternatives(destination, seeking, first=wished.instead)
    if _hops(case, leg, destination, acting) >= MOST_HOPS:
        why = f"{because}, and {MOST_HOPS} others were asked in its stead"
        return _nobody(leg, destination.label, why, others, acting)
    chosen = next((each for each in others if not each.obstacles), None)
    if chosen is None:
        perhaps = next((each for each in others if not each.certainly_not), None)
        return _nobody(leg, destination.label, because, others, acting, perhaps)
    passed = ", ".join(str(each) for each in others[: others.index(chosen)])
    note = f"Instead of {destination.label}, which {because}." + (f" Passed over: {passed}." if passed else "")
    return open_instead(leg, chosen.destination, acting, note)


def open_instead(leg: Leg, chosen: Destination, acting: Acting, note: str = "") -> list[Step]:
    """Refer to another destination in a leg's stead: with all that one was sent, and as urgent as it is by now."""
    still_due = leg.due_at is not None and leg.due_at > acting.now
    new = Leg(
        id=acting.new_id(),
        destination=chosen.id,
        status=LegStatus.REQUESTED,
        since=acting.now,
        priority=leg.priority,
        due_at=leg.due_at if still_due else acting.due(chosen.acknowledge_within),
        opened_at=acting.now,
        commands=1,
        referral=leg.referral,
        occasion=leg.occasion,
        opened_by=leg.opened_by,
        reroute_of=leg.id,
    )
    steps = begin(new, RouteAction.REFER, WHY, chosen, acting, note)
    if leg.opened_by == leg.referral and leg.occasion not in (leg.opened_by, None):  # it waited, and a newer one came
        steps += tell(acting.case.legs[new.id], WHY, acting, about=leg.occasion)
    for event_id in leg.told_in:
        if event_id != leg.occasion:
            steps += tell(acting.case.legs[new.id], TOLD_BEFORE, acting, about=event_id)
    return steps


def _nobody(
    leg: Leg, label: str, because: str, others: list[Candidate], acting: Acting, perhaps: Candidate | None = None
) -> list[Step]:
    """The question that stands for silence: who was asked, and why each other one does not fit.

    Where one might fit if somebody knew more, it is that one's route that waits for a human's word.
    """
    said = [f"{label} {because}."]
    said.append(f"Others: {'; '.join(map(str, others))}." if others else "Nobody else serves the same need.")
    if perhaps is None:
        return _ask(leg, ReviewKind.NO_DESTINATION, " ".join([*said, "Where should this go?"]), acting)
    to = perhaps.destination
    said.append(f"May this be referred to {to.label}?")
    due = acting.rules.destinations[to.id].acknowledge_within
    route = RouteDecided(to.id, cast("Priority", leg.priority), due, "ordinary", "human", WHY)
    waiting = WaitingRoute(route, leg.due_at or acting.due(due))
    return _ask(leg, ReviewKind.CONFIRM_ROUTE, " ".join(said), acting, waiting)


def _still_silent(leg: Leg, destination: Destination, acting: Acting) -> list[Step]:
    """A second time without an answer: the leg gets an owner, for no timer closes it."""
    question = f"{destination.label} has still not answered; another service was asked beside it. Which of them stays?"
    return _ask(leg, ReviewKind.NO_DESTINATION, question, acting)


def _which_stays(case: Case, leg: Leg, acting: Acting) -> list[Step]:
    """It answered after all, and another one was asked in the meantime: who goes on with him is no clock's choice."""
    beside = [each for each in case.successors(leg) if not each.closed]
    if not beside:
        return []
    known = acting.rules.destinations
    names = [
        known[each.destination].label if each.destination in known else each.destination for each in (leg, *beside)
    ]
    question = (
        f"{names[0]} answered after all; {' and '.join(names[1:])} was asked in the meantime. Which of them stays?"
    )
    return _ask(leg, ReviewKind.WHICH_LEG, question, acting)


def _ask(leg: Leg, kind: ReviewKind, question: str, acting: Acting, waiting: WaitingRoute | None = None) -> list[Step]:
    return ask(
        acting,
        kind,
        question,
        role=ASKS,
        due=SOON if leg.priority == 1 else acting.rules.otherwise.review.due,
        leg_id=leg.id,
        destination=waiting.route.destination if waiting else None,
        answers=(CONFIRM, REFUSE) if waiting else (),
        waiting=waiting,
    )


def _somebody_has_him(case: Case, leg: Leg, destination: Destination, acting: Acting) -> bool:
    """Is there another open leg for the need, one that has answered or whose time to answer still runs?"""
    return any(
        each.status not in NOT_ANSWERED or not case.successors(each)
        for each in open_legs(destination, acting)
        if each.id != leg.id
    )


def _first(case: Case, leg: Leg) -> Leg:
    """The leg that all the others stand in for."""
    seen = {leg.id}
    while leg.reroute_of in case.legs and leg.reroute_of not in seen:
        leg = case.legs[leg.reroute_of]
        seen.add(leg.id)
    return leg


def _hops(case: Case, leg: Leg, destination: Destination, acting: Acting) -> int:
    """How often this need of this referral was passed on already."""
    known = acting.rules.destinations
    return sum(
        1
        for each in case.legs.values()
        if each.reroute_of is not None
        and each.occasion == leg.occasion
        and each.destination in known
        and known[each.destination].serves == destination.serves
    )
