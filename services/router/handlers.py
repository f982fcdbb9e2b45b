"""What the router does with a batch of accepted events: load the cases, decide, act, keep, command."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import orjson

from schemas.envelope import Channel, EventType
from schemas.human import HumanDecision
from schemas.progress import ProgressReported
from schemas.reading import Unreadable
from schemas.receipt import Receipt
from schemas.referral import ReferralSubmitted
from schemas.refusal import Unacceptable
from schemas.registry import Accepted, read_accepted
from schemas.risk import RiskReported
from schemas.vocabulary import AuditOperation, ReceiptOutcome
from services.ground import streams
from services.ground.handler import Incoming
from services.ground.inorder import Place
from services.ground.microbatch import Delivery
from services.ground.settings import Settings
from services.ground.work import Key, Work, acting
from services.router.casework.act import Acting, act, ask
from services.router.casework.case import Case
from services.router.casework.human import ANOTHER_PERSON, SAME_PERSON, Originals, take_human
from services.router.casework.progress import leg_of, take_progress
from services.router.casework.steps import (
    Command,
    DecidedAgain,
    LegMoved,
    LegOpened,
    LegParted,
    ReviewAnswered,
    ReviewAsked,
    ReviewKind,
    ReviewSnoozed,
    Step,
)
from services.router.commands import Order, Taken, because_of, orders_of, send_orders
from services.router.joined import hand_over, is_told, joins, take_joined
from services.router.keep import Cause, Keeping
from services.router.load import load_cases
from services.router.questions import load_questions
from services.router.rules.decide import decide
from services.router.rules.decision import Decision
from services.router.rules.due import Due
from services.router.rules.events import CaseEvent, PastEvent, kind_of
from services.router.rules.facts import facts_of, remember
from services.router.rules.ruleset import RuleSet

RECORDS_MOST = 100  # of one audit entry

WHO_IS_IT: Final[Mapping[str, str]] = {  # what a human is asked when intake was not sure whom an event is about
    "perhaps_known": "Is this somebody that we know already?",
    "identifiers_disagree": "The identifiers belong to several persons that we know. Who is this?",
    "second_identifier": "We know this person by another identifier of the same kind. Is this really the same person?",
}


class RouterHandler:
    """Takes `case.<partition>.<type>`."""

    service = "router"

    def __init__(self, rules: Callable[[], RuleSet], settings: Settings) -> None:
        """`rules` gives the rule set in force, asked once a batch so that a batch is decided by one version."""
        self._rules = rules
        self._settings = settings

    def read(self, delivery: Delivery) -> Incoming[Taken]:
        """Read an event of intake's. Raises Unacceptable for what no intake of ours can have made."""
        event = _accepted(delivery)
        data = event.data
        occurred = event.time if isinstance(data, ReferralSubmitted) else _occurred_at(data)
        content = orjson.dumps(orjson.loads(delivery.raw)["data"])  # quicker than writing the model again
        taken = Taken(event, kind_of(data).value, occurred, content)
        place = Place(event.subject, event.order)
        return Incoming(delivery, taken, Key(event.source, event.id), place)

    def take(self, messages: Sequence[Incoming[Taken]], work: Work) -> None:
        """Decide each event in order and do what was decided."""
        rules = self._rules()
        start = 0
        for place, message in enumerate(messages):
            if joins(message.body.event):  # alone, since it reads what was written before it
                self._take(messages[start:place], rules, work)
                self._take([message], rules, work)
                start = place + 1
        self._take(messages[start:], rules, work)

    def _take(self, messages: Sequence[Incoming[Taken]], rules: RuleSet, work: Work) -> None:
        if not messages:
            return
        events = [message.body.event for message in messages]
        comes = events[0].handoverfrom if joins(events[0]) else None
        cases = load_cases([event.subject for event in events] + ([comes] if comes else []), work)
        keeping = Keeping(work)
        moments: dict[Due, datetime] = {}
        orders: list[Order] = []
        human = [(cases[m.body.event.subject], m.body.event.data) for m in messages]
        originals = load_questions([(case, data) for case, data in human if isinstance(data, HumanDecision)], work)
        for message in messages:
            case = cases[message.body.event.subject]
            try:
                other = cases[comes] if comes else None
                decision_id, decision, steps = _decide(message.body, case, other, rules, moments, originals, work)
            except Unacceptable as why:  # said before anything of the case was changed
                self.refuse(message.delivery, why, work, key=message.key)
                continue
            _note(message.body, case, decision, decision_id, steps, keeping, work)
            orders += orders_of(message, case, decision_id, steps)
            _audit(message, decision, decision_id, steps, work)
            hand_over(message.body.event, message.delivery, self._settings, work)
        keeping.write()
        send_orders(orders, rules, self._settings, work)

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Quarantine an event, where people see it, and tell its source, who was told that it was accepted."""
        if work.quarantine(delivery, why, key=key) is None:
            return
        try:
            event = _accepted(delivery)
        except Unacceptable:
            return  # no source can be told: it is a fault between our own services
        hand_over(event, delivery, self._settings, work)  # or the other person's events would wait for ever
        if not is_told(event):
            return
        receipt = Receipt(
            outcome=ReceiptOutcome.REFUSED,
            origin=event.originid,
            subject=delivery.subject,
            event_id=event.id,
            problems=why.problems,
            received_at=event.receivedat,
            digest=hashlib.sha256(delivery.raw).hexdigest(),
        )
        work.publish(
            streams.RECEIPT,
            f"receipt.{event.originsource}",
            EventType.RECEIPT_ISSUED,
            receipt,
            partition=delivery.partition,
        )


def _accepted(delivery: Delivery) -> Accepted:
    try:
        return read_accepted(delivery.raw, Channel(delivery.subject.rpartition(".")[2]))
    except Unreadable as error:
        raise Unacceptable("unreadable", error.problems) from None
    except ValueError:
        raise Unacceptable("unknown_channel") from None


def _occurred_at(data: RiskReported | ProgressReported | HumanDecision) -> datetime:
    return data.decided_at if isinstance(data, HumanDecision) else data.occurred_at


def _decide(
    taken: Taken,
    case: Case,
    other: Case | None,
    rules: RuleSet,
    moments: dict[Due, datetime],
    originals: Originals,
    work: Work,
) -> tuple[str, Decision, list[Step]]:
    """The decision on one event, and the steps of the event itself and of the decision."""
    event, data = taken.event, taken.event.data
    steps: list[Step] = []
    about = None
    if isinstance(data, ProgressReported):
        may_report = {name: destination.source for name, destination in rules.destinations.items()}
        about = leg_of(case, data.leg_id, reported_by=event.originsource, may_report=may_report)
    case_event = CaseEvent(
        kind_of(data), data, taken.occurred_at, event.receivedat, about.destination if about else None
    )
    view = case.view()
    facts = facts_of(rules, case_event, view, work.now)
    if isinstance(data, ProgressReported) and about is not None:
        steps += take_progress(case, about, data, work.now, work.id)
    acting = Acting(case, rules, work.now, work.id, about.id if about else None, moments)
    decided: list[Step] = []
    if joins(event):
        decided = take_joined(event, case, other, acting, work)
    elif isinstance(data, HumanDecision):
        decided = take_human(case, data, acting, originals)
    decision = decide(rules, facts)
    case.remembered = remember(rules, case_event, case.view())
    steps += act(decision, acting)
    steps += decided  # last, since an event decided again has a decision of its own
    if event.linkquestion is not None:
        steps += ask(
            acting,
            ReviewKind.LINK,
            WHO_IS_IT.get(event.linkquestion, WHO_IS_IT["perhaps_known"]),
            role=rules.otherwise.review.role,
            due=rules.otherwise.review.due,
            answers=() if event.perhaps else (SAME_PERSON, ANOTHER_PERSON),
        )
    return work.id(), decision, _owned(case, steps, event.namedperson)


def _owned(case: Case, steps: list[Step], person: str | None) -> list[Step]:
    """The same steps, new legs being theirs whom the event named: should they be parted again, it goes with them."""
    new = {step.leg.id for step in steps if isinstance(step, LegOpened)} if person is not None else set()
    if not new:
        return steps
    for id_ in new:
        case.legs[id_] = replace(case.legs[id_], person_id=person)
    return [
        step._replace(leg=replace(step.leg, person_id=person))
        if isinstance(step, LegOpened | LegMoved | Command) and step.leg.id in new
        else step
        for step in steps
    ]


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
    case.events.append(PastEvent(taken.kind, taken.occurred_at))
    if isinstance(event.data, ReferralSubmitted):
        case.referral_event = event.id
    keeping.event(_event_row(taken, work), case)
    person = event.namedperson or event.subject
    keeping.decision(decision_id, event.id, person, decision)
    if isinstance(event.data, HumanDecision) and is_told(event):
        keeping.human(event.id, person, event.data)
    cause = Cause(event.id, event.originsource, decision_id, person_id=event.namedperson)
    for step in steps:
        if isinstance(step, DecidedAgain):
            cause = replace(cause, decision_id=step.id, about=step.event_id)
            first = step.first_decision
            keeping.decision(step.id, step.event_id, person, step.decision, first=first, because=event.id)
        if isinstance(step, ReviewAsked) and step.kind is ReviewKind.LINK:
            keeping.question_of_identity(step, case, cause, perhaps=(event.perhaps or "").split())
        else:
            keeping.step(step, case, cause)


def _event_row(taken: Taken, work: Work) -> dict[str, object]:
    event = taken.event
    return {
        "event_id": event.id,
        "person_id": event.namedperson or event.subject,
        "sequence": event.order,
        "kind": taken.kind,
        "occurred_at": taken.occurred_at,
        "taken_at": work.now,
        "source": event.originsource,
        "origin_id": event.originid,
        "content": taken.content,
    }


def _actor(event: Accepted) -> dict[str, str]:
    """Who answers for what an event changes: the human who decided it, or else its source."""
    if isinstance(event.data, HumanDecision):
        by = event.data.decided_by
        return acting(by.user, organisation=by.organisation, role=by.role)
    return acting(event.originsource, organisation=event.originsource, role="source")


def _audit(message: Incoming[Taken], decision: Decision, decision_id: str, steps: Sequence[Step], work: Work) -> None:
    """One entry for what this event changed, and why."""
    event = message.body.event
    legs: set[str] = set()
    reviews: set[str] = set()
    for step in steps:
        if isinstance(step, ReviewAsked):
            reviews.add(step.id)
        elif isinstance(step, ReviewAnswered | ReviewSnoozed):
            reviews.add(step.review_id)
        elif isinstance(step, LegOpened | LegMoved | LegParted | Command):
            legs.add(step.leg.id)
    records = [
        ("event", event.id),
        ("decision", decision_id),
        *(("decision", step.id) for step in steps if isinstance(step, DecidedAgain)),
        *(("leg", leg) for leg in sorted(legs)),
        *(("review", review) for review in sorted(reviews)),
    ]
    work.audit(
        AuditOperation.ALTER,
        actor=_actor(event),
        person_id=event.subject,
        records=records[:RECORDS_MOST],
        fields=("status",) if legs else (),
        purpose="routing",
        **({"justification": event.data.reason} if isinstance(event.data, HumanDecision) else {}),
        correlation_id=event.id,
        causation_id=event.id,
        decision_id=decision_id,
        rule_set=decision.digest,
        because=because_of(decision.matched[:RECORDS_MOST]),
        partition=message.delivery.partition,
    )
