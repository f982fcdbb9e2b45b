"""A case in everybody's hands at once: no leg is lost, closes in silence, or stands beside another of its kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.human import HumanDecision
from schemas.progress import ProgressReported
from schemas.refusal import Unacceptable
from schemas.vocabulary import DecisionKind, LegStatus, ProgressKind
from services.router.casework.act import act
from services.router.casework.case import Case, Leg
from services.router.casework.pauses import ASK_HOW
from services.router.casework.resting import RESTING
from services.router.casework.steps import (
    Command,
    LegMoved,
    LegNoted,
    LegOpened,
    PauseAgreed,
    PauseEnded,
    ReviewAsked,
    Step,
    TimerSet,
)
from services.router.rules.decide import decide as decide_by
from services.router.rules.decision import Decision
from services.router.rules.events import EventKind
from services.router.rules.facts import facts_stated
from tests.unit.router.casework.news import NOW, acting, decide, decision, pathway, progress, rules, take

DESTINATIONS = ("dapp", "addiction_service", "mental_health_team")
DECISIONS = (DecisionKind.CORRECT_STATUS, DecisionKind.REOPEN_LEG, DecisionKind.CLOSE_LEG)
MINUTE = timedelta(minutes=1)


@cache
def _routes() -> Decision:
    facts = {
        "age": 34,
        "relationship": "partner",
        "behaviours": ["physical_assault"],
        "substances": ["cocaine"],
        "concerns": ["mental_health_episode"],
        "consent": "yes",
        "in_dapp_area": True,
    }
    return decide_by(rules(), facts_stated(rules(), EventKind.REFERRAL, facts, NOW.date()))


class Cases(RuleBasedStateMachine):
    """Referrals, destinations and humans, in any order, also late and twice."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOW
        self.case = Case("person", NOW)
        self.history: dict[str, list[tuple[str, str | None, LegStatus]]] = {}  # by leg: what it says, why, where
        self.asked: list[ReviewAsked] = []
        self.timed: set[str] = set()
        self.paused: set[str] = set()
        self.commands: dict[str, list[int]] = {}
        self.said: list[ProgressReported] = []

    @initialize()
    def referred(self) -> None:
        self._keep(act(_routes(), acting(self.case, now=self.now)))

    @rule()
    def refer_again(self) -> None:
        self._keep(act(_routes(), acting(self.case, now=self.now)))

    @rule(data=st.data(), kind=st.sampled_from(ProgressKind), late=st.integers(0, 10))
    def destination_tells(self, data: st.DataObject, kind: ProgressKind, late: int) -> None:
        leg = sorted(self.case.legs)[data.draw(st.integers(0, len(self.case.legs) - 1))]
        code = data.draw(st.sampled_from([None, "moved_away", "health"]))
        hours = ((self.now - NOW) - late * MINUTE) / timedelta(hours=1)
        self._tell(progress(kind, hours=hours, leg=leg, reason_code=code))

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def destination_tells_again(self, data: st.DataObject) -> None:
        self._tell(data.draw(st.sampled_from(self.said)))

    @rule(data=st.data(), kind=st.sampled_from(DECISIONS), status=st.none() | st.sampled_from(LegStatus))
    def human_decides(self, data: st.DataObject, kind: DecisionKind, status: LegStatus | None) -> None:
        leg = sorted(self.case.legs)[data.draw(st.integers(0, len(self.case.legs) - 1))]
        code = data.draw(st.sampled_from(["moved_away", "health"]))
        if kind is DecisionKind.CORRECT_STATUS and status is None:
            status = LegStatus.ON_PROGRAMME
        self._decide(decision(kind, leg=leg, now=self.now, status=status, reason_code=code))

    @precondition(lambda self: any(leg.closed for leg in self.case.legs.values()))
    @rule(data=st.data())
    def human_reopens(self, data: st.DataObject) -> None:
        closed = sorted(leg.id for leg in self.case.legs.values() if leg.closed)
        leg = closed[data.draw(st.integers(0, len(closed) - 1))]
        self._decide(decision(DecisionKind.REOPEN_LEG, leg=leg, now=self.now))

    @precondition(lambda self: any(not leg.closed for leg in self.case.legs.values()))
    @rule(data=st.data())
    def human_closes(self, data: st.DataObject) -> None:
        legs = sorted(leg.id for leg in self.case.legs.values() if not leg.closed)
        leg = legs[data.draw(st.integers(0, len(legs) - 1))]
        self._decide(decision(DecisionKind.CLOSE_LEG, leg=leg, now=self.now, reason_code="moved_away"))

    def _tell(self, said: ProgressReported) -> None:
        self.now += MINUTE
        self.said.append(said)
        self._attempt(lambda: take(self.case, said, now=self.now), by_human=False)

    def _decide(self, said: HumanDecision) -> None:
        self.now += MINUTE
        self._attempt(lambda: decide(self.case, said, now=self.now), by_human=True)

    def _attempt(self, do: Callable[[], list[Step]], *, by_human: bool) -> None:
        before = dict(self.case.legs)
        try:
            steps = do()
        except Unacceptable:
            assert self.case.legs == before, "what is refused changes nothing"
            return
        assert before.keys() <= self.case.legs.keys(), "no leg is lost"
        self._keep(steps)
        for leg in before.values():
            self._check_the_move(leg, self.case.legs[leg.id], steps, by_human=by_human)

    def _check_the_move(self, before: Leg, after: Leg, steps: list[Step], *, by_human: bool) -> None:
        rows = [step for step in steps if isinstance(step, LegMoved) and step.leg.id == before.id]
        if after.status is not before.status:
            assert [(row.before.status, row.leg.status) for row in rows] == [(before.status, after.status)]
            assert rows[0].because
        if after.closed and not before.closed and by_human:
            assert [step for step in steps if isinstance(step, ReviewAsked) and step.leg_id == after.id], "silent close"
        if before.closed and not after.closed:
            assert by_human, "only a human opens what is closed"

    def _keep(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case LegOpened(leg):
                    assert leg.id not in self.history
                    self.history[leg.id] = [("opened", "a rule", leg.status)]
                case LegMoved(_, leg, because, effect) | LegNoted(leg, because, effect):
                    self.history[leg.id].append((effect.value, because, leg.status))
                case Command(leg, _, number):
                    self.commands.setdefault(leg.id, []).append(number)
                case ReviewAsked():
                    self.asked.append(step)
                case TimerSet(review_id=str(review)):
                    self.timed.add(review)
                case PauseAgreed(pause):
                    assert pause.leg_id not in self.paused
                    self.paused.add(pause.leg_id)
                case PauseEnded(pause):
                    self.paused.discard(pause.leg_id)

    @invariant()
    def there_is_one_open_leg_to_a_destination_at_most(self) -> None:
        places = [leg.destination for leg in self.case.legs.values() if not leg.closed]
        assert len(places) == len(set(places))

    @invariant()
    def history_ends_where_each_leg_stands_and_says_why(self) -> None:
        assert self.history.keys() == self.case.legs.keys()
        for id_, rows in self.history.items():
            assert rows[-1][2] is self.case.legs[id_].status
            assert all(because for _, because, _ in rows)

    @invariant()
    def ended_and_concluded_are_what_the_pathway_says(self) -> None:
        for leg in self.case.legs.values():
            assert leg.closed is pathway().statuses[leg.status].closed
            assert (leg.stage == "concluded") == (leg.closed and pathway().concludes(leg.status, leg.reason))
            assert leg.closed or leg.reason is None

    @invariant()
    def what_rests_is_remembered_and_what_does_not_rest_has_no_pause(self) -> None:
        for leg in self.case.legs.values():
            if leg.status not in RESTING:
                assert leg.held_from is None
                assert leg.id not in self.paused
            elif leg.id not in self.paused:
                kinds = {review.kind for review in self.asked if review.leg_id == leg.id}
                assert kinds & ASK_HOW, "a rest without an end has somebody who is asked for one"

    @invariant()
    def every_question_has_a_due_time_and_every_command_its_number(self) -> None:
        assert {review.id for review in self.asked} <= self.timed
        for id_, numbers in self.commands.items():
            assert numbers == list(range(1, self.case.legs[id_].commands + 1))


TestCases = Cases.TestCase
TestCases.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
