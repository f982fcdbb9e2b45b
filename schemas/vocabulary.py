"""The closed lists of the published language: each value once, with the sentence that tells it from its neighbours.

Sources: ministry referral systems, DASH topic order and police report forms, read as reference; the words are ours.
An unanswered question is `None` where the field stands, never a value of its list.
"""

from __future__ import annotations

from enum import StrEnum


class Behaviour(StrEnum):
    """What the person is reported to have done. One incident can show several."""

    PHYSICAL_ASSAULT = "physical_assault"
    STRANGULATION = "strangulation"  # non-fatal strangulation or suffocation, an offence of its own
    SEXUAL_VIOLENCE = "sexual_violence"
    THREATS_TO_KILL = "threats_to_kill"
    THREATS = "threats"  # of harm, short of killing
    COERCIVE_CONTROL = "coercive_control"
    STALKING = "stalking"
    HARASSMENT = "harassment"
    CRIMINAL_DAMAGE = "criminal_damage"  # a smashed phone is one
    BREACH_OF_ORDER = "breach_of_order"
    WEAPON_USED = "weapon_used"
    HONOUR_BASED_ABUSE = "honour_based_abuse"
    FORCED_MARRIAGE = "forced_marriage"
    ECONOMIC_ABUSE = "economic_abuse"
    HARM_TO_CHILD = "harm_to_child"
    HARM_TO_ANIMAL = "harm_to_animal"
    VERBAL_ABUSE = "verbal_abuse"


class Relationship(StrEnum):
    """What the person is to the one who was harmed."""

    SPOUSE = "spouse"
    EX_SPOUSE = "ex_spouse"
    CIVIL_PARTNER = "civil_partner"
    PARTNER = "partner"
    EX_PARTNER = "ex_partner"
    PARENT_OF_SHARED_CHILD = "parent_of_shared_child"
    PARENT = "parent"
    CHILD = "child"
    SIBLING = "sibling"
    OTHER_RELATIVE = "other_relative"
    COHABITANT = "cohabitant"
    OTHER = "other"


class RiskInstrument(StrEnum):
    """How the level was reached. None is required: forces differ."""

    DASH_27 = "dash_27"
    RIC_24 = "ric_24"
    DARA = "dara"
    SARA = "sara"
    OASYS = "oasys"
    PROFESSIONAL_JUDGEMENT = "professional_judgement"


class RiskLevel(StrEnum):
    """In rising order. Police use standard, medium, high; probation schemes low to very_high."""

    LOW = "low"
    STANDARD = "standard"
    MEDIUM = "medium"
    HIGH = "high"
    VERY_HIGH = "very_high"


class Answer(StrEnum):
    """One topic of a risk instrument; never the question's text, which is copyright."""

    YES = "yes"
    NO = "no"
    NOT_KNOWN = "not_known"
    NOT_ASKED = "not_asked"


class Substance(StrEnum):
    """What the person uses."""

    ALCOHOL = "alcohol"
    COCAINE = "cocaine"
    CRACK = "crack"
    OPIOIDS = "opioids"
    CANNABIS = "cannabis"
    AMPHETAMINES = "amphetamines"
    BENZODIAZEPINES = "benzodiazepines"
    KETAMINE = "ketamine"
    OTHER = "other"


class MentalHealthConcern(StrEnum):
    """What was seen or said of the person's mind; not a diagnosis."""

    MENTAL_HEALTH_EPISODE = "mental_health_episode"
    LOW_MOOD = "low_mood"
    ANXIETY = "anxiety"
    PSYCHOSIS = "psychosis"
    SELF_HARM = "self_harm"
    SUICIDAL_IDEATION = "suicidal_ideation"
    TRAUMA = "trauma"
    OTHER = "other"


class OtherNeed(StrEnum):
    """Needs besides substances and mental health (service categories of community referral)."""

    ACCOMMODATION = "accommodation"
    EMPLOYMENT = "employment"
    FINANCE = "finance"
    FAMILY = "family"
    SOCIAL_INCLUSION = "social_inclusion"
    PHYSICAL_HEALTH = "physical_health"


class OrderKind(StrEnum):
    """A protective order or condition that binds the person."""

    DVPN = "dvpn"
    DVPO = "dvpo"
    DAPO = "dapo"
    NON_MOLESTATION = "non_molestation"
    RESTRAINING = "restraining"
    OCCUPATION = "occupation"
    STALKING_PROTECTION = "stalking_protection"
    BAIL_CONDITIONS = "bail_conditions"


class YesNo(StrEnum):
    """A question that was asked and answered; not asked is None."""

    YES = "yes"
    NO = "no"


class ConsentToShare(StrEnum):
    """Consent is not the police's lawful basis; the two are kept apart."""

    YES = "yes"
    NO = "no"
    NOT_SOUGHT = "not_sought"


class LawfulBasis(StrEnum):
    """Why the source may share, apart from consent."""

    LAW_ENFORCEMENT = "law_enforcement"  # DPA 2018 Part 3
    PUBLIC_TASK = "public_task"
    VITAL_INTERESTS = "vital_interests"
    SAFEGUARDING = "safeguarding"  # DPA 2018 sch. 1 para. 18
    LEGAL_OBLIGATION = "legal_obligation"
    CONSENT = "consent"


class ContactMethod(StrEnum):
    """How somebody may safely be reached."""

    PHONE = "phone"
    TEXT = "text"
    EMAIL = "email"
    POST = "post"
    IN_PERSON = "in_person"
    THROUGH_OTHER = "through_other"


class SocialCareStatus(StrEnum):
    """A child's status with children's services."""

    NONE = "none"
    EARLY_HELP = "early_help"
    CHILD_IN_NEED = "child_in_need"
    CHILD_PROTECTION_PLAN = "child_protection_plan"
    LOOKED_AFTER = "looked_after"


class RiskKind(StrEnum):
    """Something that happened to a person since their referral."""

    RELAPSE = "relapse"
    LOW_MOOD = "low_mood"
    SUICIDAL_IDEATION = "suicidal_ideation"
    NEW_INCIDENT = "new_incident"
    THREAT = "threat"
    BREACH_OF_ORDER = "breach_of_order"
    DISENGAGED = "disengaged"
    MISSED_SESSION = "missed_session"
    MISSED_WELFARE_CHECK = "missed_welfare_check"
    CONTEXTUAL = "contextual"  # a holiday, anniversary or court date comes near
    PROTECTIVE = "protective"  # something that helps: weeks clean, steady engagement
    WELFARE_CONCERN = "welfare_concern"  # a welfare check in a pause found a worry


class ContextKind(StrEnum):
    """Which context a contextual risk event speaks of."""

    HOLIDAY = "holiday"
    ANNIVERSARY = "anniversary"
    COURT_DATE = "court_date"
    CHILD_CONTACT = "child_contact"
    OTHER = "other"


class Severity(StrEnum):
    """In rising order."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    IMMEDIATE = "immediate"  # danger now


class Engagement(StrEnum):
    """How the person takes part, in rising order."""

    NONE = "none"
    POOR = "poor"
    STEADY = "steady"
    STRONG = "strong"


class ProgressKind(StrEnum):
    """What a destination tells of its leg."""

    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    DECLINED = "declined"  # needs a reason
    WAITLISTED = "waitlisted"
    NO_CAPACITY = "no_capacity"
    ADDITIONAL_ASSESSMENT = "additional_assessment"
    FIRST_CONTACT = "first_contact"
    STARTED = "started"
    ATTENDED = "attended"
    MISSED = "missed"
    OFFER_AGREED = "offer_agreed"  # person and facilitator take up an offered pause
    OFFER_DECLINED = "offer_declined"  # the person chooses to go on
    PAUSE_AGREED = "pause_agreed"  # needs from, until and a reason
    RESUMED = "resumed"
    WELFARE_CHECK_DONE = "welfare_check_done"
    COMPLETED = "completed"
    CLOSED = "closed"  # needs a reason


class LegStatus(StrEnum):
    """Where one referral of one person to one destination stands."""

    REQUESTED = "requested"  # decided, not yet handed over
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    WAITLISTED = "waitlisted"
    DECLINED = "declined"
    NO_CAPACITY = "no_capacity"
    AWAITING_ASSESSMENT = "awaiting_assessment"
    AWAITING_ALLOCATION = "awaiting_allocation"
    SCHEDULED = "scheduled"
    ON_PROGRAMME = "on_programme"
    ON_HOLD = "on_hold"  # paused, not removed
    SUITABLE_BUT_NOT_READY = "suitable_but_not_ready"
    DEFERRED = "deferred"
    DEPRIORITISED = "deprioritised"
    PROGRAMME_COMPLETE = "programme_complete"
    NOT_ELIGIBLE = "not_eligible"
    NOT_SUITABLE = "not_suitable"
    DESELECTED = "deselected"
    WITHDRAWN = "withdrawn"
    RECALL = "recall"  # court-ordered programmes only, as are the next two: off unless pathway.yaml has them on
    BREACH_NON_ATTENDANCE = "breach_non_attendance"
    RETURN_TO_COURT = "return_to_court"


class LegOutcome(StrEnum):
    """What the source of a referral hears of its leg: coarser than its status, which can tell of somebody's health."""

    ACCEPTED = "accepted"
    WAITLISTED = "waitlisted"
    DECLINED = "declined"
    NO_CAPACITY = "no_capacity"
    STARTED = "started"
    COMPLETED = "completed"
    CLOSED = "closed"
    REOPENED = "reopened"


class PauseReason(StrEnum):
    """Why a leg is paused."""

    RELAPSE = "relapse"
    MENTAL_HEALTH = "mental_health"
    PHYSICAL_HEALTH = "physical_health"
    BEREAVEMENT = "bereavement"
    CHILDCARE = "childcare"
    WORK = "work"
    CUSTODY = "custody"
    SAFETY = "safety"
    CAPACITY = "capacity"
    OTHER = "other"


class DecisionKind(StrEnum):
    """What a human decided."""

    ANSWER_REVIEW = "answer_review"
    CONFIRM_ROUTE = "confirm_route"
    REFUSE_ROUTE = "refuse_route"
    MERGE_PERSONS = "merge_persons"
    KEEP_PERSONS_APART = "keep_persons_apart"
    CORRECT_STATUS = "correct_status"
    REOPEN_LEG = "reopen_leg"
    AGREE_OFFER = "agree_offer"  # person and facilitator take up an offered pause
    DECLINE_OFFER = "decline_offer"  # the person chooses to go on
    RECORD_CHECK = "record_check"  # a welfare check was done; needs what it found
    RESCHEDULE_CHECK = "reschedule_check"  # needs the new day
    MUTE_CHECKS = "mute_checks"  # no welfare checks up to a day
    EXTEND_PAUSE = "extend_pause"  # needs the new last day
    SHORTEN_PAUSE = "shorten_pause"  # needs the new last day
    RESUME_LEG = "resume_leg"  # a paused leg goes on where it stood
    CLOSE_LEG = "close_leg"
    SNOOZE = "snooze"
    UNMERGE_PERSONS = "unmerge_persons"


class AuditOperation(StrEnum):
    """The operations that DPA 2018 s.62 has logged."""

    COLLECT = "collect"
    ALTER = "alter"
    CONSULT = "consult"
    DISCLOSE = "disclose"
    COMBINE = "combine"
    ERASE = "erase"


class ReceiptOutcome(StrEnum):
    """What became of a message at intake, as told to its source."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"  # the same event again: already kept, nothing more was done
    CONFLICT = "conflict"  # another body under a known id: refused
    REFUSED = "refused"  # in quarantine, with what was wrong and where


class Gender(StrEnum):
    """Administrative gender, as FHIR has it."""

    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    UNKNOWN = "unknown"  # asked, and not known


class SupportKind(StrEnum):
    """A support that the person may take part in, or leave, beside the programme."""

    MUTUAL_AID = "mutual_aid"  # AA, NA, SMART
    MENS_GROUP = "mens_group"
    SPONSOR = "sponsor"
    COUNSELLING = "counselling"
    MEDICATION = "medication"
    OTHER = "other"


class WelfareOutcome(StrEnum):
    """What a welfare check found."""

    WELL = "well"
    CONCERN = "concern"
    NOT_REACHED = "not_reached"
    REFUSED = "refused"


class PauseParty(StrEnum):
    """Who agreed to a pause; it takes both."""

    PERSON = "person"
    FACILITATOR = "facilitator"


class RouteAction(StrEnum):
    """What a destination is asked to do."""

    REFER = "refer"  # a new leg
    STEP_UP = "step_up"  # do more on a leg that is open
    NOTIFY = "notify"  # know of this; nothing is asked
    REOPEN = "reopen"  # go on with a leg that was closed


class TimerKind(StrEnum):
    """What a timer asks to be looked at."""

    ACKNOWLEDGEMENT = "acknowledgement"  # has the destination answered?
    FIRST_CONTACT = "first_contact"  # has the destination spoken with the person?
    REVIEW = "review"  # has a human answered?
    OFFER = "offer"  # has the person answered?
    WELFARE_CHECK = "welfare_check"  # how is he?
    CHECK_ESCALATION = "check_escalation"  # has anybody done the check?
    PAUSE_REVIEW = "pause_review"  # resume, extend or close?
    SNOOZE = "snooze"  # a question that was put off comes back
