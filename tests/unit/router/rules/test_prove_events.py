"""Which events there can be, by the proof: everything that the builder of facts makes, and every shipped example."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from pydantic import ValidationError

from schemas.risk import RiskReported
from schemas.vocabulary import Behaviour, ContextKind, LegStatus, RiskKind, Severity, Substance
from services.ground.settings import Settings
from services.router.rules.calendar import local_day
from services.router.rules.declarations import CountWithin, Fact, WholeNumber
from services.router.rules.events import CaseEvent, CaseView, EventKind, LegView, PastEvent
from services.router.rules.examples import examples_in, read_examples
from services.router.rules.facts import Facts, facts_of, facts_stated
from services.router.rules.loader import files_in, load_rule_set, read_rule_set
from services.router.rules.outcomes import run_example
from services.router.rules.prove.checks import all_checks
from services.router.rules.prove.kinds import fixed_for, must_state, never_more
from services.router.rules.prove.proofs import Proofs
from services.router.rules.prove.saved import broken_promises, example_of, file_for
from services.router.rules.prove.witness import variables_for

FOLDER = Settings().rules_dir
RULES = load_rule_set(FOLDER)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PERSON = {"referral": {"source": "police", "reference": "R1"}}


@pytest.fixture(scope="module")
def proofs() -> Proofs:
    return Proofs(RULES)


def impossible(proofs: Proofs, facts: Facts) -> list[tuple[int, ...]]:
    """What the proof takes for granted of every event and is not so of this one."""
    shown = {1: True, **variables_for(proofs.space, facts.values)}
    shown |= dict.fromkeys(proofs.periods.from_start, False)
    circuit = proofs.space.circuit
    return [clause for clause in circuit.facts if not circuit.value(circuit.some(clause), shown)]


@pytest.mark.parametrize("kind", EventKind)
def test_an_event_that_states_nothing_of_a_person_who_is_new_can_be(proofs: Proofs, kind: EventKind) -> None:
    stated = {"days_to_holiday": 40} | ({"context": "holiday"} if kind is EventKind.CONTEXTUAL else {})
    assert impossible(proofs, facts_stated(RULES, kind, stated, local_day(NOW))) == []


def test_every_shipped_example_is_an_event_that_can_be(proofs: Proofs) -> None:
    """Besides those few that show a rule's kind of event by stating what events of another kind have no field for."""
    for example in read_examples(RULES, FOLDER):
        facts, kind = example.facts, EventKind(str(example.facts.values["event"]))
        fixed = {name: fixed_for(fact, kind) for name, fact in RULES.facts.items()}
        if any(value is not None and facts.values[name] != value for name, value in fixed.items()):
            continue
        if facts.values["days_to_holiday"] is None:  # of examples that do not care; live it is always known
            facts = Facts({**facts.values, "days_to_holiday": 40}, facts.origins, facts.day)
        assert impossible(proofs, facts) == [], example.name


def test_whatever_is_made_of_a_risk_event_and_its_case_can_be(proofs: Proofs) -> None:
    draw = Random(1)
    kinds = [kind.value for kind in EventKind]
    for _ in range(600):
        kind = draw.choice(list(RiskKind))
        said = {
            "about": PERSON,
            "kind": kind,
            "occurred_at": NOW - timedelta(days=draw.randint(0, 60)),
            "severity": draw.choice([None, *Severity]),
            "substances": draw.choice([None, frozenset(), frozenset([Substance.ALCOHOL]), frozenset(Substance)]),
            "behaviours": draw.choice([None, frozenset(), frozenset(draw.sample(list(Behaviour), 2))]),
            "context": {"kind": draw.choice(list(ContextKind))} if kind is RiskKind.CONTEXTUAL else None,
        }
        payload = RiskReported.model_validate({name: value for name, value in said.items() if value is not None})
        past = [PastEvent(draw.choice(kinds), NOW - timedelta(days=draw.randint(0, 90))) for _ in range(20)]
        legs = {name: LegView(draw.choice(list(LegStatus)), NOW) for name in draw.sample(sorted(RULES.destinations), 3)}
        event = CaseEvent(EventKind(kind), payload, payload.occurred_at, NOW)
        assert impossible(proofs, facts_of(RULES, event, CaseView(legs, past), NOW)) == []


def test_what_the_proof_takes_as_stated_is_refused_where_it_is_not() -> None:
    said = {"about": PERSON, "kind": RiskKind.CONTEXTUAL, "occurred_at": NOW}
    with pytest.raises(ValidationError, match="contextual needs context"):
        RiskReported.model_validate(said)
    stated = [(fact.name, kind) for fact in RULES.facts.values() for kind in EventKind if must_state(fact, kind)]
    assert stated == [("context", EventKind.CONTEXTUAL)]


def test_a_count_of_fewer_events_in_fewer_days_is_never_the_greater() -> None:
    def count(name: str, kinds: Sequence[EventKind], days: int) -> Fact:
        return Fact(name, "A count.", WholeNumber(0, 99), CountWithin(tuple(kinds), days), ask="")

    relapse, threat = EventKind.RELAPSE, EventKind.THREAT
    facts = {
        "week": count("week", [relapse], 7),
        "month": count("month", [relapse], 28),
        "both": count("both", [relapse, threat], 28),
        "threats": count("threats", [threat], 7),
    }
    assert set(never_more(facts)) == {("week", "month"), ("week", "both"), ("month", "both"), ("threats", "both")}


BROKEN: dict[str, tuple[str, str, str]] = {
    "high-risk-goes-before-the-panel": ("floors.yaml", "risk_ticks: {at_least: 14}", "risk_ticks: {at_least: 15}"),
    "nobody-of-unknown-age-goes-to-the-programme": ("rules/referral.yaml", "    age: {at_least: 18}\n", ""),
    "a-missed-welfare-check-is-told": ("floors.yaml", "    - event: missed_welfare_check\n", "    - event: threat\n"),
}


@pytest.mark.parametrize("promise", BROKEN)
def test_a_saved_example_is_the_event_that_broke_the_promise_and_fails_until_it_is_kept(promise: str) -> None:
    name, right, wrong = BROKEN[promise]
    files: dict[str, bytes] = dict(files_in(FOLDER))
    assert files[name].count(right.encode()) == 1
    rules = read_rule_set({**files, name: files[name].replace(right.encode(), wrong.encode())})
    findings = list(all_checks(Proofs(rules)))
    invariant, finding = next(each for each in broken_promises(rules, findings) if each[0].id == promise)
    saved = {file_for(invariant): example_of(rules, invariant, finding).encode()}
    [example] = examples_in(rules, saved)
    assert finding.witness is not None
    assert example.facts.values == finding.witness.facts.values
    assert not run_example(rules, example).passed
    [kept] = examples_in(RULES, saved)
    result = run_example(RULES, kept)
    assert result.passed or all(line.startswith(("questions", "holds")) for line in result.differences)
