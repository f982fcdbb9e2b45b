"""The cases of two persons as a store keeps them, in memory: what the router reads back is what its steps wrote.

Events go through what the handler calls for each. Nothing else is held between two events but these rows.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, cast

from schemas.base import EventId, LegId, PersonId
from schemas.envelope import TIMERS_SOURCE, AcceptedEvent
from schemas.human import DecidedBy, HumanDecision
from schemas.progress import ProgressReported
from schemas.reading import fit
from schemas.referral import ReferralSubmitted
from schemas.timer import TimerFellDue
from schemas.vocabulary import DecisionKind, ProgressKind
from services.ground.settings import Settings
from services.ground.work import Work
from services.router.casework.case import Case, Leg
from services.router.casework.enter import enter
from services.router.casework.joining import Taken as History
from services.router.casework.places import Places
from services.router.casework.resting import Timer
from services.router.casework.reviews import Review
from services.router.casework.steps import (
    CasePlaced,
    LegMoved,
    LegNoted,
    LegOpened,
    LegParted,
    NewsParted,
    PersonsRuledOut,
    ReviewAnswered,
    ReviewAsked,
    ReviewMoved,
    Step,
    TimerCancelled,
    TimerSet,
)
from services.router.commands import Taken
from services.router.deciding import Batch, as_decided, decide_event
from services.router.fallen import Fallen
from services.router.rules.events import CaseEvent, Kept, PastEvent, Reported, kind_of
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import RuleSet
from tests.support.events import example

ONE, OTHER = (f"01938f00-0000-7000-8000-00000000aaa{number}" for number in (1, 2))


@cache
def rules() -> RuleSet:
    """The rule set that ships."""
    return load_rule_set(Settings().rules_dir)


@cache
def _referral() -> ReferralSubmitted:
    data = example("referral-assault-on-partner")["data"]
    return fit(json.dumps(data).encode(), ReferralSubmitted, extra="forbid")


class HistoryRow(NamedTuple):
    """One row of a leg's history."""

    leg_id: str
    to_status: str
    because: str


@dataclass
class CaseRow:
    """A row of `cases`."""

    merged_into: str | None = None
    joined: list[str] = field(default_factory=list)
    referral_event: str | None = None
    remembered: dict[str, Kept] = field(default_factory=dict)
    events: list[PastEvent] = field(default_factory=list)
    history: list[History] = field(default_factory=list)


@dataclass
class _Work:
    now: datetime
    id: Callable[[], str]


@dataclass
class Shelf:
    """The rows of two persons, and the clock."""

    now: datetime
    cases: dict[str, CaseRow] = field(default_factory=lambda: {ONE: CaseRow(), OTHER: CaseRow()})
    legs: dict[str, tuple[str, Leg]] = field(default_factory=dict)  # with whose each is
    reviews: dict[str, tuple[str, Review]] = field(default_factory=dict)
    timers: dict[str, tuple[str, Timer]] = field(default_factory=dict)
    history: list[HistoryRow] = field(default_factory=list)
    places: Places = field(default_factory=Places)
    resting: dict[str, Case] = field(default_factory=dict)  # offers, pauses and checks, by whose legs they are of
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def id(self) -> str:
        """A new id."""
        return f"01938f00-0000-7000-8000-{next(self._numbers):012x}"

    def who(self, person: str) -> str:
        """Whose case somebody's events go to."""
        into = self.cases[person].merged_into
        return person if into is None else self.who(into)

    def load(self, person: str) -> Case:
        """A case as `load_cases` and `load_open` read it."""
        kept = self.cases[person]
        whose = {person, *kept.joined}
        case = Case(person, self.now, remembered=dict(kept.remembered), referral_event=kept.referral_event)
        case.joined = list(kept.joined)
        for owner, leg in self.legs.values():
            if owner in whose:
                case.legs[leg.id] = leg._replace(person_id=None if owner == person else owner)
        case.reviews = {id_: r for id_, (owner, r) in self.reviews.items() if owner in whose and not r.answered}
        case.timers = {id_: timer for id_, (owner, timer) in self.timers.items() if owner in whose}
        events = [event for one in whose for event in self.cases[one].events]
        case.events = sorted(events, key=lambda event: event.occurred_at)
        for part in ("offers", "pauses", "checks"):
            rows = (row for kept_case in self.resting.values() for row in getattr(kept_case, part).values())
            setattr(case, part, {row.id: row for row in rows if row.leg_id in case.legs})
        return case

    def refer(self, person: str) -> list[Step]:
        """Somebody is referred."""
        return self.take(person, _referral(), "northshire-police")

    def progress(self, leg_id: str, kind: ProgressKind) -> list[Step]:
        """A destination tells something of its leg."""
        owner, leg = self.legs[leg_id]
        more: dict[str, Any] = {"reason": "So."} if kind in (ProgressKind.DECLINED, ProgressKind.CLOSED) else {}
        data = ProgressReported(leg_id=LegId(leg_id), kind=kind, occurred_at=self.now, **more)
        return self.take(owner, data, rules().destinations[leg.destination].source)

    def human(self, person: str, kind: DecisionKind, **more: Any) -> list[Step]:
        """A human decides something."""
        return self.take(person, _decided(kind, self.now, **more), "console")

    def ring(self, timer: Timer) -> list[Step]:
        """A timer falls due."""
        owner, _ = self.timers.pop(timer.id)
        self.now = max(self.now, timer.due_at)
        leg = LegId(timer.leg_id) if timer.leg_id else None
        data = TimerFellDue(
            timer_id=timer.id, person_id=PersonId(owner), kind=timer.kind, due_at=timer.due_at, leg_id=leg,
            review_id=timer.review_id,
        )  # fmt: skip
        return self.take(owner, data, TIMERS_SOURCE, event_id=timer.id)

    def merge(self, survivor: str, merged: str) -> list[Step]:
        """Two persons are one: taken in the merged one's order, and from there in the survivor's."""
        decision = _decided(
            DecisionKind.MERGE_PERSONS, self.now, person_id=PersonId(survivor), other_person_id=PersonId(merged)
        )
        first = self.take(merged, decision, "console", handoverto=survivor, handoverid=self.id(), handoversequence="1")
        return [*first, *self.take(survivor, decision, "console", handoverfrom=merged)]

    def part(self, survivor: str, merged: str) -> list[Step]:
        """They are two again."""
        decision = _decided(
            DecisionKind.UNMERGE_PERSONS, self.now, person_id=PersonId(survivor), other_person_id=PersonId(merged)
        )
        more = {"handoverto": merged, "handoverid": self.id(), "handoversequence": "1"}
        first = self.take(survivor, decision, "console", **more)
        return [*first, *self.take(merged, decision, "console", handoverfrom=survivor)]

    def take(self, named: str, data: Reported, source: str, *, event_id: str | None = None, **more: str) -> list[Step]:
        """Take one event as the handler does, and write what its steps say. Raises Unacceptable."""
        subject = self.who(named)
        id_ = event_id or self.id()
        event = AcceptedEvent[type(data)](  # type: ignore[misc, operator]
            type=data.event_type, time=self.now, id=id_, subject=PersonId(subject), originsource=source,
            originid=EventId(id_), sequence="1", receivedat=self.now, data=data,
            namedperson=PersonId(named) if named != subject else None, **more,
        )  # fmt: skip
        case = self.load(subject)
        comes = more.get("handoverfrom")
        other = self.load(comes) if comes is not None and data.kind == DecisionKind.MERGE_PERSONS else None  # type: ignore[union-attr]
        occurred = self.now
        taken = as_decided(Taken(event, data, data, occurred, b"{}", kind_of(data)), case)
        work = cast(Work, _Work(self.now, self.id))
        batch = Batch(rules(), {}, Fallen([], work), self.places, work)
        _, _, steps = decide_event(taken, case, other, batch)
        self._write(case, steps, named)
        kept = self.cases[named]
        kept.events.append(PastEvent(taken.kind, occurred))
        kept.history.append(History(id_, named, CaseEvent(kind_of(data), data, occurred, self.now)))
        return steps

    def _write(self, case: Case, steps: list[Step], named: str) -> None:
        """As `keep.Keeping` does."""
        kept = self.cases[case.person_id]
        kept.referral_event, kept.remembered = case.referral_event, dict(case.remembered)
        for id_, leg in case.legs.items():
            owner = self.legs[id_][0] if id_ in self.legs else leg.person_id or case.person_id
            self.legs[id_] = (owner, leg)
        self.resting[case.person_id] = Case(case.person_id, case.opened_at)
        enter(self.resting[case.person_id], steps)
        for part in ("offers", "pauses", "checks"):
            getattr(self.resting[case.person_id], part).update(getattr(case, part))
        for step in steps:
            self._write_step(step, case, named)

    def _write_step(self, step: Step, case: Case, named: str) -> None:
        match step:
            case LegOpened(leg, reasons, _):
                because = "; ".join(reason.because for reason in reasons)
                self.history.append(HistoryRow(leg.id, leg.status, because))
            case LegMoved(_, leg, because) | LegNoted(leg, because):
                self.history.append(HistoryRow(leg.id, leg.status, because))
            case LegParted(leg):
                owner, kept = self.legs[leg.id]
                self.legs[leg.id] = (owner, kept._replace(joined_to=None))
                self.history.append(HistoryRow(leg.id, leg.status, "the persons are apart again"))
            case NewsParted(leg_id, told_in):
                owner, kept = self.legs[leg_id]
                self.legs[leg_id] = (owner, kept._replace(told_in=told_in))
            case CasePlaced(person, merged_into, joined):
                self.cases[person].merged_into = merged_into
                self.cases[person].joined = list(joined)
                if merged_into is not None and person not in self.cases[merged_into].joined:
                    self.cases[merged_into].joined.append(person)
                for each in self.cases.values() if merged_into is None else ():
                    each.joined = [one for one in each.joined if one != person]
            case _:
                self._write_promise(step, case, named)

    def _write_promise(self, step: Step, case: Case, named: str) -> None:
        """A timer, or a question to a human."""
        match step:
            case TimerSet(id_, kind, due_at, leg_id, review_id):
                owner = self._whose(leg_id, review_id, case, named)
                self.timers[id_] = (owner, Timer(id_, kind, due_at, leg_id, review_id))
            case TimerCancelled():
                for _, timer in list(self.timers.values()):
                    if step.means(timer.id, timer.kind, timer.leg_id, timer.review_id):
                        del self.timers[timer.id]
            case ReviewAsked():
                self.reviews[step.id] = (self._whose(step.leg_id, None, case, named), case.reviews[step.id])
            case ReviewAnswered() | ReviewMoved() | PersonsRuledOut() if step.review_id in self.reviews:
                owner, before = self.reviews[step.review_id]
                now = case.reviews.get(step.review_id, before)
                self.reviews[step.review_id] = (
                    owner,
                    replace(now, answered=now.answered or isinstance(step, ReviewAnswered)),
                )
            case _:
                pass

    def _whose(self, leg_id: str | None, review_id: str | None, case: Case, named: str) -> str:
        if review_id in self.reviews:
            return self.reviews[review_id][0]
        return self.legs[leg_id][0] if leg_id in self.legs else named

    def edges(self) -> dict[str, str]:
        """Into whom each is merged who is."""
        return {person: kept.merged_into for person, kept in self.cases.items() if kept.merged_into is not None}

    def past_of(self, persons: list[str]) -> list[History]:
        """What happened to these persons, in the order in which it was taken."""
        return sorted(taken for person in set(persons) for taken in self.cases[person].history)

    def wait(self, by: timedelta) -> None:
        """Time passes; timers ring as they fall due."""
        until = self.now + by
        while due := [timer for _, timer in self.timers.values() if timer.due_at <= until]:
            self.ring(min(due, key=lambda timer: (timer.due_at, timer.id)))
        self.now = max(self.now, until)


def _decided(kind: DecisionKind, at: datetime, **more: Any) -> HumanDecision:
    by = DecidedBy(user="c.manager", role="safeguarding_lead", organisation="northshire")
    return HumanDecision(kind=kind, decided_by=by, decided_at=at, reason="He telephoned.", **more)
