"""What proofs of one rule set stand on, and what they find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from services.router.rules.decide import decide
from services.router.rules.decision import Decision
from services.router.rules.language import Position
from services.router.rules.prove.asking import Asking
from services.router.rules.prove.circuit import Circuit, Formula
from services.router.rules.prove.outcome import Outcomes
from services.router.rules.prove.promised import Promised
from services.router.rules.prove.solver import Solver
from services.router.rules.prove.space import Space
from services.router.rules.prove.witness import Witness, Witnesses
from services.router.rules.prove.world import Periods
from services.router.rules.ruleset import RuleSet

Check: TypeAlias = Literal["dead", "vacuous", "broken", "contradiction", "redundant", "never decides", "gap"]
Weight: TypeAlias = Literal["error", "warning", "report"]
WEIGHTS: Final[dict[Check, Weight]] = {
    "dead": "error",
    "vacuous": "error",
    "broken": "error",
    "contradiction": "warning",
    "redundant": "warning",
    "never decides": "warning",
    "gap": "report",
}
Verdict: TypeAlias = Literal["found", "fine", "not proved"]


class NotConfirmed(RuntimeError):
    """A proof and the running engine say different things of one event. One of them is wrong."""

    def __init__(self, what: str, witness: Witness) -> None:
        super().__init__(
            f"the proof and the engine do not agree on {what}, for {witness}: believe neither, and report it"
        )


class Finding(NamedTuple):
    """What one check came to for one rule, test, promise or kind of event."""

    check: Check
    verdict: Verdict
    subject: str  # a rule's or a promise's id, a destination, or a kind of event
    at: Position | None = None
    says: str = ""
    witness: Witness | None = None
    decision: Decision | None = None  # what the engine makes of the witness
    others: tuple[str, ...] = ()  # the rules that cover it, or the tests that clash

    @property
    def weight(self) -> Weight:
        """How much it matters. What was not decided in time is an error: a safety check that did not happen."""
        return "error" if self.verdict == "not proved" else WEIGHTS[self.check]


class Proofs:
    """One rule set as formulas, with what answers questions about it."""

    def __init__(self, rules: RuleSet, left: Callable[[], float | None] = lambda: None) -> None:
        self.rules = rules
        circuit = Circuit()
        conditions = [*(rule.when for rule in rules.rules), *(invariant.given for invariant in rules.invariants)]
        self.space = Space(circuit, rules.facts, conditions)
        self.periods = Periods(circuit, rules.rules)
        self.outcomes = Outcomes(self.space, self.periods, rules)
        self.asking = Asking(self.outcomes)
        self.promised = Promised(self.asking)
        self.solver = Solver(circuit, left)
        self.witnesses = Witnesses(self.space, self.periods, (rules,), self.solver)

    def shown(self, what: str, confirms: Callable[[Decision], bool], *formulas: Formula) -> tuple[Witness, Decision]:
        """The smallest event for which these hold, and what the engine makes of it.

        They can hold: the solver was asked. Raises `NotConfirmed` where the engine does not agree.
        """
        witness = self.witnesses.smallest(*formulas)
        decision = decide(self.rules, witness.facts)
        if not confirms(decision):
            raise NotConfirmed(what, witness)
        return witness, decision
