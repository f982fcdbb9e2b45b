"""Would the examples notice? Each mutant is decided on the examples that can see it, until one comes out otherwise.

No mutant is made into Python: from the bits of the examples it is known where its rules hold, and the engine that
decides does the rest. Examples that fail already tell nothing and are left out.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.router.rules.bits import Bits, Rails, places_in
from services.router.rules.combine import wishes_of
from services.router.rules.decide import decide_on
from services.router.rules.language import Rule
from services.router.rules.loading.examples import Example
from services.router.rules.mutants import Mutant, mutants_of
from services.router.rules.outcomes import differences_of, run_example
from services.router.rules.ruleset import RuleSet


class Tried(NamedTuple):
    """A mutant, and the example that noticed it (None: none did, it survived)."""

    mutant: Mutant
    noticed_by: Example | None


@dataclass(frozen=True, slots=True)
class Score:
    """How many mutants there were and which survived."""

    tried: int
    survivors: tuple[Mutant, ...]

    @property
    def share(self) -> float:
        """The share of mutants that some example noticed."""
        return 1.0 if not self.tried else (self.tried - len(self.survivors)) / self.tried


def score_of(tried: Sequence[Tried]) -> Score:
    """The score, survivors in the order of their files."""
    survivors = [one.mutant for one in tried if one.noticed_by is None]
    return Score(len(tried), tuple(sorted(survivors, key=str)))


def try_mutants(rules: RuleSet, examples: Sequence[Example]) -> Iterator[Tried]:
    """Each mutant of a rule set, tried one after another."""
    passing = [example for example in examples if run_example(rules, example).passed]
    yield from _Trial(rules, passing).all()


class _Trial:
    def __init__(self, rules: RuleSet, examples: Sequence[Example]) -> None:
        self._rules = rules
        self._examples = examples
        self._bits = Bits(rules.facts, [example.facts.values for example in examples])
        self._rails = [self._bits.of(rule.when) for rule in rules.rules]

    def all(self) -> Iterator[Tried]:
        for mutant in mutants_of(self._rules):
            yield Tried(mutant, self._noticed_by(mutant))

    def _noticed_by(self, mutant: Mutant) -> Example | None:
        changed = {place: self._rails_with(rule) for place, rule in mutant.rules}
        seen = 0
        for place, rule in mutant.rules:
            seen |= self._can_see(place, rule, changed[place])
        if not seen:
            return None
        rules = _with(self._rules, mutant)
        return next((self._examples[i] for i in places_in(seen) if self._notices(i, rules, changed)), None)

    def _rails_with(self, rule: Rule | None) -> Rails:
        return Rails(0, 0) if rule is None else self._bits.of(rule.when)

    def _can_see(self, place: int, rule: Rule | None, after: Rails) -> int:
        """The examples in which the rule holds otherwise than before, or in which it holds and does something else."""
        before, original = self._rails[place], self._rules.rules[place]
        if rule is not None and (rule.then, rule.if_unknown) != (original.then, original.if_unknown):
            return before.possible | after.possible
        unsure = (before.possible & ~before.certain) | (after.possible & ~after.certain)
        return (before.certain ^ after.certain) | (before.possible ^ after.possible) | unsure

    def _notices(self, example: int, rules: RuleSet, changed: Mapping[int, Rails]) -> bool:
        hit, hanging = [], []
        for place, original in enumerate(self._rails):
            rails = changed.get(place, original)
            if rails.certain >> example & 1:
                hit.append(place)
            elif rails.possible >> example & 1:
                hanging.append(place)
        one = self._examples[example]
        return bool(differences_of(rules, one, decide_on(rules, one.facts, hit, hanging)))


def _with(rules: RuleSet, mutant: Mutant) -> RuleSet:
    """The rule set with the mutant in it, for deciding where it is known which rules hold: its matchers are old."""
    mutated = copy.copy(rules)
    those, wishes = list(rules.rules), list(rules.wishes)
    for place, rule in mutant.rules:
        if rule is not None:
            those[place], wishes[place] = rule, wishes_of(rule)
    for name, value in (("rules", tuple(those)), ("wishes", tuple(wishes)), ("settled", {})):
        object.__setattr__(mutated, name, value)
    return mutated
