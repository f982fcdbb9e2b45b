"""29 February is a day like others where it is there, and is missed by nobody where it is not."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import count, islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import LegId
from schemas.person import PersonRef
from schemas.risk import RiskReported
from schemas.vocabulary import RiskKind
from services.ground.settings import Settings
from services.router.rules.calendar import LONDON, Calendar, Nation, Season, Span, moment_of
from services.router.rules.declarations import CountWithin
from services.router.rules.due import Due, resolve_due
from services.router.rules.events import CaseEvent, EventKind, PastEvent
from services.router.rules.loader import load_rule_set
from services.router.rules.measures import whole_years
from services.router.rules.windows import count_within
from tests.unit.router.rules.small_rule_set import FILES, mistakes_in

LEAP = (2024, 2028, 2032, 2036, 2040)  # the 29th is a Thursday, Tuesday, Sunday, Friday, Wednesday
CALENDAR = Calendar(Nation.ENGLAND_AND_WALES, day_ends=time(17), closures=(), seasons=())
CLOSED = Calendar(
    Nation.ENGLAND_AND_WALES, day_ends=time(17), closures=[Span(date(2028, 2, 29), date(2028, 2, 29), "-")], seasons=()
)


def _at(day: date, hour: int = 10) -> datetime:
    return datetime.combine(day, time(hour), LONDON).astimezone(UTC)


@pytest.mark.parametrize(
    ("day", "due", "expected"),
    [
        (date(2028, 2, 28), Due(working_days=1), date(2028, 2, 29)),
        (date(2028, 2, 28), Due(working_days=2), date(2028, 3, 1)),
        (date(2028, 2, 25), Due(working_days=2), date(2028, 2, 29)),  # over a weekend
        (date(2032, 2, 27), Due(working_days=1), date(2032, 3, 1)),  # the 29th is a Sunday
        (date(2027, 2, 26), Due(working_days=1), date(2027, 3, 1)),  # no leap year
    ],
)
def test_working_days_count_the_leap_day_where_it_is_one(day: date, due: Due, expected: date) -> None:
    assert resolve_due(due, _at(day), CALENDAR) == moment_of(expected, time(17))


def test_a_leap_day_on_which_nobody_works_is_passed_over() -> None:
    assert resolve_due(Due(working_days=1), _at(date(2028, 2, 28)), CLOSED) == moment_of(date(2028, 3, 1), time(17))
    assert resolve_due(Due(working_hours=8), _at(date(2028, 2, 28)), CLOSED) == _at(date(2028, 3, 1))


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (Due(hours=24), _at(date(2028, 2, 29))),
        (Due(hours=168), _at(date(2028, 3, 6))),
        (Due(working_hours=8), _at(date(2028, 2, 29))),
        (Due(working_hours=16), _at(date(2028, 3, 1))),
        (Due(hours=48, working_days=1), moment_of(date(2028, 2, 29), time(17))),
    ],
)
def test_hours_run_through_the_leap_day(due: Due, expected: datetime) -> None:
    assert resolve_due(due, _at(date(2028, 2, 28)), CALENDAR) == expected


@given(st.sampled_from([*LEAP, 2025, 2026, 2027]), st.integers(0, 20), st.integers(1, 25))
def test_the_nth_working_day_is_the_nth_day_on_which_people_work(year: int, after: int, days: int) -> None:
    start = date(year, 2, 15) + timedelta(days=after)
    following = (start + timedelta(days=number) for number in count(1))
    expected = next(islice((day for day in following if CALENDAR.is_working_day(day)), days - 1, None))
    assert CALENDAR.working_days_after(_at(start), days) == moment_of(expected, time(17))


@given(st.sampled_from(LEAP), st.integers(0, 30))
def test_a_day_nearer_to_a_holiday_is_a_day_less_over_the_leap_day_too(year: int, after: int) -> None:
    day = date(year, 2, 10) + timedelta(days=after)
    left = CALENDAR.days_to_holiday(day)
    assert left == 0 or CALENDAR.days_to_holiday(day + timedelta(days=1)) == left - 1


def test_who_is_born_on_a_leap_day_is_of_age_on_the_first_of_march() -> None:
    born = date(2008, 2, 29)
    ages = [
        whole_years(born, day) for day in (date(2026, 2, 28), date(2026, 3, 1), date(2028, 2, 28), date(2028, 2, 29))
    ]
    assert ages == [17, 18, 19, 20]


def test_a_window_of_days_has_as_many_over_a_leap_day() -> None:
    def counted(first: date, second: date, days: int) -> int:
        data = RiskReported(
            about=PersonRef(leg_id=LegId("01938f00-0000-7000-8000-000000000001")),
            kind=RiskKind.RELAPSE,
            occurred_at=_at(second),
        )
        event = CaseEvent(EventKind.RELAPSE, data, _at(second), _at(second))
        past = [PastEvent("relapse", _at(first))]
        return count_within(CountWithin((EventKind.RELAPSE,), days), event, past)

    assert counted(date(2028, 2, 1), date(2028, 2, 29), 28) == 2
    assert counted(date(2028, 2, 1), date(2028, 3, 1), 28) == 1
    assert counted(date(2027, 3, 2), date(2028, 2, 29), 365) == 2
    assert counted(date(2028, 2, 29), date(2029, 2, 28), 365) == 2
    assert counted(date(2028, 2, 29), date(2029, 3, 1), 365) == 1


def test_a_season_cannot_begin_on_a_day_that_most_years_lack(tmp_path: Path) -> None:
    changed = FILES["calendar.yaml"].replace("from: 12-20", "from: 02-29")
    assert changed != FILES["calendar.yaml"]
    [mistake] = mistakes_in(tmp_path, {"calendar.yaml": changed})
    assert "from is a day of every year such as 12-20" in mistake


def test_a_season_that_ends_in_february_holds_in_every_year() -> None:
    season = Season("Winter", (2, 20), (2, 28))
    assert {(season.in_year(year).last - season.in_year(year).first).days for year in range(2024, 2041)} == {8}


def test_every_due_of_the_shipped_calendar_falls_after_its_moment_around_each_leap_day() -> None:
    calendar = load_rule_set(Settings().rules_dir).calendar
    for year in LEAP:
        for after in range(10):
            moment = _at(date(year, 2, 24) + timedelta(days=after))
            dues = [resolve_due(Due(working_days=days), moment, calendar) for days in (1, 2, 5, 10)]
            assert moment < dues[0] < dues[1] < dues[2] < dues[3]
