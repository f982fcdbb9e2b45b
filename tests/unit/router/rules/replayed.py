"""A past made of facts, as it would have been kept, for tests to replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from services.router.rules.decide import decide
from services.router.rules.facts import Facts
from services.router.rules.language import FactValue
from services.router.rules.replay.columns import Columns
from services.router.rules.replay.outcome import Outcome
from services.router.rules.replay.past import Decided, Happened, Past, Recorder
from services.router.rules.replay.standing import History, Standing
from services.router.rules.ruleset import RuleSet

NOON = time(12, tzinfo=UTC)


def as_kept(values: Mapping[str, FactValue]) -> dict[str, object]:
    """Values as they stand in a decision's row."""
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}


def past_of(several: Sequence[Mapping[str, FactValue]], digest: str, *, days: Sequence[date] | None = None) -> Past:
    """A past in which these were the facts, one decision a person, taken in parts of two."""
    recorder, happened = Recorder(), []
    for number, values in enumerate(several):
        day = days[number] if days else date(2026, 3, 2)
        at = datetime.combine(day, NOON) + timedelta(seconds=number)
        id_ = f"{number:06d}"
        recorder.add([Decided(f"d{id_}", f"e{id_}", f"p{id_}", at, digest, as_kept(values), None)])
        happened.append(Happened(f"e{id_}", f"p{id_}", str(values["event"]), at, at, 1))
    return recorder.past(happened)


def history_of(past: Past, rules: RuleSet) -> History:
    """That past, decided by these rules."""
    return History(past, Columns(past, {rules.digest: rules}, rules))


def replayed(history: History, rules: RuleSet) -> list[Outcome]:
    """What replay says of every decision."""
    standing = Standing(rules, history.rows_of(rules))
    marks = standing.marks(len(history.past))
    return standing.outcomes(marks, np.arange(len(marks)))


def decided(rules: RuleSet, values: Mapping[str, FactValue], day: date) -> Outcome:
    """What `decide` says of one."""
    return Outcome.of_decision(decide(rules, Facts(values, dict.fromkeys(values, "made"), day)))
