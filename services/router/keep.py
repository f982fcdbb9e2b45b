"""Turns what a batch did into rows, gathered by table and written together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import lru_cache

import orjson
from sqlalchemy import Table, func, insert, select, update

from schemas.human import HumanDecision
from services.ground.bulk import Row
from services.ground.sql import insert_all, insert_missing, upsert
from services.ground.work import Work
from services.router import store
from services.router.casework.case import Case, Leg
from services.router.casework.steps import (
    CasePlaced,
    Command,
    DecidedAgain,
    LegMoved,
    LegOpened,
    LegParted,
    OfferAnswered,
    PauseAgreed,
    PauseEnded,
    PauseOffered,
    PersonsRuledOut,
    ReviewAnswered,
    ReviewAsked,
    ReviewSnoozed,
    Step,
    TimerKind,
    TimerSet,
)
from services.router.questions import route_to_keep
from services.router.rules.decision import OUTCOME, Decision, Matched, plain

_Ending = OfferAnswered | PauseEnded | ReviewAnswered | ReviewSnoozed | PersonsRuledOut | CasePlaced | LegParted
_LEG_CHANGES = ["status", "since", "priority", "due_at", "closed_at", "commands", "held_from", "joined_to"]


@dataclass(frozen=True, slots=True)
class Cause:
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
    _endings: list[_Ending] = field(default_factory=list)
    _rule_sets: set[str] = field(default_factory=set)

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
        self._rule_sets.add(decision.digest)
        self._rows[store.decisions].append(
            {
                "id": decision_id,
                "event_id": event_id,
                "person_id": person_id,
                "decided_at": self.work.now,
                "rule_set": decision.digest,
                "facts": orjson.Fragment(orjson.dumps(decision.facts.values, default=sorted)),
                "said": orjson.Fragment(said(decision)),
                "first_decision": first,
                "again_because": because,
            }
        )

    def human(self, event_id: str, person_id: str, decided: HumanDecision) -> None:
        """What a human decided, why, and on what they saw."""
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
                "reason": decided.reason,
                "answer": decided.value or decided.answer,
                "shown": list(decided.shown),
            }
        )

    def step(self, step: Step, case: Case, cause: Cause) -> None:
        """One step. Commands are published, not kept here; their number is kept with the leg."""
        match step:
            case Command() | DecidedAgain():  # what is sent is kept by the outbox, a decision by `decision`
                pass
            case LegOpened(leg, reasons):
                because = "; ".join(reason.because for reason in reasons)
                self._rows[store.leg_history].append(self._history(leg, None, because, cause))
            case LegMoved(before, leg, because):
                self._rows[store.leg_history].append(self._history(leg, before, because, cause))
            case TimerSet():
                self._rows[store.timers].append(self._timer(step, case, cause))
            case ReviewAsked():
                self._rows[store.reviews].append(self._review(step, case, cause, perhaps=None))
            case PauseOffered():
                self._rows[store.offers].append(self._offer(step, cause))
            case PauseAgreed():
                self._rows[store.pauses].append(self._pause(step, cause))
            case LegParted(leg):
                parted = replace(leg, joined_to=None)
                self._rows[store.leg_history].append(self._history(parted, leg, "the persons are apart again", cause))
                self._endings.append(step)
            case _:
                self._endings.append(step)
        if isinstance(step, LegOpened | LegMoved | Command):
            self._changed[case.person_id].add(step.leg.id)

    def question_of_identity(self, step: ReviewAsked, case: Case, cause: Cause, *, perhaps: list[str]) -> None:
        """A question whether this is somebody that we know."""
        self._rows[store.reviews].append(self._review(step, case, cause, perhaps=perhaps))

    def write(self) -> None:
        """Write it all: new rows first, then what they change."""
        connection, now = self.work.connection, self.work.now
        insert_missing(connection, store.rule_sets, [{"digest": d, "first_used_at": now} for d in self._rule_sets])
        upsert(
            connection,
            store.cases,
            [_case(case, self.work) for case in self._cases.values()],
            update=["changed_at", "referral_event", "remembered", "joined"],
        )
        legs = [_leg(self._cases[p].legs[leg], p) for p, ids in self._changed.items() for leg in ids]
        upsert(connection, store.legs, legs, update=_LEG_CHANGES)
        for table, rows in self._rows.items():
            insert_all(connection, table, rows)
        for ending in self._endings:
            self._end(ending)

    def _end(self, ending: _Ending) -> None:
        """Close what was open. Runs last, since a batch can hold both the question and its answer."""
        offer, pause, review, now = store.offers.c, store.pauses.c, store.reviews.c, self.work.now
        match ending:
            case PauseEnded(leg_id):
                open_pause = (pause.leg_id == leg_id) & pause.ended_at.is_(None)
                change = update(store.pauses).where(open_pause).values(ended_at=now)
            case OfferAnswered(leg_id, answer):
                newest = select(func.max(offer.id)).where(offer.leg_id == leg_id, offer.answer.is_(None))
                this = offer.id == newest.scalar_subquery()
                change = update(store.offers).where(this).values(answer=answer, answered_at=now)
            case ReviewAnswered(review_id, by, answer):
                unanswered = (review.id == review_id) & review.answered_at.is_(None)
                change = update(store.reviews).where(unanswered).values(answered_at=now, answered_by=by, answer=answer)
            case ReviewSnoozed(review_id, until):
                put_off = {"due_at": until, "snoozes": review.snoozes + 1}
                change = update(store.reviews).where(review.id == review_id).values(put_off)
                self._move_timer(ending)
            case PersonsRuledOut(review_id, perhaps):
                change = update(store.reviews).where(review.id == review_id).values(perhaps=list(perhaps))
            case LegParted(parted):
                change = update(store.legs).where(store.legs.c.id == parted.id).values(joined_to=None)
            case CasePlaced(person_id, merged_into, joined):
                place = {"merged_into": merged_into, "joined": list(joined) or None}
                change = update(store.cases).where(store.cases.c.person_id == person_id).values(place)
        self.work.connection.execute(change)

    def _move_timer(self, snoozed: ReviewSnoozed) -> None:
        """The question's timer rings when it comes back; where it has rung already, another one is set."""
        timer, review = store.timers.c, store.reviews.c
        own = (timer.review_id == snoozed.review_id) & (timer.kind == TimerKind.REVIEW.value)
        moved = update(store.timers).where(own, timer.fired_at.is_(None)).values(due_at=snoozed.until)
        if self.work.connection.execute(moved).rowcount == 0:
            person = select(review.person_id).where(review.id == snoozed.review_id).scalar_subquery()
            self.work.connection.execute(
                insert(store.timers).values(
                    id=snoozed.timer_id,
                    kind=TimerKind.REVIEW.value,
                    person_id=person,
                    due_at=snoozed.until,
                    set_at=self.work.now,
                    review_id=snoozed.review_id,
                )
            )

    def _history(self, leg: Leg, before: Leg | None, because: str, cause: Cause) -> Row:
        return {
            "id": self.work.id(),
            "leg_id": leg.id,
            "at": self.work.now,
            "from_status": before.status.value if before else None,
            "to_status": leg.status.value,
            "priority": leg.priority,
            "because": because,
            "by_source": cause.source,
            "event_id": cause.event_id,
            "decision_id": cause.decision_id,
        }

    def _review(self, step: ReviewAsked, case: Case, cause: Cause, *, perhaps: list[str] | None) -> Row:
        return {
            "id": step.id,
            "person_id": case.owner(step.leg_id) or cause.person_id or case.person_id,
            "kind": step.kind.value,
            "question": step.question,
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
            "route": route_to_keep(step.waiting) if step.waiting else None,
            "snoozes": 0,
        }

    def _offer(self, step: PauseOffered, cause: Cause) -> Row:
        return {
            "id": step.id,
            "leg_id": step.leg_id,
            "offered_at": self.work.now,
            "for_days": step.for_days,
            "welfare_check_days": step.welfare_check_days,
            "event_id": cause.event_id,
        }

    def _pause(self, step: PauseAgreed, cause: Cause) -> Row:
        return {
            "id": step.id,
            "leg_id": step.leg_id,
            "reason": step.reason.value,
            "from_date": step.from_date,
            "until_date": step.until_date,
            "held_from": step.held_from.value,
            "agreed_at": self.work.now,
            "event_id": cause.event_id,
        }

    def _timer(self, step: TimerSet, case: Case, cause: Cause) -> Row:
        return {
            "id": step.id,
            "kind": step.kind.value,
            "person_id": case.owner(step.leg_id) or cause.person_id or case.person_id,
            "due_at": step.due_at,
            "set_at": self.work.now,
            "leg_id": step.leg_id,
            "review_id": step.review_id,
        }


def said(decision: Decision) -> bytes:
    """What `Decision.to_json` says of the parts, written without first building it."""
    outcome = _outcome(*[getattr(decision, part) for part in OUTCOME])
    rest = {"questions": decision.questions, "matched": decision.matched, "unknown": decision.unknown}
    return outcome[:-1] + b"," + orjson.dumps(rest, default=_plain)[1:]


@lru_cache(maxsize=1024)
def _outcome(*parts: object) -> bytes:
    """What is to be done, as JSON: the same few outcomes come again and again."""
    return orjson.dumps(dict(zip(OUTCOME, parts, strict=True)), default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Matched):
        tests = [{"test": t.test, "fact": t.fact, "value": t.value, "origin": t.origin} for t in value.tests]
        return {**value._asdict(), "tests": tests}
    return value._asdict() if isinstance(value, tuple) and hasattr(value, "_asdict") else plain(value)


def _case(case: Case, work: Work) -> Row:
    return {
        "person_id": case.person_id,
        "opened_at": case.opened_at,
        "changed_at": work.now,
        "referral_event": case.referral_event,
        "remembered": case.remembered,
        "joined": case.joined or None,
    }


def _leg(leg: Leg, person_id: str) -> Row:
    return {
        "id": leg.id,
        "person_id": leg.person_id or person_id,
        "destination": leg.destination,
        "status": leg.status.value,
        "since": leg.since,
        "priority": leg.priority,
        "due_at": leg.due_at,
        "opened_at": leg.opened_at,
        "closed_at": leg.since if leg.closed else None,
        "commands": leg.commands,
        "held_from": leg.held_from.value if leg.held_from else None,
        "joined_to": leg.joined_to,
    }
