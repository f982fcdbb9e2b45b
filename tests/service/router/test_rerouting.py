"""A referral that one service after another cannot take, through the real queue and store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.ground.clock import SetClock
from services.ground.settings import Settings
from services.router.rules.loader import load_rule_set
from tests.support.events import decision, example, referral, referral_of, risk
from tests.support.system import System, system

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
WHY_NOT = "He shouted at our receptionist"  # somebody's own words, which are nobody else's business
NEXT_ONE = "addiction_service_east"


async def test_declined_then_full_then_a_human_is_asked(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        sent = referral()
        await onward.publish(sent)
        await onward.settle()
        first = await _leg(onward, "addiction_service")
        assert first["occasion"] is not None

        clock.move(timedelta(hours=3))
        await _say(onward, first, "declined", reason=WHY_NOT)
        second = await _leg(onward, NEXT_ONE)
        assert second["reroute_of"] == first["id"]
        assert (second["occasion"], second["opened_by"]) == (first["occasion"], first["opened_by"])
        assert (await _leg(onward, "addiction_service"))["status"] == "declined"
        assert await _history(onward, first) == [(None, "requested"), ("requested", "declined")]
        await _assert_it_was_sent_what_the_first_was_sent(onward)
        assert not await onward.rows("SELECT * FROM reviews WHERE kind = 'no_destination'")

        clock.move(timedelta(hours=3))
        await _say(onward, second, "no_capacity")
        of_it = "SELECT * FROM reviews WHERE kind = 'no_destination' AND leg_id = :leg"  # others are silent too by now
        [asked] = await onward.rows(of_it, leg=second["id"])
        assert asked["role"] == "duty_worker"
        assert "Drug and alcohol service, Eastshire has no capacity" in asked["question"]
        assert "Drug and alcohol service (was asked already: declined)" in asked["question"]
        assert WHY_NOT not in asked["question"]
        assert sent["data"]["person"]["name"]["family"] not in asked["question"]
        timers = await onward.rows("SELECT * FROM timers WHERE review_id = :id", id=asked["id"])
        assert len(timers) == 1, "and the question itself is watched"
        [full] = await onward.rows("SELECT * FROM capacity")
        assert full["destination"] == NEXT_ONE
        assert not await onward.rows("SELECT * FROM quarantine")


async def test_what_one_person_met_helps_the_next_until_the_service_takes_people_again(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        await onward.publish(referral_of(1))
        await onward.publish(referral_of(2))
        await onward.settle()
        one, two = await _legs(onward, "addiction_service")
        clock.move(timedelta(hours=1))
        await _say(onward, one, "no_capacity")

        await onward.publish(referral_of(3))
        await onward.settle()
        assert await _newest_service(onward, "REF-3") == NEXT_ONE
        [note] = await onward.rows(
            "SELECT because FROM leg_history h JOIN legs l ON l.id = h.leg_id"
            " WHERE l.destination = :next AND l.reroute_of IS NULL",
            next=NEXT_ONE,
        )
        assert "Instead of Drug and alcohol service (has no capacity" in note["because"], "it is no silent skip"

        clock.move(timedelta(hours=1))
        await _say(onward, two, "accepted")
        [word] = await onward.rows("SELECT * FROM capacity")
        assert (word["destination"], word["full_until"]) == ("addiction_service", None)
        await onward.publish(referral_of(4))
        await onward.settle()
        assert await _newest_service(onward, "REF-4") == "addiction_service"


async def test_a_late_word_of_being_full_does_not_undo_a_later_one(settings: Settings) -> None:
    clock = SetClock(MONDAY)
    async with system(settings, clock=clock) as onward:
        await onward.publish(referral_of(1))
        await onward.publish(referral_of(2))
        await onward.publish(referral_of(3))
        await onward.settle()
        one, two, three = await _legs(onward, "addiction_service")
        clock.move(timedelta(hours=9))
        await _say(onward, one, "accepted", at=MONDAY + timedelta(hours=3))
        await _say(onward, two, "no_capacity", at=MONDAY + timedelta(hours=1))
        await _say(onward, three, "no_capacity", at=MONDAY + timedelta(hours=2))
        [word] = await onward.rows("SELECT * FROM capacity")
        assert word["full_until"] is None


async def test_who_is_asked_in_anothers_stead_reads_of_the_relapses_since_and_of_nobody_elses(
    settings: Settings,
) -> None:
    async with system(settings, clock=SetClock(MONDAY)) as onward:
        for number in (1, 2):
            await onward.publish(referral_of(number))
        await onward.settle()
        persons = [await onward.person_with("crn", f"X{number:06d}") for number in (1, 2)]
        [his] = await onward.rows(
            "SELECT * FROM legs WHERE destination = 'addiction_service' AND person_id = :p", p=persons[0]
        )
        joining = {"person_id": persons[0], "other_person_id": persons[1]}
        for number, substance in ((1, "cocaine"), (1, "alcohol")):
            await _relapsed(onward, number, substance)
        await onward.publish(decision("merge_persons", **joining), channel="decision")
        await onward.settle()
        await _relapsed(onward, 2, "opioids")
        await onward.publish(decision("unmerge_persons", **joining), channel="decision")
        await onward.settle()
        [kept] = await onward.rows("SELECT told_in FROM legs WHERE id = :leg", leg=his["id"])
        assert str(kept["told_in"]).count("-") == 2 * 4, "two ids: the third relapse is another's again"

        await _say(onward, his, "declined", reason=WHY_NOT)
        routed = [message["data"] for message in await onward.messages("ROUTE")]
        told = [
            (m["sequence"], m["action"], m["fields"].get("substances")) for m in routed if m["destination"] == NEXT_ONE
        ]
        assert told == [(1, "refer", None), (2, "notify", ["cocaine"]), (3, "notify", ["alcohol"])]
        because = [why for m in routed if m["destination"] == NEXT_ONE for why in m["because"]]
        assert because[1:] == ["This was told of before your service was asked."] * 2
        assert not await onward.rows("SELECT * FROM quarantine")


async def _relapsed(onward: System, number: int, substance: str) -> None:
    about = {"identifiers": {"crn": f"X{number:06d}"}}
    told = risk(id=f"relapse-{substance}", about=about, source="dapp-northshire", substances=[substance])
    await onward.publish(told, channel="risk")
    await onward.settle()


async def _legs(onward: System, destination: str) -> list[dict[str, Any]]:
    return await onward.rows("SELECT * FROM legs WHERE destination = :d ORDER BY id", d=destination)


async def _leg(onward: System, destination: str) -> dict[str, Any]:
    [leg] = await _legs(onward, destination)
    return leg


async def _history(onward: System, leg: dict[str, Any]) -> list[tuple[str | None, str]]:
    rows = await onward.rows("SELECT * FROM leg_history WHERE leg_id = :id ORDER BY id", id=leg["id"])
    return [(row["from_status"], row["to_status"]) for row in rows]


async def _say(
    onward: System, leg: dict[str, Any], kind: str, *, reason: str | None = None, at: datetime | None = None
) -> None:
    """A destination's word on its leg."""
    source = load_rule_set(onward.world.settings.rules_dir).destinations[leg["destination"]].source
    moment = (at or onward.world.clock.now()).isoformat()
    event = example("progress-started", source=source, leg_id=leg["id"], kind=kind, occurred_at=moment)
    del event["data"]["session_number"]
    if reason is not None:
        event["data"]["reason"] = reason
    await onward.publish(event, channel="progress")
    await onward.settle()


async def _newest_service(onward: System, reference: str) -> str:
    """The service that was last sent a leg of this referral for the addiction."""
    commands = [message["data"] for message in await onward.messages("ROUTE")]
    sent = [c for c in commands if c["fields"].get("reference") == reference]
    return str([c["destination"] for c in sent if c["destination"].startswith("addiction")][-1])


async def _assert_it_was_sent_what_the_first_was_sent(onward: System) -> None:
    routed = [message["data"] for message in await onward.messages("ROUTE")]
    [first] = [data for data in routed if data["destination"] == "addiction_service"]
    [second] = [data for data in routed if data["destination"] == NEXT_ONE]
    assert second["action"] == "refer"
    assert second["fields"] == first["fields"], "and nothing of how the first one ended"
    assert WHY_NOT not in str(second)
