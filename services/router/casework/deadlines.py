"""Which promises to look again follow from an event's steps, and which nobody waits for any more.

It reads the steps, whoever made them, so that no part of casework has to remember the timers of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.progress import ProgressReported
from schemas.vocabulary import LegStatus, ProgressKind, TimerKind
from services.router.casework.act import Acting
from services.router.casework.case import Leg
from services.router.casework.resting import RESUMED
from services.router.casework.steps import (
    Command,
    LegMoved,
    LegOpened,
    OfferAnswered,
    PauseEnded,
    ReviewAnswered,
    Step,
    TimerCancelled,
    TimerSet,
)
from services.router.rules.events import Reported
from services.router.rules.ruleset import FIRST_CONTACT_WITHIN

NOT_ANSWERED: Final = frozenset({LegStatus.REQUESTED, LegStatus.SENT})  # the destination has said nothing yet
# It was accepted, and nobody may have spoken with the person: an assessment or an allocation can take its time.
NOT_MET: Final = frozenset({LegStatus.ACCEPTED, LegStatus.AWAITING_ASSESSMENT, LegStatus.AWAITING_ALLOCATION})

MET: Final = frozenset({ProgressKind.FIRST_CONTACT, ProgressKind.STARTED, ProgressKind.ATTENDED})
_OF_A_PAUSE: Final = (TimerKind.WELFARE_CHECK, TimerKind.CHECK_ESCALATION, TimerKind.PAUSE_REVIEW)
# A missed check outlives its leg: nobody has seen him, and whoever closed it may not have known.
_OF_AN_OPEN_LEG: Final = tuple(kind for kind in TimerKind if kind is not TimerKind.CHECK_ESCALATION)


def with_deadlines(data: Reported, steps: Sequence[Step], acting: Acting) -> list[Step]:
    """An event's steps, and beside each the timers that it sets and cancels: what later ones set is left alone."""
    found: list[Step] = []
    if type(data) is ProgressReported and data.kind in MET:
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
            case ReviewAnswered(review_id):
                found.append(TimerCancelled("answered", review_id=review_id))
            case PauseEnded(pause) if pause.ended == RESUMED:
                found.append(TimerCancelled("the pause ended", leg_id=pause.leg_id, kinds=_OF_A_PAUSE))
            case OfferAnswered(offer):
                found.append(TimerCancelled("answered", leg_id=offer.leg_id, kinds=(TimerKind.OFFER,)))
            case _:
                pass
    return found


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
    if leg.status is LegStatus.ACCEPTED and before.status not in NOT_MET:
        destination = acting.rules.destinations.get(leg.destination)
        due = acting.due(destination.first_contact_within if destination else FIRST_CONTACT_WITHIN)
        found.append(TimerSet(acting.new_id(), TimerKind.FIRST_CONTACT, due, leg_id=leg.id))
    return found
