"""The past read from the store: what `onward rules replay` stands on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection

from services.cli.looking import Row
from services.router.history import decisions, happened, how_many_decisions
from services.router.rule_sets import rule_sets_kept
from services.router.rules.language import AtLeast
from services.router.rules.replay.columns import Columns
from services.router.rules.replay.compare import Replay
from services.router.rules.replay.past import Past, Recorder
from services.router.rules.replay.sliding import steps_of, thresholds_of
from services.router.rules.replay.standing import History
from services.router.rules.replay.workload import Workload
from services.router.rules.ruleset import RuleSet

Tick = Callable[[int, int], None]  # how much is done, of how much


class Read(NamedTuple):
    """The past, and the rule sets that decided it as far as they were kept."""

    past: Past
    kept: dict[str, RuleSet]


def read_past(connection: Connection, since: datetime | None, tick: Tick) -> Read:
    """Everything that was decided since a moment, with all that happened before. About a minute a million."""
    recorder, total, done = Recorder(), how_many_decisions(connection, since), 0
    for part in decisions(connection, since):
        recorder.add(part)
        done += len(part)
        tick(done, total)
    past = recorder.past(event for part in happened(connection) for event in part)
    return Read(past, rule_sets_kept(connection, past.digests()))


def history_of(read: Read, base: RuleSet) -> History:
    """The past as it can be replayed. Of rule sets that were not kept, the base tells what their facts meant."""
    return History(read.past, Columns(read.past, read.kept, base))


def moved_thresholds(replay: Replay, workload: Workload, candidate: RuleSet, tick: Tick) -> list[Row]:
    """What would come of every place of every threshold of the candidate: counts alone, of nobody in particular."""
    thresholds = thresholds_of(replay, candidate)
    total, done = sum(len(each.places) for each in thresholds), 0
    own = workload.after(replay.against(candidate))
    found: list[Row] = []
    for threshold in thresholds:
        steps: list[Row] = []
        for step in steps_of(replay, workload, candidate, threshold):
            # Only the work that is not as the candidate has it: most of it is.
            work = {name: load for name, load in step.work.items() if not np.array_equal(load, own[name])}
            steps.append(
                {
                    "bound": step.bound,
                    "changed": len(step.difference.changed),
                    "persons": step.difference.persons,
                    "held": step.held,
                    "work": {name: load.tolist() for name, load in work.items()},
                }
            )
            done += 1
            tick(done, total)
        found.append(
            {
                "fact": threshold.test.fact,
                "word": "at least" if isinstance(threshold.test, AtLeast) else "at most",
                "bound": threshold.test.bound,
                "at": str(threshold.at) if threshold.at else None,
                "rules": list(threshold.rules),
                "steps": steps,
            }
        )
    return found
