"""Whoever is on duty answers what is asked and decides what nobody asked for: at times twice, or late.

What is refused is told to whoever decided it, and stands in quarantine: an outcome, and no loss.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson

from schemas.vocabulary import DecisionKind, LegStatus, WelfareOutcome
from tests.sim.sources import Said, Saying, example

AT_QUESTIONS = 0.7  # how often it is an open question that is decided, and not a leg or two persons
BY_TWO = 0.3  # how often two answer one question, or one decides the same twice
NO_RIGHT = 0.05  # how often it is somebody who may not
DAYS = (0, 1, 5, 12, 40)
REASON_CODES = ("disengaged", "moved_away", "completed", "health")

Rows = Callable[[str], list[tuple[Any, ...]]]


def duty_says(rows: Rows, saying: Saying) -> list[Said]:
    """What somebody decides now; nothing where there is nothing to be decided."""
    chance = saying.chance
    questions = rows(
        "SELECT id, person_id, kind, leg_id, fact, answers, perhaps FROM reviews WHERE answered_at IS NULL ORDER BY id"
    )
    if questions and chance.random() < AT_QUESTIONS:
        question = dict(zip(_QUESTION, chance.choice(questions), strict=True))
        said = [_decision(_answer(question, saying), saying)]
        if chance.random() < BY_TWO:
            again = saying._replace(number=saying.number + 1_000_000)
            said.append(_decision(_answer(question, again), again))
        return said
    persons = [person for (person,) in rows("SELECT id FROM persons ORDER BY id")]
    if len(persons) > 1 and chance.random() < 0.5:
        return [_decision(_on_two(persons, saying), saying)]
    legs = rows("SELECT id, person_id, status FROM legs ORDER BY id")
    if not legs:
        return []
    leg_id, person_id, status = chance.choice(legs)
    return [_decision(_on_leg(str(leg_id), str(person_id), str(status), saying), saying)]


_QUESTION = ("id", "person_id", "kind", "leg_id", "fact", "answers", "perhaps")


def _answer(question: dict[str, Any], saying: Saying) -> dict[str, object]:
    """An answer that fits the question, or that puts it off."""
    chance = saying.chance
    about: dict[str, object] = {"review_id": question["id"]}
    if chance.random() < 0.15:
        until = saying.now + timedelta(days=chance.choice((1, 6, 13)))
        return {**about, "kind": DecisionKind.SNOOZE, "until": until.isoformat()}
    match question["kind"]:
        case "link" if question["perhaps"]:
            kind = chance.choice((DecisionKind.MERGE_PERSONS, DecisionKind.KEEP_PERSONS_APART))
            return {**about, **_two(question["person_id"], orjson.loads(question["perhaps"])[0], kind)}
        case "confirm_route":
            kind = chance.choice((DecisionKind.CONFIRM_ROUTE, DecisionKind.CONFIRM_ROUTE, DecisionKind.REFUSE_ROUTE))
            return {**about, "kind": kind}
        case "welfare_check" if chance.random() < 0.4:
            if chance.random() < 0.5:
                return {**about, "kind": DecisionKind.RESCHEDULE_CHECK, "on": _day(saying)}
            return {**about, "kind": DecisionKind.RECORD_CHECK, "welfare_check": _outcome(saying)}
    answers = orjson.loads(question["answers"]) if question["answers"] else None
    answer = chance.choice(answers) if answers else "Done."
    data = {**about, "kind": DecisionKind.ANSWER_REVIEW, "answer": answer}
    if question["fact"]:
        data |= {"fact": question["fact"], "value": answer}
    if question["kind"] == "pause_end":
        data |= {"on": _day(saying), "reason_code": chance.choice(REASON_CODES)}
    return data


_SENSIBLE = {
    LegStatus.ON_HOLD: (
        DecisionKind.EXTEND_PAUSE, DecisionKind.SHORTEN_PAUSE, DecisionKind.RESUME_LEG, DecisionKind.RECORD_CHECK,
        DecisionKind.RESCHEDULE_CHECK, DecisionKind.MUTE_CHECKS, DecisionKind.CLOSE_LEG,
    ),
    LegStatus.ON_PROGRAMME: (
        DecisionKind.AGREE_OFFER, DecisionKind.DECLINE_OFFER, DecisionKind.CORRECT_STATUS, DecisionKind.CLOSE_LEG,
    ),
    LegStatus.REQUESTED: (DecisionKind.CORRECT_STATUS, DecisionKind.CLOSE_LEG),
}  # fmt: skip
_OF_A_CLOSED_LEG = (DecisionKind.REOPEN_LEG, DecisionKind.CORRECT_STATUS, DecisionKind.CLOSE_LEG)


_CORRECTED_TO = (
    LegStatus.ON_PROGRAMME,
    LegStatus.ON_HOLD,
    LegStatus.ACCEPTED,
    LegStatus.DEFERRED,
    LegStatus.REQUESTED,
    LegStatus.WITHDRAWN,
)


def _on_leg(leg_id: str, person_id: str, status: str, saying: Saying) -> dict[str, object]:
    """What can be decided of a leg as it stands. Before it is taken the leg may have gone on."""
    chance = saying.chance
    kind = chance.choice(_SENSIBLE.get(LegStatus(status), _OF_A_CLOSED_LEG))
    data: dict[str, object] = {"kind": kind, "leg_id": leg_id}
    if chance.random() < 0.5:
        data["person_id"] = person_id
    if kind is DecisionKind.CORRECT_STATUS:
        data["status"] = chance.choice(_CORRECTED_TO)
    if kind in (DecisionKind.CLOSE_LEG, DecisionKind.REOPEN_LEG):
        data["reason_code"] = chance.choice(REASON_CODES)
    if kind is DecisionKind.RECORD_CHECK:
        data["welfare_check"] = _outcome(saying)
    if kind in (DecisionKind.EXTEND_PAUSE, DecisionKind.SHORTEN_PAUSE, DecisionKind.RESCHEDULE_CHECK,
                DecisionKind.MUTE_CHECKS):  # fmt: skip
        data["on"] = _day(saying)
    return data


def _on_two(persons: list[str], saying: Saying) -> dict[str, object]:
    """Two persons are one, or no longer."""
    one, other = saying.chance.sample(persons, 2)
    kinds = (DecisionKind.MERGE_PERSONS, DecisionKind.MERGE_PERSONS, DecisionKind.UNMERGE_PERSONS)
    return _two(one, other, saying.chance.choice(kinds))


def _two(one: str, other: str, kind: DecisionKind) -> dict[str, object]:
    return {"kind": kind, "person_id": one, "other_person_id": other}


def _day(saying: Saying) -> str:
    return (saying.now.date() + timedelta(days=saying.chance.choice(DAYS))).isoformat()


def _outcome(saying: Saying) -> WelfareOutcome:
    return saying.chance.choice(list(WelfareOutcome))


def _decision(data: dict[str, object], saying: Saying) -> Said:
    event = example("decision-answer-review", f"decision-{saying.number}")
    role = "duty worker" if saying.chance.random() < NO_RIGHT else "safeguarding lead"
    said = {"decided_by": {**event["data"]["decided_by"], "role": role}, "reason": "It was looked at."}
    event["data"] = {**said, "decided_at": saying.now.isoformat(), **data}
    return "decision", event
