"""The watch over a resting case sees what it is there to see: each mistake that is planted here turns it red."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest

from schemas.timer import TimerFellDue
from schemas.vocabulary import DecisionKind, LegStatus, ProgressKind, RiskKind, TimerKind, WelfareOutcome
from services.router.casework import checks, decided, fell_due, offers, pauses, progress
from services.router.casework.act import Acting
from services.router.casework.case import Case, Leg
from services.router.casework.pathway import put
from services.router.casework.pauses import Terms
from services.router.casework.resting import CheckStatus, OfferAnswer, WelfareCheck
from services.router.casework.steps import CheckPlanned, OfferAnswered, ReviewKind, Step, Word
from tests.unit.router.casework.resting_watch import Watched
from tests.unit.router.casework.resting_world import DAPP

Plant = Callable[[pytest.MonkeyPatch], None]


def _story(world: Watched) -> None:
    """All that can happen to a pause, once."""
    world.risk(RiskKind.RELAPSE)
    world.risk(RiskKind.RELAPSE)
    world.go(timedelta(days=10))
    world.progress(ProgressKind.OFFER_DECLINED)
    world.progress(ProgressKind.ADDITIONAL_ASSESSMENT)
    world.pause(world.today + timedelta(days=28))
    world.human(DecisionKind.EXTEND_PAUSE, on=world.today + timedelta(days=42))
    world.human(DecisionKind.SHORTEN_PAUSE, on=world.today + timedelta(days=21))
    world.go(timedelta(days=13))  # the first check goes up to the last role
    world.human(DecisionKind.RECORD_CHECK, welfare_check=WelfareOutcome.WELL)
    world.go(timedelta(days=30))  # past the end
    [asked] = world.reviews(ReviewKind.PAUSE_END)
    world.human(DecisionKind.ANSWER_REVIEW, review_id=asked.id, answer="resume")
    assert world.dapp.status is LegStatus.AWAITING_ASSESSMENT
    world.go(timedelta(days=30))


def _no_timer_for_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def planned(check: WelfareCheck, acting: Acting) -> list[Step]:
        return [CheckPlanned(check)]

    monkeypatch.setattr(checks, "_planned", planned)


def _extending_does_not_move_the_review(monkeypatch: pytest.MonkeyPatch) -> None:
    real = pauses.extend_pause

    def extend(case: Case, leg: Leg, until: date, acting: Acting, *, because: str, word: Word) -> list[Step]:
        before = set(case.timers)
        steps = real(case, leg, until, acting, because=because, word=word)
        for id_ in [i for i, t in case.timers.items() if i not in before and t.kind is TimerKind.PAUSE_REVIEW]:
            del case.timers[id_]
        return [step for step in steps if getattr(step, "kind", None) is not TimerKind.PAUSE_REVIEW]

    monkeypatch.setattr(decided, "extend_pause", extend)


def _resuming_forgets_where_he_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    real = pauses.resume_leg

    def resume(
        case: Case, leg: Leg, acting: Acting, *, because: str, word: Word, to: LegStatus | None = None
    ) -> list[Step]:
        forgetful = leg._replace(held_from=LegStatus.ON_PROGRAMME)
        return real(case, forgetful, acting, because=because, word=word, to=to)

    monkeypatch.setattr(decided, "resume_leg", resume)


def _escalation_stops_after_the_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LADDER", checks.LADDER[:2])


def _nobody_is_asked_when_a_check_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    _on_due(monkeypatch, TimerKind.CHECK_ESCALATION, _nothing)


def _an_offers_timer_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _on_due(monkeypatch, TimerKind.OFFER, _nothing)


def _an_offer_lapses_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    def lapse(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
        return [
            OfferAnswered(replace(offer, answer=OfferAnswer.LAPSED))
            for offer in case.offers.values()
            if offer.is_open and offer.answer_by <= timer.due_at
        ]

    _on_due(monkeypatch, TimerKind.OFFER, lapse)


def _an_offer_lapses_into_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def decline(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
        offer = offers.answerable_offer(case, str(timer.leg_id))
        return offers.answer_offer(case, offer, OfferAnswer.DECLINED, acting) if offer is not None else []

    _on_due(monkeypatch, TimerKind.OFFER, decline)


def _a_second_offer_stands_beside_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "answerable_offer", lambda case, leg_id: None)


def _a_timer_ends_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    def resume(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
        word = Word("resume_leg", acting.now)
        return pauses.resume_leg(case, case.legs[str(timer.leg_id)], acting, because="its time is over", word=word)

    _on_due(monkeypatch, TimerKind.PAUSE_REVIEW, resume)


def _a_timer_ends_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def drop(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
        open_ones = case.checks_of(str(timer.leg_id), {CheckStatus.DUE})
        return checks.end_checks(open_ones, CheckStatus.NOT_NEEDED, acting, reason="its time is over")

    _on_due(monkeypatch, TimerKind.CHECK_ESCALATION, drop)


def _every_leg_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    real = pauses.rest

    def rest(case: Case, leg: Leg, terms: Terms, acting: Acting) -> list[Step]:
        steps = real(case, leg, terms, acting)
        for id_, other in case.legs.items():
            held = put(acting.rules.pathway, other, LegStatus.ON_HOLD, now=acting.now)
            case.legs[id_] = other if id_ == DAPP else held
        return steps

    monkeypatch.setattr(progress, "rest", rest)


def _checks_that_are_not_needed_are_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def remove(ended: list[WelfareCheck], status: CheckStatus, acting: Acting, **_: object) -> list[Step]:
        for check in ended:
            del acting.case.checks[check.id]
        return []

    monkeypatch.setattr(pauses, "end_checks", remove)


def _checks_go_on_when_he_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "end_checks", lambda ended, status, acting, **_: [])


def _nobody_looks_in_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "keep_checking", lambda leg_id, acting: [])
    monkeypatch.setattr("services.router.casework.pause_ends.keep_checking", lambda leg_id, acting: [])


def _on_due(monkeypatch: pytest.MonkeyPatch, kind: TimerKind, look: fell_due.FellDue) -> None:
    monkeypatch.setattr(fell_due, "ON_DUE", {**fell_due.ON_DUE, kind: look})


def _nothing(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    return []


PLANTED: Final[tuple[Plant, ...]] = (
    _no_timer_for_a_check,
    _extending_does_not_move_the_review,
    _resuming_forgets_where_he_stood,
    _escalation_stops_after_the_manager,
    _nobody_is_asked_when_a_check_is_missed,
    _an_offers_timer_does_nothing,
    _an_offer_lapses_silently,
    _an_offer_lapses_into_a_no,
    _a_second_offer_stands_beside_the_first,
    _a_timer_ends_a_pause,
    _a_timer_ends_a_check,
    _every_leg_rests,
    _checks_that_are_not_needed_are_taken_away,
    _checks_go_on_when_he_does,
    _nobody_looks_in_after_the_end,
)


def test_the_story_itself_breaks_no_promise() -> None:
    _story(Watched(datetime(2026, 3, 2, 12, tzinfo=UTC)))


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_mistake_is_seen(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        _story(Watched(datetime(2026, 3, 2, 12, tzinfo=UTC)))
