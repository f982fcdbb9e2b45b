"""What is so of every event whatever rules say: which facts can be unknown, and which an event of a kind cannot state.

Whatever builds facts keeps to this (`facts.py`, `extract.py`, `windows.py`), and tests hold it to what they build.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.risk import RiskReported
from services.router.rules.compile import FALSE as NEVER
from services.router.rules.compile import specialise
from services.router.rules.declarations import NONE, CountWithin, Fact, FromEvent, LegOfEvent
from services.router.rules.events import EventKind, payload_of
from services.router.rules.language import FactValue, Rule

_REFUSED_WITHOUT: Final = {(RiskReported, EventKind.CONTEXTUAL, "context.kind")}  # by the published schema


def can_be_unknown(fact: Fact) -> bool:
    """Can a decision meet this fact without knowing it?"""
    return isinstance(fact.source, FromEvent) and fact.silent is None and fact.source.measure != "given"


def fixed_for(fact: Fact, kind: EventKind) -> FactValue:
    """The only value that the fact can have for events of this kind; None: there are several, or none is known.

    An unknown fact can be answered by a human whatever the event is, so it is fixed for no kind.
    """
    source = fact.source
    if isinstance(source, LegOfEvent):
        about_a_leg = kind.startswith(("progress_", "decision_", "timer_"))
        return None if about_a_leg else NONE
    if not isinstance(source, FromEvent) or can_be_unknown(fact):
        return None
    payload = payload_of(kind)
    stated = any(field.payload is payload for field in source.fields)
    if stated or source.remembered:
        return None
    return False if source.measure == "given" else fact.silent


def must_state(fact: Fact, kind: EventKind) -> bool:
    """Is the fact a field without which no event of this kind is accepted?"""
    return isinstance(fact.source, FromEvent) and any(
        (field.payload, kind, field.path) in _REFUSED_WITHOUT for field in fact.source.fields
    )


def least_for(fact: Fact, kind: EventKind) -> int | None:
    """The least that a count comes to for events of this kind, which count themselves."""
    if isinstance(fact.source, CountWithin) and kind in fact.source.kinds:
        return 1
    return None


def never_more(facts: Mapping[str, Fact]) -> list[tuple[str, str]]:
    """Pairs of counts of which the first is never the greater: the same events or fewer, in as many days or fewer."""
    counts = [(name, fact.source, fact.type) for name, fact in facts.items() if isinstance(fact.source, CountWithin)]
    return [
        (name, other)
        for name, source, kind in counts
        for other, wider, range_ in counts
        if name != other and kind == range_ and set(source.kinds) <= set(wider.kinds) and source.days <= wider.days
    ]


def kinds_of(rule: Rule) -> int:
    """The kinds of event for which a rule can hold or hang on an unknown, as bits."""
    return sum(1 << place for place, kind in enumerate(EventKind) if specialise(rule.when, kind.value) != NEVER)
