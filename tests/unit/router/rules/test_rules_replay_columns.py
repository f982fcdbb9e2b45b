"""What an old record is to a newer vocabulary: what it lacks is unknown, never no; windows are counted anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from services.router.rules.language import FactValue
from services.router.rules.replay import columns
from services.router.rules.replay.columns import Column, Columns
from services.router.rules.replay.past import Past
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.replayed import past_of, planted
from tests.unit.router.rules.small_rule_set import FILES, load

FACTS = FILES["facts.yaml"]


def known(rules: RuleSet, **said: FactValue) -> dict[str, FactValue]:
    """A record of a rule set: everything unknown but this."""
    return {**dict.fromkeys(rules.facts, None), "event": "relapse", **said}


def seen(then: RuleSet, now: RuleSet, name: str, *several: Mapping[str, FactValue]) -> Column:
    """A fact of records that `then` decided, as `now` sees it."""
    past = past_of(several, then.digest)
    return Columns(past, {then.digest: then}, now).of(now)[name]


def values(column: Column) -> list[FactValue]:
    return [column.values[code] for code in column.codes.tolist()]


def changed(folder: Path, old: str, new: str) -> RuleSet:
    assert old in FACTS
    return load(folder, {"facts.yaml": FACTS.replace(old, new)})


@pytest.fixture
def then(tmp_path: Path) -> RuleSet:
    return load(tmp_path / "then")


def _absent_fact(tmp_path: Path) -> RuleSet:
    more = '  other_needs: {says: Needs., from: needs.other, unstated: absent, ask: "Which?"}\n'
    return load(tmp_path / "now", {"facts.yaml": FACTS + more})


def test_a_fact_that_the_record_lacks_is_unknown_and_counted(then: RuleSet, tmp_path: Path) -> None:
    column = seen(then, _absent_fact(tmp_path), "other_needs", known(then), known(then))
    assert values(column) == [None, None]
    assert column.how_many_lack == 2


@pytest.mark.parametrize("first", [True, False])
def test_it_is_so_for_the_records_that_lack_it_alone(then: RuleSet, tmp_path: Path, first: bool) -> None:
    now = _absent_fact(tmp_path)
    older, newer = known(then), known(now, other_needs=frozenset({"housing"}))
    column = seen(now, now, "other_needs", *([older, newer] if first else [newer, older]))
    assert sorted(map(str, values(column))) == ["None", "frozenset({'housing'})"]
    assert column.how_many_lack == 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(None, True) if code == LACKING", "(fact.silent, False) if code == LACKING"),
        ("return Column(nothing, (None,)", "return Column(nothing, (fact.silent,)"),
    ],
)
def test_a_lacking_fact_taken_for_no_is_noticed(
    then: RuleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str
) -> None:
    now = _absent_fact(tmp_path)
    planted(monkeypatch, columns, right, wrong)
    newer = known(now, other_needs=frozenset({"housing"}))
    older = values(seen(now, now, "other_needs", known(then), newer))
    oldest = values(seen(then, now, "other_needs", known(then)))
    assert frozenset() in (older[0], oldest[0])


def test_the_same_words_read_from_another_field_are_another_fact(then: RuleSet, tmp_path: Path) -> None:
    now = changed(tmp_path / "now", "from: [needs.substances, substances]", "from: substances")
    column = seen(then, now, "substances", known(then, substances=frozenset({"alcohol"})))
    assert values(column) == [None]
    assert column.how_many_lack == 1


def test_silence_that_was_taken_for_none_is_unknown_where_it_no_longer_is(then: RuleSet, tmp_path: Path) -> None:
    now = changed(tmp_path / "now", 'substances], unstated: absent, ask: "Which', 'substances], ask: "Which')
    some = frozenset({"alcohol"})
    column = seen(then, now, "substances", known(then, substances=frozenset()), known(then, substances=some))
    assert values(column) == [None, some]
    assert column.how_many_lack == 1


def test_what_nobody_said_is_none_where_silence_now_means_that(then: RuleSet, tmp_path: Path) -> None:
    now = changed(tmp_path / "now", "behaviours], ask:", "behaviours], unstated: absent, ask:")
    column = seen(then, now, "behaviours", known(then), known(then, behaviours=frozenset({"stalking"})))
    assert values(column) == [frozenset(), frozenset({"stalking"})]
    assert column.how_many_lack == 0


def test_a_number_that_may_have_been_brought_into_a_range_is_unknown_to_another_range(tmp_path: Path) -> None:
    then = changed(tmp_path / "a", 'as: count, ask: "How many c', 'as: count, range: [0, 3], ask: "How many c')
    now = changed(tmp_path / "b", 'as: count, ask: "How many c', 'as: count, range: [0, 9], ask: "How many c')
    column = seen(then, now, "children", known(then, children=2), known(then, children=3))
    assert values(column) == [2, None]


def test_a_window_of_other_days_is_counted_anew_and_the_same_one_is_not(then: RuleSet, tmp_path: Path) -> None:
    now = changed(tmp_path / "now", "count: relapse, within: 28 days", "count: relapse, within: 21 days")
    kept = known(then, relapses_28d=9)
    assert values(seen(then, now, "relapses_28d", kept)) == [1]
    assert values(seen(then, then, "relapses_28d", kept)) == [9], "as it was then"


def test_days_to_a_holiday_follow_the_calendar(then: RuleSet, tmp_path: Path) -> None:
    seasons = FILES["calendar.yaml"].replace("seasons:\n", "seasons:\n- {from: 03-04, until: 03-04, name: Fair}\n")
    now = load(tmp_path / "now", {"calendar.yaml": seasons})
    kept = known(then, days_to_holiday=32)
    assert values(seen(then, now, "days_to_holiday", kept)) == [2]
    assert values(seen(then, then, "days_to_holiday", kept)) == [32]


def test_two_rule_sets_that_declare_a_fact_alike_share_its_column(then: RuleSet, tmp_path: Path) -> None:
    past: Past = past_of([known(then)], then.digest)
    both = Columns(past, {then.digest: then}, then)
    one, other = both.of(then), both.of(_absent_fact(tmp_path))
    assert one["age"] is other["age"]
    assert other["other_needs"] is not one["age"]


def test_of_a_rule_set_that_was_not_kept_the_base_tells_what_its_facts_meant(then: RuleSet, tmp_path: Path) -> None:
    now = changed(tmp_path / "now", "count: relapse, within: 28 days", "count: relapse, within: 21 days")
    past = past_of([known(then, relapses_28d=9)], "sha256:gone")
    made = Columns(past, {}, then)
    assert values(made.of(then)["relapses_28d"]) == [9]
    assert values(made.of(now)["relapses_28d"]) == [1]
