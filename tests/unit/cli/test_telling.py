"""What people read of a question: why it is asked, and what to type, each once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.cli import telling
from services.cli.looking import Row
from services.cli.ways import ways_to_answer

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def _question(**more: object) -> Row:
    return {
        "id": "01938f00-0000-7000-8000-0000000000aa", "person_id": "person", "question": "What now?", "kind": "rule",
        "may_answer": ["duty_worker"], "asked_at": AT, "due_at": AT, "snoozes": 0, "fact": None, "route": None,
        "perhaps": None, "event": None, "leg": None, "hangs_on": ["age"], "decides": [], "decided": [],
        "answers": None,
        "because": [{"rule": "floor", "because": "She is in danger."}, {"rule": "own", "because": "He asked for it."}],
        **more,
    }  # fmt: skip


def _printed(row: Row, capsys: pytest.CaptureFixture[str]) -> str:
    telling.question(row)
    return capsys.readouterr().out


def _waiting(**more: object) -> Row:
    route = {"destination": "dapp", "priority": 2, "tier": "ordinary", **more}
    reasons = [{"rule": "own", "because": "He asked for it."}, {"rule": "later", "because": "He asked again."}]
    return _question(kind="confirm_route", route={"reasons": reasons, **route})


def test_a_route_that_waits_is_told_with_its_own_reasons_alone(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _printed(_waiting(), capsys)
    assert "because He asked for it. (own)" in shown
    assert "because He asked again. (later)" in shown
    assert "She is in danger." not in shown, "which is why another one was told"
    assert "beside it floor" in shown
    assert "hangs on" not in shown
    assert "because She is in danger. (floor)" in _printed(_question(), capsys)


def test_by_how_many_events_a_route_is_wanted_is_told_where_its_destination_will_read_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "wanted by 2 events" in _printed(_waiting(told_in=["a", "b"]), capsys)
    assert "wanted by" not in _printed(_waiting(told_in=[]), capsys)


def test_a_fact_is_asked_for_with_the_rules_that_hang_on_it(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _printed(_question(kind="fact", fact="age", decides=["adults"]), capsys)
    assert "decides whether adults holds" in shown
    assert "because" not in shown


@pytest.mark.parametrize(("answers", "lines"), [(["yes", "no", "not_known"], 4), ([*"abcdef", "not_known"], 3)])
def test_many_values_of_a_fact_are_told_in_one_line(
    answers: list[str], lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    review = _question(kind="fact", fact="age", answers=answers)
    found = ways_to_answer(review, None)
    assert len(found) == len(answers) + 1, "for machines each has its own"
    telling.ways(found, "duty_worker", (), ())
    shown = capsys.readouterr().out
    assert shown.count("onward work answer") == lines
    assert all(answer in shown for answer in answers)


def test_what_protects_her_is_not_offered_to_be_refused() -> None:
    for answers, refuses in ((["confirm"], False), (["confirm", "refuse"], True)):
        found = ways_to_answer({**_waiting(), "answers": answers}, None)
        assert any("--refuse" in way.words for way in found) is refuses
