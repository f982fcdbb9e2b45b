"""Pasts made of facts, as they would have been kept; and what of a replay is otherwise than one by one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from types import FunctionType, ModuleType
from typing import NamedTuple

import numpy as np
import pytest

from services.router.rules.decide import decide
from services.router.rules.decision import Decision
from services.router.rules.declarations import Choice, SetOf, WholeNumber, YesNo
from services.router.rules.facts import Facts
from services.router.rules.language import FactValue, Rule
from services.router.rules.replay.columns import Columns
from services.router.rules.replay.compare import Difference, Replay
from services.router.rules.replay.outcome import Outcome
from services.router.rules.replay.past import Decided, Happened, Past, Recorder
from services.router.rules.replay.standing import History, Standing
from services.router.rules.replay.workload import HUMANS, Workload
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.naive import YES, kleene
from tests.unit.router.rules.strategies import DESTINATIONS, FACTS, KINDS, TYPES

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
    return Outcome.of_decision(decide(rules, facts(values, day)))


def facts(values: Mapping[str, FactValue], day: date) -> Facts:
    """Values as the facts of a day."""
    return Facts(values, dict.fromkeys(values, "made"), day)


def done_by(decision: Decision) -> object:
    """What a decision does, plainly: without reasons, of which those that hold back are part of what is done."""
    held = [(each.destination, each.priority, [why.rule for why in each.held_back_by]) for each in decision.withheld]
    asked = [(question.fact, question.due) for question in decision.questions]
    parts = (decision.routes, decision.offers, decision.resumes, decision.holds, decision.reviews)
    more = (decision.notifies, decision.escalations, decision.records)
    return [[item[:-1] for item in part] for part in (*parts, *more)], held, asked


class Case(NamedTuple):
    """Two rule sets, and a past that was decided by the first."""

    base: RuleSet
    candidate: RuleSet
    values: list[dict[str, FactValue]]
    days: list[date]  # rising


def made(small: RuleSet, rules: Sequence[Rule]) -> RuleSet:
    """A rule set of these rules, over the facts of `strategies`."""
    in_order = tuple(sorted(rules, key=lambda rule: rule.id))
    names = sorted({*small.destinations, *DESTINATIONS})
    destinations = {name: replace(small.destinations["dapp"], id=name) for name in names}
    return RuleSet("sha256:test", FACTS, destinations, small.calendar, in_order, small.otherwise, small.pathway)


def some_values(random: Random) -> dict[str, FactValue]:
    """Any values, a fifth of them unknown; the kind of event never is."""
    values: dict[str, FactValue] = {"event": random.choice(KINDS).value}
    for name, kind in TYPES.items():
        match kind:
            case YesNo():
                value: FactValue = random.random() < 0.5
            case WholeNumber(low, high):
                value = random.randint(low, high)
            case Choice(several):
                value = random.choice(several)
            case SetOf(several):
                value = frozenset(each for each in several if random.random() < 0.4)
        values[name] = None if random.random() < 0.2 else value
    return values


def disagreements(case: Case) -> Iterator[str]:
    """What replay says otherwise than deciding one by one, and adding up."""
    history = history_of(past_of(case.values, case.base.digest, days=case.days), case.base)
    one_by_one = list(zip(case.values, case.days, strict=True))
    before, after = (
        [decided(rules, values, day) for values, day in one_by_one] for rules in (case.base, case.candidate)
    )
    for place, (outcome, wanted) in enumerate(zip(replayed(history, case.base), before, strict=True)):
        if outcome.done != wanted.done or outcome.asked_by != wanted.asked_by:
            yield f"decision {place} comes out otherwise"
    replay = Replay(history, case.base)
    difference = replay.against(case.candidate)
    said = [[done_by(decide(rules, facts(values, day))) for values, day in one_by_one] for rules in case[:2]]
    changed = [place for place in range(len(before)) if said[0][place] != said[1][place]]
    if difference.changed.tolist() != changed:
        yield f"changed: {difference.changed.tolist()}, not {changed}"
    for place, turn in difference.cases():
        if (turn.before.done, turn.after.done) != (before[place].done, after[place].done):
            yield f"decision {place} turns otherwise"
    yield from _work_otherwise(replay, difference, before, after)
    for hits in difference.hits():
        for rules, held in ((case.base, hits.held_before), (case.candidate, hits.held_after)):
            if held is not None and held != sum(_holds(rules, hits.rule, values, day) for values, day in one_by_one):
                yield f"{hits.rule} holds otherwise"


def _work_otherwise(
    replay: Replay, difference: Difference, before: list[Outcome], after: list[Outcome]
) -> Iterator[str]:
    workload = Workload(replay)
    for counted, outcomes in ((workload.before, before), (workload.after(difference), after)):
        for name, counts in counted.items():
            if int(counts.sum()) != sum(_work(outcome, name) for outcome in outcomes):
                yield f"the work of {name} is otherwise"


def _work(outcome: Outcome, name: str) -> int:
    humans = ("questions", "reviews", "holds", "escalations")
    if name == HUMANS:
        return sum(part in humans for (part, _), _ in outcome.done)
    return name in outcome.routes


def _holds(rules: RuleSet, rule: str, values: Mapping[str, FactValue], day: date) -> bool:
    [found] = [each for each in rules.rules if each.id == rule]
    return found.in_force(day) and kleene(found.when, dict(rules.facts), dict(values)) == YES


def planted(monkeypatch: pytest.MonkeyPatch, module: ModuleType, right: str, wrong: str) -> None:
    """A mistake in a module: every function of it is as its text would be with these words in place of those."""
    source = inspect.getsource(module)
    assert source.count(right) == 1, f"{right!r} stands {source.count(right)} times in {module.__name__}"
    there: dict[str, object] = {"__name__": module.__name__}
    exec(compile(source.replace(right, wrong), str(module.__file__), "exec"), there)  # noqa: S102 - our own text
    for name, function in _functions(vars(module), module.__name__):
        new = dict(_functions(there, module.__name__))[name]
        if new.__code__ != function.__code__:
            monkeypatch.setattr(function, "__code__", new.__code__)


def _functions(names: Mapping[str, object], module: str) -> Iterator[tuple[str, FunctionType]]:
    for name, value in list(names.items()):
        inner = (
            getattr(value, "fget", None) or getattr(value, "func", None) or getattr(value, "__func__", None) or value
        )
        if isinstance(inner, FunctionType) and inner.__module__ == module:
            yield name, inner
        elif isinstance(value, type) and value.__module__ == module:
            yield from ((f"{name}.{inside}", found) for inside, found in _functions(vars(value), module))
