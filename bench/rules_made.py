"""Rules and a past to measure rules by: rules shaped like the ones that ship, and any number of decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import numpy as np

from services.ground.settings import REPOSITORY
from services.router.rules.calendar import local_day
from services.router.rules.declarations import (
    Choice,
    CountWithin,
    DaysSince,
    Fact,
    FromEvent,
    KindOfEvent,
    SetOf,
    WholeNumber,
    YesNo,
)
from services.router.rules.events import EventKind
from services.router.rules.facts import Facts
from services.router.rules.language import (
    All,
    Any,
    AtLeast,
    AtMost,
    Condition,
    FactValue,
    Has,
    In,
    Is,
    Not,
    Route,
    Rule,
)
from services.router.rules.loader import load_rule_set
from services.router.rules.replay.columns import REACH_DAYS
from services.router.rules.replay.past import Events, Past, Recorded, Stated, local_days, small
from services.router.rules.replay.windows import NEVER, counts_within, days_since
from services.router.rules.ruleset import RuleSet

BEGINNING: Final = datetime(2024, 1, 1, tzinfo=UTC)
DAYS: Final = 700  # that the past spans
EVENTS_A_PERSON: Final = 25
UNKNOWN_SHARE: Final = 0.04  # of the facts that an event may leave unsaid
LATE_SHARE: Final = 0.05  # of events that are told some days after they happened
_SETS: Final = 40  # different values of a set
_DAY: Final = 86_400_000_000

# What sources and destinations send, roughly: most is progress, and most risk is missed sessions and relapses.
_WEIGHTS: Final = {EventKind.REFERRAL: 12.0, EventKind.RELAPSE: 8.0, EventKind.MISSED_SESSION: 8.0}


def shipped() -> RuleSet:
    """The rule set that ships."""
    return load_rule_set(REPOSITORY / "rulesets" / "default")


def rules_made(count: int, *, seed: int = 7) -> RuleSet:
    """A rule set of so many rules: those that ship, evenly taken, and others made from them by small changes."""
    base, random = shipped(), Random(seed)
    shipped_too = min(count, len(base.rules))
    made = [base.rules[place * len(base.rules) // shipped_too] for place in range(shipped_too)]
    while len(made) < count:
        made.append(_bent(random.choice(base.rules), len(made), base, random))
    return replace(base, digest=f"made:{count}", rules=tuple(sorted(made, key=lambda rule: rule.id)))


def _bent(rule: Rule, number: int, base: RuleSet, random: Random) -> Rule:
    """The same rule for a finer case: two more tests, other bounds and other destinations.

    More rules say finer things, not more of each event: about as many hold as people can follow.
    """
    said = [fact for fact in base.facts.values() if isinstance(fact.source, FromEvent)]
    when = All(
        (*_parts(_moved(rule.when, base, random)), *(_some_test(fact, random) for fact in random.sample(said, 2)))
    )
    then = tuple(
        replace(action, destination=random.choice(sorted(base.destinations)), priority=random.choice((1, 2, 3, 4)))
        if isinstance(action, Route)
        else action
        for action in rule.then
    )
    return replace(rule, id=f"{rule.id}-{number}", when=when, then=then)


def _parts(condition: Condition) -> tuple[Condition, ...]:
    return condition.parts if isinstance(condition, All) else (condition,)


def _moved(condition: Condition, base: RuleSet, random: Random) -> Condition:
    match condition:
        case All(parts) | Any(parts):
            return type(condition)(tuple(_moved(part, base, random) for part in parts))
        case Not(part):
            return Not(_moved(part, base, random))
        case AtLeast(fact, int() as bound) | AtMost(fact, int() as bound):
            kind = base.facts[fact].type
            assert isinstance(kind, WholeNumber)
            return replace(condition, bound=max(kind.low, min(kind.high, bound + random.choice((0, 1, 2)))))
    return condition


def _some_test(fact: Fact, random: Random) -> Condition:
    match fact.type:
        case YesNo():
            return Is(fact.name, random.random() < 0.5)
        case WholeNumber(low, high):
            return AtLeast(fact.name, random.randint(low, min(high, 40)))
        case Choice(values, ordered) if ordered:
            return AtLeast(fact.name, random.choice(values[1:] or values))
        case Choice(values):
            return In(fact.name, tuple(sorted(random.sample(values, min(2, len(values))))))
        case SetOf(values):
            return Has(fact.name, tuple(sorted(random.sample(values, min(3, len(values))))), "any")


def past_made(rules: RuleSet, size: int, *, unknown: float = UNKNOWN_SHARE, seed: int = 11) -> Past:
    """A past of so many decisions, each of another event, with facts by their kinds' likely values."""
    random, rng = Random(seed), np.random.default_rng(seed)
    decided_at = np.sort(rng.integers(0, DAYS * _DAY, size)) + (BEGINNING - datetime(1970, 1, 1, tzinfo=UTC)) // (
        timedelta(microseconds=1)
    )
    facts = {name: _recorded(fact, size, unknown, random, rng) for name, fact in rules.facts.items()}
    event = facts["event"]
    person = rng.integers(0, max(1, size // EVENTS_A_PERSON), size)
    order = np.argsort(person, kind="stable")
    own = np.empty(size, np.int64)
    own[order] = np.arange(size)  # each decision's event, where events stand by person
    late = np.where(rng.random(size) < LATE_SHARE, rng.integers(0, 10 * _DAY, size), 60_000_000)
    at = (decided_at - late)[order]
    kinds = tuple(str(kind) for kind in event.values[2:])
    events = Events(person[order], event.codes[order].astype(np.int64) - 2, kinds, at, local_days(at))
    past = Past(
        decisions=[f"d{number}" for number in range(size)],
        event_ids=[f"e{number}" for number in range(size)],
        persons=[f"p{number}" for number in person.tolist()],
        rule_sets=(rules.digest,),
        rule_set=np.zeros(size, np.int64),
        decided_at=decided_at,
        day=local_days(decided_at),
        facts=facts,
        events=events,
        own=own,
        before=own,
    )
    return replace(
        past, facts=facts | {name: _counted(past, fact) for name, fact in rules.facts.items() if _is_counted(fact)}
    )


def _is_counted(fact: Fact) -> bool:
    return isinstance(fact.source, (CountWithin, DaysSince))


def _counted(past: Past, fact: Fact) -> Recorded:
    """A window as it would have been counted."""
    if isinstance(fact.source, CountWithin):
        numbers = counts_within(past, fact.source, reach_days=REACH_DAYS)
    else:
        assert isinstance(fact.source, DaysSince)
        numbers = days_since(past, fact.source, reach_days=REACH_DAYS)
    assert isinstance(fact.type, WholeNumber)
    held = np.where(numbers == NEVER, fact.type.high, np.clip(numbers, fact.type.low, fact.type.high))
    values, codes = np.unique(held, return_inverse=True)
    return Recorded(small(codes + 2), (None, None, *values.tolist()))


def _recorded(fact: Fact, size: int, unknown: float, random: Random, rng: np.random.Generator) -> Recorded:
    values, weights = _values(fact, random)
    codes = rng.choice(len(values), size, p=np.array(weights) / sum(weights)) + 2
    if isinstance(fact.source, FromEvent) and fact.unstated == "unknown":
        codes[rng.random(size) < unknown] = 1
    return Recorded(small(codes), (None, None, *values))


def _values(fact: Fact, random: Random) -> tuple[list[Stated], list[float]]:
    """Some values, numbers in rising order, and how likely each is: small numbers and small sets are."""
    match fact.type:
        case YesNo():
            return [False, True], [0.8, 0.2]
        case Choice(values) if isinstance(fact.source, KindOfEvent):
            return list(values), [_WEIGHTS.get(EventKind(value), 2.0) for value in values]
        case Choice(values):
            return list(values), [1.0 / (1 + place) for place in range(len(values))]
        case WholeNumber(low, high):
            numbers = range(low, min(high, low + 80) + 1)
            return list(numbers), [1.0 / (1 + number - low) for number in numbers]
        case SetOf(values):
            some = {
                tuple(sorted(random.sample(values, min(len(values), random.choice((0, 0, 1, 1, 2))))))
                for _ in range(_SETS)
            }
            return [*sorted(some)], [1.0] * len(some)


def facts_at(past: Past, place: int) -> Facts:
    """The facts of one decision, as `decide` takes them."""
    values: dict[str, FactValue] = {}
    for name, recorded in past.facts.items():
        stated = recorded.values[int(recorded.codes[place])]
        values[name] = frozenset(stated) if isinstance(stated, tuple) else stated
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(past.decided_at[place]))
    return Facts(values, dict.fromkeys(values, "made"), local_day(moment))
