"""What rules say of the programme holds of whichever programme has him, also of one that is listed later."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from schemas.vocabulary import LegStatus
from services.ground.settings import Settings
from services.router.rules.decide import decide
from services.router.rules.decision import Decision
from services.router.rules.events import EventKind
from services.router.rules.facts import facts_stated
from services.router.rules.loader import load_rule_set
from services.router.rules.mistakes import RuleSetRefused
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.small_rule_set import write

SECOND = """
  {name}:
    label: A programme that was listed later
    kind: programme
    side: person
    voluntary: yes
    consent_needed: no
    {serves}
    source: {source}
    acknowledge_within: 2 working days
    channel: queue
    share: [reference, kind]
"""
IN_ITS_STEAD, OF_ITS_OWN = "programme_east", "caring_dads"
DAY = date(2026, 3, 20)
OF_A_LEG = [kind for kind in EventKind if kind.startswith(("progress_", "decision_"))]
HARM = (EventKind.NEW_INCIDENT, EventKind.THREAT, EventKind.BREACH_OF_ORDER)  # reach who works on his violence alone
OF_HIM = [kind for kind in EventKind if not kind.startswith(("progress_", "decision_", "timer_", "referral"))]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """The rule set that ships, with two programmes more: one that does the same job, one that does its own."""
    folder = tmp_path_factory.mktemp("rules") / "default"
    shutil.copytree(Settings().rules_dir, folder)
    with (folder / "destinations.yaml").open("a") as listed:
        listed.write(SECOND.format(name=IN_ITS_STEAD, source="programme-east", serves="serves: dapp"))
        listed.write(SECOND.format(name=OF_ITS_OWN, source="caring-dads", serves="eligibility_description: Fathers."))
    return load_rule_set(folder)


def _said(decision: Decision) -> tuple[object, ...]:
    asked = {(review.question, review.role) for review in decision.reviews}
    told = {(notify.destination, notify.what) for notify in decision.notifies}
    return asked, told, {(r.destination, r.priority) for r in decision.routes}, {o.destination for o in decision.offers}


def _decide(rules: RuleSet, kind: EventKind, **facts: object) -> Decision:
    return decide(rules, facts_stated(rules, kind, facts, DAY))


@pytest.mark.parametrize("other", [IN_ITS_STEAD, OF_ITS_OWN])
@pytest.mark.parametrize("kind", OF_A_LEG)
def test_news_of_any_programme_is_taken_as_news_of_the_first(kind: EventKind, other: str, rules: RuleSet) -> None:
    for relapses in (0, 1):
        first = _decide(rules, kind, destination="dapp", dapp="on_programme", relapses_28d=relapses)
        same = _decide(rules, kind, destination=other, **{other: "on_programme"}, relapses_28d=relapses)
        assert _said(same) == _said(first)


@pytest.mark.parametrize("status", ["requested", "on_programme", "on_hold", "deferred"])
@pytest.mark.parametrize("kind", OF_HIM)
def test_what_happens_to_him_means_the_programme_that_he_is_on(kind: EventKind, status: str, rules: RuleSet) -> None:
    first = _decide(rules, kind, dapp=status)
    others = (IN_ITS_STEAD,) if kind in HARM else (IN_ITS_STEAD, OF_ITS_OWN)
    for other in others:
        assert _said(_decide(rules, kind, **{other: status})) == _said(first), other


def test_a_relapse_offers_a_pause_of_every_programme_that_he_may_be_on(rules: RuleSet) -> None:
    decision = _decide(rules, EventKind.RELAPSE, **{OF_ITS_OWN: "on_programme"})
    assert {offer.destination for offer in decision.offers} == {"dapp", IN_ITS_STEAD, OF_ITS_OWN}


def test_new_harm_opens_no_programme_beside_the_one_that_does_another_job(rules: RuleSet) -> None:
    decision = _decide(rules, EventKind.NEW_INCIDENT, behaviours="verbal_abuse", **{OF_ITS_OWN: "on_programme"})
    assert "dapp" not in {route.destination for route in decision.routes}


def test_every_open_status_of_a_programme_counts_as_open(rules: RuleSet) -> None:
    closed = {status for status in LegStatus if rules.pathway.statuses[status].closed}
    court = {status for status in LegStatus if rules.pathway.statuses[status].court_ordered}
    for status in set(LegStatus) - closed - court:
        told = _decide(rules, EventKind.DISENGAGED, **{OF_ITS_OWN: status.value}).notifies
        assert [notify.destination for notify in told] == ["victim_safety"], status


@pytest.mark.parametrize(
    ("when", "then", "mistake"),
    [
        ("{leg: {kind: programe, stands: sent}}", "route: dapp", "'programe' is not a value of kind"),
        ("{leg: {kind: programme}}", "route: dapp", "leg needs 'stands'"),
        ("{leg: {stands: sent}}", "route: dapp", "say which destinations are meant: kind or serves"),
        ("{leg: {kind: programme, stands: gone}}", "route: dapp", "'gone' is not a value of stands"),
        ("{destination: {kind: programme, any_of: dapp}}", "route: dapp", "destination has no 'any_of'"),
        ("{destination: dapp}", "route: {kind: programme}", "a destination is named by one word"),
        ("{destination: dapp}", "propose_resume: {kin: programme}", "a destination is named by one word"),
    ],
)
def test_a_slip_is_told_with_its_place(when: str, then: str, mistake: str, tmp_path: Path) -> None:
    more = ", priority: 2" if then.startswith("route") else ""
    rule = f"rules:\n- id: one\n  because: Of it.\n  when: {when}\n  then: [{{{then}{more}}}]\n"
    write(tmp_path, {"rules/some.yaml": rule})
    with pytest.raises(RuleSetRefused) as refused:
        load_rule_set(tmp_path)
    assert mistake in str(refused.value)
