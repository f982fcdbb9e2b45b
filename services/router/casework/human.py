"""What a human's decision does to a case: a table from each kind to what it does.

Every function raises Unacceptable, before it changes anything, for what cannot be decided so. Then nothing is kept
but the refusal, which its sender is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final, TypeAlias

from schemas.human import HumanDecision
from schemas.referral import ReferralSubmitted
from schemas.vocabulary import DecisionKind, TimerKind
from services.router.casework.act import CONFIRM, NOT_KNOWN, REFUSE, Acting, ask, refer_as_asked
from services.router.casework.again import Original, decide_again
from services.router.casework.case import Case
from services.router.casework.corrections import DECIDED as CORRECTIONS
from services.router.casework.corrections import Decided
from services.router.casework.decided import TAKES as RESTS
from services.router.casework.joining import rule_out
from services.router.casework.reroute import open_instead
from services.router.casework.resting import today
from services.router.casework.reviews import Review, WaitingRoute, refused, require_role
from services.router.casework.steps import ReviewAnswered, ReviewKind, ReviewSnoozed, Step, TimerCancelled, TimerSet
from services.router.rules.facts import remember_answer
from services.router.rules.language import Role
from services.router.rules.mistakes import ImpossibleValue

LONGEST_SNOOZE: Final = timedelta(days=14)
LONGEST_KEPT: Final = timedelta(days=20 * 365)  # then somebody looks again, whatever was said
DISPOSE, KEEP = "dispose", "keep"  # the answers to whether a closed case is kept
SAME_PERSON, ANOTHER_PERSON = "same_person", "another_person"  # answers to a question of identity about nobody else

Originals: TypeAlias = Mapping[str, Original]  # the events that the named reviews were asked about, by event id
Takes: TypeAlias = Callable[[Case, HumanDecision, Acting, Originals], list[Step]]
Answers: TypeAlias = Callable[[Case, HumanDecision, Review, Acting, Originals], list[Step]]


def take_human(case: Case, decision: HumanDecision, acting: Acting, originals: Originals) -> list[Step]:
    """Do what a human decided. The case is changed; the steps are what to write down and send."""
    takes = TAKES.get(decision.kind)
    return takes(case, decision, acting, originals) if takes is not None else _of_a_leg(case, decision, acting)


def open_review(case: Case, decision: HumanDecision, *kinds: ReviewKind) -> Review:
    """The question that a decision answers. Raises Unacceptable where this human cannot answer it, or nobody can."""
    if decision.review_id is None:
        raise refused("which_review", "/review_id", "must name the review that is answered")
    review = case.reviews.get(decision.review_id)
    if review is None:
        raise refused("unknown_review", "/review_id", "is no review of this person")
    if review.answered:
        raise refused("already_answered", "/review_id", "was answered already")
    if kinds and review.kind not in kinds:
        raise refused("another_kind_of_review", "/review_id", f"asks something else: {review.kind}")
    require_role(decision.decided_by.role, review.role)
    return review


def close_review(case: Case, review: Review, decision: HumanDecision, answer: str) -> list[Step]:
    """The question is answered, once and for all."""
    case.reviews[review.id] = replace(review, answered=True)
    return [ReviewAnswered(review.id, decision.decided_by.user, answer)]


def answer_review(case: Case, decision: HumanDecision, acting: Acting, originals: Originals) -> list[Step]:
    """Answer a question of any kind."""
    review = open_review(case, decision)
    if decision.fact is not None and decision.fact != review.fact:
        asked = f"asks for {review.fact}" if review.fact else "asks for no fact"
        raise refused("another_fact", "/fact", f"the review {asked}")
    return ANSWERS.get(review.kind, answer_in_words)(case, decision, review, acting, originals)


def answer_in_words(
    case: Case,
    decision: HumanDecision,
    review: Review,
    acting: Acting,  # noqa: ARG001 - of the table's one shape
    originals: Originals,  # noqa: ARG001
) -> list[Step]:
    """Close a question with one of the answers that it offers, or in the human's own words where it offers none."""
    _require_offered(decision, review)
    return close_review(case, review, decision, decision.answer or decision.reason)


def confirm_route(case: Case, decision: HumanDecision, acting: Acting, originals: Originals) -> list[Step]:
    """Take the route that waited for a human's word."""
    return _confirm(case, decision, open_review(case, decision, ReviewKind.CONFIRM_ROUTE), acting, originals)


def refuse_route(case: Case, decision: HumanDecision, acting: Acting, originals: Originals) -> list[Step]:  # noqa: ARG001
    """Let a route go that waited for a human's word: recorded with who and why, and nothing is opened."""
    return _refuse(case, decision, open_review(case, decision, ReviewKind.CONFIRM_ROUTE), acting)


def snooze(case: Case, decision: HumanDecision, acting: Acting, originals: Originals) -> list[Step]:  # noqa: ARG001
    """Put a question off for some days. It comes back, and how often it was put off is counted."""
    review = open_review(case, decision)
    if decision.until is None or decision.until <= acting.now:
        raise refused("not_ahead", "/until", "must be still to come")
    if decision.until > acting.now + LONGEST_SNOOZE:
        raise refused("too_far_ahead", "/until", f"must be at most {LONGEST_SNOOZE.days} days ahead")
    case.reviews[review.id] = replace(review, due_at=decision.until)
    return [
        ReviewSnoozed(review.id, decision.until),
        TimerCancelled("put off", review_id=review.id),
        TimerSet(acting.new_id(), TimerKind.SNOOZE, decision.until, review_id=review.id),
    ]


def keep_apart(case: Case, decision: HumanDecision, acting: Acting, originals: Originals) -> list[Step]:  # noqa: ARG001
    """Two persons are not one: the questions whether they are are answered. Intake remembers it, and asks no more."""
    pair = {person for person in (decision.person_id, decision.other_person_id) if person is not None}
    return rule_out(case, pair, "kept_apart", decision)


def _fact(case: Case, decision: HumanDecision, review: Review, acting: Acting, originals: Originals) -> list[Step]:
    """Decide the event that lacked a fact again, with the fact. What nobody can find out stays unknown."""
    place = "/answer" if decision.value is None else "/value"
    said = decision.answer if decision.value is None else decision.value
    if said is None:
        raise refused("no_answer", "/value", f"must say {review.fact}, or answer {NOT_KNOWN}")
    original = originals.get(review.event_id)
    fact = acting.rules.facts.get(review.fact or "")
    if said == NOT_KNOWN or original is None or fact is None:  # rules in force now may not know the fact any more
        return close_review(case, review, decision, said)
    try:
        value = fact.value_said(said)
    except ImpossibleValue:
        may_be = " or ".join((*(fact.answers or ("a whole number",)), NOT_KNOWN))
        raise refused("impossible_value", place, f"must be {may_be}") from None
    steps = close_review(case, review, decision, said)
    original.answers[fact.name] = said
    case.remembered = remember_answer(acting.rules, case.remembered, fact.name, value)
    return steps + decide_again(case, original, acting)


def _waiting_route(
    case: Case,
    decision: HumanDecision,
    review: Review,
    acting: Acting,
    originals: Originals,
) -> list[Step]:
    _require_offered(decision, review)
    if decision.answer == CONFIRM:
        return _confirm(case, decision, review, acting, originals)
    return _refuse(case, decision, review, acting)


def _confirm(case: Case, decision: HumanDecision, review: Review, acting: Acting, originals: Originals) -> list[Step]:
    waiting = _waiting(review, acting)
    steps = close_review(case, review, decision, CONFIRM)
    leg = case.legs.get(review.leg_id or "")
    if leg is not None and case.open_leg(waiting.route.destination) is None:  # it waited to take this one's place
        return steps + open_instead(leg, acting.rules.destinations[waiting.route.destination], acting)
    return steps + refer_as_asked(review, waiting.route, _about(review, originals, acting))


def _about(review: Review, originals: Originals, acting: Acting) -> Acting:
    """What is opened by the answer stems from the event that was asked about."""
    original = originals.get(review.event_id)
    if original is None:
        return replace(acting, event_id=review.event_id, referral=None)
    is_referral = isinstance(original.event.payload, ReferralSubmitted)
    kind = original.event.kind.value
    return replace(acting, event_id=review.event_id, kind=kind, referral=review.event_id if is_referral else None)


def _refuse(case: Case, decision: HumanDecision, review: Review, acting: Acting) -> list[Step]:
    waiting = _waiting(review, acting)
    if waiting.route.tier == "floor":
        raise refused("never_refused", "/review_id", "a safety rule asks for this route: it is never refused")
    if acting.rules.destinations[waiting.route.destination].side == "other_party":
        raise refused("never_refused", "/review_id", "this route is for the other party's safety: it is never refused")
    return close_review(case, review, decision, REFUSE)


def _waiting(review: Review, acting: Acting) -> WaitingRoute:
    if review.waiting is None or review.waiting.route.destination not in acting.rules.destinations:
        raise refused("no_such_route", "/review_id", "the rules in force know no such destination")
    return review.waiting


def _identity(case: Case, decision: HumanDecision, review: Review, acting: Acting, originals: Originals) -> list[Step]:
    """Is this the person that we know? Where somebody else is named, merging or keeping apart is the answer."""
    if review.perhaps:
        raise refused("merge_or_keep_apart", "/kind", "answer with merge_persons or keep_persons_apart")
    steps = answer_in_words(case, decision, review, acting, originals)
    if decision.answer == ANOTHER_PERSON:
        standard = acting.rules.otherwise.review
        question = (
            "An event here is about another person. Has its source sent it again, rightly named, and what of here?"
        )
        steps += ask(acting, ReviewKind.RULE, question, role=standard.role, due=standard.due)
    return steps


def _retention(
    case: Case,
    decision: HumanDecision,
    review: Review,
    acting: Acting,
    originals: Originals,  # noqa: ARG001 - of the table's one shape
) -> list[Step]:
    """Whether a closed case is kept, perhaps until a day on which it is asked about again."""
    _require_offered(decision, review)
    now_day, on = today(acting.now), decision.on
    if on is not None and decision.answer != KEEP:
        raise refused("not_kept", "/on", f"should be said of a case that is kept: answer {KEEP}")
    if on is not None and on <= now_day:
        raise refused("not_ahead", "/on", "must be after today")
    if on is not None and on > now_day + LONGEST_KEPT:
        raise refused("too_far_ahead", "/on", f"must be at most {LONGEST_KEPT.days // 365} years ahead")
    [answered] = close_review(case, review, decision, decision.answer or "")
    assert isinstance(answered, ReviewAnswered)
    return [answered._replace(keep_until=on)]


def _require_offered(decision: HumanDecision, review: Review) -> None:
    if review.answers and decision.answer not in review.answers:
        raise refused("not_offered", "/answer", f"must be {' or '.join(review.answers)}")


def _of_a_leg(case: Case, decision: HumanDecision, acting: Acting) -> list[Step]:
    """What changes a leg, an offer, a pause or a check; the question that it names is answered by it."""
    review = open_review(case, decision) if decision.review_id is not None else None
    if review is not None:
        _require_an_answer(decision, review)
    require_role(decision.decided_by.role, LEAST_ROLE.get(decision.kind, Role.FACILITATOR))
    steps = CHANGES[decision.kind](case, decision, acting)
    if review is not None and case.open_review(review.id) is not None:
        steps += close_review(case, review, decision, decision.answer or decision.reason)
    return steps


def _require_an_answer(decision: HumanDecision, review: Review) -> None:
    """A question with an answer of its own is answered by nothing else: what it watches over would fall silent."""
    answers = ANSWERED_BY.get(review.kind)
    if answers is None:
        return
    if decision.kind not in answers:
        raise refused("another_kind_of_review", "/review_id", f"asks something else: {review.kind}")
    if decision.leg_id != review.leg_id:
        raise refused("another_leg", "/leg_id", "is not the leg that the review asks about")


CHANGES: Final[Mapping[DecisionKind, Decided]] = MappingProxyType({**CORRECTIONS, **RESTS})
LEAST_ROLE: Final[Mapping[DecisionKind, Role]] = MappingProxyType(
    {DecisionKind.MUTE_CHECKS: Role.PROGRAMME_MANAGER}  # it takes away what else would bring silence to light
)

_HOW_IT_GOES_ON: Final = frozenset(
    {DecisionKind.RESUME_LEG, DecisionKind.EXTEND_PAUSE, DecisionKind.CLOSE_LEG, DecisionKind.CORRECT_STATUS}
)
# Which decisions on a leg answer the questions that have answers of their own. Any that names it answers another.
ANSWERED_BY: Final[Mapping[ReviewKind, frozenset[DecisionKind]]] = MappingProxyType(
    {
        ReviewKind.FACT: frozenset(),
        ReviewKind.CONFIRM_ROUTE: frozenset(),
        ReviewKind.LINK: frozenset(),
        ReviewKind.OFFER_LAPSED: frozenset({DecisionKind.AGREE_OFFER, DecisionKind.DECLINE_OFFER}),
        ReviewKind.PAUSE_END: _HOW_IT_GOES_ON,
        ReviewKind.UNTIMED_HOLD: _HOW_IT_GOES_ON,
        ReviewKind.WELFARE_CHECK: frozenset(
            {DecisionKind.RECORD_CHECK, DecisionKind.RESCHEDULE_CHECK, DecisionKind.MUTE_CHECKS}
        ),
    }
)

TAKES: Final[Mapping[DecisionKind, Takes]] = MappingProxyType(
    {
        DecisionKind.ANSWER_REVIEW: answer_review,
        DecisionKind.CONFIRM_ROUTE: confirm_route,
        DecisionKind.REFUSE_ROUTE: refuse_route,
        DecisionKind.SNOOZE: snooze,
        DecisionKind.KEEP_PERSONS_APART: keep_apart,
    }
)

# Kinds that are not here are closed with an answer of theirs, or in the human's own words.
ANSWERS: Final[Mapping[ReviewKind, Answers]] = MappingProxyType(
    {
        ReviewKind.FACT: _fact,
        ReviewKind.CONFIRM_ROUTE: _waiting_route,
        ReviewKind.LINK: _identity,
        ReviewKind.RETENTION: _retention,
    }
)
