"""What the man of the case is given when he asks for it: all that is his, and nothing of hers or of theirs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.cli.playing import begin, happen
from services.cli.reconciling import Reconciling
from services.cli.story import BEGINNING, steps
from services.ground.clock import SetClock
from services.ground.keys import destroy
from services.ground.settings import Settings
from tests.support.events import decision, example, referral, referral_of
from tests.support.system import System, system
from tests.support.typed import Typed

UNTIL = timedelta(weeks=11)  # he rests; a check was missed, and a human answered
PNC = "1986/0154321Y"
WHY = "Their request of 3 March"
HERS = ("Sarah", "Sample", "1988-09-02", "Sep 1988", "900456", "weekdays 09:30", "Robin", "very_frightened",
        "neighbour")  # fmt: skip
THEIRS = ("A. Officer", "4471", "d.example", "s.example", "He answered the door", "He asked for it himself")
HER_SERVICES = ("victim_safety", "victim-safety", "Victim safety", "marac", "Multi-agency", "childrens_services",
                "Children's services", "childrens-northshire", "risk at home", "person at risk")  # fmt: skip
HIS = ("Daniel", "Danny Example", PNC, "12345/87K", "07700 900123", "Hillside Practice", "LS6")
HIS_SERVICES = ("Domestic abuse perpetrator programme", "Drug and alcohol service", "Community mental health team",
                "GP follow-up", "Residential rehabilitation", "Men's support group",
                "Mutual aid (AA, NA, SMART)")  # fmt: skip


@asynccontextmanager
async def _played(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, until: timedelta = UNTIL
) -> AsyncIterator[tuple[System, Typed]]:
    for name in ("ONWARD_BY", "ONWARD_ROLE", "ONWARD_BECAUSE"):
        monkeypatch.delenv(name, raising=False)
    clock = SetClock(BEGINNING)
    async with system(settings.model_copy(update={"timer_seconds": 0.03}), clock=clock) as onward:
        for step in (step for step in steps() if step.after < until):
            await begin(step, onward.world, onward.connection, clock)
            await happen(step, onward.world, onward.connection)
        yield onward, Typed(onward.world.settings, clock, monkeypatch)


async def _export(typed: Typed, folder: Path, *more: str) -> tuple[dict[str, Any], str]:
    page, data = folder / "theirs.html", folder / "theirs.json"
    words = ("--by", "j.smith", "--because", WHY, "--html", str(page), "--json", str(data))
    said = await typed.onward("person", "export", PNC, *words, *more)
    assert said.exit_code == 0, said.output
    assert page.stat().st_mode & 0o077 == 0, "it is its owner's alone to read"
    return json.loads(data.read_text()), html.unescape(page.read_text())


def _found(words: tuple[str, ...], *texts: str) -> list[str]:
    """Those that are there; a number not where it is a piece of an id of ours, which may have any digits."""
    return [word for word in words if any(re.search(_pattern(word), text, re.IGNORECASE) for text in texts)]


def _pattern(word: str) -> str:
    return rf"(?<![0-9a-f-]){word}(?![0-9a-f-])" if word.isdecimal() else re.escape(word)


async def test_he_gets_all_that_is_his_and_nothing_of_hers_or_theirs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with _played(settings.model_copy(update={"retention_case_years": 7}), monkeypatch) as (onward, typed):
        await typed.onward(
            "case", PNC, "--by", "d.example", "--role", "duty_worker", "--because", "Sarah Sample called"
        )
        assert isinstance(onward.world.clock, SetClock)
        onward.world.clock.move(timedelta(minutes=1))  # until the entry is looked for, and sent
        await onward.settle()
        found, page = await _export(typed, tmp_path)
        document = json.dumps(found, ensure_ascii=False)
        assert _found(HERS + THEIRS + HER_SERVICES, document, page) == []
        for words in (HIS, HIS_SERVICES):
            assert _found(words, document) == _found(words, page) == list(words)
        _assert_everything_of_his(found)
        [looked] = found["consulted"]
        assert (looked["role"], looked["organisation"], looked["times"]) == ("duty_worker", "onward", 1)
        await _assert_disclosed(onward, found)
        with Reconciling() as reconciling:
            for piece in reconciling.pages():
                await onward.world.database.read(piece)
        assert reconciling.found.findings == []
        await _assert_each_opening(typed, tmp_path, onward)


def _assert_everything_of_his(found: dict[str, Any]) -> None:
    kinds = [each["kind"] for each in found["received"]]
    assert {"referral", "protective", "low_mood", "relapse", "progress_pause_agreed", "welfare_concern"} <= set(kinds)
    [first] = [each["fields"] for each in found["received"] if each["kind"] == "referral"]
    assert first["needs"]["substances"] == ["cocaine", "alcohol"]
    assert first["incident"]["behaviours"] == ["physical_assault", "criminal_damage", "threats_to_kill"]
    assert first["victim"] == first["children"] == "[withheld: about another person]"
    assert first["narrative"].startswith("[withheld: may be about others; ")
    [decided] = [each for each in found["decisions"] if each["kind"] == "referral"]
    assert {row["service"] for row in decided["done"]} == {"dapp", "addiction_service", "mental_health_team"}
    named = {rule["rule"] for rule in decided["rules"]}
    assert named == {"referral-dapp", "referral-addiction", "referral-mental-health"}, (
        "none that asked a question of hers"
    )
    [rule] = [rule for rule in decided["rules"] if rule["rule"] == "referral-dapp"]
    assert rule["because"] == "Violence or threats towards a partner are referred to the programme."
    assert {test["fact"]: test["origin"] for test in rule["tests"]}["age"] == "from this report: person, date of birth"
    assert not [fact for fact in decided["facts"] if fact.startswith(("victim", "child", "risk_answers", "risk_ticks"))]
    [dapp] = [leg for leg in found["services"] if leg["destination"] == "dapp"]
    assert [row["to_status"] for row in dapp["history"]][:3] == ["requested", "accepted", "on_programme"]
    assert [offer["answer"] for offer in dapp["offers"]] == ["declined"]
    assert [pause["reason"] for pause in dapp["pauses"]] == ["relapse"]
    assert "missed_at" in dapp["welfare_checks"][1]
    assert [check["outcome"] for check in dapp["welfare_checks"]][:2] == ["well", "concern"]
    answered = {each["answer"]: each["answered_by"] for each in found["questions"] if each["kind"] == "confirm_route"}
    assert answered["confirm"]["role"] == "duty_worker"
    assert {row["to"] for row in found["disclosed"]} >= {"dapp", "gp_follow_up", "northshire-police"}
    assert found["lawful_basis"] == ["law_enforcement"]
    assert "nothing was heard for 7 years" in found["kept_for"], "as the setting by which it is let go of has it"


async def _assert_disclosed(onward: System, found: dict[str, Any]) -> None:
    entry = await _last_disclosed(onward)
    assert (entry["recipient"], entry["purpose"]) == ("data_subject", "subject_access")
    assert entry["person_id"] == found["person"]["person_id"]
    assert entry["actor"] == {"id": "j.smith", "organisation": "onward", "role": "operator"}
    assert {"received.person.name.given", "decisions", "services"} <= set(entry["fields"])
    assert "justification_commitment" in entry, "why is sealed beside it"


async def _assert_each_opening(typed: Typed, folder: Path, onward: System) -> None:
    found, page = await _export(typed, folder, "--with-narratives")
    assert "He asked for it himself." in page
    assert _found((*HER_SERVICES, "A. Officer", "d.example", "Robin", "900456"), json.dumps(found)) == []
    await _assert_some_of_what_was_written_is_opened(typed, folder, onward)
    _, page = await _export(typed, folder, "--name-staff")
    assert _found(("A. Officer", "PC 4471", "d.example"), page) == ["A. Officer", "PC 4471", "d.example"]
    assert _found(("Robin", "He asked for it himself"), page) == []
    found, page = await _export(typed, folder, "--all-parties")
    assert {"victim_safety", "marac"} <= {leg["destination"] for leg in found["services"]}
    assert "never give it to the person" in page
    last = (await onward.entered("consult", "disclose"))[-1]
    assert last["operation"] == "consult", "a copy for the review is no disclosure to him"


async def _assert_some_of_what_was_written_is_opened(typed: Typed, folder: Path, onward: System) -> None:
    whole, page = await _export(typed, folder, "--all-parties")
    written = {each["event_id"]: str(each["fields"]) for each in whole["received"]}
    [read] = [id_ for id_, said in written.items() if "He asked for it himself" in said]
    assert read in page, "the review tells by which number it is opened"
    for words in (("--narratives-of", "0"), ("--narratives-of", read, "--with-narratives")):
        refused = await typed.onward("person", "export", PNC, "--because", WHY, "--json", str(folder / "no"), *words)
        assert (refused.exit_code, (folder / "no").exists()) == (2, False), refused.output
    found, page = await _export(typed, folder, "--narratives-of", read)
    others = [each for each in found["received"] if each["event_id"] != read and "narrative" in each["fields"]]
    assert "He asked for it himself." in page
    assert others
    assert all(each["fields"]["narrative"].startswith("[withheld: may be about others") for each in others)
    assert all(text.startswith("[withheld") for each in found["consulted"] for text in each["because"])
    entry = await _last_disclosed(onward)
    assert {"kind": "event", "id": read} in entry["records"]
    assert "narratives_of" in entry["fields"]
    assert not {"narratives", "received.narrative", "received.victim"} & set(entry["fields"]), "what is held back"
    found, _ = await _export(typed, folder, "--narratives-of", "reasons")
    assert "Sarah Sample called" in {text for each in found["consulted"] for text in each["because"]}
    assert "He asked for it himself" not in json.dumps(found)
    assert "narratives_of.reasons" in (await _last_disclosed(onward))["fields"]
    found, _ = await _export(typed, folder, "--narratives-of", found["person"]["person_id"])
    narratives = [each["fields"]["narrative"] for each in found["received"] if "narrative" in each["fields"]]
    assert narratives
    assert not any(text.startswith("[withheld") for text in narratives)
    assert all(text.startswith("[withheld") for each in found["consulted"] for text in each["because"])
    await _export(typed, folder, "--with-narratives")
    assert {"narratives", "received.narrative"} <= set((await _last_disclosed(onward))["fields"])


async def _last_disclosed(onward: System) -> dict[str, Any]:
    return (await onward.entered("disclose"))[-1]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_what_only_the_other_side_was_told_or_said_is_not_in_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with _played(settings, monkeypatch, timedelta(days=1)) as (onward, typed):
        legs = {row["destination"]: row["id"] for row in await onward.rows("SELECT id, destination FROM legs")}
        her_word = {
            **referral(), "id": "her-word", "source": "victim-safety-northshire", "type": "onward.risk.reported.v1",
            "data": {"about": {"leg_id": legs["victim_safety"]}, "kind": "threat",
                     "occurred_at": "2026-11-02T11:30:00Z", "severity": "immediate", "note": "He rang her mother."},
        }  # fmt: skip
        del her_word["dataschema"]
        await onward.publish(her_word, channel="risk")
        await onward.settle()
        assert await onward.rows("SELECT kind FROM case_events WHERE kind = 'threat'")
        heard = "SELECT d.destination FROM deliveries d JOIN case_events e USING (event_id) WHERE e.kind = 'threat'"
        assert "victim_safety" in {row["destination"] for row in await onward.rows(heard)}
        found, page = await _export(typed, tmp_path)
        assert _found(('threat"', "her mother", "victim-safety", "immediate"), json.dumps(found), page) == []
        assert {row["first"][:16] for row in found["disclosed"]} == {"2026-11-02T09:00"}, (
            "nor that a service heard of it"
        )
        steps_unsaid = [row for leg in found["services"] for row in leg["history"] if row["event_id"] is None]
        assert all((row["said"], row["because"], row["by"][:9]) == (None, [], "[withheld") for row in steps_unsaid)
        assert "threat" not in {each["kind"] for each in (*found["received"], *found["decisions"])}


async def test_who_was_joined_to_him_is_in_it_and_what_could_not_be_taken_and_nobody_else(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with _played(settings, monkeypatch, timedelta(days=1)) as (onward, typed):
        for number in (1, 2):
            await onward.publish(referral_of(number))
        await onward.settle()
        he = await onward.person_with("pnc_id", PNC)
        joined, stranger = [await onward.person_with("crn", f"X{number:06d}") for number in (1, 2)]
        word = decision("merge_persons", person_id=he, other_person_id=joined, role="case_manager")
        await onward.publish(word, channel="decision")
        [leg] = await onward.rows(
            "SELECT id FROM legs WHERE destination = 'mental_health_team' AND person_id = :he", he=he
        )
        for source in ("dapp-northshire", "victim-safety-northshire"):
            not_theirs = example("progress-started", source=source, leg_id=leg["id"])
            await onward.publish(not_theirs, channel="progress")
        await onward.settle()
        found, page = await _export(typed, tmp_path)
        assert found["person"]["also_known_as"] == [joined]
        assert {"Daniel", "Given1"} == set(found["person"]["stated"]["name.given"])
        assert len([each for each in found["received"] if each["kind"] == "referral"]) == 2
        assert _found(("Given2", "X000002", stranger), json.dumps(found), page) == []
        [aside] = found["set_aside"]
        assert (aside["source"], aside["reason"]) == ("dapp-northshire", "not_their_leg")
        assert "1 message that could not be used as sent" in page


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_nobody_an_erased_person_and_an_unsaid_reason_are_told_apart(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with _played(settings, monkeypatch, timedelta(days=1)) as (onward, typed):
        file = tmp_path / "theirs.json"
        words = ("person", "export", PNC, "--by", "j.smith", "--json", str(file))
        unsaid = await typed.onward(*words)
        assert (unsaid.exit_code, file.exists()) == (2, False)
        assert "--because" in unsaid.stderr
        nobody = await typed.onward("person", "export", "nobody", "--because", WHY, "--json", str(file))
        assert (nobody.exit_code, file.exists()) == (1, False)
        nowhere = await typed.onward("person", "export", PNC, "--because", WHY)
        assert (nowhere.exit_code, "--html" in nowhere.stderr) == (2, True)
        [person] = await onward.rows("SELECT person_id FROM cases")
        before = await onward.count("outbox")
        await onward.world.database.write(lambda c: destroy(c, [person["person_id"]], BEGINNING))
        erased = await typed.onward(*words, "--because", WHY)
        assert (erased.exit_code, file.exists()) == (1, False)
        assert "erased on" in erased.stderr
        assert "2026" in erased.stderr
        assert await onward.count("outbox") == before, "nothing was handed over, and nothing is entered"
