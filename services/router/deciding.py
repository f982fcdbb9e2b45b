"""Decides one event: what it does to the case by itself, what the rules say of it, and what follows from both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from schemas.human import HumanDecision
from schemas.progress import ProgressReported
from schemas.referral import ReferralSubmitted
from schemas.registry import Accepted
from schemas.risk import RiskReported
from schemas.timer import TimerFellDue
from schemas.vocabulary import RiskKind
from services.ground.work import Work
from services.router.casework.act import Acting, act, ask
from services.router.casework.again import Original
from services.router.casework.as_risk import as_risk
from services.router.casework.case import Case, Leg
from services.router.casework.checks import reported_missed
from services.router.casework.deadlines import with_deadlines
from services.router.casework.decided import in_full
from services.router.casework.enter import enter
from services.router.casework.fell_due import fell_due
from services.router.casework.human import ANOTHER_PERSON, SAME_PERSON, Originals, take_human
from services.router.casework.late import look_again
from services.router.casework.pause_ends import follow
from services.router.casework.places import Places
from services.router.casework.progress import leg_of, take_progress
from services.router.casework.reroute import after_progress, has_come
from services.router.casework.reviews import refused
from services.router.casework.steps import (
    Command,
    DecidedAgain,
    LegMoved,
    LegNoted,
    LegOpened,
    OwnDecision,
    ReviewKind,
    Step,
)
from services.router.commands import Taken
from services.router.fallen import Fallen
from services.router.joined import joins, take_joined
from services.router.rules.decide import decide
from services.router.rules.decision import Decision
from services.router.rules.due import Due
from services.router.rules.events import CaseEvent, Reported, kind_of
from services.router.rules.facts import facts_of, remember
from services.router.rules.ruleset import RuleSet
from services.router.shadow import Beside, what_differs

WHO_IS_IT: Final[Mapping[str, str]] = {  # what a human is asked when intake was not sure whom an event is about
    "perhaps_known": "Is this somebody that we know already?",
    "identifiers_disagree": "The identifiers belong to several persons that we know. Who is this?",
    "second_identifier": "We know this person by another identifier of the same kind. Is this really the same person?",
}


@dataclass(frozen=True, slots=True)
class Batch:
    """What deciding any event of a batch needs."""

    rules: RuleSet
    originals: Originals
    fallen: Fallen
    places: Places
    work: Work
    decided: dict[str, dict[str, Original]] = field(default_factory=dict)  # by person: since what is told late
    telling: Collection[str] = ()  # the persons of whose legs something is told in this batch
    moments: dict[Due, datetime] = field(default_factory=dict)
    read_waiting: Callable[[Case], None] = lambda _: None  # gives a case its routes that wait for a human's word
    shadow: RuleSet | None = None
    beside: list[Beside] = field(default_factory=list)


def as_decided(taken: Taken, case: Case) -> Taken:
    """An answer in full, and the risk that an event tells of, instead of how they were said."""
    if type(taken.data) is ReferralSubmitted:
        return taken
    data = in_full(case, taken.data) if isinstance(taken.data, HumanDecision) else taken.data
    decided_on = as_risk(case, data) or data
    if decided_on is taken.data:
        return taken
    content = decided_on.model_dump_json(exclude_none=True).encode()
    return taken._replace(data=data, decided_on=decided_on, content=content, kind=kind_of(decided_on))


def _leg_of(taken: Taken, case: Case, rules: RuleSet) -> Leg | None:
    """The leg that an event is about, if it names one. Raises Unacceptable where that is none of theirs."""
    data = taken.data
    if type(data) is ReferralSubmitted:
        return None
    if isinstance(data, ProgressReported):
        may_report = {name: destination.source for name, destination in rules.destinations.items()}
        return leg_of(case, data.leg_id, reported_by=taken.event.originsource, may_report=may_report)
    if isinstance(data, HumanDecision) and data.leg_id is not None:
        if data.leg_id not in case.legs:
            raise refused("unknown_leg", "/leg_id", "is no leg of this person")
        return case.legs[data.leg_id]
    return case.legs.get(data.leg_id or "") if isinstance(data, TimerFellDue) else None


def decide_event(taken: Taken, case: Case, other: Case | None, batch: Batch) -> tuple[str, Decision, list[Step]]:
    """The decision on one event, with its id, and the steps of the event itself and of the decision.

    `other` is the case that comes into this one, where two become one. Raises Unacceptable before it changes anything.
    """
    rules, work = batch.rules, batch.work
    event, data = taken.event, taken.data
    about = _leg_of(taken, case, rules)
    case_event = CaseEvent(
        taken.kind,
        taken.decided_on,
        taken.occurred_at,
        event.receivedat,
        about.destination if about else None,
    )
    view = case.view()
    facts = facts_of(rules, case_event, view, work.now)
    referral = event.id if isinstance(data, ReferralSubmitted) else None
    by = data.decided_by.user if isinstance(data, HumanDecision) else event.originsource
    acting = Acting(
        case,
        rules,
        work.now,
        work.id,
        about_leg=about.id if about else None,
        moments=batch.moments,
        referral=referral,
        event_id=event.id,
        kind=taken.kind.value,
        by=by,
        told_by=event.originsource,
        facts=facts.values,
        places=batch.places,
        read_waiting=lambda: batch.read_waiting(case),
    )
    steps = take_joined(event, case, other, acting, work) if joins(event) else _taken(data, case, about, acting, batch)
    if DecidedAgain in map(type, steps):
        steps.append(OwnDecision())
    decision = decide(rules, facts)
    decision_id = work.id()
    if batch.shadow is not None:
        differs = what_differs(rules, decision, batch.shadow, case_event, view, work.now)
        batch.beside.append(Beside(decision_id, batch.shadow.digest, event.id, case.person_id, differs))
    case.remembered = remember(rules, case_event, case.remembered)
    if isinstance(data, ReferralSubmitted):
        case.referral_event, case.lawful_basis = event.id, data.lawful_basis.value
    moved = LegMoved in map(type, steps)
    steps += act(decision, acting)
    if isinstance(data, ProgressReported) and about is not None:
        steps += has_come(case, about, data, acting)
        steps += after_progress(case, about, data, acting) if moved else []
        late = look_again(case, data, batch.decided.get(case.person_id, {}).values(), acting) if moved else []
        steps += [*late, OwnDecision()] if late else []
    steps += follow(case, steps, acting)
    steps += _who_is_it(event, acting)
    steps = with_deadlines(data, _owned(case, steps, event.namedperson), acting)
    enter(case, steps, event_id=event.id, now=work.now)
    if isinstance(taken.decided_on, RiskReported) and case.person_id in batch.telling:  # who may tell of before it
        original = Original(event.id, case_event, decision_id, event.originsource)
        original.done.add(decision.to_json())
        batch.decided.setdefault(case.person_id, {})[event.id] = original
    return decision_id, decision, steps


def _who_is_it(event: Accepted, acting: Acting) -> list[Step]:
    """The question whom an event is about, where intake was not sure."""
    if event.linkquestion is None:
        return []
    standard = acting.rules.otherwise.review
    return ask(
        acting,
        ReviewKind.LINK,
        WHO_IS_IT.get(event.linkquestion, WHO_IS_IT["perhaps_known"]),
        role=standard.role,
        due=standard.due,
        answers=() if event.perhaps else (SAME_PERSON, ANOTHER_PERSON),
    )


def _owned(case: Case, steps: list[Step], person: str | None) -> list[Step]:
    """The same steps, new legs being theirs whom the event named: should they be parted again, it goes with them.

    Not before the case knows that they are one: that word can lie in quarantine, and they have open legs of their own.
    """
    new = {step.leg.id for step in steps if isinstance(step, LegOpened)} if person in case.joined else set()
    if not new:
        return steps
    for id_ in new:
        case.legs[id_] = case.legs[id_]._replace(person_id=person)
    return [
        step._replace(leg=step.leg._replace(person_id=person))
        if isinstance(step, LegOpened | LegMoved | LegNoted | Command) and step.leg.id in new
        else step
        for step in steps
    ]


def _taken(data: Reported, case: Case, about: Leg | None, acting: Acting, batch: Batch) -> list[Step]:
    """What the event itself does, whatever rules say of it."""
    if type(data) is ReferralSubmitted:
        return []
    if isinstance(data, ProgressReported) and about is not None:
        return take_progress(case, about, data, acting)
    if isinstance(data, RiskReported) and data.kind is RiskKind.MISSED_WELFARE_CHECK:
        return reported_missed(case, data.occurred_at, acting)
    if isinstance(data, TimerFellDue):
        return [] if batch.fallen.asks_nothing(data) else fell_due(case, data, acting)
    return take_human(case, data, acting, batch.originals) if isinstance(data, HumanDecision) else []
