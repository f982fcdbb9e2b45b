"""Replaying a million past events: the first time, and after an edit of one test.

Beside it the same by deciding one by one with our own code, and by ZEN's expressions, measured on some of the events.
A replay is everything: which come out otherwise, by which rules, and the work of each destination by week. What was
decided stands in memory; reading a million decisions from a store takes about a minute more, once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import orjson

from bench.engines import MISSING, as_event, engines
from bench.report import Report, WrongResult
from bench.rules_made import facts_at, past_made, rules_made
from services.router.rules.decide import decide
from services.router.rules.declarations import CountWithin, WholeNumber
from services.router.rules.facts import Facts
from services.router.rules.replay.columns import Columns
from services.router.rules.replay.compare import Difference, Replay
from services.router.rules.replay.outcome import Outcome
from services.router.rules.replay.past import Past
from services.router.rules.replay.sliding import moved, thresholds_of
from services.router.rules.replay.standing import History
from services.router.rules.replay.workload import Workload
from services.router.rules.ruleset import RuleSet

SIZES = (40, 400)
EDITS_MOST = 40
_SAMPLE = 4_000  # events that are decided one by one


async def run(*, quick: bool) -> Report:
    """Measure at both sizes of rule sets."""
    many, repeats = (50_000, 1) if quick else (1_000_000, 3)
    report = Report("replay")
    for size in SIZES:
        _measure(report, rules_made(size), size, many, repeats)
    report.notes.append(f"CPU time; {many:,} past events; one by one is measured on {_SAMPLE:,} of them, times as many")
    return report


def _measure(report: Report, rules: RuleSet, size: int, many: int, repeats: int) -> None:
    past = past_made(rules, many)
    facts = [facts_at(past, place) for place in range(0, many, max(1, many // _SAMPLE))]
    cold, one_by_one, edits = [], [], []
    for _ in range(repeats):
        started = time.process_time()
        replay = Replay(History(past, Columns(past, {rules.digest: rules}, rules)), rules)
        workload = Workload(replay)
        cold.append(time.process_time() - started)
        one_by_one.append(_one_by_one(rules, facts) * many)
        found = [(seconds, edited) for seconds, edited, _ in _edits(replay, workload, rules)]
        edits.append(sorted(seconds for seconds, _ in found))
    _check(past, rules, replay, found[0][1])
    typical = [each[len(each) // 2] for each in edits]
    report.figure(f"the first time ({size} rules)", "ms", [1000 * each for each in cold])
    report.figure(f"after an edit, the middle one of {len(edits[0])} ({size} rules)", "ms", [1000 * e for e in typical])
    report.figure(f"after an edit, the slowest ({size} rules)", "ms", [1000 * each[-1] for each in edits])
    report.figure(f"a window of 21 days in place of 28 ({size} rules)", "ms", [1000 * _window(replay, rules)])
    report.figure(f"one by one with our own code ({size} rules)", "s", one_by_one)
    report.ratio(f"one by one to a replay after an edit ({size} rules)", one_by_one, typical, "at least", 100)
    if size == min(SIZES):
        report.ratio(f"the first time, to one second ({size} rules)", cold, [1.0] * repeats, "at most", 1)
    try:
        zen = [_zen(rules, many) for _ in range(repeats)]
    except ImportError as missing:
        report.notes.append(f"not measured beside us: {missing.name} is not there; {MISSING}")
        return
    report.figure(f"ZEN expressions ({size} rules)", "s", zen)
    report.ratio(f"ZEN expressions to a replay after an edit ({size} rules)", zen, typical, "at least", 1000)


def _edits(replay: Replay, workload: Workload, rules: RuleSet) -> Iterator[tuple[float, RuleSet, Difference]]:
    """Each threshold moved by one, as nobody moved it before: how long that takes, and what it is."""
    for threshold in thresholds_of(replay, rules)[:EDITS_MOST]:
        kind = rules.facts[threshold.test.fact].type
        assert isinstance(kind, WholeNumber)
        bound = int(threshold.test.bound)
        edited = moved(rules, threshold.test, bound + 1 if bound < kind.high else bound - 1)
        started = time.process_time()
        difference = replay.against(edited)
        workload.after(difference)
        yield time.process_time() - started, edited, difference


def _one_by_one(rules: RuleSet, facts: list[Facts]) -> float:
    """Seconds a decision."""
    started = time.process_time()
    for each in facts:
        decide(rules, each)
    return (time.process_time() - started) / len(facts)


def _window(replay: Replay, rules: RuleSet) -> float:
    """Seconds that a window of other days takes: it is counted anew from what happened."""
    fact = rules.facts["relapses_28d"]
    assert isinstance(fact.source, CountWithin)
    other = replace(fact, source=replace(fact.source, days=21))
    started = time.process_time()
    replay.against(replace(rules, facts={**rules.facts, fact.name: other}))
    return time.process_time() - started


def _zen(rules: RuleSet, many: int) -> float:
    """Seconds for all events, by the quicker of two ways to give it one; of these everything is known."""
    others, taken, past = engines(rules), [], past_made(rules, 400, unknown=0)
    given = [as_event(facts_at(past, place).values) for place in range(len(past))]
    texts = [orjson.dumps(each) for each in given]
    for name in ("zen expression, dict", "zen expression, JSON"):
        started = time.process_time()
        for event, text in zip(given, texts, strict=True):
            others[name](event, text)
        taken.append((time.process_time() - started) / len(given) * many)
    return min(taken)


def _check(past: Past, rules: RuleSet, replay: Replay, edited: RuleSet) -> None:
    """What replay says of some events is what deciding them says."""
    difference = replay.against(edited)
    otherwise = dict(difference.cases())
    for place in [*range(0, len(past), max(1, len(past) // 500)), *list(otherwise)[:500]]:
        facts = facts_at(past, place)
        before, after = (Outcome.of_decision(decide(each, facts)) for each in (rules, edited))
        if (before.done != after.done) != (place in otherwise):
            raise WrongResult(f"event {place} does not come out as it is decided")
        if place in otherwise and otherwise[place].after.done != after.done:
            raise WrongResult(f"event {place} changes to something else than it is decided")
