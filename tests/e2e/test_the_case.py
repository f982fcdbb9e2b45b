"""The case that Onward is for, through the real queue, on the messages that left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from services.cli.playing import begin, counted, happen
from services.cli.story import BEGINNING, steps
from services.ground.clock import SetClock
from services.ground.settings import Settings
from services.ground.work import Work
from services.router.casework.silence import nothing_silent
from services.router.load import load_cases, load_open
from services.router.rules.loader import load_rule_set
from tests.support.events import example, referral, risk
from tests.support.system import System, system

HIS_LEGS = ("dapp", "addiction_service", "mental_health_team", "gp_follow_up")
HERS = ("victim", "children", "safe_contact")
MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)


async def test_one_referral_fans_out_and_no_partner_data_reaches_his_legs(settings: Settings) -> None:
    async with system(settings) as onward:
        sent = referral()
        await onward.publish(sent)
        await onward.settle()
        routed = await onward.messages("ROUTE")
        to = {message["data"]["destination"] for message in routed}
        assert {"dapp", "addiction_service", "mental_health_team", "victim_safety"} <= to
        _assert_nothing_of_hers_on_his_legs(routed, sent)
        [receipt] = await onward.messages("RECEIPT")
        assert receipt["data"]["outcome"] == "accepted"


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)  # the demo plays it on SQLite
async def test_the_whole_case_goes_as_it_is_told_and_his_legs_never_hold_her_data(settings: Settings) -> None:
    clock = SetClock(BEGINNING)
    async with system(settings.model_copy(update={"timer_seconds": 0.03}), clock=clock) as onward:
        for step in steps():
            await begin(step, onward.world, onward.connection, clock)
            await happen(step, onward.world, onward.connection)
            for expected in step.expects:
                right, count = await counted(expected, onward.world)
                assert right, f"{step.tells} {expected.says}: {count}"
        _assert_nothing_of_hers_on_his_legs(await onward.messages("ROUTE"), referral())
        assert await onward.rows("SELECT reason FROM quarantine") == []
        [person] = [row["person_id"] for row in await onward.rows("SELECT person_id FROM cases")]
        assert await onward.world.database.read(lambda c: _silent(c, person, clock.now())) == []


async def test_a_relapse_offers_a_pause_and_steps_up_and_opens_the_gp(settings: Settings) -> None:
    async with system(settings, clock=SetClock(MONDAY)) as onward:
        legs = await _on_programme(onward)
        await onward.publish(_relapse(onward, legs["dapp"]), channel="risk")
        await onward.settle()
        statuses = {row["destination"]: row["status"] for row in await onward.rows("SELECT * FROM legs")}
        assert statuses["dapp"] == "on_programme", "an offer is not a pause"
        [offer] = await onward.rows("SELECT * FROM offers")
        assert (offer["leg_id"], offer["for_days"], offer["welfare_check_days"]) == (legs["dapp"], 28, 7)
        assert offer["answer"] is None
        actions = [(m["data"]["destination"], m["data"]["action"]) for m in await onward.messages("ROUTE")]
        assert ("addiction_service", "step_up") in actions
        assert ("gp_follow_up", "refer") in actions
        assert ("dapp", "step_up") not in actions
        _assert_nothing_of_hers_on_his_legs(await onward.messages("ROUTE"), referral())


async def test_an_agreed_pause_holds_one_leg_with_its_checks_and_its_review(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        legs = await _on_programme(onward)
        await onward.publish(_relapse(onward, legs["dapp"]), channel="risk")
        await onward.settle()
        clock.move(timedelta(days=2))
        agreed = _progress("progress-pause-agreed", legs["dapp"], "dapp")
        agreed["data"]["pause"] |= {"from_date": "2026-11-04", "until_date": "2026-12-02"}
        await onward.publish(agreed, channel="progress")
        await onward.settle()
        statuses = {row["destination"]: row["status"] for row in await onward.rows("SELECT * FROM legs")}
        assert statuses["dapp"] == "on_hold"
        assert statuses["mental_health_team"] == "requested", "the other legs are untouched"
        [pause] = await onward.rows("SELECT * FROM pauses")
        assert pause["held_from"] == "on_programme"
        kinds = [row["kind"] for row in await onward.rows("SELECT kind FROM timers ORDER BY due_at")]
        assert kinds.count("welfare_check") == 4
        assert kinds.count("pause_review") == 1
        [offer] = await onward.rows("SELECT * FROM offers")
        assert offer["answer"] == "agreed"


async def test_a_declined_offer_changes_no_leg(settings: Settings) -> None:
    async with system(settings, clock=SetClock(MONDAY)) as onward:
        legs = await _on_programme(onward)
        await onward.publish(_relapse(onward, legs["dapp"]), channel="risk")
        await onward.settle()
        await onward.publish(_progress("progress-offer-declined", legs["dapp"], "dapp"), channel="progress")
        await onward.settle()
        [leg] = await onward.rows("SELECT status FROM legs WHERE destination = 'dapp'")
        assert leg["status"] == "on_programme"
        [offer] = await onward.rows("SELECT answer FROM offers")
        assert offer["answer"] == "declined"


async def test_another_destination_cannot_speak_for_a_leg(settings: Settings) -> None:
    async with system(settings, clock=SetClock(MONDAY)) as onward:
        legs = await _on_programme(onward)
        stranger = _progress("progress-started", legs["mental_health_team"], "dapp")
        await onward.publish(stranger, channel="progress")
        await onward.settle()
        [aside] = await onward.rows("SELECT service, reason FROM quarantine")
        assert aside == {"service": "router", "reason": "not_their_leg"}
        [leg] = await onward.rows("SELECT status FROM legs WHERE destination = 'mental_health_team'")
        assert leg["status"] == "requested"


async def test_every_change_names_its_rules_and_every_disclosure_its_fields(settings: Settings) -> None:
    async with system(settings, clock=SetClock(MONDAY)) as onward:
        await onward.publish(referral())
        await onward.settle()
        audit = [message["data"] for message in await onward.messages("AUDIT")]
        [collected] = [entry for entry in audit if entry["operation"] == "collect"]
        [first, altered] = [entry for entry in audit if entry["operation"] == "alter"]
        assert (first["purpose"], first["rule_set"]) == ("rules", altered["rule_set"]), "they came into force"
        disclosed = {entry["recipient"]: entry for entry in audit if entry["operation"] == "disclose"}
        assert altered["rule_set"].startswith("sha256:")
        assert altered["because"]
        assert collected["correlation_id"] == altered["correlation_id"]
        for message in await onward.messages("ROUTE"):
            entry = disclosed[message["data"]["destination"]]
            assert _paths(message["data"]["fields"], entry["fields"]) == set(entry["fields"])
        assert await onward.count("log_entries") == len(audit)
        positions = [row["position"] for row in await onward.rows("SELECT position FROM log_entries ORDER BY position")]
        assert positions == list(range(len(audit)))


async def _on_programme(onward: System) -> dict[str, str]:
    """The case's referral, and the man on the programme. Returns the leg ids by destination."""
    await onward.publish(referral())
    await onward.settle()
    legs = {m["data"]["destination"]: m["data"]["leg_id"] for m in await onward.messages("ROUTE")}
    await onward.publish(_progress("progress-started", legs["dapp"], "dapp"), channel="progress")
    await onward.settle()
    return legs


def _silent(connection: Connection, person: str, now: datetime) -> list[str]:
    work = Work(connection, service="router", now=now)
    case = load_cases([person], work)[person]
    load_open([case], work)
    return nothing_silent(case, load_rule_set(Settings().rules_dir))


def _source_of(destination: str) -> str:
    from services.ground.settings import Settings
    from services.router.rules.loader import load_rule_set

    return load_rule_set(Settings().rules_dir).destinations[destination].source


def _progress(name: str, leg_id: str, destination: str) -> dict[str, Any]:
    return example(name, source=_source_of(destination), leg_id=leg_id)


def _relapse(onward: System, leg_id: str) -> dict[str, Any]:
    return risk(
        "risk-relapse",
        source=_source_of("dapp"),
        about={"leg_id": leg_id},
        occurred_at=onward.world.clock.now().isoformat(),
    )


def _assert_nothing_of_hers_on_his_legs(routed: list[dict[str, Any]], sent: dict[str, Any]) -> None:
    her = sent["data"]["victim"]
    names = [her["name"]["given"], her["name"]["family"]]
    for message in routed:
        if message["data"]["destination"] in HIS_LEGS:
            assert not set(HERS) & set(message["data"]["fields"]), message["subject"]
            text = str(message["data"])
            assert not [name for name in names if name in text], message["subject"]


def _paths(fields: dict[str, Any], listed: list[str]) -> set[str]:
    """Which of the listed paths are there; and nothing beside them."""
    found: set[str] = set()

    def walk(value: object, path: str) -> None:
        covered = [name for name in listed if path == name or path.startswith(name + ".")]
        if covered:
            found.update(covered)
        elif isinstance(value, dict):
            for name, below in value.items():
                walk(below, f"{path}.{name}" if path else name)
        else:
            found.add(path)

    walk(fields, "")
    return found
