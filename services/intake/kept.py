"""What intake keeps of a batch, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.envelope import INTAKE_SOURCE, Channel
from schemas.human import DecidedBy
from schemas.registry import Submission
from services.ground.handler import Incoming
from services.ground.microbatch import Delivery
from services.ground.work import Work
from services.intake import store
from services.intake.joining import Joining
from services.intake.linking import Claim, Link


@dataclass(frozen=True, slots=True)
class Published:
    """A readable message of a source."""

    source: str
    channel: Channel
    envelope: Submission
    said: Mapping[str, object]  # its data, of what JSON is made of
    digest: str  # of what it says
    claim: Claim


@dataclass(slots=True)
class Kept:
    """The rows that a batch leaves behind."""

    raw: list[dict[str, object]]
    accepted: list[dict[str, object]]
    persons: dict[str, dict[str, object]]
    identifiers: list[dict[str, object]]
    references: list[dict[str, object]]
    joinings: list[tuple[Joining, DecidedBy, str]]  # in order, each with who said so and the event


def keep_event(
    message: Incoming[Published],
    person: str,
    sequence: int,
    linked: Link,
    event_id: str,
    kept: Kept,
    work: Work,
    *,
    copy_of: str | None = None,
) -> None:
    """The rows of an accepted event. `copy_of` is the event whose place in another person's order this is."""
    body = message.body
    source, origin_id = (body.source, body.envelope.id) if copy_of is None else (INTAKE_SOURCE, copy_of)
    kept.accepted.append(
        {
            "source": source,
            "origin_id": origin_id,
            "event_id": event_id,
            "digest": body.digest,
            "type": body.envelope.type.value,
            "person_id": person,
            "sequence": sequence,
            "accepted_at": work.now,
        }
    )
    row = kept.persons.setdefault(
        person, {"id": person, "created_at": work.now, "last_sequence": sequence, "name_key": None}
    )
    row["last_sequence"] = sequence
    if linked.named is None:  # another one's name stays theirs, should they be parted again
        row["name_key"] = body.claim.name_key or row["name_key"]
    kept.identifiers += [
        {"kind": kind, "value": value, "person_id": linked.named or person, "added_at": work.now}
        for kind, value in linked.add
    ]
    if body.channel is Channel.REFERRAL and body.claim.reference:
        source, reference = body.claim.reference
        kept.references.append({"source": source, "reference": reference, "person_id": linked.named or person})


def raw_row(
    delivery: Delivery, work: Work, *, person: str | None, outcome: str, event_id: str | None
) -> dict[str, object]:
    """A message as it came, under the key of its person; none where they are erased."""
    id_ = work.id()
    return {
        "id": id_,
        "received_at": work.now,
        "subject": delivery.subject,
        "stream_sequence": delivery.stream_sequence,
        "body": None if person is None else work.seal(person, store.raw_messages.c.body, id_, delivery.raw),
        "outcome": outcome,
        "event_id": event_id,
    }
