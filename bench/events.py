"""The events that every benchmark sends: about 1 KB of JSON, each of another person, about 1.7 routes each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from services.ground.ids import new_id

SOURCE: Final = "northshire-police"
MOMENT: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

# What a referral says beside what all say, and how many destinations the default rule set then routes to.
# The bench counts the routes that really left; these numbers are only for the sides that have no rules.
VARIANTS: Final[tuple[tuple[dict[str, Any], tuple[str, ...]], ...]] = (
    ({"behaviours": ["coercive_control"]}, ("dapp",)),
    ({"behaviours": ["physical_assault"]}, ("dapp", "victim_safety")),
    ({"behaviours": ["criminal_damage"]}, ("dapp",)),
    ({"behaviours": ["threats_to_kill"], "substances": ["cocaine"]}, ("addiction_service", "dapp", "victim_safety")),
    ({"behaviours": ["coercive_control"], "mental_health": ["low_mood"]}, ("dapp", "mental_health_team")),
    ({"behaviours": ["coercive_control"]}, ("dapp",)),
    ({"behaviours": ["criminal_damage"], "substances": ["alcohol"]}, ("addiction_service", "dapp")),
)


def routes_of(number: int) -> tuple[str, ...]:
    """The destinations that the n-th event is routed to."""
    return VARIANTS[number % len(VARIANTS)][1]


def submitted(number: int) -> bytes:
    """The n-th referral, as its source publishes it."""
    return json.dumps(_envelope(number)).encode()


def accepted(number: int, person: str, *, partitions: int) -> tuple[str, bytes]:
    """The n-th referral as intake hands it on, about this person: its subject on the CASE stream, and its bytes."""
    partition = int(person[-8:], 16) % partitions  # as streams.partition_of
    envelope = _envelope(number)
    envelope |= {
        "id": new_id(MOMENT),
        "source": "onward-intake",
        "subject": person,
        "originsource": SOURCE,
        "originid": envelope["id"],
        "sequence": "1",
        "receivedat": MOMENT.isoformat(),
    }
    return f"case.{partition}.referral", orjson.dumps(envelope)


def _envelope(number: int) -> dict[str, Any]:
    said = VARIANTS[number % len(VARIANTS)][0]
    return {
        "specversion": "1.0",
        "id": f"bench-{number}",
        "source": SOURCE,
        "type": "onward.referral.submitted.v1",
        "time": "2026-03-02T08:40:00Z",
        "datacontenttype": "application/json",
        "data": {
            "reference": f"NS/{number}/26",
            "person": {
                "identifiers": {"crn": f"{'ABCDEFGHJK'[number // 1_000_000]}{number % 1_000_000:06d}"},
                "name": {"given": f"Given{number}", "family": f"Family{number}"},
                "date_of_birth": "1986-04-17",
                "gender": "male",
                "postcode_outward": "LS6",
            },
            "lawful_basis": "law_enforcement",
            "consent": {"to_share": "yes", "recorded_by": "PC 4471", "recorded_at": "2026-03-02T01:55:00Z"},
            "incident": {
                "occurred_at": "2026-03-01T22:15:00Z",
                "reported_at": "2026-03-01T22:31:00Z",
                "behaviours": said["behaviours"],
                "weapons": "no",
                "children_present": "no",
            },
            "previous_incidents_12_months": 0,
            "relationship": "partner",
            "risk": {"level": "standard", "instrument": "dash_27", "ticks": 4, "max": 27},
            "needs": {
                "substances": said.get("substances", []),
                "mental_health": said.get("mental_health", []),
                "other": [],
            },
            "accepts_help": "yes",
            "engagement": "steady",
            "victim": {"safe_contact": {"method": "phone", "detail": "07700 900456"}},
            "children": [],
            "referrer": {"role": "response officer", "collar_number": "4471", "station": "Northgate"},
            "area": "Northshire",
        },
    }
