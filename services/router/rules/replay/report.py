"""What a replay found, as plain data: counts, ids and what rules say. No value of anybody's fact is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import numpy as np

from services.router.rules.declarations import CountWithin, DaysSince
from services.router.rules.language import facts_in
from services.router.rules.replay.columns import REACH_DAYS
from services.router.rules.replay.compare import Difference, Responsible, Turn
from services.router.rules.replay.past import Past
from services.router.rules.replay.standing import History
from services.router.rules.replay.windows import UNTOLD, counts_within, days_since
from services.router.rules.replay.workload import Workload
from services.router.rules.ruleset import RuleSet

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"

EXAMPLES_MOST: Final = 3  # events that are named for each kind of change
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def report_of(
    difference: Difference, workload: Workload, *, kept: Mapping[str, RuleSet], most: int | None = None
) -> dict[str, Json]:
    """Everything that is told of a replay, with at most so many changed cases (None: all of them).

    `kept` are the rule sets that decided, as far as they are known.
    """
    history, candidate, base = difference.history, difference.after.rules, difference.before.rules
    return {
        "candidate": candidate.digest,
        "against": base.digest,
        "decisions": len(history.past),
        "from": _day(history.past, 0),
        "until": _day(history.past, -1),
        "changed": len(difference.changed),
        "persons": difference.persons,
        "decided_by": _decided_by(history.past, kept),
        "changes": _changes(difference),
        "cases": [_case(difference, place, turn) for place, turn in difference.cases(most)],
        "rules": [dict(hits._asdict()) for hits in difference.hits()],
        "workload": _workload(workload, difference),
        "not_known_then": _lacking(history, candidate),
        "windows": _windows(history, candidate, base),
    }


def _day(past: Past, place: int) -> str | None:
    return _moment(past, place).date().isoformat() if len(past) else None


def _moment(past: Past, place: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(past.decided_at[place]))


def _decided_by(past: Past, kept: Mapping[str, RuleSet]) -> list[Json]:
    counts = np.bincount(past.rule_set, minlength=len(past.rule_sets)).tolist()
    return [
        {"rule_set": digest, "decisions": count, "kept": digest in kept}
        for digest, count in zip(past.rule_sets, counts, strict=True)
    ]


def _changes(difference: Difference) -> list[Json]:
    """What changes, alike for several decisions: the most frequent first, each with some events that it is so for."""
    many: Counter[tuple[tuple[str, ...], tuple[str, ...], tuple[Responsible, ...]]] = Counter()
    alike = {number: _said(turn) for number, turn in enumerate(difference.turns)}
    examples: dict[object, list[Json]] = {}
    counts = np.bincount(difference.turn_of, minlength=len(difference.turns)).tolist()
    for number, said in alike.items():
        many[said] += counts[number]
    for place, turn in zip(difference.changed[::-1].tolist(), difference.turn_of[::-1].tolist(), strict=True):
        named = examples.setdefault(alike[turn], [])
        if len(named) < EXAMPLES_MOST:
            named.append(difference.history.past.event_ids[place])
    return [
        {
            "decisions": number,
            "before": [*said[0]],
            "after": [*said[1]],
            "rules": [_responsible(rule) for rule in said[2]],
            "examples": examples[said],
        }
        for said, number in sorted(many.items(), key=lambda each: (-each[1], each[0]))
    ]


def _said(turn: Turn) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Responsible, ...]]:
    return tuple(turn.before.beyond(turn.after)), tuple(turn.after.beyond(turn.before)), turn.rules


def _case(difference: Difference, place: int, turn: Turn) -> Json:
    past = difference.history.past
    before, after, rules = _said(turn)
    return {
        "person_id": past.persons[place],
        "event_id": past.event_ids[place],
        "decision_id": past.decisions[place],
        "decided_at": _moment(past, place).isoformat(),
        "before": [*before],
        "after": [*after],
        "rules": [_responsible(rule) for rule in rules],
    }


def _responsible(rule: Responsible) -> Json:
    return {"rule": rule.rule, "before": rule.before, "after": rule.after, "asks_otherwise": rule.asks_otherwise}


def _workload(workload: Workload, difference: Difference) -> Json:
    after = workload.after(difference)
    nothing = np.zeros(len(workload.weeks), np.int64)
    return {
        "weeks": [week.isoformat() for week in workload.weeks],
        "destinations": {
            each: {"before": [*map(int, workload.before.get(each, nothing))], "after": [*map(int, counts)]}
            for each, counts in after.items()
        },
    }


def _lacking(history: History, candidate: RuleSet) -> list[Json]:
    """The facts that rules of the candidate read and some records lack: there they are unknown, which is not no."""
    columns = history.columns.of(candidate)
    read = sorted({name for rule in candidate.rules for name in facts_in(rule.when)})
    return [
        {"fact": name, "decisions": columns[name].how_many_lack} for name in read if columns[name].how_many_lack > 0
    ]


def _windows(history: History, candidate: RuleSet, base: RuleSet) -> list[Json]:
    """The windows that were counted anew; and for how many decisions the past, counted as then, is not what was kept.

    That is so where persons were joined or parted since: their past was another one then.
    """
    found: list[Json] = []
    mine, theirs = history.columns.of(candidate), history.columns.of(base)
    for name, column in mine.items():
        if column.counted_anew and isinstance(candidate.facts[name].source, (CountWithin, DaysSince)):
            then, kept = base.facts.get(name), theirs.get(name)
            otherwise: int | None = None
            if then is not None and kept is not None and not kept.counted_anew:
                numbers = _counted(history.past, then.source)
                otherwise = int(_differs(numbers, kept.numbers[kept.codes], kept.known[kept.codes]))
            found.append({"fact": name, "decisions": len(history.past), "otherwise_than_kept": otherwise})
    return found


def _counted(past: Past, source: object) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if isinstance(source, CountWithin):
        return counts_within(past, source, reach_days=REACH_DAYS)
    assert isinstance(source, DaysSince)
    return days_since(past, source, reach_days=REACH_DAYS)


def _differs(numbers: object, kept: object, known: object) -> int:
    one, other, there = np.asarray(numbers), np.asarray(kept), np.asarray(known)
    comparable = there & (one >= 0) & (one != UNTOLD)
    return int((one[comparable] != other[comparable]).sum())
