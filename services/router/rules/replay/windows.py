"""Windows counted anew from what happened, for any number of days: as `rules.windows`, for all decisions at once.

Only what was taken before a decision counts, as it was then. Each decision is paired with the events near it by a
sorted search; where some of those came later than its own, the fullest stretch is found by another.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from services.router.rules.declarations import CountWithin, DaysSince
from services.router.rules.events import EventKind
from services.router.rules.replay.past import Events, Numbers, Past

NEVER: Final = -1  # days since something that never happened
UNTOLD: Final = -2  # the decision's own event is not there, so that nothing can be counted
_DAYS: Final = 1 << 23  # more than any ordinal of a day
_DAY: Final = 86_400_000_000  # microseconds
_MOST_PAIRS: Final = 4_000_000  # in memory at once


class _Pairs(NamedTuple):
    """Decisions beside events near them, by decision and day."""

    decision: Numbers
    day: Numbers


def counts_within(past: Past, source: CountWithin, *, reach_days: int) -> Numbers:
    """`windows.count_within` of every decision. Nothing is older than `reach_days` before it, as when it was taken."""
    events = past.events
    kinds = _kinds(events, source.kinds)
    near = np.flatnonzero(np.isin(events.kind, kinds))
    keys = events.person[near] * _DAYS + events.day[near]
    order = np.argsort(keys, kind="stable")
    near, keys = near[order], keys[order]
    told = np.flatnonzero(past.own >= 0)
    own = past.own[told]
    key = events.person[own] * _DAYS + events.day[own]
    first = np.searchsorted(keys, key - source.days, "left")
    last = np.searchsorted(keys, key + source.days, "right")
    ends = np.cumsum(last - first)
    found = np.full(len(past), UNTOLD, np.int64)
    start = 0
    while start < len(told):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _MOST_PAIRS, "right")))
        part = told[start:stop]
        pairs = _pairs(past, part, near, first[start:stop], last[start:stop], reach_days)
        found[part] = _most(pairs, events.day[past.own[part]], source.days)
        start = stop
    found[told] += np.isin(events.kind[own], kinds)
    return found


def days_since(past: Past, source: DaysSince, *, reach_days: int) -> Numbers:
    """`windows.days_since` of every decision: NEVER where there was none."""
    events = past.events
    near = np.flatnonzero(np.isin(events.kind, _kinds(events, source.kinds)))
    near = near[np.lexsort((near, events.at[near], events.person[near]))]
    moments = np.unique(events.at[near])
    keys = events.person[near] * (len(moments) + 1) + np.searchsorted(moments, events.at[near], "right")
    told = np.flatnonzero(past.own >= 0)
    own, before = past.own[told], past.before[told]
    key = events.person[own] * (len(moments) + 1) + np.searchsorted(moments, events.at[own], "right")
    place = np.searchsorted(keys, key, "right") - 1
    oldest = past.decided_at[told] - reach_days * _DAY
    days = np.full(len(told), NEVER, np.int64)
    waiting = np.flatnonzero(place >= 0)
    while len(waiting):  # one step back where the last earlier event was not known yet
        event = near[place[waiting]]
        his = events.person[event] == events.person[own[waiting]]
        waiting, event = waiting[his], event[his]
        known = (event < before[waiting]) & (event != own[waiting]) & (events.at[event] > oldest[waiting])
        days[waiting[known]] = events.day[own[waiting[known]]] - events.day[event[known]]
        waiting = waiting[~known]
        place[waiting] -= 1
        waiting = waiting[place[waiting] >= 0]
    found = np.full(len(past), UNTOLD, np.int64)
    found[told] = days
    return found


def _kinds(events: Events, wanted: tuple[EventKind, ...]) -> Numbers:
    return np.array([place for place, kind in enumerate(events.kinds) if kind in wanted], np.int64)


def _pairs(past: Past, decisions: Numbers, near: Numbers, first: Numbers, last: Numbers, reach_days: int) -> _Pairs:
    """Each decision (by its place among these) with the events of `near` that were known to it."""
    events, many = past.events, last - first
    which = np.repeat(np.arange(len(decisions)), many)
    offsets = np.arange(len(which)) - np.repeat(np.cumsum(many) - many, many)
    event = near[first[which] + offsets]
    decision = decisions[which]
    oldest = past.decided_at[decision] - reach_days * _DAY
    known = (event < past.before[decision]) & (event != past.own[decision]) & (events.at[event] > oldest)
    return _Pairs(which[known], events.day[event[known]])


def _most(pairs: _Pairs, here: Numbers, days: int) -> Numbers:
    """For each decision the most of its events in one stretch of so many days that holds its own day."""
    most = np.bincount(pairs.decision, minlength=len(here)).astype(np.int64)
    later = pairs.day > here[pairs.decision]
    if not later.any():  # then the stretch that ends on the own day has them all
        return most
    among = np.zeros(len(here), bool)
    among[pairs.decision[later]] = True
    taken = among[pairs.decision]
    which, day = pairs.decision[taken], pairs.day[taken]
    keys = which * _DAYS + day
    starts = day <= here[which]
    own = np.flatnonzero(among)
    start_of, start_day = np.concatenate([which[starts], own]), np.concatenate([day[starts], here[own]])
    low = np.searchsorted(keys, start_of * _DAYS + start_day, "left")
    high = np.searchsorted(keys, start_of * _DAYS + start_day + days, "right")
    most[own] = 0
    np.maximum.at(most, start_of, high - low)
    return most
