"""The case that Onward is for, as events: what comes in, week by week. `onward demo` plays it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.ground.settings import REPOSITORY

BEGINNING = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)  # a Monday
Event = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """Where the story stands: what an event of it can refer to."""

    now: datetime
    legs: Mapping[str, str]  # destination -> leg id
    sources: Mapping[str, str]  # destination -> the source that speaks for it
    reviews: Mapping[str, tuple[str, str]]  # kind -> id and role of the newest open question of that kind


Making = Callable[[Scene], Event]


@dataclass(frozen=True)
class Expected:
    """What must be true afterwards, in a sentence, and a query that counts it."""

    says: str
    query: str
    exactly: int | None = 1  # None: at least one


@dataclass(frozen=True)
class Step:
    """What happens at one time: how it is told, its events, if any, and what must have become of it."""

    after: timedelta  # since the beginning
    tells: str
    events: tuple[tuple[str, Making], ...] = ()  # channel, event
    expects: tuple[Expected, ...] = ()


def _referral(scene: Scene) -> Event:
    event: Event = json.loads((REPOSITORY / "schemas/examples/referral-assault-on-partner.json").read_text())
    event["time"] = scene.now.isoformat()
    return event


def _envelope(name: str, type_: str, source: str, now: datetime, data: Event) -> Event:
    return {
        "specversion": "1.0",
        "id": f"{name}-{now:%Y%m%d%H%M}",
        "source": source,
        "type": type_,
        "time": now.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }


def _progress(kind: str, destination: str = "dapp", **more: object) -> tuple[str, Making]:
    def event(scene: Scene) -> Event:
        data = {"occurred_at": scene.now.isoformat(), "leg_id": scene.legs[destination], "kind": kind, **more}
        source = scene.sources[destination]
        return _envelope(f"{destination}-{kind}", "onward.progress.reported.v1", source, scene.now, data)

    return "progress", event


def _risk(kind: str, **more: object) -> tuple[str, Making]:
    def event(scene: Scene) -> Event:
        about = {"leg_id": scene.legs["dapp"]}
        data = {"occurred_at": scene.now.isoformat(), "about": about, "kind": kind, **more}
        return _envelope(f"dapp-{kind}", "onward.risk.reported.v1", scene.sources["dapp"], scene.now, data)

    return "risk", event


def _pause(scene: Scene) -> Event:
    pause = {
        "reason": "relapse",
        "from_date": scene.now.date().isoformat(),
        "until_date": (scene.now + timedelta(weeks=4)).date().isoformat(),
        "agreed_by": ["person", "facilitator"],
    }
    return _progress("pause_agreed", pause=pause)[1](scene)


def _answer(review: str, answer: str, reason: str, **more: object) -> tuple[str, Making]:
    """Whoever is asked answers the newest open question of a kind."""

    def event(scene: Scene) -> Event:
        id_, role = scene.reviews[review]
        return _decided(scene, "answer_review", role, reason, review_id=id_, answer=answer, **more)

    return "decision", event


def _decide(kind: str, role: str, reason: str, **more: object) -> tuple[str, Making]:
    """A human decides something of the programme's leg that nobody asked for."""
    return "decision", lambda scene: _decided(scene, kind, role, reason, leg_id=scene.legs["dapp"], **more)


def _decided(scene: Scene, kind: str, role: str, reason: str, **more: object) -> Event:
    by = {"user": f"{role[0]}.example", "role": role, "organisation": "northshire-hub"}
    data = {"kind": kind, "decided_by": by, "decided_at": scene.now.isoformat(), "reason": reason, **more}
    return _envelope(f"{kind}", "onward.decision.made.v1", "onward-console", scene.now, data)


def _day(weeks: float, hours: float = 0) -> timedelta:
    return timedelta(weeks=weeks, hours=hours)


def steps() -> list[Step]:
    """The story."""
    return [*_begins(), *_rests(), *_ends()]


def _begins() -> list[Step]:
    return [
        Step(
            timedelta(),
            "Police report an assault on a partner, a smashed phone and threats to kill. He uses cocaine and was in a "
            "mental-health episode.",
            (("referral", _referral),),
            tuple(
                Expected(f"a leg to {name}", f"SELECT count(*) FROM legs WHERE destination = '{name}'")  # noqa: S608
                for name in ("dapp", "addiction_service", "mental_health_team", "victim_safety")
            ),
        ),
        Step(
            timedelta(hours=2),
            "The services confirm that they have it.",
            tuple(
                _progress("acknowledged", name)
                for name in ("addiction_service", "mental_health_team", "victim_safety", "marac", "childrens_services")
            ),
            (Expected("five legs are acknowledged", _STATUS.format("acknowledged"), 5),),
        ),
        Step(
            timedelta(days=2),
            "The programme accepts him, and treatment begins.",
            (
                _progress("accepted"),
                *(_progress("started", name) for name in ("addiction_service", "mental_health_team")),
            ),
        ),
        Step(
            _day(1),
            "He starts the programme.",
            (_progress("started", session_number=1),),
            (Expected("he is on the programme", _ON.format(status="on_programme")),),
        ),
        Step(
            _day(1, 2),
            "He arrives five weeks clean and engaged.",
            (_risk("protective", weeks_clean=5, engagement="strong", session_number=1),),
        ),
        Step(
            _day(5),
            "Christmas comes near, and he is low.",
            (_risk("low_mood", severity="medium", session_number=2, context={"kind": "holiday", "on": "2026-12-25"}),),
            (Expected("the mental-health team hears of it", _SENT.format("mental_health_team", "step_up"), None),),
        ),
        Step(
            _day(6),
            "At session 3 he tells of a relapse on alcohol and cocaine, and that he left AA.",
            (
                _risk(
                    "relapse",
                    severity="medium",
                    substances=["alcohol", "cocaine"],
                    session_number=3,
                    left_support=["mutual_aid"],
                ),
            ),
            (
                Expected("a pause is offered, not imposed", "SELECT count(*) FROM offers WHERE answer IS NULL"),
                Expected("he is still on the programme", _ON.format(status="on_programme")),
                Expected("GP follow-up is open", "SELECT count(*) FROM legs WHERE destination = 'gp_follow_up'"),
                Expected("the addiction leg is stepped up", _SENT.format("addiction_service", "step_up"), None),
                Expected("victim safety hears of it", _SENT.format("victim_safety", "notify"), None),
            ),
        ),
        Step(
            _day(6, 1),
            "He chooses to go on: the offer is declined.",
            (
                _progress("offer_declined"),
                *(_progress("acknowledged", name) for name in ("gp_follow_up", "mens_support_group", "mutual_aid")),
            ),
            (
                Expected("the answer is kept", "SELECT count(*) FROM offers WHERE answer = 'declined'"),
                Expected("and he goes on", _ON.format(status="on_programme")),
            ),
        ),
    ]


def _rests() -> list[Step]:
    return [
        Step(
            _day(8),
            "Facilitator and man agree to pause the programme for four weeks.",
            (("progress", _pause),),
            (
                Expected("the programme leg alone rests", _STATUS.format("on_hold")),
                Expected("nothing is closed", "SELECT count(*) FROM legs WHERE closed_at IS NOT NULL", 0),
                Expected("a welfare check each week", _CHECKS.format("planned"), 4),
                Expected("a review at its end", "SELECT count(*) FROM timers WHERE kind = 'pause_review'"),
                Expected("a men's support group is asked", _SENT.format("mens_support_group", "refer")),
                Expected("so is mutual aid", _SENT.format("mutual_aid", "refer")),
                Expected("rehab waits for a human's word", _ASKED.format("confirm_route")),
            ),
        ),
        Step(
            _day(8, 2),
            "The duty worker confirms the referral to residential rehabilitation.",
            (_answer("confirm_route", "confirm", "He asked for it himself."),),
            (Expected("it is referred", _SENT.format("residential_rehab", "refer")),),
        ),
        Step(
            _day(9, 3),
            "The first welfare check is done: he is well, and goes to all that was opened for him.",
            (
                _progress("welfare_check_done", welfare_check="well"),
                *(
                    _progress("started", name)
                    for name in ("gp_follow_up", "mens_support_group", "mutual_aid", "residential_rehab")
                ),
            ),
            (Expected("the check is done", _CHECKS.format("done")),),
        ),
        Step(
            _day(10, 4 * 24),
            "Nobody makes the second check.",
            (),
            (
                Expected("it is missed", _CHECKS.format("missed")),
                Expected("the facilitator was asked first", _ASKED_ROLE.format("facilitator"), None),
                Expected("then the programme manager", _ASKED_ROLE.format("programme_manager")),
                Expected("then the safeguarding lead", _ASKED_ROLE.format("safeguarding_lead")),
                Expected("victim safety hears that he was not reached", _MISSED_TOLD),
            ),
        ),
        Step(
            _day(10, 4 * 24 + 2),
            "The safeguarding lead reaches him, and is told of a worry.",
            (_answer("welfare_check", "concern", "He answered the door."),),
            (
                Expected("no check waits", _CHECKS.format("missed"), 0),
                Expected("that it was missed stays on record", _WAS_MISSED),
                Expected("the worry is a risk event of its own", _EVENT.format("welfare_concern")),
            ),
        ),
        Step(
            _day(11, 3),
            "The third check: he is well.",
            (_progress("welfare_check_done", welfare_check="well"),),
        ),
        Step(
            _day(12, 2),
            "The four weeks are over. A human looks, and gives him two more.",
            (
                _progress("welfare_check_done", welfare_check="well"),
                _answer("pause_end", "extend", "He asks for more time.", on="2027-02-08"),
            ),
            (
                Expected("he still rests", _ON.format(status="on_hold")),
                Expected("until the new day", "SELECT count(*) FROM pauses WHERE until_date = '2027-02-08'"),
            ),
        ),
        Step(
            _day(13, 3),
            "The next check: he is well.",
            (_progress("welfare_check_done", welfare_check="well"),),
        ),
        Step(
            _day(14, 2),
            "They are over too, and he goes on.",
            (_answer("pause_end", "resume", "Both want to go on."),),
            (
                Expected("he is back where he was", _ON.format(status="on_programme")),
                Expected("the programme hears that he goes on", _SENT.format("dapp", "notify"), None),
            ),
        ),
    ]


def _ends() -> list[Step]:
    return [
        Step(
            _day(18),
            "He stops coming, and the programme closes its leg.",
            (_progress("closed", reason="He has not come for four weeks.", reason_code="disengaged"),),
            (
                Expected("the leg has ended", "SELECT count(*) FROM legs WHERE closed_at IS NOT NULL"),
                Expected("a human is asked whether that is right", _ASKED.format("closed")),
                Expected("the other legs go on", "SELECT count(*) FROM legs WHERE closed_at IS NULL", None),
            ),
        ),
        Step(
            _day(20),
            "He comes back. The door stayed open: the leg is opened again, with its history.",
            (_decide("reopen_leg", "case_manager", "He telephoned and wants to go on.", status="requested"),),
            (
                Expected("the same leg is open", _ON.format(status="requested")),
                Expected("with all its history", _HISTORY, None),
                Expected("nobody is asked any more whether it was right to close it", _ASKED.format("closed"), 0),
                Expected("and the programme is asked", _SENT.format("dapp", "reopen")),
            ),
        ),
        Step(
            _day(20, 3),
            "The programme takes him back.",
            (_progress("started", session_number=4),),
            (Expected("he is on the programme", _ON.format(status="on_programme")),),
        ),
    ]


_ON = "SELECT count(*) FROM legs WHERE destination = 'dapp' AND status = '{status}'"
_SENT = "SELECT count(*) FROM deliveries WHERE destination = '{}' AND action = '{}'"
_STATUS = "SELECT count(*) FROM legs WHERE status = '{}'"
_CHECKS = "SELECT count(*) FROM welfare_checks WHERE status = '{}'"
_WAS_MISSED = "SELECT count(*) FROM welfare_checks WHERE status = 'done' AND missed_at IS NOT NULL"
_ASKED = "SELECT count(*) FROM reviews WHERE kind = '{}' AND answered_at IS NULL"
_ASKED_ROLE = "SELECT count(*) FROM reviews WHERE kind = 'welfare_check' AND role = '{}'"
_EVENT = "SELECT count(*) FROM case_events WHERE kind = '{}'"
_MISSED_TOLD = (
    "SELECT count(*) FROM deliveries d JOIN case_events e ON e.event_id = d.event_id"
    " WHERE d.destination = 'victim_safety' AND e.kind = 'missed_welfare_check'"
)
_HISTORY = (
    "SELECT count(*) FROM leg_history h JOIN legs l ON l.id = h.leg_id"
    " WHERE l.destination = 'dapp' AND h.to_status = 'on_hold'"
)
