"""Faults planted in the shipped rule set: each is found, and shown by an event of which the engine says the same."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from services.ground.settings import Settings
from services.router.rules.decide import decide
from services.router.rules.decision import Decision
from services.router.rules.files import Files
from services.router.rules.loader import files_in, read_rule_set
from services.router.rules.promises import is_so
from services.router.rules.prove.checks import all_checks
from services.router.rules.prove.proofs import Check, Finding, NotConfirmed, Proofs
from services.router.rules.ruleset import RuleSet

SHIPPED: Files = files_in(Settings().rules_dir)


def changed(*edits: tuple[str, str, str], more: Mapping[str, str] | None = None) -> RuleSet:
    """The shipped rule set with these edits (file, what stands there, what stands there instead) and files."""
    files = {name: content.decode() for name, content in SHIPPED.items()}
    for name, right, wrong in edits:
        assert files[name].count(right) == 1, f"{name} says this {files[name].count(right)} times: {right}"
        files[name] = files[name].replace(right, wrong)
    return read_rule_set({name: text.encode() for name, text in {**files, **(more or {})}.items()})


def rules_file(*rules: str) -> dict[str, str]:
    return {"rules/planted.yaml": "rules:\n" + "".join(rules)}


def found(rules: RuleSet, check: Check, subject: str) -> Finding:
    """The finding of one check about one rule, promise or kind of event."""
    there = [one for one in all_checks(Proofs(rules)) if one.check == check and one.verdict != "fine"]
    return next(one for one in there if one.subject == subject)


def confirmed(rules: RuleSet, finding: Finding) -> Decision:
    """What the engine makes of the event that was shown; what the finding says it does."""
    assert finding.witness is not None
    decision = decide(rules, finding.witness.facts)
    assert decision == finding.decision
    return decision


def test_the_shipped_rules_are_fit() -> None:
    findings = list(all_checks(Proofs(read_rule_set(SHIPPED))))
    assert [one for one in findings if one.verdict != "fine"] == []
    assert sum(one.check == "broken" for one in findings) >= 15


def test_a_dead_rule_is_found_with_the_tests_that_clash() -> None:
    dead = """
- id: planted-dead
  because: Planted.
  when: {event: relapse, relapses_28d: {at_most: 0}, dapp: on_programme}
  then: [{record: Planted.}]
"""
    finding = found(changed(more=rules_file(dead)), "dead", "planted-dead")
    assert finding.weight == "error"
    assert finding.others == ("event is relapse", "relapses_28d is at most 0")


def test_a_rule_about_what_such_an_event_cannot_state_is_dead() -> None:
    dead = """
- id: planted-dead
  because: A timer tells of no weapon, and silence of weapons means no.
  when: {event: timer_review, weapons: yes}
  then: [{record: Planted.}]
"""
    assert found(changed(more=rules_file(dead)), "dead", "planted-dead")


def test_dates_are_part_of_the_proof() -> None:
    """Of two equal rules each is needed while the other is not in force; one that is always beside the other is not."""
    rule = """
- id: planted-{name}
  because: Planted.
  when: {{event: relapse}}
  {dates}
  then: [{{hold: Planted.}}]
"""
    apart = (rule.format(name="a", dates="until: 2026-05-31"), rule.format(name="b", dates="from: 2026-06-01"))
    within = (rule.format(name="a", dates="until: 2026-05-31"), rule.format(name="b", dates="until: 2026-04-30"))
    assert not [
        one
        for one in all_checks(Proofs(changed(more=rules_file(*apart))))
        if one.weight != "report" and one.verdict != "fine"
    ]
    assert found(changed(more=rules_file(*within)), "redundant", "planted-b").others == ("planted-a",)


def test_a_shadowed_rule_is_found_with_the_rules_that_cover_it() -> None:
    shadowed = """
- id: planted-shadowed
  because: A later route of a lower priority, of fewer events.
  when: {event: relapse, dapp: on_hold, severity: {at_least: high}}
  then:
  - route: addiction_service
    priority: 3
"""
    finding = found(changed(more=rules_file(shadowed)), "redundant", "planted-shadowed")
    assert finding.weight == "warning"
    assert finding.others == ("relapse-while-paused",)


COVERING = """
- id: planted-covering
  because: Planted.
  when: {event: resumed, severity: {at_least: high}}
  then: [{route: mutual_aid, priority: 3}]
""".replace("resumed", "progress_resumed")


@pytest.mark.parametrize(
    ("test", "covered"), [("severity: {at_least: immediate}", True), ("age: {at_least: 30}", False)]
)
def test_a_rule_that_never_does_anything_is_needed_where_it_asks_what_nobody_else_asks(
    test: str, *, covered: bool
) -> None:
    inner = COVERING.replace("planted-covering", "planted-inner").replace(
        "resumed, severity", f"resumed, {test}, severity"
    )
    inner = inner.replace(", severity: {at_least: high}", "") if covered else inner
    rules = changed(more=rules_file(COVERING, inner))
    redundant = [one for one in all_checks(Proofs(rules)) if one.check == "redundant" and one.verdict == "found"]
    assert [(one.subject, one.others) for one in redundant] == (
        [("planted-inner", ("planted-covering",))] if covered else []
    )


def test_a_gap_behind_an_unknown_is_found() -> None:
    rules = changed(
        (
            "rules/progress.yaml",
            "  when: {event: progress_completed}\n",
            "  when: {event: progress_completed, engagement: {at_least: none}}\n  if_unknown: note\n",
        )
    )
    finding = found(rules, "gap", "progress_completed")
    assert finding.weight == "report"
    assert finding.witness is not None
    assert finding.witness.facts.values["engagement"] is None
    assert "where this is not known: engagement" in finding.says
    assert [review.question for review in confirmed(rules, finding).reviews] == [rules.otherwise.review.question]


def test_a_gap_of_a_whole_kind_is_found() -> None:
    rules = changed(("rules/timers.yaml", "timer_offer, ", ""))
    finding = found(rules, "gap", "timer_offer")
    assert finding.witness is not None
    assert finding.witness.stated == {"event": "timer_offer"}


def test_a_pause_that_meets_a_resume_is_found() -> None:
    both = """
- id: planted-resume
  because: Planted.
  when: {event: relapse, engagement: {at_least: steady}}
  then: [{propose_resume: dapp}]
"""
    rules = changed(more=rules_file(both))
    finding = found(rules, "contradiction", "dapp")
    decision = confirmed(rules, finding)
    assert not decision.offers
    assert not decision.resumes
    assert rules.otherwise.contradiction.replace("{destination}", "dapp") in {r.question for r in decision.reviews}
    assert {"planted-resume", "relapse-on-dapp-offers-a-pause"} <= set(finding.others)


DEMOTED = """- id: floor-pregnancy
  because: Abuse in pregnancy endangers two.
  when: {event: referral, victim_pregnant: yes}
  then:
  - route: victim_safety
    priority: 1
    due: 1 working day

"""
PROMISE = """
- id: planted-promise
  because: Abuse in pregnancy endangers two.
  given: {event: referral, victim_pregnant: yes}
  then:
  - route: victim_safety
    priority: 1
    within: 1 working day

never:
"""


def test_a_floor_that_was_demoted_and_is_withheld_breaks_its_promise() -> None:
    """Every example still passes: none has a pregnant victim of a child. The proof finds that event."""
    rules = changed(
        ("floors.yaml", DEMOTED, ""),
        (
            "rules/referral.yaml",
            "withhold: [dapp, residential_rehab,",
            "withhold: [victim_safety, dapp, residential_rehab,",
        ),
        ("invariants.yaml", "\nnever:\n", PROMISE),
        more=rules_file(DEMOTED.replace("floor-", "planted-")),
    )
    finding = found(rules, "broken", "planted-promise")
    assert finding.weight == "error"
    decision = confirmed(rules, finding)
    promise = next(invariant for invariant in rules.invariants if invariant.id == "planted-promise")
    assert not is_so(promise.outcome, decision, rules)
    assert finding.witness is not None
    said = {name: value for name, value in finding.witness.stated.items() if value is not None}
    assert said.pop("age") == 17
    smallest = {"event": "referral", "victim_pregnant": True, "behaviours": frozenset()}
    assert said == smallest, "were it not known what was done, a floor would act on that"
    assert found(rules, "broken", "safety-is-never-taken-back").verdict == "found"


SLIPS = {
    "high-risk-goes-before-the-panel": ("floors.yaml", "risk_ticks: {at_least: 14}", "risk_ticks: {at_least: 15}"),
    "unknown-risk-is-not-low-risk": (
        "floors.yaml",
        "  when:\n    event: referral\n    any:\n    - risk_level: {at_least: high}",
        "  when:\n    event: referral\n    any:\n    - risk_level: {known: yes, at_least: high}",
    ),
    "nobody-of-unknown-age-goes-to-the-programme": ("rules/referral.yaml", "    age: {at_least: 18}\n", ""),
    "residential-rehab-only-by-a-human": (
        "rules/relapse.yaml",
        "    priority: 3\n    confirm: human\n",
        "    priority: 3\n",
    ),
    "refused-consent-is-kept": ("rules/referral.yaml", "  withhold: [dapp, addiction", "  withhold: [addiction"),
    "safety-never-waits-for-a-human": (
        "rules/relapse.yaml",
        "  - route: mutual_aid\n    priority: 3\n",
        "  - route: mutual_aid\n    priority: 3\n  - route: marac\n    priority: 3\n    confirm: human\n",
    ),
}


@pytest.mark.parametrize("promise", SLIPS)
def test_a_slip_in_a_rule_breaks_the_promise_that_it_is_about(promise: str) -> None:
    rules = changed(SLIPS[promise])
    finding = found(rules, "broken", promise)
    decision = confirmed(rules, finding)
    outcome = next(invariant.outcome for invariant in rules.invariants if invariant.id == promise)
    assert not is_so(outcome, decision, rules)


def test_a_promise_about_nothing_is_an_error() -> None:
    vacuous = PROMISE.replace("victim_pregnant: yes", "risk_ticks: {at_least: 5, at_most: 4}")
    finding = found(changed(("invariants.yaml", "\nnever:\n", vacuous)), "vacuous", "planted-promise")
    assert finding.weight == "error"


def test_a_test_that_never_decides_is_found() -> None:
    idle = """
- id: planted-idle
  because: Whoever is at least steady is at least not without contact.
  when: {event: protective, engagement: {at_least: steady}, any: [{engagement: {at_least: poor}}, {weeks_clean: 4}]}
  then: [{record: Planted.}]
"""
    rules = changed(more=rules_file(idle))
    findings = [one for one in all_checks(Proofs(rules)) if one.check == "never decides" and one.verdict == "found"]
    assert [(one.subject, one.says) for one in findings] == [
        ("planted-idle", "the rule says the same without this: engagement is at least poor"),
        ("planted-idle", "the rule says the same without this: weeks_clean is at least 4"),
        ("planted-idle", "the rule says the same without this: weeks_clean is at most 4"),
    ]


def test_what_is_not_decided_in_time_is_an_error_and_never_fine() -> None:
    findings = list(all_checks(Proofs(read_rule_set(SHIPPED), lambda: 0.0)))
    assert findings
    open_ = [one for one in findings if one.verdict != "fine"]  # a few are seen to be fine without asking anybody
    assert len(open_) > len(findings) / 2
    assert {(one.verdict, one.weight) for one in open_} == {("not proved", "error")}
    assert {one.check for one in open_} == {"dead", "broken", "redundant", "never decides", "gap"}


def test_a_proof_that_the_engine_does_not_confirm_is_not_believed() -> None:
    """The engine is another rule set's here: it knows nothing of what the proof found."""
    broken = changed(("floors.yaml", "    - risk_ticks: {at_least: 14}", "    - risk_ticks: {at_least: 15}"))
    proofs = Proofs(broken)
    proofs.rules = read_rule_set(SHIPPED)
    with pytest.raises(NotConfirmed, match="high-risk-goes-before-the-panel"):
        list(all_checks(proofs))
