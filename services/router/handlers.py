"""What the router does with a batch of accepted events: load the cases, decide, act, keep, command."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from schemas.vocabulary import AuditOperation, LegStatus, ReceiptOutcome, RiskKind
from services.ground import streams
from services.ground.handler import Incoming
from services.ground.inorder import Place
from services.ground.microbatch import Delivery
from services.ground.work import Key, Work, acting
from services.router.casework.act import Acting, act, ask
from services.router.casework.as_risk import as_risk
from services.router.casework.case import Case, Leg
from services.router.casework.checks import reported_missed
from services.router.casework.decided import in_full, take_decided
from services.router.casework.enter import enter
from services.router.casework.pause_ends import follow
from services.router.casework.progress import leg_of, take_progress
from services.router.casework.reviews import refused
from services.router.casework.steps import (
    Command,
    ReviewAnswered,
    ReviewAsked,
    ReviewKind,
    Step,
    records_of,
)
from services.router.keep import Cause, Keeping
from services.router.load import load_cases, load_open, referral_contents
from services.router.rules.decide import decide
from services.router.rules.decision import Decision, Matched, Reason
from services.router.rules.due import Due
from services.router.rules.events import CaseEvent, PastEvent, Reported, kind_of
from services.router.rules.facts import facts_of, remember
from services.router.rules.ruleset import RuleSet

RECORDS_MOST = 100  # of one audit entry

WHO_IS_IT: Final[Mapping[str, str]] = {  # what a human is asked when intake was not sure whom an event is about
    "perhaps_known": "Is this somebody that we know already?",
    "identifiers_disagree": "The identifiers belong to several persons that we know. Who is this?",
    "second_identifier": "We know this person by another identifier of the same kind. Is this really the same person?",
}


@dataclass(frozen=True, slots=True)
class Taken:
    """An accepted event, its data once as a model and once as the JSON that is kept and sent on."""

    event: Accepted
    data: Reported  # what the case is changed by
    decided_on: Reported  # what rules read: the same, or the risk that it tells of
    occurred_at: datetime
    content: bytes  # of what rules read

    @property
    def kind(self) -> str:
        """An EventKind's value."""
        return kind_of(self.decided_on).value


@dataclass(frozen=True, slots=True)
class _Order:
    """A command to be sent, and what it goes back to."""

    message: Incoming[Taken]
    command: Command
    referral: str | None  # the person's newest referral then
    decision_id: str


class RouterHandler:
    """Takes `case.<partition>.<type>`."""

    service = "router"

    def __init__(self, rules: Callable[[], RuleSet]) -> None:
        """`rules` gives the rule set in force, asked once a batch so that a batch is decided by one version."""
        self._rules = rules

    def read(self, delivery: Delivery) -> Incoming[Taken]:
        """Read an event of intake's. Raises Unacceptable for what no intake of ours can have made."""
        event = _accepted(delivery)
        data = event.data
        occurred = event.time if isinstance(data, ReferralSubmitted) else _occurred_at(data)
        content = orjson.dumps(orjson.loads(delivery.raw)["data"])  # quicker than writing the model again
        taken = Taken(event, data, data, occurred, content)
        place = Place(event.subject, event.order)
        return Incoming(delivery, taken, Key(event.source, event.id), place)

    def take(self, messages: Sequence[Incoming[Taken]], work: Work) -> None:
        """Decide each event in order and do what was decided."""
        rules = self._rules()
        cases = load_cases([message.body.event.subject for message in messages], work)
        load_open(_with_questions(messages, cases), work)
        keeping = Keeping(work)
        moments: dict[Due, datetime] = {}
        orders: list[_Order] = []
        for received in messages:
            message, case = received, cases[received.body.event.subject]
            try:
                message = replace(received, body=_as_decided(received.body, case))
                decision_id, decision, steps = _decide(message.body, case, rules, moments, work)
            except Unacceptable as why:  # said before anything of the case was changed
                self.refuse(message.delivery, why, work, key=message.key)
                continue
            _note(message.body, case, decision, decision_id, steps, keeping, work)
            orders += [
                _Order(message, step, case.referral_event, decision_id) for step in steps if isinstance(step, Command)
            ]
            _audit(message, decision, decision_id, steps, work)
        keeping.write()
        _send(orders, rules, work)

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Quarantine an event, where people see it, and tell its source, who was told that it was accepted."""
        if work.quarantine(delivery, why, key=key) is None:
            return
        try:
            event = _accepted(delivery)
        except Unacceptable:
            return  # no source can be told: it is a fault between our own services
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


def _with_questions(messages: Sequence[Incoming[Taken]], cases: Mapping[str, Case]) -> list[Case]:
    """The cases whose open questions can be answered by this batch: by a human, or because a leg rests no longer."""
    answered = {m.body.event.subject for m in messages if isinstance(m.body.data, HumanDecision)}
    resting = (p for p, case in cases.items() if any(leg.status is LegStatus.ON_HOLD for leg in case.legs.values()))
    return [cases[person] for person in sorted(answered.union(resting))]


def _as_decided(taken: Taken, case: Case) -> Taken:
    """An answer in full, and the risk that an event tells of, instead of how they were said."""
    data = in_full(case, taken.data) if isinstance(taken.data, HumanDecision) else taken.data
    decided_on = as_risk(case, data) or data
    if decided_on is taken.data:
        return taken
    content = decided_on.model_dump_json(exclude_none=True).encode()
    return replace(taken, data=data, decided_on=decided_on, content=content)


def _leg_of(taken: Taken, case: Case, rules: RuleSet) -> Leg | None:
    """The leg that an event is about, if it names one. Raises Unacceptable where that is none of theirs."""
    data = taken.data
    if isinstance(data, ProgressReported):
        may_report = {name: destination.source for name, destination in rules.destinations.items()}
        return leg_of(case, data.leg_id, reported_by=taken.event.originsource, may_report=may_report)
    if isinstance(data, HumanDecision) and data.leg_id is not None:
        if data.leg_id not in case.legs:
            raise refused("unknown_leg", "/leg_id", "is no leg of this person")
        return case.legs[data.leg_id]
    return None


def _decide(
    taken: Taken, case: Case, rules: RuleSet, moments: dict[Due, datetime], work: Work
) -> tuple[str, Decision, list[Step]]:
    """The decision on one event, and the steps of the event itself and of the decision."""
    event, data = taken.event, taken.data
    about = _leg_of(taken, case, rules)
    case_event = CaseEvent(
        kind_of(taken.decided_on),
        taken.decided_on,
        taken.occurred_at,
        event.receivedat,
        about.destination if about else None,
    )
    view = case.view()
    facts = facts_of(rules, case_event, view, work.now)
    by = data.decided_by.user if isinstance(data, HumanDecision) else event.originsource
    acting = Acting(case, rules, work.now, work.id, about.id if about else None, moments, event.id, taken.kind, by)
    steps = _taken(data, case, about, acting)
    decision = decide(rules, facts)
    case.remembered = remember(rules, case_event, view)
    steps += act(decision, acting)
    steps += follow(case, steps, acting)
    if event.linkquestion is not None:
        steps += ask(
            acting,
            ReviewKind.LINK,
            WHO_IS_IT.get(event.linkquestion, WHO_IS_IT["perhaps_known"]),
            role=rules.otherwise.review.role,
            due=rules.otherwise.review.due,
        )
    enter(case, steps, event_id=event.id)
    return work.id(), decision, steps


def _taken(data: Reported, case: Case, about: Leg | None, acting: Acting) -> list[Step]:
    """What the event itself does, whatever rules say of it."""
    if isinstance(data, ProgressReported) and about is not None:
        return take_progress(case, about, data, acting)
    if isinstance(data, RiskReported) and data.kind is RiskKind.MISSED_WELFARE_CHECK:
        return reported_missed(case, data.occurred_at, acting)
    if isinstance(data, HumanDecision):
        steps = take_decided(case, data, acting)
        if steps is not None:
            return steps
        if data.review_id is not None:
            return [ReviewAnswered(data.review_id, data.decided_by.user, data.answer or data.reason)]
    return []


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
    keeping.decision(decision_id, event.id, case.person_id, decision)
    cause = Cause(event.id, event.originsource, decision_id)
    for step in steps:
        if isinstance(step, ReviewAsked) and step.kind is ReviewKind.LINK:
            keeping.question_of_identity(step, case, cause, perhaps=(event.perhaps or "").split())
        else:
            keeping.step(step, case, cause)


def _event_row(taken: Taken, work: Work) -> dict[str, object]:
    event = taken.event
    return {
        "event_id": event.id,
        "person_id": event.subject,
        "sequence": event.order,
        "kind": taken.kind,
        "occurred_at": taken.occurred_at,
        "taken_at": work.now,
        "source": event.originsource,
        "origin_id": event.originid,
        "content": taken.content,
    }


def _send(orders: Sequence[_Order], rules: RuleSet, work: Work) -> None:
    """Publish the commands, each with the content of the newest referral then, and of the event."""
    contents = {order.message.body.event.id: order.message.body.content for order in orders}
    older = [order.referral for order in orders if order.referral is not None and order.referral not in contents]
    contents |= referral_contents(older, work)
    for order in orders:
        event = order.message.body.event
        id_, partition = work.id(), order.message.delivery.partition
        work.publish(
            streams.DISPATCH,
            f"dispatch.{partition}.{order.command.leg.destination}",
            EventType.ROUTE_COMMANDED,
            _command(id_, order, rules, _content(order.referral, event.id, contents)),
            partition=partition,
            about=event.subject,
            id_=id_,
        )


def _content(referral: str | None, event: str, contents: Mapping[str, bytes]) -> orjson.Fragment:
    """What was referred, and over it what the event says."""
    if referral is None or referral == event:
        return orjson.Fragment(contents[event])
    return orjson.Fragment(orjson.dumps(orjson.loads(contents[referral]) | orjson.loads(contents[event])))


def _command(id_: str, order: _Order, rules: RuleSet, content: orjson.Fragment) -> dict[str, object]:
    """A `schemas.route.RouteCommand`, past the model: what goes in was checked, and the tests read every command."""
    leg, event = order.command.leg, order.message.body.event
    destination = rules.destinations[leg.destination]
    return {
        "command_id": id_,
        "decision_id": order.decision_id,
        "event_id": event.id,
        "leg_id": leg.id,
        "person_id": event.subject,
        "destination": leg.destination,
        "action": order.command.action.value,
        "priority": leg.priority,
        "due_at": leg.due_at,
        "because": _because(order.command.reasons),
        "rule_set": rules.digest,
        "sequence": order.command.number,
        "share": destination.share,
        "reports_as": destination.source,
        "content": content,
    }


def _because(said: Iterable[Reason | Matched]) -> list[dict[str, str]]:
    return [{"rule": reason.rule, "because": reason.because} for reason in said]


def _audit(message: Incoming[Taken], decision: Decision, decision_id: str, steps: Sequence[Step], work: Work) -> None:
    """One entry for what this event changed, and why."""
    event = message.body.event
    touched = records_of(steps)
    records = [("event", event.id), ("decision", decision_id), *touched]
    work.audit(
        AuditOperation.ALTER,
        actor=acting(event.originsource, organisation=event.originsource, role="source"),
        person_id=event.subject,
        records=records[:RECORDS_MOST],
        fields=("status",) if any(kind == "leg" for kind, _ in touched) else (),
        purpose="routing",
        correlation_id=event.id,
        causation_id=event.id,
        decision_id=decision_id,
        rule_set=decision.digest,
        because=_because(decision.matched[:RECORDS_MOST]),
        partition=message.delivery.partition,
    )
