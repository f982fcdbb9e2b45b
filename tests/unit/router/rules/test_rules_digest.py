"""The digest follows the meaning: nothing that only looks different changes it, everything that means another does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.router.rules.small_rule_set import FILES, load

TWO = """\
rules:
- id: one
  because: One.
  when: {event: relapse, any: [{age: {at_least: 18}}, {accepts_help: yes}], behaviours: [stalking, threats]}
  then:
  - {route: dapp, priority: 2}
  - {route: addiction, priority: 3, due: 1 week}
- id: two
  because: Two.
  when: {event: low_mood}
  then: [{hold: Call him.}]
"""
_SENT = "  sent:                   {label: Sent, release: yes, implies: requested}\n"
SAME: dict[str, dict[str, str | None]] = {
    "comments and blank lines": {"rules/two.yaml": "# hello\n\n" + TWO.replace("- id: two", "\n# here\n- id: two")},
    "another layout": {
        "rules/two.yaml": TWO.replace("when: {event: low_mood}", "when:\n    event: low_mood").replace(
            "then: [{hold: Call him.}]", "then:\n  - hold: 'Call him.'"
        )
    },
    "another order of rules": {
        "rules/two.yaml": "rules:\n"
        + TWO.split("- id: two")[1].join(["- id: two", ""])
        + TWO.split("rules:\n")[1].split("- id: two")[0]
    },
    "rules in two files": {
        "rules/two.yaml": TWO.split("- id: two")[0],
        "rules/aaa.yaml": "rules:\n- id: two" + TWO.split("- id: two")[1],
    },
    "another order of tests": {
        "rules/two.yaml": TWO.replace(
            "{event: relapse, any: [{age: {at_least: 18}}, {accepts_help: yes}], behaviours: [stalking, threats]}",
            "{behaviours: [threats, stalking], any: [{accepts_help: yes}, {age: {above: 17}}], event: relapse}",
        )
    },
    "a term for what was written out": {
        "terms.yaml": "terms:\n  ready: {any: [{age: {at_least: 18}}, {accepts_help: yes}]}\n",
        "rules/two.yaml": TWO.replace("any: [{age: {at_least: 18}}, {accepts_help: yes}]", "term: ready"),
    },
    "the same due in other words": {"rules/two.yaml": TWO.replace("1 week", "168 hours")},
    "statuses in another order": {
        "pathway.yaml": FILES["pathway.yaml"].replace(_SENT, "").replace("transitions:\n", f"{_SENT}transitions:\n", 1)
    },
    "a transition written in two rows": {
        "pathway.yaml": FILES["pathway.yaml"].replace(
            "- {from: [requested, sent], to: acknowledged, who: [destination, human]}",
            "- {from: sent, to: acknowledged, who: [human, destination]}\n"
            "- {from: requested, to: acknowledged, who: [destination, human]}",
        )
    },
    "facts in another order": {
        "facts.yaml": "facts:\n" + "".join(sorted(FILES["facts.yaml"].splitlines(keepends=True)[1:], reverse=True))
    },
}
OTHER: dict[str, dict[str, str | None]] = {
    "a threshold": {"rules/two.yaml": TWO.replace("at_least: 18", "at_least: 19")},
    "a reason": {"rules/two.yaml": TWO.replace("Two.", "Too.")},
    "a due": {"rules/two.yaml": TWO.replace("1 week", "1 day")},
    "any for all": {"rules/two.yaml": TWO.replace("any: [", "all: [")},
    "what silence means": {
        "facts.yaml": FILES["facts.yaml"].replace('unstated: absent, ask: "Which sub', 'ask: "Which sub')
    },
    "a window": {"facts.yaml": FILES["facts.yaml"].replace("within: 28 days", "within: 29 days")},
    "what is shared": {"destinations.yaml": FILES["destinations.yaml"].replace("children.age", "children")},
    "a closure": {"calendar.yaml": FILES["calendar.yaml"].replace("2026-03-11", "2026-03-12")},
    "the default due": {"calendar.yaml": FILES["calendar.yaml"].replace("priority_2: 2", "priority_2: 3")},
    "a floor that asks instead of acting": {"floors.yaml": FILES["floors.yaml"].replace("act\n", "ask\n")},
    "a label of the pathway": {"pathway.yaml": FILES["pathway.yaml"].replace("label: Paused", "label: Resting")},
    "who may move a leg": {
        "pathway.yaml": FILES["pathway.yaml"].replace("to: sent, who: casework", "to: sent, who: [casework, human]")
    },
    "what moving a leg needs": {
        "pathway.yaml": FILES["pathway.yaml"].replace("needs: [reason, note]", "needs: reason")
    },
    "a reason that leaves something open": {
        "pathway.yaml": FILES["pathway.yaml"].replace("{label: Died}", "{label: Died, still_open: yes}")
    },
    "court-ordered statuses": {
        "pathway.yaml": FILES["pathway.yaml"].replace("court_ordered: no\n", "court_ordered: yes\n")
    },
}


@pytest.mark.parametrize("what", SAME)
def test_the_digest_stays_for(tmp_path: Path, what: str) -> None:
    before = load(tmp_path / "before", {"rules/two.yaml": TWO})
    assert (
        load(
            tmp_path / "after", SAME[what] | ({} if "rules/two.yaml" in SAME[what] else {"rules/two.yaml": TWO})
        ).digest
        == before.digest
    )


@pytest.mark.parametrize("what", OTHER)
def test_the_digest_changes_with(tmp_path: Path, what: str) -> None:
    before = load(tmp_path / "before", {"rules/two.yaml": TWO})
    assert load(tmp_path / "after", {"rules/two.yaml": TWO} | OTHER[what]).digest != before.digest
