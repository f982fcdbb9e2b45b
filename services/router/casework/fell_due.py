"""What a timer that fell due leads to: a table from its kind to a question, to a next step, or to nothing.

No timer closes or removes anything. It asks; and while what it waits for is missing, somebody is asked or will be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeAlias

from schemas.timer import TimerFellDue
from schemas.vocabulary import LegStatus, TimerKind
from services.router.casework.act import Acting, ask
from services.router.casework.case import Case, Leg
from services.router.casework.deadlines import NOT_ANSWERED, NOT_MET
from services.router.casework.reviews import Review
from services.router.casework.steps import ReviewKind, ReviewMoved, Step, TimerSet
from services.router.rules.due import Due
from services.router.rules.language import Role

FellDue: TypeAlias = Callable[[Case, TimerFellDue, Acting], list[Step]]

# Whose turn it is when a role did not answer. A role that stands in no line goes to the end of it.
NEXT_ROLE: Final[Mapping[str, Role]] = MappingProxyType(
    {
        Role.DUTY_WORKER: Role.CASE_MANAGER,
        Role.CASE_MANAGER: Role.PROGRAMME_MANAGER,
        Role.FACILITATOR: Role.PROGRAMME_MANAGER,
        Role.PROGRAMME_MANAGER: Role.SAFEGUARDING_LEAD,
        Role.CLINICIAN: Role.SAFEGUARDING_LEAD,
    }
)
URGENT: Final = timedelta(hours=24)  # who was given so little runs by the hours; so does whoever comes next
LEAST: Final = timedelta(hours=1)


def fell_due(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """Look again. The case is changed; the steps are what to write down. None: what was waited for has come."""
    return ON_DUE[timer.kind](case, timer, acting)


def acknowledgement(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """The destination has not said that it has the referral: a human looks, and the leg stays open and watched."""
    leg = case.legs.get(timer.leg_id or "")
    if leg is None:
        return _no_such_leg(case, timer, acting)
    if leg.closed or leg.status not in NOT_ANSWERED:
        return []
    question = f"{_label(leg, acting)} has not acknowledged the referral in time. Call them, or refer elsewhere?"
    destination = acting.rules.destinations.get(leg.destination)
    within = destination.acknowledge_within if destination else acting.rules.otherwise.review.due
    return [*_ask(case, leg, question, Role.DUTY_WORKER, acting), _again(timer, within, acting)]


def first_contact(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """The destination has accepted and not told of a first contact."""
    leg = case.legs.get(timer.leg_id or "")
    if leg is None:
        return _no_such_leg(case, timer, acting)
    if leg.closed or leg.status not in NOT_MET:
        return []
    question = f"{_label(leg, acting)} has accepted and told of no first contact in time. Has anybody spoken with him?"
    destination = acting.rules.destinations.get(leg.destination)
    within = destination.first_contact_within if destination else acting.rules.otherwise.review.due
    return [*_ask(case, leg, question, Role.CASE_MANAGER, acting), _again(timer, within, acting)]


def review(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """Nobody has answered in time: the question goes to the next role, and in the end comes back to the last one."""
    asked = case.reviews.get(timer.review_id or "")
    if asked is None or asked.answered or asked.due_at > timer.due_at:
        return []  # answered; or put off, or brought further, after this timer was set
    role = NEXT_ROLE.get(asked.role, Role.SAFEGUARDING_LEAD)
    due_at = _by_when(asked, acting) if role != asked.role else acting.due(acting.rules.otherwise.review.due)
    return _put(case, asked, role, due_at, acting)


def snooze(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """A question that was put off comes back to whom it was asked of."""
    asked = case.reviews.get(timer.review_id or "")
    if asked is None or asked.answered:
        return []
    return _put(case, asked, asked.role, acting.due(acting.rules.otherwise.review.due), acting)


def offer(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """An offered pause was not answered in time."""
    question = "A pause of {} was offered and not answered in time. Does he want it?"
    return _of_an_open_leg(case, timer, acting, question, Role.FACILITATOR)


def welfare_check(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """Somebody should look in on him today."""
    question = "{} rests and a welfare check is due. How is he?"
    return _of_a_pause(case, timer, acting, question, Role.FACILITATOR)


def check_escalation(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """A welfare check was due and nobody told of it."""
    question = "{} rests and nobody has told of the welfare check. Who looks in on him?"
    return _of_a_pause(case, timer, acting, question, Role.PROGRAMME_MANAGER)


def pause_review(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """The time that was agreed for a pause is over; the pause itself is not, before a human says so."""
    question = "The time agreed for the pause of {} is over. Should it go on, be extended, or be closed?"
    return _of_a_pause(case, timer, acting, question, Role.FACILITATOR)


ON_DUE: Final[Mapping[TimerKind, FellDue]] = MappingProxyType(
    {
        TimerKind.ACKNOWLEDGEMENT: acknowledgement,
        TimerKind.FIRST_CONTACT: first_contact,
        TimerKind.REVIEW: review,
        TimerKind.OFFER: offer,
        TimerKind.WELFARE_CHECK: welfare_check,
        TimerKind.CHECK_ESCALATION: check_escalation,
        TimerKind.PAUSE_REVIEW: pause_review,
        TimerKind.SNOOZE: snooze,
    }
)


def _put(case: Case, asked: Review, role: str, due_at: datetime, acting: Acting) -> list[Step]:
    """Put a question to a role by a time, with the timer that keeps it from being forgotten."""
    case.reviews[asked.id] = replace(asked, role=role, due_at=due_at, put_at=acting.now)
    return [
        ReviewMoved(asked.id, role, due_at),
        TimerSet(acting.new_id(), TimerKind.REVIEW, due_at, review_id=asked.id),
    ]


def _by_when(asked: Review, acting: Acting) -> datetime:
    """The next role has as many hours as this one had where those were few, and else the usual time."""
    had = asked.due_at - asked.put_at if asked.put_at is not None else None
    if had is not None and had <= URGENT:
        return acting.now + max(had, LEAST)
    return acting.due(acting.rules.otherwise.review.due)


def _of_a_pause(case: Case, timer: TimerFellDue, acting: Acting, question: str, role: Role) -> list[Step]:
    leg = case.legs.get(timer.leg_id or "")
    if leg is not None and leg.status is not LegStatus.ON_HOLD:
        return []
    return _of_an_open_leg(case, timer, acting, question, role)


def _of_an_open_leg(case: Case, timer: TimerFellDue, acting: Acting, question: str, role: Role) -> list[Step]:
    leg = case.legs.get(timer.leg_id or "")
    if leg is None:
        return _no_such_leg(case, timer, acting)
    return [] if leg.closed else _ask(case, leg, question.format(_label(leg, acting)), role, acting)


def _no_such_leg(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    what = timer.kind.value.replace("_", " ")
    question = f"A time for {what} has passed on a leg that is not of this person any more. Who looks after it?"
    return _ask(case, None, question, Role.CASE_MANAGER, acting)


def _ask(case: Case, leg: Leg | None, question: str, role: Role, acting: Acting) -> list[Step]:
    """Ask, unless the same question of the same leg is open already: it has a timer of its own."""
    leg_id = leg.id if leg else None
    for other in case.reviews.values():
        if not other.answered and (other.kind, other.leg_id, other.question) == (ReviewKind.DEADLINE, leg_id, question):
            return []
    due = acting.rules.otherwise.review.due
    return ask(acting, ReviewKind.DEADLINE, question, role=role, due=due, leg_id=leg_id)


def _again(timer: TimerFellDue, within: Due, acting: Acting) -> Step:
    """An open leg is watched until what is waited for has come: an answered question must not end that."""
    return TimerSet(acting.new_id(), timer.kind, acting.due(within), leg_id=timer.leg_id)


def _label(leg: Leg, acting: Acting) -> str:
    destination = acting.rules.destinations.get(leg.destination)
    return destination.label if destination else leg.destination
