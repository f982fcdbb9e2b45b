"""What a human decides of a leg's status: to correct it, to reopen the leg, to close it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from schemas.human import HumanDecision
from schemas.receipt import Problem
from schemas.refusal import Unacceptable
from schemas.vocabulary import DecisionKind, LegStatus, RouteAction, TimerKind
from services.router.casework.act import Acting, ask
from services.router.casework.case import Case, Leg
from services.router.casework.enter import enter
from services.router.casework.pathway import TransitionRefused, check_code, move, placed, put
from services.router.casework.pauses import HOW_IT_GOES_ON
from services.router.casework.steps import (
    Command,
    Effect,
    LegMoved,
    LegNoted,
    ReviewAnswered,
    ReviewKind,
    Step,
    TimerSet,
    Word,
)
from services.router.rules.decision import Reason, Reasons
from services.router.rules.pathway import Pathway
from services.router.rules.ruleset import Destination

Decided: TypeAlias = Callable[[Case, HumanDecision, Acting], list[Step]]

CLOSED_BY: Final = LegStatus.WITHDRAWN  # what a leg becomes that a human closes, where no status is named
REOPENED_AS: Final = LegStatus.REQUESTED
OPENED_AGAIN: Final = "opened again"
_ASKED_AT_ITS_END: Final = frozenset({ReviewKind.CLOSED, ReviewKind.NO_DESTINATION})  # was it right? where to now?


def correct_status(case: Case, decision: HumanDecision, acting: Acting) -> list[Step]:
    """The leg stood wrongly, and stands here from now on: also where no transition leads, and never without a reason.

    Raises Unacceptable, before it changes anything, where that is no correction or would open a second leg.
    """
    pathway, leg, to = acting.rules.pathway, leg_of(case, decision), decision.status
    if to is None or not pathway.has(to):
        raise Unacceptable("unknown_status", [_problem("status", "is no status of this rule set")])
    if to is leg.status:
        raise Unacceptable("already_so", [_problem("status", f"the leg is {to} already")])
    check_code(pathway, decision.reason_code)
    if leg.closed and not pathway.statuses[to].closed:
        _refuse_a_second(case, leg)
    after = put(pathway, leg, to, now=acting.now, code=decision.reason_code)
    case.legs[leg.id] = after
    steps: list[Step] = [LegMoved(leg, after, decision.reason, Effect.CORRECTED, word_of(decision))]
    if after.closed and not leg.closed:
        steps += _is_that_right(after, acting)
    elif leg.closed and not after.closed:
        steps += _goes_on_after_all(case, after, acting)
    if pathway.statuses[to].hold and to is not LegStatus.ON_HOLD:  # which `pause_ends.follow` asks about
        steps += _until_when(case, after, acting)
    return steps


def reopen_leg(case: Case, decision: HumanDecision, acting: Acting) -> list[Step]:
    """A closed leg goes on: the same leg, with all its history. Its destination is told, and must answer.

    Raises Unacceptable, before it changes anything, where it is open, or another leg to its destination is.
    """
    leg = leg_of(case, decision)
    if not leg.closed:
        raise Unacceptable("not_closed", [_problem("leg_id", f"the leg is open: {leg.status}")])
    _refuse_a_second(case, leg)
    destination = _destination(leg, acting)
    answer_by = acting.due(destination.acknowledge_within)
    opened = _move(leg, decision.status or REOPENED_AS, decision, acting)
    if opened.closed:
        raise _other(acting.rules.pathway, leg, f"a leg that is {opened.status} is not open", closed=False)
    after = opened._replace(due_at=answer_by, commands=leg.commands + 1)
    case.legs[leg.id] = after
    return [
        LegMoved(leg, after, decision.reason, Effect.REOPENED, word_of(decision)),
        Command(after, RouteAction.REOPEN, after.commands, _told(decision)),
        TimerSet(acting.new_id(), TimerKind.ACKNOWLEDGEMENT, answer_by, leg_id=leg.id),
        *_goes_on_after_all(case, after, acting),
    ]


def close_leg(case: Case, decision: HumanDecision, acting: Acting) -> list[Step]:
    """The leg ends, its destination is told, and somebody is asked whether that is right: nothing closes silently.

    Of a leg that had ended already it says that nothing more is to be done. Raises Unacceptable, before it changes
    anything, where that too is so, or where the table does not let a human close it so.
    """
    pathway, leg = acting.rules.pathway, leg_of(case, decision)
    check_code(pathway, decision.reason_code)
    if leg.closed:
        return _conclude(case, leg, decision, acting)
    to = decision.status or CLOSED_BY
    if not pathway.statuses[to].closed:
        raise _other(pathway, leg, f"a leg that is {to} is not closed", closed=True)
    moved = _move(leg, to, decision, acting)
    after = moved._replace(commands=leg.commands + 1)
    case.legs[leg.id] = after
    return [
        LegMoved(leg, after, decision.reason, Effect.MOVED, word_of(decision)),
        Command(after, RouteAction.NOTIFY, after.commands, _told(decision)),
        *_is_that_right(after, acting),
    ]


DECIDED: Final[Mapping[DecisionKind, Decided]] = MappingProxyType(
    {
        DecisionKind.CORRECT_STATUS: correct_status,
        DecisionKind.REOPEN_LEG: reopen_leg,
        DecisionKind.CLOSE_LEG: close_leg,
    }
)


def _other(pathway: Pathway, leg: Leg, message: str, *, closed: bool) -> TransitionRefused:
    """That a status is not what the decision is for, with those that are."""
    allowed = tuple(to for to in pathway.allowed("human", leg.status) if pathway.statuses[to].closed is closed)
    return TransitionRefused("not_allowed", message, place="/data/status", allowed=allowed)


def _conclude(case: Case, leg: Leg, decision: HumanDecision, acting: Acting) -> list[Step]:
    code, pathway = decision.reason_code, acting.rules.pathway
    if leg.concluded_at is not None:
        raise Unacceptable("already_so", [_problem("leg_id", "the leg is concluded already")])
    if decision.status is not None and decision.status is not leg.status:
        raise Unacceptable("not_allowed", [_problem("status", f"the leg ended as {leg.status}: correct that first")])
    if not pathway.concludes(leg.status, code):
        raise Unacceptable("already_so", [_problem("reason_code", "the leg has ended, and this reason leaves it open")])
    after = placed(pathway, leg, leg.stand._replace(reason=code), now=acting.now)
    case.legs[leg.id] = after
    return [LegNoted(after, decision.reason, Effect.CONCLUDED, word_of(decision))]


def leg_of(case: Case, decision: HumanDecision) -> Leg:
    """The leg that a decision names. Raises Unacceptable where this person has no such leg."""
    leg = case.legs.get(decision.leg_id) if decision.leg_id is not None else None
    if leg is None:
        raise Unacceptable("unknown_leg", [_problem("leg_id", "is no leg of this person")])
    return leg


def _destination(leg: Leg, acting: Acting) -> Destination:
    destination = acting.rules.destinations.get(leg.destination)
    if destination is None:
        raise Unacceptable("unknown_destination", [_problem("leg_id", "its destination is in the rule set no more")])
    return destination


def _refuse_a_second(case: Case, leg: Leg) -> None:
    other = case.open_leg(leg.destination)
    if other is not None:
        raise Unacceptable("another_leg_open", [_problem("leg_id", f"leg {other.id} to its destination is open")])


def _move(leg: Leg, to: LegStatus, decision: HumanDecision, acting: Acting) -> Leg:
    return move(
        acting.rules.pathway,
        leg,
        to,
        by="human",
        now=acting.now,
        reason=decision.reason,
        code=decision.reason_code,
        note=decision.reason,
    )


def _is_that_right(leg: Leg, acting: Acting) -> list[Step]:
    label = _label(leg, acting)
    question = f"The leg to {label} was closed. Is that right, and does the person know that the door is open?"
    return _ask(ReviewKind.CLOSED, question, leg, acting)


def _goes_on_after_all(case: Case, leg: Leg, acting: Acting) -> list[Step]:
    """What was asked because the leg had ended is answered where somebody opens it again.

    Not whether another may take its place, which waits for a word of its own.
    """
    asked = (r for r in case.reviews.values() if r.kind in _ASKED_AT_ITS_END and r.leg_id == leg.id and not r.answered)
    steps: list[Step] = [ReviewAnswered(review.id, acting.by, OPENED_AGAIN) for review in asked]
    enter(case, steps)
    return steps


def _until_when(case: Case, leg: Leg, acting: Acting) -> list[Step]:
    """Ask for the end of a rest that has none. A pause that runs goes on with its checks and its end."""
    if case.open_pause(leg.id) is not None or case.asks(ReviewKind.UNTIMED_HOLD, leg.id):
        return []
    question = f"The leg to {_label(leg, acting)} rests, with no end and no welfare checks. Until when, and who checks?"
    return _ask(ReviewKind.UNTIMED_HOLD, question, leg, acting, answers=HOW_IT_GOES_ON)


def _ask(kind: ReviewKind, question: str, leg: Leg, acting: Acting, *, answers: tuple[str, ...] = ()) -> list[Step]:
    review = acting.rules.otherwise.review
    return ask(
        acting,
        kind,
        question,
        role=review.role,
        due=review.due,
        leg_id=leg.id,
        destination=leg.destination,
        answers=answers,
    )


def _label(leg: Leg, acting: Acting) -> str:
    destination = acting.rules.destinations.get(leg.destination)
    return destination.label if destination is not None else leg.destination


def word_of(decision: HumanDecision) -> Word:
    """How a leg's history tells of a decision."""
    return Word(decision.kind.value, decision.decided_at, decision.decided_by.user, decision.reason_code)


def _told(decision: HumanDecision) -> Reasons:
    """What its destination reads. Never the human's own words, which can be about somebody else."""
    done = "opened this leg again" if decision.kind is DecisionKind.REOPEN_LEG else "closed this leg"
    return (Reason(decision.kind.value, f"A caseworker {done}."),)


def _problem(field: str, message: str) -> Problem:
    return Problem(place=f"/data/{field}", message=message)
