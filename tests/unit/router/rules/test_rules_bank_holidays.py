"""The bank holidays that are computed are those that were published, moved and substitute days included.

Up to 2028 as gov.uk published them; later ones by the rules of the 1971 Act, from the dates of Easter.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time

import pytest

from services.router.rules.calendar import Calendar, Nation, bank_holidays

ENGLAND_AND_WALES = """
2020  01-01 04-10 04-13 05-08 05-25 08-31 12-25 12-28
2021  01-01 04-02 04-05 05-03 05-31 08-30 12-27 12-28
2022  01-03 04-15 04-18 05-02 06-02 06-03 08-29 09-19 12-26 12-27
2023  01-02 04-07 04-10 05-01 05-08 05-29 08-28 12-25 12-26
2024  01-01 03-29 04-01 05-06 05-27 08-26 12-25 12-26
2025  01-01 04-18 04-21 05-05 05-26 08-25 12-25 12-26
2026  01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28
2027  01-01 03-26 03-29 05-03 05-31 08-30 12-27 12-28
2028  01-03 04-14 04-17 05-01 05-29 08-28 12-25 12-26
2029  01-01 03-30 04-02 05-07 05-28 08-27 12-25 12-26
2030  01-01 04-19 04-22 05-06 05-27 08-26 12-25 12-26
"""
SCOTLAND = """
2020  01-01 01-02 04-10 05-08 05-25 08-03 11-30 12-25 12-28
2021  01-01 01-04 04-02 05-03 05-31 08-02 11-30 12-27 12-28
2022  01-03 01-04 04-15 05-02 06-02 06-03 08-01 09-19 11-30 12-26 12-27
2023  01-02 01-03 04-07 05-01 05-08 05-29 08-07 11-30 12-25 12-26
2024  01-01 01-02 03-29 05-06 05-27 08-05 12-02 12-25 12-26
2025  01-01 01-02 04-18 05-05 05-26 08-04 12-01 12-25 12-26
2026  01-01 01-02 04-03 05-04 05-25 06-15 08-03 11-30 12-25 12-28
2027  01-01 01-04 03-26 05-03 05-31 08-02 11-30 12-27 12-28
2028  01-03 01-04 04-14 05-01 05-29 08-07 11-30 12-25 12-26
2029  01-01 01-02 03-30 05-07 05-28 08-06 11-30 12-25 12-26
2030  01-01 01-02 04-19 05-06 05-27 08-05 12-02 12-25 12-26
"""
NORTHERN_IRELAND = """
2020  01-01 03-17 04-10 04-13 05-08 05-25 07-13 08-31 12-25 12-28
2021  01-01 03-17 04-02 04-05 05-03 05-31 07-12 08-30 12-27 12-28
2022  01-03 03-17 04-15 04-18 05-02 06-02 06-03 07-12 08-29 09-19 12-26 12-27
2023  01-02 03-17 04-07 04-10 05-01 05-08 05-29 07-12 08-28 12-25 12-26
2024  01-01 03-18 03-29 04-01 05-06 05-27 07-12 08-26 12-25 12-26
2025  01-01 03-17 04-18 04-21 05-05 05-26 07-14 08-25 12-25 12-26
2026  01-01 03-17 04-03 04-06 05-04 05-25 07-13 08-31 12-25 12-28
2027  01-01 03-17 03-26 03-29 05-03 05-31 07-12 08-30 12-27 12-28
2028  01-03 03-17 04-14 04-17 05-01 05-29 07-12 08-28 12-25 12-26
2029  01-01 03-19 03-30 04-02 05-07 05-28 07-12 08-27 12-25 12-26
2030  01-01 03-18 04-19 04-22 05-06 05-27 07-12 08-26 12-25 12-26
"""
PUBLISHED: Mapping[Nation, str] = {
    Nation.ENGLAND_AND_WALES: ENGLAND_AND_WALES,
    Nation.SCOTLAND: SCOTLAND,
    Nation.NORTHERN_IRELAND: NORTHERN_IRELAND,
}


def published(nation: Nation) -> dict[int, set[date]]:
    found: dict[int, set[date]] = {}
    for line in PUBLISHED[nation].split("\n"):
        if line:
            year, *days = line.split()
            found[int(year)] = {date.fromisoformat(f"{year}-{day}") for day in days}
    return found


@pytest.mark.parametrize("year", range(2020, 2031))
@pytest.mark.parametrize("nation", Nation)
def test_the_days_off_between_monday_and_friday_are_those_that_were_published(nation: Nation, year: int) -> None:
    computed = {day for day in bank_holidays(nation, year) if day.weekday() < 5}
    assert computed == published(nation)[year]


@pytest.mark.parametrize(
    ("day", "nations"),
    [
        (date(2020, 5, 4), ()),  # moved to Friday the 8th
        (date(2020, 5, 8), tuple(Nation)),
        (date(2022, 5, 30), ()),  # moved to Thursday 2 June, with the 3rd beside it
        (date(2022, 6, 2), tuple(Nation)),
        (date(2022, 6, 3), tuple(Nation)),
        (date(2023, 5, 8), tuple(Nation)),  # the coronation
        (date(2021, 12, 27), tuple(Nation)),  # Christmas fell on a Saturday
        (date(2021, 12, 28), tuple(Nation)),
        (date(2022, 12, 27), tuple(Nation)),  # and on a Sunday
        (date(2026, 4, 6), (Nation.ENGLAND_AND_WALES, Nation.NORTHERN_IRELAND)),
        (date(2026, 6, 15), (Nation.SCOTLAND,)),  # proclaimed in February of that year, for the World Cup
        (date(2026, 7, 13), (Nation.NORTHERN_IRELAND,)),
        (date(2026, 8, 3), (Nation.SCOTLAND,)),
        (date(2026, 8, 31), (Nation.ENGLAND_AND_WALES, Nation.NORTHERN_IRELAND)),
    ],
)
def test_who_is_off_on_a_day(day: date, nations: tuple[Nation, ...]) -> None:
    off = [
        nation
        for nation in Nation
        if not Calendar(nation, day_ends=time(17), closures=(), seasons=()).is_working_day(day)
    ]
    assert off == list(nations)
