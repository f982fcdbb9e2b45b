"""What the source of a referral hears of the leg that its referral opened."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from schemas.vocabulary import LegOutcome, LegStatus
from services.router.casework.case import Leg
from services.router.casework.steps import LegMoved
from services.router.rules.pathway import Pathway
from services.router.rules.ruleset import Destination

# Open statuses that are not here tell a source nothing. Above all a pause does not: it can tell of a relapse.
_OUTCOMES: Final = MappingProxyType(
    {
        LegStatus.ACCEPTED: LegOutcome.ACCEPTED,
        LegStatus.WAITLISTED: LegOutcome.WAITLISTED,
        LegStatus.DECLINED: LegOutcome.DECLINED,
        LegStatus.NO_CAPACITY: LegOutcome.NO_CAPACITY,
        LegStatus.ON_PROGRAMME: LegOutcome.STARTED,
        LegStatus.PROGRAMME_COMPLETE: LegOutcome.COMPLETED,
    }
)


def outcome_of(moved: LegMoved, pathway: Pathway) -> LegOutcome | None:
    """What this move is to whoever referred. None: nothing that they may know, or that they do not know already."""
    before, after = _seen(moved.before, pathway), _seen(moved.leg, pathway)
    if moved.before.closed and not moved.leg.closed:
        return LegOutcome.REOPENED
    return after if after is not before else None


def may_hear(source: str, destination: Destination | None) -> bool:
    """Whether a source may hear of a leg there. Of the other party's legs only their own source does."""
    if destination is None:
        return False
    return destination.side != "other_party" or source == destination.source


def _seen(leg: Leg, pathway: Pathway) -> LegOutcome | None:
    """The leg from outside: where it rests it is seen where it stood before."""
    outcome = _OUTCOMES.get(leg.held_from or leg.status)
    return LegOutcome.CLOSED if outcome is None and pathway.statuses[leg.status].closed else outcome
