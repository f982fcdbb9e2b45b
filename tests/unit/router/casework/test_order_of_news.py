"""Late, repeated and reordered news: what commutes comes to the same in any order; what conflicts comes to a human."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from schemas.progress import ProgressReported
from schemas.refusal import Unacceptable
from schemas.vocabulary import LegStatus, ProgressKind
from services.router.casework.account import Account
from services.router.casework.case import Case, Leg
from services.router.casework.steps import Effect, LegMoved, LegNoted, ReviewAsked, ReviewKind, Step
from tests.unit.router.casework.news import LEG, case_at, pathway, progress, take

STANDING = (
    ProgressKind.ACKNOWLEDGED,
    ProgressKind.FIRST_CONTACT,
    ProgressKind.ADDITIONAL_ASSESSMENT,
    ProgressKind.WAITLISTED,
    ProgressKind.ACCEPTED,
    ProgressKind.STARTED,
    ProgressKind.ATTENDED,
    ProgressKind.MISSED,
    ProgressKind.PAUSE_AGREED,
    ProgressKind.RESUMED,
    ProgressKind.COMPLETED,
    ProgressKind.DECLINED,
    ProgressKind.NO_CAPACITY,
    ProgressKind.CLOSED,
)
CODES = (None, "moved_away", "health")


class Heard(NamedTuple):
    """What became of a word."""

    effect: str
    steps: tuple[Step, ...]


def _deliver(case: Case, said: ProgressReported) -> Heard:
    before = case.legs[LEG]
    try:
        steps = tuple(take(case, said))
    except Unacceptable as why:
        assert case.legs[LEG] == before, "what is refused changes nothing"
        return Heard(why.reason, ())
    [effect] = [step.effect for step in steps if isinstance(step, LegMoved | LegNoted)]
    return Heard(effect.value, steps)


def _deliver_all(news: list[ProgressReported]) -> tuple[Leg, list[Heard]]:
    case = case_at()
    heard = [_deliver(case, said) for said in news]
    return case.legs[LEG], heard


def _well(heard: list[Heard]) -> bool:
    """Whether all of it was moved by or noted."""
    return all(word.effect in (Effect.MOVED, Effect.NOTED, Effect.CONCLUDED) for word in heard)


def _stands(leg: Leg) -> tuple[object, ...]:
    return leg.stand, leg.closed, leg.stage


@st.composite
def _news(draw: st.DrawFn) -> list[ProgressReported]:
    """A few words of a destination, in the order in which the things happened; some in the same moment."""
    found = []
    for hours in sorted(draw(st.lists(st.integers(0, 6), min_size=2, max_size=6))):
        kind = draw(st.sampled_from(STANDING))
        more: dict[str, Any] = {}
        if kind is ProgressKind.WAITLISTED:
            more = {"waitlist_place": draw(st.integers(1, 3)), "expected_on": date(2026, 5, draw(st.integers(1, 3)))}
        if kind is ProgressKind.CLOSED:
            more = {"reason_code": draw(st.sampled_from(CODES))}
        found.append(progress(kind, hours=hours, **more))
    return sorted(found, key=lambda said: (said.occurred_at, STANDING.index(said.kind)))


def _commute(news: list[ProgressReported]) -> bool:
    """Whether any part of it, told in the order of occurrence, goes through: so whatever comes first goes through."""
    parts = (part for size in range(1, len(news) + 1) for part in itertools.combinations(news, size))
    return all(_well(_deliver_all(list(part))[1]) for part in parts)


def _tale(*kinds: ProgressKind) -> list[ProgressReported]:
    return [progress(kind, hours=place) for place, kind in enumerate(kinds)]


@settings(max_examples=300)
@given(_news(), st.data())
@example(_tale(ProgressKind.STARTED, ProgressKind.ADDITIONAL_ASSESSMENT, ProgressKind.ACCEPTED), None)
@example(_tale(ProgressKind.ACCEPTED, ProgressKind.STARTED, ProgressKind.ACKNOWLEDGED), None)
@example(_tale(ProgressKind.STARTED, ProgressKind.PAUSE_AGREED, ProgressKind.RESUMED, ProgressKind.ATTENDED), None)
@example(_tale(ProgressKind.STARTED, ProgressKind.PAUSE_AGREED, ProgressKind.COMPLETED, ProgressKind.CLOSED), None)
def test_news_that_commutes_comes_to_the_same_in_any_order_and_however_often(
    news: list[ProgressReported], data: st.DataObject | None
) -> None:
    assume(_commute(news))
    expected, _ = _deliver_all(news)
    if data is None:
        orders = [list(order) for order in itertools.permutations(news)]
    else:
        again = data.draw(st.lists(st.sampled_from(news), max_size=3))
        orders = [data.draw(st.permutations([*news, *again]))]
    for order in orders:
        leg, heard = _deliver_all(order)
        assert _well(heard), [(said.kind, word.effect) for said, word in zip(order, heard, strict=True)]
        assert _stands(leg) == _stands(expected), [said.kind for said in order]


@given(_news().flatmap(st.permutations))
def test_no_word_is_ever_dropped_and_no_destination_opens_what_is_closed(news: list[ProgressReported]) -> None:
    case = case_at()
    for said in news:
        before = case.legs[LEG]
        word = _deliver(case, said)
        asked = [step.kind for step in word.steps if isinstance(step, ReviewAsked)]
        assert asked == ([ReviewKind.CONFLICT] if word.effect == Effect.CONFLICT else [])
        assert case.legs[LEG].closed or not before.closed
        if before.closed:
            assert word.steps, "of a closed leg nothing is refused: its file is kept whole, or a human is asked"


@given(_news().flatmap(st.permutations))
def test_what_was_told_survives_the_store(news: list[ProgressReported]) -> None:
    account = _deliver_all(news)[0].told
    assert Account.from_json(account.to_json()) == account


# What cannot both be, the first having happened before the second.
CONFLICTS = [
    (ProgressKind.COMPLETED, ProgressKind.STARTED),
    (ProgressKind.CLOSED, ProgressKind.STARTED),
    (ProgressKind.CLOSED, ProgressKind.ATTENDED),
    (ProgressKind.DECLINED, ProgressKind.STARTED),
    (ProgressKind.NO_CAPACITY, ProgressKind.FIRST_CONTACT),
    (ProgressKind.COMPLETED, ProgressKind.PAUSE_AGREED),
    (ProgressKind.DECLINED, ProgressKind.RESUMED),
]


@pytest.mark.parametrize(("first", "then"), CONFLICTS)
@pytest.mark.parametrize("late", [False, True])
def test_what_cannot_both_be_ends_in_a_question_to_a_human_in_either_order(
    first: ProgressKind, then: ProgressKind, late: bool
) -> None:
    news = [progress(first, hours=1), progress(then, hours=2)]
    leg, heard = _deliver_all(news[::-1] if late else news)
    assert heard[-1].effect == Effect.CONFLICT
    assert [step.leg_id for step in heard[-1].steps if isinstance(step, ReviewAsked)] == [leg.id]


@pytest.mark.parametrize(
    "kind",
    [ProgressKind.ACKNOWLEDGED, ProgressKind.ACCEPTED, ProgressKind.FIRST_CONTACT, ProgressKind.ATTENDED],
)
@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_late_news_of_the_way_is_noted_and_moves_nothing_back(kind: ProgressKind, hours: int) -> None:
    case = case_at()
    _deliver(case, progress(ProgressKind.STARTED))
    assert _deliver(case, progress(kind, hours=hours)).effect == Effect.NOTED
    assert case.legs[LEG].status is LegStatus.ON_PROGRAMME


def test_a_start_that_is_told_after_its_pause_is_where_the_leg_goes_back_to() -> None:
    case = case_at()
    _deliver(case, progress(ProgressKind.PAUSE_AGREED, hours=5))
    assert case.legs[LEG].held_from is LegStatus.REQUESTED
    _deliver(case, progress(ProgressKind.STARTED, hours=1))
    assert (case.legs[LEG].status, case.legs[LEG].held_from) == (LegStatus.ON_HOLD, LegStatus.ON_PROGRAMME)


def test_a_pause_that_is_told_after_its_end_holds_nothing() -> None:
    case = case_at()
    for kind, hours in ((ProgressKind.STARTED, 0), (ProgressKind.RESUMED, 5), (ProgressKind.PAUSE_AGREED, 1)):
        word = _deliver(case, progress(kind, hours=hours))
    assert word.effect == Effect.NOTED
    assert case.legs[LEG].status is LegStatus.ON_PROGRAMME


def test_every_kind_that_says_where_a_leg_stands_is_tried_here() -> None:
    others = {ProgressKind.OFFER_AGREED, ProgressKind.OFFER_DECLINED, ProgressKind.WELFARE_CHECK_DONE}
    assert {*ProgressKind} - others == {*STANDING}
    assert pathway().has(LegStatus.ON_PROGRAMME)
