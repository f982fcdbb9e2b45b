"""A small directory of services, and people to be routed in it, for tests of who is asked next."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType

from schemas.base import LegId
from schemas.progress import ProgressReported
from schemas.vocabulary import LegStatus, ProgressKind
from services.ground.settings import Settings
from services.router.casework.act import Acting
from services.router.casework.case import Case, Leg
from services.router.casework.enter import enter
from services.router.casework.places import Places
from services.router.casework.progress import take_progress
from services.router.casework.reroute import after_progress
from services.router.casework.steps import LegMoved, LegOpened, Step
from services.router.rules.due import Due
from services.router.rules.loader import load_rule_set
from services.router.rules.ruleset import Destination, RuleSet

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
KNOWN = {"age": "1990-05-17", "in_dapp_area": "Northshire", "consent": "yes"}  # as a case remembers it


@cache
def rules() -> RuleSet:
    """The rule set that ships."""
    return load_rule_set(Settings().rules_dir)


def service(name: str, **more: object) -> Destination:
    """A service for the need `help` that takes everybody, unless something else is said."""
    plain = Destination(
        id=name,
        label=f"The {name}",
        kind="treatment",
        side="person",
        voluntary=True,
        consent_needed=False,
        minimum_age=None,
        maximum_age=None,
        service_areas=None,
        source=name,
        acknowledge_within=Due(working_days=2),
        share=(),
        channel="queue",
        serves="help",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def directory(*services: Destination) -> RuleSet:
    """The rule set that ships, with these services alone."""
    return replace(rules(), destinations=MappingProxyType({each.id: each for each in services}))


def somebody(*legs: Leg, **known: str) -> Case:
    """A person of whom all is known, referred by the event `referral`."""
    return Case(
        "person", NOW, legs={leg.id: leg for leg in legs}, remembered={**KNOWN, **known}, referral_event="referral"
    )


def leg_to(destination: str, number: int = 1, **more: object) -> Leg:
    """An open leg that nobody has answered, of the newest referral."""
    plain = Leg(
        id=f"01938f00-0000-7000-8000-{number:012d}",
        destination=destination,
        status=LegStatus.REQUESTED,
        since=NOW,
        priority=2,
        due_at=None,
        opened_at=NOW,
        commands=1,
        referral="referral",
        occasion="referral",
        opened_by="referral",
    )
    leg = plain._replace(**more)  # type: ignore[arg-type]
    return leg._replace(closed_at=NOW) if rules().pathway.statuses[leg.status].closed else leg


def acting_on(case: Case, known: RuleSet, places: Places | None = None) -> Acting:
    """Acting on an event of this case. New ids sort after those of `leg_to`."""
    numbers = itertools.count(1000 + len(case.legs) * 100)
    return Acting(case, known, NOW, lambda: f"01938f00-0000-7000-8000-{next(numbers):012d}", places=places or Places())


def said(leg: Leg, kind: ProgressKind, at: datetime = NOW) -> ProgressReported:
    """A destination's word on its leg."""
    reason = "No place for him" if kind in (ProgressKind.DECLINED, ProgressKind.CLOSED) else None
    return ProgressReported(leg_id=LegId(leg.id), kind=kind, occurred_at=at, reason=reason)


def answer(case: Case, leg: Leg, kind: ProgressKind, acting: Acting) -> list[Step]:
    """Everything that a destination's word leads to, as the handler has it done."""
    before = case.legs[leg.id]
    word = said(leg, kind)
    steps = take_progress(case, before, word, acting)
    if any(isinstance(step, LegMoved) for step in steps):
        steps += after_progress(case, before, word, acting)
    enter(case, steps)
    return steps


def opened_to(steps: Iterable[Step]) -> list[str]:
    """The destinations to which these steps open legs."""
    return [step.leg.destination for step in steps if isinstance(step, LegOpened)]
