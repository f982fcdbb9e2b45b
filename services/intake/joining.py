"""A human's word on two persons: that they are one, are not, or are no longer. Pure.

Whoever is merged keeps all their rows under their own id and is only pointed to the survivor, so that parting them
again is to take the pointer away. Such a decision stands in both orders: it is taken first in the one's, which by that
is complete, and handed on from there to its place in the other's (decision record 0007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.human import HumanDecision
from schemas.receipt import Problem
from schemas.refusal import Unacceptable
from schemas.roles import MAY_JOIN_PERSONS, may_answer, who_may_answer
from schemas.vocabulary import DecisionKind
from services.intake.linking import Known

ON_TWO_PERSONS: Final = frozenset(
    {DecisionKind.MERGE_PERSONS, DecisionKind.UNMERGE_PERSONS, DecisionKind.KEEP_PERSONS_APART}
)


@dataclass(frozen=True, slots=True)
class Joining:
    """What a decision on two persons does. `first` and `then` are whose orders it stands in."""

    kind: DecisionKind
    survivor: str  # of keep_persons_apart: one of the two
    merged: str
    first: str
    then: str | None  # None: it concerns one order only
    told: str  # the one of the two whose event the sender is told


def joining_of(data: object, known: Known) -> Joining | None:
    """What a decision on two persons does; None for anything else. Raises Unacceptable where it cannot be done."""
    if not isinstance(data, HumanDecision) or data.kind not in ON_TWO_PERSONS:
        return None
    assert data.person_id is not None  # each of these kinds needs both
    assert data.other_person_id is not None
    for field in ("person_id", "other_person_id"):
        if getattr(data, field) not in known.last_sequence:
            raise _refused("unknown_person", field, "is no person that we know")
    if not may_answer(data.decided_by.role, MAY_JOIN_PERSONS):
        roles = " or ".join(who_may_answer(MAY_JOIN_PERSONS))
        raise _refused("not_their_role", "decided_by/role", f"this is for {roles} to decide")
    one, other = data.person_id, data.other_person_id
    asked_of = _asked_of(data, known)
    if data.kind is DecisionKind.UNMERGE_PERSONS:
        return _parting(one, other, known)
    survivor, merged = known.who(one), known.who(other)
    if survivor == merged:
        raise _refused("already_merged", "other_person_id", "is merged with the other already")
    if data.kind is DecisionKind.KEEP_PERSONS_APART:
        about = asked_of or survivor
        return Joining(data.kind, one, other, about, None, about)
    return Joining(data.kind, survivor, merged, first=merged, then=survivor, told=survivor)


def take_joining(joining: Joining, known: Known) -> None:
    """Let later messages of the same batch find the persons as they are from now on."""
    one, other = joining.survivor, joining.merged
    match joining.kind:
        case DecisionKind.MERGE_PERSONS:
            known.merged_into[other] = one
            known.kinds.setdefault(one, set()).update(known.kinds.get(other, ()))
        case DecisionKind.UNMERGE_PERSONS:
            del known.merged_into[other]
            known.kinds.setdefault(other, set()).update(known.kinds.get(known.who(one), ()))
            known.apart.add(frozenset((known.who(one), other)))
        case _:
            known.apart.add(frozenset((known.who(one), known.who(other))))


def _parting(one: str, other: str, known: Known) -> Joining:
    if known.merged_into.get(one) == other:
        one, other = other, one
    if known.merged_into.get(other) != one:
        raise _refused("not_merged", "other_person_id", "is not merged with this one")
    top = known.who(one)
    return Joining(DecisionKind.UNMERGE_PERSONS, one, other, first=top, then=other, told=top)


def _asked_of(data: HumanDecision, known: Known) -> str | None:
    """Whom the question is about that this answers. Raises Unacceptable for one about neither of the two."""
    if data.review_id is None:
        return None
    person = known.by_review.get(data.review_id)
    if person is None:
        raise _refused("unknown_review", "review_id", "is no review that we know")
    about = known.who(person)
    if about not in {known.who(data.person_id or ""), known.who(data.other_person_id or "")}:
        raise _refused("unknown_review", "review_id", "is a review of neither of the two")
    return about


def _refused(reason: str, place: str, message: str) -> Unacceptable:
    return Unacceptable(reason, [Problem(place=f"/data/{place}", message=message)])
