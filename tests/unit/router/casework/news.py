"""A case with one leg, and destinations and humans who tell of it: for the tests of casework."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from functools import cache

from schemas.base import LegId
from schemas.human import DecidedBy, HumanDecision
from schemas.progress import Pause, ProgressReported
from schemas.vocabulary import DecisionKind, LegStatus, PauseParty, PauseReason, ProgressKind
from services.ground.settings import Settings
from services.router.casework.act import Acting
from services.router.casework.case import Case, Leg
from services.router.casework.corrections import DECIDED
from services.router.casework.pause_ends import follow
from services.router.casework.progress import take_progress
from services.router.casework.steps import Step
from services.router.rules.loader import load_rule_set
from services.router.rules.pathway import Pathway
from services.router.rules.ruleset import RuleSet

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
LEG = "01938f00-0000-7000-8000-00000000da99"
_numbers = itertools.count()


@cache
def rules() -> RuleSet:
    """The rule set that ships."""
    return load_rule_set(Settings().rules_dir)


def pathway() -> Pathway:
    """Its pathway."""
    return rules().pathway


def leg_at(status: LegStatus, id_: str = LEG, destination: str = "dapp", *, reason: str | None = None) -> Leg:
    """A leg that stands here, ended if that is an end."""
    closed = NOW if pathway().statuses[status].closed else None
    return Leg(id_, destination, status, NOW, 2, None, NOW, commands=1, closed_at=closed, reason=reason)


def case_at(status: LegStatus = LegStatus.REQUESTED) -> Case:
    """A case with one leg, to the programme."""
    return Case("person", NOW, legs={LEG: leg_at(status)})


def acting(case: Case, *, now: datetime = NOW) -> Acting:
    """What acting on this case needs."""
    return Acting(case, rules(), now, lambda: f"01938f00-0000-7000-8000-{next(_numbers):012x}")


def progress(kind: ProgressKind, *, hours: float = 0, leg: str = LEG, **more: object) -> ProgressReported:
    """What a destination tells, with all that its kind needs."""
    at = NOW + timedelta(hours=hours)
    if kind in (ProgressKind.DECLINED, ProgressKind.CLOSED):
        more.setdefault("reason", "Because.")
    if kind is ProgressKind.PAUSE_AGREED:
        days = {"from_date": date(2026, 3, 21), "until_date": date(2026, 4, 18)}
        more.setdefault("pause", Pause(reason=PauseReason.RELAPSE, agreed_by=frozenset(PauseParty), **days))
    return ProgressReported(leg_id=LegId(leg), kind=kind, occurred_at=at, **more)  # type: ignore[arg-type]


def take(case: Case, said: ProgressReported, *, now: datetime = NOW) -> list[Step]:
    """The destination's word is taken."""
    steps = take_progress(case, case.legs[said.leg_id], said, acting(case, now=now))
    return steps + follow(case, steps, acting(case, now=now))


def decision(kind: DecisionKind, *, leg: str = LEG, now: datetime = NOW, **more: object) -> HumanDecision:
    """What a human decides of a leg."""
    by = DecidedBy(user="c.manager", role="case_manager", organisation="northshire")
    said = {"reason": "He telephoned.", **more}
    return HumanDecision(kind=kind, decided_by=by, decided_at=now, leg_id=LegId(leg), **said)  # type: ignore[arg-type]


def decide(case: Case, said: HumanDecision, *, now: datetime = NOW) -> list[Step]:
    """The human's decision is carried out."""
    steps = DECIDED[said.kind](case, said, acting(case, now=now))
    return steps + follow(case, steps, acting(case, now=now))
