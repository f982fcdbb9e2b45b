"""Who must agree before a version of the rules decides about people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.router.rules.digest import Canonical, canonical
from services.router.rules.language import Role

if TYPE_CHECKING:
    from services.router.rules.ruleset import RuleSet

MAY_APPROVE: Final = (Role.PROGRAMME_MANAGER, Role.SAFEGUARDING_LEAD)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A version that somebody put forward."""

    id: str
    digest: str
    by: str
    floors: bool  # it changes what must never be missed
    instead_of: str | None  # what was in force then


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody agreed."""

    by: str
    role: str


def floors_differ(before: RuleSet, after: RuleSet) -> bool:
    """Whether floors, or what happens where no rule speaks, are another than before.

    Facts and the calendar count too, for a floor means what its facts mean; and the promises, which keep floors whole.
    """
    return _what_floors_mean(before) != _what_floors_mean(after)


def why_it_cannot_approve(proposal: Proposal, approval: Approval) -> str | None:
    """Why this person's agreement does not count; None where it does."""
    if _same(approval.by, proposal.by):
        return f"{approval.by} put it forward: a second person must approve it"
    if approval.role not in MAY_APPROVE:
        return f"rules are approved by {' or '.join(MAY_APPROVE)}, not by {approval.role}"
    return None


def who_is_missing(proposal: Proposal, approvals: Sequence[Approval]) -> str | None:
    """Who must still agree; None where it may be put in force."""
    counting = [each for each in approvals if why_it_cannot_approve(proposal, each) is None]
    if not counting:
        return "a second person"
    if proposal.floors and all(each.role != Role.SAFEGUARDING_LEAD for each in counting):
        return f"a {Role.SAFEGUARDING_LEAD}, since floors change"
    return None


def _what_floors_mean(rules: RuleSet) -> Canonical:
    floors = {rule.id: rule for rule in rules.rules if rule.tier == "floor"}
    return canonical([floors, rules.otherwise, rules.facts, rules.calendar, rules.invariants])


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
