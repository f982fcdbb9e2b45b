"""Who a message is about: the person, the one who was harmed, the children."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.base import (
    Day,
    OutwardCode,
    Payload,
    Phone,
    Sentence,
    Several,
    ShortText,
    SourceId,
    ValidLegId,
    ValidPersonId,
)
from schemas.identifiers import Crn, CroNumber, NhsNumber, NomsNumber, PncId
from schemas.vocabulary import ContactMethod, Gender, SocialCareStatus, YesNo


class Identifiers(Payload):
    """The numbers by which agencies know the person, each in its one form."""

    pnc_id: PncId | None = None  # Police National Computer
    cro: CroNumber | None = None  # Criminal Records Office
    crn: Crn | None = None  # probation
    nhs_number: NhsNumber | None = None
    noms: NomsNumber | None = None  # prison

    @property
    def stated(self) -> dict[str, str]:
        """Those that are known, by name."""
        return {name: value for name, value in self if value is not None}


class PersonName(Payload):
    """A name as the source wrote it."""

    given: ShortText | None = None
    family: ShortText | None = None
    aliases: Several[ShortText] | None = None


class Person(Payload):
    """The service user: the one whose behaviour the referral is about."""

    identifiers: Identifiers = Identifiers()
    name: PersonName = PersonName()
    date_of_birth: Day | None = None
    gender: Gender | None = None
    postcode_outward: OutwardCode | None = None  # enough for a catchment, too little to find a home
    phone: Phone | None = None
    gp_practice: ShortText | None = None  # name or ODS code

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if not (self.name.given or self.name.family or self.identifiers.stated):
            raise ValueError("a person needs a name or an identifier")
        return self


class SafeContact(Payload):
    """How somebody may be reached without putting them in danger. Every channel honours it."""

    method: ContactMethod | None = None
    detail: ShortText | None = None  # the number or address that is safe
    times: ShortText | None = None  # when it is safe, in words
    do_not_leave_message: YesNo | None = None
    note: Sentence | None = None


class OtherParty(Payload):
    """The one who was harmed."""

    name: PersonName | None = None
    date_of_birth: Day | None = None
    safe_contact: SafeContact | None = None
    pregnant: YesNo | None = None


class Child(Payload):
    """A child of the household, or one who saw it."""

    name: PersonName | None = None
    date_of_birth: Day | None = None
    age: Annotated[int, Field(ge=0, le=17)] | None = None  # in years, when the date of birth is not known
    lives_with: YesNo | None = None  # with the person
    witnessed: YesNo | None = None
    social_care: SocialCareStatus | None = None


class ReferralRef(Payload):
    """A referral in its source's own words."""

    source: SourceId
    reference: ShortText


class PersonRef(Payload):
    """Whom a message is about, in whatever way its sender knows. At least one way; several must agree."""

    person_id: ValidPersonId | None = None
    leg_id: ValidLegId | None = None
    referral: ReferralRef | None = None
    identifiers: Identifiers | None = None

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if self.person_id or self.leg_id or self.referral or (self.identifiers and self.identifiers.stated):
            return self
        raise ValueError("say whom this is about: person_id, leg_id, referral or identifiers")
