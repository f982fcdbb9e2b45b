"""What dispatch does with a batch of commands: cut, hand over, note the disclosure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from schemas.envelope import Envelope, EventType
from schemas.reading import Unreadable, fit
from schemas.receipt import Problem
from schemas.refusal import Unacceptable
from schemas.route import RouteCommand
from schemas.vocabulary import AuditOperation, LawfulBasis
from services.dispatch import store
from services.dispatch.cut import cut
from services.ground import streams
from services.ground.handler import Incoming
from services.ground.inorder import Place
from services.ground.microbatch import Delivery
from services.ground.settings import Settings
from services.ground.sql import insert_all
from services.ground.work import Key, Work, acting

_BASES = frozenset(LawfulBasis)


class DispatchHandler:
    """Takes `dispatch.<partition>.<destination>`."""

    service = "dispatch"

    def __init__(self, settings: Settings) -> None:
        self._organisation = settings.organisation
        self._must_be_justified = AuditOperation.DISCLOSE in settings.justification_required

    def read(self, delivery: Delivery) -> Incoming[RouteCommand]:
        """Read a command of the router's. Raises Unacceptable for what no router of ours can have made."""
        try:
            envelope = fit(delivery.raw, Envelope[RouteCommand], extra="ignore")
        except Unreadable as error:
            raise Unacceptable("unreadable", error.problems) from None
        command = envelope.data
        if self._must_be_justified and not command.because:
            raise Unacceptable("no_justification", [Problem(place="/data/because", message="says no reason")])
        place = Place(command.leg_id, command.sequence)
        return Incoming(delivery, command, Key(envelope.source, envelope.id), place, command.person_id)

    def take(self, messages: Sequence[Incoming[RouteCommand]], work: Work) -> None:
        """Hand each command to its destination's channel. The queue is the only channel yet."""
        rows: list[dict[str, object]] = []
        for message in messages:
            command, partition = message.body, message.delivery.partition
            fields, names = cut(command.content, command.share)
            message_id = work.publish(
                streams.ROUTE,
                f"route.{command.destination}",
                EventType.REFERRAL_ROUTED,
                _routed(command, fields),
                person=command.person_id,
                partition=partition,
                about=command.leg_id,
            )
            rows.append(_delivery(command, message_id, names, work))
            self._audit(command, message_id, names, work)
        insert_all(work.connection, store.deliveries, rows)

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Quarantine a command, where people see it."""
        try:
            person = self.read(delivery).person
        except Unacceptable:
            person = None
        work.quarantine(delivery, why, key=key, person_id=person)

    def _audit(self, command: RouteCommand, message_id: str, names: Sequence[str], work: Work) -> None:
        """To whom which fields went, and why."""
        work.audit(
            AuditOperation.DISCLOSE,
            actor=acting("dispatch", organisation=self._organisation, role="service"),
            person_id=command.person_id,
            records=(("leg", command.leg_id), ("message", message_id)),
            fields=names,
            recipient=command.destination,
            purpose="referral",
            lawful_basis=_basis_of(command),
            correlation_id=command.event_id,
            causation_id=command.command_id,
            decision_id=command.decision_id,
            rule_set=command.rule_set,
            because=[{"rule": reason.rule, "because": reason.because} for reason in command.because],
        )


def _routed(command: RouteCommand, fields: Mapping[str, JsonValue]) -> dict[str, object]:
    """A `schemas.route.RoutedReferral`, past the model: the command was checked, and the tests read every message."""
    routed: dict[str, object] = {
        "leg_id": command.leg_id,
        "destination": command.destination,
        "action": command.action.value,
        "priority": command.priority,
        "due_at": command.due_at,
        "because": [reason.because for reason in command.because],
        "reply_to": f"intake.{command.reports_as}.progress",
        "sequence": command.sequence,
        "fields": fields,
    }
    if command.due_at is None:
        del routed["due_at"]
    return routed


def _basis_of(command: RouteCommand) -> str | None:
    """Why the referral that goes with it may be shared, as its source said; None where none goes with it."""
    basis = command.content.get("lawful_basis")
    return basis if isinstance(basis, str) and basis in _BASES else None


def _delivery(command: RouteCommand, message_id: str, names: Sequence[str], work: Work) -> dict[str, object]:
    return {
        "command_id": command.command_id,
        "leg_id": command.leg_id,
        "destination": command.destination,
        "action": command.action.value,
        "number": command.sequence,
        "channel": "queue",
        "message_id": message_id,
        "event_id": command.event_id,
        "fields": list(names),
        "handed_over_at": work.now,
    }
