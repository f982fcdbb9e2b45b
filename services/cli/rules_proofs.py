"""How events that proofs show are told, by every command that proves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from services.router.rules.decision import Decision
from services.router.rules.outcomes import outcome_of
from services.router.rules.prove.witness import USUAL_DAY, Witness, in_short
from services.router.rules.ruleset import RuleSet

if TYPE_CHECKING:
    from services.cli.looking import Row  # which would bring the store, and nothing here asks it

WITHIN: Final[float] = 60  # seconds for all proofs together; those of the shipped rule set take less than one


def clock(within: float) -> Callable[[], float]:
    """How many seconds are left."""
    until = time.monotonic() + within
    return lambda: until - time.monotonic()


def event_json(witness: Witness | None) -> Row | None:
    """An event as JSON: what is unusual in words, and every fact."""
    if witness is None:
        return None
    stated = {name: in_short(value) for name, value in witness.stated.items()}
    return {"day": witness.facts.day.isoformat(), "stated": stated, "facts": witness.facts.to_json()}


def decided_json(rules: RuleSet, decision: Decision | None) -> Row | None:
    """A decision as an example says it, and the rules that held."""
    if decision is None:
        return None
    said = {name: outcome for name, outcome in outcome_of(rules, decision).items() if outcome}
    return {**said, "rules": [matched.rule for matched in decision.matched]}


def event_in_words(event: Row) -> str:
    """An event on one line."""
    said = [event["stated"]["event"]]
    said += [f"{name} {value}" for name, value in event["stated"].items() if name != "event"]
    day = f" (on {event['day']})" if event["day"] != USUAL_DAY.isoformat() else ""
    return ", ".join(said) + day


def decided_in_words(decided: Row) -> str:
    """A decision on one line."""
    parts = [f"{name} {_plainly(said)}" for name, said in decided.items() if name not in ("rules", "otherwise")]
    if "otherwise" in decided:
        parts.append("nothing but the review under `otherwise`")
    return "; ".join(parts) or "nothing"


def _plainly(said: Any) -> str:
    if isinstance(said, dict):
        return ", ".join(f"{name} ({value})" for name, value in said.items())
    return ", ".join(map(str, said)) if isinstance(said, list) else str(said)
