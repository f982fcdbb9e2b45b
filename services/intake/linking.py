"""Whom a message is about. Pure: strong identifiers link, weak likeness asks a human, nothing merges persons."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from schemas.human import HumanDecision
from schemas.person import Identifiers
from schemas.progress import ProgressReported
from schemas.receipt import Problem
from schemas.referral import ReferralSubmitted
from schemas.refusal import Unacceptable
from schemas.risk import RiskReported
from schemas.timer import TimerFellDue

Identifier = tuple[str, str]  # kind, value
Question = Literal["identifiers_disagree", "perhaps_known", "second_identifier"]
Data = ReferralSubmitted | RiskReported | ProgressReported | HumanDecision | TimerFellDue


@dataclass(frozen=True, slots=True)
class Claim:
    """What a message says of whom it is about."""

    identifiers: tuple[Identifier, ...] = ()
    person_id: str | None = None
    leg_id: str | None = None
    review_id: str | None = None
    reference: Identifier | None = None  # (source, its own reference) of the referral that this message is
    about_referral: Identifier | None = None  # the same, of an earlier referral: whoever that was about
    name_key: str | None = None
    other_person_id: str | None = None  # of a decision on two persons
    may_be_new: bool = False  # a referral, or a risk event with identifiers, can be the first that we hear of somebody


@dataclass(slots=True)
class Known:
    """What the store knows of the persons that a batch's claims name. Grows with the batch."""

    by_identifier: dict[Identifier, str] = field(default_factory=dict)
    by_reference: dict[Identifier, str] = field(default_factory=dict)
    by_leg: Mapping[str, str] = field(default_factory=dict)
    by_review: Mapping[str, str] = field(default_factory=dict)
    by_name_key: dict[str, list[str]] = field(default_factory=dict)
    last_sequence: dict[str, int] = field(default_factory=dict)  # of every person named here
    kinds: dict[str, set[str]] = field(default_factory=dict)  # of the identifiers that each of these persons has
    merged_into: dict[str, str] = field(default_factory=dict)  # by a human's word
    apart: set[frozenset[str]] = field(default_factory=set)  # pairs who are not one, by a human's word

    def who(self, person_id: str) -> str:
        """The person that somebody is, since a human said so of some."""
        while person_id in self.merged_into:
            person_id = self.merged_into[person_id]
        return person_id


@dataclass(frozen=True, slots=True)
class Link:
    """Whom a message belongs to. `person_id` None: somebody new."""

    person_id: str | None
    add: tuple[Identifier, ...] = ()  # identifiers to be theirs from now on
    question: Question | None = None  # for a human
    perhaps: tuple[str, ...] = ()  # the other persons that the question is about
    named: str | None = None  # whom it named, where that one is merged into the person


def claim_of(data: Data, source: str) -> Claim:
    """What the data say of whom they are about."""
    match data:
        case ReferralSubmitted():
            person = data.person
            return Claim(
                identifiers=_pairs(person.identifiers),
                reference=(source, data.reference),
                name_key=name_key(given=person.name.given, family=person.name.family, born=person.date_of_birth),
                may_be_new=True,
            )
        case RiskReported():
            about = data.about
            known_by = _pairs(about.identifiers)
            return Claim(
                identifiers=known_by,
                person_id=about.person_id,
                leg_id=about.leg_id,
                about_referral=(about.referral.source, about.referral.reference) if about.referral else None,
                may_be_new=bool(known_by),
            )
        case ProgressReported():
            return Claim(leg_id=data.leg_id)
        case HumanDecision():
            return Claim(
                person_id=data.person_id,
                leg_id=data.leg_id,
                review_id=data.review_id,
                other_person_id=data.other_person_id,
            )
        case TimerFellDue():
            return Claim(person_id=data.person_id)  # ours, so it is sure; its leg may have come to another person since


def link(claim: Claim, known: Known) -> Link:
    """Whom the claim means, among those known.

    Raises Unacceptable where it names nobody and cannot be the first word of somebody, or names several by ids of ours.
    """
    ways = _ways(claim, known)
    named = _named(ways, known)
    owners = {known.by_identifier[i] for i in claim.identifiers if i in known.by_identifier}
    by_identifiers = {known.who(owner) for owner in owners}
    unowned = tuple(i for i in claim.identifiers if i not in known.by_identifier)
    everyone = sorted(by_identifiers | ({named} if named else set()))
    if named is not None or len(everyone) == 1:
        person = named or everyone[0]
        own = _own(person, ways | owners, known)
        others = tuple(p for p in everyone if p != person)
        if others:
            asked = tuple(p for p in others if frozenset((p, person)) not in known.apart)
            return Link(person, (), "identifiers_disagree" if asked else None, asked, own)
        # Somebody has one PNC id: a second one is a slip, or another man's record. A human says which.
        new = tuple(i for i in unowned if i[0] not in known.kinds.get(person, ()))
        return Link(person, new, "second_identifier" if new != unowned else None, named=own)
    if len(everyone) > 1:
        # Two persons of ours share this message's identifiers: it goes its own way until a human has decided.
        return Link(None, unowned, "identifiers_disagree", tuple(everyone))
    names_ours = claim.person_id or claim.leg_id or claim.review_id
    if not claim.may_be_new or names_ours:
        raise Unacceptable("unknown_person", [Problem(place="/data", message="names no person or leg that we know")])
    alike = tuple(known.by_name_key.get(claim.name_key, ())) if claim.name_key else ()
    return Link(None, unowned, "perhaps_known" if alike else None, alike)


def learn(known: Known, claim: Claim, linked: Link, person_id: str) -> None:
    """Let later messages of the same batch find what this one brought."""
    own = linked.named or person_id
    for identifier in linked.add:
        known.by_identifier[identifier] = own
        known.kinds.setdefault(person_id, set()).add(identifier[0])
    if claim.may_be_new and claim.reference:
        known.by_reference.setdefault(claim.reference, own)
    if linked.person_id is None and claim.name_key:
        known.by_name_key.setdefault(claim.name_key, []).append(person_id)


def name_key(*, given: str | None, family: str | None, born: date | None) -> str | None:
    """Surname, first initial and date of birth, folded. None when one of them is not known."""
    if not given or not family or born is None:
        return None
    return f"{_folded(family)}|{_folded(given)[:1]}|{born.isoformat()}"


def _ways(claim: Claim, known: Known) -> set[str]:
    """Whom the claim names by something of ours, or by a referral."""
    ways = (
        claim.person_id if claim.person_id in known.last_sequence else None,
        known.by_leg.get(claim.leg_id) if claim.leg_id else None,
        known.by_review.get(claim.review_id) if claim.review_id else None,
        known.by_reference.get(claim.about_referral) if claim.about_referral else None,
    )
    return {person for person in ways if person is not None}


def _named(ways: set[str], known: Known) -> str | None:
    """The one person of all these ways: they must agree."""
    persons = {known.who(person) for person in ways}
    if len(persons) > 1:
        raise Unacceptable("names_several", [Problem(place="/data", message="names more than one person")])
    return persons.pop() if persons else None


def _own(person: str, named: set[str], known: Known) -> str | None:
    """Whom of those who are one the claim named, so that what follows is theirs should they be parted again."""
    those = {other for other in named if known.who(other) == person}
    return None if person in those or not those else min(those)


def _pairs(identifiers: Identifiers | None) -> tuple[Identifier, ...]:
    return tuple(identifiers.stated.items()) if identifiers else ()


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in plain if letter.isalnum())
