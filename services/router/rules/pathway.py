"""What `pathway.yaml` says: where a leg can stand, how it may move, and for which reasons it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from schemas.vocabulary import LegStatus
from services.router.rules.mistakes import did_you_mean

Who: TypeAlias = Literal["destination", "human", "casework"]

START: Final = LegStatus.REQUESTED  # where every leg begins


@dataclass(frozen=True, slots=True)
class Status:
    """One place where a leg can stand."""

    label: str
    closed: bool = False  # ended: it waits for nobody
    hold: bool = False  # it rests, and goes on by moving to a status that releases
    release: bool = False  # a hold may end here
    administration: bool = False  # ended, and paperwork remains until somebody says otherwise
    court_ordered: bool = False
    implies: LegStatus | None = None  # who stands here has been there, told or not


@dataclass(frozen=True, slots=True)
class Transition:
    """A move that is allowed, to whom, and what has to be said with it."""

    who: tuple[Who, ...]
    needs_reason: bool = False
    needs_note: bool = False


@dataclass(frozen=True, slots=True)
class ClosingReason:
    """Why a leg ends."""

    label: str
    category: str
    still_open: bool = False  # the leg ended, and something of it is still to be done


@dataclass(frozen=True, slots=True)
class Pathway:
    """The statuses of legs and the moves between them. Transitions of statuses that are off are not in it."""

    court_ordered: bool
    statuses: Mapping[LegStatus, Status]
    transitions: Mapping[LegStatus, Mapping[LegStatus, Transition]]
    reasons: Mapping[str, ClosingReason]

    def has(self, status: LegStatus) -> bool:
        """Whether legs can stand here at all: court-ordered statuses may be off."""
        return self.court_ordered or not self.statuses[status].court_ordered

    def transition(self, start: LegStatus, to: LegStatus) -> Transition | None:
        """The transition, if there is one."""
        return self.transitions.get(start, {}).get(to)

    def may(self, who: Who, start: LegStatus, to: LegStatus) -> bool:
        """Whether somebody may make this move."""
        transition = self.transition(start, to)
        return transition is not None and who in transition.who

    def allowed(self, who: Who, start: LegStatus) -> tuple[LegStatus, ...]:
        """Where somebody may move a leg from here."""
        return tuple(sorted(to for to, how in self.transitions.get(start, {}).items() if who in how.who))

    def says_already(self, status: LegStatus, said: LegStatus) -> bool:
        """Whether a leg that stands at `status` stands at `said` too, or has been there."""
        here: LegStatus | None = status
        while here is not None:
            if here is said:
                return True
            here = self.statuses[here].implies
        return False

    def concludes(self, status: LegStatus, reason: str | None) -> bool:
        """Whether nothing more is to be done on a leg that ends here: its reason tells, or else its status."""
        if reason is not None:
            return not self.reasons[reason].still_open
        return not self.statuses[status].administration

    def unknown_reason(self, reason: str) -> str | None:
        """What is wrong with a reason's code; None where there is nothing."""
        return None if reason in self.reasons else f"is no reason of this rule set{did_you_mean(reason, self.reasons)}"
