"""Linking as a pure function: whatever comes in whatever order, no two persons of ours become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import PersonId
from schemas.refusal import Unacceptable
from schemas.timer import TimerFellDue
from schemas.vocabulary import TimerKind
from services.intake.linking import Claim, Known, Link, claim_of, learn, link, name_key

SOMEBODY, OTHER = "person-a", "person-b"
OURS, TIMER = "01938f00-0000-7000-8000-00000000a001", "01938f00-0000-7000-8000-0000000071e5"
PNC, NHS = ("pnc_id", "1986/0154321Y"), ("nhs_number", "9990001235")

identifiers = st.tuples(st.sampled_from(["pnc_id", "nhs_number", "crn"]), st.sampled_from("1234"))
claims = st.builds(
    Claim,
    identifiers=st.lists(identifiers, max_size=3, unique=True).map(tuple),
    person_id=st.none() | st.sampled_from(["p1", "p2", "p3"]),
    leg_id=st.none() | st.sampled_from(["leg-p1", "leg-p2", "leg-none"]),
    reference=st.none() | st.tuples(st.just("met-police"), st.sampled_from("AB")),
    about_referral=st.none() | st.tuples(st.just("met-police"), st.sampled_from("AB")),
    name_key=st.none() | st.sampled_from(["example|d|1986-04-17", "other|a|1990-01-01"]),
    may_be_new=st.booleans(),
)


def take(several: Sequence[Claim]) -> tuple[Known, list[tuple[Claim, Link, str] | Unacceptable]]:
    """What intake does with a batch: link each, and let the next ones know."""
    known = Known(by_leg={"leg-p1": "of-leg-1", "leg-p2": "of-leg-2"})  # persons whom no new one is called like
    outcomes: list[tuple[Claim, Link, str] | Unacceptable] = []
    for number, claim in enumerate(several, 1):
        try:
            linked = link(claim, known)
        except Unacceptable as why:
            outcomes.append(why)
            continue
        person = linked.person_id or f"p{number}"
        known.last_sequence[person] = known.last_sequence.get(person, 0) + 1
        learn(known, claim, linked, person)
        outcomes.append((claim, linked, person))
    return known, outcomes


@given(st.lists(claims, max_size=12))
def test_no_identifier_ever_moves_from_one_person_to_another(several: list[Claim]) -> None:
    for end in range(len(several)):
        before, _ = take(several[:end])
        after, _ = take(several[: end + 1])
        assert {i: after.by_identifier[i] for i in before.by_identifier} == before.by_identifier
        assert {r: after.by_reference[r] for r in before.by_reference} == before.by_reference


@given(st.lists(claims, max_size=12))
def test_who_shares_no_strong_identifier_and_is_not_named_is_never_linked(several: list[Claim]) -> None:
    for index, outcome in enumerate(take(several)[1]):
        if isinstance(outcome, Unacceptable):
            continue
        claim, linked, person = outcome
        known, _ = take(several[:index])
        theirs = {i for i, owner in known.by_identifier.items() if owner == person}
        named = {claim.person_id, known.by_leg.get(claim.leg_id or "")}
        named.add(known.by_reference.get(claim.about_referral or ("", "")))
        if linked.person_id is not None:
            assert theirs & set(claim.identifiers) or person in named
        else:
            assert person == f"p{index + 1}", "new"


@given(st.lists(claims, max_size=12))
def test_a_message_that_fits_two_persons_is_always_asked_about_and_joins_nothing(several: list[Claim]) -> None:
    for index, outcome in enumerate(take(several)[1]):
        if isinstance(outcome, Unacceptable):
            continue
        claim, linked, person = outcome
        known, _ = take(several[:index])
        owners = {known.by_identifier[i] for i in claim.identifiers if i in known.by_identifier}
        others = owners - {person}
        assert set(linked.perhaps) >= others
        assert (linked.question == "identifiers_disagree") == bool(others)
        if others and linked.person_id is not None:
            assert linked.add == (), "what one of two may own is given to neither"
        assert not set(linked.add) & set(known.by_identifier)


@given(st.lists(claims, max_size=8))
def test_a_likeness_is_a_question_and_no_more(several: list[Claim]) -> None:
    for outcome in take(several)[1]:
        if not isinstance(outcome, Unacceptable) and outcome[1].question == "perhaps_known":
            assert outcome[1].person_id is None
            assert outcome[1].perhaps


def test_an_owned_identifier_links_and_brings_the_others_along() -> None:
    known = Known(by_identifier={PNC: SOMEBODY})
    assert link(Claim(identifiers=(PNC, NHS), may_be_new=True), known) == Link(SOMEBODY, (NHS,))


def test_two_owners_make_somebody_new_and_a_question() -> None:
    known = Known(by_identifier={PNC: SOMEBODY, NHS: OTHER})
    linked = link(Claim(identifiers=(PNC, NHS), may_be_new=True), known)
    assert linked == Link(None, (), "identifiers_disagree", (SOMEBODY, OTHER))


def test_a_named_person_is_followed_and_a_strange_identifier_asked_about() -> None:
    known = Known(by_identifier={NHS: OTHER}, by_leg={"leg": SOMEBODY})
    linked = link(Claim(identifiers=(NHS,), leg_id="leg"), known)
    assert linked == Link(SOMEBODY, (), "identifiers_disagree", (OTHER,))


@pytest.mark.parametrize(
    "claim",
    [
        Claim(),
        Claim(leg_id="no-leg"),
        Claim(person_id="nobody"),
        Claim(review_id="no-review"),
        Claim(about_referral=("met-police", "unknown")),
        Claim(leg_id="no-leg", identifiers=(PNC,), may_be_new=True),
    ],
)
def test_nobody_known_is_refused(claim: Claim) -> None:
    with pytest.raises(Unacceptable) as refused:
        link(claim, Known())
    assert refused.value.reason == "unknown_person"


def test_ids_of_ours_that_disagree_are_refused() -> None:
    known = Known(by_leg={"leg": SOMEBODY}, last_sequence={OTHER: 1})
    with pytest.raises(Unacceptable) as refused:
        link(Claim(leg_id="leg", person_id=OTHER), known)
    assert refused.value.reason == "names_several"


def test_a_referrals_own_reference_links_it_to_nobody() -> None:
    known = Known(by_reference={("met-police", "INCIDENT-1"): SOMEBODY})
    assert link(Claim(reference=("met-police", "INCIDENT-1"), may_be_new=True), known).person_id is None


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("Daniel", "Example"), ("DAN", "example")),
        (("Zo\u00eb", "O'Neil"), ("Zoe", "ONEIL")),
        (("Anna", "Smith-Jones"), ("A", "Smith Jones")),
        (("J", "Stra\u00dfe"), ("James", "STRASSE")),
    ],
)
def test_names_are_alike_however_they_are_written(one: tuple[str, str], two: tuple[str, str]) -> None:
    born = date(1986, 4, 17)
    assert name_key(given=one[0], family=one[1], born=born) == name_key(given=two[0], family=two[1], born=born)
    assert name_key(given=one[0], family=one[1], born=born) != name_key(
        given=two[0], family=two[1], born=date(1986, 4, 18)
    )


@pytest.mark.parametrize("missing", ["given", "family", "born"])
def test_half_a_likeness_is_none(missing: str) -> None:
    known = {"given": "A", "family": "B", "born": date(1990, 1, 1)} | {missing: None}
    assert name_key(**known) is None  # type: ignore[arg-type]


@given(st.lists(claims, max_size=12))
def test_nobody_is_ever_given_two_identifiers_of_one_kind(several: list[Claim]) -> None:
    known, _ = take([replace(claim, identifiers=_one_a_kind(claim)) for claim in several])
    owned = [(person, kind) for (kind, _), person in known.by_identifier.items()]
    assert len(owned) == len(set(owned))


def _one_a_kind(claim: Claim) -> tuple[tuple[str, str], ...]:
    return tuple(dict(claim.identifiers).items())


def test_a_timer_is_of_the_person_that_it_was_set_for_and_never_of_somebody_new() -> None:
    timer = TimerFellDue(
        timer_id=TIMER, person_id=PersonId(OURS), kind=TimerKind.REVIEW, due_at=datetime(2026, 3, 2, 9, tzinfo=UTC)
    )
    claim = claim_of(timer, "onward-timers")
    assert link(claim, Known(last_sequence={OURS: 4})) == Link(OURS)
    with pytest.raises(Unacceptable, match="unknown_person"):
        link(claim, Known())
