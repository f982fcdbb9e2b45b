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
from schemas.vocabulary import AuditOperation, ReceiptOutcome, RouteAction
from services.ground import streams
from services.ground.handler import Incoming
from services.ground.inorder import Place
from services.ground.microbatch import Delivery
from services.ground.work import Key, Work, acting
from services.router.casework.act import Acting, act, ask
from services.router.casework.case import Case
from services.router.casework.places import CapacityHeard, Places
from services.router.casework.progress import leg_of, take_progress
from services.router.casework.reroute import after_progress
from services.router.casework.steps import Command, LegMoved, LegOpened, ReviewAnswered, ReviewAsked, ReviewKind, Step
from services.router.keep import Cause, Keeping
from services.router.load import event_contents, load_cases, load_places
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
    referral: str | None  # the person's newest referral then
    decision_id: str

    @property
    def says(self) -> tuple[str | None, str]:
        """The referral and the event whose contents it carries.

        A leg in another one's stead is sent what that one was sent, and nothing of how that one ended.
        """
        leg, event = self.command.leg, self.message.body.event.id
        first = leg.opened_by or leg.referral
        if leg.reroute_of is not None and first is not None and self.command.action is RouteAction.REFER:
            return leg.referral, first
        return self.referral, event


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
        places = load_places(work)
        keeping = Keeping(work)
        moments: dict[Due, datetime] = {}
        orders: list[_Order] = []
        for message in messages:
            case = cases[message.body.event.subject]
            try:
                decision_id, decision, steps = _decide(message.body, case, rules, moments, places, work)
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


def _decide(
    taken: Taken, case: Case, rules: RuleSet, moments: dict[Due, datetime], places: Places, work: Work
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
    if isinstance(data, HumanDecision) and data.review_id is not None:
        steps.append(ReviewAnswered(data.review_id, data.decided_by.user, data.answer or data.reason))
    decision = decide(rules, facts)
    case.remembered = remember(rules, case_event, view)
    if isinstance(data, ReferralSubmitted):
        case.referral_event = event.id
    about_leg = about.id if about else None
    acting = Acting(case, rules, work.now, work.id, about_leg, moments, event.id, facts.values, places)
    steps += act(decision, acting)
    if isinstance(data, ProgressReported) and about is not None:
        steps += after_progress(case, about, data, acting)
    if event.linkquestion is not None:
        steps += ask(
            acting,
            ReviewKind.LINK,
            WHO_IS_IT.get(event.linkquestion, WHO_IS_IT["perhaps_known"]),
            role=rules.otherwise.review.role,
            due=rules.otherwise.review.due,
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
    older = [id_ for order in orders for id_ in order.says if id_ is not None and id_ not in contents]
    contents |= event_contents(older, work)
    for order in orders:
        event = order.message.body.event
        id_, partition = work.id(), order.message.delivery.partition
        work.publish(
            streams.DISPATCH,
            f"dispatch.{partition}.{order.command.leg.destination}",
            EventType.ROUTE_COMMANDED,
            _command(id_, order, rules, _content(*order.says, contents)),
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
    legs: set[str] = set()
    reviews: set[str] = set()
    capacities: set[str] = set()
    for step in steps:
        if isinstance(step, ReviewAsked):
            reviews.add(step.id)
        elif isinstance(step, CapacityHeard):
            capacities.add(step.destination)
        elif isinstance(step, LegOpened | LegMoved | Command):
            legs.add(step.leg.id)
    records = [
        ("event", event.id),
        ("decision", decision_id),
        *(("leg", leg) for leg in sorted(legs)),
        *(("review", review) for review in sorted(reviews)),
        *(("capacity", destination) for destination in sorted(capacities)),
    ]
    work.audit(
        AuditOperation.ALTER,
        actor=acting(event.originsource, organisation=event.originsource, role="source"),
        person_id=event.subject,
        records=records[:RECORDS_MOST],
        fields=("status",) if legs else (),
        purpose="routing",
        correlation_id=event.id,
        causation_id=event.id,
        decision_id=decision_id,
        rule_set=decision.digest,
        because=_because(decision.matched[:RECORDS_MOST]),
        partition=message.delivery.partition,
    )
