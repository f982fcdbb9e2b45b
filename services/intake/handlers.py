"""What intake does with a batch: keep it, drop repeats, refuse conflicts, find the person, hand on, tell the source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from schemas.envelope import TIMERS_SOURCE, Channel, EventData, EventType
from schemas.human import HumanDecision
from schemas.reading import Unreadable, digest_of, said_by
from schemas.receipt import Problem
from schemas.refusal import Unacceptable
from schemas.registry import read_submission
from schemas.timer import TimerFellDue
from schemas.vocabulary import DecisionKind, ReceiptOutcome
from services.ground import streams
from services.ground.handler import Incoming
from services.ground.microbatch import Delivery
from services.ground.sealing import ERASED, Erased
from services.ground.settings import Settings
from services.ground.work import Key, Work
from services.intake import store
from services.intake.entries import enter_collected, enter_joined, enter_repeated, enter_turned_away
from services.intake.joining import Joining, joining_of, take_joining
from services.intake.keep_joining import keep_joining
from services.intake.kept import Kept, Published, keep_event, raw_row
from services.intake.linking import Claim, Known, Link, claim_of, learn, link

MOST_AHEAD: Final = timedelta(days=1)  # of a source's clock, or of a zone that it forgot to say


def require_happened(data: EventData, now: datetime) -> None:
    """Raise Unacceptable for what is said to happen only later: it would stand after all that truly comes, for years.

    Where a leg stands follows from the order in which things happened, and windows count back from each.
    """
    for name in ("occurred_at", "decided_at"):
        at = getattr(data, name, None)
        if at is not None and at > now + MOST_AHEAD:
            problem = Problem(place=f"/data/{name}", message="lies ahead: it must say when it happened")
            raise Unacceptable("not_yet", [problem])


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
        if channel is Channel.DECISION and source not in self._settings.decision_sources:
            # Who decides, and in which role, is what the message says: so not everybody's word is taken for it.
            raise Unacceptable("not_your_channel", [Problem(place="", message="takes no decisions from this source")])
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
        said = said_by(envelope)
        return Incoming(delivery, Published(source, channel, envelope, said["data"], digest_of(said), claim))

    def take(self, messages: Sequence[Incoming[Published]], work: Work) -> None:
        """Accept, repeat or refuse each message, in the order in which they came."""
        before = store.accepted_before(work.connection, [_key(m) for m in messages])
        known = _look_up([m.body.claim for m in messages if _key(m) not in before], work)
        kept = Kept([], [], {}, [], [], [])
        for message in messages:
            same = before.get(_key(message))
            if same is None:
                try:
                    require_happened(message.body.envelope.data, work.now)
                    joining = joining_of(message.body.envelope.data, known)
                    linked = Link(joining.told) if joining else link(message.body.claim, known)
                    person = linked.person_id or work.new_person()
                    for each in (person, *_made_one(joining)):
                        work.require_not_erased(each)
                except Unacceptable as why:
                    self._turn_away(message, why, work)
                    continue
                before[_key(message)] = self._accept(message, person, linked, joining, known, kept, work)
            elif same.digest == _fingerprint(message, work):
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
        for joining, by, event_id in kept.joinings:
            keep_joining(joining, by.user, event_id, work)

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Quarantine a message with its raw bytes, and tell its source what was wrong and where."""
        self._refuse(delivery, why, work, key=key)

    def _refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> tuple[str, str] | None:
        """Returns the ids of what was set aside and of the receipt; None where nobody was told, or that was before."""
        aside = work.quarantine(delivery, why, key=key)
        if aside is None:
            return None
        whose = None if why.reason == ERASED else aside
        store.keep_raw(work.connection, [raw_row(delivery, work, person=whose, outcome="refused", event_id=None)])
        outcome = ReceiptOutcome.CONFLICT if why.reason == "conflict" else ReceiptOutcome.REFUSED
        problems = why.problems or (Problem(place="", message=why.reason.replace("_", " ")),)
        origin = key.id if key else None
        receipt = self._tell(
            delivery, work, outcome, person=aside, origin_id=origin, reason=why.reason, problems=problems
        )
        return (aside, receipt) if receipt is not None else None

    def _turn_away(self, message: Incoming[Published], why: Unacceptable, work: Work) -> None:
        """Refuse what does not fit what we hold: to be told so tells something of that, so it is entered."""
        refused = self._refuse(message.delivery, why, work, key=_key(message))
        if refused is None:
            return
        quarantined, receipt = refused
        enter_turned_away(
            quarantined, receipt, work, recipient=message.body.source, organisation=self._settings.organisation
        )

    def _accept(
        self,
        message: Incoming[Published],
        person: str,
        linked: Link,
        joining: Joining | None,
        known: Known,
        kept: Kept,
        work: Work,
    ) -> store.Accepted:
        body = message.body
        event_id = work.id()
        sequence = _next(person, known)
        if joining is not None and joining.then is not None:
            self._both_orders(message, joining, event_id, sequence, known, kept, work)
        else:
            self._hand_on(message, person, sequence, event_id, work, **_asking(linked))
        if joining is not None:
            self._join(message, joining, event_id, known, kept, work)
        learn(known, body.claim, linked, person)
        kept.raw.append(raw_row(message.delivery, work, person=person, outcome="accepted", event_id=event_id))
        keep_event(message, person, sequence, linked, event_id, kept, work)
        self._audit(message, person, linked, event_id, work)
        origin = body.envelope.id
        self._tell(message.delivery, work, ReceiptOutcome.ACCEPTED, person=person, origin_id=origin, event_id=event_id)
        return store.Accepted(event_id, _fingerprint(message, work), person)

    def _both_orders(
        self,
        message: Incoming[Published],
        joining: Joining,
        event_id: str,
        sequence: int,
        known: Known,
        kept: Kept,
        work: Work,
    ) -> None:
        """Hand on what stands in the orders of two: to the first, from where it is handed on to its place in the other.

        `event_id` and `sequence` are those that the sender is told; the other ones are an event of their own.
        """
        assert joining.then is not None
        other = joining.first if joining.told == joining.then else joining.then
        other_id, other_sequence = work.id(), _next(other, known)
        places = {joining.told: (event_id, sequence), other: (other_id, other_sequence)}
        (first_id, first_sequence), (then_id, then_sequence) = places[joining.first], places[joining.then]
        self._hand_on(
            message,
            joining.first,
            first_sequence,
            first_id,
            work,
            handoverto=joining.then,
            handoverid=then_id,
            handoversequence=str(then_sequence),
        )
        keep_event(message, other, other_sequence, Link(other), other_id, kept, work, copy_of=event_id)
        self._audit(message, other, Link(other), other_id, work)

    def _join(
        self, message: Incoming[Published], joining: Joining, event_id: str, known: Known, kept: Kept, work: Work
    ) -> None:
        data = message.body.envelope.data
        assert isinstance(data, HumanDecision)
        take_joining(joining, known)
        kept.joinings.append((joining, data.decided_by, event_id))
        enter_joined(joining, data.decided_by, data.reason, event_id, work)

    def _hand_on(
        self,
        message: Incoming[Published],
        person: str,
        sequence: int,
        event_id: str,
        work: Work,
        **extensions: str | None,
    ) -> None:
        body = message.body
        work.publish(
            streams.CASE,
            f"case.{streams.partition_of(person, self._settings)}.{body.channel.value}",
            body.envelope.type,
            body.said,
            person=person,
            partition=message.delivery.partition,
            about=person,
            id_=event_id,
            originsource=body.source,
            originid=body.envelope.id,
            sequence=str(sequence),
            receivedat=work.now.isoformat(),
            traceparent=body.envelope.traceparent,
            **extensions,
        )

    def _repeat(self, message: Incoming[Published], same: store.Accepted, kept: Kept, work: Work) -> None:
        person = same.person_id
        try:
            work.require_not_erased(person)
        except Erased as why:
            self._turn_away(message, why, work)
            return
        again = raw_row(message.delivery, work, person=person, outcome="repeated", event_id=same.event_id)
        kept.raw.append(again)
        if message.body.channel is not Channel.TIMER:
            enter_repeated(message.body.envelope, person, same.event_id, str(again["id"]), work)
        self._tell(
            message.delivery,
            work,
            ReceiptOutcome.REPEATED,
            person=person,
            origin_id=message.body.envelope.id,
            event_id=same.event_id,
        )

    def _tell(
        self,
        delivery: Delivery,
        work: Work,
        outcome: ReceiptOutcome,
        *,
        person: str,
        origin_id: str | None,
        event_id: str | None = None,
        reason: str | None = None,
        problems: Sequence[Problem] = (),
    ) -> str | None:
        """Returns the id of the receipt; None where nobody reads it."""
        source = delivery.subject.split(".")[1]
        if source == TIMERS_SOURCE:
            return None  # nobody of ours reads a receipt: what is refused stands in quarantine, where people look
        receipt = {  # a `schemas.receipt.Receipt`, past the model: what goes in was checked, and the tests read them
            "outcome": outcome.value,
            "origin": origin_id,
            "subject": delivery.subject,
            "event_id": event_id,
            "reason": reason,
            "problems": [problem.model_dump() for problem in problems],
            "received_at": work.now,
            "digest": hashlib.sha256(delivery.raw).hexdigest(),
        }
        stated = {name: value for name, value in receipt.items() if value is not None}
        subject = f"receipt.{source}"
        return work.publish(
            streams.RECEIPT,
            subject,
            EventType.RECEIPT_ISSUED,
            stated,
            person=person,
            partition=delivery.partition,
        )

    def _audit(self, message: Incoming[Published], person: str, linked: Link, event_id: str, work: Work) -> None:
        if message.body.channel is Channel.TIMER:
            return  # nothing was collected from anybody: what our own promise changes is entered by the router
        enter_collected(message.body.envelope, message.body.channel, person, linked, event_id, work)


def _key(message: Incoming[Published]) -> Key:
    return Key(message.body.source, message.body.envelope.id)


def _next(person: str, known: Known) -> int:
    """The number of the next event of a person."""
    known.last_sequence[person] = known.last_sequence.get(person, 0) + 1
    return known.last_sequence[person]


def _made_one(joining: Joining | None) -> tuple[str, ...]:
    """Who are to be one, or two again: both must be there. That two are not one may be said of the erased too."""
    if joining is None or joining.kind is DecisionKind.KEEP_PERSONS_APART:
        return ()
    return joining.survivor, joining.merged


def _asking(linked: Link) -> dict[str, str | None]:
    return {
        "linkquestion": linked.question,
        "perhaps": " ".join(linked.perhaps) or None,
        "namedperson": linked.named,
    }


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
    named = {p for c in claims for p in (c.person_id, c.other_person_id) if p}
    for found in (known.by_identifier, known.by_reference, known.by_leg, known.by_review):
        named |= set(found.values())
    known.last_sequence, known.merged_into = store.known_persons(connection, named)
    work.keys.hear_again(connection)  # whoever erases somebody locks them
    if any(identifier not in known.by_identifier for claim in claims for identifier in claim.identifiers):
        persons = {known.who(person) for person in named}
        known.merged_into |= store.merged_with(connection, persons)
        for person, kinds in store.kinds_of_identifier(connection, persons | set(known.merged_into)).items():
            known.kinds.setdefault(known.who(person), set()).update(kinds)
    if any(
        len({known.by_identifier.get(i) for i in claim.identifiers} | _of_ours(claim, known)) > 1 for claim in claims
    ):
        pairs = store.kept_apart(connection, named)
        known.apart = {frozenset(map(known.who, pair)) for pair in pairs}
    return known


def _of_ours(claim: Claim, known: Known) -> set[str | None]:
    """The persons whom a claim may name by something of ours; None among them for nobody."""
    ways = {known.by_leg.get(claim.leg_id or ""), known.by_review.get(claim.review_id or ""), claim.person_id}
    return ways | {known.by_reference.get(claim.about_referral or ("", ""))}


def _fingerprint(message: Incoming[Published], work: Work) -> str:
    """Of what it says."""
    return store.fingerprint_of(work.connection, store.CONTENT, message.body.digest)
