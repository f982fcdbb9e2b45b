"""The time axis: ticks that adapt to the span, on days of the United Kingdom, whose names never touch."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.picture.axis import Axis, Ticks, ticks_of
from services.cli.picture.placing import width_of
from services.ground.clock import LONDON
from tests.support.pictures import moment

GAP = 8.0
DAY = timedelta(days=1)


def measure(text: str) -> float:
    return width_of(text, 12)


def ticks(start: datetime, span: timedelta, width: float = 900) -> tuple[Axis, Ticks]:
    axis = Axis(start, start + span, 100, width)
    return axis, ticks_of(axis, measure, measure, GAP)


@pytest.mark.parametrize(
    ("span", "some", "coarse"),
    [
        (DAY, "06:00", "Tue 3 Mar 2026"),
        (5 * DAY, "12:00", "Wed 4 Mar 2026"),
        (14 * DAY, "Thu 5", "March 2026"),
        (80 * DAY, "16 Mar", "2026"),
        (365 * DAY, "May", "2026"),
        (3 * 365 * DAY, "Jul", "2027"),
        (30 * 365 * DAY, "2030", None),
    ],
)
def test_the_names_fit_what_is_looked_at(span: timedelta, some: str, coarse: str | None) -> None:
    _, found = ticks(moment(2026, 3, 2, 20), span)
    assert some in [tick.label for tick in found.fine]
    assert (coarse in [tick.label for tick in found.coarse]) if coarse else not found.coarse


@given(
    st.integers(min_value=0, max_value=700_000).map(lambda hours: moment(2001, 1, 1) + timedelta(hours=hours)),
    st.timedeltas(min_value=timedelta(hours=20), max_value=timedelta(days=4000)),
    st.floats(min_value=250, max_value=1100),
)
def test_no_name_touches_another_and_none_leaves_the_axis(start: datetime, span: timedelta, width: float) -> None:
    axis, found = ticks(start, span, width)
    assert found.fine, "there is always something to go by"
    for one, other in pairwise(found.fine):
        assert one.x + measure(one.label) / 2 + GAP <= other.x - measure(other.label) / 2 + 0.001
    for tick in found.fine:
        assert axis.left <= tick.x - measure(tick.label) / 2
        assert tick.x + measure(tick.label) / 2 <= axis.right
    for one, other in pairwise(found.coarse):
        assert one.x + measure(one.label) + GAP <= other.x
    assert all(tick.x + measure(tick.label) <= axis.right for tick in found.coarse)


def test_weeks_begin_on_mondays_at_midnight_in_london_on_both_sides_of_a_change_of_clocks() -> None:
    _, found = ticks(moment(2026, 3, 1), 80 * DAY)
    local = [tick.at.astimezone(LONDON) for tick in found.fine]
    assert {(at.weekday(), at.hour) for at in local} == {(0, 0)}
    assert {at.utcoffset() for at in local} == {timedelta(0), timedelta(hours=1)}


def test_hours_of_the_days_on_which_the_clocks_change_are_each_there_once() -> None:
    for day in (moment(2026, 3, 29, 0), moment(2026, 10, 25, 0)):
        _, found = ticks(day, DAY, width=1500)
        assert all(one.at < other.at for one, other in pairwise(found.fine))
        assert len({tick.label for tick in found.fine}) == len(found.fine)


def test_a_moment_outside_stands_at_the_edge() -> None:
    axis, _ = ticks(moment(2026, 3, 1), DAY)
    assert axis.at(moment(1990, 1, 1)) == axis.left
    assert axis.at(moment(2090, 1, 1)) == axis.right
