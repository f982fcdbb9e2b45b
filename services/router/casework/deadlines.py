"""Which promises to look again follow from an event's steps, and which nobody waits for any more.

It reads the steps, whoever made them, so that no part of casework has to remember the timers of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from schemas.progress import ProgressReported
from schemas.vocabulary import LegStatus, ProgressKind, TimerKind
from services.router.casework.act import Acting
from services.router.casework.case import Leg
from services.router.casework.resting import RESUMED, at_start_of_work
from services.router.casework.steps import (
    Command,
    LegMoved,
    LegNoted,
    LegOpened,
    OfferAnswered,
    PauseEnded,
    ReviewAnswered,
    Step,
    TimerCancelled,
    TimerSet,
)
from services.router.rules.due import Due
from services.router.rules.events import Reported
from services.router.rules.ruleset import FIRST_CONTACT_WITHIN, RuleSet

NOT_ANSWERED: Final = frozenset({LegStatus.REQUESTED, LegStatus.SENT})  # the destination has said nothing yet
# The destination has said no more than that it has the referral, or that he waits: whether it takes him on is open.
NOT_DECIDED: Final = frozenset({LegStatus.ACKNOWLEDGED, LegStatus.WAITLISTED})
# Nobody may have spoken with the person: an assessment, an allocation or a waiting list can take its time.
NOT_MET: Final = frozenset(
    {*NOT_DECIDED, LegStatus.ACCEPTED, LegStatus.AWAITING_ASSESSMENT, LegStatus.AWAITING_ALLOCATION}
)
LIST_NEWS: Final = Due(working_days=20)  # of a waiting list without a day on which an answer may be expected

MET: Final = frozenset({ProgressKind.FIRST_CONTACT, ProgressKind.STARTED, ProgressKind.ATTENDED})
_OF_A_PAUSE: Final = (TimerKind.WELFARE_CHECK, TimerKind.CHECK_ESCALATION, TimerKind.PAUSE_REVIEW)
# A missed check outlives its leg: nobody has seen him, and whoever closed it may not have known.
_OF_AN_OPEN_LEG: Final = tuple(kind for kind in TimerKind if kind is not TimerKind.CHECK_ESCALATION)


def waits_for_contact(leg: Leg, rules: RuleSet) -> bool:
    """Whether somebody should look when nobody tells that he was seen. Of a panel it is enough that it knows."""
    if leg.status not in NOT_MET or any(told.kind in MET for told in leg.told.told):
        return False
    destination = rules.destinations.get(leg.destination)
    return leg.status not in NOT_DECIDED or destination is None or destination.side == "person"


def contact_by(leg: Leg, acting: Acting) -> datetime:
    """When somebody looks: the destination's time; of a waiting list the day that was named, while it is ahead."""
    if leg.status is LegStatus.WAITLISTED:
        expected = at_start_of_work(leg.expected_on) if leg.expected_on is not None else acting.now
        return expected if expected > acting.now else acting.due(LIST_NEWS)
    destination = acting.rules.destinations.get(leg.destination)
    return acting.due(destination.first_contact_within if destination else FIRST_CONTACT_WITHIN)


def with_deadlines(data: Reported, steps: Sequence[Step], acting: Acting) -> list[Step]:
    """An event's steps, and beside each the timers that it sets and cancels: what later ones set is left alone."""
    found: list[Step] = []
    if type(data) is ProgressReported and data.kind in MET and _was_seen(data, acting):
        found.append(TimerCancelled(data.kind.value, leg_id=data.leg_id, kinds=(TimerKind.FIRST_CONTACT,)))
    for step in steps:
        found.append(step)
        match step:
            case LegOpened() | Command() | TimerSet():  # what most steps are
                pass
            case LegMoved():
                found += _of_a_move(step, acting)
                if _silent(step, steps):
                    found.append(_watched_again(step.leg, acting))
            case LegNoted(leg) if leg.status is LegStatus.WAITLISTED and step.word.said == ProgressKind.WAITLISTED:
                found += _until_contact(leg, acting)  # with what it says now of how long it may take
            case ReviewAnswered(review_id):
                found.append(TimerCancelled("answered", review_id=review_id))
            case PauseEnded(pause) if pause.ended == RESUMED:
                found.append(TimerCancelled("the pause ended", leg_id=pause.leg_id, kinds=_OF_A_PAUSE))
            case OfferAnswered(offer):
                found.append(TimerCancelled("answered", leg_id=offer.leg_id, kinds=(TimerKind.OFFER,)))
            case _:
                pass
    return found


def _was_seen(data: ProgressReported, acting: Acting) -> bool:
    """Whether the contact counts: one of before a human placed the leg where it waits for one does not."""
    leg = acting.case.legs.get(data.leg_id)
    return leg is None or not waits_for_contact(leg, acting.rules)


def _silent(step: LegMoved, steps: Sequence[Step]) -> bool:
    """Whether a leg came back to where its destination's answer is waited for, and whoever moved it set no timer."""
    if step.before.status in NOT_ANSWERED or step.leg.status not in NOT_ANSWERED:
        return False
    timers = (other for other in steps if isinstance(other, TimerSet) and other.leg_id == step.leg.id)
    return all(timer.kind is not TimerKind.ACKNOWLEDGEMENT for timer in timers)


def _watched_again(leg: Leg, acting: Acting) -> Step:
    destination = acting.rules.destinations.get(leg.destination)
    within = destination.acknowledge_within if destination else acting.rules.otherwise.review.due
    return TimerSet(acting.new_id(), TimerKind.ACKNOWLEDGEMENT, acting.due(within), leg_id=leg.id)


def _of_a_move(step: LegMoved, acting: Acting) -> list[Step]:
    before, leg = step.before, step.leg
    if leg.closed:
        return [TimerCancelled(leg.status.value, leg_id=leg.id, kinds=_OF_AN_OPEN_LEG)]
    found: list[Step] = []
    if before.status in NOT_ANSWERED and leg.status not in NOT_ANSWERED:
        found.append(TimerCancelled(leg.status.value, leg_id=leg.id, kinds=(TimerKind.ACKNOWLEDGEMENT,)))
    if before.status in NOT_MET and leg.status not in NOT_MET:
        found.append(TimerCancelled(leg.status.value, leg_id=leg.id, kinds=(TimerKind.FIRST_CONTACT,)))
    goes_further = before.status not in NOT_MET or before.status in NOT_DECIDED or leg.status in NOT_DECIDED
    if leg.status is not before.status and goes_further:
        found += _until_contact(leg, acting)
    return found


def _until_contact(leg: Leg, acting: Acting) -> list[Step]:
    """Look when no contact is told in time, counted from now."""
    if not waits_for_contact(leg, acting.rules):
        return []
    by_then = TimerSet(acting.new_id(), TimerKind.FIRST_CONTACT, contact_by(leg, acting), leg_id=leg.id)
    return [TimerCancelled(leg.status.value, leg_id=leg.id, kinds=(TimerKind.FIRST_CONTACT,)), by_then]
