"""A risk event: something that happened to a person since their referral, for the worse or for the better."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from schemas.base import Day, Moment, Narrative, Payload, SetOf
from schemas.envelope import EventData, EventType
from schemas.person import PersonRef
from schemas.vocabulary import Behaviour, ContextKind, Engagement, RiskKind, Severity, Substance, SupportKind


class Context(Payload):
    """A day that can weigh on somebody."""

    kind: ContextKind
    on: Day | None = None  # the day itself, which may be still to come


class RiskReported(EventData):
    """Something happened to a person since their referral.

    Source: the destination, agency or police force named in the envelope.
    """

    event_type: ClassVar[EventType] = EventType.RISK_REPORTED

    about: PersonRef
    kind: RiskKind
    occurred_at: Moment  # when it happened, not when it was reported
    severity: Severity | None = None  # None: not assessed, which is not the same as low
    substances: SetOf[Substance] | None = None  # what was used
    behaviours: SetOf[Behaviour] | None = None  # what was done, in a new incident
    context: Context | None = None
    engagement: Engagement | None = None
    weeks_clean: Annotated[int, Field(ge=0, le=5_000)] | None = None  # whole weeks without substances
    session_number: Annotated[int, Field(ge=1, le=1_000)] | None = None  # of the programme, at which it was told
    left_support: SetOf[SupportKind] | None = None  # supports that the person has left
    note: Narrative | None = None  # free text; never leaves with a leg that does not allow `note`

    @model_validator(mode="after")
    def _contextual_has_a_context(self) -> Self:
        if self.kind is RiskKind.CONTEXTUAL and self.context is None:
            raise ValueError("contextual needs context")
        return self
