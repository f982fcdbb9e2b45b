"""A human's word on two persons, as intake understands it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.base import PersonId
from schemas.human import DecidedBy, HumanDecision
from schemas.refusal import Unacceptable
from schemas.vocabulary import DecisionKind
from services.intake.joining import Joining, joining_of, take_joining
from services.intake.linking import Claim, Known, Link, learn, link

A, B, C = (f"01938f00-0000-7000-8000-00000000000{letter}" for letter in "abc")
REVIEW = "01938f00-0000-7000-8000-0000000e0001"
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
CRN, PNC, NHS = ("crn", "X000001"), ("pnc_id", "1986/0154321Y"), ("nhs_number", "9990001235")
MERGE, UNMERGE, APART = (
    DecisionKind.MERGE_PERSONS,
    DecisionKind.UNMERGE_PERSONS,
    DecisionKind.KEEP_PERSONS_APART,
)


def _known() -> Known:
    return Known(
        by_identifier={PNC: A, NHS: B},
        by_leg={"leg-of-a": A, "leg-of-b": B},
        by_review={REVIEW: C},
        last_sequence={A: 1, B: 1, C: 1},
        kinds={A: {"pnc_id"}, B: {"nhs_number"}},
    )


def _said(kind: DecisionKind, one: str, other: str, *, role: str = "case_manager", **more: str) -> HumanDecision:
    return HumanDecision(
        kind=kind,
        decided_by=DecidedBy(user="j.smith", role=role, organisation="Hub"),
        decided_at=NOW,
        reason="I know them.",
        person_id=PersonId(one),
        other_person_id=PersonId(other),
        **more,  # type: ignore[arg-type]
    )


def _take(known: Known, kind: DecisionKind, one: str, other: str) -> Joining:
    joining = joining_of(_said(kind, one, other), known)
    assert joining is not None
    take_joining(joining, known)
    return joining


def _refused(known: Known, said: HumanDecision) -> tuple[str, str]:
    with pytest.raises(Unacceptable) as refusal:
        joining_of(said, known)
    return refusal.value.reason, refusal.value.problems[0].place


def test_a_merge_ends_the_order_of_who_is_merged_before_it_goes_on_in_the_survivors() -> None:
    joining = _take(_known(), MERGE, A, B)
    assert (joining.first, joining.then, joining.told) == (B, A, A)


def test_a_parting_is_taken_by_the_survivor_before_the_other_goes_on() -> None:
    known = _known()
    _take(known, MERGE, A, B)
    joining = _take(known, UNMERGE, B, A)
    assert (joining.survivor, joining.merged, joining.first, joining.then) == (A, B, A, B), "named either way round"
    assert known.who(B) == B


def test_who_is_merged_is_found_as_the_survivor_and_remembered_as_named() -> None:
    known = _known()
    _take(known, MERGE, A, B)
    assert link(Claim(identifiers=(NHS,)), known) == Link(A, named=B)
    assert link(Claim(leg_id="leg-of-a", identifiers=(NHS,)), known) == Link(A), "they agree now"
    assert link(Claim(leg_id="leg-of-b"), known) == Link(A, named=B)


def test_a_new_identifier_goes_to_whom_the_message_named() -> None:
    known = _known()
    _take(known, MERGE, A, B)
    claim = Claim(identifiers=(NHS, CRN), may_be_new=True)
    linked = link(claim, known)
    learn(known, claim, linked, A)
    assert known.by_identifier[CRN] == B
    other = link(Claim(identifiers=(NHS, ("pnc_id", "1979/0163001B"))), known)
    assert other.question == "second_identifier", "who are one have one PNC id"


def test_a_chain_is_followed_and_parts_where_it_is_cut() -> None:
    known = _known()
    _take(known, MERGE, B, C)
    assert _take(known, MERGE, A, C).merged == B, "who is merged already is the one that they are"
    assert [known.who(person) for person in (A, B, C)] == [A, A, A]
    assert _take(known, UNMERGE, A, B).first == A
    assert [known.who(person) for person in (A, B, C)] == [A, B, B]


def test_a_pair_that_is_kept_apart_is_not_asked_about_again() -> None:
    known = _known()
    claim = Claim(leg_id="leg-of-a", identifiers=(NHS,))
    assert link(claim, known).question == "identifiers_disagree"
    _take(known, APART, B, A)
    assert link(claim, known) == Link(A)


def test_who_were_parted_are_not_asked_about_again() -> None:
    known = _known()
    _take(known, MERGE, A, B)
    _take(known, UNMERGE, A, B)
    assert link(Claim(leg_id="leg-of-a", identifiers=(NHS,)), known) == Link(A)


def test_what_cannot_be_done_is_refused_with_its_place() -> None:
    nobody = "01938f00-0000-7000-8000-00000000dead"
    known = _known()
    assert _refused(known, _said(MERGE, A, nobody)) == ("unknown_person", "/data/other_person_id")
    assert _refused(known, _said(MERGE, A, B, role="facilitator")) == ("not_their_role", "/data/decided_by/role")
    assert _refused(known, _said(MERGE, A, B, review_id=REVIEW)) == ("unknown_review", "/data/review_id")
    assert _refused(known, _said(UNMERGE, A, B)) == ("not_merged", "/data/other_person_id")
    _take(known, MERGE, A, B)
    for kind in (MERGE, APART):
        assert _refused(known, _said(kind, B, A)) == ("already_merged", "/data/other_person_id")
    _take(known, MERGE, C, A)
    assert _refused(known, _said(UNMERGE, C, B)) == ("not_merged", "/data/other_person_id"), "only by A"
