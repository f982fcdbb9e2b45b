"""Ops change the rules of a running system: put forward, approved by somebody else, in force, taken back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from services.ground.settings import Settings
from tests.e2e.test_cli import SOURCE, Terminal, terminal
from tests.support.events import referral

__all__ = ["terminal"]  # the fixture

BY_KHAN = ("--by", "a.khan", "--because", "Everybody who is referred is asked about a home.")
NEW_RULE = """
- id: referral-the-old-are-housed
  because: A home comes first.
  when: {event: referral, age: {at_least: 90}}
  then:
  - route: housing_support
    priority: 3
    due: 10 working days
"""
EXAMPLE = """
examples:
- name: Somebody of ninety is asked about a home
  facts:
    event: referral
    age: 90
    relationship: ex_partner
    behaviours: [coercive_control]
    risk_level: standard
    children_present: no
    concerns: []
    substances: []
  expect:
    routes: {dapp: 2, housing_support: 3}
"""


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """The shipped rules, to be changed."""
    return Path(shutil.copytree(Settings().rules_dir, tmp_path / "candidate"))


def _add(folder: Path) -> None:
    """Add the rule, and an example that shows it."""
    path = folder / "rules" / "referral.yaml"
    path.write_text(path.read_text() + NEW_RULE)
    (folder / "examples" / "old.yaml").write_text(EXAMPLE)


def _reword(folder: Path) -> None:
    """Give the most urgent floor another reason: examples do not see that."""
    path = folder / "floors.yaml"
    path.write_text(path.read_text().replace("  because: ", "  because: In other words. ", 1))


def _json(there: Terminal, *words: str) -> Any:
    return json.loads(there.onward("rules", *words, "--json").stdout)


def _destinations(there: Terminal, name: str, person: str) -> set[str]:
    event = referral(id=name, reference=name.upper())
    event["data"]["person"] |= {"identifiers": {"crn": person}, "date_of_birth": "1931-05-12"}
    there.onward("send", "-", "--source", SOURCE, given=json.dumps(event).encode())
    there.until("trace", name, has="dispatch")
    [case] = json.loads(there.onward("case", name, "--json").stdout)
    return {leg["destination"] for leg in case["legs"]}


def test_rules_are_changed_by_two_persons_and_taken_back_by_one(terminal: Terminal, candidate: Path) -> None:
    assert "housing_support" not in _destinations(terminal, "by-the-first", "X100001")
    first = _json(terminal, "list")["in_force"]
    _add(candidate)

    put = terminal.onward("rules", "activate", str(candidate), *BY_KHAN, "--json")
    assert put.returncode == 0, put.stderr
    said = json.loads(put.stdout)
    assert said["plan"]["rules"] == {"added": ["referral-the-old-are-housed"], "removed": [], "changed": []}
    assert said["plan"]["floors"] is False
    new = said["rule_set"]
    assert _json(terminal, "list")["in_force"] == first, "nothing decides by it yet"
    assert "1 put forward wait for approval" in terminal.onward("status").stdout.decode()

    assert terminal.onward("rules", "shadow", new, *BY_KHAN).returncode == 0
    assert "housing_support" not in _destinations(terminal, "tried-out", "X100004"), "it does nothing"
    tried = terminal.onward("rules", "show", new).stdout.decode()
    assert "Tried out beside 1 decisions: 1 differ (routes 1)" in tried

    own = terminal.onward("rules", "approve", new, "--by", " A.Khan ")
    assert own.returncode == 2
    assert "a second person must approve it" in own.stderr.decode()
    nameless = terminal.onward("rules", "approve", new, "--by", "J Lee")
    assert (nameless.returncode, b"your name (--by" in nameless.stderr) == (2, True), "no entry could say who it was"
    wrong_role = terminal.onward("rules", "approve", new, "--by", "j.lee", "--role", "facilitator")
    assert "approved by programme_manager or safeguarding_lead" in wrong_role.stderr.decode()

    approved = terminal.onward("rules", "approve", new[7:15], "--by", "j.lee")
    assert "in force from the routers' next batches on" in approved.stdout.decode()
    assert "housing_support" in _destinations(terminal, "by-the-second", "X100002")
    listed = _json(terminal, "list")
    assert listed["in_force"] == new
    assert [router["digest"] for router in listed["routers"]] == [new]
    assert "wait for approval" not in terminal.onward("status").stdout.decode()
    tree = terminal.until("trace", "by-the-second", has="audit")
    assert f"decided by rules {new[:19]}" in tree

    back = terminal.onward("rules", "rollback", "--by", "n.ight", "--because", "Housing has no capacity at all.")
    assert back.returncode == 0, back.stderr
    assert "housing_support" not in _destinations(terminal, "by-the-first-again", "X100003")
    steps = [(step["step"], step["by_user"]) for step in _json(terminal, "list")["steps"]]
    assert steps == [
        ("first", "onward"),
        ("proposed", "a.khan"),
        ("tried_out", "a.khan"),
        ("approved", "j.lee"),
        ("in_force", "j.lee"),
        ("rolled_back", "n.ight"),
    ]


def test_a_change_of_floors_needs_a_safeguarding_lead(terminal: Terminal, candidate: Path) -> None:
    _reword(candidate)
    put = json.loads(terminal.onward("rules", "activate", str(candidate), *BY_KHAN, "--json").stdout)
    assert put["plan"]["floors"] is True
    one = json.loads(terminal.onward("rules", "approve", put["rule_set"], "--by", "j.lee", "--json").stdout)
    assert (one["in_force"], one["waits_for"]) == (False, "a safeguarding_lead, since floors change")
    assert _json(terminal, "list")["in_force"] != put["rule_set"]
    shown = terminal.onward("rules", "show", put["rule_set"][7:15]).stdout.decode()
    assert "Floors, or what they are made of or promise, change." in shown
    taken = terminal.onward("rules", "withdraw", put["rule_set"], *BY_KHAN)
    assert taken.returncode == 0
    late = terminal.onward("rules", "approve", put["rule_set"], "--by", "s.lead", "--role", "safeguarding_lead")
    assert "this version waits for nobody" in late.stderr.decode()


def test_a_rule_set_that_fails_its_examples_is_not_put_forward(terminal: Terminal, candidate: Path) -> None:
    before = _json(terminal, "list")
    rules = candidate / "rules" / "relapse.yaml"
    rules.write_text(rules.read_text().replace("route: gp_follow_up", "route: housing_support"))
    put = terminal.onward("rules", "activate", str(candidate), *BY_KHAN)
    assert put.returncode == 1
    assert "Nothing was put forward." in put.stdout.decode()
    shutil.rmtree(candidate / "examples")
    unshown = json.loads(terminal.onward("rules", "activate", str(candidate), *BY_KHAN, "--json").stdout)
    assert "referral-dapp" in unshown["fitness"]["never_hit"], "what no example shows is not put forward either"
    (candidate / "terms.yaml").write_text("terms:\n  x: {agee: {at_least: 18}}\n")
    broken = terminal.onward("rules", "activate", str(candidate), *BY_KHAN)
    assert broken.returncode == 2
    assert "terms.yaml:2:7: no fact 'agee'; did you mean 'age'?" in broken.stderr.decode()
    hollow = terminal.onward("rules", "activate", str(candidate), "--by", "a.khan", "--because", "ok")
    assert "explains nothing" in hollow.stderr.decode()
    assert _json(terminal, "list") == before


def test_a_version_can_be_had_again_as_it_was(terminal: Terminal, tmp_path: Path) -> None:
    digest = _json(terminal, "list")["in_force"]
    again = tmp_path / "again"
    assert terminal.onward("rules", "show", digest, "--into", str(again)).returncode == 0
    assert json.loads(terminal.onward("rules", "check", str(again), "--json").stdout)["rule_set"] == digest
    assert terminal.onward("rules", "show", digest, "--into", str(again)).returncode == 2
    assert "'ffff0' is not the start of" in terminal.onward("rules", "show", "ffff0").stderr.decode()
