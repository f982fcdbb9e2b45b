"""Turns what a batch did into rows, gathered by table and written together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Table, Update, bindparam, or_, update

from schemas.human import HumanDecision
from schemas.vocabulary import TimerKind
from services.ground.bulk import Row
from services.ground.driver import rows_of
from services.ground.sql import insert_all, upsert
from services.ground.work import Work
from services.router import store
from services.router.case_rows import case_row, leg_row
from services.router.casework.case import Case, Leg
from services.router.casework.places import CapacityHeard
from services.router.casework.steps import (
    CasePlaced,
    CheckChanged,
    CheckPlanned,
    Command,
    DecidedAgain,
    Effect,
    LegMoved,
    LegNoted,
    LegOpened,
    LegParted,
    NewsParted,
    OfferAnswered,
    OwnDecision,
    PauseAgreed,
    PauseChanged,
    PauseEnded,
    PauseOffered,
    PersonsRuledOut,
    Resting,
    ReviewAnswered,
    ReviewAsked,
    ReviewMoved,
    ReviewSnoozed,
    RouteRaised,
    Step,
    TimerCancelled,
    TimerSet,
    Word,
)
from services.router.questions import route_to_keep
from services.router.resting_rows import (
    CHECK_CHANGES,
    OFFER_CHANGES,
    PAUSE_CHANGES,
    check_row,
    offer_row,
    pause_row,
)
from services.router.rules.decision import Decision
from services.router.said import said
from services.router.shadow import Beside

_Ending = (
    ReviewAnswered | ReviewMoved | ReviewSnoozed | RouteRaised | PersonsRuledOut | CasePlaced | LegParted | NewsParted
)
_RESTING_CHANGES = {
    store.offers: OFFER_CHANGES,
    store.pauses: PAUSE_CHANGES,
    store.welfare_checks: CHECK_CHANGES,
}
# Named once: to look a column up took as long as to seal for it.
_FACTS, _SAID = store.decisions.c.facts, store.decisions.c.said
_BECAUSE = store.leg_history.c.because
_LEG_NEVER_CHANGES = (
    "id", "person_id", "destination", "opened_at", "referral_event", "occasion", "opened_by", "reroute_of",
)  # fmt: skip
_LEG_CHANGES = [column.name for column in store.legs.columns if column.name not in _LEG_NEVER_CHANGES]

_timer = store.timers.c
_CANCEL: Final = (
    update(store.timers)
    .where(_timer.taken_at.is_(None), _timer.cancelled_at.is_(None))
    .values(cancelled_at=bindparam("now"), cancelled_because=bindparam("why"))
)
_CANCEL_ONE: Final = _CANCEL.where(_timer.id == bindparam("timer"))


@cache
def _cancel_those(kinds: tuple[TimerKind, ...]) -> Update:
    """Of these kinds, or of all: casework names a few. Made once, because making a statement takes longest."""
    same = (_timer.leg_id == bindparam("leg")) | (_timer.review_id == bindparam("review"))
    of_them = _CANCEL.where(_timer.person_id == bindparam("person"), same)
    return of_them.where(or_(*(_timer.kind == kind.value for kind in kinds))) if kinds else of_them


class Cause(NamedTuple):
    """The event, its sender and the decision that a step follows from."""

    event_id: str
    source: str
    decision_id: str
    about: str | None = None  # the event that was decided again, where that is another
    person_id: str | None = None  # whom it named, where that one is merged into the case's person


@dataclass
class Keeping:
    """The rows of one batch."""

    work: Work
    _rows: dict[Table, list[Row]] = field(default_factory=lambda: defaultdict(list))
    _cases: dict[str, Case] = field(default_factory=dict)
    _changed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # leg ids by person
    _resting: dict[Table, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))  # the last of each id
    _endings: list[tuple[_Ending, str]] = field(default_factory=list)  # each with whose it is
    _timers: list[tuple[TimerSet, dict[str, object]]] = field(default_factory=list)
    _cancelled: list[tuple[tuple[str, ...], TimerCancelled]] = field(default_factory=list)  # by whose they can be
    _capacity: dict[str, Row] = field(default_factory=dict)  # by destination

    def event(self, row: Row, case: Case) -> None:
        """An event of this case was taken."""
        self._rows[store.case_events].append(row)
        self._cases[case.person_id] = case

    def decision(
        self,
        decision_id: str,
        event_id: str,
        person_id: str,
        decision: Decision,
        *,
        first: str | None = None,
        because: str | None = None,
    ) -> None:
        """What the rules said of it, with the facts as they are now.

        `first` is the event's first decision where this is a later one, `because` the event that it was taken for.
        """
        seal, facts = self.work.seal, orjson.dumps(decision.facts.values, default=sorted)
        self._rows[store.decisions].append(
            {
                "id": decision_id,
                "event_id": event_id,
                "person_id": person_id,
                "decided_at": self.work.now,
                "rule_set": decision.digest,
                "facts": seal(person_id, _FACTS, decision_id, facts),
                "said": seal(person_id, _SAID, decision_id, said(decision)),
                "first_decision": first,
                "again_because": because,
            }
        )

    def beside(self, tried: Sequence[Beside]) -> None:
        """What a version that is tried out would have decided."""
        column = store.shadow_decisions.c.differs
        for each in tried:
            differs = self.work.seal_json(each.person_id, column, each.decision_id, each.differs)
            self._rows[store.shadow_decisions].append({**each._asdict(), "differs": differs})

    def human(self, event_id: str, person_id: str, decided: HumanDecision) -> None:
        """What a human decided, why, and on what they saw."""
        column, seal = store.human_decisions.c, self.work.seal_text
        self._rows[store.human_decisions].append(
            {
                "event_id": event_id,
                "person_id": person_id,
                "kind": decided.kind.value,
                "review_id": decided.review_id,
                "decided_at": decided.decided_at,
                "taken_at": self.work.now,
                "by_user": decided.decided_by.user,
                "role": decided.decided_by.role,
                "organisation": decided.decided_by.organisation,
                "reason": seal(person_id, column.reason, event_id, decided.reason),
                "answer": seal(person_id, column.answer, event_id, decided.value or decided.answer),
                "shown": list(decided.shown),
            }
        )

    def step(self, step: Step, case: Case, cause: Cause) -> None:
        """One step. Commands are published, not kept here; their number is kept with the leg."""
        match step:  # what most steps are comes first
            case Command():  # kept by the outbox
                self._changed[case.person_id].add(step.leg.id)
            case LegOpened() | LegMoved() | LegNoted():
                self._rows[store.leg_history].append(self._of_leg(step, case, cause))
                self._changed[case.person_id].add(step.leg.id)
            case TimerSet() | TimerCancelled():
                self._timer_step(step, case, cause)
            case ReviewAsked():
                self._rows[store.reviews].append(self._review(step, case, cause, perhaps=None))
            case LegParted(leg):
                parted, why = leg._replace(joined_to=None), "the persons are apart again"
                self._rows[store.leg_history].append(self._history(parted, leg, why, case, cause, Effect.NOTED, None))
                self._endings.append((step, case.person_id))
            case CapacityHeard(destination):
                self._capacity[destination] = {**step._asdict(), "event_id": cause.event_id}
            case ReviewAnswered(review_id) | RouteRaised(review_id):
                asked = case.reviews.get(review_id)
                self._endings.append((step, (asked.person_id if asked else None) or case.person_id))
            case ReviewMoved() | ReviewSnoozed() | PersonsRuledOut() | CasePlaced() | NewsParted():
                self._endings.append((step, case.person_id))
            case DecidedAgain() | OwnDecision():  # kept by `decision`
                pass
            case _:
                self._rest(step, case)

    def _rest(self, step: Resting, case: Case) -> None:
        match step:
            case PauseOffered(offer) | OfferAnswered(offer):
                self._resting[store.offers][offer.id] = offer_row(offer)
            case PauseAgreed(pause) | PauseChanged(pause) | PauseEnded(pause):
                self._resting[store.pauses][pause.id] = pause_row(pause)
            case CheckPlanned(check) | CheckChanged(check):
                person = case.owner(check.leg_id) or case.person_id
                self._resting[store.welfare_checks][check.id] = check_row(check, person, self.work)

    def question_of_identity(self, step: ReviewAsked, case: Case, cause: Cause, *, perhaps: list[str]) -> None:
        """A question whether this is somebody that we know."""
        self._rows[store.reviews].append(self._review(step, case, cause, perhaps=perhaps))

    def write(self) -> None:
        """Write it all: new rows first, then what they change."""
        connection = self.work.connection
        upsert(
            connection,
            store.cases,
            [case_row(case, self.work) for case in self._cases.values()],
            update=["changed_at", "referral_event", "lawful_basis", "remembered", "joined"],
        )
        legs = [(p, self._cases[p].legs[leg]) for p, ids in self._changed.items() for leg in ids]
        # Those that ended come first: where one ends and another to its destination opens, never are two of them open.
        for ended in (True, False):
            rows = [leg_row(leg, p, self.work) for p, leg in legs if leg.closed is ended]
            upsert(connection, store.legs, rows, update=_LEG_CHANGES)
        for persons, step in self._cancelled:
            self._cancel_kept(step, persons)
        insert_all(connection, store.timers, [row for _, row in self._timers])
        heard = ["full_until", "said_at", "event_id"]
        upsert(connection, store.capacity, list(self._capacity.values()), update=heard, latest_by="said_at")
        for table, rows in self._rows.items():
            insert_all(connection, table, rows)
        for table, changes in _RESTING_CHANGES.items():
            upsert(connection, table, list(self._resting[table].values()), update=changes)
        for ending, person in self._endings:
            self._end(ending, person)

    def _timer_step(self, step: TimerSet | TimerCancelled, case: Case, cause: Cause) -> None:
        """Set a timer; or cancel those that this batch set before, and later those of earlier ones. Later ones stay."""
        if isinstance(step, TimerSet):
            self._timers.append((step, self._timer(step, case, cause)))
            return
        self._cancelled.append(((case.person_id, *case.joined), step))
        for timer, row in self._timers:
            means = step.means(timer.id, timer.kind, timer.leg_id, timer.review_id)
            if means and row["cancelled_at"] is None:
                row |= {"cancelled_at": self.work.now, "cancelled_because": step.why}

    def _cancel_kept(self, step: TimerCancelled, persons: tuple[str, ...]) -> None:
        """Also one that has fired and is on its way: its event will find it cancelled."""
        given: dict[str, object] = {"now": self.work.now, "why": step.why}
        if step.timer_id is not None:
            rows_of(self.work.connection, _CANCEL_ONE, {**given, "timer": step.timer_id})
            return
        given |= {"leg": step.leg_id, "review": step.review_id}  # none is like no other's
        for person in persons:
            rows_of(self.work.connection, _cancel_those(step.kinds), {**given, "person": person})

    def _end(self, ending: _Ending, person: str) -> None:
        """Change what was there before. Runs last, since a batch can hold both a question and its answer."""
        review, now = store.reviews.c, self.work.now
        match ending:
            case ReviewAnswered(review_id, by, answer, keep_until):
                unanswered = (review.id == review_id) & review.answered_at.is_(None)
                said = self.work.seal_text(person, review.answer, review_id, answer)
                answered = {"answered_at": now, "answered_by": by, "answer": said, "keep_until": keep_until}
                change = update(store.reviews).where(unanswered).values(answered)
            case ReviewMoved(review_id, role, due_at):
                unanswered = (review.id == review_id) & review.answered_at.is_(None)
                change = update(store.reviews).where(unanswered).values(role=role, due_at=due_at, moved_at=now)
            case ReviewSnoozed(review_id, until):
                put_off = {"due_at": until, "snoozes": review.snoozes + 1}
                change = update(store.reviews).where(review.id == review_id).values(put_off)
            case RouteRaised(review_id, waiting, due_at):
                route = self.work.seal_json(person, review.route, review_id, route_to_keep(waiting))
                change = update(store.reviews).where(review.id == review_id).values(route=route, due_at=due_at)
            case PersonsRuledOut(review_id, perhaps):
                change = update(store.reviews).where(review.id == review_id).values(perhaps=list(perhaps))
            case LegParted(parted):
                change = update(store.legs).where(store.legs.c.id == parted.id).values(joined_to=None)
            case NewsParted(leg_id, told_in):
                change = update(store.legs).where(store.legs.c.id == leg_id).values(told_in=list(told_in) or None)
            case CasePlaced(person_id, merged_into, joined):
                place = {"merged_into": merged_into, "joined": list(joined) or None}
                change = update(store.cases).where(store.cases.c.person_id == person_id).values(place)
        self.work.connection.execute(change)

    def _of_leg(self, step: LegOpened | LegMoved | LegNoted, case: Case, cause: Cause) -> Row:
        match step:
            case LegOpened(leg, reasons, note):
                because = " ".join(filter(None, ["; ".join(reason.because for reason in reasons), note]))
                return self._history(leg, None, because, case, cause, Effect.OPENED, None)
            case LegMoved(before, leg, because, effect, word):
                return self._history(leg, before, because, case, cause, effect, word)
            case LegNoted(leg, because, effect, word):
                return self._history(leg, leg, because, case, cause, effect, word)

    def _history(
        self, leg: Leg, before: Leg | None, because: str, case: Case, cause: Cause, effect: Effect, word: Word | None
    ) -> Row:
        id_, person = self.work.id(), leg.person_id or case.person_id
        return {
            "id": id_,
            "leg_id": leg.id,
            "at": self.work.now,
            "from_status": before.status.value if before else None,
            "to_status": leg.status.value,
            "priority": leg.priority,
            "because": self.work.seal(person, _BECAUSE, id_, because.encode()),
            "by_source": cause.source,
            "event_id": cause.event_id,
            "decision_id": cause.decision_id,
            "effect": effect.value,
            "stage": leg.stage,
            "said": word.said if word else None,
            "occurred_at": word.occurred_at if word else None,
            "by_user": word.by if word else None,
            "reason": word.reason if word else None,
            "reroute_of": leg.reroute_of if before is None else None,
        }

    def _review(self, step: ReviewAsked, case: Case, cause: Cause, *, perhaps: list[str] | None) -> Row:
        person, column = _whose(case, step.leg_id, cause), store.reviews.c
        route = route_to_keep(step.waiting) if step.waiting else None
        return {
            "id": step.id,
            "person_id": person,
            "kind": step.kind.value,
            "question": self.work.seal_text(person, column.question, step.id, step.question),
            "role": step.role,
            "asked_at": self.work.now,
            "due_at": step.due_at,
            "event_id": cause.about or cause.event_id,
            "decision_id": cause.decision_id,
            "leg_id": step.leg_id,
            "destination": step.destination,
            "fact": step.fact,
            "perhaps": perhaps,
            "answers": list(step.answers) or None,
            "route": self.work.seal_json(person, column.route, step.id, route),
            "snoozes": 0,
        }

    def _timer(self, step: TimerSet, case: Case, cause: Cause) -> dict[str, object]:
        asked = case.reviews.get(step.review_id or "")
        kept = asked.person_id if asked is not None else None
        return {
            "id": step.id,
            "kind": step.kind.value,
            "person_id": kept or _whose(case, asked.leg_id if asked is not None else step.leg_id, cause),
            "due_at": step.due_at,
            "set_at": self.work.now,
            "leg_id": step.leg_id,
            "review_id": step.review_id,
            "cancelled_at": None,
            "cancelled_because": None,
        }


def _whose(case: Case, leg_id: str | None, cause: Cause) -> str:
    """Whose a question or a timer is, should they be parted from whom they were taken for: its leg's, where it has one.

    A leg that is not in this case is theirs whom the event named; so is what is about no leg.
    """
    if leg_id in case.legs:
        return case.owner(leg_id) or case.person_id
    return cause.person_id or case.person_id
