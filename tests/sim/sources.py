"""What sources and destinations say: a function for each kind of event of a source, a table of courses for the rest.

Nothing of it is wrong in form; much of it is refused, or comes at an odd time, as in life.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import orjson

from schemas.vocabulary import PauseReason, ProgressKind, WelfareOutcome
from tests.support.events import EXAMPLES, Event

FULL_REFERRAL = (
    0.2  # how often a referral says so much that it opens seven legs; else three, so that a world costs less
)
PAUSE_DAYS = (3, 10, 28)
SAID_LATE = 0.15  # how often a destination tells what happened hours ago

_EXAMPLES = {path.stem: path.read_bytes() for path in EXAMPLES.glob("*.json")}

Said = tuple[str, Event]  # with its channel


class Saying(NamedTuple):
    """What saying something needs: a number that nobody had before, the moment, and the seed's chance."""

    number: int
    now: datetime
    chance: Random


def example(name: str, id_: str, **changes: object) -> Event:
    """A published example under another id, with other data."""
    event: Event = orjson.loads(_EXAMPLES[name])
    event["id"] = id_
    event["data"].update(changes)
    return event


def referral(person: int, saying: Saying) -> Said:
    """The first word of a person, or another one under another id."""
    alike = saying.chance.random() < 0.3  # somebody whose name and birthday are another's: is that the same man?
    who = {
        "identifiers": {"crn": f"X{person:06d}"},
        "name": {"given": f"Given{person}", "family": "Family" if alike else f"Family{person}"},
        "date_of_birth": "1985-04-12",
        "postcode_outward": "LS6",
    }
    event = example("referral-assault-on-partner", f"referral-{person}", person=who, reference=f"REF-{person}")
    if saying.chance.random() > FULL_REFERRAL:
        data = event["data"]
        for name in ("children", "orders", "risk", "previous_incidents_12_months"):
            del data[name]
        data["incident"]["children_present"] = "no"
        data["needs"]["mental_health"] = []
    return "referral", event


def second_referral(person: int, saying: Saying) -> Said:
    """Somebody is referred again."""
    channel, event = referral(person, saying)
    event["id"], event["data"]["reference"] = f"again-{saying.number}", f"AGAIN-{saying.number}"
    return channel, event


def relapse(person: int, saying: Saying) -> Said:
    """On the programme, a pause is offered for it."""
    return _risk("risk-relapse", f"relapse-{saying.number}", person, saying)


def low_mood(person: int, saying: Saying) -> Said:
    """Before a holiday."""
    return _risk("risk-low-mood-near-holiday", f"mood-{saying.number}", person, saying)


def protective(person: int, saying: Saying) -> Said:
    """Something that helps."""
    return _risk("risk-protective", f"well-{saying.number}", person, saying)


def missed_check(person: int, saying: Saying) -> Said:
    """Nobody has seen him."""
    channel, event = _risk("risk-protective", f"unseen-{saying.number}", person, saying)
    event["data"] = {name: event["data"][name] for name in ("about", "occurred_at")}
    event["data"]["kind"] = "missed_welfare_check"
    return channel, event


def _risk(name: str, id_: str, person: int, saying: Saying) -> Said:
    about = {"identifiers": {"crn": f"X{person:06d}"}}
    return "risk", example(name, id_, about=about, occurred_at=saying.now.isoformat())


# What sources say of persons besides their first referral; relapses lead to the most.
SAYS: tuple[Callable[[int, Saying], Said], ...] = (
    relapse, relapse, relapse, low_mood, protective, missed_check, second_referral,
)  # fmt: skip

# What a destination says of a leg when it hears of it, one after the other.
_COURSES: tuple[tuple[str, ...], ...] = (
    ("acknowledged",),
    ("acknowledged", "accepted", "first_contact"),
    ("accepted", "started", "pause_agreed"),
    ("pause_agreed", "resumed"),
    ("declined",),
    ("no_capacity",),
    ("acknowledged", "no_capacity", "accepted"),
    ("waitlisted", "started"),
    ("additional_assessment", "accepted"),
    ("started", "completed"),
    ("started", "attended", "missed", "closed"),
)
_PROGRAMME: tuple[tuple[str, ...], ...] = (
    ("started",),
    ("started",),
    ("accepted", "started"),
    ("started", "pause_agreed", "welfare_check_done"),
    ("acknowledged", "started", "attended"),
    ("declined",),
)
_PROGRAMME_HEARS: tuple[tuple[str, ...], ...] = (
    ("started",),
    (),
    (),
    ("offer_agreed",),
    ("offer_agreed", "welfare_check_done"),
    ("offer_declined",),
    ("pause_agreed", "resumed"),
    ("resumed", "completed"),
    ("closed",),
)


def destination_says(routed: dict[str, Any], saying: Saying) -> list[Said]:
    """A destination's progress on the leg of which it was just told."""
    courses = _COURSES
    if routed["destination"] == "dapp":
        courses = _PROGRAMME if routed["action"] in ("refer", "reopen") else _PROGRAMME_HEARS
    return [progress(ProgressKind(kind), routed, saying) for kind in saying.chance.choice(courses)]


def progress(kind: ProgressKind, routed: dict[str, Any], saying: Saying) -> Said:
    """One word of a destination."""
    chance, happened = saying.chance, saying.now
    if chance.random() < SAID_LATE:
        happened -= timedelta(hours=chance.choice((1, 30)))
    event = example("progress-started", f"{kind}-{saying.number}", leg_id=routed["leg_id"], kind=kind)
    event["source"] = routed["reply_to"].split(".")[1]
    data = event["data"]
    del data["session_number"]
    data["occurred_at"] = happened.isoformat()
    if kind in (ProgressKind.DECLINED, ProgressKind.CLOSED):
        data["reason"] = "No place."
    if kind is ProgressKind.WELFARE_CHECK_DONE:
        data["welfare_check"] = chance.choice(list(WelfareOutcome))
    if kind is ProgressKind.PAUSE_AGREED:
        first = saying.now.date()
        data["pause"] = {
            "reason": chance.choice(list(PauseReason)),
            "from_date": first.isoformat(),
            "until_date": (first + timedelta(days=chance.choice(PAUSE_DAYS))).isoformat(),
            "agreed_by": ["person", "facilitator"],
        }
    return "progress", event
