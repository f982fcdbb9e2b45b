"""A referral: one report about one person, asking for help. Who they are is in `person.py`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from schemas.base import Day, Moment, Narrative, Payload, SetOf, Several, ShortText
from schemas.envelope import EventData, EventType
from schemas.instruments import DashTopic
from schemas.person import Child, OtherParty, Person
from schemas.vocabulary import (
    Answer,
    Behaviour,
    ConsentToShare,
    Engagement,
    LawfulBasis,
    MentalHealthConcern,
    OrderKind,
    OtherNeed,
    Relationship,
    RiskInstrument,
    RiskLevel,
    Substance,
    YesNo,
)

Count = Annotated[int, Field(ge=0, le=1_000)]

_RISING = tuple(RiskLevel)


class Incident(Payload):
    """What was reported to have happened. All may be unknown: a referral need not come from an incident."""

    reference: ShortText | None = None  # the force's incident or crime number
    occurred_at: Moment | None = None
    reported_at: Moment | None = None
    behaviours: SetOf[Behaviour] | None = None  # None: not stated; empty: stated that there were none
    arrested: YesNo | None = None
    weapons: YesNo | None = None
    injuries: YesNo | None = None
    children_present: YesNo | None = None


class Risk(Payload):
    """How dangerous the source holds the situation to be, and by which instrument. No instrument is required."""

    level: RiskLevel | None = None  # the officer's
    reviewed_level: RiskLevel | None = None  # the supervisor's, after review
    instrument: RiskInstrument | None = None
    ticks: Count | None = None  # topics answered yes
    max: Count | None = None  # topics that could have been
    answers: dict[DashTopic, Answer] | None = None  # by topic, never with the question's text

    @model_validator(mode="after")
    def _ticks_fit(self) -> Self:
        if self.ticks is not None and self.max is not None and self.ticks > self.max:
            raise ValueError("ticks cannot be more than max")
        return self

    @property
    def highest(self) -> RiskLevel | None:
        """The higher of the two levels: a review never hides what the officer saw."""
        stated = [level for level in (self.level, self.reviewed_level) if level is not None]
        return max(stated, key=_RISING.index, default=None)


class Needs(Payload):
    """What the person needs help with. None: not stated; empty: stated that there is none."""

    substances: SetOf[Substance] | None = None
    mental_health: SetOf[MentalHealthConcern] | None = None
    other: SetOf[OtherNeed] | None = None


class Order(Payload):
    """A protective order or condition that binds the person."""

    kind: OrderKind
    expires_on: Day | None = None  # the last day on which it binds


class Consent(Payload):
    """What the person said of sharing. It is not the source's lawful basis."""

    to_share: ConsentToShare
    recorded_by: ShortText | None = None
    recorded_at: Moment | None = None


class Referrer(Payload):
    """Who at the source made the referral, so that a question can go back to them."""

    role: ShortText | None = None
    name: ShortText | None = None
    collar_number: ShortText | None = None
    station: ShortText | None = None


class ReferralSubmitted(EventData):
    """A source asks for help with one person.

    Source: the police force or agency named in the envelope. What is not known is left out, never guessed.
    """

    event_type: ClassVar[EventType] = EventType.REFERRAL_SUBMITTED

    reference: ShortText  # the source's own, by which it will ask for news
    person: Person
    lawful_basis: LawfulBasis  # why the source may share, apart from consent
    consent: Consent | None = None
    incident: Incident = Incident()
    previous_incidents_12_months: Count | None = None  # reports to the source in the year before this one
    relationship: Relationship | None = None  # what the person is to the one who was harmed
    risk: Risk = Risk()
    needs: Needs = Needs()
    engagement: Engagement | None = None
    accepts_help: YesNo | None = None  # says of himself that he wants to change
    orders: Several[Order] | None = None
    victim: OtherParty | None = None  # never on a leg that works with the person
    children: Several[Child] | None = None  # never on such a leg either
    narrative: Narrative | None = None  # free text; leaves only with a leg that allows it
    referrer: Referrer | None = None
    agencies_notified: Several[ShortText] | None = None
    area: ShortText | None = None  # the source's name for the district, mapped to a catchment by configuration
