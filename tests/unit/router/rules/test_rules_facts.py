"""Facts are what was stated, what is remembered, what was counted; what nobody stated is unknown."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instruments import DashTopic
from schemas.person import Child, Person, PersonName, PersonRef, ReferralRef
from schemas.progress import ProgressReported
from schemas.referral import Consent, Incident, Needs, ReferralSubmitted, Risk
from schemas.risk import RiskReported
from schemas.vocabulary import (
    Answer,
    Behaviour,
    ConsentToShare,
    DecisionKind,
    Engagement,
    LawfulBasis,
    LegStatus,
    ProgressKind,
    Relationship,
    RiskKind,
    Substance,
    TimerKind,
)
from services.router.rules.declarations import NONE, CountWithin
from services.router.rules.events import (
    CaseEvent,
    CaseView,
    EventKind,
    LegView,
    PastEvent,
    Reported,
    kind_of,
    payload_of,
)
from services.router.rules.facts import Facts, answered, facts_of, facts_stated, remember
from services.router.rules.mistakes import ImpossibleValue, UnknownFact
from services.router.rules.ruleset import RuleSet
from services.router.rules.windows import count_within
from tests.unit.router.rules.small_rule_set import load

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NEW = CaseView()


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    return load(tmp_path_factory.mktemp("small"))


def person(born: date | None = None, phone: str | None = None) -> Person:
    return Person(name=PersonName(given="Test"), date_of_birth=born, phone=phone)


def referral(born: date | None = None, **said: object) -> ReferralSubmitted:
    return ReferralSubmitted.model_validate(
        {"reference": "R1", "lawful_basis": LawfulBasis.PUBLIC_TASK, "person": person(born), **said}
    )


def risk(kind: RiskKind, at: datetime = NOW, **said: object) -> RiskReported:
    about = PersonRef(referral=ReferralRef(source="police", reference="R1"))
    return RiskReported.model_validate({"about": about, "kind": kind, "occurred_at": at, **said})


def event(payload: Reported, at: datetime = NOW, destination: str | None = None) -> CaseEvent:
    return CaseEvent(kind_of(payload), payload, at, NOW, destination)


def seen(rules: RuleSet, payload: Reported, case: CaseView = NEW, at: datetime = NOW) -> Facts:
    return facts_of(rules, event(payload, at), case, NOW)


def test_every_kind_of_event_that_is_published_can_be_written_rules_for() -> None:
    published = {
        "referral",
        *(kind.value for kind in RiskKind),
        *(f"progress_{kind}" for kind in ProgressKind),
        *(f"decision_{kind}" for kind in DecisionKind),
        *(f"timer_{kind}" for kind in TimerKind),
    }
    assert {kind.value for kind in EventKind} == published


def test_what_the_event_states_is_known_and_says_where_it_stood(rules: RuleSet) -> None:
    said = referral(
        date(1990, 5, 17),
        incident=Incident(behaviours=frozenset({Behaviour.STALKING})),
        relationship=Relationship.EX_PARTNER,
        needs=Needs(substances=frozenset({Substance.ALCOHOL})),
        consent=Consent(to_share=ConsentToShare.NO),
        engagement=Engagement.POOR,
        area=" north ",
        children=(Child(), Child()),
        risk=Risk(answers={DashTopic.INJURY: Answer.YES, DashTopic.SEXUAL: Answer.NO, DashTopic.ISOLATED: Answer.YES}),
    )
    facts = seen(rules, said)
    expected = {
        "event": ("referral", "event /kind"),
        "age": (35, "event /person/date_of_birth"),
        "behaviours": (frozenset({"stalking"}), "event /incident/behaviours"),
        "relationship": ("ex_partner", "event /relationship"),
        "substances": (frozenset({"alcohol"}), "event /needs/substances"),
        "consent": ("no", "event /consent/to_share"),
        "engagement": ("poor", "event /engagement"),
        "served": (True, "event /area"),
        "children": (2, "event /children"),
        "yes_answers": (frozenset({"injury", "isolated"}), "event /risk/answers"),
    }
    assert {name: (facts.values[name], facts.origins[name]) for name in expected} == expected
    assert {type(value) for value in facts.values.values()} <= {bool, int, str, frozenset, type(None)}


def test_what_nobody_stated_is_unknown_unless_silence_means_absent(rules: RuleSet) -> None:
    facts = seen(rules, referral())
    unknown = ("age", "accepts_help", "relationship", "behaviours", "engagement", "served", "children")
    assert {name: facts.values[name] for name in unknown} == dict.fromkeys(unknown)
    assert facts.values["substances"] == frozenset()
    assert (facts.values["consent"], facts.values["has_phone"]) == (NONE, False)
    assert {facts.origins[name] for name in unknown} == {"not stated"}


def test_stated_to_be_none_is_known(rules: RuleSet) -> None:
    facts = seen(rules, referral(incident=Incident(behaviours=frozenset()), children=()))
    assert (facts.values["behaviours"], facts.values["children"]) == (frozenset(), 0)


@pytest.mark.parametrize(("born", "age"), [(date(2008, 3, 2), 18), (date(2008, 3, 3), 17), (date(1880, 1, 1), 130)])
def test_somebody_is_a_year_older_on_the_birthday_and_not_before(rules: RuleSet, born: date, age: int) -> None:
    assert seen(rules, referral(born)).values["age"] == age


def test_the_case_remembers_the_day_of_birth_and_not_the_age(rules: RuleSet) -> None:
    told = event(referral(date(2008, 3, 3), relationship=Relationship.PARTNER, area="South"))
    kept = remember(rules, told, {})
    assert kept == {"age": "2008-03-03", "relationship": "partner", "served": "South"}
    later = facts_of(rules, event(risk(RiskKind.RELAPSE)), CaseView(remembered=kept), NOW + timedelta(days=1))
    assert (later.values["age"], later.origins["age"]) == (18, "case")
    assert (later.values["relationship"], later.values["served"]) == ("partner", True)


def test_a_later_referral_that_does_not_say_leaves_what_is_remembered(rules: RuleSet) -> None:
    case = CaseView(remembered={"relationship": "partner", "consent": "no"})
    told = event(referral(consent=Consent(to_share=ConsentToShare.YES)))
    assert remember(rules, told, case.remembered) == {"relationship": "partner", "consent": "yes"}
    assert facts_of(rules, told, case, NOW).values["relationship"] == "partner"


def test_behaviours_of_the_referral_are_not_those_of_a_later_incident(rules: RuleSet) -> None:
    told = event(referral(incident=Incident(behaviours=frozenset({Behaviour.STALKING}))))
    case = CaseView(remembered=remember(rules, told, {}))
    assert seen(rules, risk(RiskKind.NEW_INCIDENT), case).values["behaviours"] is None


def test_legs_stand_where_the_case_says_and_a_leg_that_is_not_there_is_none(rules: RuleSet) -> None:
    case = CaseView(
        legs={"dapp": LegView(LegStatus.ON_HOLD, NOW - timedelta(days=10)), "gone": LegView(LegStatus.SENT, NOW)}
    )
    facts = seen(rules, risk(RiskKind.RELAPSE), case)
    assert (facts.values["dapp"], facts.values["rehab"], facts.values["days_on_dapp"]) == ("on_hold", "none", 10)
    assert "gone" not in facts.values


def test_a_progress_event_says_whose_leg_it_is_about(rules: RuleSet) -> None:
    attended = ProgressReported.model_validate(
        {"leg_id": "0190a6b2-0000-7000-8000-000000000001", "kind": ProgressKind.ATTENDED, "occurred_at": NOW}
    )
    assert facts_of(rules, event(attended, destination="dapp"), NEW, NOW).values["destination"] == "dapp"
    assert facts_of(rules, event(attended), NEW, NOW).values["destination"] == NONE


@pytest.mark.parametrize(("days_before", "count"), [(0, 2), (28, 2), (29, 1)])
def test_a_window_of_28_days_reaches_28_days_back_and_counts_the_event_itself(
    rules: RuleSet, days_before: int, count: int
) -> None:
    case = CaseView(events=[PastEvent("relapse", NOW - timedelta(days=days_before))])
    assert seen(rules, risk(RiskKind.RELAPSE), case).values["relapses_28d"] == count


def test_a_window_counts_local_days_and_not_hours(rules: RuleSet) -> None:
    late = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)  # 1 July in London
    case = CaseView(events=[PastEvent("relapse", datetime(2026, 6, 2, 22, 59, tzinfo=UTC))])  # 2 June in London
    assert seen(rules, risk(RiskKind.RELAPSE, late), case, late).values["relapses_28d"] == 1


def test_other_kinds_of_event_are_not_counted(rules: RuleSet) -> None:
    case = CaseView(events=[PastEvent("low_mood", NOW), PastEvent("relapse", NOW)])
    assert seen(rules, risk(RiskKind.LOW_MOOD), case).values["relapses_28d"] == 1


@given(st.lists(st.integers(0, 120), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_telling_never_hides_a_repeat(days: list[int], random: object) -> None:
    """Whatever the order, somebody sees as many in one stretch as there were."""
    source = CountWithin((EventKind.RELAPSE,), 28)
    told = sorted(days, key=lambda _: random.random())  # type: ignore[attr-defined]
    counts = []
    for place, day in enumerate(told):
        at = NOW + timedelta(days=day)
        past = [PastEvent("relapse", NOW + timedelta(days=other)) for other in told[:place]]
        counts.append(count_within(source, event(risk(RiskKind.RELAPSE, at), at), past))
    assert max(counts) == max(sum(1 for other in days if first <= other <= first + 28) for first in days)


def test_days_since_look_back_and_never_forward(rules: RuleSet) -> None:
    day = timedelta(days=1)
    past = [PastEvent("relapse", NOW - 40 * day), PastEvent("relapse", NOW - 9 * day), PastEvent("relapse", NOW + day)]
    facts = seen(rules, risk(RiskKind.PROTECTIVE), CaseView(events=past))
    assert (facts.values["days_clean"], facts.origins["days_clean"]) == (9, "window")
    assert seen(rules, risk(RiskKind.PROTECTIVE)).values["days_clean"] == 9999


def test_the_calendar_counts_from_the_day_of_the_decision(rules: RuleSet) -> None:
    facts = facts_of(rules, event(risk(RiskKind.LOW_MOOD)), NEW, datetime(2026, 12, 18, 23, tzinfo=UTC))
    assert (facts.values["days_to_holiday"], facts.origins["days_to_holiday"]) == (2, "calendar")


def test_an_answer_takes_the_place_of_the_unknown(rules: RuleSet) -> None:
    facts = answered(rules, seen(rules, referral()), {"age": "17", "behaviours": "stalking"})
    assert (facts.values["age"], facts.origins["age"]) == (17, "answer")
    assert facts.values["behaviours"] == frozenset({"stalking"})


@pytest.mark.parametrize(("fact", "value"), [("age", "old"), ("relationship", "friendly"), ("accepts_help", "maybe")])
def test_an_answer_that_the_fact_cannot_have_is_refused_without_repeating_it(
    rules: RuleSet, fact: str, value: str
) -> None:
    with pytest.raises(ImpossibleValue) as refused:
        answered(rules, seen(rules, referral()), {fact: value})
    assert value not in str(refused.value)


def test_an_answer_to_a_fact_that_is_not_there_is_refused(rules: RuleSet) -> None:
    with pytest.raises(UnknownFact, match="did you mean 'age'"):
        answered(rules, seen(rules, referral()), {"agee": "17"})


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_of_event_has_a_value_and_an_origin_for_every_fact(rules: RuleSet, kind: EventKind) -> None:
    facts = facts_stated(rules, kind, {}, NOW.date())
    assert set(facts.values) == set(facts.origins) == set(rules.facts)
    assert facts.values["event"] == kind.value
    assert payload_of(kind).model_fields
