"""Tells the sources of referrals what became of the legs that these opened, and keeps that they were told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import orjson

from schemas.envelope import EventType
from schemas.receipt import OutcomeReported
from schemas.vocabulary import AuditOperation, LegOutcome
from services.ground import streams
from services.ground.work import Work, acting
from services.router.casework.case import Leg
from services.router.casework.outcomes import may_hear, outcome_of
from services.router.casework.steps import LegMoved, Step
from services.router.load import Referrer, referrers
from services.router.rules.ruleset import RuleSet

# No rule asks for it, so this is its reason: the outcome alone, to whoever referred, as every referral is answered.
WHY_TOLD: Final = "Whoever referred somebody is told what became of it."


class Telling(NamedTuple):
    """An outcome to be told, and what it follows from."""

    referral: str
    leg: Leg
    outcome: LegOutcome
    person_id: str
    event_id: str
    decision_id: str
    partition: int


def tellings(
    steps: Sequence[Step], rules: RuleSet, *, person_id: str, event_id: str, decision_id: str, partition: int
) -> list[Telling]:
    """What the steps of one event have to tell."""
    found: list[Telling] = []
    for step in steps:
        if isinstance(step, LegMoved) and step.leg.referral is not None:
            outcome = outcome_of(step, rules.pathway, rules.destinations.get(step.leg.destination))
            if outcome is not None:
                told = Telling(step.leg.referral, step.leg, outcome, person_id, event_id, decision_id, partition)
                found.append(told)
    return found


def tell(told: Sequence[Telling], here: Mapping[str, Referrer], rules: RuleSet, work: Work, *, teller: str) -> None:
    """Publish each outcome to the source of its referral, with no more than it may know.

    `here` are the referrals of this batch, which the store need not have yet; `teller` is the organisation that tells.
    """
    known = {**referrers([t.referral for t in told if t.referral not in here], work), **here} if told else {}
    for telling in told:
        referrer = known.get(telling.referral)
        destination = rules.destinations.get(telling.leg.destination)
        if referrer is not None and may_hear(referrer.source, destination, rules.destinations):
            _tell(telling, referrer, rules, work, teller)


def _tell(telling: Telling, referrer: Referrer, rules: RuleSet, work: Work, teller: str) -> None:
    referral = orjson.loads(referrer.content)
    outcome = OutcomeReported(
        origin=referrer.origin,
        reference=referral.get("reference"),
        destination=telling.leg.destination,
        outcome=telling.outcome,
        told_at=work.now,
    )
    subject = f"receipt.{referrer.source}"
    message = work.publish(
        streams.RECEIPT,
        subject,
        EventType.OUTCOME_REPORTED,
        outcome,
        person=telling.person_id,
        partition=telling.partition,
    )
    work.audit(
        AuditOperation.DISCLOSE,
        actor=acting("router", organisation=teller, role="service"),
        person_id=telling.person_id,
        records=[("leg", telling.leg.id), ("message", message)],
        fields=("destination", "outcome"),
        recipient=referrer.source,
        purpose="outcome",
        lawful_basis=referral.get("lawful_basis"),
        justification=WHY_TOLD,
        correlation_id=telling.event_id,
        causation_id=telling.event_id,
        decision_id=telling.decision_id,
        rule_set=rules.digest,
    )
