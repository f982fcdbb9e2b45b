"""Windows counted anew are what `facts_of` would have counted then, for any number of days and any order of telling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.router.rules.declarations import CountWithin, DaysSince
from services.router.rules.events import CaseEvent, EventKind, PastEvent
from services.router.rules.replay import past, windows
from services.router.rules.replay.past import Decided, Happened, Past, Recorder
from services.router.rules.replay.windows import NEVER, UNTOLD, counts_within, days_since
from services.router.rules.windows import count_within
from services.router.rules.windows import days_since as days_since_one
from tests.unit.router.rules.replayed import planted

KINDS = (EventKind.RELAPSE, EventKind.LOW_MOOD, EventKind.THREAT)
BEGINNING = datetime(2026, 3, 20, 22, tzinfo=UTC)  # the clocks go forward nine days on
REACH = timedelta(days=366)

Told = tuple[str, EventKind, datetime, datetime]  # whose, what, when it happened, when it was told


@st.composite
def told(draw: st.DrawFn) -> list[Told]:
    """Events of two people in the order of telling; some are told late, and two can have the same moment."""
    many = draw(st.integers(1, 14))
    moments = sorted(draw(st.lists(st.integers(0, 24 * 40), min_size=many, max_size=many)))
    late = st.sampled_from([0, 0, 0, 1, 20, 30, 24 * 12, 24 * 370])
    return [
        (
            draw(st.sampled_from(["one", "other"])),
            draw(st.sampled_from(KINDS)),
            BEGINNING + timedelta(hours=hour - draw(late)),
            BEGINNING + timedelta(hours=hour),
        )
        for hour in moments
    ]


def past_of(events: list[Told]) -> Past:
    """All of them decided, in that order."""
    recorder = Recorder()
    recorder.add(
        [
            Decided(f"d{number:03}", f"e{number:03}", who, at, "sha256:x", {"event": kind.value}, None)
            for number, (who, kind, _, at) in enumerate(events)
        ]
    )
    return recorder.past(
        Happened(f"e{number:03}", who, kind.value, occurred, at, number)
        for number, (who, kind, occurred, at) in enumerate(events)
    )


def before(events: list[Told], number: int) -> tuple[CaseEvent, list[PastEvent]]:
    """One event, and what was known of its person when it was decided."""
    who, kind, occurred, at = events[number]
    known = [
        PastEvent(other.value, then) for whose, other, then, _ in events[:number] if whose == who and then > at - REACH
    ]
    return CaseEvent(kind, None, occurred, at), known  # type: ignore[arg-type] # windows read no payload


def counts_agree(events: list[Told], days: int, kinds: set[EventKind]) -> bool:
    """Whether all of them are counted as each would have been."""
    source = CountWithin(tuple(sorted(kinds)), days)
    expected = [count_within(source, *before(events, number)) for number in range(len(events))]
    return list(counts_within(past_of(events), source, reach_days=REACH.days)) == expected


def days_agree(events: list[Told], kinds: set[EventKind]) -> bool:
    """The same of the days since the last one."""
    source = DaysSince(tuple(sorted(kinds)))
    expected = [days_since_one(source, *before(events, number)) for number in range(len(events))]
    counted = list(days_since(past_of(events), source, reach_days=REACH.days))
    return counted == [NEVER if days is None else days for days in expected]


@settings(max_examples=300, deadline=None)
@given(told(), st.integers(0, 35), st.sets(st.sampled_from(KINDS), min_size=1))
@example([("one", EventKind.RELAPSE, BEGINNING, BEGINNING)] * 3, 0, {EventKind.RELAPSE})
def test_any_number_of_days_is_counted_as_it_would_have_been(
    events: list[Told], days: int, kinds: set[EventKind]
) -> None:
    assert counts_agree(events, days, kinds)


@settings(max_examples=300, deadline=None)
@given(told(), st.sets(st.sampled_from(KINDS), min_size=1))
def test_days_since_are_counted_as_they_would_have_been(events: list[Told], kinds: set[EventKind]) -> None:
    assert days_agree(events, kinds)


def some_told(random: Random) -> list[Told]:
    """As `told`, quicker."""
    moments = sorted(random.randint(0, 24 * 40) for _ in range(random.randint(1, 14)))
    return [
        (
            random.choice(("one", "other")),
            random.choice(KINDS),
            BEGINNING + timedelta(hours=hour - random.choice((0, 0, 0, 1, 20, 30, 24 * 12, 24 * 370))),
            BEGINNING + timedelta(hours=hour),
        )
        for hour in moments
    ]


@pytest.mark.parametrize(
    ("module", "right", "wrong"),
    [
        (windows, "key - source.days,", "key - source.days + 1,"),
        (windows, "key + source.days,", "key + source.days - 1,"),
        (windows, '+ start_day + days, "right")', '+ start_day + days, "left")'),
        (windows, "later = pairs.day > here[pairs.decision]", "later = pairs.day < 0"),
        (windows, "(event < past.before[decision]) &", ""),
        (windows, "& (events.at[event] > oldest)\n", "\n"),
        (windows, "found[told] += np.isin(events.kind[own], kinds)", ""),
        (windows, "known = (event < before[waiting]) &", "known ="),
        (windows, "waiting, event = waiting[his], event[his]", ""),
        (windows, "events.day[own[waiting[known]]] -", "1 + events.day[own[waiting[known]]] -"),
        (past, "local_day(_EPOCH + timedelta(hours=int(hour)))", "(_EPOCH + timedelta(hours=int(hour))).date()"),
    ],
)
def test_a_mistake_in_counting_is_noticed(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, right: str, wrong: str
) -> None:
    planted(monkeypatch, module, right, wrong)
    random = Random(5)
    several = [(some_told(random), random.randint(0, 35), {random.choice(KINDS)}) for _ in range(200)]
    assert not all(counts_agree(*each) and days_agree(each[0], each[2]) for each in several)


def test_what_was_decided_again_knows_what_came_between_but_counts_itself_once() -> None:
    hours = [BEGINNING + timedelta(hours=number) for number in range(3)]
    recorder = Recorder()
    recorder.add([Decided("d0", "e0", "p", hours[0], "sha256:x", {"event": "relapse"}, None)])
    recorder.add([Decided("d2", "e0", "p", hours[2], "sha256:x", {"event": "relapse"}, "e2")])
    kinds = ("relapse", "relapse", "decision_answer_review")
    again = recorder.past(
        Happened(f"e{number}", "p", kind, hours[number], hours[number], number) for number, kind in enumerate(kinds)
    )
    assert len(again) == 1, "of each event the last decision counts"
    assert counts_within(again, CountWithin((EventKind.RELAPSE,), 28), reach_days=366).tolist() == [2]
    assert days_since(again, DaysSince((EventKind.RELAPSE,)), reach_days=366).tolist() == [NEVER]


def test_many_pairs_are_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [
        ("one", EventKind.RELAPSE, BEGINNING + timedelta(hours=n), BEGINNING + timedelta(hours=n)) for n in range(40)
    ]
    source = CountWithin((EventKind.RELAPSE,), 1)
    whole = counts_within(past_of(events), source, reach_days=366).tolist()
    monkeypatch.setattr(windows, "_MOST_PAIRS", 3)
    assert counts_within(past_of(events), source, reach_days=366).tolist() == whole
    assert max(whole) > 24


def test_a_decision_whose_event_is_not_there_is_counted_for_nobody() -> None:
    recorder = Recorder()
    recorder.add([Decided("d", "e", "p", BEGINNING, "sha256:x", {"event": "relapse"}, None)])
    nothing = recorder.past([])
    assert counts_within(nothing, CountWithin((EventKind.RELAPSE,), 28), reach_days=366).tolist() == [UNTOLD]
    assert days_since(nothing, DaysSince((EventKind.RELAPSE,)), reach_days=366).tolist() == [UNTOLD]
