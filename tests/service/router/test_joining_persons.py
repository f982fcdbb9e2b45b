"""Two persons become one and two again, through the real queue and store: nothing is lost, doubled or left behind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schemas.refusal import Unacceptable
from schemas.registry import Accepted
from services.ground.settings import Settings
from services.router import deciding
from services.router.joined import take_joined
from tests.support.checks import problems_of
from tests.support.events import Event, decision, referral_of, risk
from tests.support.system import System, system


@pytest.fixture
async def onward(settings: Settings) -> AsyncIterator[System]:
    """A running system."""
    async with system(settings) as running:
        yield running


async def _publish(onward: System, event: Event, channel: str) -> None:
    await onward.publish(event, channel=channel)
    await onward.settle()


async def _two(onward: System) -> tuple[str, str]:
    """Two persons, each with a referral, known by CRN X000001 and X000002. The legs of the first are the older ones."""
    for number in (1, 2):
        await _publish(onward, referral_of(number), "referral")
    return await onward.person_with("crn", "X000001"), await onward.person_with("crn", "X000002")


def _relapse(number: int, id_: str) -> Event:
    return risk(id=id_, about={"identifiers": {"crn": f"X{number:06d}"}})


def _joining(kind: str, one: str, other: str, **more: str) -> Event:
    return decision(kind, person_id=one, other_person_id=other, **more)


async def _open_legs(onward: System, person: str) -> dict[str, str]:
    rows = await onward.rows(
        "SELECT id, destination FROM legs WHERE person_id = :p AND closed_at IS NULL AND joined_to IS NULL", p=person
    )
    return {row["destination"]: row["id"] for row in rows}


async def _events_of(onward: System, person: str) -> list[tuple[str, int]]:
    rows = await onward.rows(
        "SELECT origin_id, sequence FROM accepted_events WHERE person_id = :p ORDER BY sequence", p=person
    )
    return [(row["origin_id"], row["sequence"]) for row in rows]


async def _all_is_well(onward: System) -> None:
    sent = [row["origin_id"] for row in await onward.rows("SELECT origin_id FROM accepted_events")]
    assert await problems_of(onward.world.database, onward.connection, acknowledged=sent) == []


async def _stepped_up(onward: System, destination: str) -> set[str]:
    commands = [m["data"] for m in await onward.messages("ROUTE")]
    return {c["leg_id"] for c in commands if (c["destination"], c["action"]) == (destination, "step_up")}


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


async def test_after_a_merge_an_event_on_the_mergeds_identifier_lands_on_the_survivor(onward: System) -> None:
    survivor, merged = await _two(onward)
    before = await _open_legs(onward, survivor)
    await _publish(onward, _joining("merge_persons", survivor, merged), "decision")
    await _publish(onward, _relapse(2, "after"), "risk")
    assert ("after", 3) in await _events_of(onward, survivor)
    [case] = await onward.rows("SELECT joined, referral_event FROM cases WHERE person_id = :p", p=survivor)
    assert _decoded(case["joined"]) == [merged]
    assert await _stepped_up(onward, "addiction_service") == {before["addiction_service"]}, "one leg goes on for both"
    await _all_is_well(onward)


async def test_of_two_open_legs_to_one_destination_the_older_goes_on_and_a_human_is_asked(onward: System) -> None:
    survivor, merged = await _two(onward)
    legs = await _open_legs(onward, survivor), await _open_legs(onward, merged)
    await _publish(onward, _joining("merge_persons", survivor, merged), "decision")
    assert await _open_legs(onward, merged) == {}
    joined = await onward.rows("SELECT id, destination, joined_to, closed_at FROM legs WHERE person_id = :p", p=merged)
    assert {row["destination"]: row["joined_to"] for row in joined} == legs[0]
    assert all(row["closed_at"] is None for row in joined), "nothing closes silently"
    asked = await onward.rows("SELECT leg_id FROM reviews WHERE kind = 'two_legs' AND answered_at IS NULL")
    assert {row["leg_id"] for row in asked} == set(legs[1].values())
    started = {
        "specversion": "1.0",
        "id": "started-on-joined",
        "source": "dapp-northshire",
        "type": "onward.progress.reported.v1",
        "time": "2026-01-05T09:00:00Z",
        "datacontenttype": "application/json",
        "data": {"leg_id": legs[1]["dapp"], "kind": "acknowledged", "occurred_at": "2026-01-05T09:00:00Z"},
    }
    await _publish(onward, started, "progress")
    [leg] = await onward.rows("SELECT status FROM legs WHERE id = :id", id=legs[1]["dapp"])
    assert leg["status"] == "acknowledged", "and its destination may still speak of it"
    await _all_is_well(onward)


async def test_where_the_older_of_two_legs_is_closed_the_other_goes_on_for_itself(onward: System) -> None:
    survivor, merged = await _two(onward)
    older, newer = await _open_legs(onward, survivor), await _open_legs(onward, merged)
    await _publish(onward, _joining("merge_persons", survivor, merged), "decision")
    close = decision("close_leg", leg_id=older["addiction_service"], reason_code="duplicate")
    await _publish(onward, close, "decision")
    await _publish(onward, _relapse(1, "after-the-end"), "risk")
    assert await _stepped_up(onward, "addiction_service") == {newer["addiction_service"]}
    await _all_is_well(onward)


async def test_unmerge_puts_back_what_belonged_to_whom(onward: System) -> None:
    survivor, merged = await _two(onward)
    before = [await _open_legs(onward, person) for person in (survivor, merged)]
    remembered = await onward.rows("SELECT person_id, remembered, referral_event FROM cases ORDER BY person_id")
    await _publish(onward, _joining("merge_persons", survivor, merged), "decision")
    await _publish(onward, _relapse(2, "between"), "risk")
    opened = await onward.rows("SELECT destination FROM legs WHERE person_id = :p", p=merged)
    assert "gp_follow_up" in {row["destination"] for row in opened}, "a leg that his event opened is his"
    await _publish(onward, _joining("unmerge_persons", survivor, merged), "decision")
    after = [await _open_legs(onward, person) for person in (survivor, merged)]
    assert after[0] == before[0]
    assert before[1].items() <= after[1].items()
    assert await onward.rows("SELECT * FROM reviews WHERE kind = 'two_legs' AND answered_at IS NULL") == []
    waiting = "SELECT r.kind FROM timers t JOIN reviews r ON r.id = t.review_id WHERE t.cancelled_at IS NULL"
    assert await onward.rows(f"{waiting} AND r.answered_at IS NOT NULL") == [], (
        "nobody is asked again what was answered"
    )
    assert await onward.rows("SELECT person_id, remembered, referral_event FROM cases ORDER BY person_id") == remembered
    asked = await onward.rows("SELECT person_id, question FROM reviews")
    taken = {row["person_id"] for row in asked if row["question"].startswith("This person was taken for one")}
    assert taken == {survivor, merged}, "what was decided in between is looked at"
    await _publish(onward, _relapse(2, "parted"), "risk")
    events = await _events_of(onward, merged)
    assert events[-1][0] == "parted"
    assert [number for _, number in events] == list(range(1, len(events) + 1))
    [told] = await onward.rows("SELECT event_id FROM case_events WHERE origin_id = 'parted'")
    sent = await onward.rows("SELECT leg_id FROM deliveries WHERE event_id = :e", e=told["event_id"])
    stepped = {row["leg_id"] for row in sent}
    assert stepped <= set((await _open_legs(onward, merged)).values()), "and reaches his own legs alone"
    assert stepped
    [merge] = await onward.rows("SELECT * FROM person_merges")
    assert (merge["survivor"], merge["merged"], merge["by_user"], merge["undone_by"]) == (
        survivor,
        merged,
        "j.smith",
        "j.smith",
    )
    assert merge["undone_at"] is not None
    await _all_is_well(onward)


async def test_events_sent_in_one_go_around_a_merge_keep_their_order(onward: System) -> None:
    survivor, merged = await _two(onward)
    together: list[tuple[Event, str]] = []
    for round_ in range(4):
        together += [(_relapse(1 + n % 2, f"go{round_}-{n}"), "risk") for n in range(6)]
        kind = "unmerge_persons" if round_ % 2 else "merge_persons"
        together.append((_joining(kind, survivor, merged), "decision"))
    for event, channel in together:
        await onward.publish(event, channel=channel)
    await onward.settle()
    assert await onward.count("quarantine") == 0
    for person in (survivor, merged):
        order = [event for event, _ in await _events_of(onward, person) if event.startswith("go")]
        assert order == sorted(order), person
        taken = await onward.rows(
            "SELECT e.origin_id FROM accepted_events e JOIN decisions d ON d.event_id = e.event_id"
            " WHERE e.person_id = :p AND e.origin_id LIKE 'go%' ORDER BY d.id",
            p=person,
        )
        assert [row["origin_id"] for row in taken] == order, "and are taken in it"
    open_ones = await onward.rows(
        "SELECT person_id, destination, count(*) AS n FROM legs WHERE closed_at IS NULL GROUP BY 1, 2"
    )
    assert {row["n"] for row in open_ones} == {1}
    await _all_is_well(onward)


async def test_a_merge_is_audited_as_a_combining_by_the_human(onward: System) -> None:
    survivor, merged = await _two(onward)
    await _publish(onward, _joining("merge_persons", survivor, merged), "decision")
    [entry] = [m["data"] for m in await onward.messages("AUDIT", "audit.combine")]
    assert entry["actor"] == {"id": "j.smith", "organisation": "Northshire hub", "role": "case_manager"}
    assert entry["person_id"] == survivor
    assert {"kind": "person", "id": merged} in entry["records"]
    assert await onward.count("human_decisions") == 1


async def test_a_chain_of_merges_is_one_case_and_parts_in_any_order(onward: System) -> None:
    one, two = await _two(onward)
    await _publish(onward, referral_of(3), "referral")
    three = await onward.person_with("crn", "X000003")
    await _publish(onward, _joining("merge_persons", two, three), "decision")
    await _publish(onward, _joining("merge_persons", one, two), "decision")
    await _publish(onward, _relapse(3, "third"), "risk")
    assert "third" in {event for event, _ in await _events_of(onward, one)}
    await _publish(onward, _joining("unmerge_persons", one, two), "decision")
    await _publish(onward, _relapse(3, "third-again"), "risk")
    assert "third-again" in {event for event, _ in await _events_of(onward, two)}, "these two are still one"
    await _publish(onward, _joining("unmerge_persons", three, two), "decision")
    await _publish(onward, _relapse(3, "alone"), "risk")
    assert "alone" in {event for event, _ in await _events_of(onward, three)}
    cases = await onward.rows("SELECT merged_into, joined FROM cases")
    assert {(row["merged_into"], str(_decoded(row["joined"]))) for row in cases} == {(None, "None")}
    await _all_is_well(onward)


async def test_what_cannot_be_merged_is_refused_and_changes_nothing(onward: System) -> None:
    one, two = await _two(onward)
    nobody = "01938f00-0000-7000-8000-00000000dead"
    for event in (
        _joining("merge_persons", one, nobody),
        _joining("merge_persons", one, two, role="duty_worker"),
        _joining("unmerge_persons", one, two),
        _joining("merge_persons", one, two, review_id=nobody),
    ):
        await _publish(onward, event, "decision")
    reasons = [row["reason"] for row in await onward.rows("SELECT reason FROM quarantine ORDER BY id")]
    assert reasons == ["unknown_person", "not_their_role", "not_merged", "unknown_review"]
    await _publish(onward, _joining("merge_persons", one, two), "decision")
    await _publish(onward, _joining("merge_persons", two, one), "decision")
    reasons = [row["reason"] for row in await onward.rows("SELECT reason FROM quarantine ORDER BY id")]
    assert reasons[4:] == ["already_merged"]
    assert await onward.count("person_merges") == 1


async def _disagreeing(onward: System, leg: str, id_: str) -> None:
    """An event on the one's leg with the other's identifier."""
    await _publish(onward, risk(id=id_, about={"leg_id": leg, "identifiers": {"crn": "X000002"}}), "risk")


async def test_who_is_kept_apart_is_asked_about_once(onward: System) -> None:
    one, two = await _two(onward)
    leg = (await _open_legs(onward, one))["dapp"]
    await _disagreeing(onward, leg, "first")
    [asked] = await onward.rows("SELECT * FROM reviews WHERE kind = 'link'")
    assert _decoded(asked["perhaps"]) == [two]
    apart = _joining("keep_persons_apart", two, one, review_id=asked["id"])
    await _publish(onward, apart, "decision")
    [answered] = await onward.rows("SELECT * FROM reviews WHERE kind = 'link'")
    assert (answered["answer"], answered["answered_by"]) == ("kept_apart", "j.smith")
    await _disagreeing(onward, leg, "second")
    assert await onward.rows("SELECT * FROM reviews WHERE kind = 'link' AND answered_at IS NULL") == []
    await _all_is_well(onward)


@pytest.mark.parametrize("who_stays", [0, 1], ids=["the asked about", "the other"])
async def test_a_merge_answers_the_question_that_led_to_it(onward: System, who_stays: int) -> None:
    one, two = await _two(onward)
    leg = (await _open_legs(onward, one))["dapp"]
    await _disagreeing(onward, leg, "first")
    [asked] = await onward.rows("SELECT * FROM reviews WHERE kind = 'link'")
    survivor, merged = ((one, two), (two, one))[who_stays]
    await _publish(onward, _joining("merge_persons", survivor, merged, review_id=asked["id"]), "decision")
    [answered] = await onward.rows("SELECT * FROM reviews WHERE kind = 'link'")
    assert answered["answer"] == "merged"
    await _disagreeing(onward, leg, "second")
    assert len(await onward.rows("SELECT * FROM reviews WHERE kind = 'link'")) == 1, "they agree now"


async def test_a_merge_that_fails_in_the_mergeds_order_does_not_stop_the_survivors(
    onward: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    survivor, merged = await _two(onward)
    take = take_joined

    def fail_in_the_first(event: Accepted, *rest: Any) -> Any:
        if event.handoverto is not None:
            raise Unacceptable("broken")
        return take(event, *rest)

    monkeypatch.setattr(deciding, "take_joined", fail_in_the_first)
    await _publish(onward, _joining("merge_persons", survivor, merged), "decision")
    await _publish(onward, _relapse(2, "after"), "risk")
    assert [row["reason"] for row in await onward.rows("SELECT reason FROM quarantine")] == ["broken"]
    [case] = await onward.rows("SELECT joined FROM cases WHERE person_id = :p", p=survivor)
    assert _decoded(case["joined"]) == [merged]
    assert await onward.count("early") == 0, "nothing waits for ever"
    assert await onward.rows("SELECT * FROM case_events WHERE origin_id = 'after'")
