"""`calendar.yaml` into a calendar, and the due times that stand where a rule names none."""

from __future__ import annotations

import re
from collections.abc import Mapping as Names
from dataclasses import dataclass
from datetime import date, time

from services.router.rules.calendar import DAY_STARTS, Calendar, Nation, Season, Span
from services.router.rules.due import Due
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.tree import Mapping, Node, Scalar

KEYS = ("nation", "day_starts", "day_ends", "closures", "seasons", "due")
_FIVE = time(17)
_A_WEEK = Due(hours=168)  # stands in only where calendar.yaml has a mistake
NO_CALENDAR = Calendar(Nation.ENGLAND_AND_WALES, day_ends=_FIVE, closures=(), seasons=())


@dataclass(frozen=True, slots=True)
class Dues:
    """Due times that stand where a rule names none."""

    by_priority: Names[int, Due]
    tasks: Due  # holds, reviews, escalations


def read_calendar(desk: Desk, node: Node | None) -> tuple[Calendar, Dues]:
    """The calendar and the default due times."""
    top = desk.mapping(node, "calendar.yaml", KEYS, needs=("nation", "day_ends", "due"))
    if top is None:
        return NO_CALENDAR, Dues(dict.fromkeys((1, 2, 3, 4), _A_WEEK), _A_WEEK)
    closures = [_span(desk, item) for item in desk.items(top.get("closures"), "closures")]
    seasons = [_season(desk, item) for item in desk.items(top.get("seasons"), "seasons")]
    starts, ends = _time(desk, top.get("day_starts"), "day_starts", DAY_STARTS), _time(desk, top.get("day_ends"))
    if starts >= ends:
        at = top.get("day_starts") or top
        desk.note(at.at, f"the working day starts at {starts:%H:%M}, and must before it ends at {ends:%H:%M}")
        starts, ends = DAY_STARTS, _FIVE
    calendar = Calendar(
        desk.word(top.get("nation"), "nation", Nation) or Nation.ENGLAND_AND_WALES,
        day_starts=starts,
        day_ends=ends,
        closures=[span for span in closures if span is not None],
        seasons=[season for season in seasons if season is not None],
    )
    return calendar, _dues(desk, top.get("due"))


def _dues(desk: Desk, node: Node | None) -> Dues:
    keys = ("priority_1", "priority_2", "priority_3", "priority_4", "tasks")
    said = desk.mapping(node, "due", keys, needs=keys)
    dues = {key: (said and desk.due(said.get(key), key)) or _A_WEEK for key in keys}
    return Dues({number: dues[f"priority_{number}"] for number in (1, 2, 3, 4)}, dues["tasks"])


def _span(desk: Desk, node: Node) -> Span | None:
    said = desk.mapping(node, "a closure", ("from", "until", "name"), needs=("from", "until", "name"))
    if said is None:
        return None
    first, last = desk.day(said.get("from"), "from"), desk.day(said.get("until"), "until")
    name = desk.text(said.get("name"), "name")
    if first is None or last is None or name is None:
        return None
    if last < first:
        desk.note(said.at, "until is before from")
    elif (last - first).days > 366:
        desk.note(said.at, "a closure of more than a year")
    return Span(first, last, name)


def _season(desk: Desk, node: Node) -> Season | None:
    said = desk.mapping(node, "a season", ("from", "until", "name"), needs=("from", "until", "name"))
    if said is None:
        return None
    first, last = _day_of_year(desk, said, "from"), _day_of_year(desk, said, "until")
    name = desk.text(said.get("name"), "name")
    return None if first is None or last is None or name is None else Season(name, first, last)


def _day_of_year(desk: Desk, said: Mapping, key: str) -> tuple[int, int] | None:
    node = said.get(key)
    if node is None:
        return None
    found = re.fullmatch(r"(\d\d)-(\d\d)", node.text, re.ASCII) if isinstance(node, Scalar) else None
    if found is not None:
        try:
            day = date(2001, int(found[1]), int(found[2]))  # no leap year: the day exists in every year
        except ValueError:
            pass
        else:
            return day.month, day.day
    desk.note(node.at, f"{key} is a day of every year such as 12-20")
    return None


def _time(desk: Desk, node: Node | None, what: str = "day_ends", otherwise: time = _FIVE) -> time:
    if isinstance(node, Scalar) and (found := re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", node.text, re.ASCII)):
        return time(int(found[1]), int(found[2]))
    if node is not None:
        desk.note(node.at, f"{what} is a time such as {otherwise:%H:%M}")
    return otherwise
