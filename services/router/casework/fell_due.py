"""What a timer that fell due leads to: a table from its kind to a question, to a next step, or to nothing.

No timer closes or removes anything. It asks; and while what it waits for is missing, somebody is asked or will be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeAlias

from schemas.timer import TimerFellDue
from schemas.vocabulary import LegStatus, TimerKind
from services.router.casework.act import Acting, ask
from services.router.casework.case import Case, Leg
from services.router.casework.checks import check_escalates, check_fell_due
from services.router.casework.deadlines import NOT_ANSWERED, contact_by, waits_for_contact
from services.router.casework.enter import enter
from services.router.casework.pause_ends import offer_fell_due, pause_fell_due
from services.router.casework.reroute import NOT_ACKNOWLEDGED, look_further
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
ACCEPTED_AND_SILENT: Final = "{label} has accepted and told of no first contact in time. Has anybody spoken with him?"
_SILENT: Final[Mapping[LegStatus, str]] = MappingProxyType(
    {
        LegStatus.ACKNOWLEDGED: "{label} has the referral and has not said whether it takes him on. Does it?",
        LegStatus.WAITLISTED: "{label} has him on its waiting list, and could have answered by now. Has it?",
    }
)
URGENT: Final = timedelta(hours=24)  # who was given so little runs by the hours; so does whoever comes next
LEAST: Final = timedelta(hours=1)


def fell_due(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """Look again. The case is changed; the steps are what to write down. None: what was waited for has come."""
    case.timers.pop(timer.timer_id, None)
    return ON_DUE[timer.kind](case, timer, acting)


def acknowledgement(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """The destination has not said that it has the referral: another is asked, or a human; the leg is watched on."""
    leg = case.legs.get(timer.leg_id or "")
    if leg is None:
        return _not_theirs(case, timer, acting)
    if leg.closed or leg.status not in NOT_ANSWERED:
        return []
    destination = acting.rules.destinations.get(leg.destination)
    within = destination.acknowledge_within if destination else acting.rules.otherwise.review.due
    return [*look_further(case, leg, acting, NOT_ACKNOWLEDGED), _again(timer, within, acting)]


def first_contact(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """The destination has the referral, or accepted, and has not told of a first contact; or he waits on its list."""
    leg = case.legs.get(timer.leg_id or "")
    if leg is None:
        return _not_theirs(case, timer, acting)
    if leg.closed or not waits_for_contact(leg, acting.rules):
        return []
    question = _SILENT.get(leg.status, ACCEPTED_AND_SILENT).format(label=_label(leg, acting))
    again = TimerSet(acting.new_id(), timer.kind, contact_by(leg, acting), leg_id=timer.leg_id)
    return [*_ask(case, leg, question, Role.CASE_MANAGER, acting), again]


def review(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """Nobody has answered in time: the question goes to the next role, and in the end comes back to the last one."""
    asked = case.reviews.get(timer.review_id or "")
    if asked is None:
        return _not_theirs(case, timer, acting)
    if asked.answered or asked.due_at > timer.due_at:
        return []  # answered; or put off, or brought further, after this timer was set
    role = NEXT_ROLE.get(asked.role, Role.SAFEGUARDING_LEAD)
    due_at = _by_when(asked, acting) if role != asked.role else acting.due(acting.rules.otherwise.review.due)
    return _put(case, asked, role, due_at, acting)


def snooze(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """A question that was put off comes back to whom it was asked of."""
    asked = case.reviews.get(timer.review_id or "")
    if asked is None:
        return _not_theirs(case, timer, acting)
    if asked.answered:
        return []
    return _put(case, asked, asked.role, acting.due(acting.rules.otherwise.review.due), acting)


def _of_a_leg(look: FellDue) -> FellDue:
    """The same, where the leg is still this person's; else somebody is asked who looks after it."""

    def look_again(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
        return look(case, timer, acting) if timer.leg_id in case.legs else _not_theirs(case, timer, acting)

    return look_again


ON_DUE: Final[Mapping[TimerKind, FellDue]] = MappingProxyType(
    {
        TimerKind.ACKNOWLEDGEMENT: acknowledgement,
        TimerKind.FIRST_CONTACT: first_contact,
        TimerKind.REVIEW: review,
        TimerKind.OFFER: _of_a_leg(offer_fell_due),
        TimerKind.WELFARE_CHECK: _of_a_leg(check_fell_due),
        TimerKind.CHECK_ESCALATION: _of_a_leg(check_escalates),
        TimerKind.PAUSE_REVIEW: _of_a_leg(pause_fell_due),
        TimerKind.SNOOZE: snooze,
    }
)


def _put(case: Case, asked: Review, role: str, due_at: datetime, acting: Acting) -> list[Step]:
    """Put a question to a role by a time, with the timer that keeps it from being forgotten."""
    steps: list[Step] = [
        ReviewMoved(asked.id, role, due_at),
        TimerSet(acting.new_id(), TimerKind.REVIEW, due_at, review_id=asked.id),
    ]
    enter(case, steps, now=acting.now)
    return steps


def _by_when(asked: Review, acting: Acting) -> datetime:
    """The next role has as many hours as this one had where those were few, and else the usual time."""
    had = asked.due_at - asked.put_at if asked.put_at is not None else None
    if had is not None and had <= URGENT:
        return acting.now + max(had, LEAST)
    return acting.due(acting.rules.otherwise.review.due)


def _not_theirs(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """What it watches is not in this case, as while a human's word that two are one lies in quarantine: it comes back.

    A question that was answered is none of these: its timers were cancelled then.
    """
    what = timer.kind.value.replace("_", " ")
    of = "leg" if timer.leg_id is not None else "question"
    question = f"A time for {what} has passed on a {of} that is not of this person any more. Who looks after it?"
    return [
        *_ask(case, None, question, Role.CASE_MANAGER, acting),
        _again(timer, acting.rules.otherwise.review.due, acting),
    ]


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
    return TimerSet(acting.new_id(), timer.kind, acting.due(within), leg_id=timer.leg_id, review_id=timer.review_id)


def _label(leg: Leg, acting: Acting) -> str:
    destination = acting.rules.destinations.get(leg.destination)
    return destination.label if destination else leg.destination
