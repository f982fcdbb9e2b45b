"""onward rules check and diff: what scripts are told by the exit code, people in words, and machines as JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from services.cli.rules import app
from services.ground.settings import Settings

SHIPPED = Settings().rules_dir


def onward(*words: str) -> Result:
    try:
        return CliRunner().invoke(app, list(words))
    finally:
        structlog.reset_defaults()  # it logs to the runner's standard error, which is closed by now


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "candidate"))


def change(folder: Path, name: str, right: str, wrong: str) -> None:
    file = folder / name
    text = file.read_text(encoding="utf-8")
    assert text.count(right) == 1
    file.write_text(text.replace(right, wrong), encoding="utf-8")


def fewer_ticks(folder: Path) -> None:
    change(folder, "floors.yaml", "risk_ticks: {at_least: 14}", "risk_ticks: {at_least: 15}")


def test_the_shipped_rules_are_fit_and_the_command_says_what_was_proved() -> None:
    found = onward("check", str(SHIPPED))
    assert found.exit_code == 0, found.output
    assert "proved every promise is kept, whatever the event" in found.output
    assert "Fit for use" in found.output


def test_a_broken_promise_is_shown_by_an_event_and_ends_with_1(candidate: Path) -> None:
    fewer_ticks(candidate)
    found = onward("check", str(candidate))
    assert found.exit_code == 1
    assert "invariants.yaml" in found.output
    assert "high-risk-goes-before-the-panel" in found.output
    assert "event    referral, risk_ticks 14" in found.output
    assert "Not fit for use" in found.output


def test_save_keeps_the_event_once_and_leaves_what_is_there(candidate: Path) -> None:
    fewer_ticks(candidate)
    saved = candidate / "examples" / "promise-high-risk-goes-before-the-panel.yaml"
    assert not saved.exists()
    assert onward("check", str(candidate)).exit_code == 1
    assert not saved.exists(), "without --save nothing is written"
    assert "saved" in onward("check", str(candidate), "--save").output
    saved.write_text(saved.read_text(encoding="utf-8") + "# looked at\n", encoding="utf-8")
    again = onward("check", str(candidate), "--save")
    assert "left as it is" in again.output
    assert saved.read_text(encoding="utf-8").endswith("# looked at\n")
    assert again.exit_code == 1
    assert saved.name in again.output, "the example fails until the promise is kept"


def test_what_is_not_proved_in_time_ends_with_1(candidate: Path) -> None:
    found = onward("check", str(candidate), "--within", "0", "--json")
    assert found.exit_code == 1
    said = json.loads(found.output)
    assert not said["fit"]
    assert {one["verdict"] for one in said["findings"]} == {"not proved"}
    assert {one["check"] for one in said["findings"]} >= {"broken", "dead", "gap"}


def test_what_cannot_be_read_ends_with_2(candidate: Path) -> None:
    change(candidate, "invariants.yaml", "  given: {event: threat}", "  given: {event: thread}")
    found = onward("check", str(candidate))
    assert found.exit_code == 2
    assert "'thread' is not a value of event; did you mean 'threat'?" in found.stderr


def test_diff_of_the_same_ends_with_0(candidate: Path) -> None:
    found = onward("diff", str(SHIPPED), str(candidate))
    assert found.exit_code == 0
    assert "Proved the same for every event there can be" in found.output


def test_diff_of_two_versions_is_a_plan_and_ends_with_1(candidate: Path) -> None:
    fewer_ticks(candidate)
    found = onward("diff", str(SHIPPED), str(candidate))
    assert found.exit_code == 1
    assert "rules changed: floor-high-risk" in found.output
    assert "routes to marac" in found.output
    assert "narrowed, such as: referral, risk_ticks 14" in found.output
    assert "proved the same routes to" in found.output


def test_diff_for_machines_has_an_event_each_way_and_both_decisions(candidate: Path) -> None:
    fewer_ticks(candidate)
    said = json.loads(onward("diff", str(SHIPPED), str(candidate), "--json").output)
    assert not said["same"]
    marac = next(topic for topic in said["topics"] if (topic["sort"], topic["of"]) == ("route", "marac"))
    narrowed = marac["changes"][0]
    assert narrowed["way"] == "narrowed"
    assert narrowed["event"]["facts"]["risk_ticks"] == 14
    assert "marac" in narrowed["before"]["routes"]
    assert "marac" not in narrowed["after"]["routes"]


def test_diff_says_what_changed_and_is_no_part_of_the_proof(candidate: Path) -> None:
    change(candidate, "calendar.yaml", 'day_ends: "17:00"', 'day_ends: "16:00"')
    found = onward("diff", str(SHIPPED), str(candidate))
    assert found.exit_code == 1
    assert "the calendar is another" in found.output


def test_diff_in_no_time_is_not_proved(candidate: Path) -> None:
    fewer_ticks(candidate)
    found = onward("diff", str(SHIPPED), str(candidate), "--within", "0")
    assert found.exit_code == 1
    assert "not proved" in found.output
