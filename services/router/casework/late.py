"""News of a leg that comes after what happened since: that was decided without it, and is looked at again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from schemas.progress import ProgressReported
from schemas.vocabulary import ProgressKind, RiskKind
from services.router.casework.account import BECOMES
from services.router.casework.act import Acting
from services.router.casework.again import Original, decide_again
from services.router.casework.case import Case
from services.router.casework.steps import DecidedAgain, Step

RISKS: Final = frozenset(kind.value for kind in RiskKind)
_MOVES: Final = frozenset({*BECOMES, ProgressKind.RESUMED})
LOOKS_BACK: Final = timedelta(days=28)  # whatever happened before that has been looked at by people since


def decided_without_it(case: Case, said: ProgressReported) -> bool:
    """Whether something happened since this did that may move its leg, and was decided already."""
    return said.kind in _MOVES and any(
        event.kind in RISKS and event.occurred_at > said.occurred_at for event in case.events
    )


def look_again(case: Case, said: ProgressReported, decided: Iterable[Original], acting: Acting) -> list[Step]:
    """Decide again what happened after what is told only now; only what is new is done. The leg has moved already."""
    steps: list[Step] = []
    for original in sorted(decided, key=lambda each: (each.event.occurred_at, each.event_id)):
        at = original.event.occurred_at
        if original.event.kind.value in RISKS and said.occurred_at < at and acting.now - at <= LOOKS_BACK:
            again = decide_again(case, original, acting)
            steps += again if any(not isinstance(step, DecidedAgain) for step in again) else []
    return steps
