"""A person's case, as casework reads and changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.vocabulary import LegStatus
from services.router.casework.reviews import Review
from services.router.rules.events import CaseView, Kept, LegView, PastEvent

CLOSED = frozenset(
    {
        LegStatus.DECLINED,
        LegStatus.NO_CAPACITY,
        LegStatus.PROGRAMME_COMPLETE,
        LegStatus.NOT_ELIGIBLE,
        LegStatus.NOT_SUITABLE,
        LegStatus.DESELECTED,
        LegStatus.WITHDRAWN,
    }
)


@dataclass(frozen=True, slots=True)
class Leg:
    """One referral of one person to one destination."""

    id: str
    destination: str
    status: LegStatus
    since: datetime  # of the status
    priority: int  # 1 is most urgent
    due_at: datetime | None
    opened_at: datetime
    commands: int = 0  # sent to the destination so far; each carries its number
    held_from: LegStatus | None = None  # where it stood before it was paused
    person_id: str | None = None  # whose it is, where that one is merged into the case's person
    joined_to: str | None = None  # the leg that goes on for both, where two persons who are one had one each

    @property
    def closed(self) -> bool:
        """Whether nothing more is expected of it."""
        return self.status in CLOSED

    def become(self, status: LegStatus, at: datetime) -> Leg:
        """The same leg in another status; a pause remembers where it began."""
        held_from = self.status if status is LegStatus.ON_HOLD else None
        return replace(self, status=status, since=at, held_from=held_from)


@dataclass(slots=True)
class Case:
    """All that the router holds of a person. Changed event by event within a batch."""

    person_id: str
    opened_at: datetime
    legs: dict[str, Leg] = field(default_factory=dict)  # by leg id
    events: list[PastEvent] = field(default_factory=list)
    remembered: Mapping[str, Kept] = field(default_factory=dict)
    referral_event: str | None = None  # the last referral, whose content goes with later routes
    joined: list[str] = field(default_factory=list)  # the persons who are merged into this one
    reviews: dict[str, Review] = field(default_factory=dict)  # open ones and those named; read where a human decides

    def view(self) -> CaseView:
        """The case as rules see it: of each destination the leg that is open, or else the newest."""
        legs: dict[str, LegView] = {}
        for leg in sorted(self.legs.values(), key=lambda leg: (not leg.closed, leg.joined_to is None, leg.id)):
            legs[leg.destination] = LegView(leg.status, leg.since)
        return CaseView(legs, self.events, self.remembered)

    def open_leg(self, destination: str) -> Leg | None:
        """The open leg to a destination. There is never more than one."""
        return next(
            (
                leg
                for leg in self.legs.values()
                if leg.destination == destination and not leg.closed and leg.joined_to is None
            ),
            None,
        )

    def owner(self, leg_id: str | None) -> str | None:
        """Whose a leg is; None where that is the case's person, or there is no such leg."""
        leg = self.legs.get(leg_id or "")
        return leg.person_id if leg else None
