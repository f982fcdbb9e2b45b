"""A person's case, as casework reads and changes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from schemas.vocabulary import LegStatus
from services.router.casework.account import Account, Stand
from services.router.casework.resting import CheckStatus, Offer, Pause, Timer, WelfareCheck
from services.router.casework.reviews import Review
from services.router.rules.events import CaseView, Kept, LegView, PastEvent

if TYPE_CHECKING:
    from services.router.casework.steps import ReviewKind  # which stands on this


class Leg(NamedTuple):
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
    closed_at: datetime | None = None  # ended: reports or records may still be outstanding
    concluded_at: datetime | None = None  # nothing more is to be done
    reason: str | None = None  # why it ended: a code of pathway.yaml, where one was given
    waitlist_place: int | None = None  # 1 is next
    expected_on: date | None = None  # when a start or an answer may be expected
    referral: str | None = None  # the event that it stems from, whose source hears what becomes of it
    account: Account | None = None  # what was told of it; None: nothing yet
    person_id: str | None = None  # whose it is, where that one is merged into the case's person
    joined_to: str | None = None  # the leg that goes on for both, where two persons who are one had one each
    occasion: str | None = None  # the newest referral then: for each of those a destination is asked once
    opened_by: str | None = None  # the event that asked for it; a leg in its stead is sent what it was sent
    reroute_of: str | None = None  # the leg in whose stead it was opened
    told_in: tuple[str, ...] = ()  # the events of which it was sent news since; a leg in its stead is sent them too

    @property
    def closed(self) -> bool:
        """Whether it has ended. Which statuses end a leg stands in `pathway.yaml`; `pathway.move` keeps to it."""
        return self.closed_at is not None

    @property
    def stage(self) -> str:
        """Open, ended (something may remain to be done) or concluded."""
        if self.concluded_at is not None:
            return "concluded"
        return "open" if self.closed_at is None else "ended"

    @property
    def stand(self) -> Stand:
        """Where it stands."""
        return Stand(self.status, self.held_from, self.waitlist_place, self.expected_on, self.reason)

    @property
    def told(self) -> Account:
        """What was told of it since it was last placed."""
        return self.account or Account(self.stand)


@dataclass(slots=True)
class Case:
    """All that the router holds of a person. Changed event by event within a batch."""

    person_id: str
    opened_at: datetime
    legs: dict[str, Leg] = field(default_factory=dict)  # by leg id
    events: list[PastEvent] = field(default_factory=list)
    remembered: Mapping[str, Kept] = field(default_factory=dict)
    referral_event: str | None = None  # the last referral, whose content goes with later routes
    lawful_basis: str | None = None  # that it states, for what is entered in the audit log
    joined: list[str] = field(default_factory=list)  # the persons who are merged into this one
    offers: dict[str, Offer] = field(default_factory=dict)  # these five by their own ids
    pauses: dict[str, Pause] = field(default_factory=dict)
    checks: dict[str, WelfareCheck] = field(default_factory=dict)
    reviews: dict[str, Review] = field(default_factory=dict)  # open ones and those named, where they were read
    timers: dict[str, Timer] = field(default_factory=dict)  # those that were not looked at yet, where they were read

    def view(self) -> CaseView:
        """The case as rules see it: of each destination the leg that is open, or else the newest."""
        legs: dict[str, LegView] = {}
        if not self.legs:
            return CaseView(legs, self.events, self.remembered)
        for leg in sorted(self.legs.values(), key=lambda leg: (not leg.closed, self.goes_on(leg), leg.id)):
            legs[leg.destination] = LegView(leg.status, leg.since)
        return CaseView(legs, self.events, self.remembered)

    def successors(self, leg: Leg) -> list[Leg]:
        """The legs that were opened in a leg's stead, and in theirs, oldest first."""
        found: dict[str, Leg] = {}
        waiting = [leg.id]
        while waiting:
            before = waiting.pop()
            for each in self.legs.values():
                if each.reroute_of == before and each.id not in found:
                    found[each.id] = each
                    waiting.append(each.id)
        return sorted(found.values(), key=lambda each: each.id)

    def open_leg(self, destination: str) -> Leg | None:
        """The open leg to a destination. There is never more than one."""
        return next((leg for leg in self.legs.values() if leg.destination == destination and self.goes_on(leg)), None)

    def goes_on(self, leg: Leg) -> bool:
        """Whether a leg is open, and no other one to its destination goes on for it.

        Of two persons who are one, the leg that was joined to the other's goes on by itself once that one has ended.
        """
        if leg.closed or leg.joined_to is None:
            return not leg.closed
        same = [other for other in self.legs.values() if other.destination == leg.destination and not other.closed]
        return min(same, key=lambda other: (other.joined_to is not None, other.opened_at, other.id)).id == leg.id

    def open_pause(self, leg_id: str) -> Pause | None:
        """The pause that a leg is in. There is never more than one."""
        return next((pause for pause in self.pauses.values() if pause.leg_id == leg_id and pause.is_open), None)

    def checks_of(self, leg_id: str, among: Collection[CheckStatus]) -> list[WelfareCheck]:
        """A leg's welfare checks that stand so, the earliest first."""
        found = (check for check in self.checks.values() if check.leg_id == leg_id and check.status in among)
        return sorted(found, key=lambda check: (check.due_at, check.id))

    def open_review(self, review_id: str | None) -> Review | None:
        """A question that waits for its answer; None where it is answered, or none of this case's."""
        review = self.reviews.get(review_id or "")
        return None if review is None or review.answered else review

    def asks(self, kind: ReviewKind, leg_id: str) -> bool:
        """Whether a question of this kind about this leg waits for its answer."""
        return any(r.kind is kind and r.leg_id == leg_id and not r.answered for r in self.reviews.values())

    def owner(self, leg_id: str | None) -> str | None:
        """Whose a leg is; None where that is the case's person, or there is no such leg."""
        leg = self.legs.get(leg_id or "")
        return leg.person_id if leg else None
