"""A message that could not be taken and waits for a human."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import Digest, Moment, OurId, Several, Slug, SourceId, Subject
from schemas.envelope import EventData, EventType
from schemas.receipt import Problem


class QuarantinedMessage(EventData):
    """That a message was set aside, and why. Its body stays in the store, where reading it is audited."""

    event_type: ClassVar[EventType] = EventType.MESSAGE_QUARANTINED

    quarantine_id: OurId
    service: Slug  # which service set it aside
    reason: Slug
    problems: Several[Problem] = ()
    subject: Subject  # where it was published
    source: SourceId | None = None  # None: the subject does not tell
    received_at: Moment
    digest: Digest  # SHA-256 of the bytes that came
