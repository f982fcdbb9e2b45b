"""Reading 1: what a rule set says of one event. Pure and total; needs no clock and no store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import NamedTuple

from services.router.rules.combine import Combined, combine, in_order
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

SETTLED_MOST = 10_000  # outcomes that a rule set remembers
EXPLAINED_MOST = 256  # explanations that it remembers of each rule


def decide(rules: RuleSet, facts: Facts) -> Decision:
    """What the rule set says of one event. Every action carries the rules that asked for it."""
    hit, hanging = rules.matchers[str(facts.values[EVENT])](facts.values)
    return decide_on(rules, facts, hit, hanging)


def decide_on(rules: RuleSet, facts: Facts, hit: list[int], hanging: list[int]) -> Decision:
    """What follows where the rules at these places hold, and those at the others hang on an unknown."""
    certain = _in_force(rules, hit, facts)
    unsure = _in_force(rules, hanging, facts)
    acted, combined, questions, reviews = settle(
        rules, certain, unsure, lambda place: hanging_on(rules.rules[place].when, rules.facts, facts.values)
    )
    outcome = combined.outcome()
    matched = _matched(rules, certain, rules.why_they_hold, facts, certain=True)
    if acted:
        matched += _matched(rules, acted, rules.why_they_act, facts, certain=False)
    unknown = tuple([_unknown(rules, rules.wishes[place].rule, facts) for place in unsure])
    if reviews is not outcome.reviews:
        outcome = outcome._replace(reviews=reviews)
    return Decision(rules.digest, facts, *outcome, questions, tuple(matched), unknown)


class Settled(NamedTuple):
    """What follows from which rules hold and which hang on what; it needs no values of facts."""

    acted: list[int]  # floors that are acted on although a fact is unknown
    combined: Combined
    questions: tuple[Question, ...]
    reviews: tuple[ReviewDecided, ...]


def settle(rules: RuleSet, certain: list[int], unsure: list[int], hanging: Callable[[int], tuple[str, ...]]) -> Settled:
    """What follows where the rules at some places hold, and those at others hang on the facts that `hanging` tells."""
    acted = [place for place in unsure if rules.wishes[place].rule.if_unknown == "act"]
    combined = _combined(rules, tuple(certain), tuple(acted))
    questions = _questions(rules, _that_matter(rules, certain, acted, unsure, combined), hanging) if unsure else ()
    return Settled(acted, combined, questions, _reviews(rules, combined, questions))


def _in_force(rules: RuleSet, places: list[int], facts: Facts) -> list[int]:
    """The rules at these places that apply on the day of the decision."""
    if not rules.some_are_dated:
        return places
    return [place for place in places if rules.wishes[place].rule.in_force(facts.day)]


def _combined(rules: RuleSet, certain: tuple[int, ...], acted: tuple[int, ...]) -> Combined:
    """The outcome of these rules. It depends on nothing else, and the same few sets of rules hold again and again."""
    known = rules.settled.get((certain, acted))
    if known is None:
        wishes = rules.wishes
        known = combine([wishes[place] for place in certain], [wishes[place] for place in acted], rules.otherwise)
        if len(rules.settled) >= SETTLED_MOST:
            rules.settled.clear()
        rules.settled[certain, acted] = known
    return known


def _that_matter(
    rules: RuleSet, certain: list[int], acted: list[int], unsure: list[int], outcome: Combined
) -> list[int]:
    """The rules, by place, whose answer could change what is done.

    A floor that acted already is held against what is certain: without it, would less be done?
    """
    bases = {"ask": (tuple(acted), outcome.effects())}
    if acted:
        bases["act"] = ((), _combined(rules, tuple(certain), ()).effects())
    matter = []
    for place in unsure:
        rule = rules.wishes[place].rule
        if rule.if_unknown in bases:
            beside, before = bases[rule.if_unknown]
            if _combined(rules, tuple(sorted([*certain, place])), beside).effects() != before:
                matter.append(place)
    return matter


def _questions(
    rules: RuleSet, matter: Iterable[int], hanging: Callable[[int], tuple[str, ...]]
) -> tuple[Question, ...]:
    """One question a fact, with the most urgent due of the rules that hang on it."""
    asked: dict[str, Question] = {}
    for place in matter:
        rule = rules.wishes[place].rule
        due = most_urgent(rule, rules.otherwise.review.due)
        for name in hanging(place):
            before = asked.get(name)
            if before is None:
                asked[name] = Question(name, rules.facts[name].ask, due, (rule.id,))
            else:
                asked[name] = before._replace(due=sooner(before.due, due), rules=(*before.rules, rule.id))
    return in_order(asked)


def most_urgent(rule: Rule, otherwise: Due) -> Due:
    """By when what is not known of a rule is asked for."""
    dues = [action.due for action in rule.then if isinstance(action, Route | Hold | Review | Escalate)]
    return reduce(sooner, dues) if dues else otherwise


def _reviews(rules: RuleSet, combined: Combined, questions: tuple[Question, ...]) -> tuple[ReviewDecided, ...]:
    """The reviews that rules ask for; where nothing at all would be done, the one that stands for silence."""
    if combined.does_something() or questions:
        return combined.outcome().reviews
    review = rules.otherwise.review
    held_back = {reason for withheld in combined.withheld for reason in withheld.held_back_by}
    return (ReviewDecided(review.question, review.role, review.due, tuple(sorted(held_back))),)


def _matched(
    rules: RuleSet, places: list[int], why: Mapping[str, Explainer], facts: Facts, *, certain: bool
) -> list[Matched]:
    values, origins = facts.values, facts.origins
    matched = []
    for place in places:
        asks = rules.wishes[place]
        rule, reads, explained = asks.rule, asks.reads, asks.explained
        it_was = (certain, *map(values.__getitem__, reads), *map(origins.__getitem__, reads))
        known = explained.get(it_was)
        if known is None:
            tests = tuple([TrueTest(said, fact, values[fact], origins[fact]) for said, fact in why[rule.id](values)])
            known = Matched(rule.id, rule.because, rule.tier, certain, tests)
            if len(explained) >= EXPLAINED_MOST:
                explained.clear()
            explained[it_was] = known
        matched.append(known)
    return matched


def _unknown(rules: RuleSet, rule: Rule, facts: Facts) -> Unknown:
    return Unknown(rule.id, rule.if_unknown, hanging_on(rule.when, rules.facts, facts.values))
