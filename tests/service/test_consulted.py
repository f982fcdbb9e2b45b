"""Who looks says why where that is required; what was seen is entered; the controller's report tells of it."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.audit.keys import read_keys
from services.cli.story import BEGINNING
from services.ground.clock import SetClock
from services.ground.entry_texts import entry_texts
from services.ground.settings import Settings
from tests.support.events import referral
from tests.support.grown import published
from tests.support.system import System, system
from tests.support.typed import Typed

REFERENCE = "NS-2025-0031877"
WHY = "The facilitator telephoned, and asks."
LOOKS = (
    ("trace", "the-referral"),
    ("case", REFERENCE),
    ("work", "list"),
    ("work", "show", REFERENCE),
    ("rules", "explain", "the-referral"),
    ("rules", "replay", "rulesets/default"),
    ("audit", "report", REFERENCE),
    ("audit", "tail"),
)


@asynccontextmanager
async def _referred(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[System, Typed, SetClock]]:
    """A system that took the case's referral, and somebody who types beside it."""
    for name in ("ONWARD_BY", "ONWARD_ROLE", "ONWARD_BECAUSE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USER", "p.singh")
    clock = SetClock(BEGINNING)
    async with system(settings, clock=clock) as onward:
        await onward.publish(referral(id="the-referral", reference=REFERENCE))
        await onward.settle()
        yield onward, Typed(onward.world.settings, clock, monkeypatch), clock


async def _consults(onward: System) -> list[dict[str, Any]]:
    """The entries of looks, sent or not."""
    return await onward.entered("consult")


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_without_the_reason_that_is_required_nothing_is_shown_and_nothing_entered(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = settings.model_copy(update={"justification_required": frozenset({"consult"})})
    async with _referred(strict, monkeypatch) as (onward, typed, _):
        for words in LOOKS:
            refused = await typed.onward(*words)
            assert (refused.exit_code, refused.stdout) == (2, ""), words
            assert "--because" in refused.stderr, words
        assert await _consults(onward) == []
        for words in LOOKS:
            shown = await typed.onward(*words, "--because", WHY)
            assert shown.exit_code == 0, (words, shown.output)
        monkeypatch.setenv("ONWARD_BECAUSE", WHY)
        monkeypatch.setenv("ONWARD_ROLE", "case_manager")
        assert (await typed.onward("trace", "the-referral")).exit_code == 0
        entries = await _consults(onward)
        ids = [entry["entry_id"] for entry in entries]
        wrote = await onward.world.database.read(lambda c: entry_texts(c, ids))
        assert {e.get("justification") or wrote[e["entry_id"]].text for e in entries} == {WHY}
        assert {"justification" in e for e in entries if e.get("person_id")} == {False}, (
            "sealed, where it is of somebody"
        )
        assert entries[0]["actor"] == {"id": "p.singh", "organisation": "onward", "role": "operator"}
        assert entries[-1]["actor"]["role"] == "case_manager"
        bad = await typed.onward("trace", "the-referral", "--because", "two\nlines")
        assert (bad.exit_code, bad.stdout) == (2, "")


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_list_names_whom_it_showed_and_a_count_which_search_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _referred(settings, monkeypatch) as (onward, typed, _):
        listed = await typed.json("work", "list", "--by", "j.smith", "--role", "case_manager", "--all")
        [entry] = await _consults(onward)
        named = {(record["kind"], record["id"]) for record in entry["records"]}
        assert named == {("review", row["id"]) for row in listed} | {("person", row["person_id"]) for row in listed}
        assert entry["actor"]["role"] == "case_manager"
        assert {"question", "due_at"} <= set(entry["fields"])
        await typed.json("rules", "replay", "rulesets/default", "--since", "2026-01-01")
        *_, counted = await _consults(onward)
        [search] = counted["records"]
        assert search == {"kind": "search", "id": "rules_replay?since=2026-01-01&decisions=1&persons=0"}
        assert "recipient" not in counted, "whoever looks is the actor; nobody receives it"


async def test_the_report_tells_who_looked_and_what_left_to_whom_and_is_entered_itself(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with _referred(settings, monkeypatch) as (onward, typed, clock):
        await typed.onward("case", REFERENCE, "--by", "j.smith", "--role", "case_manager", "--because", WHY)
        await typed.onward("work", "list", "--by", "a.jones")
        clock.move(timedelta(minutes=1))
        await onward.settle()
        found = await typed.json("audit", "report", REFERENCE, "--since", "2026-11-02")
        by = {line["who"]: line for line in found["consulted"]}
        assert set(by) == {"j.smith", "a.jones"}, "the list names the person among its records"
        assert (by["j.smith"]["role"], by["j.smith"]["why"], by["j.smith"]["times"]) == ("case_manager", [WHY], 1)
        [dapp] = [line for line in found["disclosed"] if line["who"] == "dapp"]
        assert dapp["lawful_basis"] == "law_enforcement"
        for line in (dapp, by["j.smith"]):
            [position] = line["positions"]
            [row] = await onward.rows("SELECT entry FROM log_entries WHERE position = :at", at=position)
            said = orjson.loads(bytes(row["entry"]))["data"]
            assert line["who"] in (said.get("recipient"), said["actor"]["id"]), "by it the entry is proved"
        assert "Violence or threats" in dapp["why"][0] or dapp["why"], dapp
        deliveries = await onward.rows("SELECT fields FROM deliveries WHERE destination = 'dapp'")
        kept = deliveries[0]["fields"]
        assert sorted(dapp["fields"]) == sorted(orjson.loads(kept) if isinstance(kept, str) else kept)
        assert (await typed.json("audit", "report", REFERENCE, "--until", "2026-11-01"))["entries"] == 0
        everybody = await typed.json("audit", "report")
        assert everybody["entries"] >= found["entries"]
        assert [entry["purpose"] for entry in await _consults(onward)][-3:] == ["audit"] * 3

        page, sheet = tmp_path / "report.html", tmp_path / "report.csv"
        done = await typed.onward("audit", "report", REFERENCE, "--html", str(page), "--csv", str(sheet))
        assert (done.exit_code, page.stat().st_mode & 0o077, sheet.stat().st_mode & 0o077) == (0, 0, 0)
        text = page.read_text()
        assert "j.smith" in text
        assert WHY in text
        assert "http" not in text.replace("http-equiv", ""), "it needs nothing from outside"
        rows = list(csv.DictReader(io.StringIO(sheet.read_text(), newline="")))
        assert {row["operation"] for row in rows} == {"consult", "disclose"}
        assert all(row["first"].endswith("+00:00") for row in rows), "London's winter"
        told = await typed.onward("audit", "report", REFERENCE)
        assert "Mon 02 Nov" in told.output
        [name] = {referral()["data"]["person"]["name"]["family"]}
        assert name not in text + sheet.read_text() + told.output


async def test_reconcile_at_a_terminal_is_well_and_red_where_an_entry_is_lost(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _referred(settings, monkeypatch) as (onward, typed, _):
        well = await typed.onward("audit", "reconcile")
        assert well.exit_code == 0
        assert "Every act has its entry" in well.output
        counted = await typed.json("audit", "reconcile")
        assert counted["acts"]["delivery"]["entered"] == counted["acts"]["delivery"]["acts"] > 0

        def lose(connection: Any) -> None:
            connection.exec_driver_sql("DELETE FROM log_entries WHERE operation = 'alter'")

        await onward.world.database.write(lose)
        red = await typed.onward("audit", "reconcile", "--json")
        assert red.exit_code == 1
        missing = {kind for kind, count in orjson.loads(red.stdout)["acts"].items() if count["missing"]}
        assert {"decision", "leg step", "event decided", "step of a rule set"} <= missing
        assert "delivery" not in missing


@pytest.mark.parametrize("command", ["show", "prove", "export"])
async def test_our_own_log_is_read_with_an_entry_also_where_its_folder_is_named(
    command: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with _referred(settings, monkeypatch) as (onward, typed, _):
        await published(onward)
        vkey = str(read_keys(settings.log_key).current.verifier)
        words = ["audit", command, *(["0"] if command != "export" else []), "--key", vkey]
        words += ["--out", str(tmp_path / "out")] if command != "show" else []
        elsewhere = tmp_path / "copy"
        shutil.copytree(settings.log_folder, elsewhere)
        monkeypatch.setenv("ONWARD_MAX_ATTEMPTS", "none")
        copy = await typed.onward(*words, "--log", str(elsewhere))
        assert copy.exit_code == 0, "whose settings are of no use reads another's log all the same"
        monkeypatch.delenv("ONWARD_MAX_ATTEMPTS")
        monkeypatch.setenv("ONWARD_DATA_DIR", str(tmp_path / "nothing-has-run-here"))
        assert (await typed.onward(*words, "--log", str(settings.log_folder))).exit_code == 0
        assert await _consults(onward) == [], "a copy, or without our store, is not ours to note"
        monkeypatch.setenv("ONWARD_DATA_DIR", str(settings.data_dir))
        if settings.database_url is not None:
            monkeypatch.setenv("ONWARD_DATABASE_URL", settings.database_url.get_secret_value())
        link = tmp_path / "link"
        link.symlink_to(settings.log_folder)
        for where in (settings.log_folder, link):
            said = await typed.onward(*words, "--log", str(where))
            assert said.exit_code == 0, said.output
        assert [entry["purpose"] for entry in await _consults(onward)] == ["audit"] * 2
