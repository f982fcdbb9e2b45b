"""What an example expects, beside what rules make of it.

What an example does not mention, it expects not to happen: a rule that begins to do more than before is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from services.router.rules.decide import decide
from services.router.rules.decision import Decision, Reasons
from services.router.rules.loading.examples import Example
from services.router.rules.ruleset import RuleSet

OUTCOMES: Final[Mapping[str, Callable[[Decision], object]]] = {
    "routes": lambda decision: {route.destination: route.priority for route in decision.routes},
    "confirm": lambda decision: sorted(route.destination for route in decision.routes if route.confirm),
    "offers": lambda decision: {offer.destination: offer.for_days for offer in decision.offers},
    "resumes": lambda decision: [resume.destination for resume in decision.resumes],
    "holds": lambda decision: _rules(hold.reasons for hold in decision.holds),
    "reviews": lambda decision: _rules(review.reasons for review in decision.reviews),
    "notified": lambda decision: sorted({notify.destination for notify in decision.notifies}),
    "escalated": lambda decision: sorted(str(escalation.role) for escalation in decision.escalations),
    "recorded": lambda decision: _rules(record.reasons for record in decision.records),
    "withheld": lambda decision: [withheld.destination for withheld in decision.withheld],
    "questions": lambda decision: [question.fact for question in decision.questions],
}


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """What came of an example."""

    example: Example
    decision: Decision
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Did exactly the expected come of it?"""
        return not self.differences


def run_example(rules: RuleSet, example: Example) -> ExampleResult:
    """What the rules say of an example, beside what it expects."""
    decision = decide(rules, example.facts)
    return ExampleResult(example, decision, differences_of(rules, example, decision))


def differences_of(rules: RuleSet, example: Example, decision: Decision) -> tuple[str, ...]:
    """What of a decision is otherwise than an example expects."""
    found = outcome_of(rules, decision)
    expected = {name: [] for name in found} | dict(example.expected)
    return tuple(
        f"{name}: expected {_said(expected[name])}, got {_said(found[name])}"
        for name in found
        if (expected[name] or None) != (found[name] or None)
    )


def outcome_of(rules: RuleSet, decision: Decision) -> dict[str, object]:
    """A decision as an example says it."""
    found = {name: outcome(decision) for name, outcome in OUTCOMES.items()}
    silent = any(review.question == rules.otherwise.review.question for review in decision.reviews)
    return found | {"otherwise": ["yes"] if silent else []}


def _rules(reasons: Iterable[Reasons]) -> list[str]:
    return sorted({reason.rule for each in reasons for reason in each})


def _said(outcome: object) -> str:
    if isinstance(outcome, Mapping):
        return ", ".join(f"{key} {value}" for key, value in sorted(outcome.items())) or "nothing"
    return ", ".join(str(item) for item in outcome) or "nothing" if isinstance(outcome, list) else str(outcome)
