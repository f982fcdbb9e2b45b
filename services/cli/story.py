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
Legs = Mapping[str, str]  # destination -> leg id


Sources = Mapping[str, str]  # destination -> the source that speaks for it
Making = Callable[[datetime, Legs, Sources], Event]


@dataclass(frozen=True)
class Expected:
    """What must be true afterwards, in a sentence, and a query that counts it."""

    says: str
    query: str
    exactly: int | None = 1  # None: at least one


@dataclass(frozen=True)
class Step:
    """One thing that happens: when, how it is told, the event, and what must have become of it."""

    after: timedelta  # since the beginning
    tells: str
    channel: str
    event: Making
    expects: tuple[Expected, ...] = ()


def _referral(now: datetime, _: Legs, __: Sources) -> Event:
    event: Event = json.loads((REPOSITORY / "schemas/examples/referral-assault-on-partner.json").read_text())
    event["time"] = now.isoformat()
    return event


def _envelope(name: str, type_: str, source: str, now: datetime, data: Event) -> Event:
    return {
        "specversion": "1.0",
        "id": name,
        "source": source,
        "type": type_,
        "time": now.isoformat(),
        "datacontenttype": "application/json",
        "data": {"occurred_at": now.isoformat(), **data},
    }


def _progress(kind: str, destination: str, **more: object) -> Making:
    def event(now: datetime, legs: Legs, sources: Sources) -> Event:
        data = {"leg_id": legs[destination], "kind": kind, **more}
        name = f"{destination}-{kind}-{now:%Y%m%d%H%M}"
        return _envelope(name, "onward.progress.reported.v1", sources[destination], now, data)

    return event


def _risk(kind: str, **more: object) -> Making:
    def event(now: datetime, legs: Legs, sources: Sources) -> Event:
        data = {"about": {"leg_id": legs["dapp"]}, "kind": kind, **more}
        return _envelope(f"dapp-{kind}-{now:%Y%m%d%H%M}", "onward.risk.reported.v1", sources["dapp"], now, data)

    return event


def _pause(now: datetime, legs: Legs, sources: Sources) -> Event:
    pause = {
        "reason": "relapse",
        "from_date": now.date().isoformat(),
        "until_date": (now + timedelta(weeks=4)).date().isoformat(),
        "agreed_by": ["person", "facilitator"],
    }
    return _progress("pause_agreed", "dapp", pause=pause)(now, legs, sources)


def steps() -> list[Step]:
    """The story."""
    return [
        Step(
            timedelta(),
            "Police report an assault on a partner, a smashed phone and threats to kill. He uses cocaine and was in a "
            "mental-health episode.",
            "referral",
            _referral,
            tuple(
                Expected(f"a leg to {name}", f"SELECT count(*) FROM legs WHERE destination = '{name}'")  # noqa: S608
                for name in ("dapp", "addiction_service", "mental_health_team", "victim_safety")
            ),
        ),
        Step(timedelta(days=2), "The programme accepts him.", "progress", _progress("accepted", "dapp")),
        Step(
            timedelta(weeks=1),
            "He starts the programme.",
            "progress",
            _progress("started", "dapp", session_number=1),
            (Expected("he is on the programme", _ON.format(status="on_programme")),),
        ),
        Step(
            timedelta(weeks=1, hours=2),
            "He arrives five weeks clean and engaged.",
            "risk",
            _risk("protective", weeks_clean=5, engagement="strong", session_number=1),
        ),
        Step(
            timedelta(weeks=5),
            "Christmas comes near, and he is low.",
            "risk",
            _risk("low_mood", severity="medium", session_number=2, context={"kind": "holiday", "on": "2026-12-25"}),
            (Expected("the mental-health team hears of it", _SENT.format("mental_health_team", "step_up"), None),),
        ),
        Step(
            timedelta(weeks=6),
            "At session 3 he tells of a relapse on alcohol and cocaine, and that he left AA.",
            "risk",
            _risk(
                "relapse",
                severity="medium",
                substances=["alcohol", "cocaine"],
                session_number=3,
                left_support=["mutual_aid"],
            ),
            (
                Expected("a pause is offered, not imposed", "SELECT count(*) FROM offers WHERE answer IS NULL"),
                Expected("he is still on the programme", _ON.format(status="on_programme")),
                Expected("GP follow-up is open", "SELECT count(*) FROM legs WHERE destination = 'gp_follow_up'"),
                Expected("the addiction leg is stepped up", _SENT.format("addiction_service", "step_up"), None),
            ),
        ),
        Step(
            timedelta(weeks=6, hours=1),
            "He chooses to go on: the offer is declined.",
            "progress",
            _progress("offer_declined", "dapp"),
            (
                Expected("the answer is kept", "SELECT count(*) FROM offers WHERE answer = 'declined'"),
                Expected("and he goes on", _ON.format(status="on_programme")),
            ),
        ),
        Step(
            timedelta(weeks=8),
            "Facilitator and man agree to pause the programme for four weeks.",
            "progress",
            _pause,
            (
                Expected("the programme leg alone rests", "SELECT count(*) FROM legs WHERE status = 'on_hold'"),
                Expected("nothing is closed", "SELECT count(*) FROM legs WHERE closed_at IS NOT NULL", 0),
                Expected("a welfare check each week", "SELECT count(*) FROM timers WHERE kind = 'welfare_check'", 4),
                Expected("a review at its end", "SELECT count(*) FROM timers WHERE kind = 'pause_review'"),
            ),
        ),
        Step(
            timedelta(weeks=9, days=1),
            "The first welfare check is missed.",
            "risk",
            _risk("missed_welfare_check"),
            (
                Expected("it is on record", "SELECT count(*) FROM welfare_checks WHERE status = 'missed'"),
                Expected("the facilitator is asked", "SELECT count(*) FROM reviews WHERE kind = 'welfare_check'", None),
            ),
        ),
        Step(
            timedelta(weeks=12),
            "After the review the programme goes on.",
            "progress",
            _progress("resumed", "dapp"),
            (Expected("he is back where he was", _ON.format(status="on_programme")),),
        ),
    ]


_ON = "SELECT count(*) FROM legs WHERE destination = 'dapp' AND status = '{status}'"
_SENT = "SELECT count(*) FROM deliveries WHERE destination = '{}' AND action = '{}'"
