"""What intake does with a batch: keep it, drop repeats, refuse conflicts, find the person, hand on, tell the source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.envelope import TIMERS_SOURCE, Channel, EventType
from schemas.reading import Unreadable, digest_of
from schemas.receipt import Problem, Receipt
from schemas.refusal import Unacceptable
from schemas.registry import Submission, read_submission
from schemas.timer import TimerFellDue
from schemas.vocabulary import AuditOperation, ReceiptOutcome
from services.ground import streams
from services.ground.handler import Incoming
from services.ground.microbatch import Delivery
from services.ground.settings import Settings
from services.ground.work import Key, Work, acting
from services.intake import store
from services.intake.linking import Claim, Known, Link, claim_of, learn, link


@dataclass(frozen=True, slots=True)
class Published:
    """A readable message of a source."""

    source: str
    channel: Channel
    envelope: Submission
    digest: str  # of what it says
    claim: Claim


@dataclass(slots=True)
class _Kept:
    """The rows that a batch leaves behind."""

    raw: list[dict[str, object]]
    accepted: list[dict[str, object]]
    persons: dict[str, dict[str, object]]
    identifiers: list[dict[str, object]]
    references: list[dict[str, object]]


class IntakeHandler:
    """Takes `intake.<source>.<channel>`."""

    service = "intake"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def read(self, delivery: Delivery) -> Incoming[Published]:
        """Check one message as strictly as it deserves. Raises Unacceptable with the places of all that is wrong."""
        _, source, channel_name = delivery.subject.split(".", 2)
        try:
            channel = Channel(channel_name)
        except ValueError:
            raise Unacceptable(
                "unknown_channel", [Problem(place="", message=f"publish to intake.{source}.<{'|'.join(Channel)}>")]
            ) from None
        if channel is Channel.TIMER and source != TIMERS_SOURCE:
            raise Unacceptable("not_your_channel", [Problem(place="", message="timers are Onward's own")])
        try:
            envelope = read_submission(delivery.raw, channel)
        except Unreadable as error:
            raise Unacceptable("unreadable", error.problems) from None
        if envelope.source != source:
            raise Unacceptable("another_source", [Problem(place="/source", message="is not the source it came from")])
        if isinstance(envelope.data, TimerFellDue) and envelope.id != envelope.data.timer_id:
            # Under another id it would be another event, and a timer comes back once.
            raise Unacceptable("not_its_id", [Problem(place="/id", message="must be the timer's own")])
        claim = claim_of(envelope.data, source)
        return Incoming(delivery, Published(source, channel, envelope, digest_of(envelope), claim))

    def take(self, messages: Sequence[Incoming[Published]], work: Work) -> None:
        """Accept, repeat or refuse each message, in the order in which they came."""
        before = store.accepted_before(work.connection, [_key(m) for m in messages])
        known = _look_up([m.body.claim for m in messages if _key(m) not in before], work)
        kept = _Kept([], [], {}, [], [])
        for message in messages:
            same = before.get(_key(message))
            if same is None:
                try:
                    linked = link(message.body.claim, known)
                except Unacceptable as why:
                    self.refuse(message.delivery, why, work, key=_key(message))
                    continue
                before[_key(message)] = self._accept(message, linked, known, kept, work)
            elif same.digest == message.body.digest:
                self._repeat(message, same, kept, work)
            else:
                conflict = Unacceptable(
                    "conflict", [Problem(place="/id", message="stands for another message already")]
                )
                self.refuse(message.delivery, conflict, work, key=_key(message))
        store.keep_raw(work.connection, kept.raw)
        store.keep_accepted(work.connection, kept.accepted)
        store.keep_persons(work.connection, list(kept.persons.values()))
        store.keep_identifiers(work.connection, kept.identifiers)
        store.keep_references(work.connection, kept.references)

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Quarantine a message with its raw bytes, and tell its source what was wrong and where."""
        if work.quarantine(delivery, why, key=key) is None:
            return
        store.keep_raw(work.connection, [_raw(delivery, work, outcome="refused", event_id=None)])
        outcome = ReceiptOutcome.CONFLICT if why.reason == "conflict" else ReceiptOutcome.REFUSED
        problems = why.problems or (Problem(place="", message=why.reason.replace("_", " ")),)
        self._tell(delivery, work, outcome, origin_id=key.id if key else None, problems=problems)

    def _accept(
        self, message: Incoming[Published], linked: Link, known: Known, kept: _Kept, work: Work
    ) -> store.Accepted:
        body = message.body
        person = linked.person_id or work.id()
        sequence = known.last_sequence.get(person, 0) + 1
        known.last_sequence[person] = sequence
        learn(known, body.claim, linked, person)
        event_id = self._hand_on(message, person, sequence, linked, work)
        _keep(message, person, sequence, linked, event_id, kept, work)
        self._audit(message, person, linked, event_id, work)
        self._tell(message.delivery, work, ReceiptOutcome.ACCEPTED, origin_id=body.envelope.id, event_id=event_id)
        return store.Accepted(event_id, body.digest)

    def _hand_on(self, message: Incoming[Published], person: str, sequence: int, linked: Link, work: Work) -> str:
        body = message.body
        return work.publish(
            streams.CASE,
            f"case.{streams.partition_of(person, self._settings)}.{body.channel.value}",
            body.envelope.type,
            body.envelope.data,
            partition=message.delivery.partition,
            about=person,
            originsource=body.source,
            originid=body.envelope.id,
            sequence=str(sequence),
            receivedat=work.now.isoformat(),
            traceparent=body.envelope.traceparent,
            linkquestion=linked.question,
            perhaps=" ".join(linked.perhaps) or None,
        )

    def _repeat(self, message: Incoming[Published], same: store.Accepted, kept: _Kept, work: Work) -> None:
        kept.raw.append(_raw(message.delivery, work, outcome="repeated", event_id=same.event_id))
        self._tell(
            message.delivery,
            work,
            ReceiptOutcome.REPEATED,
            origin_id=message.body.envelope.id,
            event_id=same.event_id,
        )

    def _tell(
        self,
        delivery: Delivery,
        work: Work,
        outcome: ReceiptOutcome,
        *,
        origin_id: str | None,
        event_id: str | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        receipt = Receipt(
            outcome=outcome,
            origin=origin_id,
            subject=delivery.subject,
            event_id=event_id,
            problems=tuple(problems),
            received_at=work.now,
            digest=hashlib.sha256(delivery.raw).hexdigest(),
        )
        source = delivery.subject.split(".")[1]
        if source == TIMERS_SOURCE:
            return  # nobody of ours reads a receipt: what is refused stands in quarantine, where people look
        work.publish(
            streams.RECEIPT, f"receipt.{source}", EventType.RECEIPT_ISSUED, receipt, partition=delivery.partition
        )

    def _audit(self, message: Incoming[Published], person: str, linked: Link, event_id: str, work: Work) -> None:
        if message.body.channel is Channel.TIMER:
            return  # nothing was collected from anybody: what our own promise changes is entered by the router
        data, source = message.body.envelope.data, message.body.source
        operations = [AuditOperation.COLLECT]
        if linked.person_id is not None and (linked.add or message.body.channel is Channel.REFERRAL):
            operations.append(AuditOperation.COMBINE)  # what this source holds of somebody joined what we held
        for operation in operations:
            work.audit(
                operation,
                actor=acting(source, organisation=source, role="source"),
                person_id=person,
                records=(("event", event_id),),
                fields=sorted(data.model_fields_set),
                purpose="referral",
                lawful_basis=getattr(data, "lawful_basis", None),
                correlation_id=event_id,
                partition=message.delivery.partition,
            )


def _key(message: Incoming[Published]) -> Key:
    return Key(message.body.source, message.body.envelope.id)


def _look_up(claims: Sequence[Claim], work: Work) -> Known:
    """All that the batch's claims could mean, in one question a kind."""
    connection = work.connection
    known = Known(
        by_identifier=store.persons_by_identifier(connection, {i for c in claims for i in c.identifiers}),
        by_reference=store.persons_by_reference(connection, {c.about_referral for c in claims if c.about_referral}),
        by_leg=store.persons_by_leg(connection, {c.leg_id for c in claims if c.leg_id}),
        by_review=store.persons_by_review(connection, {c.review_id for c in claims if c.review_id}),
        by_name_key=store.persons_by_name_key(connection, {c.name_key for c in claims if c.name_key}),
    )
    named = {c.person_id for c in claims if c.person_id}
    for found in (known.by_identifier, known.by_reference, known.by_leg, known.by_review):
        named |= set(found.values())
    known.last_sequence = store.last_sequences(connection, named)
    if any(identifier not in known.by_identifier for claim in claims for identifier in claim.identifiers):
        known.kinds = store.kinds_of_identifier(connection, named)
    return known


def _keep(
    message: Incoming[Published], person: str, sequence: int, linked: Link, event_id: str, kept: _Kept, work: Work
) -> None:
    body = message.body
    kept.raw.append(_raw(message.delivery, work, outcome="accepted", event_id=event_id))
    kept.accepted.append(
        {
            "source": body.source,
            "origin_id": body.envelope.id,
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
    row["name_key"] = body.claim.name_key or row["name_key"]
    kept.identifiers += [
        {"kind": kind, "value": value, "person_id": person, "added_at": work.now} for kind, value in linked.add
    ]
    if body.channel is Channel.REFERRAL and body.claim.reference:
        source, reference = body.claim.reference
        kept.references.append({"source": source, "reference": reference, "person_id": person})


def _raw(delivery: Delivery, work: Work, *, outcome: str, event_id: str | None) -> dict[str, object]:
    return {
        "id": work.id(),
        "received_at": work.now,
        "subject": delivery.subject,
        "stream_sequence": delivery.stream_sequence,
        "body": delivery.raw,
        "outcome": outcome,
        "event_id": event_id,
    }
