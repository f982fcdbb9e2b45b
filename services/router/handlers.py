"""What the router does with a batch of accepted events: load the cases, decide, act, keep, command."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from schemas.vocabulary import AuditOperation, DecisionKind, LegStatus, ReceiptOutcome, RiskKind
from services.ground import streams
from services.ground.handler import Incoming
from services.ground.inorder import Place
from services.ground.microbatch import Delivery
from services.ground.work import Key, Work, acting
from services.router.casework.act import Acting, act, ask
from services.router.casework.as_risk import as_risk
from services.router.casework.case import Case, Leg
from services.router.casework.checks import reported_missed
from services.router.casework.corrections import DECIDED as CORRECTIONS
from services.router.casework.corrections import Decided
from services.router.casework.deadlines import with_deadlines
from services.router.casework.decided import TAKES, in_full
from services.router.casework.enter import enter
from services.router.casework.fell_due import fell_due
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
from services.router.fallen import Fallen
from services.router.keep import Cause, Keeping
from services.router.load import Referrer, load_cases, load_open, referral_contents
from services.router.rules.decide import decide
from services.router.rules.decision import Decision, Matched, Reason
from services.router.rules.due import Due
from services.router.rules.events import CaseEvent, PastEvent, Reported, kind_of
from services.router.rules.facts import facts_of, remember
from services.router.rules.ruleset import RuleSet
from services.router.tell import Telling, tell, tellings

RECORDS_MOST = 100  # of one audit entry

# What carries out each kind of decision.
CARRIED_OUT: Final[Mapping[DecisionKind, Decided]] = {**CORRECTIONS, **TAKES}

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

    def __init__(self, rules: Callable[[], RuleSet], *, organisation: str = "onward") -> None:
        """`rules` gives the rule set in force, asked once a batch so that a batch is decided by one version.

        `organisation` operates this system: audit entries name it where Onward itself acts.
        """
        self._rules = rules
        self._organisation = organisation

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
        told: list[Telling] = []
        data = [message.body.event.data for message in messages]
        fallen = Fallen([each for each in data if isinstance(each, TimerFellDue)], work)
        for received in messages:
            message, case = received, cases[received.body.event.subject]
            try:
                message = replace(received, body=_as_decided(received.body, case))
                decision_id, decision, steps = _decide(message.body, case, rules, moments, fallen, work)
            except Unacceptable as why:  # said before anything of the case was changed
                self.refuse(message.delivery, why, work, key=message.key)
                continue
            _note(message.body, case, decision, decision_id, steps, keeping, work)
            orders += [
                _Order(message, step, case.referral_event, decision_id) for step in steps if isinstance(step, Command)
            ]
            told += _tellings(message, steps, rules)
            _audit(message, self._actor(message.body.event), decision, decision_id, steps, work)
            fallen.follow(steps)
        keeping.write()
        fallen.taken(work)
        _send(orders, rules, work)
        tell(told, _referrers(messages), rules, work, teller=self._organisation)

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Quarantine an event, where people see it, and tell its source, who was told that it was accepted."""
        if work.quarantine(delivery, why, key=key) is None:
            return
        try:
            event = _accepted(delivery)
        except Unacceptable:
            return  # no source can be told: it is a fault between our own services
        if event.originsource == TIMERS_SOURCE:
            return  # that is ourselves
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

    def _actor(self, event: Accepted) -> dict[str, str]:
        """Who acts by an event: its source, or Onward itself where a timer fell due."""
        if isinstance(event.data, TimerFellDue):
            return acting("onward", organisation=self._organisation, role="service")
        return acting(event.originsource, organisation=event.originsource, role="source")


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


def _with_questions(messages: Sequence[Incoming[Taken]], cases: Mapping[str, Case]) -> list[Case]:
    """The cases whose open questions can be answered by this batch: by a human, or because a leg rests no longer."""
    looked_at = {m.body.event.subject for m in messages if isinstance(m.body.data, HumanDecision | TimerFellDue)}
    resting = (p for p, case in cases.items() if any(leg.status is LegStatus.ON_HOLD for leg in case.legs.values()))
    return [cases[person] for person in sorted(looked_at.union(resting))]


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
    taken: Taken, case: Case, rules: RuleSet, moments: dict[Due, datetime], fallen: Fallen, work: Work
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
    referral = event.id if isinstance(data, ReferralSubmitted) else None
    by = data.decided_by.user if isinstance(data, HumanDecision) else event.originsource
    acting = Acting(
        case,
        rules,
        work.now,
        work.id,
        about_leg=about.id if about else None,
        moments=moments,
        referral=referral,
        event_id=event.id,
        kind=taken.kind,
        by=by,
    )
    steps = [] if isinstance(data, TimerFellDue) and fallen.asks_nothing(data) else _taken(data, case, about, acting)
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
    steps = with_deadlines(data, steps, acting)
    enter(case, steps, event_id=event.id, now=work.now)
    return work.id(), decision, steps


def _taken(data: Reported, case: Case, about: Leg | None, acting: Acting) -> list[Step]:
    """What the event itself does, whatever rules say of it."""
    if isinstance(data, ProgressReported) and about is not None:
        return take_progress(case, about, data, acting)
    if isinstance(data, RiskReported) and data.kind is RiskKind.MISSED_WELFARE_CHECK:
        return reported_missed(case, data.occurred_at, acting)
    if isinstance(data, TimerFellDue):
        return fell_due(case, data, acting)
    return _carry_out(case, data, acting) if isinstance(data, HumanDecision) else []


def _carry_out(case: Case, decision: HumanDecision, acting: Acting) -> list[Step]:
    """What a human's decision does to the case, beside what the rules say of it; and the question that it answers."""
    carried_out = CARRIED_OUT.get(decision.kind)
    steps = carried_out(case, decision, acting) if carried_out is not None else []
    if decision.review_id in case.reviews:  # open still: what was done has not answered it by itself
        steps.append(ReviewAnswered(str(decision.review_id), acting.by, decision.answer or decision.reason))
    return steps


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
    contents = {order.message.body.event.id: _told(order.message.body) for order in orders}
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


def _told(taken: Taken) -> bytes:
    """What an event has to tell a destination. A timer tells nothing of the person."""
    return b"{}" if isinstance(taken.decided_on, TimerFellDue) else taken.content


def _content(referral: str | None, event: str, contents: Mapping[str, bytes]) -> orjson.Fragment:
    """What was referred, and over it what the event says."""
    if referral is None or referral == event:
        return orjson.Fragment(contents[event])
    return orjson.Fragment(orjson.dumps(orjson.loads(contents[referral]) | orjson.loads(contents[event])))


def _tellings(message: Incoming[Taken], steps: Sequence[Step], rules: RuleSet) -> list[Telling]:
    event = message.body.event
    return tellings(steps, rules, person_id=event.subject, event_id=event.id, partition=message.delivery.partition)


def _referrers(messages: Sequence[Incoming[Taken]]) -> dict[str, Referrer]:
    """Who made the referrals of this batch."""
    taken = [message.body for message in messages if isinstance(message.body.event.data, ReferralSubmitted)]
    return {t.event.id: Referrer(t.event.originsource, t.event.originid, t.content) for t in taken}


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


def _audit(
    message: Incoming[Taken],
    actor: Mapping[str, str],
    decision: Decision,
    decision_id: str,
    steps: Sequence[Step],
    work: Work,
) -> None:
    """One entry for what this event changed, and why."""
    event = message.body.event
    touched = records_of(steps)
    records = [("event", event.id), ("decision", decision_id), *touched]
    work.audit(
        AuditOperation.ALTER,
        actor=actor,
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
