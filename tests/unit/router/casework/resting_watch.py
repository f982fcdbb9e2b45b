"""A case that is watched: what must hold of offers, pauses and checks after every event and every timer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from schemas.vocabulary import LegStatus, TimerKind
from services.router.casework.case import Leg
from services.router.casework.resting import OPEN, CheckStatus, Offer, Timer, WelfareCheck
from services.router.casework.steps import PauseEnded, Step
from services.router.rules.language import Role
from tests.unit.router.casework.resting_world import World, rules

LAST: Final = Role.SAFEGUARDING_LEAD.value


class Watched(World):
    """A world in which every step is looked at. Any broken promise is an AssertionError."""

    def __post_init__(self) -> None:
        """Nothing has happened yet."""
        super().__post_init__()
        self.ringing = False
        self.legs_before: Mapping[str, Leg] = dict(self.case.legs)
        self.checks_before: Mapping[str, WelfareCheck] = {}
        self.offers_before: Mapping[str, Offer] = {}

    def ring(self, timer: Timer) -> list[Step]:
        """Timers are told apart from what people do."""
        self.ringing = True
        try:
            return super().ring(timer)
        finally:
            self.ringing = False

    def _done(self, steps: list[Step]) -> list[Step]:
        super()._done(steps)
        self._somebody_looks_in()
        self._rest_is_what_was_agreed()
        self._who_rested_goes_on_where_he_stood()
        self._no_check_disappears()
        self._what_is_missed_goes_up()
        assert len([offer for offer in self.case.offers.values() if offer.awaits_a_word]) <= len(
            {offer.leg_id for offer in self.case.offers.values() if offer.awaits_a_word}
        ), "one offer at a time on a leg"
        if self.ringing:
            self._a_timer_decides_nothing(steps)
        self.legs_before, self.checks_before = dict(self.case.legs), dict(self.case.checks)
        self.offers_before = dict(self.case.offers)
        return steps

    def go_to(self, moment: datetime) -> None:
        """After any stretch of time, whatever was due has been brought up."""
        super().go_to(moment)
        for check in self.case.checks.values():
            assert check.status is not CheckStatus.PLANNED or check.due_at > self.now, "a check was not brought up"
            assert check.next_at is None or check.next_at > self.now, "a check was not taken further"
        for pause in self.case.pauses.values():
            assert not pause.is_open or pause.review_id or pause.review_at > self.now, "an end was not asked about"

    def _somebody_looks_in(self) -> None:
        """Also after a pause's end, while nobody has said how it goes on."""
        for pause in self.case.pauses.values():
            if pause.is_open and pause.review_id is not None:
                timers = self.case.timers.values()
                coming = any(t.kind is TimerKind.WELFARE_CHECK and t.leg_id == pause.leg_id for t in timers)
                assert coming, "nobody looks in after the end of a pause"

    def _rest_is_what_was_agreed(self) -> None:
        resting = {leg.id for leg in self.case.legs.values() if leg.status is LegStatus.ON_HOLD}
        pauses = [pause.leg_id for pause in self.case.pauses.values() if pause.is_open]
        assert sorted(resting) == sorted(pauses), "only the paused leg rests, by one pause"
        # A check that waited when its leg closed may be put off: somebody has to see him all the same.
        planned = {
            c.leg_id for c in self.case.checks.values() if c.status is CheckStatus.PLANNED and c.instead_of is None
        }
        assert planned <= resting, "checks are planned for who rests"

    def _who_rested_goes_on_where_he_stood(self) -> None:
        for leg_id, before in self.legs_before.items():
            after = self.case.legs[leg_id]
            if before.status is not LegStatus.ON_HOLD and after.status is LegStatus.ON_HOLD:
                assert after.held_from is before.status, "a pause remembers where the leg stood"
            if before.status is LegStatus.ON_HOLD and after.status is not LegStatus.ON_HOLD and not after.closed:
                assert after.status is before.held_from, "who rested goes on where he stood"

    def _no_check_disappears(self) -> None:
        for id_, before in self.checks_before.items():
            after = self.case.checks.get(id_)
            assert after is not None, "a check disappeared"
            assert before.status in OPEN or after == before, "what became of a check is written once"
            assert before.missed_at is None or after.missed_at == before.missed_at, "a miss stays on record"

    def _what_is_missed_goes_up(self) -> None:
        """One role a working day, counted from when a timer rang, which may be late; nobody after the last one."""
        calendar = rules().calendar
        for check in self.case.checks.values():
            if check.status is CheckStatus.MISSED and check.missed_at is not None:
                assert check.next_at is not None or check.escalated_to == LAST, (
                    "a missed check goes up to the last role"
                )
                latest = calendar.working_days_after(self.now, 1)
                assert check.next_at is None or check.next_at <= latest, "the next role is asked in time"

    def _a_timer_decides_nothing(self, steps: list[Step]) -> None:
        for leg_id, before in self.legs_before.items():
            assert self.case.legs[leg_id].status is before.status, "a timer moved a leg"
        assert not [step for step in steps if isinstance(step, PauseEnded)], "a timer ended a pause"
        for id_, check in self.checks_before.items():
            if check.status in OPEN:
                assert self.case.checks[id_].status in OPEN, "a timer ended a check"
        for id_, offer in self.offers_before.items():
            assert not offer.awaits_a_word or self.case.offers[id_].awaits_a_word, "a timer answered an offer"
