"""What a version of the rules that is tried out would have decided, beside the one that counts. It does nothing."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from services.router.rules.decide import decide
from services.router.rules.decision import Decision
from services.router.rules.events import CaseEvent, CaseView
from services.router.rules.facts import facts_of
from services.router.rules.outcomes import outcome_of
from services.router.rules.ruleset import RuleSet

FAILED = "failed"  # in place of an outcome: the version beside could not decide


class InUse(NamedTuple):
    """What a batch is decided by, and what is tried out beside it."""

    rules: RuleSet
    shadow: RuleSet | None = None


class Beside(NamedTuple):
    """One decision, and what of it would have been otherwise: {outcome: [by the rules in force, beside]}."""

    decision_id: str
    rule_set: str
    event_id: str
    person_id: str
    differs: dict[str, object] | None


def what_differs(
    rules: RuleSet, decision: Decision, shadow: RuleSet, event: CaseEvent, case: CaseView, now: datetime
) -> dict[str, object] | None:
    """What the version beside decides otherwise of the same event; None where it decides the same.

    Whatever goes wrong with it is told as what differs: it must never hold up what counts.
    """
    try:
        other = outcome_of(shadow, decide(shadow, facts_of(shadow, event, case, now)))
    except Exception as error:  # noqa: BLE001 - see above
        return {FAILED: [None, type(error).__name__]}
    mine = outcome_of(rules, decision)
    differs: dict[str, object] = {n: [mine.get(n), other.get(n)] for n in mine | other if mine.get(n) != other.get(n)}
    return differs or None
