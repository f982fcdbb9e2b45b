"""The command line, as each user would use it, against a system that `onward up` runs.

What is wrong with settings is told by processes that start afresh, and so does `up`; all else is forked from one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.ground.settings import REPOSITORY
from tests.support.events import EXAMPLES, referral
from tests.support.warm import COLUMNS, forked

ONWARD = Path(sys.executable).parent / "onward"
SOURCE = "northshire-police"


@dataclass
class Terminal:
    """A terminal in which `onward` shares one data directory."""

    data_dir: Path

    @property
    def environment(self) -> dict[str, str]:
        """Quick to send what is owed."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ONWARD_")}
        return {**clean, "ONWARD_DATA_DIR": str(self.data_dir), "ONWARD_SWEEP_SECONDS": "1", "COLUMNS": COLUMNS}

    def onward(self, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end."""
        return forked().run([str(ONWARD), *words], given=given, environment=self.environment, timeout=60)

    def until(self, *words: str, has: str, seconds: float = 30) -> str:
        """Run a command until its output has something."""
        deadline = time.monotonic() + seconds
        while True:
            said = self.onward(*words).stdout.decode()
            if has in said:
                return said
            if time.monotonic() > deadline:
                raise TimeoutError(said)
            time.sleep(0.3)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal beside another one in which `onward up` runs."""
    there = Terminal(tmp_path_factory.mktemp("onward"))
    up = subprocess.Popen([ONWARD, "up"], env=there.environment, stderr=subprocess.PIPE)
    try:
        there.until("status", "--json", has='"attention": []')
        yield there
    finally:
        up.send_signal(signal.SIGTERM)
        assert up.wait(30) == 0, "stops when it is told to"
        assert up.stderr is not None
        up.stderr.close()


def test_an_agency_sends_a_referral_and_ops_see_its_whole_way(terminal: Terminal) -> None:
    sent = terminal.onward("send", str(EXAMPLES / "referral-assault-on-partner.json"), "--source", SOURCE, "--json")
    assert sent.returncode == 0, sent.stderr
    [receipt] = json.loads(sent.stdout)
    assert receipt["outcome"] == "accepted"
    tree = terminal.until("trace", receipt["event_id"], has="audit")
    for words in ("referral-dapp", "victim_safety", "disclosed:", "decided by rules sha256:"):
        assert words in tree
    by_their_id = json.loads(terminal.onward("trace", receipt["id"], "--json").stdout)
    assert by_their_id["event_id"] == receipt["event_id"]
    [by_event] = json.loads(terminal.onward("case", receipt["id"], "--json").stdout)
    assert by_event["person_id"] == by_their_id["accepted"]["person_id"]
    [case] = json.loads(terminal.onward("case", by_their_id["accepted"]["person_id"], "--json").stdout)
    assert {leg["destination"] for leg in case["legs"]} >= {"dapp", "victim_safety"}
    drawn = terminal.onward("case", case["person_id"]).stdout.decode()
    for words in ("What happened", "Due next", "Domestic abuse perpetrator", "┄ asked, not taken up yet"):
        assert words in drawn


def test_ops_ask_why_an_event_was_decided_so_and_why_not_otherwise(terminal: Terminal, tmp_path: Path) -> None:
    event = referral(id="explained", reference="WHY-1")
    terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(event).encode())
    terminal.until("trace", "explained", has="dispatch")
    said = terminal.onward("rules", "explain", "explained", "--why-not", "housing_support").stdout.decode()
    for words in ("referral-dapp", "(a floor: no rule can withhold it)", "would need other_needs has accommodation"):
        assert words in said
    assert "Nearest change that would have led there (tried): other_needs accommodation instead of nothing" in said
    found = json.loads(terminal.onward("rules", "explain", "explained", "--why-not", "dapp", "--json").stdout)
    assert found["why_not"]["standing"] == "routed"
    assert found["same_rules"] is True
    assert all(test["origin"] for rule in found["matched"] for test in rule["tests"])
    assert found["why_not"]["nearest"] is None
    stricter = tmp_path / "stricter"
    shutil.copytree(REPOSITORY / "rulesets" / "default", stricter)
    rules = stricter / "rules" / "referral.yaml"
    rules.write_text(rules.read_text().replace("age: {at_least: 18}", "age: {at_least: 80}"))
    asked = [str(ONWARD), "rules", "explain", "explained", "--why-not", "dapp", "--json"]
    elsewhere = {**terminal.environment, "ONWARD_RULES_DIR": str(stricter)}
    by_its_own = json.loads(subprocess.run(asked, capture_output=True, env=elsewhere, timeout=60, check=True).stdout)
    assert by_its_own["why_not"]["standing"] == "routed", "by the rules that decided, whatever rules are there now"
    assert by_its_own["same_rules"] is True
    terminal.until("trace", "explained", has="consult")
    misspelt = terminal.onward("rules", "explain", "explained", "--why-not", "housing_suport")
    assert misspelt.returncode == 2
    assert "no destination 'housing_suport'; did you mean 'housing_support'?" in misspelt.stderr.decode()
    assert terminal.onward("rules", "explain", "never-seen").returncode == 1


def test_ops_see_what_a_change_would_have_done_and_nothing_of_anybody_but_ids(
    terminal: Terminal, tmp_path: Path
) -> None:
    event = referral(id="replayed", reference="REPLAYED-1")
    terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(event).encode())
    terminal.until("trace", "replayed", has="dispatch")
    candidate, page = tmp_path / "candidate", tmp_path / "change.html"
    shutil.copytree(REPOSITORY / "rulesets" / "default", candidate)
    rules = candidate / "rules" / "referral.yaml"
    rules.write_text(rules.read_text().replace("age: {at_least: 18}", "age: {at_least: 80}"))
    told = terminal.onward("rules", "replay", str(candidate), "--html", str(page), "--json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    [by_id] = [json.loads(terminal.onward("trace", "replayed", "--json").stdout)["event_id"]]
    [case] = [case for case in found["cases"] if case["event_id"] == by_id]
    assert any(line.startswith("route to dapp") for line in case["before"])
    assert not any(line.startswith("route to dapp") for line in case["after"])
    assert "referral-dapp" in {rule["rule"] for rule in case["rules"]}
    assert found["workload"]["destinations"]["dapp"]["after"] != found["workload"]["destinations"]["dapp"]["before"]
    assert found["decided_by"] == [{"rule_set": found["against"], "decisions": found["decisions"], "kept": True}]
    person = event["data"]["person"]
    for text in (
        told.stdout.decode(),
        page.read_text(),
        terminal.onward("rules", "replay", str(candidate)).stdout.decode(),
    ):
        assert not any(
            words in text for words in (person["name"]["family"], person["date_of_birth"], "threats_to_kill")
        )
    assert page.stat().st_mode & 0o777 == 0o600
    looked = terminal.until("trace", "replayed", has="consult")
    assert "consult" in looked
    for wrong, words in (("nowhere", "neither a folder"), (str(candidate), "")):
        said = terminal.onward("rules", "replay", wrong, "--since", "2026-13-01" if words == "" else "2026-01-01")
        assert said.returncode == 2
        assert (words or "--since takes a day") in said.stderr.decode()


def test_a_case_is_drawn_into_one_file_that_needs_nothing_else(terminal: Terminal, tmp_path: Path) -> None:
    event = referral(id="drawn", reference="DRAWN-1")
    terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(event).encode())
    terminal.until("trace", "drawn", has="dispatch")
    page, drawing = tmp_path / "case.html", tmp_path / "case.svg"
    done = terminal.onward("case", "drawn", "--html", str(page), "--svg", str(drawing))
    assert (done.returncode, done.stdout) == (0, b"")
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert drawing.read_text().startswith("<?xml")
    assert {path.stat().st_mode & 0o777 for path in (page, drawing)} == {0o600}, "it is about a person"
    for name in ("html", "svg"):
        out = terminal.onward("case", "drawn", f"--{name}", "-")
        assert out.returncode == 0
        assert "Do not show to the person: contains the victim-safety leg" in out.stdout.decode()
    assert "Victim safety" in terminal.onward("case", "drawn").stdout.decode()


def test_a_picture_for_the_persons_side_has_nothing_of_the_other_side(terminal: Terminal) -> None:
    event = referral(id="sides", reference="SIDES-1")
    terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(event).encode())
    terminal.until("trace", "sides", has="dispatch")
    [case] = json.loads(terminal.onward("case", "sides", "--json").stdout)
    hers = [leg["id"] for leg in case["legs"] if leg["destination"] in ("victim_safety", "marac", "childrens_services")]
    assert hers
    for words in ((), ("--html", "-"), ("--svg", "-")):
        said = terminal.onward("case", "sides", "--for", "person-side", *words).stdout.decode()
        assert "Domestic abuse perpetrator" in said
        for secret in (*hers, "ictim", "risk assessment conference", "Do not show"):
            assert secret not in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--json", "--html", "-"), "--json goes with neither"),
        (("--html", "-", "--svg", "-"), "only one of --html and --svg"),
        (("--json", "--for", "person-side"), "for operations alone"),
        (("--for", "everybody"), "everybody"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anybody_is_looked_up(
    tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    done = Terminal(tmp_path).onward("case", "anybody", *words)
    assert done.returncode == 2
    assert says in done.stderr.decode()


def test_without_a_rule_set_ops_still_see_a_case_and_nobody_else_does(terminal: Terminal, tmp_path: Path) -> None:
    event = referral(id="no-rules", reference="NO-RULES-1")
    terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(event).encode())
    terminal.until("trace", "no-rules", has="dispatch")
    copy = Path(shutil.copytree(terminal.data_dir, tmp_path / "copy", ignore=shutil.ignore_patterns("nats*")))
    with sqlite3.connect(copy / "onward.db") as store:
        assert store.execute("UPDATE rule_sets SET files = '{}'").rowcount == 1
    there = Terminal(copy)
    ops = there.onward("case", "no-rules")
    assert ops.returncode == 0, ops.stderr
    assert b"Do not show to the person" in ops.stdout
    assert b"go by their ids" in ops.stderr
    other = there.onward("case", "no-rules", "--for", "person-side")
    assert (other.returncode, other.stdout) == (2, b"")
    assert b"nobody can say" in other.stderr


def test_a_file_that_cannot_be_written_is_one_clear_error(terminal: Terminal, tmp_path: Path) -> None:
    event = referral(id="unwritten", reference="UNWRITTEN-1")
    terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(event).encode())
    terminal.until("trace", "unwritten", has="dispatch")
    refused = terminal.onward("case", "unwritten", "--svg", str(tmp_path / "nowhere" / "case.svg"))
    assert refused.returncode == 2
    assert "cannot be written" in refused.stderr.decode()
    assert "Traceback" not in refused.stderr.decode()


def test_looking_at_somebodys_data_is_itself_audited(terminal: Terminal) -> None:
    event = referral(id="looked-at", reference="LOOK-1")
    terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(event).encode())
    terminal.until("trace", "looked-at", has="dispatch")
    terminal.until("trace", "looked-at", has="consult")


def test_a_message_with_mistakes_is_not_sent_and_each_is_named(terminal: Terminal) -> None:
    wrong = referral(id="wrong-1")
    wrong["data"]["persn"] = wrong["data"].pop("person")
    refused = terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(wrong).encode())
    assert refused.returncode == 1
    assert "/data/persn: no field of that name; did you mean 'person'?" in refused.stderr.decode()
    assert terminal.onward("trace", "wrong-1").returncode == 1


def test_what_somebody_wrote_in_brackets_is_shown_as_it_is(terminal: Terminal) -> None:
    odd = referral(id="[/odd]", reference="[red]")
    assert b"[/odd]" in terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(odd).encode()).stdout
    assert "their id [/odd]" in terminal.until("trace", "[/odd]", has="dispatch")
    unknown = terminal.onward("trace", "[/nobody]")
    assert unknown.returncode == 1
    assert unknown.stderr.decode() == "onward: nothing is known under '[/nobody]'\n"


def test_many_events_are_sent_in_one_go(terminal: Terminal) -> None:
    lines = [json.dumps(referral(id=f"many-{number}", reference=f"MANY-{number}")) for number in range(20)]
    sent = terminal.onward("send", "-", "--source", SOURCE, given="\n".join(lines).encode())
    assert sent.stdout.decode().strip() == "20 accepted"


def test_each_service_says_that_it_is_ready(terminal: Terminal) -> None:
    for name in ("intake", "router", "dispatch", "audit"):
        assert terminal.onward("health", name).returncode == 0


def test_a_stopped_system_keeps_what_is_sent_for_later(tmp_path: Path) -> None:
    alone = Terminal(tmp_path)
    sent = alone.onward("send", str(EXAMPLES / "referral-assault-on-partner.json"), "--source", SOURCE)
    assert sent.returncode == 0
    assert b"waits for `onward up`" in sent.stderr


@pytest.mark.parametrize(
    ("words", "setting", "says"),
    [
        (("status",), {"ONWARD_PARTITIONS": "none"}, "ONWARD_PARTITIONS"),
        (("up",), {"ONWARD_DATABASE_URL": "mysql://a:hunter2@h/d"}, "postgresql://"),
        (("run", "rooter"), {}, "rooter"),
        (("run", "router"), {}, "onward migrate"),
        (("up",), {"ONWARD_RULES_DIR": "nowhere"}, "nowhere"),
        (("status",), {}, "nothing has run in"),
        (("run", "intake"), {"ONWARD_NATS_URL": "nats://a:hunter2@127.0.0.1:9", "ONWARD_CONNECT_SECONDS": "1"}, ":9"),
    ],
)
def test_what_is_wrong_is_one_clear_error_and_changes_nothing(
    tmp_path: Path, words: tuple[str, ...], setting: dict[str, str], says: str
) -> None:
    there = Terminal(tmp_path)
    done = subprocess.run(
        [ONWARD, *words], capture_output=True, env={**there.environment, **setting}, timeout=60, check=False
    )
    assert done.returncode == 2
    said = done.stderr.decode()
    assert says in said
    assert "Traceback" not in said
    assert "hunter2" not in said
    assert words != ("status",) or list(tmp_path.iterdir()) == [], "a look makes no store"


def test_a_rule_set_is_checked_before_it_runs(tmp_path: Path) -> None:
    mine, there = tmp_path / "mine", Terminal(tmp_path / "data")
    shutil.copytree(REPOSITORY / "rulesets" / "default", mine)
    assert there.onward("rules", "check", str(mine)).returncode == 0
    relapse = mine / "rules" / "relapse.yaml"
    shipped = relapse.read_text()
    relapse.write_text(shipped.replace("priority: 2", "priority: 1", 1))
    changed = there.onward("rules", "check", str(mine), "--json")
    assert changed.returncode == 1
    differences = [d for failed in json.loads(changed.stdout)["failed"] for d in failed["differences"]]
    assert any(d.startswith("routes: expected addiction_service 2") for d in differences), differences
    relapse.write_text(shipped.replace("event: relapse", "event: relapsed", 1))
    refused = there.onward("rules", "check", str(mine))
    assert refused.returncode == 2
    assert (
        "rules/relapse.yaml:7:12: 'relapsed' is not a value of event; did you mean 'relapse'?"
        in refused.stderr.decode()
    )
    assert not there.data_dir.exists(), "nothing was changed"


def test_examples_are_weighed_by_the_mistakes_that_they_notice(tmp_path: Path) -> None:
    mine, there = tmp_path / "mine", Terminal(tmp_path / "data")
    shutil.copytree(REPOSITORY / "rulesets" / "default", mine)
    done = there.onward("rules", "test", str(mine), "--at-least", "0.95")
    assert done.returncode == 0, done.stdout
    assert "small mistakes noticed" in done.stdout.decode()
    for name in ("edges", "every_value"):
        (mine / "examples" / f"{name}.yaml").unlink()
    fewer = there.onward("rules", "test", str(mine), "--at-least", "0.95", "--json")
    assert fewer.returncode == 1
    found = json.loads(fewer.stdout)
    assert found["failed"] == []
    assert found["score"] < 0.95
    assert all(one["at"].split(":")[0].endswith(".yaml") and one["change"] for one in found["survivors"])
    assert not there.data_dir.exists(), "nothing was changed"


def test_the_words_of_rules_are_told_to_people_and_to_editors(tmp_path: Path) -> None:
    there, into = Terminal(tmp_path / "data"), tmp_path / "schemas"
    shown = there.onward("rules", "facts").stdout.decode()
    for words in (
        "relapses_28d",
        "on_programme",
        "victim_safety",
        "offer_pause",
        "safeguarding_lead",
        "suicidal_ideation",
    ):
        assert words in shown
    found = json.loads(there.onward("rules", "facts", "--json").stdout)
    assert set(found) == {"facts", "terms", "events", "destinations", "statuses", "roles", "actions"}
    written = json.loads(there.onward("rules", "schema", str(into), "--json").stdout)
    assert {Path(name).name for name in written} == {path.name for path in into.iterdir()}
    refused = there.onward("rules", "schema", str(into / "rules.schema.json"))
    assert refused.returncode == 2
    assert "cannot write" in refused.stderr.decode()


def test_settings_are_shown_without_their_secrets(tmp_path: Path) -> None:
    secret = {
        "ONWARD_NATS_URL": "nats://a:hunter2@h:1,nats://b:hunter3@i:2",
        "ONWARD_DATABASE_URL": "postgresql://hunter4@h/d",
    }
    there = Terminal(tmp_path).environment | secret
    shown = subprocess.run([ONWARD, "config", "--json"], capture_output=True, env=there, timeout=60, check=True)
    assert b"h:1,i:2" in shown.stdout
    assert b"hunter" not in shown.stdout
