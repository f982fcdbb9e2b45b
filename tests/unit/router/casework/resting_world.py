"""One person's case on a clock that moves, taken through the router's own steps, without a store.

Events go through what the handler itself calls for each; timers are rung in the order in which they are due.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Final, cast

from schemas.base import LegId, PersonId
from schemas.envelope import TIMERS_SOURCE, AcceptedEvent
from schemas.human import DecidedBy, HumanDecision
from schemas.person import PersonRef
from schemas.progress import Pause, ProgressReported
from schemas.risk import RiskReported
from schemas.timer import TimerFellDue
from schemas.vocabulary import (
    DecisionKind,
    LegStatus,
    PauseParty,
    PauseReason,
    ProgressKind,
    RiskKind,
)
from services.ground.settings import Settings
from services.ground.work import Work
from services.router.casework.again import Original
from services.router.casework.case import Case, Leg
from services.router.casework.places import Places
from services.router.casework.resting import CheckStatus, Offer, Timer, WelfareCheck
from services.router.casework.reviews import Review
from services.router.casework.silence import nothing_silent
from services.router.casework.steps import ReviewKind, Step
from services.router.commands import Taken
from services.router.deciding import Batch, as_decided, decide_event
from services.router.fallen import Fallen
from services.router.rules.events import PastEvent, Reported, kind_of
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import RuleSet

PERSON: Final = "01938f00-0000-7000-8000-00000000ffff"
LEGS: Final[Mapping[str, str]] = {
    name: f"01938f00-0000-7000-8000-0000000f{number:04x}"
    for number, name in enumerate(("dapp", "addiction_service", "mental_health_team", "victim_safety"))
}
DAPP: Final = LEGS["dapp"]


@cache
def rules() -> RuleSet:
    """The rule set that ships."""
    return load_rule_set(Settings().rules_dir)


@dataclass
class _Work:
    now: datetime
    id: Callable[[], str]


@dataclass
class World:
    """A case and its clock. `steps` are all that were ever made."""

    now: datetime
    case: Case = field(init=False)
    steps: list[Step] = field(default_factory=list)
    rung: list[Timer] = field(default_factory=list)
    decided: dict[str, dict[str, Original]] = field(default_factory=dict)  # what happened to him, as it was decided
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        """Everybody is on his way; the programme has begun."""
        self.case = Case(PERSON, self.now)
        for name, id_ in LEGS.items():
            self.case.legs[id_] = Leg(id_, name, LegStatus.ON_PROGRAMME, self.now, 2, None, self.now, commands=1)

    @property
    def dapp(self) -> Leg:
        """The programme's leg."""
        return self.case.legs[DAPP]

    @property
    def checks(self) -> list[WelfareCheck]:
        """Every check of the programme's leg, the earliest first."""
        return self.case.checks_of(DAPP, set(CheckStatus))

    @property
    def offers(self) -> list[Offer]:
        """Every offer, the earliest first."""
        return sorted(self.case.offers.values(), key=lambda offer: offer.id)

    def reviews(self, kind: ReviewKind) -> list[Review]:
        """The open questions of a kind, the earliest first."""
        found = (r for r in self.case.reviews.values() if r.kind is kind and not r.answered)
        return sorted(found, key=lambda review: review.id)

    def id(self) -> str:
        """A new id."""
        return f"01938f00-0000-7000-8000-{next(self._numbers):012x}"

    def progress(self, kind: ProgressKind, *, leg: str = "dapp", **more: object) -> list[Step]:
        """Its destination tells something of a leg."""
        data = ProgressReported.model_validate(
            {"leg_id": LegId(LEGS[leg]), "kind": kind, "occurred_at": self.now, **more}
        )
        return self.take(data, rules().destinations[leg].source)

    def pause(self, until: date, *, start: date | None = None) -> list[Step]:
        """Person and facilitator agree a pause of the programme."""
        said = Pause(
            reason=PauseReason.RELAPSE,
            from_date=start or self.today,
            until_date=until,
            agreed_by=frozenset(PauseParty),
        )
        return self.progress(ProgressKind.PAUSE_AGREED, pause=said)

    def risk(self, kind: RiskKind, **more: object) -> list[Step]:
        """Something happened."""
        about = PersonRef(leg_id=LegId(DAPP))
        return self.take(
            RiskReported.model_validate({"about": about, "kind": kind, "occurred_at": self.now, **more}), "a-source"
        )

    def human(self, kind: DecisionKind, **more: object) -> list[Step]:
        """A human decides something of the programme's leg, or answers what `review_id` asks."""
        asked = self.case.reviews.get(str(more.get("review_id")))
        role = "programme_manager" if kind is DecisionKind.MUTE_CHECKS else asked.role if asked else "facilitator"
        by = DecidedBy(user="fay", role=role, organisation="dapp-northshire")
        whose = {} if "review_id" in more else {"leg_id": LegId(DAPP)}
        said = {"kind": kind, "decided_by": by, "decided_at": self.now, "reason": "Agreed with him.", **whose, **more}
        return self.take(HumanDecision.model_validate(said), "console")

    @property
    def today(self) -> date:
        """The day in UTC; no test begins near midnight."""
        return self.now.date()

    def take(self, data: Reported, source: str, event_id: str | None = None) -> list[Step]:
        """Take one event as the handler does. `event_id`: the same event once more."""
        event = AcceptedEvent[type(data)](  # type: ignore[misc, operator]
            type=data.event_type,
            time=self.now,
            id=event_id or self.id(),
            subject=PersonId(PERSON),
            originsource=source,
            originid="1",
            sequence="1",
            receivedat=self.now,
            data=data,
        )
        taken = as_decided(Taken(event, data, data, self.now, b"{}", kind_of(data)), self.case)
        work = cast(Work, _Work(self.now, self.id))
        _, _, steps = decide_event(taken, self.case, None, self._batch(work))
        self.case.events.append(PastEvent(taken.kind.value, taken.occurred_at))
        return self._done(steps)

    def _batch(self, work: Work) -> Batch:
        return Batch(rules(), {}, Fallen([], work), Places(), work, self.decided, {PERSON})

    def go(self, by: timedelta) -> None:
        """Let time pass; timers ring as they fall due."""
        self.go_to(self.now + by)

    def go_to(self, moment: datetime) -> None:
        """Let time pass up to a moment; timers ring as they fall due."""
        while due := [timer for timer in self.case.timers.values() if timer.due_at <= moment]:
            self.ring(min(due, key=lambda timer: (timer.due_at, timer.id)))
        self.now = max(self.now, moment)

    def ring(self, timer: Timer) -> list[Step]:
        """A timer falls due, or a late one is noticed."""
        self.now = max(self.now, timer.due_at)
        self.rung.append(timer)
        data = TimerFellDue(
            timer_id=timer.id,
            person_id=PersonId(PERSON),
            kind=timer.kind,
            due_at=timer.due_at,
            leg_id=LegId(timer.leg_id) if timer.leg_id else None,
            review_id=timer.review_id,
        )
        return self.take(data, TIMERS_SOURCE, event_id=timer.id)

    def _done(self, steps: list[Step]) -> list[Step]:
        self.steps += steps
        assert nothing_silent(self.case, rules()) == []
        return steps
