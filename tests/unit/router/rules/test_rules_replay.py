"""Replay says of every decision what `decide` says of it, whatever the rules and whatever is known.

The last test shows that this would be noticed: each of some small mistakes in replay makes the two disagree.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random
from types import ModuleType

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.router.rules.due import Due
from services.router.rules.language import In, Is, Route, Rule, Withhold
from services.router.rules.replay import bitmaps, compare, outcome, standing, workload
from services.router.rules.ruleset import RuleSet
from tests.unit.router.rules.replayed import Case, disagreements, made, planted, some_values
from tests.unit.router.rules.small_rule_set import load
from tests.unit.router.rules.strategies import KINDS, rule_lists

DAYS = [date(2026, 3, day) for day in (1, 2, 3, 10)]
CASES, DECISIONS = 160, 70  # together more than 10,000 verdicts, of both rule sets each


@st.composite
def _rules(draw: st.DrawFn) -> list[Rule]:
    """Rules, some of them in force on some days only."""
    found = draw(rule_lists())
    for place, rule in enumerate(found):
        if draw(st.integers(0, 3)) == 0:
            first, last = draw(st.sampled_from([None, *DAYS])), draw(st.sampled_from([None, *DAYS]))
            found[place] = replace(rule, from_day=first, until_day=last)
    return found


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """The same cases each time: a candidate keeps some rules of the base, has others anew, and lacks some."""
    small: RuleSet = load(tmp_path_factory.mktemp("small"))
    found: list[Case] = []

    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(_rules(), _rules(), st.integers(0, 2**32))
    def make(base: list[Rule], others: list[Rule], seed: int) -> None:
        random = Random(seed)
        kept = [rule for rule in base if random.random() < 0.7]
        anew = [rule for rule in others if rule.id not in {old.id for old in kept} or random.random() < 0.3]
        together = {rule.id: rule for rule in (*kept, *anew)}
        days = sorted(random.choice(DAYS) for _ in range(DECISIONS))
        values = [some_values(random) for _ in days]
        found.append(Case(made(small, base), made(small, list(together.values())), values, days))

    make()
    return [*found, _unknown_withholder(small)]


def _unknown_withholder(small: RuleSet) -> Case:
    """A floor that acts on the unknown and withholds: too rare to be made by chance."""
    always = In("event", tuple(kind.value for kind in KINDS))
    two_days = Due(working_days=2)
    routes = Rule("a", "Because.", always, (Route("dapp", 2, two_days),))
    withholds = (Route("victim_safety", 1, two_days), Withhold(("dapp",)))
    floor = Rule("b", "Because.", Is("yes", True), withholds, if_unknown="act", tier="floor")
    values = [{**some_values(Random(1)), "yes": yes} for yes in (True, False, None)]
    rules = made(small, [routes, floor])
    return Case(rules, made(small, [routes]), values, [DAYS[0]] * len(values))


def test_replay_says_what_deciding_one_by_one_says(cases: list[Case]) -> None:
    assert sum(len(case.values) for case in cases) >= 10_000
    for case in cases:
        assert list(disagreements(case)) == []


MISTAKES: list[tuple[str, ModuleType, str, str]] = [
    ("swapped rail", bitmaps, "self.space.everywhere & ~rails.possible", "self.space.everywhere & ~rails.certain"),
    ("not leaves the unknown out", bitmaps, "else self.space.everywhere & ~rails.certain)", "else certain)"),
    ("unknown number as no", bitmaps, "holds | ~column.known", "holds & column.known"),
    ("unknown number as yes", bitmaps, "return holds & column.known,", "return holds | ~column.known,"),
    ("unknown as no", bitmaps, "each is not False for each", "each is True for each"),
    ("at least one more", bitmaps, "column.numbers >= bound", "column.numbers > bound"),
    ("at most one less", bitmaps, "column.numbers <= bound", "column.numbers < bound"),
    ("any as all", bitmaps, "_joined(np.bitwise_or", "_joined(np.bitwise_and"),
    ("a run of codes one too long", bitmaps, "& (column.codes < after)", "& (column.codes <= after)"),
    ("hangs on what no longer matters", bitmaps, "here = within & rails.unknown", "here = within"),
    ("the wrong bit of a byte", bitmaps, "(7 - (places & 7))", "(places & 7)"),
    ("in force a day too short", standing, "(self.past.day <= last)", "(self.past.day < last)"),
    ("in force for ever", standing, "rails.certain & in_force", "rails.certain"),
    ("a rule that hangs holds", standing, "if facts == (HOLDS,)]", "]"),
    ("a mark that stays", compare, "marks_after += change if sign > 0 else -change", "pass"),
    ("what is reworded is not looked at", compare, "(old.then, old.if_unknown", "(rule.then, old.if_unknown"),
    ("a rule that went is not missed", compare, "before.keys() | after.rows.keys()", "after.rows.keys()"),
    ("a question is no change", outcome, "for question in questions:", "for question in ():"),
    ("an urgent one is no change", outcome, "item[1:-1], reasons", "(), reasons"),
    ("floors are withheld", workload, "name: floors[name] | ordinary[name]", "name: (floors[name] | ordinary[name])"),
    ("nothing is withheld", workload, "ordinary[name] & ~withheld[name]", "ordinary[name]"),
    ("a floor does not act on the unknown", workload, 'if rule.if_unknown == "act"', 'if rule.if_unknown == "note"'),
    ("an unknown withholder withholds", workload, "withheld[name] | certain", "withheld[name] | acted"),
]


@pytest.mark.parametrize(
    ("module", "right", "wrong"), [each[1:] for each in MISTAKES], ids=[each[0] for each in MISTAKES]
)
def test_a_mistake_in_replay_is_noticed(
    cases: list[Case], monkeypatch: pytest.MonkeyPatch, module: ModuleType, right: str, wrong: str
) -> None:
    planted(monkeypatch, module, right, wrong)
    assert any(_disagrees(case) for case in cases)


def _disagrees(case: Case) -> bool:
    try:
        return next(disagreements(case), None) is not None
    except (AssertionError, IndexError, KeyError, ValueError):
        return True
