from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.base import LegId, Payload, PersonId
from schemas.envelope import AcceptedEvent, Channel, EventType
from schemas.human import HumanDecision
from schemas.person import Person, PersonName, PersonRef
from schemas.progress import ProgressReported
from schemas.referral import Risk
from schemas.registry import ACCEPTED, DATA, INTAKE, read_accepted
from schemas.risk import RiskReported
from schemas.vocabulary import RiskKind, RiskLevel

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
ID = "01938f00-0000-7000-8000-00000000da99"
OTHER = "01938f00-0000-7000-8000-00000000be01"
PAUSE = {
    "reason": "relapse",
    "from_date": "2026-01-06",
    "until_date": "2026-02-03",
    "agreed_by": ["person", "facilitator"],
}


def fits(model: type[Payload], fields: dict[str, Any]) -> bool:
    try:
        model.model_validate_json(json.dumps(fields))
    except ValidationError:
        return False
    return True


def progress(**fields: Any) -> bool:
    return fits(ProgressReported, {"leg_id": ID, "occurred_at": "2026-01-31T09:00:00Z", **fields})


def decision(**fields: Any) -> bool:
    who = {"user": "j.reviewer", "role": "safeguarding lead", "organisation": "hub"}
    return fits(
        HumanDecision, {"decided_by": who, "decided_at": "2026-01-31T09:00:00Z", "reason": "Seen and agreed.", **fields}
    )


@pytest.mark.parametrize("kind", ["declined", "closed"])
def test_a_leg_is_not_declined_or_closed_without_a_reason(kind: str) -> None:
    assert not progress(kind=kind)
    assert progress(kind=kind, reason="Outside our area.")


def test_a_pause_is_not_agreed_without_both_and_not_without_an_end() -> None:
    assert progress(kind="pause_agreed", pause=PAUSE)
    assert not progress(kind="pause_agreed")
    assert not progress(kind="pause_agreed", pause={**PAUSE, "agreed_by": ["person"]})
    assert not progress(kind="pause_agreed", pause={**PAUSE, "agreed_by": ["facilitator", "facilitator"]})
    assert not progress(kind="pause_agreed", pause={**PAUSE, "until_date": PAUSE["from_date"]})


def test_an_offer_can_be_declined_without_giving_a_reason() -> None:
    assert progress(kind="offer_declined")


@pytest.mark.parametrize(
    ("kind", "needs"),
    [
        ("answer_review", {"review_id": ID}),
        ("confirm_route", {"leg_id": ID}),
        ("refuse_route", {"review_id": ID}),
        ("correct_status", {"leg_id": ID, "status": "on_programme"}),
        ("reopen_leg", {"leg_id": ID}),
        ("merge_persons", {"person_id": ID, "other_person_id": OTHER}),
        ("keep_persons_apart", {"person_id": ID, "other_person_id": OTHER}),
    ],
)
def test_a_decision_names_what_it_decides(kind: str, needs: dict[str, str]) -> None:
    assert decision(kind=kind, **needs)
    for missing in needs:
        assert not decision(kind=kind, **{name: value for name, value in needs.items() if name != missing})


def test_a_decision_needs_a_reason_and_a_fact_its_value() -> None:
    assert not decision(kind="reopen_leg", leg_id=ID, reason=" ")
    assert not decision(kind="answer_review", review_id=ID, fact="strangulation")
    assert not decision(kind="answer_review", review_id=ID, value="no")


def test_a_person_is_not_merged_with_themselves() -> None:
    assert not decision(kind="merge_persons", person_id=ID, other_person_id=ID)


def test_a_message_about_nobody_is_refused() -> None:
    assert not fits(PersonRef, {})
    assert not fits(PersonRef, {"identifiers": {}})
    assert fits(PersonRef, {"identifiers": {"crn": "X945794"}})
    assert fits(PersonRef, {"referral": {"source": "northshire-police", "reference": "NS/1"}})


def test_a_person_who_could_never_be_found_is_refused() -> None:
    assert not fits(Person, {"date_of_birth": "1986-04-17"})
    assert not fits(Person, {"name": {"aliases": ["Danny"]}})
    assert fits(Person, {"name": {"family": "Example"}})


def test_a_contextual_risk_says_which_context() -> None:
    risk = {"about": {"leg_id": ID}, "kind": "contextual", "occurred_at": "2026-01-31T09:00:00Z"}
    assert not fits(RiskReported, risk)
    assert fits(RiskReported, {**risk, "context": {"kind": "court_date"}})


@pytest.mark.parametrize(
    ("level", "reviewed", "highest"),
    [
        (None, None, None),
        (RiskLevel.HIGH, RiskLevel.MEDIUM, RiskLevel.HIGH),
        (RiskLevel.STANDARD, RiskLevel.VERY_HIGH, RiskLevel.VERY_HIGH),
        (None, RiskLevel.LOW, RiskLevel.LOW),
    ],
)
def test_a_review_never_lowers_the_risk_below_what_the_officer_saw(
    level: RiskLevel | None, reviewed: RiskLevel | None, highest: RiskLevel | None
) -> None:
    assert Risk(level=level, reviewed_level=reviewed).highest is highest


def test_not_stated_is_not_the_same_as_stated_none() -> None:
    about = PersonRef(leg_id=LegId(ID))
    silent = RiskReported(about=about, kind=RiskKind.RELAPSE, occurred_at=NOW)
    stated = RiskReported(about=about, kind=RiskKind.RELAPSE, occurred_at=NOW, substances=frozenset())
    assert silent.substances is None
    assert silent != stated


def test_a_payload_cannot_be_changed_after_it_was_read() -> None:
    name = PersonName(family="Example")
    with pytest.raises(ValidationError):
        name.family = "Other"  # type: ignore[misc]


def test_a_model_used_without_a_reader_refuses_unknown_fields_too() -> None:
    assert fits(PersonName, {"family": "Example"})
    assert not fits(PersonName, {"family": "Example", "familly": "Example"})


def test_a_refused_value_is_not_in_the_error_of_the_model_either() -> None:
    with pytest.raises(ValidationError) as refused:
        PersonName(family="Qan\u202eary")
    assert "Qan" not in str(refused.value)


def test_every_type_has_one_model_and_every_intake_type_is_accepted_on_one_channel() -> None:
    assert set(DATA) == set(EventType)
    assert [model.event_type for model in DATA.values()] == list(DATA)
    taken = [kind for models in INTAKE.values() for kind in models]
    assert list(ACCEPTED) == list(INTAKE) == list(Channel)
    assert len(set(taken)) == len(taken)


def test_an_accepted_event_keeps_its_order_and_origin_through_the_wire() -> None:
    event = AcceptedEvent[RiskReported](
        id=OTHER,
        type=EventType.RISK_REPORTED,
        time=NOW,
        subject=PersonId(ID),
        originsource="dapp-northshire",
        originid="dapp-risk-0003",
        sequence="12",
        receivedat=NOW,
        data=RiskReported(about=PersonRef(person_id=PersonId(ID)), kind=RiskKind.RELAPSE, occurred_at=NOW),
    )
    read_again = read_accepted(event.model_dump_json().encode(), Channel.RISK)
    assert read_again == event
    assert read_again.order == 12


def test_attribute_names_are_those_that_cloudevents_allows() -> None:
    for model in (*ACCEPTED.values(), *(model for models in INTAKE.values() for model in models.values())):
        assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in model.model_fields)


def test_a_day_in_python_is_a_date_and_not_a_text() -> None:
    with pytest.raises(ValidationError):
        Person(name=PersonName(family="Example"), date_of_birth=datetime(1986, 4, 17, tzinfo=UTC))
    assert Person(name=PersonName(family="Example"), date_of_birth=date(1986, 4, 17)).date_of_birth is not None
