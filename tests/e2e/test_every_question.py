"""Every kind of question is shown at a terminal with what to type, and what is told there answers it."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ground.clock import SetClock
from services.ground.settings import Settings
from services.router.casework.steps import ReviewKind
from services.router.rules.loader import load_rule_set
from tests.support.events import Event, example, referral, risk
from tests.support.system import System, system
from tests.support.typed import Typed

MONDAY = datetime(2027, 3, 1, 9, tzinfo=UTC)
WHO = "--by fay --role safeguarding_lead --organisation 'Northshire hub'"
FILLED = {"DAY": "2027-04-09", "CODE": "disengaged", "STATUS": "on_programme", "TEXT": "'It is settled.'"}
FILLED |= {"OUTCOME": "well", "VALUE": "34", "WHY": "'We spoke with him.'"}
# Of each kind the way that is tried, by how it is said, where that is not the first one.
SAYS = {ReviewKind.UNTIMED_HOLD: "extend", ReviewKind.PAUSE_END: "extend", ReviewKind.WELFARE_CHECK: "well"}
SAYS |= {ReviewKind.WHICH_LEG: "close addiction_service_east"}
# What others answer by the way is answered before them; two persons are one before they have two legs.
FIRST = {ReviewKind.WELFARE_CHECK: 0, ReviewKind.RESUME: 1, ReviewKind.LINK: 1}
LATER = {ReviewKind.RETENTION}  # asked ten years on: tests/service/test_retention.py
_numbers = itertools.count()


class Town:
    """People who are referred, and what becomes of them."""

    def __init__(self, onward: System, clock: SetClock) -> None:
        self.onward, self.clock = onward, clock
        self.sources = {id_: d.source for id_, d in load_rule_set(Settings().rules_dir).destinations.items()}

    async def refer(self, name: str, **changes: object) -> dict[str, str]:
        """Somebody is referred. Returns their legs by destination."""
        person = {"identifiers": {}, "name": {"given": name, "family": "Somebody"}, "date_of_birth": "1990-05-17"}
        event = referral(id=name, reference=name.upper(), **{"person": person, **changes})
        if "relationship" in changes and changes["relationship"] is None:
            del event["data"]["relationship"]
        await self._publish(event, "referral")
        whose = "SELECT person_id FROM case_events WHERE origin_id = :id"
        query = f"SELECT destination, id FROM legs WHERE person_id IN ({whose})"  # noqa: S608
        return {row["destination"]: row["id"] for row in await self.onward.rows(query, id=event["id"])}

    async def tell(self, destination: str, leg: str, *kinds: str, **more: object) -> None:
        """A destination tells of a leg, one thing a minute."""
        for kind in kinds:
            self.clock.move(timedelta(minutes=1))
            said = {"leg_id": leg, "kind": kind, "occurred_at": self.clock.now().isoformat(), **more}
            event = example("progress-started", source=self.sources[destination]) | {"data": said}
            await self._publish(event, "progress")

    async def happens(self, kind: str, leg: str, **more: object) -> None:
        """Something happens to whose leg this is."""
        self.clock.move(timedelta(minutes=1))  # what was typed before is sent by the sweep
        at = self.clock.now().isoformat()
        changes: dict[str, Any] = {"kind": kind, "about": {"leg_id": leg}, "occurred_at": at, **more}
        event = risk(source=self.sources["dapp"], **changes)
        if kind != "relapse":
            for field in ("substances", "session_number", "left_support"):
                event["data"].pop(field, None)
        await self._publish(event, "risk")

    async def wait(self, **time: float) -> None:
        """Time passes."""
        self.clock.move(timedelta(**time))
        await self.onward.settle()

    async def _publish(self, event: Event, channel: str) -> None:
        event["id"] = event["id"] if channel == "referral" else f"{event['id']}-{next(_numbers)}"
        event["time"] = self.clock.now().isoformat()
        await self.onward.publish(event, channel=channel)
        await self.onward.settle()


@pytest.fixture
def clock() -> SetClock:
    """A spring with no holiday in it."""
    return SetClock(MONDAY)


@pytest.fixture
async def town(settings: Settings, clock: SetClock) -> AsyncIterator[Town]:
    """A running system and its people."""
    async with system(settings.model_copy(update={"timer_seconds": 0.03}), clock=clock) as onward:
        yield Town(onward, clock)


async def _trouble(town: Town, human: Typed) -> None:
    """All that has humans asked, each kind at least once."""
    on_time = await town.refer("paused")
    await town.refer("unstated", relationship=None)
    same = {"identifiers": {}, "name": {"given": "Same", "family": "Name"}, "date_of_birth": "1985-01-01"}
    for name in ("one", "other"):
        await town.refer(name, person=same)
    silent, late = await town.refer("silent"), await town.refer("late")
    ended, aside = await town.refer("ended"), await town.refer("aside")
    await town.tell("dapp", on_time["dapp"], "acknowledged", "started")
    await town.tell("mental_health_team", late["mental_health_team"], "accepted")  # and no first contact is told
    await town.tell("dapp", ended["dapp"], "started", "completed", "started")  # a conflict
    await town.tell("dapp", silent["dapp"], "declined", reason="No room for him.")  # and no other programme
    await town.tell("dapp", aside["dapp"], "accepted")
    decide = f"onward work decide {{}} --leg {{}} {WHO} --because 'He is not well.'"
    deferred = await human.typed(decide.format("correct_status --status deferred", aside["dapp"]))
    assert deferred.exit_code == 0, deferred.output
    closed = await human.typed(decide.format("close_leg --reason-code health", aside["addiction_service"]))
    assert closed.exit_code == 0, closed.output
    await town.happens("relapse", on_time["dapp"])  # a pause is offered
    await town.wait(days=9)  # nobody answers the offer, acknowledges a leg, or tells of a first contact
    await town.tell("addiction_service", silent["addiction_service"], "acknowledged")  # another one was asked meanwhile
    await town.happens("relapse", on_time["dapp"])  # the second: residential rehab waits for a human's word
    pause = {"reason": "relapse", "from_date": "2027-03-10", "until_date": "2027-03-24"}
    await town.tell(
        "dapp", late["dapp"], "started", "pause_agreed", pause=pause | {"agreed_by": ["person", "facilitator"]}
    )
    await town.happens("threat", ended["dapp"])
    await town.wait(days=15)  # the pause ends, and two welfare checks are missed
    await town.happens("protective", late["dapp"], weeks_clean=5, engagement="steady")


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # what is read and written is tried on both elsewhere
async def test_every_kind_of_question_is_answered_with_what_is_told_to_type(
    town: Town, settings: Settings, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    human = Typed(settings, clock, monkeypatch)
    await _trouble(town, human)
    for kind in sorted({*ReviewKind} - LATER, key=lambda kind: (FIRST.get(kind, 2), kind)):
        listed = [row for row in await human.json("work", "list") if row["kind"] == kind]
        assert listed, f"nobody is asked: {kind}"
        shown = await human.json("work", "show", listed[0]["id"])
        result = await human.typed(_filled(_way(kind, shown)))
        assert result.exit_code == 0, (kind, result.output)
        await town.wait(minutes=1)
        [kept] = await town.onward.rows("SELECT answered_at FROM reviews WHERE id = :id", id=listed[0]["id"])
        assert kept["answered_at"] is not None, kind
    decided = await town.onward.rows("SELECT review_id, shown FROM human_decisions WHERE review_id IS NOT NULL")
    assert all(row["review_id"] in row["shown"] for row in decided), "what was answered was on the screen"
    other, one = await _two(town)
    [way] = (await human.json("work", "show", one))["ways"]
    assert other in way["says"]
    parted = await human.typed(_filled(way["command"]))
    assert parted.exit_code == 0, parted.output
    assert await town.onward.rows("SELECT person_id FROM cases WHERE merged_into IS NOT NULL") == []
    assert await town.onward.rows("SELECT reason FROM quarantine") == []


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_refusal_is_a_sentence_to_who_typed_it_and_no_alarm(
    town: Town, settings: Settings, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    human = Typed(settings, clock, monkeypatch)
    legs = await town.refer("somebody")
    refused = await human.typed(f"onward work decide reopen_leg --leg {legs['dapp']} {WHO} --because Well.")
    assert refused.exit_code == 1
    assert "the leg is open: requested" in refused.output
    await town.wait(minutes=1)
    assert (await human.onward("status")).exit_code == 0
    assert await human.json("quarantine", "list") == []
    [kept] = await human.json("quarantine", "list", "--refused")
    assert kept["reason"] == "not_closed"


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_role_sees_what_it_is_asked_and_those_below_it_where_it_wants(
    town: Town, settings: Settings, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    human = Typed(settings, clock, monkeypatch)
    legs = await town.refer("somebody")
    await town.tell("dapp", legs["dapp"], "started", "missed", "missed")
    asked = {row["role"] for row in await human.json("work", "list")}
    assert {"case_manager", "facilitator"} <= asked
    assert {row["role"] for row in await human.json("work", "list", "--role", "facilitator")} == {"facilitator"}
    assert await human.json("work", "list", "--role", "programme manager") == []
    hint = await human.onward("work", "list", "--role", "programme manager")
    assert "asked of roles below, are yours to answer too: --all" in hint.output
    below = {row["role"] for row in await human.json("work", "list", "--role", "programme manager", "--all")}
    assert below == asked - {"clinician", "safeguarding_lead"}
    everything = await human.json("work", "list", "--role", "safeguarding lead", "--all")
    assert {row["role"] for row in everything} == asked
    assert (await human.onward("work", "list", "--all")).exit_code == 2
    await town.wait(days=4)  # nobody answers in time, and the manager is asked
    brought = await human.json("work", "list", "--role", "programme_manager")
    assert "He missed sessions again." in {row["question"][:25] for row in brought}


async def _two(town: Town) -> list[str]:
    """Who was merged, and into whom."""
    [row] = await town.onward.rows("SELECT person_id, merged_into FROM cases WHERE merged_into IS NOT NULL")
    return [row["person_id"], row["merged_into"]]


def _way(kind: ReviewKind, shown: dict[str, Any]) -> str:
    says = SAYS.get(kind)
    return next(str(way["command"]) for way in shown["ways"] if says is None or way["says"] == says)


def _filled(command: str) -> str:
    line = re.sub(r"--by \S+ --role \S+ --organisation \S+", WHO, command)
    return re.sub(r"\b[A-Z]{3,}\b", lambda word: FILLED[word[0]], line)
