"""Promises: how they are read, with every mistake in its place, and what they mean of a decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ground.settings import Settings
from services.router.rules.decide import decide
from services.router.rules.due import Due, resolve_due
from services.router.rules.loader import load_rule_set
from services.router.rules.promises import in_time, is_so
from services.router.rules.prove.promised import Promised
from tests.unit.router.rules.agreement import Proved
from tests.unit.router.rules.made_up import Chance, rule_set
from tests.unit.router.rules.small_rule_set import load, mistakes_in

CALENDAR = load_rule_set(Settings().rules_dir).calendar

MISTAKES = {
    "- {id: a, because: b, then: {rout: dapp}}": "2:30: nothing can be promised by 'rout'; did you mean 'route'?",
    "- {id: a, because: b, then: {route: dap}}": "2:37: 'dap' is not a value of a destination; did you mean 'dapp'?",
    "- {id: a, because: b, then: {route: [dapp, dapp]}}": "2:44: 'dapp' stands here twice",
    "- {id: a, because: b, then: {route: dapp, priorty: 1}}": "2:43: route has no 'priorty'; did you mean 'priority'?",
    "- {id: a, because: b, then: {route: dapp, priority: 5}}": "2:53: 5 is outside priority's range 1..4",
    "- {id: a, because: b, then: {route: dapp, within: soon}}": (
        "2:51: within is a due time such as 4 hours or 2 working days, got str 'soon'"
    ),
    "- {id: a, because: b, then: {route: dapp, tier: flor}}": (
        "2:49: 'flor' is not a value of tier; did you mean 'floor'?"
    ),
    "- {id: a, because: b, then: {route: dapp, confirm: yes}}": (
        "2:52: 'yes' is not a value of confirm; it is one of human, no"
    ),
    "- {id: a, because: b, then: {route: {volutary: yes}}}": (
        "2:38: a choice of destinations has no 'volutary'; did you mean 'voluntary'?"
    ),
    "- {id: a, because: b, then: {route: {side: panel}}}": (
        "2:37: no destination is like this: it would promise nothing"
    ),
    "- {id: a, because: b, then: {route: dapp, hold: yes}}": "2:43: one thing an item: 'route' stands here already",
    "- {id: a, because: b, then: {escalate: boss}}": (
        "2:40: 'boss' is not a value of escalate; it is one of case_manager, clinician, duty_worker, facilitator, "
        "programme_manager, safeguarding_lead"
    ),
    "- {id: a, because: b, then: {ask: agee}}": "2:35: 'agee' is not a value of ask; did you mean 'age'?",
    "- {id: a, because: b, then: {ask: relapses_28d}}": (
        "2:35: 'relapses_28d' is not a value of ask; it is one of accepts_help, age, behaviours, children, consent, "
        "engagement, relationship, served, substances, yes_answers"
    ),
    "- {id: a, because: b, then: {hold: perhaps}}": "2:36: hold is yes or no, got str 'perhaps'",
    "- {id: a, because: b, then: []}": "2:29: then is empty: it would promise nothing",
    "- {id: a, because: b, then: route}": (
        "2:29: what is promised is a mapping such as {route: victim_safety, priority: 1}"
    ),
    "- {id: a, because: b, given: {evnt: referral}, then: {hold: yes}}": "2:31: no fact 'evnt'; did you mean 'event'?",
    "- {id: a, because: b, given: {age: {at_least: 999}}, then: {hold: yes}}": (
        "2:47: 999 is outside age's range 0..130: the test could never change"
    ),
    "- {id: a, because: b, thn: {hold: yes}}": "2:23: a promise has no 'thn'; did you mean 'then'?",
    "- {id: a, then: {hold: yes}}": "2:3: a promise needs 'because'",
    "- {id: A b, because: b, then: {hold: yes}}": (
        "2:8: 'A b' is no name for a promise: small letters, digits, _ and - between them"
    ),
    "- {id: a, because: b, then: {hold: yes}}\n- {id: a, because: b, then: {hold: yes}}": (
        "3:8: the id 'a' is taken: invariants.yaml:2:8"
    ),
}


@pytest.mark.parametrize("said", MISTAKES)
def test_a_mistake_in_a_promise_is_told_with_its_place(tmp_path: Path, said: str) -> None:
    found = mistakes_in(tmp_path, {"invariants.yaml": f"always:\n{said}\n"})
    assert f"invariants.yaml:{MISTAKES[said]}" in found


def test_a_word_that_is_neither_always_nor_never_is_told(tmp_path: Path) -> None:
    found = mistakes_in(tmp_path, {"invariants.yaml": "alway:\n- {id: a, because: b, then: {hold: yes}}\n"})
    assert found == ["invariants.yaml:1:1: invariants.yaml has no 'alway'; did you mean 'always'?"]


def test_promises_are_a_part_of_a_version_and_of_no_decision(tmp_path: Path) -> None:
    without = load(tmp_path / "without")
    promised = "always:\n- {id: a, because: b, then: {hold: yes}}\n"
    some = load(tmp_path / "some", {"invariants.yaml": promised})
    other = load(tmp_path / "other", {"invariants.yaml": promised.replace("always", "never")})
    assert len({without.digest, some.digest, other.digest}) == 3
    assert without.rules == some.rules


DUES = st.one_of(
    st.integers(1, 120).map(lambda n: Due(hours=n)),
    st.integers(1, 10).map(lambda n: Due(working_days=n)),
    st.integers(1, 30).map(lambda n: Due(working_hours=n)),
    st.builds(Due, hours=st.integers(1, 120), working_days=st.integers(1, 5), working_hours=st.integers(1, 30)),
)
MOMENTS = st.integers(0, 2 * 366 * 24 * 60).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))


@given(due=DUES, within=DUES, at=MOMENTS)
def test_what_is_said_to_be_in_time_is_so_whatever_day_it_is(due: Due, within: Due, at: datetime) -> None:
    single = Due(hours=within.hours) if within.hours else within  # a promise names one unit
    if in_time(due, single, CALENDAR):
        assert resolve_due(due, at, CALENDAR) <= resolve_due(single, at, CALENDAR)


def test_hours_can_be_in_time_for_working_days_and_never_the_other_way() -> None:
    assert in_time(Due(hours=4), Due(working_days=1), CALENDAR)
    assert in_time(Due(hours=4), Due(working_hours=4), CALENDAR)
    assert not in_time(Due(working_days=1), Due(hours=96), CALENDAR)
    assert not in_time(Due(hours=24), Due(working_days=1), CALENDAR)


PROMISES = """
always:
- id: all-sorts
  because: One of each.
  then:
  - any:
    - {route: dapp, priority: 2, within: 4 hours, tier: floor, confirm: no}
    - {route: [addiction, rehab], tier: ordinary, confirm: human}
    - all: [{told: any}, {not: {escalate: any, within: 1 working day}}]
    - {review: case_manager, within: 2 working days}
    - {ask: any}
- {id: human, because: b, then: {human: yes}}
- {id: hold, because: b, then: {hold: no}}
never:
- {id: back, because: b, then: [{held_back: any}, {propose_resume: dapp}]}
- {id: pause, because: b, then: {offer_pause: any}}
- {id: silent, because: b, then: {silent: yes}}
- {id: voluntary, because: b, then: {route: {voluntary: yes, side: person}, priority: 1}}
"""


def test_a_promise_means_the_same_of_a_decision_and_in_a_proof(tmp_path: Path) -> None:
    """2,000 made up events: what the engine decided on, and what the proof says of it."""
    invariants = load(tmp_path, {"invariants.yaml": PROMISES}).invariants
    assert len(invariants) == 7
    seen = {(invariant.id, so): 0 for invariant in invariants for so in (True, False)}
    for seed in range(80):
        chance = Chance(seed)
        rules = rule_set(chance.rules())
        proved = Proved(rules)
        promised = Promised(proved.made.asking)
        for _ in range(25):
            event = chance.event()
            decision, shown = decide(rules, event), proved.variables(event)
            for invariant in invariants:
                so = is_so(invariant.outcome, decision, rules)
                assert proved.circuit.value(promised.so(invariant.outcome), shown) is so, f"{seed}: {invariant.id}"
                seen[invariant.id, so] += 1
    assert all(seen.values()), seen
