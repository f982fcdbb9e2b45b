"""Two cases become one, and two again. Nobody's rows are rewritten: a case is read with those that are joined to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from schemas.human import HumanDecision
from schemas.referral import ReferralSubmitted
from services.router.casework.act import Acting, ask
from services.router.casework.case import Case, Leg
from services.router.casework.steps import (
    CasePlaced,
    LegMoved,
    LegParted,
    NewsParted,
    PersonsRuledOut,
    ReviewAnswered,
    ReviewKind,
    RouteRaised,
    Step,
    TimerCancelled,
)
from services.router.rules.events import CaseEvent, Kept
from services.router.rules.facts import remember, remember_answer
from services.router.rules.mistakes import ImpossibleValue
from services.router.rules.ruleset import RuleSet

PARTED = "This person was taken for one with another for a time. Is what was decided then right for this one?"
APART = "the persons are apart again"
TWO_LEGS = (
    "Two referrals to {label} are open for what is one person; news goes to the older one. Which of them goes on?"
)


class Taken(NamedTuple):
    """An event of a case's history."""

    event_id: str
    person_id: str  # whom it named
    event: CaseEvent


def join(case: Case, other: Case, history: Sequence[Taken], decision: HumanDecision, acting: Acting) -> list[Step]:
    """Take another case into this one. `history` is what happened to both, in the order in which we heard of it."""
    if other is case:  # as after a repeated word: they are one already
        return []
    case.joined += [other.person_id, *other.joined]
    case.legs |= {leg.id: leg._replace(person_id=leg.person_id or other.person_id) for leg in other.legs.values()}
    case.events = sorted([*case.events, *other.events], key=lambda event: event.occurred_at)
    case.offers |= other.offers
    case.pauses |= other.pauses
    case.checks |= other.checks
    case.reviews |= other.reviews
    case.timers |= other.timers
    recall(case, history, acting.rules)
    placed = CasePlaced(other.person_id, case.person_id, tuple(other.joined))
    return [placed, *_one_leg_each(case, acting), *rule_out(case, {case.person_id, *case.joined}, "merged", decision)]


def part(
    case: Case,
    person: str,
    edges: Mapping[str, str],
    history: Sequence[Taken],
    decision: HumanDecision,
    acting: Acting,
) -> list[Step]:
    """Give back what is another's. `edges` tells into whom each is merged who is part of this case."""
    if person not in case.joined:
        return []
    before = dict(edges)
    after = {one: into for one, into in before.items() if one != person}
    gone = {person, *_below(person, after)}
    leaving = {id_: leg for id_, leg in case.legs.items() if leg.person_id in gone}
    steps: list[Step] = [
        CasePlaced(one, after.get(one), _below(one, after))
        for one in before
        if one == person or _below(one, before) != _below(one, after)
    ]
    steps += [LegParted(leg) for leg in leaving.values() if leg.joined_to and leg.joined_to not in leaving]
    for leg in [leg for leg in case.legs.values() if leg.joined_to in leaving and leg.id not in leaving]:
        case.legs[leg.id] = leg._replace(joined_to=None)
        steps.append(LegMoved(leg, case.legs[leg.id], APART))
    parted = {step.leg.id for step in steps if isinstance(step, LegParted | LegMoved)}
    for review in case.reviews.values():
        if review.kind is ReviewKind.TWO_LEGS and not review.answered and review.leg_id in parted:
            steps.append(ReviewAnswered(review.id, decision.decided_by.user, APART))
            # By their ids: they are theirs who leave, and what a case cancels of a question are its own.
            asking = (timer for timer in case.timers.values() if timer.review_id == review.id)
            steps += [TimerCancelled(APART, timer_id=timer.id) for timer in asking]
    whose = {taken.event_id: taken.person_id for taken in history}
    steps += [*_told_of_their_own(case, gone, whose), *_news_of_their_own(case, gone, whose)]
    case.legs = {id_: leg for id_, leg in case.legs.items() if id_ not in leaving}
    case.joined = [one for one in case.joined if one not in gone]
    recall(case, [taken for taken in history if taken.person_id not in gone], acting.rules)
    return steps + look_at_what_was_decided(acting)


def _told_of_their_own(case: Case, gone: Collection[str], whose: Mapping[str, str]) -> list[Step]:
    """Where a route waits, its destination will hear nothing of what was told of the other one."""
    steps: list[Step] = []
    for review in [each for each in case.reviews.values() if each.waiting is not None and not each.answered]:
        waiting, leaves = review.waiting, review.person_id in gone
        assert waiting is not None
        told_in = tuple(id_ for id_ in waiting.told_in if (whose.get(id_) in gone) is leaves)
        if told_in != waiting.told_in:
            case.reviews[review.id] = replace(review, waiting=replace(waiting, told_in=told_in))
            steps.append(RouteRaised(review.id, replace(waiting, told_in=told_in), review.due_at))
    return steps


def _news_of_their_own(case: Case, gone: Collection[str], whose: Mapping[str, str]) -> list[Step]:
    """Who is asked in a leg's stead will hear nothing of what that leg was told of the other one."""
    steps: list[Step] = []
    for leg in [each for each in case.legs.values() if each.told_in]:
        leaves = leg.person_id in gone
        told_in = tuple(id_ for id_ in leg.told_in if (whose.get(id_) in gone) is leaves)
        if told_in != leg.told_in:
            case.legs[leg.id] = leg._replace(told_in=told_in)
            steps.append(NewsParted(leg.id, told_in))
    return steps


def look_at_what_was_decided(acting: Acting) -> list[Step]:
    """Ask a human whether what was decided of two as one is right for this one."""
    standard = acting.rules.otherwise.review
    return ask(acting, ReviewKind.RULE, PARTED, role=standard.role, due=standard.due)


def rule_out(case: Case, persons: Collection[str], answer: str, decision: HumanDecision) -> list[Step]:
    """These persons are no longer to be asked about; a question about nobody else is answered by that."""
    steps: list[Step] = []
    for review in list(case.reviews.values()):
        if review.kind is not ReviewKind.LINK or review.answered or not set(review.perhaps) & set(persons):
            continue
        remaining = tuple(person for person in review.perhaps if person not in persons)
        case.reviews[review.id] = replace(review, perhaps=remaining, answered=not remaining)
        steps.append(
            PersonsRuledOut(review.id, remaining)
            if remaining
            else ReviewAnswered(review.id, decision.decided_by.user, answer)
        )
    return steps


def recall(case: Case, history: Sequence[Taken], rules: RuleSet) -> None:
    """Give a case the memory that these events leave: as if it had always been the case of whom they are about."""
    remembered: Mapping[str, Kept] = {}
    case.referral_event = case.lawful_basis = None
    for taken in history:
        remembered = remember(rules, taken.event, remembered)
        said = taken.event.payload
        if isinstance(said, ReferralSubmitted):
            case.referral_event, case.lawful_basis = taken.event_id, said.lawful_basis.value
        elif isinstance(said, HumanDecision) and said.value is not None:
            fact = rules.facts.get(said.fact or "")
            if fact is not None:
                with suppress(ImpossibleValue):  # said to rules that are no more
                    remembered = remember_answer(rules, remembered, fact.name, fact.value_said(said.value))
    case.remembered = remembered


def _one_leg_each(case: Case, acting: Acting) -> list[Step]:
    """Of two open legs to one destination the older one goes on for both; a human says what becomes of the other."""
    steps: list[Step] = []
    standard = acting.rules.otherwise.review
    first: dict[str, Leg] = {}
    for leg in sorted(case.legs.values(), key=lambda leg: (leg.opened_at, leg.id)):
        if leg.closed or leg.joined_to is not None:
            continue
        older = first.setdefault(leg.destination, leg)
        if older is leg:
            continue
        case.legs[leg.id] = leg._replace(joined_to=older.id)
        steps.append(LegMoved(leg, case.legs[leg.id], "joined to the leg of who is the same person"))
        destination = acting.rules.destinations.get(leg.destination)
        question = TWO_LEGS.format(label=destination.label if destination else leg.destination)
        steps += ask(acting, ReviewKind.TWO_LEGS, question, role=standard.role, due=standard.due, leg_id=leg.id)
    return steps


def _below(person: str, edges: Mapping[str, str]) -> tuple[str, ...]:
    """Everybody who is merged into a person, or into one of those."""
    found: list[str] = []
    waiting = [person]
    while waiting:
        into = waiting.pop()
        those = sorted(one for one, other in edges.items() if other == into)
        found += those
        waiting += those
    return tuple(sorted(found))
