"""Proving: a whole check at 40 and at 400 rules, two versions compared, and the shipped rules from the command line."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from bench.report import Report, WrongResult
from bench.rules_made import rules_made, shipped
from services.router.rules.language import Route
from services.router.rules.prove.both import Both
from services.router.rules.prove.checks import all_checks
from services.router.rules.prove.diff import compared
from services.router.rules.prove.proofs import Proofs
from services.router.rules.ruleset import RuleSet

FEW, MANY = 40, 400


async def run(*, quick: bool) -> Report:
    """Each size checked whole, and the larger one compared with itself after one threshold or route moved."""
    repeats = 1 if quick else 5
    report = Report("prove")
    few, many = rules_made(FEW), rules_made(MANY)
    moved = _moved(many)
    whole_few, whole_many, versions = [], [], []
    for _ in range(repeats):
        whole_few.append(_seconds(lambda: _check(few)))
        whole_many.append(_seconds(lambda: _check(many)))
        versions.append(_seconds(lambda: _compare(many, moved)))
    own = shipped()
    alone = [_seconds(lambda: _check(own)) for _ in range(repeats)]
    command = [await _command() for _ in range(repeats)]
    report.figure(f"whole check, {FEW} rules", "ms", [1000 * each for each in whole_few])
    report.figure(f"whole check, {MANY} rules", "ms", [1000 * each for each in whole_many])
    report.figure(f"two versions of {MANY} rules compared", "ms", [1000 * each for each in versions])
    report.figure(f"whole check of the shipped {len(own.rules)} rules", "ms", [1000 * each for each in alone])
    report.figure("onward rules check, from the shell, solver and Python loaded", "ms", [1000 * c for c in command])
    report.ratio("whole check, ten times the rules", whole_many, whole_few, "at most", 30)
    report.ratio(f"two versions compared to a whole check ({MANY} rules)", versions, whole_many, "at most", 1 / 20)
    report.notes.append("CPU time; the command line in time that passed, as somebody who waits would count it")
    return report


def _seconds(work: Callable[[], None]) -> float:
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


def _check(rules: RuleSet) -> None:
    undecided = [finding for finding in all_checks(Proofs(rules)) if finding.verdict == "not proved"]
    if undecided:
        raise WrongResult(f"{len(undecided)} of {len(rules.rules)} rules' proofs were not decided")


def _moved(rules: RuleSet) -> RuleSet:
    """The same rules, one ordinary route of which is of another priority."""
    place, rule = next(
        (place, rule)
        for place, rule in enumerate(rules.rules)
        if rule.tier == "ordinary" and any(isinstance(action, Route) and action.priority == 2 for action in rule.then)
    )
    then = tuple(replace(action, priority=3) if isinstance(action, Route) else action for action in rule.then)
    those = [*rules.rules]
    those[place] = replace(rule, then=then)
    return replace(rules, digest="made:moved", rules=tuple(those))


def _compare(before: RuleSet, after: RuleSet) -> None:
    if any(topic.verdict == "not proved" for topic in compared(Both(before, after))):
        raise WrongResult("a difference was not decided")


async def _command() -> float:
    started = time.perf_counter()
    words = (sys.executable, "-m", "services.cli.main", "rules", "check", "--json")
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    await process.communicate()
    if process.returncode != 0:
        raise WrongResult(f"onward rules check ended with {process.returncode}")
    return time.perf_counter() - started
