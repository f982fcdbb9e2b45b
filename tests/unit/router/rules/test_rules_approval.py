"""Who must agree before rules decide about people, and what they are shown."""

from __future__ import annotations

import pytest

from services.ground.settings import Settings
from services.router.rules.approval import Approval, Proposal, who_is_missing, why_it_cannot_approve
from services.router.rules.files import Files
from services.router.rules.loader import files_in, read_rule_set
from services.router.rules.plan import Plan, plan_of
from services.router.rules.ruleset import RuleSet

SHIPPED = files_in(Settings().rules_dir)
PROPOSAL = Proposal("p", "sha256:1", "a.khan", floors=False, instead_of="sha256:0")
OF_FLOORS = Proposal("p", "sha256:1", "a.khan", floors=True, instead_of="sha256:0")
MANAGER, LEAD = Approval("j.lee", "programme_manager"), Approval("s.ray", "safeguarding_lead")


def _plan(**changed: tuple[str, str]) -> Plan:
    """What is shown where a text of a file is replaced by another."""
    files: dict[str, bytes] = dict(SHIPPED)
    for name, (old, new) in changed.items():
        file = name.replace("__", "/") + ".yaml"
        assert old.encode() in files[file]
        files[file] = files[file].replace(old.encode(), new.encode(), 1)
    return plan_of(_read(SHIPPED), _read(files))


def _read(files: Files) -> RuleSet:
    return read_rule_set(files)


@pytest.mark.parametrize("name", ["a.khan", "A.Khan", "  a.khan "])
def test_nobody_approves_what_they_put_forward(name: str) -> None:
    why = why_it_cannot_approve(PROPOSAL, Approval(name, "safeguarding_lead"))
    assert why is not None
    assert "second person" in why


def test_only_who_answers_for_the_programme_approves() -> None:
    assert why_it_cannot_approve(PROPOSAL, Approval("f", "facilitator")) is not None
    assert why_it_cannot_approve(PROPOSAL, MANAGER) is None


def test_one_other_person_is_enough_and_for_floors_a_safeguarding_lead_must_be_among_them() -> None:
    assert who_is_missing(PROPOSAL, []) == "a second person"
    assert who_is_missing(PROPOSAL, [MANAGER]) is None
    assert who_is_missing(OF_FLOORS, [MANAGER]) == "a safeguarding_lead, since floors change"
    assert who_is_missing(OF_FLOORS, [MANAGER, LEAD]) is None
    assert who_is_missing(OF_FLOORS, [LEAD]) is None
    own = Approval("a.khan", "safeguarding_lead")
    assert who_is_missing(OF_FLOORS, [MANAGER, own]) is not None, "their own agreement counts for nothing"


def test_a_reworded_rule_is_a_change_of_that_rule_alone() -> None:
    plan = _plan(rules__referral=("because: Violence or threats", "because: Violence, or threats"))
    assert plan["rules"] == {"added": [], "removed": [], "changed": ["referral-dapp"]}
    assert (plan["floors"], plan["other"]) == (False, [])


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("floors", "  because: ", "  because: In other words. "),
        ("facts", "  ask: ", "  ask: Please. "),
        ("calendar", 'day_ends: "17:00"', 'day_ends: "16:00"'),
        ("invariants", "  because: ", "  because: In other words. "),
    ],
)
def test_what_floors_are_made_of_counts_as_a_change_of_floors(file: str, old: str, new: str) -> None:
    assert _plan(**{file: (old, new)})["floors"] is True
