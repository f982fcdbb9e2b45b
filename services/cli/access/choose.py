"""Which records are the person's own to see: none of the other's side, nor what would tell that there is one. Pure.

It stands on the picture's choice (`picture.sides`). What was left out is counted for whoever reviews the export; the
export itself says the same whether something was left out or not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.envelope import EventType
from schemas.registry import DATA
from services.cli.access.fields import IN_CONFIDENCE, Treatment, treatment
from services.cli.access.gather import Held
from services.cli.access.redact import Policy
from services.cli.looking import Row
from services.cli.picture.records import Directory
from services.cli.picture.sides import person_side
from services.router.rules.declarations import (
    CountWithin,
    DaysInStatus,
    DaysSince,
    Fact,
    FieldPath,
    FromEvent,
    StatusOfLeg,
)

ACTIONS: Final = ("routes", "offers", "resumes", "notifies", "withheld")  # of a decision, each with its destination
ASKING: Final = ("holds", "reviews", "escalations")  # each a question to a human

# What is read of a payload and is no field of it: from which fields it is made.
_MADE_OF: Final[Mapping[str, tuple[str, ...]]] = {"risk.highest": ("risk.level", "risk.reviewed_level")}
_TYPES: Final[Mapping[type, EventType]] = {model: kind for kind, model in DATA.items()}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The ids of what is shown, and how much is not."""

    legs: frozenset[str]
    events: frozenset[str]
    questions: frozenset[str]
    moves: frozenset[str]  # steps of shown legs: of those that nothing shown caused, only that they were taken
    left_out: Mapping[str, int]  # by what it is: for the reviewer alone


def choose(held: Held, policy: Policy) -> Chosen:
    """What is the person's own."""
    rows = held.rows
    events = {message.row["event_id"] for message in held.messages}
    if policy.all_parties:
        legs, questions = {leg.id for leg in rows.legs}, {question.id for question in rows.questions}
        return Chosen(frozenset(legs), frozenset(events), frozenset(questions), frozenset(m.id for m in rows.moves), {})
    ours = person_side(rows, held.directory)
    own = {event.event_id for event in ours.events}
    own |= {
        message.row["event_id"]
        for message in held.messages
        if message.type is EventType.REFERRAL_SUBMITTED and not on_another_side(held.directory, message.row["source"])
    }
    told = {message.row["event_id"] for message in held.messages if message.type is not EventType.TIMER_FELL_DUE}
    his = frozenset(leg.id for leg in ours.legs)
    return Chosen(
        legs=his,
        events=frozenset(own & events),
        questions=frozenset(question.id for question in ours.questions),
        moves=frozenset(move.id for move in ours.moves),
        left_out={
            "services": len(rows.legs) - len(ours.legs),
            "messages": len(told - own),
            "questions": len(rows.questions) - len(ours.questions),
            "disclosures": sum(sent.event_id not in own for sent in rows.sent if sent.leg_id in his),
        },
    )


def on_another_side(directory: Directory, source: str | None) -> bool:
    """Whether a source, or destination, speaks for a service that is not on the person's side alone, or may."""
    if source is None:
        return True  # nobody can tell
    sides = {directory.side(destination) for destination in directory.speaks_for(source)}
    if source in directory.places:
        sides.add(directory.side(source))
    return bool(sides - {"person"})


def fact_is_his(fact: Fact | None, directory: Directory, policy: Policy) -> bool:
    """Whether a fact of the rules is about the person alone. One that no rule set declares is not."""
    if policy.all_parties:
        return True
    match fact.source if fact is not None else None:
        case FromEvent(fields):
            return all(_field_is_his(each) for each in fields)
        case StatusOfLeg(destination) | DaysInStatus(destination):
            return directory.side(destination) == "person"
        case CountWithin(kinds) | DaysSince(kinds):
            return not IN_CONFIDENCE & {kind.value for kind in kinds}
        case None:
            return False
    return True  # the kind of event, whose leg it was about, the calendar


def _field_is_his(field: FieldPath) -> bool:
    kind = _TYPES.get(field.payload)
    paths = _MADE_OF.get(field.path, (field.path,))
    return kind is not None and all(treatment(kind, path) is Treatment.SHOWN for path in paths)


def rules_shown(decision: Row, held: Held, chosen: Chosen, policy: Policy) -> list[Row]:
    """Those of the rules that held in a decision that led to something on the person's side, and to nothing else."""
    said, facts = decision["said"], held.rule_sets.get(decision["rule_set"], held.rules).facts
    if policy.all_parties:
        return list(said["matched"])
    questions = [row for row in held.case["reviews"] if row["decision_id"] == decision["id"]]
    asks_openly = bool(questions) and all(row["id"] in chosen.questions for row in questions)
    return [
        rule
        for rule in said["matched"]
        if _leads_to_his_side(rule["rule"], said, held.directory, asks_openly=asks_openly)
        and all(fact_is_his(facts.get(test["fact"]), held.directory, policy) for test in rule["tests"])
        and all(_says_nothing_of_others(test, held.directory) for test in rule["tests"])
    ]


def _leads_to_his_side(rule: str, said: Mapping[str, Any], directory: Directory, *, asks_openly: bool) -> bool:
    to = {action["destination"] for name in ACTIONS for action in said.get(name, ()) if _asked_by(rule, action)}
    if any(directory.side(destination) != "person" for destination in to):
        return False
    asks = any(_asked_by(rule, question) for name in ASKING for question in said.get(name, ()))
    return bool(to) or asks_openly or not asks


def _asked_by(rule: str, action: Mapping[str, Any]) -> bool:
    held_back = action.get("held_back_by") or ()
    return rule in {reason["rule"] for reason in [*action["reasons"], *held_back]}


def _says_nothing_of_others(test: Row, directory: Directory) -> bool:
    """A test's words can name destinations, among which somebody else's service may stand."""
    named: Collection[str] = {word.strip(",") for word in str(test["test"]).split()}
    value = test["value"] if isinstance(test["value"], list) else [test["value"]]
    return not any(word in directory.places and directory.side(word) != "person" for word in [*named, *map(str, value)])
