"""What is made of a field's value: an age of a date, a count of a list, the set of topics that were answered yes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from typing import TypeAlias

from schemas.vocabulary import Answer
from services.router.rules.calendar import local_day
from services.router.rules.declarations import Choice, Fact, FromEvent, Measure, SetOf, WholeNumber, YesNo
from services.router.rules.events import Kept
from services.router.rules.language import FactValue

Convert: TypeAlias = Callable[[object, date], FactValue]
Keep: TypeAlias = Callable[[object], Kept]
_NOTHING: frozenset[str] = frozenset()
_OF_DAYS: frozenset[Measure] = frozenset({"age", "days_since", "days_until"})
KEPT_AS_STATED: frozenset[Measure] = _OF_DAYS | {"served"}  # not as the value that is made of it


def converter(fact: Fact, source: FromEvent) -> Convert:
    """What makes the fact's value of what was stated, given the day of the decision."""
    match source.measure:
        case "given":
            return lambda stated, _: stated not in (None, ())
        case "age":
            return lambda stated, today: within(fact, whole_years(_day(stated), today))
        case "days_since":
            return lambda stated, today: within(fact, (today - _day(stated)).days)
        case "days_until":
            return lambda stated, today: within(fact, (_day(stated) - today).days)
        case "count":
            return lambda stated, _: within(fact, len(_several(stated)))
        case "served":
            return lambda stated, _: str(stated).strip().casefold() in source.among
        case "answered_yes":
            return lambda stated, _: _answered_yes(stated)
        case "value":
            return _plain(fact)


def _plain(fact: Fact) -> Convert:
    match fact.type:
        case YesNo():
            return lambda stated, _: stated is True or stated == "yes"
        case Choice():
            return lambda stated, _: str(stated)
        case SetOf():
            return lambda stated, _: frozenset(map(str, _several(stated))) if stated else _NOTHING
        case WholeNumber(low, high):
            return lambda stated, _: max(low, min(high, stated)) if isinstance(stated, int) else None


def keeper(fact: Fact, source: FromEvent) -> Keep:
    """What makes of a stated value what a case remembers: the day itself where days are counted, else the value."""
    if source.measure in _OF_DAYS:
        return lambda stated: _day(stated).isoformat()
    if source.measure == "served":
        return str
    convert = converter(fact, source)
    return lambda stated: _as_json(convert(stated, date.min))


def _as_json(value: FactValue) -> Kept:
    return sorted(value) if isinstance(value, frozenset) else value


def from_kept(source: FromEvent, convert: Convert, kept: Kept, today: date) -> FactValue:
    """The fact's value from what the case remembers."""
    if source.measure in _OF_DAYS:
        return convert(date.fromisoformat(str(kept)), today)
    if source.measure == "served":
        return convert(kept, today)
    return frozenset(kept) if isinstance(kept, list) else kept


def top(fact: Fact) -> FactValue:
    """The highest value of a number's range: how long ago something is that never happened."""
    return fact.type.high if isinstance(fact.type, WholeNumber) else None


def within(fact: Fact, number: int) -> int:
    """A number brought into its fact's range."""
    if isinstance(fact.type, WholeNumber):
        return max(fact.type.low, min(fact.type.high, number))
    return number


def whole_years(born: date, today: date) -> int:
    """Age in whole years; whoever is born on 29 February is a year older on 1 March."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _day(stated: object) -> date:
    if isinstance(stated, datetime):
        return local_day(stated)
    if isinstance(stated, date):
        return stated
    raise TypeError("a measure of days needs a date")  # the loader lets no other field through


def _several(stated: object) -> Collection[object]:
    return stated if isinstance(stated, (tuple, list, frozenset)) else ()


def _answered_yes(stated: object) -> frozenset[str]:
    if not isinstance(stated, Mapping):
        return frozenset()
    return frozenset(str(topic) for topic, answer in stated.items() if answer == Answer.YES)
