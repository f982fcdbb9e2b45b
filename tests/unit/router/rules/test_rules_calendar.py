"""Working days skip weekends, bank holidays and closures; holidays are counted in local days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.rules.calendar import Calendar, Nation, Season, Span, local_day
from services.router.rules.due import Due, resolve_due, sooner

SEASONS = [Season("Christmas", (12, 20), (1, 2))]
CLOSED = [Span(date(2026, 3, 10), date(2026, 3, 11), "Training")]
CALENDAR = Calendar(Nation.ENGLAND_AND_WALES, day_ends=time(17), closures=CLOSED, seasons=SEASONS)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "days", "expected"),
    [
        ("2026-03-02T10:00+00:00", 2, "2026-03-04T17:00+00:00"),
        ("2026-03-06T20:00+00:00", 1, "2026-03-09T17:00+00:00"),  # Friday evening: Monday
        ("2026-03-09T09:00+00:00", 1, "2026-03-12T17:00+00:00"),  # over two closed days
        ("2026-04-02T09:00+01:00", 1, "2026-04-07T17:00+01:00"),  # over Easter
        ("2026-12-24T09:00+00:00", 1, "2026-12-29T17:00+00:00"),  # the substitute for Boxing Day on a Saturday
        ("2026-03-27T09:00+00:00", 1, "2026-03-30T17:00+01:00"),  # the clocks go forward in between
        ("2026-06-30T23:30+00:00", 1, "2026-07-02T17:00+01:00"),  # in London it is the first of July already
    ],
)
def test_working_days_end_at_the_end_of_a_working_day(moment: str, days: int, expected: str) -> None:
    assert CALENDAR.working_days_after(at(moment), days) == at(expected)


def test_scotland_has_its_own_bank_holidays() -> None:
    scotland = Calendar(Nation.SCOTLAND, day_ends=time(17), closures=(), seasons=())
    assert not scotland.is_working_day(date(2026, 1, 2))
    assert CALENDAR.is_working_day(date(2026, 1, 2))


@pytest.mark.parametrize(
    ("day", "days"),
    [
        (date(2026, 11, 29), 21),
        (date(2026, 11, 28), 22),
        (date(2026, 12, 19), 1),
        (date(2026, 12, 20), 0),
        (date(2027, 1, 2), 0),  # still in the season that began the year before
        (date(2027, 1, 3), 82),  # then Good Friday, 26 March 2027
        (date(2026, 4, 3), 0),
        (date(2026, 4, 4), 2),  # Easter Monday
    ],
)
def test_days_to_a_holiday_are_0_on_one(day: date, days: int) -> None:
    assert CALENDAR.days_to_holiday(day) == days


def test_four_hours_run_through_the_night_and_through_a_change_of_clocks() -> None:
    assert resolve_due(Due(hours=4), at("2026-03-28T23:00+00:00"), CALENDAR) == at("2026-03-29T03:00+00:00")


def test_of_hours_and_working_days_the_first_counts() -> None:
    either = sooner(Due(hours=30), Due(working_days=1))
    assert resolve_due(either, at("2026-03-02T10:00+00:00"), CALENDAR) == at("2026-03-03T16:00+00:00")
    assert resolve_due(either, at("2026-03-02T09:00+00:00"), CALENDAR) == at("2026-03-03T15:00+00:00")
    assert resolve_due(either, at("2026-03-06T10:00+00:00"), CALENDAR) == at("2026-03-07T16:00+00:00")
    assert str(either) == "30 hours or 1 working day, whichever is first"


_dues = st.one_of(st.builds(Due, hours=st.integers(1, 500)), st.builds(Due, working_days=st.integers(1, 20)))


@given(_dues, _dues, st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_sooner_of_two_dues_is_the_sooner_on_every_day(one: Due, other: Due, moment: datetime) -> None:
    both = resolve_due(sooner(one, other), moment, CALENDAR)
    assert both == min(resolve_due(one, moment, CALENDAR), resolve_due(other, moment, CALENDAR))
    assert both >= moment


def test_an_evening_in_summer_is_the_next_day_in_london() -> None:
    assert local_day(at("2026-06-30T23:30+00:00")) == date(2026, 7, 1)
    assert local_day(at("2026-12-31T23:30+00:00")) == date(2026, 12, 31)
