"""The audit entries of intake: what was collected from whom, what joined what we held, and what a refusal tells."""

from __future__ import annotations

from typing import Final

from schemas.envelope import Channel
from schemas.human import DecidedBy, HumanDecision
from schemas.registry import Submission
from schemas.vocabulary import AuditOperation, DecisionKind
from services.ground.work import Work, acting
from services.intake.joining import Joining
from services.intake.linking import Link

WHY_TOLD: Final = "A source is told why its message could not be taken."
PURPOSES: Final = {  # of what a human said of two persons
    DecisionKind.MERGE_PERSONS: "one_person",
    DecisionKind.UNMERGE_PERSONS: "two_persons_again",
    DecisionKind.KEEP_PERSONS_APART: "two_persons",
}


def enter_collected(
    envelope: Submission, channel: Channel, person: str, linked: Link, event_id: str, work: Work
) -> None:
    """An event was accepted. What a source holds of somebody whom we knew joins what we held."""
    data = envelope.data
    operations = [AuditOperation.COLLECT]
    if linked.person_id is not None and (linked.add or channel is Channel.REFERRAL):
        operations.append(AuditOperation.COMBINE)
    for operation in operations:
        work.audit(
            operation,
            actor=_who(envelope),
            person_id=person,
            records=(("event", event_id),),
            fields=sorted(data.model_fields_set),
            purpose=channel.value,
            lawful_basis=getattr(data, "lawful_basis", None),
            wrote=data.reason if isinstance(data, HumanDecision) else None,
            correlation_id=event_id,
        )


def enter_repeated(envelope: Submission, person: str, event_id: str, raw_message: str, work: Work) -> None:
    """A message came again, and one more copy of it is kept."""
    work.audit(
        AuditOperation.COLLECT,
        actor=_who(envelope),
        person_id=person,
        records=(("raw_message", raw_message),),
        fields=("raw",),
        purpose="repeat",
        correlation_id=event_id,
    )


def enter_joined(joining: Joining, by: DecidedBy, reason: str, event_id: str, work: Work) -> None:
    """A human said of two persons that they are one, are not, or are no longer, which undoes a combination."""
    apart = joining.kind is DecisionKind.KEEP_PERSONS_APART
    work.audit(
        AuditOperation.ALTER if apart else AuditOperation.COMBINE,
        actor=acting(by.user, organisation=by.organisation, role=by.role),
        person_id=joining.survivor,
        records=(("person", joining.survivor), ("person", joining.merged)),
        fields=("kept_apart",) if apart else ("merged_into",),
        purpose=PURPOSES[joining.kind],
        wrote=reason,
        correlation_id=event_id,
    )


def enter_turned_away(quarantined: str, receipt: str, work: Work, *, recipient: str, organisation: str) -> None:
    """A source was told that its message does not fit what we hold, which tells something of that."""
    work.audit(
        AuditOperation.DISCLOSE,
        actor=acting("intake", organisation=organisation, role="service"),
        records=(("quarantine", quarantined), ("message", receipt)),
        fields=("reason", "problems"),
        recipient=recipient,
        purpose="receipt",
        justification=WHY_TOLD,
        correlation_id=quarantined,
    )


def _who(envelope: Submission) -> dict[str, str]:
    """The source; or the human whose decision it is."""
    data = envelope.data
    if isinstance(data, HumanDecision):
        by = data.decided_by
        return acting(by.user, organisation=by.organisation, role=by.role)
    return acting(envelope.source, organisation=envelope.source, role="source")
