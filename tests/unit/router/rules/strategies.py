"""Facts, conditions and rules as hypothesis makes them, over a handful of facts of every type."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import cast

from hypothesis import strategies as st

from services.router.rules.declarations import Choice, Fact, FactType, KindOfEvent, SetOf, WholeNumber, YesNo
from services.router.rules.due import Due
from services.router.rules.events import EventKind
from services.router.rules.facts import Facts
from services.router.rules.language import (
    Action,
    All,
    Any,
    AtLeast,
    AtMost,
    Condition,
    Escalate,
    FactValue,
    Has,
    Hold,
    In,
    Is,
    Known,
    Not,
    Notify,
    OfferPause,
    Priority,
    ProposeResume,
    Record,
    Review,
    Role,
    Route,
    Rule,
    Withhold,
)

TYPES: dict[str, FactType] = {
    "yes": YesNo(),
    "also": YesNo(),
    "number": WholeNumber(0, 4),
    "grade": Choice(("low", "middle", "high"), ordered=True),
    "colour": Choice(("red", "green", "blue")),
    "things": SetOf(("one", "two", "three")),
}
KINDS = (EventKind.REFERRAL, EventKind.RELAPSE)
FACTS = {
    "event": Fact("event", "Kind.", Choice(tuple(kind.value for kind in EventKind)), KindOfEvent(), ask=""),
    **{name: Fact(name, "A fact.", kind, KindOfEvent(), ask=f"What is {name}?") for name, kind in TYPES.items()},
}
DESTINATIONS = ("dapp", "addiction", "rehab", "victim_safety")
DAY = date(2026, 3, 2)


@cache
def values_of(kind: FactType) -> st.SearchStrategy[FactValue]:
    """Every value that a fact of this type can have, but unknown."""
    match kind:
        case YesNo():
            return st.booleans()
        case WholeNumber(low, high):
            return st.integers(low, high)
        case Choice(values):
            return st.sampled_from(values)
        case SetOf(values):
            return st.frozensets(st.sampled_from(values))


@st.composite
def known_values(draw: st.DrawFn) -> dict[str, FactValue]:
    """Everything known."""
    values: dict[str, FactValue] = {name: draw(values_of(kind)) for name, kind in TYPES.items()}
    return {"event": draw(st.sampled_from(KINDS)).value, **values}


@st.composite
def partly_known_values(draw: st.DrawFn) -> dict[str, FactValue]:
    """Any of them may be unknown; the kind of event never is."""
    values = draw(known_values())
    unknown = draw(st.sets(st.sampled_from(sorted(TYPES))))
    return {name: None if name in unknown else value for name, value in values.items()}


def facts(values: dict[str, FactValue]) -> Facts:
    """Values as facts."""
    return Facts(values, dict.fromkeys(values, "made"), DAY)


@cache
def _some_of(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sets(st.sampled_from(values), min_size=1).map(lambda members: tuple(sorted(members)))


def _more_or_less(name: str, bound: int | str, more: bool) -> Condition:
    return AtLeast(name, bound) if more else AtMost(name, bound)


@st.composite
def single_tests(draw: st.DrawFn) -> Condition:
    """One test of one fact."""
    name = draw(st.sampled_from([*TYPES, "event"]))
    if draw(st.integers(0, 5)) == 0:
        return Known(name)
    match FACTS[name].type:
        case YesNo():
            return Is(name, draw(st.booleans()))
        case WholeNumber(low, high):
            return _more_or_less(name, draw(st.integers(low, high)), draw(st.booleans()))
        case Choice(values, ordered):
            if ordered and draw(st.booleans()):
                return _more_or_less(name, draw(st.sampled_from(values)), draw(st.booleans()))
            return In(name, draw(_some_of(tuple(kind.value for kind in KINDS) if name == "event" else values)))
        case SetOf(values):
            return Has(name, draw(_some_of(values)), "all" if draw(st.booleans()) else "any")


@cache  # hypothesis is slow to make strategies and quick to use them
def conditions() -> st.SearchStrategy[Condition]:
    """Tests under all, any and not, some levels deep."""
    return st.recursive(
        single_tests(),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=4).map(lambda parts: All(tuple(parts))),
            st.lists(inner, min_size=1, max_size=4).map(lambda parts: Any(tuple(parts))),
            inner.map(Not),
        ),
        max_leaves=8,
    )


_dues = st.one_of(
    st.integers(1, 48).map(lambda hours: Due(hours=hours)),
    st.integers(1, 5).map(lambda days: Due(working_days=days)),
)
_priorities = st.integers(1, 4).map(lambda number: cast(Priority, number))
_where = st.sampled_from(DESTINATIONS)


@cache
def actions() -> st.SearchStrategy[Action]:
    """One thing that a rule can ask for."""
    return st.one_of(
        st.builds(Route, _where, _priorities, _dues),
        st.builds(Route, _where, st.just(2), _dues, st.sampled_from(["human", None])),
        st.builds(OfferPause, _where, st.sampled_from([7, 28]), st.sampled_from([1, 7])),
        st.builds(ProposeResume, _where),
        st.builds(Hold, st.sampled_from(["Call.", "Wait."]), _dues),
        st.builds(Review, st.sampled_from(["Well?", "Why?"]), st.sampled_from(list(Role)[:2]), _dues),
        st.builds(Notify, _where, st.sampled_from(["Paused.", "Closed."])),
        st.builds(Escalate, st.sampled_from(list(Role)[:2]), _dues),
        st.builds(Record, st.sampled_from(["Noted.", "Seen."])),
        st.builds(Withhold, st.sets(_where, min_size=1).map(lambda names: tuple(sorted(names)))),
    )


_tiers = st.sampled_from(["floor", "ordinary", "ordinary"])
_either = st.booleans()


@cache
def _wishes() -> st.SearchStrategy[list[Action]]:
    return st.lists(actions(), min_size=1, max_size=3)


@st.composite
def rule_lists(draw: st.DrawFn, *, most: int = 5) -> list[Rule]:
    """Some rules, floors among them, as the loader could have read them."""
    made: list[Rule] = []
    for number in range(draw(st.integers(1, most))):
        tier = draw(_tiers)
        made.append(
            Rule(
                id=f"rule-{number}",
                because=f"Reason {number}.",
                when=draw(conditions()),
                then=tuple(draw(_wishes())),
                if_unknown="act" if tier == "floor" and draw(_either) else "ask",
                tier="floor" if tier == "floor" else "ordinary",
            )
        )
    return made
