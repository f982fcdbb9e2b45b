"""Two persons who are one for a while, and services that pass them on: no leg is lost, doubled or closed in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from schemas.refusal import Unacceptable
from schemas.vocabulary import DecisionKind, LegStatus, ProgressKind
from services.router import joined
from services.router.casework import fitting, joining, reroute
from services.router.casework.case import Case, Leg
from services.router.casework.reroute import MOST_HOPS
from services.router.casework.silence import nothing_silent
from services.router.casework.steps import LegMoved, LegParted, ReviewAsked, Step
from tests.unit.router.casework.shelf import ONE, OTHER, HistoryRow, Shelf, rules

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
TELLS = (
    ProgressKind.ACKNOWLEDGED,
    ProgressKind.ACCEPTED,
    ProgressKind.STARTED,
    ProgressKind.DECLINED,
    ProgressKind.NO_CAPACITY,
    ProgressKind.COMPLETED,
    ProgressKind.CLOSED,
)
persons = st.sampled_from((ONE, OTHER))


class TwoCases(RuleBasedStateMachine):
    """Referrals, destinations, humans and time, for two persons who may be one."""

    shelf: Shelf

    @initialize()
    def begin(self) -> None:
        """Both are referred."""
        self.shelf = shelf = Shelf(NOW)
        self.real = {name: vars(joined)[name] for name in ("history_of", "edges_of")}
        vars(joined).update(
            history_of=lambda whom, case, work: shelf.past_of(list(whom)),
            edges_of=lambda case, work: shelf.edges(),
        )
        self.rows: list[HistoryRow] = []
        self.seen: set[str] = set()
        for person in (ONE, OTHER):
            self._do(lambda person=person: shelf.refer(person))  # type: ignore[misc]

    def teardown(self) -> None:
        """As it was."""
        if hasattr(self, "real"):
            vars(joined).update(self.real)

    @rule(person=persons)
    def refer_again(self, person: str) -> None:
        self._do(lambda: self.shelf.refer(person))

    @rule(data=st.data(), kind=st.sampled_from(TELLS))
    def destination_tells(self, data: st.DataObject, kind: ProgressKind) -> None:
        leg = data.draw(st.sampled_from(sorted(self.shelf.legs)))
        self._do(lambda: self.shelf.progress(leg, kind))

    @rule(data=st.data(), kind=st.sampled_from((ProgressKind.DECLINED, ProgressKind.NO_CAPACITY)))
    def destination_passes_him_on(self, data: st.DataObject, kind: ProgressKind) -> None:
        """The legs with others who do the same job, most of all."""
        legs = [id_ for id_, (_, leg) in self.shelf.legs.items() if leg.destination.startswith(("addiction", "mental"))]
        if legs:
            leg = data.draw(st.sampled_from(sorted(legs)))
            self._do(lambda: self.shelf.progress(leg, kind))

    @rule(days=st.integers(1, 6))
    def nobody_answers(self, days: int) -> None:
        """Timers ring as they fall due."""
        until = self.shelf.now + timedelta(days=days)
        while due := [timer for _, timer in self.shelf.timers.values() if timer.due_at <= until]:
            first = min(due, key=lambda timer: (timer.due_at, timer.id))
            self._do(lambda first=first: self.shelf.ring(first), by_timer=True)  # type: ignore[misc]
        self.shelf.now = max(self.shelf.now, until)

    @rule(data=st.data(), kind=st.sampled_from((DecisionKind.CLOSE_LEG, DecisionKind.REOPEN_LEG)))
    def human_decides(self, data: st.DataObject, kind: DecisionKind) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.shelf.legs)))
        owner, _ = self.shelf.legs[id_]
        more: dict[str, Any] = {"reason_code": "moved_away"} if kind is DecisionKind.CLOSE_LEG else {}
        self._do(lambda: self.shelf.human(owner, kind, leg_id=id_, **more), by_human=True)

    @rule(data=st.data(), status=st.sampled_from((LegStatus.ON_PROGRAMME, LegStatus.WITHDRAWN, LegStatus.DEFERRED)))
    def human_corrects(self, data: st.DataObject, status: LegStatus) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.shelf.legs)))
        owner, _ = self.shelf.legs[id_]
        decide = DecisionKind.CORRECT_STATUS
        self._do(lambda: self.shelf.human(owner, decide, leg_id=id_, status=status), by_human=True)

    @precondition(lambda self: not self.shelf.edges())
    @rule(survivor=persons)
    def they_are_one(self, survivor: str) -> None:
        merged = OTHER if survivor == ONE else ONE
        self._do(lambda: self.shelf.merge(survivor, merged))

    @precondition(lambda self: self.shelf.edges())
    @rule()
    def they_are_two(self) -> None:
        [(merged, survivor)] = self.shelf.edges().items()
        self._do(lambda: self.shelf.part(survivor, merged))

    def _do(self, act: Callable[[], list[Step]], *, by_human: bool = False, by_timer: bool = False) -> None:
        self.shelf.now += timedelta(minutes=1)
        before = dict(self.shelf.legs)
        rows = list(self.shelf.history)
        try:
            steps = act()
        except Unacceptable:
            assert (self.shelf.legs, self.shelf.history) == (before, rows), "what is refused changes nothing"
            return
        assert before.keys() <= self.shelf.legs.keys(), "no leg is lost"
        for id_, (owner, leg) in before.items():
            after_owner, after = self.shelf.legs[id_]
            assert after_owner == owner, "whose a leg is never changes"
            self._check_the_move(leg, after, steps, by_human=by_human, by_timer=by_timer)

    def _check_the_move(self, before: Leg, after: Leg, steps: list[Step], *, by_human: bool, by_timer: bool) -> None:
        moved = [step for step in steps if isinstance(step, LegMoved) and step.leg.id == before.id]
        if after.status is not before.status:
            assert moved, "what moved says so"
            assert not by_timer, "no timer moves a leg"
        if after.closed and not before.closed:
            asked = [s for s in steps if isinstance(s, ReviewAsked)]
            passed_on = [leg for _, leg in self.shelf.legs.values() if leg.reroute_of == before.id]
            elsewhere = [leg for _, leg in self.shelf.legs.values() if _does_its_job(leg, after)]
            open_still = any(r.leg_id == after.id and not r.answered for _, r in self.shelf.reviews.values())
            assert asked or passed_on or elsewhere or open_still, "silent close"
        if before.closed and not after.closed:
            assert by_human, "only a human opens what is closed"

    def _roots(self) -> list[Case]:
        return [self.shelf.load(person) for person, kept in self.shelf.cases.items() if kept.merged_into is None]

    @invariant()
    def every_leg_is_in_one_case(self) -> None:
        found = Counter(id_ for case in self._roots() for id_ in case.legs)
        assert found == Counter(self.shelf.legs.keys())

    @invariant()
    def no_two_legs_to_one_destination_go_on(self) -> None:
        for case in self._roots():
            places = [leg.destination for leg in case.legs.values() if case.goes_on(leg)]
            assert len(places) == len(set(places))
            opened = {leg.destination for leg in case.legs.values() if not leg.closed}
            assert opened == set(places), "where one is open, one goes on"
            assert all(leg.joined_to in {None, *case.legs} for leg in case.legs.values()), "joined to none elsewhere"
        by_owner = Counter((owner, leg.destination) for owner, leg in self.shelf.legs.values() if not leg.closed)
        assert max(by_owner.values(), default=0) <= 1

    @invariant()
    def history_never_shrinks_and_ends_where_each_leg_stands(self) -> None:
        assert self.shelf.history[: len(self.rows)] == self.rows
        self.rows = list(self.shelf.history)
        last = {row.leg_id: row for row in self.rows}
        assert last.keys() == self.shelf.legs.keys()
        for id_, row in last.items():
            assert row.to_status == self.shelf.legs[id_][1].status
        assert all(row.because for row in self.rows)

    @invariant()
    def nobody_is_passed_on_for_ever(self) -> None:
        hops = Counter(
            (owner, leg.occasion, rules().destinations[leg.destination].serves)
            for owner, leg in self.shelf.legs.values()
            if leg.reroute_of is not None
        )
        assert max(hops.values(), default=0) <= MOST_HOPS
        tried = Counter(
            (leg.occasion, leg.destination) for _, leg in self.shelf.legs.values() if leg.reroute_of is not None
        )
        assert max(tried.values(), default=0) <= 2, "each is asked once for a referral; two persons had one each"

    @invariant()
    def nothing_falls_silent(self) -> None:
        for case in self._roots():
            assert nothing_silent(case, rules()) == []


def _does_its_job(leg: Leg, closed: Leg) -> bool:
    known = rules().destinations
    return not leg.closed and known[leg.destination].serves == known[closed.destination].serves


TestTwoCases = TwoCases.TestCase
TestTwoCases.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def _no_leg_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_one_leg_each", lambda case, acting: [])


def _passed_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reroute, "MOST_HOPS", 99)
    monkeypatch.setattr(fitting, "tried", lambda case, destination, occasion: None)


def _who_is_asked_next_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    real = vars(reroute)["begin"]
    monkeypatch.setattr(reroute, "begin", lambda *args: real(*args)[:-1])


def _nobody_is_asked_where_nobody_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reroute, "_nobody", lambda *args: [])


def _parting_leaves_legs_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    real = vars(joined)["part"]
    monkeypatch.setitem(vars(joined), "part", lambda *args: [s for s in real(*args) if not isinstance(s, LegParted)])


@pytest.mark.parametrize(
    "plant",
    [
        _no_leg_is_joined,
        _passed_on_for_ever,
        _who_is_asked_next_is_not_watched,
        _nobody_is_asked_where_nobody_is_left,
        _parting_leaves_legs_joined,
    ],
)
def test_a_planted_mistake_is_seen(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    quick = settings(max_examples=200, stateful_step_count=25, deadline=None, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(TwoCases, settings=quick)
