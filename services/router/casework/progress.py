"""What a destination's word does to its leg. A table of allowed transitions (`pathway.yaml`) is to take this place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from schemas.progress import Pause, ProgressReported
from schemas.receipt import Problem
from schemas.refusal import Unacceptable
from schemas.vocabulary import LegStatus, ProgressKind, TimerKind
from services.router.casework.case import Case, Leg
from services.router.casework.steps import LegMoved, OfferAnswered, PauseAgreed, PauseEnded, Step, TimerSet
from services.router.rules.calendar import LONDON

START_OF_WORK: Final = time(9)  # timers of a day fall due when people begin it
WELFARE_CHECK_DAYS: Final = 7

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
        ProgressKind.PAUSE_AGREED: LegStatus.ON_HOLD,
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


def take_progress(case: Case, leg: Leg, said: ProgressReported, now: datetime, new_id: Callable[[], str]) -> list[Step]:
    """Move the leg as its destination says. The case is changed; the steps are what to write down.

    Raises Unacceptable, before it changes anything, where the leg is not in a status from which this can be said.
    """
    steps: list[Step] = []
    if said.kind in (ProgressKind.OFFER_AGREED, ProgressKind.OFFER_DECLINED):
        steps.append(OfferAnswered(leg.id, "agreed" if said.kind is ProgressKind.OFFER_AGREED else "declined"))
    becomes = _BECOMES.get(said.kind)
    if said.kind is ProgressKind.PAUSE_AGREED and leg.status is LegStatus.ON_HOLD:
        raise Unacceptable("already_paused", [Problem(place="/data/kind", message="the leg is paused already")])
    if said.kind is ProgressKind.RESUMED:
        if leg.status is not LegStatus.ON_HOLD:
            raise Unacceptable("not_paused", [Problem(place="/data/kind", message="the leg is not paused")])
        becomes = leg.held_from or LegStatus.ON_PROGRAMME
        steps.append(PauseEnded(leg.id))
    if becomes is not None and becomes is not leg.status:
        moved = leg.become(becomes, now)
        case.legs[leg.id] = moved
        steps.append(LegMoved(leg, moved, said.reason or said.kind.value))
    if said.kind is ProgressKind.PAUSE_AGREED and said.pause is not None:
        steps.append(OfferAnswered(leg.id, "agreed"))
        steps += _pause(leg, said.pause, new_id)
    return steps


def _pause(leg: Leg, pause: Pause, new_id: Callable[[], str]) -> list[Step]:
    """The pause with its weekly welfare checks and the review at its end."""
    steps: list[Step] = [
        PauseAgreed(new_id(), leg.id, pause.reason, pause.from_date, pause.until_date, held_from=leg.status)
    ]
    check = pause.from_date + timedelta(days=WELFARE_CHECK_DAYS)
    while check <= pause.until_date:
        due = datetime.combine(check, START_OF_WORK, LONDON).astimezone(UTC)
        steps.append(TimerSet(new_id(), TimerKind.WELFARE_CHECK, due, leg_id=leg.id))
        check += timedelta(days=WELFARE_CHECK_DAYS)
    end = datetime.combine(pause.until_date, START_OF_WORK, LONDON).astimezone(UTC)
    steps.append(TimerSet(new_id(), TimerKind.PAUSE_REVIEW, end, leg_id=leg.id))
    return steps
