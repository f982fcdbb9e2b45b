"""What of each published field may be shown to the person concerned: an allow-list, complete by a test. Pure.

A field that is shown is named to its last step. What is held back is named at the step from which on all of it is.
What nobody named is held back.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from schemas.envelope import EventType


class Treatment(StrEnum):
    """What becomes of a field."""

    SHOWN = "shown"
    OTHER = "other"  # about somebody else
    STAFF = "staff"  # who somebody is that did their work
    OURS = "ours"  # a number of ours for a record that may be somebody else's
    WRITTEN = "written"  # in somebody's own words: may be about anybody, so a human reads it first


def _rules(shown: str, other: str = "", staff: str = "", written: str = "", ours: str = "") -> Mapping[str, Treatment]:
    named = {
        Treatment.SHOWN: shown,
        Treatment.OTHER: other,
        Treatment.STAFF: staff,
        Treatment.WRITTEN: written,
        Treatment.OURS: ours,
    }
    return MappingProxyType({path: treatment for treatment, paths in named.items() for path in paths.split()})


_IDENTIFIERS: Final = ("pnc_id", "cro", "crn", "nhs_number", "noms")


def _numbers(path: str) -> str:
    return " ".join(f"{path}.{name}" for name in _IDENTIFIERS)


FIELDS: Final[Mapping[EventType, Mapping[str, Treatment]]] = MappingProxyType(
    {
        EventType.REFERRAL_SUBMITTED: _rules(
            shown=f"""
            reference {_numbers("person.identifiers")}
            person.name.given person.name.family person.name.aliases person.date_of_birth person.gender
            person.postcode_outward person.phone person.gp_practice
            lawful_basis consent.to_share consent.recorded_at
            incident.reference incident.occurred_at incident.reported_at incident.behaviours incident.arrested
            incident.weapons previous_incidents_12_months relationship
            risk.level risk.reviewed_level risk.instrument
            needs.substances needs.mental_health needs.other engagement accepts_help
            orders.kind orders.expires_on referrer.role referrer.station area
            """,
            # Injuries are the other's; a risk instrument is filled in from what the other said; which agencies were
            # told can tell who looks after them.
            other="victim children incident.injuries incident.children_present risk.ticks risk.max risk.answers "
            "agencies_notified",
            staff="consent.recorded_by referrer.name referrer.collar_number",
            written="narrative",
        ),
        EventType.RISK_REPORTED: _rules(
            shown=f"""
            about.person_id about.leg_id about.referral.source about.referral.reference {_numbers("about.identifiers")}
            kind occurred_at severity substances behaviours context.kind context.on engagement weeks_clean
            session_number left_support
            """,
            written="note",
        ),
        EventType.PROGRESS_REPORTED: _rules(
            shown="""
            leg_id kind occurred_at session_number waitlist_place expected_on pause.reason pause.from_date
            pause.until_date pause.agreed_by welfare_check reason_code
            """,
            written="reason note",
        ),
        EventType.DECISION_MADE: _rules(
            shown="""
            kind decided_by.role decided_by.organisation decided_at leg_id status reason_code on welfare_check until
            """,
            # Of two who were compared either can be the other; what was on the screen can be anybody's.
            ours="person_id other_person_id review_id shown",
            staff="decided_by.user",
            # A fact that a human supplied can be about anybody, and an answer can be in their own words.
            written="reason answer fact value",
        ),
        EventType.TIMER_FELL_DUE: _rules(shown="timer_id person_id kind due_at leg_id", ours="review_id"),
        # Entries are told line by line (`document`): those alone that are of nobody on another side.
        EventType.AUDIT_ENTERED: _rules(
            shown="operation at purpose lawful_basis actor.organisation actor.role recipient person_id fields "
            "because.rule because.because",
            ours="entry_id records correlation_id causation_id decision_id rule_set justification_commitment",
            staff="actor.id",
            written="justification",
        ),
    }
)

# Types of which nothing is taken: they carry again what is told from the records that they were made of.
NOT_TAKEN: Final = frozenset(
    {
        EventType.ROUTE_COMMANDED,
        EventType.REFERRAL_ROUTED,
        EventType.RECEIPT_ISSUED,
        EventType.MESSAGE_QUARANTINED,
        EventType.OUTCOME_REPORTED,
    }
)

# Facts that no single field states: counts of events that may have been reported by somebody else in confidence.
IN_CONFIDENCE: Final = frozenset({"new_incident", "threat", "breach_of_order"})


def treatment(kind: EventType, path: str) -> Treatment:
    """What becomes of the field at a dotted path, without the places in lists."""
    named = FIELDS.get(kind, {})
    if path in named:
        return named[path]
    steps = path.split(".")
    for last in range(len(steps) - 1, 0, -1):
        above = named.get(".".join(steps[:last]))
        if above is not None and above is not Treatment.SHOWN:
            return above
    return Treatment.OTHER
