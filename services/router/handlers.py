"""What the router does with a batch of accepted events: load the cases, decide, act, keep, command."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import orjson

from schemas.envelope import TIMERS_SOURCE, Channel, EventType
from schemas.human import HumanDecision
from schemas.progress import ProgressReported
from schemas.reading import Unreadable
from schemas.receipt import Receipt
from schemas.referral import ReferralSubmitted
from schemas.refusal import Unacceptable
from schemas.registry import Accepted, read_accepted
from schemas.risk import RiskReported
from schemas.timer import TimerFellDue
from schemas.vocabulary import AuditOperation, ReceiptOutcome
from services.ground import streams
from services.ground.handler import Incoming
from services.ground.inorder import Place
from services.ground.microbatch import Delivery
from services.ground.sealing import ERASED
from services.ground.settings import Settings
from services.ground.work import Key, Work, acting
from services.router import store
from services.router.casework.case import Case
from services.router.casework.late import decided_without_it
from services.router.casework.pathway import TransitionRefused
from services.router.casework.reroute import has_been_asked_about
from services.router.casework.resting import RESTING
from services.router.casework.steps import (
    DecidedAgain,
    OwnDecision,
    ReviewAsked,
    ReviewKind,
    Step,
    changed_by,
    records_of,
)
from services.router.commands import Order, Taken, because_of, orders_of, send_orders
from services.router.deciding import Batch, as_decided, decide_event
from services.router.fallen import Fallen
from services.router.joined import hand_over, is_told, joins
from services.router.keep import Cause, Keeping
from services.router.load import Referrer, load_cases, load_open, load_places, load_waiting
from services.router.questions import load_decided, load_questions
from services.router.rules.decision import Decision
from services.router.rules.events import PastEvent, Reported, kind_of
from services.router.rules.ruleset import RuleSet
from services.router.shadow import InUse
from services.router.tell import Telling, tell, tellings

# A refusal can tell its sender where a leg stands, or whose it is.
WHY_TOLD: Final = "Whoever reported or decided something is told why it cannot be so."

_CONTENT: Final = store.case_events.c.content


class RouterHandler:
    """Takes `case.<partition>.<type>`."""

    service = "router"

    def __init__(self, rules: Callable[[Work], InUse], settings: Settings) -> None:
        """`rules` gives the rule set in force, asked once a batch so that a batch is decided by one version."""
        self._rules = rules
        self._settings = settings

    def read(self, delivery: Delivery) -> Incoming[Taken]:
        """Read an event of intake's. Raises Unacceptable for what no intake of ours can have made."""
        event = _accepted(delivery)
        data = event.data
        occurred = event.time if isinstance(data, ReferralSubmitted) else _occurred_at(data)
        content = orjson.dumps(orjson.loads(delivery.raw)["data"])  # quicker than writing the model again
        taken = Taken(event, data, data, occurred, content, kind_of(data))
        place = Place(event.subject, event.order)
        return Incoming(delivery, taken, Key(event.source, event.id), place, event.subject)

    def take(self, messages: Sequence[Incoming[Taken]], work: Work) -> None:
        """Decide each event in order and do what was decided."""
        in_use = self._rules(work)
        start = 0
        for place, message in enumerate(messages):
            if joins(message.body.event):  # alone, since it reads what was written before it
                self._take(messages[start:place], in_use, work)
                self._take([message], in_use, work)
                start = place + 1
        self._take(messages[start:], in_use, work)

    def _take(self, messages: Sequence[Incoming[Taken]], in_use: InUse, work: Work) -> None:
        if not messages:
            return
        rules = in_use.rules
        events = [message.body.event for message in messages]
        comes = events[0].handoverfrom if joins(events[0]) else None
        cases = load_cases([event.subject for event in events] + ([comes] if comes else []), work)
        load_open(_looked_into(messages, cases), work)
        human = [(cases[event.subject], event.data) for event in events]
        originals = load_questions([(case, data) for case, data in human if isinstance(data, HumanDecision)], work)
        fallen = Fallen([event.data for event in events if isinstance(event.data, TimerFellDue)], work)
        decided = load_decided(_told_late(messages, cases), work)
        telling = {cases[event.subject].person_id for event in events if isinstance(event.data, ProgressReported)}
        batch = Batch(
            rules,
            originals,
            fallen,
            load_places(work),
            work,
            decided,
            telling,
            read_waiting=lambda case: load_waiting(case, work),
            shadow=in_use.shadow,
        )
        keeping = Keeping(work)
        orders: list[Order] = []
        told: list[Telling] = []
        for received in messages:
            message, case = received, cases[received.body.event.subject]
            try:
                body = as_decided(received.body, case)
                message = received if body is received.body else received._replace(body=body)
                decision_id, decision, steps = decide_event(message.body, case, cases[comes] if comes else None, batch)
            except Unacceptable as why:  # said before anything of the case was changed
                self._turn_down(message, why, work)
                continue
            _note(body, case, decision, decision_id, steps, keeping, work)
            orders += orders_of(message, case, decision_id, steps)
            told += _tellings(message, decision_id, steps, rules)
            _audit(message, self._actor(body.event), case, decision, decision_id, steps, work)
            hand_over(body.event, message.delivery, self._settings, work)
            fallen.follow(steps)
        keeping.beside(batch.beside)
        keeping.write()
        fallen.taken(work)
        send_orders(orders, rules, self._settings, work)
        tell(told, _referrers(messages), rules, work, teller=self._settings.organisation)

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Quarantine an event, where people see it, and tell its source, who was told that it was accepted."""
        try:
            event = _accepted(delivery)
        except Unacceptable:  # no source can be told: it is a fault between our own services
            work.quarantine(delivery, why, key=key)
            return
        aside = work.quarantine(delivery, why, key=key, person_id=event.subject)
        if aside is not None:
            self._tell_why(event, delivery, why, aside, work)

    def _turn_down(self, message: Incoming[Taken], why: Unacceptable, work: Work) -> None:
        """Refuse what somebody decided or told of a leg: they are told why, and can mend it; nobody else has to look.

        It is kept beside what waits in quarantine. What was referred, or happened to somebody, waits there: whoever
        told of it cannot be expected to tell it again.
        """
        event = message.body.event
        theirs = _hears(event) and isinstance(event.data, ProgressReported | HumanDecision)
        told_at = work.now if theirs else None
        person = event.subject
        aside = work.quarantine(message.delivery, why, key=message.key, told_at=told_at, person_id=person)
        if aside is not None:
            self._tell_why(event, message.delivery, why, aside, work)

    def _tell_why(self, event: Accepted, delivery: Delivery, why: Unacceptable, aside: str, work: Work) -> None:
        hand_over(event, delivery, self._settings, work)  # or the other person's events would wait for ever
        if not _hears(event):
            return
        receipt = Receipt(
            outcome=ReceiptOutcome.REFUSED,
            origin=event.originid,
            subject=delivery.subject,
            event_id=event.id,
            reason=why.reason,
            problems=why.problems,
            allowed=why.allowed if isinstance(why, TransitionRefused) else None,
            received_at=event.receivedat,
            digest=hashlib.sha256(delivery.raw).hexdigest(),
        )
        told = work.publish(
            streams.RECEIPT,
            f"receipt.{event.originsource}",
            EventType.RECEIPT_ISSUED,
            receipt,
            person=aside if why.reason == ERASED else event.subject,
            partition=delivery.partition,
        )
        work.audit(
            AuditOperation.DISCLOSE,
            actor=acting("router", organisation=self._settings.organisation, role="service"),
            person_id=event.subject,
            records=(("event", event.id), ("message", told)),
            fields=("reason", "problems", "allowed") if receipt.allowed is not None else ("reason", "problems"),
            recipient=event.originsource,
            purpose="receipt",
            justification=WHY_TOLD,
            correlation_id=event.id,
            causation_id=event.id,
        )

    def _actor(self, event: Accepted) -> dict[str, str]:
        """Who answers for what an event changes: the human who decided it, its source, or Onward where time passed."""
        if isinstance(event.data, TimerFellDue):
            return acting("onward", organisation=self._settings.organisation, role="service")
        if isinstance(event.data, HumanDecision):
            by = event.data.decided_by
            return acting(by.user, organisation=by.organisation, role=by.role)
        return acting(event.originsource, organisation=event.originsource, role="source")


def _hears(event: Accepted) -> bool:
    """Whether a source hears of this event: not of our own timers, and of a pair of messages only of the other."""
    return event.originsource != TIMERS_SOURCE and is_told(event)


def _accepted(delivery: Delivery) -> Accepted:
    try:
        return read_accepted(delivery.raw, Channel(delivery.subject.rpartition(".")[2]))
    except Unreadable as error:
        raise Unacceptable("unreadable", error.problems) from None
    except ValueError:
        raise Unacceptable("unknown_channel") from None


def _occurred_at(data: RiskReported | ProgressReported | HumanDecision | TimerFellDue) -> datetime:
    if isinstance(data, TimerFellDue):
        return data.due_at
    return data.decided_at if isinstance(data, HumanDecision) else data.occurred_at


def _looked_into(messages: Sequence[Incoming[Taken]], cases: Mapping[str, Case]) -> list[Case]:
    """The cases whose open questions matter to this batch.

    A human or a timer looks at them, a leg rests, or what somebody was asked about has come.
    """
    by = {m.body.event.subject for m in messages if isinstance(m.body.data, HumanDecision | TimerFellDue)}
    comes = (message.body.event.handoverfrom for message in messages)
    by |= {person for person in comes if person is not None and person in cases}
    by |= {m.body.event.subject for m in messages if _may_answer(m.body.data, cases[m.body.event.subject])}
    resting = (p for p, case in cases.items() if any(leg.status in RESTING for leg in case.legs.values()))
    return [cases[person] for person in sorted(by.union(resting))]


def _told_late(messages: Sequence[Incoming[Taken]], cases: Mapping[str, Case]) -> dict[str, tuple[Case, datetime]]:
    """Of whom something is told that happened before what was decided already: their case, and since when."""
    late: dict[str, tuple[Case, datetime]] = {}
    for message in messages:
        person, data = message.body.event.subject, message.body.data
        case = cases[person]
        if isinstance(data, ProgressReported) and decided_without_it(case, data):
            before = late.get(case.person_id)
            late[case.person_id] = (case, min(data.occurred_at, before[1]) if before else data.occurred_at)
    return late


def _may_answer(data: Reported, case: Case) -> bool:
    leg = case.legs.get(data.leg_id) if isinstance(data, ProgressReported) else None
    return isinstance(data, ProgressReported) and leg is not None and has_been_asked_about(case, leg, data)


def _note(
    taken: Taken,
    case: Case,
    decision: Decision,
    decision_id: str,
    steps: Sequence[Step],
    keeping: Keeping,
    work: Work,
) -> None:
    event = taken.event
    case.events.append(PastEvent(taken.kind.value, taken.occurred_at))
    keeping.event(_event_row(taken, work), case)
    person = event.namedperson or event.subject
    keeping.decision(decision_id, event.id, person, decision)
    if isinstance(event.data, HumanDecision) and is_told(event):
        keeping.human(event.id, person, event.data)
    cause = own = Cause(event.id, event.originsource, decision_id, person_id=event.namedperson)
    for step in steps:
        if isinstance(step, DecidedAgain):
            cause = own._replace(decision_id=step.id, about=step.event_id)
            first = step.first_decision
            keeping.decision(step.id, step.event_id, person, step.decision, first=first, because=event.id)
        elif isinstance(step, OwnDecision):
            cause = own
        if isinstance(step, ReviewAsked) and step.kind is ReviewKind.LINK:
            keeping.question_of_identity(step, case, cause, perhaps=(event.perhaps or "").split())
        else:
            keeping.step(step, case, cause)


def _event_row(taken: Taken, work: Work) -> dict[str, object]:
    event = taken.event
    person = event.namedperson or event.subject
    return {
        "event_id": event.id,
        "person_id": person,
        "sequence": event.order,
        "kind": taken.kind.value,
        "occurred_at": taken.occurred_at,
        "taken_at": work.now,
        "source": event.originsource,
        "origin_id": event.originid,
        "content": work.seal(person, _CONTENT, event.id, taken.content),
    }


def _tellings(message: Incoming[Taken], decision_id: str, steps: Sequence[Step], rules: RuleSet) -> list[Telling]:
    event, partition = message.body.event, message.delivery.partition
    return tellings(
        steps, rules, person_id=event.subject, event_id=event.id, decision_id=decision_id, partition=partition
    )


def _referrers(messages: Sequence[Incoming[Taken]]) -> dict[str, Referrer]:
    """Who made the referrals of this batch."""
    taken = [message.body for message in messages if isinstance(message.body.event.data, ReferralSubmitted)]
    return {t.event.id: Referrer(t.event.originsource, t.event.originid, t.content) for t in taken}


def _audit(
    message: Incoming[Taken],
    actor: Mapping[str, str],
    case: Case,
    decision: Decision,
    decision_id: str,
    steps: Sequence[Step],
    work: Work,
) -> None:
    """What this event changed, and why."""
    event = message.body.event
    records = [("event", event.id), ("decision", decision_id), *records_of(steps)]
    work.audit(
        AuditOperation.ALTER,
        actor=actor,
        person_id=event.subject,
        records=records,
        fields=changed_by(records),
        purpose="routing",
        lawful_basis=case.lawful_basis,
        wrote=event.data.reason if isinstance(event.data, HumanDecision) else None,
        correlation_id=event.id,
        causation_id=event.id,
        decision_id=decision_id,
        rule_set=decision.digest,
        because=because_of(decision.matched),
    )
