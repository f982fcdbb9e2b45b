"""Cases made by hand, to draw: the one that Onward is for, at a moment of it, and a long and crowded one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from services.cli.picture.records import (
    CaseRows,
    CheckRow,
    Directory,
    EventRow,
    LegRow,
    MoveRow,
    OfferRow,
    PauseRow,
    Place,
    QuestionRow,
    SentRow,
    TimerRow,
)
from services.cli.picture.words import Family, family_of

DIRECTORY = Directory(
    {
        "dapp": Place("Domestic abuse perpetrator programme", "person", "dapp-northshire"),
        "addiction_service": Place("Drug and alcohol service", "person", "addiction-northshire"),
        "mental_health_team": Place("Community mental health team", "person", "mht-northshire"),
        "gp_follow_up": Place("GP follow-up", "person", "gp-northshire"),
        "residential_rehab": Place("Residential rehabilitation", "person", "rehab-northshire"),
        "mens_support_group": Place("Men's support group", "person", "mens-group-northshire"),
        "mutual_aid": Place("Mutual aid (AA, NA, SMART)", "person", "mutual-aid-northshire"),
        "housing_support": Place("Housing support", "person", "housing-northshire"),
        "victim_safety": Place(
            "Victim safety (independent domestic violence advisers)", "other_party", "victim-safety-northshire"
        ),
        "marac": Place("Multi-agency risk assessment conference", "panel", "marac-northshire"),
    }
)


def moment(year: int, month: int, day: int, hour: int = 9, minute: int = 0) -> datetime:
    """A moment in UTC."""
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@dataclass
class Making:
    """A case as it grows. Ids tell what they are, so that a test sees at once what leaked."""

    person_id: str = "person-1"
    rows: CaseRows = field(init=False)

    def __post_init__(self) -> None:
        self.rows = CaseRows(self.person_id)

    def event(self, at: datetime, kind: str, source: str, *, leg: str | None = None, review: str | None = None) -> str:
        """Something happened. Returns its id."""
        number = len(self.rows.events) + 1
        id_ = f"event-{number}"
        row = EventRow(id_, number, kind, at, at, source, leg, review, (f"reason of {kind}",))
        self.rows = replace(self.rows, events=(*self.rows.events, row))
        return id_

    def leg(self, at: datetime, destination: str, event: str, *, priority: int = 2) -> str:
        """A leg was opened, and its destination told. Returns its id."""
        id_ = f"leg-{destination}"
        leg = LegRow(id_, destination, "requested", at, priority, at + timedelta(days=2), at, None)
        self.rows = replace(self.rows, legs=(*self.rows.legs, leg))
        self._moved(id_, at, None, "requested", f"why {destination} was opened", event)
        self.sent(at, id_, "refer", event)
        return id_

    def move(self, at: datetime, leg: str, status: str, event: str, because: str = "") -> None:
        """A leg is in another status."""
        [old] = [row for row in self.rows.legs if row.id == leg]
        closed = at if family_of(status) is Family.CLOSED else None
        new = replace(old, status=status, since=at, closed_at=closed)
        self.rows = replace(self.rows, legs=tuple(new if row.id == leg else row for row in self.rows.legs))
        self._moved(leg, at, old.status, status, because or status, event)

    def sent(self, at: datetime, leg: str, action: str, event: str) -> None:
        """A destination was told."""
        self.rows = replace(self.rows, sent=(*self.rows.sent, SentRow(leg, action, event, at)))

    def offer(self, at: datetime, leg: str, event: str, answer: str | None = None) -> None:
        """A pause was offered, and perhaps answered an hour later."""
        answered = at + timedelta(hours=1) if answer else None
        row = OfferRow(f"offer-{len(self.rows.offers) + 1}", leg, at, 28, event, answer, answered)
        self.rows = replace(self.rows, offers=(*self.rows.offers, row))

    def pause(self, at: datetime, leg: str, event: str, *, reason: str, until: date) -> None:
        """A leg rests."""
        self.move(at, leg, "on_hold", event)
        row = PauseRow(f"pause-{len(self.rows.pauses) + 1}", leg, reason, at.date(), until, at, event, None)
        self.rows = replace(self.rows, pauses=(*self.rows.pauses, row))

    def resume(self, at: datetime, leg: str, status: str, event: str) -> None:
        """A leg goes on."""
        self.move(at, leg, status, event)
        ended = tuple(
            replace(p, ended_at=at) if p.leg_id == leg and p.ended_at is None else p for p in self.rows.pauses
        )
        self.rows = replace(self.rows, pauses=ended)

    def check(self, due: datetime, leg: str, status: str, *, reason: str | None = None) -> None:
        """A welfare check, done or missed an hour after it was due."""
        at = due + timedelta(hours=1) if status in ("done", "missed") else None
        outcome = "well" if status == "done" else None
        row = CheckRow(f"check-{len(self.rows.checks) + 1}", leg, due, status, outcome, at, reason)
        self.rows = replace(self.rows, checks=(*self.rows.checks, row))

    def question(
        self,
        at: datetime,
        due: datetime,
        says: str,
        event: str,
        *,
        kind: str = "rule",
        role: str = "facilitator",
        leg: str | None = None,
        destination: str | None = None,
        answered: datetime | None = None,
    ) -> str:
        """A question to a human. Returns its id."""
        id_ = f"review-{len(self.rows.questions) + 1}"
        by, answer = ("j.smith", "yes") if answered else (None, None)
        row = QuestionRow(id_, kind, says, role, at, due, event, leg, destination, answered, by, answer)
        self.rows = replace(self.rows, questions=(*self.rows.questions, row))
        return id_

    def timer(self, due: datetime, kind: str, *, leg: str | None = None, review: str | None = None) -> None:
        """A promise to look again."""
        row = TimerRow(f"timer-{len(self.rows.timers) + 1}", kind, due, leg, review)
        self.rows = replace(self.rows, timers=(*self.rows.timers, row))

    def _moved(self, leg: str, at: datetime, before: str | None, after: str, because: str, event: str) -> None:
        row = MoveRow(f"move-{len(self.rows.moves) + 1:04}", leg, at, before, after, because, event)
        self.rows = replace(self.rows, moves=(*self.rows.moves, row))


def the_case() -> tuple[CaseRows, datetime]:
    """The case of design section 1, ten days into the agreed pause, and that moment."""
    case, start = Making(), moment(2026, 11, 2)

    def week(number: float) -> datetime:
        return start + timedelta(weeks=number)

    referral = case.event(start, "referral", "northshire-police")
    dapp = case.leg(start, "dapp", referral)
    addiction = case.leg(start, "addiction_service", referral)
    mental = case.leg(start, "mental_health_team", referral, priority=3)
    safety = case.leg(start, "victim_safety", referral, priority=1)
    for leg, source in ((safety, "victim-safety-northshire"), (addiction, "addiction-northshire")):
        told = case.event(start + timedelta(hours=2), "progress_acknowledged", source, leg=leg)
        case.move(start + timedelta(hours=2), leg, "acknowledged", told)
    accepted = case.event(start + timedelta(days=2), "progress_accepted", "dapp-northshire", leg=dapp)
    case.move(start + timedelta(days=2), dapp, "accepted", accepted)
    started = case.event(week(1), "progress_started", "dapp-northshire", leg=dapp)
    case.move(week(1), dapp, "on_programme", started)
    case.event(week(1) + timedelta(hours=2), "protective", "dapp-northshire", leg=dapp)
    begun = case.event(week(2), "progress_started", "addiction-northshire", leg=addiction)
    case.move(week(2), addiction, "on_programme", begun)
    waits = case.event(week(3), "progress_waitlisted", "mht-northshire", leg=mental)
    case.move(week(3), mental, "waitlisted", waits)
    low = case.event(week(5), "low_mood", "dapp-northshire", leg=dapp)
    case.sent(week(5), mental, "step_up", low)
    gp = case.leg(week(5), "gp_follow_up", low, priority=3)
    relapse = case.event(week(6), "relapse", "dapp-northshire", leg=dapp)
    case.sent(week(6), addiction, "step_up", relapse)
    case.sent(week(6), safety, "notify", relapse)
    case.offer(week(6), dapp, relapse, "declined")
    case.event(week(6) + timedelta(hours=1), "progress_offer_declined", "dapp-northshire", leg=dapp)
    agreed = case.event(week(8), "progress_pause_agreed", "dapp-northshire", leg=dapp)
    case.pause(week(8), dapp, agreed, reason="relapse", until=week(12).date())
    case.sent(week(8), safety, "notify", agreed)
    case.leg(week(8), "mens_support_group", agreed, priority=3)
    case.question(
        week(8), week(8) + timedelta(days=5), "May this be referred to Residential rehabilitation?", agreed,
        kind="confirm_route", role="duty_worker", destination="residential_rehab",
    )  # fmt: skip
    done = case.event(week(8) + timedelta(days=4), "progress_completed", "gp-northshire", leg=gp)
    case.move(week(8) + timedelta(days=4), gp, "programme_complete", done, "seen twice, nothing more needed")
    missed = case.event(week(9) + timedelta(days=1), "missed_welfare_check", "dapp-northshire", leg=dapp)
    case.question(
        week(9) + timedelta(days=1), week(9) + timedelta(days=2), "Silence in a pause is not good news.", missed,
        kind="escalation", role="programme_manager", leg=dapp,
    )  # fmt: skip
    case.check(week(9), dapp, "missed")
    for number in (10, 11, 12):
        case.check(week(number), dapp, "due")
    case.timer(week(12), "pause_review", leg=dapp)
    case.timer(week(8) + timedelta(days=7), "acknowledgement", leg="leg-mens_support_group")
    return case.rows, week(9) + timedelta(days=3)


def the_long_case() -> tuple[CaseRows, datetime]:
    """Nine legs, forty events, two pauses, three years, a leg that was closed and reopened."""
    case, start = Making(), moment(2024, 1, 8)

    def day(number: float) -> datetime:
        return start + timedelta(days=number)

    referral = case.event(start, "referral", "northshire-police")
    names = [name for name in DIRECTORY.places if name != "marac"]
    legs = {name: case.leg(start if n < 5 else day(40 * n), name, referral) for n, name in enumerate(names)}
    for n, (name, leg) in enumerate(legs.items()):
        source = DIRECTORY.places[name].source
        opened = start if n < 5 else day(40 * n)
        steps = (
            (1, "acknowledged", "acknowledged"),
            (9, "accepted", "accepted"),
            (30 + 9 * n, "started", "on_programme"),
        )
        for after, kind, status in steps:
            at = opened + timedelta(days=after)
            case.move(at, leg, status, case.event(at, f"progress_{kind}", source, leg=leg))
    dapp, mutual, housing = legs["dapp"], legs["mutual_aid"], legs["housing_support"]
    for from_day, until_day, reason in ((220, 276, "relapse"), (610, 666, "bereavement")):
        agreed = case.event(day(from_day), "progress_pause_agreed", "dapp-northshire", leg=dapp)
        case.offer(day(from_day - 3), dapp, agreed, "agreed")
        case.pause(day(from_day), dapp, agreed, reason=reason, until=day(until_day).date())
        for week in range(7, until_day - from_day + 1, 7):
            case.check(day(from_day + week), dapp, ("done", "done", "missed")[week // 7 % 3])
        resumed = case.event(day(until_day), "progress_resumed", "dapp-northshire", leg=dapp)
        case.resume(day(until_day), dapp, "on_programme", resumed)
    closed = case.event(day(420), "progress_closed", "mutual-aid-northshire", leg=mutual)
    case.move(day(420), mutual, "withdrawn", closed, "moved out of the area for work")
    reopened = case.event(day(640), "decision_reopen_leg", "console", leg=mutual)
    case.move(day(640), mutual, "requested", reopened, "he is back and asks for it")
    ended = case.event(day(700), "progress_completed", "housing-northshire", leg=housing)
    case.move(day(700), housing, "programme_complete", ended)
    kinds = ("low_mood", "relapse", "missed_session", "protective", "contextual")
    while len(case.rows.events) < 40:
        n = len(case.rows.events)
        at = day(300 + 7 * n if n % 2 else 900 + n)
        event = case.event(at, kinds[n % 5], "dapp-northshire", leg=dapp)
        answered = at + timedelta(days=1) if n % 3 else None
        says = "He missed sessions again. Does the plan still fit, or would a pause help?"
        case.question(at, at + timedelta(days=2), says, event, leg=dapp, answered=answered)
    return case.rows, day(1060)
