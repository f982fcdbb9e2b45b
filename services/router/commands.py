"""What is sent to destinations: the commands of a batch, each with what it carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from schemas.envelope import EventType
from schemas.human import HumanDecision
from schemas.registry import Accepted
from schemas.vocabulary import RouteAction
from services.ground import streams
from services.ground.handler import Incoming
from services.ground.settings import Settings
from services.ground.work import Work
from services.router.casework.case import Case
from services.router.casework.steps import Command, DecidedAgain, OwnDecision, Step
from services.router.load import Told, contents_of
from services.router.rules.decision import Matched, Reason
from services.router.rules.events import EventKind, Reported, tells
from services.router.rules.ruleset import RuleSet


class Taken(NamedTuple):
    """An accepted event, its data once as a model and once as the JSON that is kept and sent on."""

    event: Accepted
    data: Reported  # what the case is changed by
    decided_on: Reported  # what rules read: the same, or the risk that it tells of
    occurred_at: datetime
    content: bytes  # of what rules read
    kind: EventKind  # by what rules read


class Order(NamedTuple):
    """A command to be sent, and what it goes back to."""

    message: Incoming[Taken]
    command: Command
    person_id: str  # whose leg it is
    content_of: tuple[str, ...]  # the events whose content goes with it, each laid over the one before
    decision_id: str


def orders_of(message: Incoming[Taken], case: Case, decision_id: str, steps: Sequence[Step]) -> list[Order]:
    """The commands among the steps, each with what it is to carry: the newest referral, and the event behind it."""
    event = message.body.event
    own: str | None = event.id if tells(message.body.kind) else None
    if own is None and isinstance(event.data, HumanDecision):  # the event that they were asked about
        review = case.reviews.get(event.data.review_id or "")
        own = review.event_id if review else None
    own_decision, about = decision_id, own
    orders = []
    for step in steps:
        if isinstance(step, Command):
            whose = step.leg.person_id or case.person_id
            orders.append(Order(message, step, whose, _says(step, case, step.about or about), decision_id))
        elif isinstance(step, DecidedAgain):
            decision_id, about = step.id, step.event_id
        elif isinstance(step, OwnDecision):
            decision_id, about = own_decision, own
    return orders


def _says(command: Command, case: Case, about: str | None) -> tuple[str, ...]:
    """The referral and the event whose contents a command carries, each once.

    A leg in another one's stead is sent what that one was sent, and nothing of how that one ended.
    """
    leg = command.leg
    if leg.reroute_of is not None and command.action is RouteAction.REFER:
        referral, about = leg.occasion, leg.opened_by
    else:
        referral = case.referral_event
    if referral is None or referral == about:
        return (about,) if about is not None else ()
    return (referral, about) if about is not None else (referral,)


def send_orders(orders: Sequence[Order], rules: RuleSet, settings: Settings, work: Work) -> None:
    """Publish the commands, each with its content.

    All of one leg go by the partition of whose it is, also while that one is merged into another: so they meet at one
    reader, whoever sent them.
    """
    bodies = (order.message.body for order in orders)
    contents = {b.event.id: Told(b.content, b.event.originsource, b.kind.value) for b in bodies if tells(b.kind)}
    older = [id_ for order in orders for id_ in order.content_of if id_ not in contents]
    if older:
        contents |= contents_of(older, work)
    for order in orders:
        id_ = work.id()
        work.publish(
            streams.DISPATCH,
            f"dispatch.{streams.partition_of(order.person_id, settings)}.{order.command.leg.destination}",
            EventType.ROUTE_COMMANDED,
            _command(id_, order, rules, _content(_may_read(order, contents, rules))),
            person=order.person_id,
            partition=order.message.delivery.partition,
            about=order.person_id,
            id_=id_,
        )


def _may_read(order: Order, contents: Mapping[str, Told], rules: RuleSet) -> list[bytes]:
    """What the order's events say; on the person's side without what the other party's own service told.

    A referral that the order is about goes alone: laid over a newer one, its older answers would hide what is known.
    """
    said = [contents[id_] for id_ in order.content_of if id_ in contents]
    if said and said[-1].kind == EventKind.REFERRAL:
        said = said[-1:]
    if rules.destinations[order.command.leg.destination].side == "person":
        said = [told for told in said if told.kind == EventKind.REFERRAL or told.source not in rules.her_sources]
    return [told.content for told in said]


def _content(said: Sequence[bytes]) -> orjson.Fragment:
    """What was referred, and over it what the event says."""
    if len(said) == 1:
        return orjson.Fragment(said[0])
    whole: dict[str, object] = {}
    for part in said:
        whole |= orjson.loads(part)
    return orjson.Fragment(orjson.dumps(whole))


def _command(id_: str, order: Order, rules: RuleSet, content: orjson.Fragment) -> dict[str, object]:
    """A `schemas.route.RouteCommand`, past the model: what goes in was checked, and the tests read every command."""
    leg, event = order.command.leg, order.message.body.event
    destination = rules.destinations[leg.destination]
    return {
        "command_id": id_,
        "decision_id": order.decision_id,
        "event_id": event.id,
        "leg_id": leg.id,
        "person_id": order.person_id,
        "destination": leg.destination,
        "action": order.command.action.value,
        "priority": leg.priority,
        "due_at": leg.due_at,
        "because": because_of(order.command.reasons),
        "rule_set": rules.digest,
        "sequence": order.command.number,
        "share": destination.share,
        "reports_as": destination.source,
        "content": content,
    }


def because_of(said: Iterable[Reason | Matched]) -> list[dict[str, str]]:
    """Reasons, as commands and audit entries tell them."""
    return [{"rule": reason.rule, "because": reason.because} for reason in said]
