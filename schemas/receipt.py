"""What became of a message, as told to its source."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.base import Digest, EventId, Moment, OurId, Payload, Several, ShortText, Slug, Subject
from schemas.envelope import EventData, EventType
from schemas.places import without_names
from schemas.vocabulary import LegOutcome, LegStatus, ReceiptOutcome


class Problem(Payload):
    """One thing that is wrong with a message, and where. Never what was written there."""

    place: Annotated[str, Field(max_length=500)]  # JSON pointer; empty for the whole message
    message: Annotated[str, Field(max_length=1_000)]

    def for_others(self) -> Problem:
        """The same for whoever did not send the message: the name of a field that we do not know is hidden."""
        return Problem(place=without_names(self.place), message=self.message)


class Receipt(EventData):
    """The answer to every message that reached intake, also to those that it could not take."""

    event_type: ClassVar[EventType] = EventType.RECEIPT_ISSUED

    outcome: ReceiptOutcome
    origin: EventId | None = None  # the source's id of its message; None when it could not be read
    subject: Subject  # where the message was published
    event_id: OurId | None = None  # ours, when it was accepted
    reason: Slug | None = None  # why it was refused, for programs; `problems` says it for people
    problems: Several[Problem] = ()
    allowed: Several[LegStatus] | None = None  # of a refused transition: where the leg may go instead, perhaps nowhere
    received_at: Moment
    digest: Digest  # SHA-256 of the bytes that came


class OutcomeReported(EventData):
    """What became of a leg, as told to the source whose referral opened it: no reasons and no notes."""

    event_type: ClassVar[EventType] = EventType.OUTCOME_REPORTED

    origin: EventId  # the source's id of its referral
    reference: ShortText | None = None  # the source's own, as it stood in the referral
    destination: Slug
    outcome: LegOutcome
    told_at: Moment
