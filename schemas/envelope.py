"""The envelope of every message: CloudEvents 1.0 in structured JSON, and the attributes that we add inside."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Generic, Literal, Self, TypeVar

from pydantic import StringConstraints, model_validator

from schemas.base import (
    SEQUENCE_PATTERN,
    EventId,
    Moment,
    OurId,
    Payload,
    ShortText,
    Slug,
    SourceId,
    Subject,
    Traceparent,
    ValidPersonId,
)


class EventType(StrEnum):
    """What a message is. A changed meaning is a new version."""

    REFERRAL_SUBMITTED = "onward.referral.submitted.v1"
    RISK_REPORTED = "onward.risk.reported.v1"
    PROGRESS_REPORTED = "onward.progress.reported.v1"
    DECISION_MADE = "onward.decision.made.v1"
    ROUTE_COMMANDED = "onward.route.commanded.v1"
    REFERRAL_ROUTED = "onward.referral.routed.v1"
    RECEIPT_ISSUED = "onward.receipt.issued.v1"
    AUDIT_ENTERED = "onward.audit.entered.v1"
    MESSAGE_QUARANTINED = "onward.message.quarantined.v1"
    OUTCOME_REPORTED = "onward.outcome.reported.v1"
    TIMER_FELL_DUE = "onward.timer.fell_due.v1"


class Channel(StrEnum):
    """What a source publishes to: the last token of `intake.<source>.<channel>`."""

    REFERRAL = "referral"
    RISK = "risk"
    PROGRESS = "progress"
    DECISION = "decision"
    TIMER = "timer"  # our own alone: what fell due comes back as an event


class EventData(Payload):
    """Base of what an envelope can carry; each knows the type that it is published under."""

    event_type: ClassVar[EventType]


DataT = TypeVar("DataT", bound=EventData)

PersonIds = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[0-9a-f -]+$")]

INTAKE_SOURCE: Final = "onward-intake"
TIMERS_SOURCE: Final = "onward-timers"  # the only one that publishes timers
ROUTER_SOURCE: Final = "onward-router"


class _CloudEvent(Payload, Generic[DataT]):
    specversion: Literal["1.0"] = "1.0"
    type: EventType
    time: Moment  # when its sender made the message
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: ShortText | None = None  # urn:onward:schema:<type>
    traceparent: Traceparent | None = None  # W3C trace context; no part of what the message says
    data: DataT

    @model_validator(mode="after")
    def _type_is_that_of_the_data(self) -> Self:
        if self.type is not self.data.event_type:
            raise ValueError(f"this data is of type {self.data.event_type}")
        return self


class Envelope(_CloudEvent[DataT], Generic[DataT]):
    """A message as its sender publishes it. `(source, id)` names it for ever."""

    source: SourceId
    id: EventId  # the sender's own, unique within the source; the same id again is the same message again
    subject: Subject | None = None  # whom or what it is about, in the sender's words

    @property
    def key(self) -> tuple[str, str]:
        """What makes a repeat recognisable."""
        return self.source, self.id


class AcceptedEvent(_CloudEvent[DataT], Generic[DataT]):
    """What intake hands to the router: the same data, under our id, in the person's order."""

    source: Literal["onward-intake", "onward-router"] = INTAKE_SOURCE  # the router hands on what `handoverto` says
    id: OurId  # UUIDv7
    subject: ValidPersonId  # whom it is about, and whose order it stands in
    originsource: SourceId  # who published it
    originid: EventId  # and under which id
    sequence: Annotated[str, StringConstraints(pattern=SEQUENCE_PATTERN)]  # 1, 2, 3 ... per person, without a gap
    receivedat: Moment  # when intake took it in
    linkquestion: Slug | None = None  # what a human should say of whom this is about
    perhaps: PersonIds | None = None  # the other persons that the question is about, with spaces between
    namedperson: ValidPersonId | None = None  # whom it named, where that one is joined to the subject
    handoverto: ValidPersonId | None = None  # once taken here it is to be taken in this one's order too,
    handoverid: OurId | None = None  # under this id
    handoversequence: Annotated[str, StringConstraints(pattern=SEQUENCE_PATTERN)] | None = None  # in this place
    handoverfrom: ValidPersonId | None = None  # in whose order it was taken before
    correlationid: EventId | None = None  # shared by all that followed from one first message
    causationid: EventId | None = None  # the message that this one answers

    @property
    def order(self) -> int:
        """The place among the person's events."""
        return int(self.sequence)
