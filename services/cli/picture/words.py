"""The words of a picture: statuses, events, questions and times in plain English, and nothing that hides in a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.ground.clock import LONDON


class Family(StrEnum):
    """What a status means to somebody who looks for five seconds. Each has its own colour and its own pattern."""

    ASKED = "asked"  # the destination has not taken it up
    WAITING = "waiting"  # taken up, not begun
    ACTIVE = "active"
    PAUSED = "paused"  # rests, and is still open
    CLOSED = "closed"


FAMILY_LABELS: Final[Mapping[Family, str]] = MappingProxyType(
    {
        Family.ASKED: "Asked, not taken up yet",
        Family.WAITING: "Taken up, waiting",
        Family.ACTIVE: "Under way",
        Family.PAUSED: "Paused, still open",
        Family.CLOSED: "Closed",
    }
)

STATUSES: Final[Mapping[str, tuple[Family, str]]] = MappingProxyType(
    {
        "requested": (Family.ASKED, "Asked"),
        "sent": (Family.ASKED, "Sent"),
        "acknowledged": (Family.ASKED, "Receipt confirmed"),
        "accepted": (Family.WAITING, "Accepted"),
        "waitlisted": (Family.WAITING, "On the waiting list"),
        "awaiting_assessment": (Family.WAITING, "Awaiting assessment"),
        "awaiting_allocation": (Family.WAITING, "Awaiting a place"),
        "scheduled": (Family.WAITING, "Start agreed"),
        "on_programme": (Family.ACTIVE, "On the programme"),
        "on_hold": (Family.PAUSED, "Paused"),
        "suitable_but_not_ready": (Family.PAUSED, "Suitable, not ready yet"),
        "deferred": (Family.PAUSED, "Deferred"),
        "deprioritised": (Family.PAUSED, "Moved back in the queue"),
        "programme_complete": (Family.CLOSED, "Complete"),
        "declined": (Family.CLOSED, "Declined"),
        "no_capacity": (Family.CLOSED, "No capacity"),
        "not_eligible": (Family.CLOSED, "Not eligible"),
        "not_suitable": (Family.CLOSED, "Not suitable"),
        "deselected": (Family.CLOSED, "Deselected"),
        "withdrawn": (Family.CLOSED, "Withdrawn"),
        "recall": (Family.WAITING, "Recalled"),
        "breach_non_attendance": (Family.WAITING, "In breach: did not attend"),
        "return_to_court": (Family.WAITING, "Returned to court"),
    }
)

_EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "referral": "Referral",
        "suicidal_ideation": "Thoughts of suicide",
        "contextual": "A hard day comes near",
        "protective": "Something that protects",
        "disengaged": "No longer takes part",
        "missed_welfare_check": "Welfare check missed",
        "progress_acknowledged": "Receipt confirmed",
        "progress_additional_assessment": "Another assessment needed",
        "progress_first_contact": "First contact made",
        "progress_attended": "Attended a session",
        "progress_missed": "Missed a session",
        "progress_offer_agreed": "Took up the offered pause",
        "progress_offer_declined": "Chose to go on, no pause",
        "progress_resumed": "Goes on after the pause",
        "progress_started": "Started",
        "progress_welfare_check_done": "Welfare check done",
        "decision_answer_review": "A question was answered",
        "decision_confirm_route": "A referral was confirmed",
        "decision_refuse_route": "A referral was refused",
        "decision_merge_persons": "Two records joined into one person",
        "decision_keep_persons_apart": "Two records kept apart",
        "decision_correct_status": "A status was corrected",
        "decision_reopen_leg": "Reopened by a person",
        "decision_close_leg": "Closed by a person",
        "decision_agree_offer": "Took up the offered pause",
        "decision_decline_offer": "Chose to go on, no pause",
        "decision_record_check": "Welfare check recorded",
        "welfare_concern": "A welfare check found a concern",
        "decision_reschedule_check": "Welfare check put off",
        "decision_mute_checks": "Welfare checks left out for a time",
        "decision_extend_pause": "Pause made longer",
        "decision_shorten_pause": "Pause made shorter",
        "decision_resume_leg": "Goes on after the pause",
        "decision_snooze": "A question was put off",
        "decision_unmerge_persons": "One record parted into two persons again",
        "timer_acknowledgement": "No receipt confirmed in time",
        "timer_review": "A question was not answered in time",
        "timer_offer": "The offered pause was not answered in time",
        "timer_welfare_check": "A welfare check is due",
        "timer_check_escalation": "A welfare check was not done in time",
        "timer_pause_review": "The pause is over",
        "timer_snooze": "A question comes back",
        "timer_first_contact": "No first contact in time",
    }
)

QUESTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rule": "Look at what happened",
        "hold": "Something to do",
        "resume": "Should it go on?",
        "escalation": "Brought before this role",
        "fact": "A fact is not known",
        "confirm_route": "May this referral be made?",
        "link": "Is this somebody that we know?",
        "two_legs": "Two referrals for one person: which goes on?",
        "conflict": "What was told does not fit together",
        "closed": "A leg was closed: is that right?",
        "untimed_hold": "It rests: until when?",
        "deadline": "A time has passed",
        "offer_lapsed": "The offered pause was not answered",
        "pause_end": "How does the pause go on?",
        "welfare_check": "How is he?",
        "no_destination": "Where should this go?",
        "which_leg": "Which of two referrals stays?",
        "retention": "Is this case to be kept?",
    }
)

DUES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "acknowledgement": "Receipt to be confirmed",
        "first_contact": "First contact",
        "offer": "Answer to the offered pause",
        "welfare_check": "Welfare check",
        "check_escalation": "Missed welfare check goes to the next role",
        "pause_review": "Pause ends: resume, extend or close?",
        "snooze": "Look again",
    }
)

MONTHS_FROM: Final = 60  # days: from here on nobody counts them

# C0, C1, lone surrogates, non-characters, and all that turns the direction of what stands beside it.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_WHITE = re.compile(r"[\t\n\r]+")


def shown(text: str) -> str:
    """A text as it may be shown anywhere: one line, in which nothing steers a terminal or turns other text round."""
    return _UNSEEN.sub("\ufffd", _WHITE.sub(" ", text))


def plain(name: str) -> str:
    """A name of configuration as words: `duty_worker` is a duty worker."""
    return name.replace("_", " ").strip()


def status_label(status: str) -> str:
    """A leg's status, in words."""
    return STATUSES[status][1] if status in STATUSES else plain(status).capitalize()


def family_of(status: str) -> Family:
    """What a status means. One that is not known is open, and waits for somebody."""
    return STATUSES[status][0] if status in STATUSES else Family.WAITING


def event_label(kind: str) -> str:
    """What happened, in words."""
    bare = kind.removeprefix("progress_").removeprefix("decision_").removeprefix("timer_")
    return _EVENTS.get(kind) or plain(bare).capitalize()


def due_label(kind: str) -> str:
    """What is to be done when a timer falls due, in words."""
    return DUES.get(kind) or plain(kind).capitalize()


def day(when: date) -> str:
    """`Tue 3 Mar 2026`."""
    return f"{when:%a} {when.day} {when:%b} {when.year}"


def local(moment: datetime) -> str:
    """`Tue 3 Mar 2026, 09:00`, in the United Kingdom."""
    there = moment.astimezone(LONDON)
    return f"{day(there.date())}, {there:%H:%M}"


def local_day(moment: datetime) -> str:
    """`Tue 3 Mar 2026`, the day in the United Kingdom."""
    return day(moment.astimezone(LONDON).date())


def distance(moment: datetime, now: datetime) -> str:
    """How far off: `in 3 days`, `2 hours late`. Days are those of the calendar in the United Kingdom."""
    late, apart = moment < now, abs(moment - now)
    if apart < timedelta(minutes=1):
        return "now"
    days = abs((moment.astimezone(LONDON).date() - now.astimezone(LONDON).date()).days)
    if days == 0 or apart < timedelta(hours=12):
        minutes = int(apart.total_seconds() // 60)
        how_far = several(minutes // 60, "hour") if minutes >= 60 else several(minutes, "minute")
    else:
        how_far = several(days, "day") if days < MONTHS_FROM else several(round(days / 30.4), "month")
    return f"{how_far} late" if late else f"in {how_far}"


def several(number: int, noun: str) -> str:
    """`1 leg`, `2 legs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
