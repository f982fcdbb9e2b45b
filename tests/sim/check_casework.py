"""What must be true of cases and their timers when all is mended and nothing is in hand. Empty is well."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from schemas.envelope import TIMERS_SOURCE
from schemas.vocabulary import DecisionKind
from services.ground.settings import Settings
from services.ground.work import Work
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import Destination
from tests.sim.invariants import broken

if TYPE_CHECKING:
    from tests.sim.check import Ended  # which asks this

Rows = Callable[[str], list[tuple[Any, ...]]]

_BY_TIMERS = f"FROM case_events WHERE source = '{TIMERS_SOURCE}'"
# A question of identity can be answered once for each of several persons; and putting off is no answer.
_ANSWERS_NOTHING = (
    DecisionKind.SNOOZE, DecisionKind.MERGE_PERSONS, DecisionKind.UNMERGE_PERSONS, DecisionKind.KEEP_PERSONS_APART,
)  # fmt: skip


def casework_problems(ended: Ended) -> list[str]:
    """All that is wrong with them."""
    rows = ended.store.rows
    return [
        *_cases(ended),
        *(f"history is only ever added to: {what}" for what in sorted(set(ended.store.shrunk))),
        *_timers_missed(rows, ended.due_by),
        *_timers_twice(rows),
        *_cancelled_timers_ask_nothing(rows),
        *_timers_move_nothing(rows),
        *_answered_questions_are_let_go(rows),
        *_each_question_answered_once(rows),
        *_nobody_asked_in_a_circle(rows),
    ]


def _cases(ended: Ended) -> list[str]:
    persons = [person for (person,) in ended.store.rows("SELECT person_id FROM cases WHERE merged_into IS NULL")]
    work = Work(ended.store.connection, service="router", now=ended.now)
    return [f"at the end: {problem}" for problem in broken(persons, work)]


def _timers_missed(rows: Rows, due_by: datetime) -> list[str]:
    left = rows("SELECT kind, id, due_at FROM timers WHERE taken_at IS NULL AND cancelled_at IS NULL")
    missed = [(kind, id_) for kind, id_, due_at in left if due_at[:19] <= f"{due_by:%Y-%m-%d %H:%M:%S}"]
    early = rows("SELECT kind, id FROM timers WHERE fired_at < due_at OR (taken_at IS NOT NULL AND fired_at IS NULL)")
    return [
        *(f"timer {kind} was missed: {id_}" for kind, id_ in missed),
        *(f"timer {kind} came before its time: {id_}" for kind, id_ in early),
    ]


def _fallen(rows: Rows) -> list[tuple[str, str]]:
    """Of each timer that was taken, its id and that of its event. A check that was missed is told as a risk."""
    return [(timer, event) for timer, event in rows(f"SELECT origin_id, event_id {_BY_TIMERS}")]


def _timers_twice(rows: Rows) -> list[str]:
    times = Counter(timer for timer, _ in _fallen(rows))
    taken = {timer for (timer,) in rows("SELECT id FROM timers WHERE taken_at IS NOT NULL")}
    return [
        *(f"timer taken {n} times: {timer}" for timer, n in times.items() if n > 1),
        *(f"timer taken and not noted, or noted and not taken: {timer}" for timer in taken ^ set(times)),
    ]


def _cancelled_timers_ask_nothing(rows: Rows) -> list[str]:
    """One that was cancelled on its way asks nobody, and tells nobody. (Taken in the same batch, it had asked.)"""
    cancelled = {timer for (timer,) in rows("SELECT id FROM timers WHERE cancelled_at <> taken_at")}
    asked = {event for (event,) in rows("SELECT event_id FROM reviews UNION SELECT event_id FROM leg_history")}
    return [
        f"a cancelled timer asks: {timer}" for timer, event in _fallen(rows) if timer in cancelled and event in asked
    ]


def _answered_questions_are_let_go(rows: Rows) -> list[str]:
    """No timer waits on for a question that was answered, or fires for it one day."""
    waiting = rows(
        "SELECT t.id FROM timers t JOIN reviews r ON r.id = t.review_id"
        " WHERE r.answered_at IS NOT NULL AND t.taken_at IS NULL AND t.cancelled_at IS NULL"
    )
    return [f"a timer waits for an answered question: {timer}" for (timer,) in waiting]


def _timers_move_nothing(rows: Rows) -> list[str]:
    """No timer closes, rests or moves a leg; it may open another one."""
    moved = rows(
        "SELECT h.leg_id, e.kind, h.to_status FROM leg_history h JOIN case_events e ON e.event_id = h.event_id"
        " WHERE e.kind LIKE 'timer_%' AND h.from_status IS NOT NULL AND h.from_status <> h.to_status"
    )
    return [f"{kind} moved leg {leg} to {to}" for leg, kind, to in moved]


def _each_question_answered_once(rows: Rows) -> list[str]:
    nothing = ", ".join(f"'{kind}'" for kind in _ANSWERS_NOTHING)
    twice = rows(
        "SELECT review_id, count(*) FROM human_decisions"  # noqa: S608
        f" WHERE review_id IS NOT NULL AND kind NOT IN ({nothing}) GROUP BY review_id HAVING count(*) > 1"
    )
    return [f"review answered {n} times in effect: {review}" for review, n in twice]


def _nobody_asked_in_a_circle(rows: Rows) -> list[str]:
    """For one referral nobody is asked in another's stead who was asked before."""
    asked: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    query = "SELECT person_id, occasion, destination, reroute_of FROM legs WHERE occasion IS NOT NULL ORDER BY id"
    for person, occasion, destination, instead_of in rows(query):
        asked[person, occasion, destination].append(instead_of is not None)
    return [f"asked again in another's stead: {destination}" for (_, _, destination), n in asked.items() if any(n[1:])]


def same_persons(rows: Rows) -> Callable[[str], str]:
    """Who is, or ever was, the same: each by one name."""
    names: dict[str, str] = {}

    def same(person: str) -> str:
        while person in names:
            person = names[person]
        return person

    for survivor, merged in rows("SELECT survivor, merged FROM person_merges ORDER BY at"):
        one, other = same(survivor), same(merged)
        if one != other:
            names[other] = one
    return same


@cache
def serve_the_same(destination: str) -> tuple[str, ...]:
    """The destinations that serve the same need."""
    destinations = _destinations()
    wanted = destinations.get(destination)
    return tuple(id_ for id_, other in destinations.items() if wanted is not None and other.serves == wanted.serves)


@cache
def _destinations() -> Mapping[str, Destination]:
    return load_rule_set(Settings().rules_dir).destinations
