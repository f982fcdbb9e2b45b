"""Working hours, and local times on the days on which the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.rules.calendar import LONDON, Calendar, Nation, Span, moment_of
from services.router.rules.due import Due, resolve_due, sooner
from tests.unit.router.rules.small_rule_set import FILES, load, mistakes_in

CLOSED = [Span(date(2026, 3, 10), date(2026, 3, 11), "Training")]
CALENDAR = Calendar(Nation.ENGLAND_AND_WALES, day_ends=time(17), closures=CLOSED, seasons=())
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "hours", "expected"),
    [
        ("2026-03-02T10:00+00:00", 4, "2026-03-02T14:00+00:00"),
        ("2026-03-02T10:00+00:00", 7, "2026-03-02T17:00+00:00"),  # to the very end of the day
        ("2026-03-02T10:00+00:00", 8, "2026-03-03T10:00+00:00"),  # an hour of it tomorrow
        ("2026-03-02T06:00+00:00", 4, "2026-03-02T13:00+00:00"),  # counted from nine
        ("2026-03-02T17:00+00:00", 1, "2026-03-03T10:00+00:00"),
        ("2026-03-06T16:00+00:00", 4, "2026-03-09T12:00+00:00"),  # over a weekend
        ("2026-03-07T12:00+00:00", 4, "2026-03-09T13:00+00:00"),  # asked on a Saturday
        ("2026-03-09T16:00+00:00", 4, "2026-03-12T12:00+00:00"),  # over two closed days
        ("2026-04-02T16:00+01:00", 4, "2026-04-07T12:00+01:00"),  # over Easter
        ("2026-03-27T16:00+00:00", 4, "2026-03-30T12:00+01:00"),  # the clocks go forward in between
        ("2026-10-23T16:00+01:00", 4, "2026-10-26T12:00+00:00"),  # and back
        ("2026-03-02T10:00+00:00", 40, "2026-03-09T10:00+00:00"),  # five days of work
        ("2028-02-28T16:00+00:00", 4, "2028-02-29T12:00+00:00"),  # a leap day is a day
    ],
)
def test_working_hours_count_while_people_work(moment: str, hours: int, expected: str) -> None:
    assert CALENDAR.working_hours_after(at(moment), hours) == at(expected)


def test_hours_run_day_and_night_and_working_hours_do_not() -> None:
    friday = at("2026-03-06T16:00+00:00")
    assert resolve_due(Due(hours=4), friday, CALENDAR) == at("2026-03-06T20:00+00:00")
    assert resolve_due(Due(working_hours=4), friday, CALENDAR) == at("2026-03-09T12:00+00:00")
    assert resolve_due(Due(working_days=2), friday, CALENDAR) == at("2026-03-12T17:00+00:00")


def test_each_nation_works_on_its_own_days() -> None:
    due = {
        nation: Calendar(nation, day_ends=time(17), closures=(), seasons=()).working_hours_after(
            at("2026-07-10T16:00+01:00"), 4
        )
        for nation in Nation
    }
    assert due[Nation.ENGLAND_AND_WALES] == due[Nation.SCOTLAND] == at("2026-07-13T12:00+01:00")
    assert due[Nation.NORTHERN_IRELAND] == at("2026-07-14T12:00+01:00")  # 13 July stands in for the 12th


_dues = st.one_of(
    st.builds(Due, hours=st.integers(1, 100)),
    st.builds(Due, working_hours=st.integers(1, 100)),
    st.builds(Due, working_days=st.integers(1, 20)),
)
_moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(_dues, _dues, _moments)
def test_the_sooner_of_two_is_the_sooner_on_every_day(one: Due, other: Due, moment: datetime) -> None:
    both = resolve_due(sooner(one, other), moment, CALENDAR)
    assert both == min(resolve_due(one, moment, CALENDAR), resolve_due(other, moment, CALENDAR))


@given(st.integers(1, 60), st.integers(1, 60), _moments)
def test_working_hours_add_up_and_end_within_working_time(one: int, other: int, moment: datetime) -> None:
    end = CALENDAR.working_hours_after(moment, one)
    assert CALENDAR.working_hours_after(end, other) == CALENDAR.working_hours_after(moment, one + other)
    local = end.astimezone(LONDON)
    assert CALENDAR.is_working_day(local.date())
    assert time(9) < local.time() <= time(17)
    assert end - moment >= timedelta(hours=one)


def test_nine_o_clock_in_london_is_nine_o_clock_on_both_sides_of_both_changes() -> None:
    utc = [moment_of(day + timedelta(days=days), time(9)).hour for day in (SPRING, AUTUMN) for days in (-1, 0, 1)]
    assert utc == [9, 8, 8, 8, 9, 9]


@pytest.mark.parametrize(
    ("day", "local", "expected"),
    [
        (SPRING, time(0, 59), "2026-03-29T00:59+00:00"),
        (SPRING, time(1, 0), "2026-03-29T02:00+01:00"),  # left out by the clocks
        (SPRING, time(1, 30), "2026-03-29T02:30+01:00"),
        (SPRING, time(2, 0), "2026-03-29T02:00+01:00"),
        (AUTUMN, time(0, 59), "2026-10-25T00:59+01:00"),
        (AUTUMN, time(1, 0), "2026-10-25T01:00+01:00"),  # the first of the two
        (AUTUMN, time(1, 30), "2026-10-25T01:30+01:00"),
        (AUTUMN, time(2, 0), "2026-10-25T02:00+00:00"),
    ],
)
def test_a_local_time_that_is_left_out_or_comes_twice_is_one_moment(day: date, local: time, expected: str) -> None:
    assert moment_of(day, local) == at(expected)


@given(st.dates(date(2020, 1, 1), date(2035, 12, 31)), st.times())
def test_a_local_time_that_there_is_is_told_back_as_it_was(day: date, local: time) -> None:
    back = moment_of(day, local).astimezone(LONDON)
    skipped = back.replace(tzinfo=None, fold=0) - datetime.combine(day, local)
    assert skipped in (timedelta(), timedelta(hours=1))
    assert skipped == timedelta() or local.hour == 1, "only the hour that the clocks leave out is moved"


@pytest.mark.parametrize("hours", [4, 8, 26])
@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_hours_are_hours_across_a_change_of_clocks(day: date, hours: int) -> None:
    before = datetime.combine(day, time(0, 30), UTC)
    assert resolve_due(Due(hours=hours), before, CALENDAR) - before == timedelta(hours=hours)


def test_work_in_the_hour_that_the_clocks_leave_out_never_runs_backwards() -> None:
    night = Calendar(Nation.ENGLAND_AND_WALES, day_starts=time(1, 30), day_ends=time(2), closures=(), seasons=())
    moment = at("2026-03-27T00:00+00:00")
    assert night.working_hours_after(moment, 1) == at("2026-03-30T02:00+01:00")  # Friday's half hour and Monday's


def test_a_day_that_ends_before_it_starts_is_no_day() -> None:
    with pytest.raises(ValueError, match="starts before it ends"):
        Calendar(Nation.SCOTLAND, day_starts=time(18), day_ends=time(17), closures=(), seasons=())


def test_when_the_day_starts_is_read_from_the_rule_set_and_is_part_of_its_meaning(tmp_path: Path) -> None:
    usual = load(tmp_path / "usual")
    early = load(tmp_path / "early", {"calendar.yaml": 'day_starts: "08:00"\n' + FILES["calendar.yaml"]})
    same = load(tmp_path / "same", {"calendar.yaml": 'day_starts: "09:00"\n' + FILES["calendar.yaml"]})
    assert usual.calendar.day_starts == time(9)
    assert early.calendar.day_starts == time(8)
    assert usual.digest == same.digest != early.digest


def test_wrong_times_are_said_with_their_place(tmp_path: Path) -> None:
    late = {"calendar.yaml": 'day_starts: "18:00"\n' + FILES["calendar.yaml"]}
    assert mistakes_in(tmp_path / "late", late) == [
        "calendar.yaml:1:13: the working day starts at 18:00, and must before it ends at 17:00"
    ]
    odd = {"calendar.yaml": "day_starts: nine\n" + FILES["calendar.yaml"]}
    assert mistakes_in(tmp_path / "odd", odd) == ["calendar.yaml:1:13: day_starts is a time such as 09:00"]


def test_a_rule_can_ask_for_working_hours(tmp_path: Path) -> None:
    rules = load(
        tmp_path,
        {
            "rules/some.yaml": """\
rules:
- id: referral
  because: Soon.
  when: {event: referral}
  then:
  - {route: dapp, priority: 2, due: 4 working hours}
"""
        },
    )
    [rule] = [rule for rule in rules.rules if rule.id == "referral"]
    [route] = rule.then
    assert getattr(route, "due", None) == Due(working_hours=4)
    assert str(Due(working_hours=4)) == "4 working hours"


def test_a_destination_says_how_soon_the_first_contact_should_be(tmp_path: Path) -> None:
    changed = FILES["destinations.yaml"].replace(
        "service_areas:", "first_contact_within: 3 working days\n    service_areas:"
    )
    rules = load(tmp_path, {"destinations.yaml": changed})
    assert rules.destinations["dapp"].first_contact_within == Due(working_days=3)
    assert rules.destinations["rehab"].first_contact_within == Due(working_days=5)
