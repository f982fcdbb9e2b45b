"""Combining depends on the set of rules alone; safety is never taken back; nothing ends in silence."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.router.rules.combine import combine, wishes_of
from services.router.rules.decide import decide
from services.router.rules.decision import Decision
from services.router.rules.due import Due
from services.router.rules.language import (
    Action,
    All,
    Any,
    Condition,
    FactValue,
    In,
    Is,
    OfferPause,
    ProposeResume,
    Record,
    Route,
    Rule,
    Withhold,
)
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.naive import UNKNOWN, YES, kleene
from tests.unit.router.rules.small_rule_set import load
from tests.unit.router.rules.strategies import FACTS, facts, known_values, partly_known_values, rule_lists

Values = dict[str, FactValue]
FOUR_HOURS, TWO_DAYS = Due(hours=4), Due(working_days=2)
ALWAYS = In("event", ("referral", "relapse"))
YES_FACT = Is("yes", True)
often = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    return load(tmp_path_factory.mktemp("small"))


def made(small: RuleSet, rules: list[Rule]) -> RuleSet:
    in_order = tuple(sorted(rules, key=lambda rule: rule.id))
    return RuleSet("sha256:test", FACTS, small.destinations, small.calendar, in_order, small.otherwise, small.pathway)


def values(**known: FactValue) -> Values:
    return {**dict.fromkeys(FACTS, None), "event": "referral", **known}


def ordinary(name: str, *then: Action, when: Condition = ALWAYS) -> Rule:
    return Rule(name, f"Because of {name}.", when, then)


def floor(name: str, *then: Action, when: Condition = ALWAYS, act: str = "ask") -> Rule:
    return Rule(name, f"Because of {name}.", when, then, "act" if act == "act" else "ask", "floor")


def effects(decision: Decision) -> object:
    """What a decision does, without reasons, questions and explanations."""
    parts = (decision.routes, decision.offers, decision.resumes, decision.holds, decision.reviews)
    more = (decision.notifies, decision.escalations, decision.records)
    return [[item[:-1] for item in part] for part in (*parts, *more)]


@often
@given(rule_lists(), partly_known_values(), st.randoms(use_true_random=False))
def test_the_order_of_rules_never_matters(small: RuleSet, rules: list[Rule], known: Values, random: object) -> None:
    certain = [wishes_of(rule) for rule in rules if kleene(rule.when, FACTS, known) == YES]
    turned = sorted(certain, key=lambda _: random.random())  # type: ignore[attr-defined]
    one, other = combine(certain, (), small.otherwise), combine(turned, (), small.otherwise)
    assert (one.routes, one.effects()) == (other.routes, other.effects())
    assert sorted(one.withheld) == sorted(other.withheld)


@often
@given(rule_lists(), partly_known_values())
def test_a_floor_that_holds_or_acts_is_always_routed_as_urgently_as_it_asks(
    small: RuleSet, rules: list[Rule], known: Values
) -> None:
    routes = {route.destination: route for route in decide(made(small, rules), facts(known)).routes}
    for rule in rules:
        truth = kleene(rule.when, FACTS, known)
        if rule.tier == "floor" and (truth == YES or (truth == UNKNOWN and rule.if_unknown == "act")):
            for action in rule.then:
                if isinstance(action, Route):
                    assert routes[action.destination].priority <= action.priority
                    assert routes[action.destination].tier == "floor"


@often
@given(rule_lists(), partly_known_values())
def test_every_ordinary_wish_is_routed_or_shown_as_held_back_by_a_rule_that_certainly_holds(
    small: RuleSet, rules: list[Rule], known: Values
) -> None:
    decision = decide(made(small, rules), facts(known))
    routed = {(route.destination, reason.rule) for route in decision.routes for reason in route.reasons}
    held = {(item.destination, reason.rule) for item in decision.withheld for reason in item.reasons}
    certain = [rule for rule in rules if kleene(rule.when, FACTS, known) == YES]
    withholds = {
        name for rule in certain for action in rule.then if isinstance(action, Withhold) for name in _of(action)
    }
    for rule in certain:
        for action in rule.then:
            if isinstance(action, Route):
                where = held if rule.tier == "ordinary" and action.destination in withholds else routed
                assert (action.destination, rule.id) in where


def _of(action: Withhold) -> tuple[str, ...]:
    return action.destinations


@often
@given(rule_lists(), partly_known_values())
def test_no_event_ever_ends_in_silence(small: RuleSet, rules: list[Rule], known: Values) -> None:
    decision = decide(made(small, rules), facts(known))
    before_a_human = decision.reviews or decision.holds or decision.questions or decision.escalations
    done = decision.routes or decision.offers or decision.resumes or decision.notifies
    assert before_a_human or done or (decision.records and not decision.withheld)


@often
@given(rule_lists(), partly_known_values(), known_values())
def test_where_nothing_is_asked_no_answer_changes_what_is_done(
    small: RuleSet, rules: list[Rule], known: Values, answers: Values
) -> None:
    if any("Known" in repr(rule.when) for rule in rules):
        return  # that test is about knowing itself
    together = made(small, rules)
    decision = decide(together, facts(known))
    if not decision.questions:
        filled = {name: answers[name] if value is None else value for name, value in known.items()}
        assert effects(decide(together, facts(filled))) == effects(decision)


@often
@given(rule_lists(), partly_known_values())
def test_a_fact_is_asked_once_and_only_where_it_is_unknown(small: RuleSet, rules: list[Rule], known: Values) -> None:
    asked = [question.fact for question in decide(made(small, rules), facts(known)).questions]
    assert asked == sorted(set(asked))
    assert all(known[fact] is None for fact in asked)


@often
@given(rule_lists(), partly_known_values())
def test_one_leg_is_never_paused_and_resumed_at_once(small: RuleSet, rules: list[Rule], known: Values) -> None:
    decision = decide(made(small, rules), facts(known))
    paused = {offer.destination for offer in decision.offers}
    assert paused.isdisjoint({resume.destination for resume in decision.resumes})


@often
@given(rule_lists(), partly_known_values())
def test_equal_decisions_are_equal_text(small: RuleSet, rules: list[Rule], known: Values) -> None:
    one = decide(made(small, rules), facts(known)).to_json()
    other = decide(made(small, list(reversed(rules))), facts(dict(reversed(known.items())))).to_json()
    assert json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def test_a_destination_gets_the_best_priority_the_earliest_due_and_every_reason(small: RuleSet) -> None:
    rules = made(
        small, [ordinary("a", Route("dapp", 3, FOUR_HOURS, "human")), ordinary("b", Route("dapp", 2, TWO_DAYS))]
    )
    (route,) = decide(rules, facts(values())).routes
    assert (route.priority, route.due, route.confirm) == (2, Due(hours=4, working_days=2), None)
    assert [reason.rule for reason in route.reasons] == ["a", "b"]


def test_a_route_waits_for_a_human_only_where_every_rule_wants_that(small: RuleSet) -> None:
    rules = made(
        small, [ordinary("a", Route("dapp", 2, TWO_DAYS, "human")), ordinary("b", Route("rehab", 2, TWO_DAYS))]
    )
    assert {route.destination: route.confirm for route in decide(rules, facts(values())).routes} == {
        "dapp": "human",
        "rehab": None,
    }


def test_a_floor_stands_where_the_ordinary_wish_is_held_back(small: RuleSet) -> None:
    rules = made(
        small,
        [
            floor("floor", Route("rehab", 2, TWO_DAYS)),
            ordinary("wish", Route("rehab", 1, FOUR_HOURS)),
            ordinary("without-consent", Withhold(("rehab",))),
        ],
    )
    decision = decide(rules, facts(values()))
    (route,), (withheld,) = decision.routes, decision.withheld
    assert (route.priority, route.tier, [reason.rule for reason in route.reasons]) == (2, "floor", ["floor"])
    assert [reason.rule for reason in withheld.held_back_by] == ["without-consent"]
    assert [reason.rule for reason in withheld.reasons] == ["wish"]


def test_an_unknown_withholder_withholds_nothing_and_is_asked_about(small: RuleSet) -> None:
    rules = made(
        small, [ordinary("wish", Route("dapp", 2, TWO_DAYS)), ordinary("hold", Withhold(("dapp",)), when=YES_FACT)]
    )
    decision = decide(rules, facts(values()))
    assert [route.destination for route in decision.routes] == ["dapp"]
    assert [question.fact for question in decision.questions] == ["yes"]


def test_a_floor_that_acts_on_the_unknown_withholds_nothing(small: RuleSet) -> None:
    both = floor("floor", Route("victim_safety", 1, FOUR_HOURS), Withhold(("dapp",)), when=YES_FACT, act="act")
    decision = decide(made(small, [both, ordinary("wish", Route("dapp", 2, TWO_DAYS))]), facts(values()))
    assert [route.destination for route in decision.routes] == ["dapp", "victim_safety"]


def test_a_floor_acts_on_the_unknown_and_asks_as_well(small: RuleSet) -> None:
    rules = made(small, [floor("floor", Route("victim_safety", 1, FOUR_HOURS), when=YES_FACT, act="act")])
    decision = decide(rules, facts(values()))
    assert [(route.destination, route.priority) for route in decision.routes] == [("victim_safety", 1)]
    (question,) = decision.questions
    assert (question.fact, question.question, question.due, question.rules) == (
        "yes",
        "What is yes?",
        FOUR_HOURS,
        ("floor",),
    )
    assert [(matched.rule, matched.certain) for matched in decision.matched] == [("floor", False)]


def test_what_is_certain_is_done_now_beside_the_question(small: RuleSet) -> None:
    rules = made(
        small,
        [
            ordinary("sure", Route("addiction", 2, TWO_DAYS)),
            ordinary("unsure", Route("dapp", 1, FOUR_HOURS), when=YES_FACT),
        ],
    )
    decision = decide(rules, facts(values()))
    assert [route.destination for route in decision.routes] == ["addiction"]
    assert [question.fact for question in decision.questions] == ["yes"]


def test_a_question_has_the_most_urgent_due_of_the_rules_that_hang_on_it(small: RuleSet) -> None:
    rules = made(
        small,
        [
            ordinary("slow", Route("rehab", 3, TWO_DAYS), when=YES_FACT),
            ordinary("quick", Route("dapp", 1, FOUR_HOURS), when=YES_FACT),
        ],
    )
    (question,) = decide(rules, facts(values())).questions
    assert (question.due, question.rules) == (Due(hours=4, working_days=2), ("quick", "slow"))


def test_nothing_is_asked_that_would_change_nothing(small: RuleSet) -> None:
    rules = made(
        small,
        [
            ordinary("sure", Route("dapp", 1, FOUR_HOURS)),
            ordinary("unsure", Route("dapp", 1, FOUR_HOURS), when=YES_FACT),
        ],
    )
    decision = decide(rules, facts(values()))
    assert decision.questions == ()
    assert [(unknown.rule, unknown.facts) for unknown in decision.unknown] == [("unsure", ("yes",))]


def test_what_is_only_noted_is_recorded_and_asks_nobody(small: RuleSet) -> None:
    noted = Rule("noted", "b", YES_FACT, (Route("rehab", 3, TWO_DAYS),), "note")
    decision = decide(made(small, [noted, ordinary("sure", Record("Noted."))]), facts(values()))
    assert decision.questions == ()
    assert [(unknown.rule, unknown.if_unknown) for unknown in decision.unknown] == [("noted", "note")]


def test_pause_and_resume_at_once_go_to_a_human_with_both_reasons(small: RuleSet) -> None:
    rules = made(small, [ordinary("rest", OfferPause("dapp", 28, 7)), ordinary("go-on", ProposeResume("dapp"))])
    decision = decide(rules, facts(values()))
    assert (decision.offers, decision.resumes) == ((), ())
    (review,) = decision.reviews
    assert review.question == "Pause or resume dapp?"
    assert [reason.rule for reason in review.reasons] == ["go-on", "rest"]


def test_of_two_pauses_the_longer_with_the_more_frequent_checks_is_offered(small: RuleSet) -> None:
    rules = made(small, [ordinary("a", OfferPause("dapp", 28, 14)), ordinary("b", OfferPause("dapp", 14, 7))])
    (offer,) = decide(rules, facts(values())).offers
    assert (offer.for_days, offer.welfare_check_days) == (28, 7)


def test_where_no_rule_matches_a_human_is_asked(small: RuleSet) -> None:
    decision = decide(made(small, [ordinary("other", Record("x"), when=In("event", ("relapse",)))]), facts(values()))
    assert [(review.question, review.reasons) for review in decision.reviews] == [("What now?", ())]


def test_where_everything_is_held_back_a_human_is_asked_and_told_by_whom(small: RuleSet) -> None:
    rules = made(
        small, [ordinary("wish", Route("dapp", 2, TWO_DAYS), Record("x")), ordinary("hold", Withhold(("dapp",)))]
    )
    (review,) = decide(rules, facts(values())).reviews
    assert [reason.rule for reason in review.reasons] == ["hold"]


def test_a_rule_that_says_that_nothing_needs_doing_leaves_nobody_to_ask(small: RuleSet) -> None:
    decision = decide(made(small, [ordinary("quiet", Record("Noted."))]), facts(values()))
    assert [record.text for record in decision.records] == ["Noted."]
    assert (decision.reviews, decision.questions) == ((), ())


@pytest.mark.parametrize(("day", "expected"), [(1, []), (2, ["dapp"]), (3, ["dapp"]), (4, [])])
def test_a_rule_is_in_force_from_its_first_day_to_its_last(small: RuleSet, day: int, expected: list[str]) -> None:
    dated = Rule(
        "dated", "b", ALWAYS, (Route("dapp", 2, TWO_DAYS),), from_day=date(2026, 3, 2), until_day=date(2026, 3, 3)
    )
    asked = facts(values())
    on_day = type(asked)(asked.values, asked.origins, date(2026, 3, day))
    assert [route.destination for route in decide(made(small, [dated]), on_day).routes] == expected


def test_every_true_test_is_shown_with_its_value_and_where_it_came_from(small: RuleSet) -> None:
    rules = made(small, [ordinary("a", Record("x"), when=All((ALWAYS, YES_FACT)))])
    (matched,) = decide(rules, facts(values(yes=True))).matched
    assert [tuple(test) for test in matched.tests] == [
        ("event is one of referral, relapse", "event", "referral", "made"),
        ("yes is yes", "yes", True, "made"),
    ]


def test_an_explanation_that_is_remembered_is_of_the_same_values_from_the_same_places(small: RuleSet) -> None:
    either = Any((All((ALWAYS, YES_FACT)), In("event", ("relapse",))))
    rules = made(small, [ordinary("a", Record("x"), when=either), floor("f", Record("y"), when=YES_FACT, act="act")])
    asked = [
        type(of)(of.values, {**of.origins, "yes": origin}, of.day)
        for event in ("referral", "relapse")
        for said in (True, None)
        for origin in ("event", "case")
        for of in [facts(values(event=event, yes=said))]
    ]
    for one in asked * 2:  # each as the first of its kind, and with all others remembered
        for matched in decide(rules, one).matched:
            assert all((t.value, t.origin) == (one.values[t.fact], one.origins[t.fact]) for t in matched.tests)
            assert matched.certain is (matched.rule == "a" or one.values["yes"] is True)
        alone = made(small, list(rules.rules))
        assert decide(rules, one).matched == decide(alone, one).matched


def test_a_decision_names_the_rules_that_it_was_taken_by(tmp_path: Path) -> None:
    rules = load(tmp_path)
    assert rules.digest.startswith("sha256:")
    everything = {**dict.fromkeys(rules.facts, None), "event": "referral"}
    decision = decide(rules, facts(everything))
    assert decision.to_json()["digest"] == rules.digest
