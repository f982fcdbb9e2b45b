"""Where the solver is: it is asked whether an event can make some formulas hold at once, and shows one that does.

Only this module knows z3. What it does not decide in time is said to be so, and never taken for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, TypeAlias

import z3

from services.router.rules.prove.circuit import FALSE, TRUE, Circuit, Formula

Found: TypeAlias = Literal["yes", "no", "not decided"]
Term: TypeAlias = Any  # z3 comes without types

LOGIC: Final = "QF_FD"  # finite domains: plain yes and no, and how many of some
LEAST_MS: Final = 1


class Solver:
    """Answers for one circuit. A formula is made into z3's term when it is first asked about.

    `left` tells how many seconds are left for all questions together (None: as long as it takes).
    """

    def __init__(self, circuit: Circuit, left: Callable[[], float | None] = lambda: None) -> None:
        self.asked = 0  # questions put to z3
        self._circuit = circuit
        self._left = left
        self._z3 = z3.SolverFor(LOGIC)
        self._context: Term = self._z3.ctx
        self._terms: dict[Formula, Term] = {TRUE: z3.And([]), FALSE: z3.Or([])}
        self._given = 0  # clauses of the circuit that z3 has already
        self._model: Term = None

    def can(self, *formulas: Formula, most: tuple[Sequence[Formula], int] | None = None) -> Found:
        """Can some event make all of these hold, and `most` of some others so many?"""
        if FALSE in formulas:
            return "no"
        left = self._left()
        if left is not None and left <= 0:
            return "not decided"
        self._give_facts()
        if left is not None:
            self._z3.set("timeout", max(LEAST_MS, int(left * 1000)))
        self._z3.push()
        self._z3.add([self._term(formula) for formula in formulas])
        if most is not None:
            self._z3.add(z3.AtMost(*[self._term(each) for each in most[0]], most[1]))
        self.asked += 1
        answer = self._z3.check()
        self._model = self._z3.model() if answer == z3.sat else None
        self._z3.pop()
        return "yes" if answer == z3.sat else "no" if answer == z3.unsat else "not decided"

    def shown(self, variables: Iterable[Formula]) -> dict[Formula, bool]:
        """These variables in the event that the last `yes` was about."""
        return {each: z3.is_true(self._model[self._term(each)]) for each in variables}

    def clash(self, always: Formula, formulas: Sequence[Formula]) -> list[Formula] | None:
        """Of formulas that no event makes hold together with `always`, a few that none does; None: not decided."""
        needed = list(formulas)
        for formula in formulas:
            without = [each for each in needed if each != formula]
            answer = self.can(always, *without)
            if answer == "not decided":
                return None
            if answer == "no":
                needed = without
        return needed

    def _give_facts(self) -> None:
        facts = self._circuit.facts
        for clause in facts[self._given :]:
            self._z3.add(z3.Or([self._term(part) for part in clause]))
        self._given = len(facts)

    def _term(self, formula: Formula) -> Term:
        term = self._terms.get(formula)
        if term is None:
            term = self._made(formula)
        return term

    def _made(self, formula: Formula) -> Term:
        """z3's term, its parts made before it. What is part of several is made once."""
        waiting = [formula]
        while waiting:
            top = waiting[-1]
            parts = (-top,) if top < 0 else self._circuit.parts(top)
            missing = [part for part in parts if part not in self._terms]
            if missing:
                waiting.extend(missing)
                continue
            waiting.pop()
            if top not in self._terms:
                self._terms[top] = self._node(top, [self._terms[part] for part in parts])
        return self._terms[formula]

    def _node(self, formula: Formula, terms: list[Term]) -> Term:
        """As z3.Not and z3.And would make it, which look into every part of every term and take ten times as long."""
        if not terms:
            return z3.Bool(f"n{formula}", self._context)
        if formula < 0:
            made = z3.Z3_mk_not(self._context.ref(), terms[0].as_ast())
        else:
            parts = (z3.Ast * len(terms))(*[term.as_ast() for term in terms])
            made = z3.Z3_mk_and(self._context.ref(), len(terms), parts)
        return z3.BoolRef(made, self._context)
