"""The loader takes a rule set whole, or says every mistake with file, line, column and the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import pytest
import yaml

from services.router.rules.loader import load_rule_set
from services.router.rules.loading import tree
from services.router.rules.mistakes import RuleSetRefused
from tests.unit.router.rules.small_rule_set import FILES, destination, load, mistakes_in, write

Files: TypeAlias = dict[str, str | None]

RULE = """\
rules:
- id: broken
  because: It has to be.
  when: {when}
  then:
  - {then}
"""


def rule(when: str = "{event: relapse}", then: str = "{route: dapp, priority: 2}", extra: str = "") -> Files:
    return {"rules/broken.yaml": RULE.replace("{when}", when).replace("{then}", then) + extra}


def test_every_mistake_of_every_file_is_said_at_once(tmp_path: Path) -> None:
    broken = """\
rules:
- id: broken
  because: It has to be.
  when:
    event: relapsed
    relapse_28d: {at_least: 1}
    relapses_28d: {at_least: two}
    age: {at_lest: 18}
    days_clean: {at_most: 99999}
  then:
  - priority: 2
    route: adiction
"""
    facts = FILES["facts.yaml"].replace("from: relationship,", "from: relationshp,")
    assert mistakes_in(tmp_path, {"rules/broken.yaml": broken, "facts.yaml": facts}) == [
        "facts.yaml:4:46: no event has a field 'relationshp'; did you mean 'relationship'?",
        "rules/broken.yaml:5:12: 'relapsed' is not a value of event; did you mean 'relapse'?",
        "rules/broken.yaml:6:5: no fact 'relapse_28d'; did you mean 'relapses_28d'?",
        "rules/broken.yaml:7:30: relapses_28d is a whole number, got str 'two'",
        "rules/broken.yaml:8:11: 'at_lest' cannot be used on age (int); did you mean 'at_least'?",
        "rules/broken.yaml:9:27: 99999 is outside days_clean's range 0..9999: the test could never change",
        "rules/broken.yaml:12:12: no destination 'adiction'; did you mean 'addiction'?",
    ]


CONDITIONS = {
    "{age: {at_least: 131}}": "4:26: 131 is outside age's range 0..130: the test could never change",
    "{age: {below: 0}}": "4:23: nothing of age is below 0: the test could never hold",
    "{age: {above: 130}}": "4:23: nothing of age is above 130: the test could never hold",
    "{age: {between: [30, 20]}}": "4:25: 30 is above 20: the test could never hold",
    '{age: "18"}': "4:15: age is a whole number, got str '18'",
    "{age: 18.5}": "4:15: age is a whole number, got str '18.5'",
    "{accepts_help: on}": "4:24: accepts_help is yes or no, got str 'on'",
    "{accepts_help: 1}": "4:24: accepts_help is yes or no, got int 1",
    "{accepts_help: {at_least: 1}}": "4:25: 'at_least' cannot be used on accepts_help (yes/no); it takes known",
    "{consent: {at_least: yes}}": (
        "4:20: 'at_least' cannot be used on consent (choice); it takes any_of, none_of, known"
    ),
    "{engagement: {at_least: stedy}}": "4:33: 'stedy' is not a value of engagement; did you mean 'steady'?",
    "{engagement: {above: strong}}": "4:30: nothing of engagement is above strong: the test could never hold",
    "{behaviours: []}": "4:22: behaviours has an empty list: the test could never change",
    "{behaviours: [stalking, stalking]}": "4:33: 'stalking' stands here twice",
    "{behaviours: {has_al: stalking}}": ("4:23: 'has_al' cannot be used on behaviours (set); did you mean 'has_all'?"),
    "{behaviours: {}}": "4:22: behaviours has an empty mapping: say what it must be",
    "{}": "4:9: when is a mapping of facts to what they must be, and not empty",
    "{any: []}": "4:15: any has an empty list: the test could never change",
    "{term: on_dap}": "4:16: no term 'on_dap'; did you mean 'on_dapp'?",
    "{dapp: paused}": (
        "4:16: 'paused' is not a value of dapp; it is one of accepted, acknowledged, awaiting_allocation, "
        "awaiting_assessment, breach_non_attendance, declined, deferred, deprioritised, deselected, no_capacity, "
        "none, not_eligible, not_suitable, on_hold, on_programme, programme_complete, recall, requested, "
        "return_to_court, scheduled, sent, suitable_but_not_ready, waitlisted, withdrawn"
    ),
    "{event: relapse, event: referral}": "4:26: 'event' stands here twice (first in line 4)",
    "{age: *adult}": "4:15: an alias (*adult) is not taken here; write it out, or name it in terms.yaml",
    "&adult {age: 18}": "4:9: an anchor (&adult) is not taken here",
    "{age: !!int 18}": "4:15: a tag (tag:yaml.org,2002:int) is not taken here",
    "[relapse]": "4:9: when is a mapping of facts to what they must be, and not empty",
}
TERMS = {"terms.yaml": "terms:\n  on_dapp: {dapp: [on_programme, on_hold]}\n"}


@pytest.mark.parametrize("when", CONDITIONS)
def test_a_condition_that_cannot_be_meant_is_refused(tmp_path: Path, when: str) -> None:
    assert mistakes_in(tmp_path, {**rule(when), **TERMS}) == [f"rules/broken.yaml:{CONDITIONS[when]}"]


ACTIONS = {
    "{rute: dapp, priority: 2}": "6:6: no action 'rute'; did you mean 'route'?",
    "{route: dapp}": "6:5: route needs 'priority'",
    "{route: dapp, priority: 5}": "6:29: 5 is outside priority's range 1..4",
    "{route: dapp, priority: 2, du: 4 hours}": "6:32: route has no 'du'; did you mean 'due'?",
    "{route: dapp, priority: 2, due: soon}": (
        "6:37: due is a due time such as 4 hours or 2 working days, got str 'soon'"
    ),
    "{route: dapp, priority: 2, confirm: robot}": "6:41: 'robot' is not a value of confirm; it is one of human",
    "{route: [dapp, rehab], priority: 2}": ("6:13: a destination is named by one word; write one action for each"),
    "{offer_pause: dapp, for: 4 weeks, welfare_check: often}": (
        "6:54: welfare_check is a length such as 4 weeks or 28 days, got str 'often'"
    ),
    "{offer_pause: dapp, for: 1 week, welfare_check: 2 weeks}": (
        "6:5: the first welfare check would come after the pause"
    ),
    "{review: Why?, role: manager}": "6:26: 'manager' is not a value of role; did you mean 'case_manager'?",
    "{hold: }": "6:12: hold is empty",
    "{route: dapp, priority: 2, hold: x}": "6:32: one action an item: 'route' stands here already",
}


@pytest.mark.parametrize("then", ACTIONS)
def test_an_action_that_cannot_be_done_is_refused(tmp_path: Path, then: str) -> None:
    assert mistakes_in(tmp_path, rule(then=then)) == [f"rules/broken.yaml:{ACTIONS[then]}"]


REFUSED = "may not go to a destination on the person's side"
FLOOR = FILES["floors.yaml"]
SOME = FILES["rules/some.yaml"]
FACTS = FILES["facts.yaml"]
OTHERS: dict[str, tuple[Files, str]] = {
    "a rule without its reason": (
        {"rules/some.yaml": SOME.replace("  because: Adults go to the programme.\n", "")},
        "rules/some.yaml:2:3: a rule needs 'because'",
    ),
    "an empty reason": (
        {"rules/some.yaml": SOME.replace("because: Adults go to the programme.", "because:")},
        "rules/some.yaml:3:11: because is empty",
    ),
    "a rule that does nothing": (
        {"rules/some.yaml": SOME.split("  then:")[0]},
        "rules/some.yaml:2:3: a rule needs 'then' or 'withhold'",
    ),
    "an id that is taken in another file": (
        {"rules/more.yaml": SOME},
        "rules/some.yaml:2:7: the id 'referral' is taken: rules/more.yaml:2:7",
    ),
    "a floor among the ordinary rules": (
        rule(extra="  tier: floor\n"),
        "rules/broken.yaml:7:9: tier is not written: floors stand only in floors.yaml",
    ),
    "an ordinary rule that acts on the unknown": (
        rule(extra="  if_unknown: act\n"),
        "rules/broken.yaml:7:15: if_unknown: act is for floors only: an ordinary rule asks",
    ),
    "an urgent rule that only notes the unknown": (
        rule(extra="  if_unknown: note\n"),
        "rules/broken.yaml:7:15: if_unknown: note is refused for priority 1 or 2: somebody has to be asked",
    ),
    "a withholder that only notes the unknown": (
        rule(then="{record: Held back.}", extra="  withhold: dapp\n  if_unknown: note\n"),
        "rules/broken.yaml:8:15: if_unknown: note is refused for a rule that withholds: somebody has to be asked",
    ),
    "a floor that only notes the unknown": (
        {"floors.yaml": FLOOR.replace("if_unknown: act", "if_unknown: note").replace("priority: 1", "priority: 3")},
        "floors.yaml:7:15: if_unknown: note is refused for a floor: somebody has to be asked",
    ),
    "a destination held back that does not exist": (
        rule(extra="  withhold: [rehabb]\n"),
        "rules/broken.yaml:7:14: 'rehabb' is not a value of withhold; did you mean 'rehab'?",
    ),
    "a key that no rule has": (
        rule(extra="  wen: {event: relapse}\n"),
        "rules/broken.yaml:7:3: a rule has no 'wen'; did you mean 'when'?",
    ),
    "a rule that ends before it begins": (
        rule(extra="  from: 2026-03-01\n  until: 2026-02-01\n"),
        "rules/broken.yaml:2:3: until is before from: the rule would never be in force",
    ),
    "terms that go in a circle": (
        {"terms.yaml": "terms:\n  one: {term: two}\n  two: {not: {term: one}}\n"},
        "terms.yaml:3:21: terms go in a circle: one -> two -> one",
    ),
    "a term with the name of a fact": (
        {"terms.yaml": "terms:\n  age: {event: relapse}\n"},
        "terms.yaml:2:3: 'age' is taken: it is a fact or a word of the language",
    ),
    "a victim's name on the person's side": (
        {"destinations.yaml": FILES["destinations.yaml"].replace("[person.name]", "[person.name, victim.name]", 1)},
        f"destinations.yaml:12:26: 'victim.name' {REFUSED} (it covers or lies in 'victim')",
    ),
    "the victim's own answers, hidden in what covers them": (
        {"destinations.yaml": FILES["destinations.yaml"].replace("[person.name]", "[risk]", 1)},
        f"destinations.yaml:12:13: 'risk' {REFUSED} (it covers or lies in 'risk.answers')",
    ),
    "a field that nobody sends": (
        {"destinations.yaml": FILES["destinations.yaml"].replace("[person.name]", "[person.nmae]", 1)},
        "destinations.yaml:12:13: no event has a field 'person.nmae'; did you mean 'name'?",
    ),
    "a fact that is text": (
        {"facts.yaml": FACTS + "  story: {says: Story., from: narrative, ask: What happened?}\n"},
        "facts.yaml:17:10: this field holds text or more: rules test closed lists, numbers, days and yes/no",
    ),
    "a fact that nobody could be asked for": (
        {"facts.yaml": FACTS + "  weapons: {says: Weapons., from: incident.weapons}\n"},
        "facts.yaml:17:12: weapons needs 'ask': the question to a human when it is not known",
    ),
    "a window without an end": (
        {"facts.yaml": FACTS + "  threats: {says: Threats., count: threat}\n"},
        "facts.yaml:17:12: threats needs 'within': the days that it counts over",
    ),
    "a fact with the name of a destination": (
        {"facts.yaml": FACTS + "  rehab: {says: Rehab., count: threat, within: 1 week}\n"},
        "facts.yaml:17:3: 'rehab' is taken: it is a destination or a word of the language",
    ),
    "silence of what is ordered": (
        {"facts.yaml": FACTS.replace("ordered: yes, ask", "ordered: yes, unstated: absent, ask")},
        "facts.yaml:8:15: engagement cannot be absent: it is ordered, has a 'none' of its own, or is always known",
    ),
    "a file that no rule set has": (
        {"floor.yaml": "rules: []\n"},
        "floor.yaml:1:1: no such file in a rule set; did you mean 'floors.yaml'?",
    ),
    "a file that is missing": ({"calendar.yaml": None}, "calendar.yaml:1:1: this file is missing"),
    "a file that is empty": ({"rules/empty.yaml": "# nothing\n"}, "rules/empty.yaml:1:1: this file is empty"),
    "two documents in one file": (
        {"terms.yaml": "terms: {}\n---\nterms: {}\n"},
        "terms.yaml:2:1: a second document: one file holds one",
    ),
    "a file that is no YAML": (
        {"terms.yaml": "terms: [\n"},
        "terms.yaml:2:1: this is not YAML: did not find expected node content",
    ),
    "a due time that is left out": (
        {"calendar.yaml": FILES["calendar.yaml"].replace("  tasks: 1 working day\n", "")},
        "calendar.yaml:8:3: due needs 'tasks'",
    ),
    "a season on a day that no year has": (
        {"calendar.yaml": FILES["calendar.yaml"].replace("from: 12-20", "from: 02-30")},
        "calendar.yaml:6:10: from is a day of every year such as 12-20",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_rule_set_is_refused_for(tmp_path: Path, what: str) -> None:
    changed, expected = OTHERS[what]
    assert mistakes_in(tmp_path, changed) == [expected]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleSetRefused, match="there is no such folder"):
        load_rule_set(tmp_path / "nowhere")


def test_words_that_yaml_1_1_makes_into_booleans_stay_words(tmp_path: Path) -> None:
    rules = load(tmp_path, rule("{consent: no, accepts_help: yes}"))
    assert str(rules.rules[0].when) == (
        "All(parts=(In(fact='consent', values=('no',)), Is(fact='accepts_help', value=True)))"
    )


@pytest.mark.parametrize("field", ["victim", "victim.name", "children", "children.age", "victim.safe_contact.detail"])
def test_nothing_of_the_other_party_is_ever_shared_on_the_persons_side(tmp_path: Path, field: str) -> None:
    changed = {"destinations.yaml": FILES["destinations.yaml"] + destination("mens_group", share=field)}
    (mistake,) = mistakes_in(tmp_path, changed)
    assert f"{field!r} may not go to a destination on the person's side" in mistake


def test_the_same_mistakes_are_found_without_the_c_parser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = rule("{event: relapsed, event: referral, age: !!int 18}")
    quick = mistakes_in(tmp_path / "quick", files)
    monkeypatch.setattr(tree, "_Loader", yaml.SafeLoader)
    assert mistakes_in(tmp_path / "plain", files) == quick
    assert len(quick) == 3


def test_a_file_that_nests_without_end_is_refused_rather_than_followed(tmp_path: Path) -> None:
    (mistake,) = mistakes_in(tmp_path, rule("{not: " * 5_000 + "{age: 18}" + "}" * 5_000))
    assert "nested deeper than 30 levels" in mistake


def test_terms_that_double_themselves_are_refused_before_they_fill_the_memory(tmp_path: Path) -> None:
    doubling = [f"  t{n}: {{any: [{{term: t{n - 1}}}, {{term: t{n - 1}}}]}}\n" for n in range(1, 40)]
    (first, *_) = mistakes_in(tmp_path, {"terms.yaml": "terms:\n  t0: {age: 18}\n" + "".join(doubling)})
    assert "comes to more than 500 tests once its terms are written out" in first


def test_text_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "terms.yaml").write_bytes(b"terms:\n  a: {age: 18} # \xff\n")
    with pytest.raises(RuleSetRefused, match=r"terms\.yaml:2:1: not UTF-8 text"):
        load_rule_set(tmp_path)
