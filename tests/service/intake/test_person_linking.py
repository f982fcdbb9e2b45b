"""Whom a message is about, through the real queue and store: who is linked, who is asked about, who is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.ground.settings import Settings
from tests.support.events import Event, example, referral, risk
from tests.support.system import System, system

PNC, OTHER_PNC = "1986/0154321Y", "1979/0163001B"
NHS = "9990001235"
NOBODY = "01938f00-0000-7000-8000-00000000dead"


@pytest.fixture
async def onward(settings: Settings) -> AsyncIterator[System]:
    """A running system."""
    async with system(settings) as running:
        yield running


def known_by(source: str, reference: str = "R1", *, name: str = "Daniel Example", **identifiers: str) -> Event:
    """A referral from a source, of somebody by these identifiers."""
    given, family = name.split()
    person = {
        "identifiers": identifiers,
        "name": {"given": given, "family": family},
        "date_of_birth": "1986-04-17",
    }
    return referral(source=source, reference=reference, person=person)


async def test_one_pnc_id_from_two_sources_is_one_person_and_the_joining_is_audited(onward: System) -> None:
    await onward.publish(known_by("met-police", pnc_id="86/154321Y"))
    await onward.publish(known_by("probation", name="Dan Exampel", pnc_id=PNC, crn="X123456"))
    await onward.settle()
    [person] = await onward.rows("SELECT * FROM persons")
    assert person["last_sequence"] == 2
    assert await onward.count("identifiers") == 2
    assert await onward.person_with("crn", "X123456") == await onward.person_with("pnc_id", PNC) == person["id"]
    [combined] = [m["data"] for m in await onward.messages("AUDIT", "audit.combine")]
    assert combined["person_id"] == person["id"]
    assert combined["actor"]["id"] == "probation"
    assert PNC not in str(combined), "an entry names fields, never values"
    assert await _questions(onward) == []


async def test_sharing_a_pnc_id_is_a_joining_even_when_nothing_is_added(onward: System) -> None:
    await onward.publish(known_by("met-police", pnc_id=PNC))
    await onward.publish(known_by("probation", pnc_id=PNC))
    await onward.settle()
    assert await onward.count("persons") == 1
    assert len(await onward.messages("AUDIT", "audit.combine")) == 1


async def test_identifiers_of_two_persons_make_a_third_and_a_question_and_move_nothing(onward: System) -> None:
    await onward.publish(known_by("met-police", pnc_id=PNC))
    await onward.publish(known_by("nhs-trust", name="Ann Other", nhs_number=NHS))
    await onward.settle()
    before = await onward.rows("SELECT * FROM identifiers ORDER BY kind")
    await onward.publish(known_by("probation", name="Third Man", pnc_id=PNC, nhs_number=NHS))
    await onward.settle()
    assert await onward.rows("SELECT * FROM identifiers ORDER BY kind") == before
    first, second, third = [row["id"] for row in await onward.rows("SELECT id FROM persons ORDER BY created_at, id")]
    assert await _questions(onward) == [(third, sorted([first, second]))]
    assert await onward.messages("AUDIT", "audit.combine") == []
    routed = {row["person_id"] for row in await onward.rows("SELECT person_id FROM legs")}
    assert routed == {first, second, third}, "the question delays no route"


async def test_a_second_identifier_of_one_kind_is_a_question_and_is_not_added(onward: System) -> None:
    await onward.publish(known_by("met-police", pnc_id=PNC, nhs_number=NHS))
    await onward.publish(known_by("probation", pnc_id=OTHER_PNC, nhs_number=NHS, crn="X123456"))
    await onward.settle()
    [person] = await onward.rows("SELECT id FROM persons")
    assert await _questions(onward) == [(person["id"], [])]
    assert await onward.count("identifiers") == 3
    for kind, value in (("pnc_id", PNC), ("nhs_number", NHS), ("crn", "X123456")):
        assert await onward.person_with(kind, value) == person["id"], "what is of another kind is added all the same"


async def test_the_same_name_and_birthday_is_a_question_and_never_a_merge(onward: System) -> None:
    await onward.publish(known_by("met-police", pnc_id=PNC))
    await onward.publish(known_by("probation", name="DAVE example", crn="X123456"))
    await onward.publish(known_by("nhs-trust", name="Eve Example", nhs_number=NHS))
    await onward.settle()
    first, second, _ = [row["id"] for row in await onward.rows("SELECT id FROM persons ORDER BY created_at, id")]
    assert await _questions(onward) == [(second, [first])], "surname, initial and birthday; another initial is another"
    assert {row["person_id"] for row in await onward.rows("SELECT person_id FROM identifiers WHERE kind = 'crn'")} == {
        second
    }


async def test_two_men_of_one_incident_stay_two_though_the_police_gave_them_one_reference(onward: System) -> None:
    for name in ("John Doe", "Richard Roe"):
        event = known_by("met-police", "INCIDENT-1", name=name)
        del event["data"]["person"]["date_of_birth"], event["data"]["person"]["identifiers"]
        await onward.publish(event)
    await onward.settle()
    assert await onward.count("persons") == 2


async def test_a_risk_event_finds_its_person_in_every_way_that_it_may_name_them(onward: System) -> None:
    await onward.publish(known_by("met-police", "NS/1", pnc_id=PNC))
    await onward.publish(known_by("met-police", "NS/2", name="Ann Other", nhs_number=NHS))
    await onward.settle()
    person, _ = [row["id"] for row in await onward.rows("SELECT id FROM persons ORDER BY created_at, id")]
    leg = (await onward.rows("SELECT id FROM legs WHERE person_id = :p", p=person))[0]
    ways: dict[str, object] = {
        "leg_id": leg["id"],
        "referral": {"source": "met-police", "reference": "NS/1"},
        "person_id": person,
        "identifiers": {"pnc_id": "1986/154321Y"},
    }
    for about in ({"leg_id": leg["id"]}, *({way: name} for way, name in ways.items()), ways):
        await onward.publish(risk(source="dapp-northshire", about=about), channel="risk")
    await onward.settle()
    events = await onward.rows(
        "SELECT person_id, sequence FROM accepted_events WHERE source = 'dapp-northshire' ORDER BY sequence"
    )
    assert [(row["person_id"], row["sequence"]) for row in events] == [(person, number) for number in range(2, 8)]
    assert await onward.count("persons") == 2


NOBODYS: tuple[dict[str, object], ...] = (
    {"leg_id": NOBODY},
    {"person_id": NOBODY},
    {"person_id": NOBODY, "identifiers": {"pnc_id": OTHER_PNC}},
    {"referral": {"source": "met-police", "reference": "NS/9"}},
    {"referral": {"source": "gwent-police", "reference": "NS/1"}},  # another source's reference
)


async def test_a_risk_event_about_nobody_we_know_is_refused(onward: System) -> None:
    await onward.publish(known_by("met-police", "NS/1", pnc_id=PNC))
    for about in NOBODYS:
        await onward.publish(risk(source="met-police", about=about), channel="risk")
    await onward.settle()
    assert [row["reason"] for row in await onward.rows("SELECT reason FROM quarantine")] == ["unknown_person"] * 5
    refused = [r["data"] for r in await onward.messages("RECEIPT") if r["data"]["outcome"] == "refused"]
    assert [r["problems"][0]["place"] for r in refused] == ["/data"] * 5
    assert await onward.count("persons") == 1


async def test_an_event_that_names_two_persons_is_refused(onward: System) -> None:
    await onward.publish(known_by("met-police", "NS/1", pnc_id=PNC))
    await onward.publish(known_by("met-police", "NS/2", name="Ann Other", nhs_number=NHS))
    await onward.settle()
    first, second = [row["id"] for row in await onward.rows("SELECT id FROM persons ORDER BY created_at, id")]
    leg = (await onward.rows("SELECT id FROM legs WHERE person_id = :p", p=second))[0]["id"]
    await onward.publish(risk(source="met-police", about={"person_id": first, "leg_id": leg}), channel="risk")
    await onward.settle()
    assert [row["reason"] for row in await onward.rows("SELECT reason FROM quarantine")] == ["names_several"]


async def test_a_risk_event_may_be_the_first_that_we_hear_of_somebody(onward: System) -> None:
    await onward.publish(risk(source="met-police", about={"identifiers": {"pnc_id": PNC}}), channel="risk")
    await onward.publish(known_by("probation", pnc_id=PNC))
    await onward.settle()
    [person] = await onward.rows("SELECT last_sequence, name_key FROM persons")
    assert person["last_sequence"] == 2
    assert person["name_key"] is not None, "the referral's name is kept for the next likeness"


async def test_progress_on_a_leg_that_is_not_ours_is_refused(onward: System) -> None:
    report = example("progress-started", source="dapp-northshire", leg_id=NOBODY)
    await onward.publish(report, channel="progress")
    await onward.settle()
    assert [row["reason"] for row in await onward.rows("SELECT reason FROM quarantine")] == ["unknown_person"]


async def _questions(onward: System) -> list[tuple[str, list[str]]]:
    """Open questions of identity: about whom, and who they perhaps are."""
    rows = await onward.rows(
        "SELECT person_id, perhaps FROM reviews WHERE kind = 'link' AND answered_at IS NULL ORDER BY person_id"
    )
    return [(row["person_id"], sorted(_decoded(row["perhaps"]))) for row in rows]


def _decoded(value: Any) -> Any:
    """JSON of a plain query, which one store gives as text."""
    return json.loads(value) if isinstance(value, str) else value
