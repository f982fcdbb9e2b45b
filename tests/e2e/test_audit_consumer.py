"""A consumer of the audit log beside a system that runs: follows it, and hands on what it can prove."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from services.audit.keys import read_keys
from services.cli.main import app
from tests.support.events import referral

PATIENCE_SECONDS = 60.0


@dataclass
class Beside:
    """A terminal beside a running system."""

    data_dir: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of the commands."""
        return {"ONWARD_DATA_DIR": str(self.data_dir), "ONWARD_SWEEP_SECONDS": "1", "COLUMNS": "300"}

    def onward(self, *words: object, code: int = 0, given: str = "") -> str:
        """Run a command, and what it prints."""
        found = CliRunner().invoke(app, list(map(str, words)), env=self.environment, input=given)
        assert found.exit_code == code, found.output + found.stderr + str(found.exception)
        return found.stdout + (found.stderr if code else "")

    def tail(self, *words: object, code: int = 0) -> list[bytes]:
        """The lines of `onward audit tail --json`."""
        found = CliRunner().invoke(app, ["audit", "tail", "--json", *map(str, words)], env=self.environment)
        assert found.exit_code == code, found.output + found.stderr + str(found.exception)
        return found.stdout_bytes.splitlines()

    def entries(self) -> list[dict[str, Any]]:
        """What the entries of the log say, in its order, without a look at them."""
        with closing(sqlite3.connect(self.data_dir / "onward.db")) as store:
            rows = store.execute("SELECT entry FROM log_entries ORDER BY position").fetchall()
        return [json.loads(entry)["data"] for (entry,) in rows]

    def signed(self) -> int:
        """How many entries the published checkpoint covers; 0 where there is none yet."""
        checkpoint = self.data_dir / "log" / "checkpoint"
        return int(checkpoint.read_text().splitlines()[1]) if checkpoint.exists() else 0


def until(done: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """A terminal beside `onward up`, in which a referral was taken and its entries were signed."""
    there = Beside(tmp_path_factory.mktemp("onward"))
    words = [sys.executable, "-m", "services.cli.main", "up"]
    up = subprocess.Popen(words, env={**os.environ, **there.environment}, stderr=subprocess.DEVNULL)
    try:
        until(lambda: '"attention": []' in CliRunner().invoke(app, ["status", "--json"], env=there.environment).stdout)
        there.onward(
            "send", "-", "--source", "northshire-police", given=json.dumps(referral(id="one", reference="A-1"))
        )
        until(lambda: there.signed() >= 3)
        structlog.reset_defaults()
        yield there
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(30)


def test_the_queue_has_the_very_bytes_that_the_log_committed_to(beside: Beside) -> None:
    lines = beside.tail()
    size = beside.signed()
    assert len(lines) >= size
    for position in range(size):
        shown = json.loads(beside.onward("audit", "show", position, "--json"))
        assert shown["leaf"].encode() in lines


def test_a_named_consumer_goes_on_where_it_was(beside: Beside) -> None:
    first = beside.tail("--durable", "regulator")
    assert first
    again = beside.tail("--durable", "regulator")
    assert not set(first) & set(again)
    beside.onward("send", "-", "--source", "northshire-police", given=json.dumps(referral(id="two", reference="A-2")))

    def more() -> bool:
        lines = beside.tail("--durable", "regulator")
        assert not set(first) & set(lines)
        return bool(lines)

    until(more)


def test_a_consumer_begins_at_any_position_or_time(beside: Beside) -> None:
    leaf = json.loads(beside.onward("audit", "show", 2, "--json"))["leaf"].encode()
    from_two, from_then, whole = beside.tail("--from", 2), beside.tail("--since", "2026-01-01"), beside.tail()
    assert from_two[0] == leaf
    assert from_two == whole[whole.index(leaf) :][: len(from_two)]
    assert from_then == whole[: len(from_then)]
    assert len(from_then) > len(from_two)
    assert beside.tail("--since", "2199-01-01") == []
    assert "no entry 100000" in beside.onward("audit", "tail", "--from", 100_000, code=1)
    assert "not with both" in beside.onward("audit", "tail", "--from", 1, "--since", "2026-01-01", code=2)


def test_people_read_who_did_what(beside: Beside) -> None:
    said = beside.onward("audit", "tail")
    assert "disclose" in said
    collected = next(line for line in said.splitlines() if "  collect " in line)
    entry = collected.rpartition("  entry ")[2]
    assert f'"entry_id": "{entry}"' in beside.onward("audit", "show", entry), "by it the entry is shown and proved"


def test_what_is_handed_on_verifies_by_the_key_alone(beside: Beside, tmp_path: Path) -> None:
    vkey = read_keys(beside.data_dir / "keys" / "log.key").current.verifier
    entry = json.loads(beside.tail()[0])["data"]["entry_id"]
    proof, part = tmp_path / "entry", tmp_path / "part"
    beside.onward("audit", "prove", entry, "--out", proof)
    beside.onward("audit", "export", "--since", "2026-01-01", "--out", part)
    for file, kind in ((proof, "entry"), (part, "export"), (beside.data_dir / "log", "log")):
        told = json.loads(beside.onward("audit", "verify", file, "--key", vkey, "--json"))
        assert (told["ok"], told["kind"]) == (True, kind)
    beside.onward("audit", "export", "--since", "2199-01-01", "--out", part)
    told = json.loads(beside.onward("audit", "verify", part, "--key", vkey, "--json"))
    assert (told["begin"], told["end"]) == (0, 0)


def test_that_an_operator_read_the_log_is_in_the_log(beside: Beside) -> None:
    before = beside.signed()
    beside.onward("audit", "show", 0)
    until(lambda: beside.signed() > before)
    last = [json.loads(line)["data"] for line in beside.tail()]
    assert any(
        each["operation"] == "consult" and each["records"] == [{"kind": "search", "id": "log?position=0"}]
        for each in last
    )


def test_why_something_was_done_is_proved_to_whoever_may_know_it(beside: Beside, tmp_path: Path) -> None:
    vkey = read_keys(beside.data_dir / "keys" / "log.key").current.verifier
    beside.onward("case", "A-1", "--by", "d.uty", "--because", "His sister called.")

    def of_that() -> list[int]:
        return [n for n, data in enumerate(beside.entries()) if data["actor"]["id"] == "d.uty"]

    until(of_that)
    [position] = of_that()
    until(lambda: beside.signed() > position)
    assert "His sister" not in beside.onward("audit", "show", position)
    proof, why = tmp_path / "proof", tmp_path / "why"
    beside.onward("audit", "prove", position, "--out", proof, "--why", why, "--by", "a.uditor", "--because", "Audit")
    assert why.stat().st_mode & 0o077 == 0
    told = json.loads(beside.onward("audit", "verify", proof, "--key", vkey, "--why", why, "--json"))
    assert (told["ok"], told["why"]) == (True, "His sister called.")
    assert "why       His sister called." in beside.onward("audit", "verify", proof, "--key", vkey, "--why", why)
    why.write_bytes(why.read_bytes().replace(b"sister", b"mother"))
    told = json.loads(beside.onward("audit", "verify", proof, "--key", vkey, "--why", why, "--json", code=1))
    assert told["wrong"] == "ReasonWrong"
    assert "no human's reason" in beside.onward("audit", "prove", 1, "--out", proof, "--why", why, code=1)
    until(lambda: [data for data in beside.entries() if data["actor"]["id"] == "a.uditor"])
    looks = [data for data in beside.entries() if data["actor"]["id"] == "a.uditor"]
    assert [(each["operation"], each["fields"]) for each in looks][:1] == [("consult", ["justification"])]
    assert looks[0]["person_id"], "it is a look at what was said of somebody"


def test_that_somebody_followed_the_queue_is_in_the_log_and_where_it_cannot_be_nothing_is_shown(
    beside: Beside, tmp_path: Path
) -> None:
    asked = ("--durable", "inspector", "--by", "i.nspector", "--because", "Inspection")
    assert beside.tail(*asked)

    def looks() -> list[Any]:
        return [data for data in beside.entries() if data["actor"]["id"] == "i.nspector"]

    until(looks)
    said = [(each["operation"], each["records"], each["justification"]) for each in looks()]
    assert said == [("consult", [{"kind": "search", "id": "audit_tail?durable=inspector"}], "Inspection")]

    def nothing_is_new() -> bool:
        counted = json.loads(beside.onward("audit", "reconcile", "--json"))
        return counted["entries"]["on_their_way"] == 0 and beside.tail(*asked) == []

    until(nothing_is_new)  # a look that shows nothing but the one before it is none: else there would be no end
    elsewhere = {"ONWARD_DATA_DIR": str(tmp_path), "ONWARD_NATS_URL": "nats://127.0.0.1:1"}
    refused = CliRunner().invoke(app, ["audit", "tail"], env=elsewhere)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "that you look cannot be kept" in refused.stderr
