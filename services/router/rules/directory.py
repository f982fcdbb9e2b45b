"""The words of the directory of services, after Open Referral UK (HSDS) and the Gravity SDOH codes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class ServiceStatus(StrEnum):
    """Whether a service works at all (HSDS `service.status`)."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    TEMPORARILY_CLOSED = "temporarily_closed"


class Intake(StrEnum):
    """Whether a service can take somebody now (SDOH capacity status). In the order in which one would choose."""

    ACCEPTING = "accepting"
    WAITLIST = "waitlist"
    ADDITIONAL_ASSESSMENT_REQUIRED = "additional_assessment_required"
    NO_CAPACITY = "no_capacity"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the directory says of a service's places. What a service itself said since then goes before it."""

    intake: Intake
    places: int | None = None  # free now; None: not counted
    as_of: date | None = None  # when that was true
