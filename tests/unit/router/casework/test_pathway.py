"""The state machine is what the table says: every pair of statuses, for everybody who could move a leg."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from schemas.refusal import Unacceptable
from schemas.vocabulary import LegStatus
from services.ground.settings import Settings
from services.router.casework.case import Leg
from services.router.casework.pathway import TransitionRefused, move
from services.router.rules.pathway import Pathway, Who
from tests.unit.router.casework.news import NOW, leg_at, pathway
from tests.unit.router.rules.small_rule_set import FILES, load

WHO: tuple[Who, ...] = get_args(Who)
PAIRS = list(itertools.product(LegStatus, LegStatus, WHO))


@cache
def _file() -> Any:
    """The file, read by another reader than ours."""
    return yaml.safe_load((Settings().rules_dir / "pathway.yaml").read_text(encoding="utf-8"))


@cache
def _said(*, court_ordered: bool) -> dict[tuple[str, str, str], set[str]]:
    """What the file says: for each allowed (from, to, who) what has to be said with it."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for row in _file()["transitions"]:
        for start, to, who in itertools.product(*(_listed(row[key]) for key in ("from", "to", "who"))):
            court = any(_file()["statuses"][status].get("court_ordered") for status in (start, to))
            if court_ordered or not court:
                found[start, to, who] = set(_listed(row.get("needs", [])))
    return found


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@cache
def _with_courts(folder: Path) -> Pathway:
    said = FILES["pathway.yaml"].replace("court_ordered: no\n", "court_ordered: yes\n", 1)
    return load(folder, {"pathway.yaml": said}).pathway


def _moved(table: Pathway, start: LegStatus, to: LegStatus, who: Who, *said: str) -> Leg:
    words = dict.fromkeys(said, "He said so.")
    return move(table, leg_at(start), to, by=who, now=NOW, **words)


@pytest.mark.parametrize("start", LegStatus)
def test_a_leg_moves_where_the_table_says_and_nowhere_else(start: LegStatus) -> None:
    for _, to, who in [pair for pair in PAIRS if pair[0] is start]:
        _try(pathway(), _said(court_ordered=False), start, to, who)


def test_the_same_where_court_ordered_statuses_are_on(tmp_path: Path) -> None:
    for start, to, who in PAIRS:
        _try(_with_courts(tmp_path), _said(court_ordered=True), start, to, who)


def _try(table: Pathway, said: dict[tuple[str, str, str], set[str]], start: LegStatus, to: LegStatus, who: Who) -> None:
    needs = said.get((start.value, to.value, who))
    allowed = tuple(sorted(LegStatus(there) for here, there, by in said if (here, by) == (start.value, who)))
    if needs is None:
        with pytest.raises(TransitionRefused, match="not_allowed") as refused:
            _moved(table, start, to, who, "reason", "note")
        assert refused.value.allowed == allowed
        assert all(status in refused.value.problems[0].message for status in allowed)
        return
    after = _moved(table, start, to, who, *needs)
    assert after.status is to
    assert after.closed is bool(_file()["statuses"][to.value].get("closed"))
    for missing in needs:
        with pytest.raises(TransitionRefused, match=f"needs_{missing}"):
            _moved(table, start, to, who, *(needs - {missing}))


def test_court_ordered_statuses_are_off_unless_they_are_on(tmp_path: Path) -> None:
    courts = {status for status, said in pathway().statuses.items() if said.court_ordered}
    assert courts == {LegStatus.RECALL, LegStatus.BREACH_NON_ATTENDANCE, LegStatus.RETURN_TO_COURT}
    assert not [status for status in courts if pathway().has(status)]
    assert not courts & {*pathway().transitions, *(to for there in pathway().transitions.values() for to in there)}
    assert _with_courts(tmp_path).has(LegStatus.RECALL)
    assert (
        _moved(_with_courts(tmp_path), LegStatus.ON_PROGRAMME, LegStatus.RECALL, "human", "reason").status == "recall"
    )


@pytest.mark.parametrize("status", [status for status in LegStatus if pathway().statuses[status].closed])
def test_every_closed_leg_can_be_reopened_by_a_human_and_by_nobody_else(status: LegStatus) -> None:
    assert pathway().allowed("human", status)
    assert not any(pathway().statuses[to].closed for to in pathway().allowed("human", status))
    assert not pathway().allowed("destination", status)
    assert not pathway().allowed("casework", status)


def test_no_timer_can_close_a_leg() -> None:
    assert not [
        (start, to)
        for start, there in pathway().transitions.items()
        for to, how in there.items()
        if "casework" in how.who and pathway().statuses[to].closed
    ]


@pytest.mark.parametrize("to", [status for status in LegStatus if pathway().may("human", LegStatus.SCHEDULED, status)])
def test_a_leg_is_concluded_by_its_reason_or_else_by_its_status(to: LegStatus) -> None:
    said, leg = _file()["statuses"][to.value], leg_at(LegStatus.SCHEDULED)
    for code in (None, *pathway().reasons):
        after = move(pathway(), leg, to, by="human", now=NOW, reason="So.", code=code, note="So.")
        remains = said.get("administration") if code is None else pathway().reasons[code].still_open
        assert after.stage == ("open" if not said.get("closed") else "ended" if remains else "concluded"), code


def test_an_unknown_reason_is_refused_with_the_nearest() -> None:
    with pytest.raises(Unacceptable, match="unknown_reason") as refused:
        move(pathway(), leg_at(LegStatus.SENT), LegStatus.WITHDRAWN, by="human", now=NOW, code="duplicat")
    assert "did you mean 'duplicate'?" in refused.value.problems[0].message


def test_a_pause_remembers_where_it_began_and_forgets_it_when_it_ends() -> None:
    paused = _moved(pathway(), LegStatus.SCHEDULED, LegStatus.ON_HOLD, "human", "reason")
    assert paused.held_from is LegStatus.SCHEDULED
    again = move(pathway(), paused, LegStatus.SCHEDULED, by="human", now=NOW)
    assert again.held_from is None


def test_a_reopened_leg_keeps_nothing_of_its_end() -> None:
    ended = leg_at(LegStatus.DECLINED, reason="moved_away")._replace(concluded_at=NOW)
    after = move(pathway(), ended, LegStatus.REQUESTED, by="human", now=NOW, reason="He is back.")
    assert (after.closed_at, after.concluded_at, after.reason) == (None, None, None)
    assert after.id == ended.id
