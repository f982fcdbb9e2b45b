"""What a destination's word does to its leg. A table of allowed transitions (`pathway.yaml`) is to take this place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from schemas.progress import ProgressReported
from schemas.receipt import Problem
from schemas.refusal import Unacceptable
from schemas.vocabulary import LegStatus, ProgressKind
from services.router.casework.act import Acting
from services.router.casework.case import Case, Leg
from services.router.casework.checks import record_check
from services.router.casework.pause_ends import follow
from services.router.casework.pauses import UNHEARD, Terms, agree_offer, begin_pause, decline_offer, resume_leg
from services.router.casework.resting import today
from services.router.casework.steps import LegMoved, Step

# What each kind makes of a leg; kinds that are not here say something and change no status.
_BECOMES: Final[Mapping[ProgressKind, LegStatus]] = MappingProxyType(
    {
        ProgressKind.ACKNOWLEDGED: LegStatus.ACKNOWLEDGED,
        ProgressKind.ACCEPTED: LegStatus.ACCEPTED,
        ProgressKind.DECLINED: LegStatus.DECLINED,
        ProgressKind.WAITLISTED: LegStatus.WAITLISTED,
        ProgressKind.NO_CAPACITY: LegStatus.NO_CAPACITY,
        ProgressKind.ADDITIONAL_ASSESSMENT: LegStatus.AWAITING_ASSESSMENT,
        ProgressKind.STARTED: LegStatus.ON_PROGRAMME,
        ProgressKind.COMPLETED: LegStatus.PROGRAMME_COMPLETE,
        ProgressKind.CLOSED: LegStatus.WITHDRAWN,
    }
)


def leg_of(case: Case, leg_id: str, *, reported_by: str, may_report: Mapping[str, str]) -> Leg:
    """The leg that a progress event is about. `may_report` tells each destination's source.

    Raises Unacceptable where there is no such leg, it is closed, or another source speaks for it.
    """
    leg = case.legs.get(leg_id)
    if leg is None:
        raise Unacceptable("unknown_leg", [Problem(place="/data/leg_id", message="is no leg of this person")])
    if may_report.get(leg.destination) != reported_by:
        raise Unacceptable("not_their_leg", [Problem(place="/data/leg_id", message="is another destination's leg")])
    if leg.closed:
        raise Unacceptable("leg_closed", [Problem(place="/data/kind", message=f"the leg is closed: {leg.status}")])
    return leg


def take_progress(case: Case, leg: Leg, said: ProgressReported, acting: Acting) -> list[Step]:
    """Move the leg as its destination says. The case is changed; the steps are what to write down.

    Raises Unacceptable, before it changes anything, where the leg is not in a status from which this can be said.
    """
    day = today(said.occurred_at)
    match said.kind:
        case ProgressKind.OFFER_AGREED:
            return agree_offer(case, leg, acting, terms=_terms(said), on=day)
        case ProgressKind.OFFER_DECLINED:
            return decline_offer(case, leg, acting)
        case ProgressKind.PAUSE_AGREED if (terms := _terms(said)) is not None:
            return begin_pause(case, leg, terms, acting)
        case ProgressKind.RESUMED:
            return resume_leg(case, leg, acting, because=said.reason or said.kind.value)
        case ProgressKind.WELFARE_CHECK_DONE:
            return record_check(case, leg.id, said.welfare_check, on=day, acting=acting)
    becomes = _BECOMES.get(said.kind)
    if becomes is None or becomes is leg.status:
        return []
    moved = leg.become(becomes, acting.now)
    if leg.status is LegStatus.ON_HOLD and not moved.closed:
        if becomes is LegStatus.ACKNOWLEDGED and leg.held_from not in UNHEARD:
            return []  # told late: it stood further on when it was paused
        moved = replace(leg, held_from=becomes)  # only "resumed" ends a pause; this is where it goes on then
    case.legs[leg.id] = moved
    steps: list[Step] = [LegMoved(leg, moved, said.reason or said.kind.value)]
    return steps + follow(case, steps, acting)


def _terms(said: ProgressReported) -> Terms | None:
    pause = said.pause
    return Terms(pause.reason, pause.from_date, pause.until_date) if pause is not None else None
