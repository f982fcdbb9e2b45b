"""Reading 1: what a rule set says of one event. Pure and total; needs no clock and no store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import TypeVar

from services.router.rules.combine import Combined, Wishes, combine
from services.router.rules.compile import EVENT, Explainer
from services.router.rules.decision import (
    Decision,
    Matched,
    Question,
    ReviewDecided,
    TrueTest,
    Unknown,
)
from services.router.rules.due import Due, sooner
from services.router.rules.explain import hanging_on
from services.router.rules.facts import Facts
from services.router.rules.language import Escalate, Hold, Review, Route, Rule
from services.router.rules.ruleset import RuleSet

K = TypeVar("K")
V = TypeVar("V")


def decide(rules: RuleSet, facts: Facts) -> Decision:
    """What the rule set says of one event. Every action carries the rules that asked for it."""
    hit, hanging = rules.matchers[str(facts.values[EVENT])](facts.values)
    certain = _in_force(rules, hit, facts)
    unsure = _in_force(rules, hanging, facts) if hanging else []
    acted = [asks for asks in unsure if asks.rule.if_unknown == "act"]
    combined = combine(certain, acted, rules.otherwise)
    questions = _questions(rules, _that_matter(rules, certain, acted, unsure, combined), facts) if unsure else ()
    return Decision(
        digest=rules.digest,
        facts=facts,
        routes=_in_order(combined.routes),
        offers=_in_order(combined.offers),
        resumes=_in_order(combined.resumes),
        holds=_in_order(combined.holds),
        reviews=_reviews(rules, combined, questions),
        notifies=_in_order(combined.notifies),
        escalations=_in_order(combined.escalations),
        records=_in_order(combined.records),
        withheld=tuple(sorted(combined.withheld)),
        questions=questions,
        matched=(
            *_matched(certain, rules.why_they_hold, facts, certain=True),
            *_matched(acted, rules.why_they_act, facts, certain=False),
        ),
        unknown=tuple(_unknown(rules, asks.rule, facts) for asks in unsure),
    )


def _in_force(rules: RuleSet, places: Iterable[int], facts: Facts) -> list[Wishes]:
    """The rules at these places that apply on the day of the decision."""
    found = [rules.wishes[place] for place in places]
    return [asks for asks in found if asks.rule.in_force(facts.day)] if rules.some_are_dated else found


def _that_matter(
    rules: RuleSet, certain: list[Wishes], acted: Sequence[Wishes], unsure: Sequence[Wishes], outcome: Combined
) -> list[Rule]:
    """The rules whose answer could change what is done.

    A floor that acted already is held against what is certain: without it, would less be done?
    """
    bases = {"ask": (acted, outcome.effects())}
    if acted:
        bases["act"] = ((), combine(certain, (), rules.otherwise).effects())
    matter = []
    for asks in unsure:
        if asks.rule.if_unknown in bases:
            beside, before = bases[asks.rule.if_unknown]
            if combine([*certain, asks], beside, rules.otherwise).effects() != before:
                matter.append(asks.rule)
    return matter


def _questions(rules: RuleSet, matter: Iterable[Rule], facts: Facts) -> tuple[Question, ...]:
    """One question a fact, with the most urgent due of the rules that hang on it."""
    asked: dict[str, Question] = {}
    for rule in matter:
        due = _most_urgent(rule, rules.otherwise.review.due)
        for name in hanging_on(rule.when, rules.facts, facts.values):
            before = asked.get(name)
            if before is None:
                asked[name] = Question(name, rules.facts[name].ask, due, (rule.id,))
            else:
                asked[name] = before._replace(due=sooner(before.due, due), rules=(*before.rules, rule.id))
    return _in_order(asked)


def _most_urgent(rule: Rule, otherwise: Due) -> Due:
    dues = [action.due for action in rule.then if isinstance(action, Route | Hold | Review | Escalate)]
    return reduce(sooner, dues) if dues else otherwise


def _reviews(rules: RuleSet, combined: Combined, questions: tuple[Question, ...]) -> tuple[ReviewDecided, ...]:
    """The reviews that rules ask for; where nothing at all would be done, the one that stands for silence."""
    if combined.does_something() or questions:
        return _in_order(combined.reviews)
    review = rules.otherwise.review
    held_back = {reason for withheld in combined.withheld for reason in withheld.held_back_by}
    return (ReviewDecided(review.question, review.role, review.due, tuple(sorted(held_back))),)


def _matched(asked: Iterable[Wishes], why: Mapping[str, Explainer], facts: Facts, *, certain: bool) -> list[Matched]:
    values, origins = facts.values, facts.origins
    matched = []
    for asks in asked:
        rule = asks.rule
        tests = tuple([TrueTest(said, fact, values[fact], origins[fact]) for said, fact in why[rule.id](values)])
        matched.append(Matched(rule.id, rule.because, rule.tier, certain, tests))
    return matched


def _unknown(rules: RuleSet, rule: Rule, facts: Facts) -> Unknown:
    return Unknown(rule.id, rule.if_unknown, hanging_on(rule.when, rules.facts, facts.values))


def _in_order(part: Mapping[K, V]) -> tuple[V, ...]:
    """The items by key; most parts hold one or none."""
    return tuple(part.values()) if len(part) < 2 else tuple([item for _, item in sorted(part.items(), key=_key)])


def _key(entry: tuple[object, object]) -> str:
    return str(entry[0])
