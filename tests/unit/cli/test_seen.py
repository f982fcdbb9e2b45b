"""What is kept as shown is what was on the screen: no record less, and none that was not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.cli import telling, terminal
from services.cli.looking import Row
from services.cli.seen import LAST_CHECKS, LAST_STEPS, NEXT_CHECKS, on_screen

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


def _check(number: int, status: str) -> Row:
    day = date(2027, 11, number)
    return {"id": f"check-{day}", "due_on": day, "status": status, "outcome": None, "escalated_to": None}


def _leg(id_: str = "leg", **changes: object) -> Row:
    steps = [
        {"id": f"step-{n}", "at": AT, "to_status": "sent", "effect": "moved", "because": f"step-{n}", "by_user": None}
        for n in range(LAST_STEPS + 3)
    ]
    return {
        "id": id_, "person_id": "person", "destination": "dapp", "status": "on_hold", "since": AT, "priority": 2,
        "reason": None, "history": steps, "beside": [{"id": "beside", "destination": "beside", "status": "sent"}],
        "offer": {"id": "offer", "answer": None, "for_days": 28, "reason": "offer", "offered_at": AT, "answer_by": AT},
        "pause": {"id": "pause", "from_date": AT.date(), "until_date": AT.date(), "reason": "pause", "held_from": "x",
                  "welfare_check_days": 7, "muted_until": None},
        "checks_before": [_check(n, "done") for n in range(1, LAST_CHECKS + 3)],
        "checks": [_check(n, "planned") for n in range(11, NEXT_CHECKS + 13)],
        **changes,
    }  # fmt: skip


def _question(**changes: object) -> Row:
    return {
        "id": "question", "person_id": "person", "question": "What now?", "kind": "rule", "may_answer": ["facilitator"],
        "asked_at": AT, "due_at": AT, "snoozes": 0, "fact": None, "route": None, "perhaps": ["perhaps"],
        "event": {"event_id": "event", "kind": "event", "occurred_at": AT, "source": "force", "origin_id": "1"},
        "decision_id": "rule", "because": [{"rule": "rule", "because": "rule"}], "hangs_on": [],
        "decided": [{"event_id": "human", "kind": "snooze", "by_user": "human", "role": "r", "organisation": "o",
                     "reason": "later", "answer": None, "taken_at": AT}],
        "leg": _leg(), "leg_id": "leg", **changes,
    }  # fmt: skip


# By the record's id, what stands on the screen where it is shown.
MARKS = {"leg": "(leg)", "person": "person", "offer": "for offer", "pause": "for pause", "event": "event on"}


def _printed(question: Row | None, leg: Row | None, capsys: pytest.CaptureFixture[str]) -> str:
    if question is not None:
        telling.question(question)
    if leg is not None and question is None:
        telling.leg(leg)
    return capsys.readouterr().out


def _mark(id_: str) -> str:
    return MARKS.get(id_, id_.removeprefix("check-"))


def _all_ids(row: Any) -> set[str]:
    if isinstance(row, list):
        return {id_ for each in row for id_ in _all_ids(each)}
    if not isinstance(row, dict):
        return set()
    here = {str(row[name]) for name in ("id", "event_id", "decision_id", "person_id") if row.get(name)}
    return here | {*(row.get("perhaps") or ())} | {id_ for each in row.values() for id_ in _all_ids(each)}


@pytest.mark.parametrize("what", ["question", "leg", "question about no leg"])
def test_every_record_on_the_screen_is_named_and_no_other(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    question = None if what == "leg" else _question(**({"leg": None, "leg_id": None} if "no leg" in what else {}))
    leg = _leg() if what == "leg" else None
    terminal.out.width = 400
    shown = on_screen(question, leg)
    text = _printed(question, leg, capsys)
    every = _all_ids(question or leg) - ({"person"} if question is None else set())
    assert {id_ for id_ in every if _mark(id_) in text} == set(shown)
    assert set(shown) < every or "no leg" in what, "old steps and far checks are not printed"


def test_a_leg_that_is_decided_on_beside_a_question_is_named_too() -> None:
    assert "other" in on_screen(_question(), _leg("other"))


def test_what_a_program_asks_for_shows_nothing() -> None:
    assert on_screen(None, None) == []
