"""Deciding beside other rules engines: which rules hold, and what follows, at 40 and at 400 rules.

The same rules and the same events, of which everything is known; which rules hold is checked for each engine before it
is measured. Ours also combines what they ask for; the others only tell which hold.
"""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import orjson

from bench.engines import MISSING, Event, as_event, engines
from bench.report import Report, WrongResult
from bench.rules_made import facts_at, past_made, rules_made
from services.router.rules.combine import combine
from services.router.rules.decide import decide
from services.router.rules.facts import Facts
from services.router.rules.ruleset import RuleSet

FEW, MANY = 40, 400
FASTEST: Final = ("zen expression", "datalogic-py", "cel-expr-python", "common-expression-language")
_CHECKED = 100  # events on which each engine's answers are held against ours


async def run(*, quick: bool) -> Report:
    """Measure every engine at both sizes, interleaved, some times over."""
    events, repeats = (500, 1) if quick else (10_000, 5)
    report = Report("decide")
    ours: dict[tuple[str, int], list[float]] = defaultdict(list)
    for size in (FEW, MANY):
        try:
            theirs = _measure(rules_made(size), size, events, repeats, ours)
        except ImportError as missing:
            report.notes.append(f"not measured: {missing.name} is not there; {MISSING}")
            return report
        _tell(report, size, theirs, ours)
    report.ratio("match and combine, ten times the rules", ours["both", MANY], ours["both", FEW], "at most", 5)
    report.notes.append("CPU time an event; the others are in their quicker form, and do not combine")
    return report


def _tell(report: Report, size: int, theirs: dict[str, list[float]], ours: dict[tuple[str, int], list[float]]) -> None:
    for name, said in (("match", "match"), ("both", "match and combine"), ("decide", "decide and explain")):
        report.figure(f"ours, {said} ({size} rules)", "us", ours[name, size])
    best: dict[str, list[float]] = {}
    for name, values in theirs.items():
        engine = name.partition(",")[0]
        if engine not in best or min(values) < min(best[engine]):
            best[engine] = values
    for engine, values in best.items():
        report.figure(f"{engine} ({size} rules)", "us", values)
    fastest = [min(several) for several in zip(*(best[name] for name in FASTEST), strict=True)]
    both = ours["both", size]
    report.ratio(f"zen decision table to ours ({size} rules)", best["zen decision table"], both, "at least", 100)
    report.ratio(f"the fastest other to ours ({size} rules)", fastest, both, "at least", 3)
    report.ratio(
        f"decide and explain to a bare match ({size} rules)", ours["decide", size], ours["match", size], "at most", 12
    )


def _measure(
    rules: RuleSet, size: int, events: int, repeats: int, ours: dict[tuple[str, int], list[float]]
) -> dict[str, list[float]]:
    """Microseconds an event of each side, a value a repeat."""
    others, total = engines(rules), events * (repeats + 1)
    past, unknown = past_made(rules, total, unknown=0), past_made(rules, total)
    known, partly = ([facts_at(each, place) for place in range(total)] for each in (past, unknown))
    facts = known[:events]
    given = [as_event(each.values) for each in facts]
    texts = [orjson.dumps(each) for each in given]
    for name, matches in others.items():
        for each, event, text in list(zip(facts, given, texts, strict=True))[:_CHECKED]:
            held = [place for place, holds in enumerate(matches(event, text)) if holds]
            if held != rules.matchers[str(each.values["event"])](each.values)[0]:
                raise WrongResult(f"{name} says otherwise than we which rules hold")
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(repeats + 1):  # each time other events; the first time is there to warm up
        part = slice(number * events, (number + 1) * events)
        sides = (("match", _match, known), ("both", _match_and_combine, known), ("decide", decide, partly))
        taken = {name: _timed(partial(side, rules), those[part]) for name, side, those in sides}
        if number == 0:
            continue
        for side_name, microseconds in taken.items():
            ours[side_name, size].append(microseconds)
        for name, matches in others.items():
            few = max(20, events // (50 if "table" in name or size == MANY else 10))
            found[name].append(_timed_both(matches, given[:few], texts[:few]))
    return found


def _match(rules: RuleSet, facts: Facts) -> object:
    return rules.matchers[str(facts.values["event"])](facts.values)


def _match_and_combine(rules: RuleSet, facts: Facts) -> object:
    """As `decide` does it: outcomes that were worked out before are remembered."""
    hit, _ = rules.matchers[str(facts.values["event"])](facts.values)
    key = (tuple(hit), ())
    known = rules.settled.get(key)
    if known is None:
        known = rules.settled[key] = combine([rules.wishes[place] for place in hit], (), rules.otherwise)
    return known


def _timed(side: Callable[[Facts], object], facts: Sequence[Facts]) -> float:
    gc.collect()  # or somebody else's rubbish would be ours
    start = time.process_time()
    for each in facts:
        side(each)
    return (time.process_time() - start) / len(facts) * 1e6


def _timed_both(side: Callable[[Event, bytes], object], given: Sequence[Event], texts: Sequence[bytes]) -> float:
    start = time.process_time()
    for event, text in zip(given, texts, strict=True):
        side(event, text)
    return (time.process_time() - start) / len(given) * 1e6
