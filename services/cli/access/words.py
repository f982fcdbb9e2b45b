"""The words of the page: fields, values and reasons as somebody who never saw a form would say them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

from services.cli.looking import Row
from services.cli.picture.words import day, event_label, local, plain, status_label

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT.*")
_CODE: Final = re.compile(r"[a-z][a-z0-9_]*")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")

FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reference": "Their reference",
        "person.identifiers.pnc_id": "Police National Computer number",
        "person.identifiers.cro": "Criminal Records Office number",
        "person.identifiers.crn": "Probation case number",
        "person.identifiers.nhs_number": "NHS number",
        "person.identifiers.noms": "Prison number",
        "person.name.given": "First name",
        "person.name.family": "Last name",
        "person.name.aliases": "Other names",
        "person.date_of_birth": "Date of birth",
        "person.postcode_outward": "First half of your postcode",
        "person.phone": "Telephone",
        "person.gp_practice": "GP practice",
        "person.gender": "Gender",
        "lawful_basis": "Their legal ground for sharing",
        "consent.to_share": "Did you agree to sharing?",
        "consent.recorded_by": "Your answer was written down by",
        "consent.recorded_at": "Your answer was written down on",
        "incident.reference": "Reference of the incident",
        "incident.occurred_at": "When it is said to have happened",
        "incident.reported_at": "When it was reported",
        "incident.behaviours": "What you are reported to have done",
        "incident.arrested": "Were you arrested?",
        "incident.weapons": "Was a weapon used?",
        "incident.injuries": "Was anybody hurt?",
        "incident.children_present": "Were children there?",
        "previous_incidents_12_months": "Earlier reports in the 12 months before",
        "relationship": "What you are to the person who was harmed",
        "risk.level": "How high the risk was judged to be",
        "risk.reviewed_level": "The same, after a second look",
        "risk.instrument": "By which questionnaire",
        "risk.ticks": "Its answers that were yes",
        "risk.max": "Its questions",
        "risk.answers": "Its answers",
        "needs.substances": "Alcohol and drugs",
        "needs.mental_health": "Your mental health",
        "needs.other": "Other needs",
        "engagement": "How you take part",
        "accepts_help": "Do you want help?",
        "orders.kind": "Order or condition that binds you",
        "orders.expires_on": "Its last day",
        "victim": "The person who was harmed",
        "children": "Children",
        "narrative": "What was written about it",
        "referrer.role": "Role of whoever referred you",
        "referrer.name": "Name of whoever referred you",
        "referrer.collar_number": "Number of whoever referred you",
        "referrer.station": "Station",
        "agencies_notified": "Who else was told",
        "about.leg_id": "Our number of the referral that it is about",
        "about.person_id": "Our number for you",
        "leg_id": "Our number of the referral that it is about",
        "person_id": "Our number for you",
        "review_id": "The question that it answers",
        "kind": "What kind of report",
        "occurred_at": "When it happened",
        "context.kind": "What weighs on you",
        "context.on": "On which day",
        "weeks_clean": "Weeks without alcohol or drugs",
        "session_number": "Session",
        "left_support": "Support that you left",
        "note": "What was written",
        "reason": "The reason that was written",
        "answer": "The answer",
        "reason_code": "Reason",
        "waitlist_place": "Your place on the waiting list",
        "expected_on": "Expected on",
        "pause.reason": "Why it rests",
        "pause.from_date": "Rests from",
        "pause.until_date": "Looked at again on",
        "pause.agreed_by": "Agreed by",
        "welfare_check": "What the check found",
        "decided_by.user": "Decided by",
        "decided_by.role": "Role of whoever decided",
        "decided_by.organisation": "Their organisation",
        "decided_at": "When it was decided",
        "shown": "What was on their screen",
        "on": "Which day",
        "other_person_id": "Whom you were compared with",
    }
)

INTERNAL: Final = frozenset(
    {"leg_id", "person_id", "about.leg_id", "about.person_id", "shown", "review_id", "other_person_id"}
)

WHAT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "refer": "You were referred",
        "step_up": "Asked to do more",
        "notify": "Told what happened",
        "reopen": "Asked to take you back",
        "withdraw": "Told that it is no longer needed",
        "outcome": "Told what became of their referral",
        "receipt": "Told why something could not be done",
        "subject_access": "A copy of this kind of document",
    }
)
LOOKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "operations": "To run the service",
        "work_list": "To see what waits for an answer",
        "decision": "To decide something",
        "quarantine": "To mend a message that could not be read",
        "rules": "To check the rules",
        "audit": "To check who looked",
        "case_for_ops": "To draw your case for those who work on it",
        "case_for_person_side": "To draw your case for a service that you go to",
        "subject_access": "To make a document like this",
        "subject_access_review": "To check a document like this before it was given to you",
    }
)


def field_label(path: str) -> str:
    """What a field is called. Of several in a list the number is kept."""
    bare = re.sub(r" \d+", "", path)
    number = re.search(r" (\d+)", path)
    known = FIELDS.get(bare) or FIELDS.get("person." + bare.removeprefix("about."))
    said = known or plain(bare.replace(".", ", ")).capitalize()
    return f"{said} ({number[1]})" if number else said


def value_text(path: str, value: object) -> str:
    """What a field says, in words."""
    match value:
        case bool():
            return "Yes" if value else "No"
        case None:
            return "Not known"
        case list() | tuple():
            return _first_large(", ".join(lower_word(path, each) for each in value)) if value else "None"
        case datetime():
            return local(value)
        case date():
            return day(value)
        case str():
            return _text(path, value)
    return str(value)


def lower_word(path: str, value: object) -> str:
    """One of several: a word of ours in small letters, what somebody wrote as it is."""
    return plain(value) if isinstance(value, str) and _CODE.fullmatch(value) else value_text(path, value)


def _first_large(text: str) -> str:
    return text[:1].upper() + text[1:]


def _text(path: str, value: str) -> str:
    if value.startswith("[withheld") or (path.rpartition(".")[2] in _AS_WRITTEN and path != "pause.reason"):
        return value
    if _DAY.fullmatch(value):
        return day(date.fromisoformat(value))
    if _MOMENT.fullmatch(value):
        try:
            return local(datetime.fromisoformat(value))
        except ValueError:
            return value
    if path == "kind":
        return event_label(value)
    if path == "status":
        return status_label(value)
    return sentence(value) if _CODE.fullmatch(value) else value


_AS_WRITTEN: Final = frozenset(
    {"reference", "pnc_id", "cro", "crn", "nhs_number", "noms", "given", "family", "aliases", "phone", "narrative",
     "note", "reason", "gp_practice", "postcode_outward", "user", "organisation", "name", "station", "area", "answer",
     "collar_number", "recorded_by"}
)  # fmt: skip


def sentence(code: str) -> str:
    """A name of configuration, as words that begin with a capital."""
    return plain(code).capitalize()


def lower(text: str) -> str:
    """The same inside a sentence, its first letter small unless it begins an abbreviation."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def by_source(source: str, document: Row) -> str:
    """Who sent something: the services that they speak for, else the organisation."""
    speaks_for: list[str] = next((row["speaks_for"] for row in document["sources"] if row["source"] == source), [])
    return ", ".join(speaks_for) if speaks_for else organisation(source)


def organisation(source: str) -> str:
    """An organisation by the name under which it publishes."""
    ours = {"onward-console": "A member of staff", "onward-timers": "Onward's own clock"}
    return ours.get(source, sentence(source.replace("-", "_")))
