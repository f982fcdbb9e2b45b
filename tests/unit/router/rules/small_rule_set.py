"""A rule set that fits a page, for tests to bend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.ground.settings import Settings
from services.router.rules.loader import load_rule_set
from services.router.rules.mistakes import RuleSetRefused
from services.router.rules.ruleset import RuleSet


def destination(name: str, *, side: str = "person", share: str = "person.name", extra: str = "") -> str:
    """One destination, as YAML."""
    return f"""
  {name}:
    label: The {name}
    kind: programme
    side: {side}
    voluntary: {"yes" if side == "person" else "no"}
    consent_needed: no
    source: {name.replace("_", "-")}
    acknowledge_within: 2 working days
    channel: queue
    share: [{share}]
{extra}"""


FILES: Mapping[str, str] = {
    "pathway.yaml": (Settings().rules_dir / "pathway.yaml").read_text(encoding="utf-8"),
    "calendar.yaml": """\
nation: england_and_wales
day_ends: "17:00"
closures:
- {from: 2026-03-10, until: 2026-03-11, name: Training}
seasons:
- {from: 12-20, until: 01-02, name: Christmas}
due:
  priority_1: 4 hours
  priority_2: 2 working days
  priority_3: 5 working days
  priority_4: 10 working days
  tasks: 1 working day
""",
    "destinations.yaml": "destinations:\n"
    + destination("dapp", extra="    service_areas: [North, South]\n")
    + destination("addiction")
    + destination("rehab")
    + destination("victim_safety", side="other_party", share="victim, children.age"),
    "facts.yaml": """\
facts:
  age: {says: Age., from: person.date_of_birth, as: age, remember: yes, ask: "How old?"}
  accepts_help: {says: Wants to change., from: accepts_help, ask: "Does he want to change?"}
  relationship: {says: To the victim., from: relationship, remember: yes, ask: "What is he to her?"}
  behaviours: {says: What was done., from: [incident.behaviours, behaviours], ask: "What was done?"}
  substances: {says: Uses., from: [needs.substances, substances], unstated: absent, ask: "Which substances?"}
  consent: {says: To share., from: consent.to_share, unstated: absent, remember: yes, ask: "Does he consent?"}
  engagement: {says: Takes part., from: engagement, ordered: yes, ask: "Does he take part?"}
  served: {says: Lives near., from: area, as: served, by: dapp, remember: yes, ask: "Where does he live?"}
  children: {says: Number of children., from: children, as: count, ask: "How many children?"}
  yes_answers: {says: Topics., from: risk.answers, as: answered_yes, unstated: absent, ask: "Which topics?"}
  has_phone: {says: A number is there., from: person.phone, as: given}
  relapses_28d: {says: Relapses., count: relapse, within: 28 days}
  days_clean: {says: Since the last relapse., days_since: relapse, range: [0, 9999]}
  days_on_dapp: {says: In this status., days_in_status: dapp}
  days_to_holiday: {says: To the next holiday., days_to: holiday}
""",
    "floors.yaml": """\
otherwise:
  {review: "What now?", role: case_manager, due: 1 working day, contradiction: "Pause or resume {destination}?"}
rules:
- id: floor-threats
  because: Threats are told.
  when: {event: [referral, new_incident], behaviours: threats_to_kill}
  if_unknown: act
  then:
  - {route: victim_safety, priority: 1}
""",
    "rules/some.yaml": """\
rules:
- id: referral
  because: Adults go to the programme.
  when: {event: referral, age: {at_least: 18}}
  then:
  - {route: dapp, priority: 2}
""",
}


def write(folder: Path, changed: Mapping[str, str | None] | None = None) -> Path:
    """The small rule set in a folder, with some files changed (None: left out)."""
    for name, text in {**FILES, **(changed or {})}.items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def load(folder: Path, changed: Mapping[str, str | None] | None = None) -> RuleSet:
    """The small rule set, loaded."""
    return load_rule_set(write(folder, changed))


def mistakes_in(folder: Path, changed: Mapping[str, str | None]) -> list[str]:
    """Every mistake that the loader finds, as people read them."""
    try:
        load(folder, changed)
    except RuleSetRefused as refused:
        return [str(mistake) for mistake in refused.mistakes]
    return []
