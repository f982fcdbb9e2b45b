"""What the source of a referral hears of the leg that its referral opened, and what it may not."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from schemas.vocabulary import LegOutcome, LegStatus, ProgressKind
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
_TAKEN_ON: Final = frozenset({LegOutcome.ACCEPTED, LegOutcome.STARTED, LegOutcome.COMPLETED})
_SAY_SO: Final = frozenset({ProgressKind.ACCEPTED, ProgressKind.STARTED, ProgressKind.COMPLETED})
_NOT_TAKEN: Final = frozenset({LegStatus.DECLINED, LegStatus.NO_CAPACITY, LegStatus.NOT_ELIGIBLE})


def outcome_of(moved: LegMoved, pathway: Pathway, destination: Destination | None = None) -> LegOutcome | None:
    """What this move is to whoever referred. None: nothing that they may know, or that they do not know already.

    Of a destination that tells its answer alone they hear whether he was taken on, not whether he came, stayed or left.
    """
    before, after = _seen(moved.before, pathway), _seen(moved.leg, pathway)
    if destination is not None and destination.source_hears == "answer":
        return None if _taken_on(moved.before, pathway) else _answer(moved, before, after)
    if moved.before.closed and not moved.leg.closed:
        return LegOutcome.REOPENED
    return after if after is not before else None


def may_hear(source: str, destination: Destination | None, destinations: Mapping[str, Destination]) -> bool:
    """Whether a source may hear of a leg there.

    Of the other party's legs only their own source does. That a panel speaks of him is for no service that he goes to.
    """
    if destination is None or destination.source_hears == "nothing":
        return False
    if source == destination.source or destination.side == "person":
        return True
    his = any(source == each.source and each.side == "person" for each in destinations.values())
    return destination.side == "panel" and not his


def _answer(moved: LegMoved, before: LegOutcome | None, after: LegOutcome | None) -> LegOutcome | None:
    """Whether he is taken on, where he was not yet."""
    if moved.before.closed and not moved.leg.closed:
        return LegOutcome.REOPENED if moved.before.status in _NOT_TAKEN else None
    told = LegOutcome.ACCEPTED if after in _TAKEN_ON else after
    return told if told is not before else None


def _taken_on(leg: Leg, pathway: Pathway) -> bool:
    """Whether he was taken on before, wherever the leg stands: what follows is between him and them."""
    stands = leg.held_from or leg.status
    said = (told.kind for told in (*leg.told.told, *leg.told.heard))
    return pathway.says_already(stands, LegStatus.ACCEPTED) or any(kind in _SAY_SO for kind in said)


def _seen(leg: Leg, pathway: Pathway) -> LegOutcome | None:
    """The leg from outside: where it rests it is seen where it stood before."""
    outcome = _OUTCOMES.get(leg.held_from or leg.status)
    return LegOutcome.CLOSED if outcome is None and pathway.statuses[leg.status].closed else outcome
