"""Any order of what people do and of what time does: nothing falls silent, nothing is lost, no timer decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from schemas.progress import Pause
from schemas.refusal import Unacceptable
from schemas.vocabulary import DecisionKind, PauseParty, PauseReason, ProgressKind, RiskKind, WelfareOutcome
from services.router.casework.case import Case
from services.router.casework.steps import ReviewKind
from tests.unit.router.casework.resting_watch import Watched

BEGINNINGS: Final = (
    datetime(2026, 3, 20, 12, tzinfo=UTC),  # the clocks go forward on the 29th, Easter is on 5 April
    datetime(2026, 10, 16, 12, tzinfo=UTC),  # they go back on the 25th
    datetime(2028, 2, 18, 12, tzinfo=UTC),  # a leap year
    datetime(2026, 12, 18, 12, tzinfo=UTC),  # Christmas, the days between, the new year
)
RESTING: Final = ("dapp", "addiction_service")
ASKED: Final = {
    ReviewKind.OFFER_LAPSED: ("agree", "decline"),
    ReviewKind.PAUSE_END: ("resume", "extend", "close"),
    ReviewKind.WELFARE_CHECK: tuple(outcome.value for outcome in WelfareOutcome),
}

days = st.integers(-3, 45)
outcomes = st.sampled_from(WelfareOutcome) | st.none()


class Resting(RuleBasedStateMachine):
    """Two legs that can rest, and all that people and time can do to them."""

    world: Watched

    @initialize(beginning=st.sampled_from(BEGINNINGS))
    def begin(self, beginning: datetime) -> None:
        """On one of the awkward dates."""
        self.world = Watched(beginning)

    @rule(hours=st.integers(1, 80))
    def time_passes(self, hours: int) -> None:
        """Timers ring as they fall due."""
        self.world.go(timedelta(hours=hours))

    @rule(hours=st.integers(24, 400))
    def after_an_outage(self, hours: int) -> None:
        """Timers ring late, in their order."""
        self.world.now += timedelta(hours=hours)
        self.world.go(timedelta())

    @rule(kind=st.sampled_from((RiskKind.RELAPSE, RiskKind.MISSED_WELFARE_CHECK, RiskKind.LOW_MOOD)))
    def something_happens(self, kind: RiskKind) -> None:
        """A source reports a risk."""
        with self.refused_or_done():
            self.world.risk(kind)

    @rule(
        kind=st.sampled_from(
            (
                ProgressKind.ACCEPTED,
                ProgressKind.STARTED,
                ProgressKind.WAITLISTED,
                ProgressKind.OFFER_AGREED,
                ProgressKind.OFFER_DECLINED,
                ProgressKind.RESUMED,
            )
        ),
        leg=st.sampled_from(RESTING),
    )
    def a_destination_tells(self, kind: ProgressKind, leg: str) -> None:
        """Of a step of its leg."""
        with self.refused_or_done():
            self.world.progress(kind, leg=leg)

    @rule(start=st.integers(-10, 3), length=st.integers(1, 45), leg=st.sampled_from(RESTING))
    def a_pause_is_agreed(self, start: int, length: int, leg: str) -> None:
        """Perhaps told late."""
        first = self.world.today + timedelta(days=start)
        said = Pause(
            reason=PauseReason.RELAPSE,
            from_date=first,
            until_date=first + timedelta(days=length),
            agreed_by=frozenset(PauseParty),
        )
        with self.refused_or_done():
            self.world.progress(ProgressKind.PAUSE_AGREED, leg=leg, pause=said)

    @rule(outcome=outcomes, leg=st.sampled_from(RESTING))
    def a_check_is_done(self, outcome: WelfareOutcome | None, leg: str) -> None:
        """By the destination."""
        with self.refused_or_done():
            self.world.progress(ProgressKind.WELFARE_CHECK_DONE, leg=leg, welfare_check=outcome)

    @rule(
        kind=st.sampled_from(
            (
                DecisionKind.EXTEND_PAUSE,
                DecisionKind.SHORTEN_PAUSE,
                DecisionKind.RESCHEDULE_CHECK,
                DecisionKind.MUTE_CHECKS,
                DecisionKind.RESUME_LEG,
                DecisionKind.AGREE_OFFER,
                DecisionKind.DECLINE_OFFER,
            )
        ),
        ahead=days,
    )
    def a_human_decides(self, kind: DecisionKind, ahead: int) -> None:
        """Of the programme's leg, with a day that may make no sense."""
        with self.refused_or_done():
            self.world.human(kind, on=self.world.today + timedelta(days=ahead))

    @precondition(lambda self: any(r.kind in ASKED for r in self.world.case.reviews.values()))
    @rule(data=st.data(), ahead=days)
    def a_question_is_answered(self, data: st.DataObject, ahead: int) -> None:
        """Any of those that are open."""
        questions = sorted((r for r in self.world.case.reviews.values() if r.kind in ASKED), key=lambda r: r.id)
        review = data.draw(st.sampled_from(questions))
        answer = data.draw(st.sampled_from(ASKED[review.kind]))
        on = self.world.today + timedelta(days=ahead)
        with self.refused_or_done():
            self.world.human(DecisionKind.ANSWER_REVIEW, review_id=review.id, answer=answer, on=on)

    @rule(leg=st.sampled_from(RESTING))
    def a_destination_closes(self, leg: str) -> None:
        """Its leg, for a reason."""
        with self.refused_or_done():
            self.world.progress(ProgressKind.CLOSED, leg=leg, reason="He moved away.")

    @contextmanager
    def refused_or_done(self) -> Iterator[None]:
        """What cannot be said in a state is refused before it changes anything."""
        before = _copy(self.world.case)
        try:
            yield
        except Unacceptable:
            assert self.world.case == before


def _copy(case: Case) -> Case:
    return replace(
        case,
        legs=dict(case.legs),
        events=list(case.events),
        offers=dict(case.offers),
        pauses=dict(case.pauses),
        checks=dict(case.checks),
        reviews=dict(case.reviews),
        timers=dict(case.timers),
    )


TestResting = Resting.TestCase
TestResting.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
