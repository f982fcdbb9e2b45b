"""What the router does with a batch of accepted events: load the cases, decide, act, keep, command."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    ReviewAnswered,
    ReviewAsked,
    ReviewKind,
    ReviewSnoozed,
    Step,
)
from services.router.keep import Cause, Keeping
from services.router.load import contents_of, load_cases
from services.router.questions import load_questions
from services.router.rules.decide import decide
from services.router.rules.decision import Decision, Matched, Reason
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


@dataclass(frozen=True, slots=True)
class Taken:
    """An accepted event, its data once as a model and once as the JSON that is kept and sent on."""

    event: Accepted
    kind: str
    occurred_at: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class _Order:
    """A command to be sent, and what it goes back to."""

    message: Incoming[Taken]
    command: Command
    content_of: tuple[str, ...]  # the events whose content goes with it, each laid over the one before
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
        taken = Taken(event, kind_of(data).value, occurred, content)
        place = Place(event.subject, event.order)
        return Incoming(delivery, taken, Key(event.source, event.id), place)

    def take(self, messages: Sequence[Incoming[Taken]], work: Work) -> None:
        """Decide each event in order and do what was decided."""
        rules = self._rules()
        cases = load_cases([message.body.event.subject for message in messages], work)
        keeping = Keeping(work)
        moments: dict[Due, datetime] = {}
        orders: list[_Order] = []
        human = [(cases[m.body.event.subject], m.body.event.data) for m in messages]
        originals = load_questions([(case, data) for case, data in human if isinstance(data, HumanDecision)], work)
        for message in messages:
            case = cases[message.body.event.subject]
            try:
                decision_id, decision, steps = _decide(message.body, case, rules, moments, originals, work)
            except Unacceptable as why:  # said before anything of the case was changed
                self.refuse(message.delivery, why, work, key=message.key)
                continue
            _note(message.body, case, decision, decision_id, steps, keeping, work)
            orders += _orders(message, case, decision_id, steps)
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


def _decide(
    taken: Taken, case: Case, rules: RuleSet, moments: dict[Due, datetime], originals: Originals, work: Work
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
    decided = take_human(case, data, acting, originals) if isinstance(data, HumanDecision) else []
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
    return work.id(), decision, steps


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
    if isinstance(event.data, HumanDecision):
        keeping.human(event.id, case.person_id, event.data)
    cause = Cause(event.id, event.originsource, decision_id)
    for step in steps:
        if isinstance(step, DecidedAgain):
            cause = Cause(event.id, event.originsource, step.id, about=step.event_id)
            first = step.first_decision
            keeping.decision(step.id, step.event_id, case.person_id, step.decision, first=first, because=event.id)
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


def _orders(message: Incoming[Taken], case: Case, decision_id: str, steps: Sequence[Step]) -> list[_Order]:
    """The commands among the steps, each with what it is to carry: the newest referral, and the event behind it."""
    event = message.body.event
    about: str | None = event.id
    if isinstance(event.data, HumanDecision):  # what a human wrote goes to nobody: the event that they were asked about
        review = case.reviews.get(event.data.review_id or "")
        about = review.event_id if review else None
    orders = []
    for step in steps:
        if isinstance(step, DecidedAgain):
            decision_id, about = step.id, step.event_id
        if isinstance(step, Command):
            content_of = dict.fromkeys(id_ for id_ in (case.referral_event, about) if id_ is not None)
            orders.append(_Order(message, step, tuple(content_of), decision_id))
    return orders


def _send(orders: Sequence[_Order], rules: RuleSet, work: Work) -> None:
    """Publish the commands, each with its content."""
    taken = [order.message.body for order in orders if not isinstance(order.message.body.event.data, HumanDecision)]
    contents = {body.event.id: body.content for body in taken}
    older = [id_ for order in orders for id_ in order.content_of if id_ not in contents]
    contents |= contents_of(older, work)
    for order in orders:
        event = order.message.body.event
        id_, partition = work.id(), order.message.delivery.partition
        work.publish(
            streams.DISPATCH,
            f"dispatch.{partition}.{order.command.leg.destination}",
            EventType.ROUTE_COMMANDED,
            _command(id_, order, rules, _content(order.content_of, contents)),
            partition=partition,
            about=event.subject,
            id_=id_,
        )


def _content(of: Sequence[str], contents: Mapping[str, bytes]) -> orjson.Fragment:
    """What was referred, and over it what the event says."""
    said = [contents[id_] for id_ in of if id_ in contents]
    if len(said) == 1:
        return orjson.Fragment(said[0])
    whole: dict[str, object] = {}
    for part in said:
        whole |= orjson.loads(part)
    return orjson.Fragment(orjson.dumps(whole))


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
        elif isinstance(step, LegOpened | LegMoved | Command):
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
        because=_because(decision.matched[:RECORDS_MOST]),
        partition=message.delivery.partition,
    )
