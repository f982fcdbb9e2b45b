"""Humans' decisions through the real queue and store: what they answer, open, put off, and what they may not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.commitments import commitment
from services.ground.clock import SetClock
from services.ground.entry_texts import entry_texts
from services.ground.settings import Settings
from tests.support.checks import problems_of
from tests.support.events import Event, decision, referral, referral_of, risk
from tests.support.system import System, system

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture
def clock() -> SetClock:
    """The clock of the system."""
    return SetClock(MONDAY)


@pytest.fixture
async def onward(settings: Settings, clock: SetClock) -> AsyncIterator[System]:
    """A running system."""
    async with system(settings, clock=clock) as running:
        yield running


async def _decide(onward: System, *events: Event) -> None:
    for event in events:
        await onward.publish(event, channel="decision")
    await onward.settle()


async def _asked(onward: System, where: str = "1 = 1", **values: object) -> dict[str, Any]:
    [found] = await onward.rows(f"SELECT * FROM reviews WHERE answered_at IS NULL AND {where}", **values)  # noqa: S608
    return found


async def _routed(onward: System) -> list[tuple[str, str]]:
    return [(m["data"]["destination"], m["data"]["action"]) for m in await onward.messages("ROUTE")]


async def _refused(onward: System) -> list[tuple[str, list[str]]]:
    aside = await onward.rows("SELECT reason, problems FROM quarantine ORDER BY id")
    return [(row["reason"], [p["place"] for p in _decoded(row["problems"])]) for row in aside]


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


async def _all_is_well(onward: System) -> None:
    sent = [row["origin_id"] for row in await onward.rows("SELECT origin_id FROM accepted_events")]
    aside = [bytes(row["raw"]) for row in await onward.rows("SELECT raw FROM quarantine")]
    assert await problems_of(onward.world.database, onward.connection, acknowledged=sent, poison=aside) == []


def _without_relationship() -> Event:
    event = referral()
    del event["data"]["relationship"]
    return event


async def test_a_fact_answered_decides_the_event_again_and_opens_each_route_once(onward: System) -> None:
    await onward.publish(_without_relationship())
    await onward.settle()
    asked = await _asked(onward, "fact = 'relationship'")
    before = await _routed(onward)
    assert "dapp" not in {destination for destination, _ in before}
    await _decide(onward, decision("answer_review", review_id=asked["id"], fact="relationship", value="ex_partner"))
    assert [what for what in await _routed(onward) if what not in before] == [("dapp", "refer")]
    assert len(await _routed(onward)) == len(before) + 1
    [again] = await onward.rows("SELECT * FROM decisions WHERE first_decision IS NOT NULL")
    assert again["first_decision"] == asked["decision_id"]
    assert again["event_id"] == asked["event_id"]
    assert _decoded(again["facts"])["relationship"] == "ex_partner"
    [history] = await onward.rows(
        "SELECT h.* FROM leg_history h JOIN legs l ON l.id = h.leg_id WHERE l.destination = 'dapp'"
    )
    assert (history["decision_id"], history["event_id"]) == (again["id"], again["again_because"])
    [command] = [m["data"] for m in await onward.messages("ROUTE") if m["data"]["destination"] == "dapp"]
    assert command["fields"]["person"]["name"], "it carries what was referred"
    assert "I spoke with the force." not in json.dumps(command), "and nothing of what the human wrote"
    await _all_is_well(onward)


async def test_two_answers_in_one_batch_decide_with_both(onward: System) -> None:
    event = _without_relationship()
    del event["data"]["person"]["date_of_birth"]
    await onward.publish(event)
    await onward.settle()
    relationship, age = await _asked(onward, "fact = 'relationship'"), await _asked(onward, "fact = 'age'")
    await _decide(
        onward,
        decision("answer_review", review_id=relationship["id"], fact="relationship", value="partner"),
        decision("answer_review", review_id=age["id"], answer="34"),
    )
    again = await onward.rows("SELECT * FROM decisions WHERE first_decision IS NOT NULL ORDER BY id")
    facts = [_decoded(row["facts"]) for row in again]
    assert [(f["relationship"], f["age"]) for f in facts] == [("partner", None), ("partner", 34)]
    assert [what for what in await _routed(onward) if what[0] == "dapp"] == [("dapp", "refer")]
    await _all_is_well(onward)


async def test_who_decided_in_which_role_and_why_is_kept_and_audited(onward: System) -> None:
    await onward.publish(_without_relationship())
    await onward.settle()
    asked = await _asked(onward, "fact = 'relationship'")
    answer = decision("answer_review", review_id=asked["id"], answer="not_known", shown=[asked["event_id"]])
    await _decide(onward, answer)
    [kept] = await onward.rows("SELECT * FROM human_decisions")
    assert (kept["by_user"], kept["role"], kept["organisation"]) == ("j.smith", "case_manager", "Northshire hub")
    assert (kept["reason"], kept["answer"]) == ("I spoke with the force.", "not_known")
    assert _decoded(kept["shown"]) == [asked["event_id"]]
    [review] = await onward.rows("SELECT * FROM reviews WHERE id = :id", id=asked["id"])
    assert (review["answered_by"], review["answer"]) == ("j.smith", "not_known")
    entries = [m["data"] for m in await onward.messages("AUDIT", "audit.alter")]
    [entry] = [entry for entry in entries if entry["correlation_id"] == kept["event_id"]]
    assert entry["actor"] == {"id": "j.smith", "organisation": "Northshire hub", "role": "case_manager"}
    assert {"kind": "review", "id": asked["id"]} in entry["records"]
    assert "I spoke" not in str(entry), "the log is for ever, and what it holds of a person says nothing by itself"
    told = await onward.world.database.read(lambda c: entry_texts(c, [entry["entry_id"]]))
    text, key = told[entry["entry_id"]]
    assert text == "I spoke with the force."
    assert key is not None
    assert commitment(key, text) == entry["justification_commitment"], "and it can be shown what it holds"


async def test_an_answer_counts_once_and_what_cannot_be_answered_is_refused_to_its_sender(onward: System) -> None:
    await onward.publish(_without_relationship())
    await onward.publish(referral_of(1))
    await onward.settle()
    asked = await _asked(onward, "fact = 'relationship'")
    other = await onward.rows("SELECT id FROM persons WHERE id <> :p", p=asked["person_id"])
    unknown = "01938f00-0000-7000-8000-00000000dead"
    routed, legs = await _routed(onward), await onward.count("legs")
    answer = {"review_id": asked["id"], "fact": "relationship", "value": "sibling"}
    await _decide(onward, decision("answer_review", role="duty_worker", **answer))
    await _decide(onward, decision("answer_review", **answer))
    await _decide(
        onward,
        decision("answer_review", **answer),
        decision("answer_review", review_id=unknown, person_id=asked["person_id"], answer="yes"),
        decision("answer_review", review_id=asked["id"], person_id=other[0]["id"], answer="yes"),
        decision("answer_review", review_id=unknown, answer="yes"),
    )
    assert sorted(await _refused(onward)) == [
        ("already_answered", ["/data/review_id"]),
        ("names_several", ["/data"]),
        ("not_their_role", ["/data/decided_by/role"]),
        ("unknown_person", ["/data"]),
        ("unknown_review", ["/data/review_id"]),
    ]
    told = [m["data"] for m in await onward.messages("RECEIPT", "receipt.onward-console")]
    refused = [receipt for receipt in told if receipt["outcome"] == "refused"]
    assert len(refused) == 5
    assert all(receipt["problems"] for receipt in refused)
    assert await onward.count("human_decisions") == 1
    assert (await _routed(onward), await onward.count("legs")) == (routed, legs)


async def _rehab_waits(onward: System) -> dict[str, Any]:
    """Two relapses in four weeks: residential rehab waits for a human's word."""
    await onward.publish(referral())
    await onward.settle()
    about = {"person_id": (await onward.rows("SELECT id FROM persons"))[0]["id"]}
    for days in (3, 0):
        at = (MONDAY - timedelta(days=days)).isoformat()
        await onward.publish(risk(about=about, source="dapp-northshire", occurred_at=at), channel="risk")
    await onward.settle()
    return await _asked(onward, "kind = 'confirm_route' AND destination = 'residential_rehab'")


async def _rehab(onward: System) -> list[dict[str, Any]]:
    return [m["data"] for m in await onward.messages("ROUTE") if m["data"]["destination"] == "residential_rehab"]


async def test_a_confirmed_route_opens_its_leg_once(onward: System) -> None:
    waits = await _rehab_waits(onward)
    assert await _rehab(onward) == []
    confirm = {"review_id": waits["id"], "role": "duty_worker"}
    await _decide(onward, decision("confirm_route", **confirm))
    await _all_is_well(onward)
    await _decide(onward, decision("confirm_route", **confirm), decision("refuse_route", **confirm))
    [leg] = await onward.rows("SELECT * FROM legs WHERE destination = 'residential_rehab'")
    kept = _decoded(waits["route"])
    assert leg["priority"] == kept["priority"]
    assert str(leg["due_at"])[:19] == kept["due_at"].replace("T", " ")[:19]
    [message] = await _rehab(onward)
    assert message["because"] == [reason["because"] for reason in kept["reasons"]]
    assert message["fields"]["substances"], "what was told of the relapse goes with it"
    assert await _refused(onward) == [("already_answered", ["/data/review_id"])] * 2


async def test_a_route_that_waits_is_kept_once_with_the_reasons_of_all_who_want_it(onward: System) -> None:
    waits = await _rehab_waits(onward)
    about = {"person_id": waits["person_id"]}
    await onward.publish(risk(about=about, source="mht-northshire", occurred_at=MONDAY.isoformat()), channel="risk")
    await onward.settle()
    [leg] = await onward.rows("SELECT id FROM legs WHERE destination = 'dapp'")
    days = {"from_date": "2026-11-02", "until_date": "2026-11-30"}
    pause = {"reason": "relapse", "agreed_by": ["person", "facilitator"], **days}
    paused = risk("progress-pause-agreed", leg_id=leg["id"], pause=pause, occurred_at=MONDAY.isoformat())
    await onward.publish(paused, channel="progress")
    await onward.settle()
    still = await _asked(onward, "kind = 'confirm_route' AND destination = 'residential_rehab'")
    assert (still["id"], still["due_at"]) == (waits["id"], waits["due_at"])
    assert [reason["rule"] for reason in _decoded(still["route"])["reasons"]] == [
        "relapse-again",
        "pause-opens-options",
    ]
    await _decide(onward, decision("confirm_route", review_id=waits["id"], role="duty_worker"))
    assert [message["action"] for message in await _rehab(onward)] == ["refer", "notify", "notify"]
    await _all_is_well(onward)


async def test_a_refused_route_is_recorded_and_opens_nothing(onward: System) -> None:
    waits = await _rehab_waits(onward)
    await _decide(onward, decision("refuse_route", review_id=waits["id"]))
    assert await _rehab(onward) == []
    [review] = await onward.rows("SELECT * FROM reviews WHERE id = :id", id=waits["id"])
    assert (review["answer"], review["answered_by"]) == ("refuse", "j.smith")
    await _all_is_well(onward)


async def test_a_snoozed_question_comes_back_with_its_timer(onward: System, clock: SetClock) -> None:
    await onward.publish(_without_relationship())
    await onward.settle()
    asked = await _asked(onward, "fact = 'relationship'")
    until = [MONDAY + timedelta(days=5), MONDAY + timedelta(days=9)]
    await _decide(onward, decision("snooze", review_id=asked["id"], until=until[0].isoformat()))
    await _decide(onward, decision("snooze", review_id=asked["id"], until=until[1].isoformat()))
    review = await _asked(onward, "fact = 'relationship'")
    timers = await onward.rows("SELECT * FROM timers WHERE review_id = :id", id=asked["id"])
    assert review["snoozes"] == 2
    assert str(review["due_at"])[:10] == "2026-11-11"
    waiting = [(timer["kind"], str(timer["due_at"])[:10]) for timer in timers if timer["cancelled_at"] is None]
    assert waiting == [("snooze", "2026-11-11")]
    await _decide(onward, decision("snooze", review_id=asked["id"], until=(MONDAY + timedelta(days=15)).isoformat()))
    assert await _refused(onward) == [("too_far_ahead", ["/data/until"])]


async def test_a_snoozed_question_comes_back_to_whom_it_was_asked_of(onward: System, clock: SetClock) -> None:
    await onward.publish(_without_relationship())
    await onward.settle()
    asked = await _asked(onward, "fact = 'relationship'")
    until = MONDAY + timedelta(days=5)
    await _decide(onward, decision("snooze", review_id=asked["id"], until=until.isoformat()))
    clock.move(timedelta(days=5, seconds=1))
    await onward.settle()
    review = await _asked(onward, "fact = 'relationship'")
    assert (review["role"], review["answered_at"]) == (asked["role"], None)
    assert str(review["due_at"]) > "2026-11-07 12"
    [waits] = await onward.rows("SELECT kind FROM timers WHERE review_id = :id AND fired_at IS NULL AND "
                                "cancelled_at IS NULL", id=asked["id"])  # fmt: skip
    assert waits["kind"] == "review"


async def test_what_a_source_says_that_a_human_decided_counts_only_where_it_may_say_so(onward: System) -> None:
    await onward.publish(referral())
    await onward.settle()
    [leg] = await onward.rows("SELECT id FROM legs WHERE destination = 'victim_safety'")
    said = {"leg_id": leg["id"], "reason_code": "completed", "role": "safeguarding_lead"}
    await _decide(onward, decision("close_leg", source="mutual-aid-northshire", **said))
    [told] = await onward.messages("RECEIPT", "receipt.mutual-aid-northshire")
    assert (told["data"]["outcome"], told["data"]["reason"]) == ("refused", "not_your_channel")
    assert await _refused(onward) == [("not_your_channel", [""])]
    assert await onward.rows("SELECT 1 FROM legs WHERE closed_at IS NOT NULL") == []
    await _decide(onward, decision("close_leg", **said))
    assert len(await onward.rows("SELECT 1 FROM legs WHERE closed_at IS NOT NULL")) == 1


async def test_what_the_other_partys_service_told_is_read_by_nobody_on_his_side(onward: System) -> None:
    await onward.publish(referral())
    await onward.settle()
    about = {"person_id": (await onward.rows("SELECT id FROM persons"))[0]["id"]}
    for kind in ("new_incident", "suicidal_ideation"):
        told = risk(id=kind, about=about, source="victim-safety-northshire", occurred_at=MONDAY.isoformat(), kind=kind)
        del told["data"]["substances"]
        await onward.publish(told, channel="risk")
    await onward.settle()
    assert ("dapp", "step_up") not in await _routed(onward)
    waits = await _asked(onward, "kind = 'confirm_route' AND destination = 'dapp'")
    await _decide(onward, decision("confirm_route", review_id=waits["id"]))
    assert {("dapp", "step_up"), ("mental_health_team", "step_up")} <= set(await _routed(onward))
    for message in await onward.messages("ROUTE"):
        his = message["data"]["destination"] in ("dapp", "mental_health_team", "addiction_service")
        assert not (his and {"kind", "occurred_at", "severity"} & set(message["data"]["fields"])), message["data"]
    await _all_is_well(onward)
