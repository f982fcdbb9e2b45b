"""Mistakes in casework and its timers: what is missed, asked twice, or falls silent."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import orjson
import pytest
from sqlalchemy import bindparam, select, update

from schemas.human import HumanDecision
from schemas.vocabulary import LegStatus, TimerKind
from services.ground.consumer import Consumer
from services.ground.handler import Chore, Incoming
from services.ground.work import Work
from services.intake.handlers import IntakeHandler
from services.router import store, timers
from services.router.casework import pauses
from services.router.casework.act import Acting
from services.router.casework.case import Case
from services.router.casework.deadlines import NOT_ANSWERED
from services.router.casework.fell_due import ON_DUE
from services.router.casework.fitting import alternatives
from services.router.casework.human import open_review
from services.router.casework.joining import Taken, join
from services.router.casework.resting import OfferAnswer
from services.router.casework.reviews import Review
from services.router.casework.steps import LegMoved, OfferAnswered, Step, TimerCancelled, TimerSet
from services.router.fallen import Fallen
from services.router.keep import Keeping
from tests.sim.loop import current

Patch = pytest.MonkeyPatch


def timer_marked_in_a_transaction_of_its_own(patch: Patch) -> None:
    """Fired in one transaction, and its message written in the next."""
    fire, held = timers.fire_due, dict[int, list[Any]]()

    def in_two(work: Work, **named: Any) -> bool:
        process = id(current())
        if process in held:
            for message in held.pop(process):
                work.send_as_it_is(message, person=None, partition=timers.PARTITION)
            return False
        made: list[Any] = []
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Work, "send_as_it_is", lambda self, message, *, partition: made.append(message))
            fire(work, **named)
        held[process] = made
        return bool(made) or held.pop(process) != made

    patch.setattr(timers, "fire_due", in_two)
    patch.setattr(timers, "fire_lost", lambda work, **named: False)


def timer_with_a_new_id_each_time(patch: Patch) -> None:
    """A timer is fired until it is taken, each time as a new event."""
    message_of = timers.message_of

    def anew(timer: Mapping[Any, object]) -> bytes:
        said = orjson.loads(message_of(timer))
        said["id"] = str(uuid.UUID(bytes=os.urandom(16)))
        return orjson.dumps(said)

    read = IntakeHandler.read

    def unchecked(self: IntakeHandler, delivery: Any) -> Incoming[Any]:
        if not delivery.subject.endswith(".timer"):
            return read(self, delivery)
        said = orjson.loads(delivery.raw)
        own, said["id"] = said["id"], said["data"]["timer_id"]
        taken = read(self, delivery._replace(raw=orjson.dumps(said)))
        envelope = taken.body.envelope.model_copy(update={"id": own})
        assert taken.key is not None
        body, key = replace(taken.body, envelope=envelope), taken.key._replace(id=own)
        return taken._replace(delivery=delivery, body=body, key=key)

    fire_due, fire_lost = timers.fire_due, timers.fire_lost

    def until_taken(work: Work, **named: Any) -> bool:
        return fire_lost(work, after_seconds=1.0) or fire_due(work, **named)

    patch.setattr(timers, "fire_due", until_taken)
    patch.setattr(timers, "message_of", anew)
    patch.setattr(IntakeHandler, "read", unchecked)


def cancelled_timer_asks(patch: Patch) -> None:
    """What is cancelled is fired all the same, and looked at as if somebody waited for it."""
    _timer = store.timers.c
    due = select(*timers._ROW).where(_timer.fired_at.is_(None), _timer.due_at <= bindparam("now"))
    patch.setattr(timers, "_DUE", due.order_by(_timer.due_at, _timer.id).limit(bindparam("page")))
    patch.setattr(timers, "_WAITING", _timer.fired_at.is_(None))
    patch.setattr(Fallen, "asks_nothing", lambda self, timer: False)


def cancelled_in_memory_alone(patch: Patch) -> None:
    """That nobody waits for a timer any more is not written down."""
    patch.setattr(Keeping, "_cancel_kept", lambda self, step, persons: None)


def every_router_fires(patch: Patch) -> None:
    """Not the holder of partition 0 alone, and without a fence."""

    async def do(self: Consumer[Any], chore: Chore) -> None:
        def body(connection: Any) -> Work:
            work = Work(connection, service=self._handler.service, now=self._clock.now())
            chore.act(work)
            work.finish()
            return work

        work = await self._database.write(body)
        await self._sender.publish(work.outgoing, work.owners)

    patch.setattr(Consumer, "do", do)


def late_timers_are_dropped(patch: Patch) -> None:
    """What is a day late is not worth looking at."""
    _timer, fire = store.timers.c, timers.fire_due

    def in_time(work: Work, **named: Any) -> bool:
        late = update(store.timers).where(_timer.due_at < work.now - timedelta(days=1), timers._WAITING)
        work.connection.execute(late.values(fired_at=work.now))
        return fire(work, **named)

    patch.setattr(timers, "fire_due", in_time)
    patch.setattr(timers, "fire_lost", lambda work, **named: False)


def timer_closes_its_leg(patch: Patch) -> None:
    """Who does not answer in time does not want him: the leg is closed."""

    def close(case: Case, timer: Any, acting: Acting) -> list[Step]:
        leg = case.legs.get(timer.leg_id)
        if leg is None or leg.closed or leg.status not in NOT_ANSWERED:
            return []
        closed = leg._replace(status=LegStatus.WITHDRAWN, closed_at=acting.now)
        case.legs[leg.id] = closed
        return [LegMoved(leg, closed, "nobody answered")]

    _look(patch, TimerKind.ACKNOWLEDGEMENT, close)


def offer_lapses_silently(patch: Patch) -> None:
    """Nobody answered an offer: it is over."""

    def lapse(case: Case, timer: Any, acting: Acting) -> list[Step]:
        open_ones = [o for o in case.offers.values() if o.leg_id == timer.leg_id and o.is_open]
        return [OfferAnswered(replace(o, answer=OfferAnswer.LAPSED, answered_at=acting.now)) for o in open_ones]

    _look(patch, TimerKind.OFFER, lapse)


def question_asked_once(patch: Patch) -> None:
    """A question whose time has passed is not put to anybody else."""
    _look(patch, TimerKind.REVIEW, lambda case, timer, acting: [])


def _look(patch: Patch, kind: TimerKind, look: Any) -> None:
    patch.setattr("services.router.casework.fell_due.ON_DUE", MappingProxyType({**ON_DUE, kind: look}))


def pause_without_its_review(patch: Patch) -> None:
    """Nobody is asked when it is over."""
    with_checks = pauses._with_checks

    def without(case: Case, begun: Step, pause: Any, acting: Acting) -> list[Step]:
        steps = with_checks(case, begun, pause, acting)
        for step in [s for s in steps if isinstance(s, TimerSet) and s.kind is TimerKind.PAUSE_REVIEW]:
            steps.remove(step)
            case.timers.pop(step.id, None)
        return steps

    patch.setattr(pauses, "_with_checks", without)


def merged_persons_timers_lost(patch: Patch) -> None:
    """Somebody is another one: what was promised for him is tidied away."""

    def tidy(case: Case, other: Case, history: Sequence[Taken], decision: HumanDecision, acting: Acting) -> list[Step]:
        legs = list(other.legs)
        steps = join(case, other, history, decision, acting)
        return [*steps, *(TimerCancelled("merged", leg_id=leg) for leg in legs)]

    patch.setattr("services.router.joined.join", tidy)


def review_answered_twice(patch: Patch) -> None:
    """Nobody looks whether somebody else has answered meanwhile."""

    def open_or_not(case: Case, decision: HumanDecision, *kinds: Any) -> Review:
        review = case.reviews.get(decision.review_id or "")
        if review is not None and review.answered:
            case.reviews[review.id] = replace(review, answered=False)
        return open_review(case, decision, *kinds)

    patch.setattr("services.router.casework.human.open_review", open_or_not)


def asked_in_a_circle(patch: Patch) -> None:
    """Whom a referral was passed on from is asked again."""

    def all_others(destination: Any, seeking: Any, *, first: Sequence[str]) -> list[Any]:
        found = alternatives(destination, seeking, first=first)
        closed = {leg.destination for leg in seeking.case.legs.values() if not leg.closed}
        return [c if c.destination.id in closed else c._replace(obstacles=()) for c in found]

    patch.setattr("services.router.casework.reroute.alternatives", all_others)
    patch.setattr("services.router.casework.reroute._hops", lambda case, leg, destination, acting: 0)


def history_put_right(patch: Patch) -> None:
    """A human's correction goes into the history where the mistake was made."""
    write = Keeping.write

    def rewritten(self: Keeping) -> None:
        for row in self._rows[store.leg_history]:
            if row["effect"] == "corrected":
                before = store.leg_history.update().where(store.leg_history.c.leg_id == row["leg_id"])
                self.work.connection.execute(before.values(to_status=row["to_status"]))
        write(self)

    patch.setattr(Keeping, "write", rewritten)


def timer_of_a_question_with_another(patch: Patch) -> None:
    """A question's timer is the case's, and the question is whose leg it is about: parted, it never comes back."""
    timer = Keeping._timer

    def of_the_case(self: Keeping, step: TimerSet, case: Case, cause: Any) -> dict[str, object]:
        row = timer(self, step, case, cause)
        return row | {"person_id": case.person_id} if step.review_id is not None else row

    patch.setattr(Keeping, "_timer", of_the_case)


PLANTS: Final = (
    timer_marked_in_a_transaction_of_its_own,
    timer_with_a_new_id_each_time,
    cancelled_timer_asks,
    cancelled_in_memory_alone,
    every_router_fires,
    late_timers_are_dropped,
    timer_closes_its_leg,
    offer_lapses_silently,
    question_asked_once,
    pause_without_its_review,
    merged_persons_timers_lost,
    review_answered_twice,
    asked_in_a_circle,
    history_put_right,
    timer_of_a_question_with_another,
)
