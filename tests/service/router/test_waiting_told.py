"""Who gets a route that waited for a human's word reads all that was told meanwhile, and nothing that is another's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.ground.settings import Settings
from tests.support.checks import problems_of
from tests.support.events import Event, decision, referral, referral_of, risk
from tests.support.system import System, system

HOUSING = "housing_support"
REHAB = "residential_rehab"


@pytest.fixture
async def onward(settings: Settings) -> AsyncIterator[System]:
    """A running system."""
    async with system(settings) as running:
        yield running


async def _publish(onward: System, event: Event, channel: str) -> None:
    await onward.publish(event, channel=channel)
    await onward.settle()


async def _told(onward: System, destination: str) -> list[dict[str, Any]]:
    """What a destination was sent, in order."""
    return [m["data"] for m in await onward.messages("ROUTE") if m["data"]["destination"] == destination]


async def _confirm(onward: System, destination: str) -> None:
    asked = "SELECT id, role FROM reviews WHERE kind = 'confirm_route' AND answered_at IS NULL AND destination = :d"
    [waits] = await onward.rows(asked, d=destination)
    await _publish(onward, decision("confirm_route", review_id=waits["id"], role=waits["role"]), "decision")


async def _all_is_well(onward: System) -> None:
    sent = [row["origin_id"] for row in await onward.rows("SELECT origin_id FROM accepted_events")]
    assert await problems_of(onward.world.database, onward.connection, acknowledged=sent) == []


async def _relapsed(onward: System, *substances: str, number: int | None = None) -> None:
    """A relapse each, told by the programme; of the n-th person where a number is given."""
    persons = await onward.rows("SELECT id FROM persons")
    about = {"person_id": persons[0]["id"]} if number is None else {"identifiers": {"crn": f"X{number:06d}"}}
    for each in substances:
        told = risk(id=f"relapse-{each}", about=about, source="dapp-northshire", substances=[each])
        await _publish(onward, told, "risk")


async def test_each_event_that_wanted_the_route_is_told_once_it_is_confirmed(onward: System) -> None:
    await _publish(onward, referral(), "referral")
    await _relapsed(onward, "cannabis", "cocaine", "alcohol", "opioids")
    assert await _told(onward, REHAB) == []
    await _confirm(onward, REHAB)
    told = await _told(onward, REHAB)
    assert [(m["sequence"], m["action"], m["fields"]["substances"]) for m in told] == [
        (1, "refer", ["cocaine"]),
        (2, "notify", ["alcohol"]),
        (3, "notify", ["opioids"]),
    ], "the first relapse wanted no place there"
    assert all(m["fields"]["person"]["name"] for m in told)
    await _all_is_well(onward)


def _needing(id_: str, phone: str, *needs: str) -> Event:
    """A referral that tells of other needs and says nothing of consent, without which housing support is not asked."""
    event = referral(id=id_, reference=id_)
    event["data"]["person"]["phone"] = phone
    event["data"]["needs"]["other"] = list(needs)
    del event["data"]["consent"]
    return event


async def _housing(onward: System) -> list[tuple[str, str, list[str]]]:
    told = [(m["action"], m["fields"]) for m in await _told(onward, HOUSING)]
    return [(action, fields["person"]["phone"], sorted(fields["needs"]["other"])) for action, fields in told]


async def test_of_two_referrals_each_arrives_as_it_was_and_the_newer_one_last(onward: System) -> None:
    await _publish(onward, _needing("first", "07700 900001", "accommodation", "finance"), "referral")
    await _publish(onward, _needing("second", "07700 900002", "accommodation"), "referral")
    await _confirm(onward, HOUSING)
    assert await _housing(onward) == [
        ("refer", "07700 900001", ["accommodation", "finance"]),
        ("notify", "07700 900002", ["accommodation"]),
    ]
    await _all_is_well(onward)


async def test_who_is_referred_by_an_older_referral_hears_of_the_newest_which_did_not_ask(onward: System) -> None:
    await _publish(onward, _needing("first", "07700 900001", "accommodation"), "referral")
    await _publish(onward, _needing("second", "07700 900002", "finance"), "referral")
    await _confirm(onward, HOUSING)
    assert await _housing(onward) == [
        ("refer", "07700 900001", ["accommodation"]),
        ("notify", "07700 900002", ["finance"]),
    ]
    await _all_is_well(onward)


async def test_persons_who_are_parted_again_are_told_of_with_nothing_of_the_other(onward: System) -> None:
    for number in (1, 2):
        await _publish(onward, referral_of(number), "referral")
    one, other = [await onward.person_with("crn", f"X{number:06d}") for number in (1, 2)]
    await _relapsed(onward, "cannabis", "cocaine", number=1)
    joining = {"person_id": one, "other_person_id": other}
    await _publish(onward, decision("merge_persons", **joining), "decision")
    await _relapsed(onward, "alcohol", number=2)
    [waits] = await onward.rows("SELECT route FROM reviews WHERE destination = :d AND answered_at IS NULL", d=REHAB)
    route = json.loads(waits["route"]) if isinstance(waits["route"], str) else waits["route"]
    assert len(route["told_in"]) == 2
    await _publish(onward, decision("unmerge_persons", **joining), "decision")
    await _confirm(onward, REHAB)
    assert [m["fields"]["substances"] for m in await _told(onward, REHAB)] == [["cocaine"]]
    await _all_is_well(onward)
