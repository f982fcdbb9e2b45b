"""An entry of the audit log: who did what with whose data, when, and why (DPA 2018 s.62)."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import (
    Commitment,
    EventId,
    Moment,
    OurId,
    Payload,
    RuleSetVersion,
    Sentence,
    Several,
    ShortText,
    Slug,
    ValidPersonId,
)
from schemas.envelope import EventData, EventType
from schemas.route import Because
from schemas.vocabulary import AuditOperation, LawfulBasis


class Actor(Payload):
    """Who acted: a user, a source or one of our services."""

    id: EventId
    organisation: ShortText
    role: ShortText


class RecordRef(Payload):
    """A record that was touched."""

    kind: Slug  # referral, leg, review, ...
    id: EventId


class AuditEntry(EventData):
    """One operation on personal data. Field names are listed, never their values."""

    event_type: ClassVar[EventType] = EventType.AUDIT_ENTERED

    entry_id: OurId
    operation: AuditOperation
    at: Moment
    actor: Actor
    person_id: ValidPersonId | None = None  # None: no single person, as in a search
    records: Several[RecordRef] = ()
    fields: Several[ShortText] = ()  # which fields were collected, changed, read or disclosed
    recipient: ShortText | None = None  # who received them, when they were disclosed
    purpose: ShortText
    lawful_basis: LawfulBasis | None = None
    justification: Sentence | None = (
        None  # what a human wrote, where it is about no person, or about one who is erased by it
    )
    justification_commitment: Commitment | None = None  # to it, where it is: see schemas.commitments
    correlation_id: EventId
    causation_id: EventId | None = None
    decision_id: OurId | None = None
    rule_set: RuleSetVersion | None = None
    because: Several[Because] = ()
