"""Mistakes that somebody could make in the code that makes rules into Python, and in the code that proves."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import services.router.rules.compile as compiler
from services.router.rules import prove


class Mistake(NamedTuple):
    """A place in a module, and what somebody wrote there instead."""

    name: str
    module: str
    right: str
    wrong: str


IN_DECIDE = (
    Mistake(
        "unknown counts as no",
        "compile",
        "else: ask.append({rule.place})",
        "else: pass",
    ),
    Mistake(
        "unknown counts as yes",
        "compile",
        "certain = _rail(rule.condition, variables, facts, certain=True)",
        "certain = _rail(rule.condition, variables, facts, certain=False)",
    ),
    Mistake(
        "what several ask is asked as no",
        "compile",
        "if {_rail(common, variables, facts, certain=False)}:",
        "if {_rail(common, variables, facts, certain=True)}:",
    ),
    Mistake("not keeps the rail", "compile", "certain=not certain)", "certain=certain)"),
    Mistake("not is lost", "compile", 'return f"not {_rail(part', 'return f"{_rail(part'),
    Mistake(
        "all is any",
        "compile",
        'word = " and " if isinstance(condition, All) else " or "\n            return "("',
        'word = " or "\n            return "("',
    ),
    Mistake(
        "nothing of all is false",
        "compile",
        "return str(isinstance(condition, All))",
        "return str(isinstance(condition, Any))",
    ),
    Mistake("at least is more than", "compile", "{value} >= {int(bound)!r}", "{value} > {int(bound)!r}"),
    Mistake("at most is less than", "compile", "{value} <= {int(bound)!r}", "{value} < {int(bound)!r}"),
    Mistake("a grade off by one", "compile", "fact.type.values[place:] if", "fact.type.values[place + 1 :] if"),
    Mistake("grades without the last", "compile", "fact.type.values[: place + 1]", "fact.type.values[:place]"),
    Mistake("has all is has any", "compile", 'case Has(_, values, "all"):', 'case Has(_, values, "each"):'),
    Mistake("has any is has all", "compile", "not {value}.isdisjoint({values!r})", "{value}.issuperset({values!r})"),
    Mistake(
        "an unknown set has it",
        "compile",
        'known = f"{value} is not None and" if certain',
        'known = f"{value} is None or" if certain',
    ),
    Mistake("an unknown choice is none of them", "compile", '([] if certain else ["None"])', "[]"),
    Mistake("known is always", "compile", 'return f"{value} is not None"', 'return "True"'),
    Mistake(
        "yes is not no, unknown too",
        "compile",
        'f"{value} is {wanted}" if certain',
        'f"{value} is not {not wanted}" if certain',
    ),
    Mistake(
        "all is decided by what is idle", "compile", "(TRUE, FALSE) if node is All", "(FALSE, TRUE) if node is All"
    ),
    Mistake(
        "a kind that is not there holds",
        "compile",
        "TRUE if kind in values else FALSE",
        "FALSE if kind in values else TRUE",
    ),
    Mistake(
        "not of a kind is lost",
        "compile",
        "FALSE if inner == TRUE else TRUE if inner == FALSE else Not(inner)",
        "inner if inner in (TRUE, FALSE) else Not(inner)",
    ),
)

IN_PROOFS = (
    Mistake(
        "not keeps the rails",
        "space",
        "Rails(-inner.possible, -inner.certain)",
        "Rails(-inner.certain, -inner.possible)",
    ),
    Mistake(
        "unknown counts as no", "space", "Rails(certain, circuit.some((-kept.known, holds)))", "Rails(certain, certain)"
    ),
    Mistake(
        "unknown counts as yes",
        "space",
        "certain = circuit.every((kept.known, holds))",
        "certain = circuit.some((-kept.known, holds))",
    ),
    Mistake("any is all", "space", "circuit.some(r.certain for r in rails)", "circuit.every(r.certain for r in rails)"),
    Mistake("at most is off by one", "space", "self._rung(fact, kept, bound) + 1)", "self._rung(fact, kept, bound))"),
    Mistake(
        "at least is off by one",
        "space",
        "return self._from_rung(kept, self._rung(fact, kept, bound))",
        "return self._from_rung(kept, self._rung(fact, kept, bound) + 1)",
    ),
    Mistake(
        "has all is has any",
        "space",
        'self.circuit.every(inside) if how == "all"',
        'self.circuit.some(inside) if how == "all"',
    ),
    Mistake(
        "a number cut one too low",
        "space",
        "bound if isinstance(test, AtLeast) else bound + 1",
        "bound if isinstance(test, AtLeast) else bound",
    ),
    Mistake("a choice ends too late", "space", "-self._from_rung(kept, after)", "-self._from_rung(kept, after + 1)"),
    Mistake("known is not asked", "space", "Rails(kept.known, kept.known)", "Rails(1, 1)"),
    Mistake("counts bound the wrong way", "space", "holds_always(-less, greater)", "holds_always(-greater, less)"),
    Mistake("a rule holds on every day", "world", "hit = circuit.every((now, rails.certain))", "hit = rails.certain"),
    Mistake(
        "the last day is not one",
        "world",
        "self.since(rule.until_day + timedelta(days=1))",
        "self.since(rule.until_day)",
    ),
    Mistake("no floor acts on the unknown", "world", "if self.acting and self.acts[place]:", "if False:"),
    Mistake(
        "what hangs on an unknown is lost above any",
        "world",
        "for part in parts:\n                yield from _paths",
        "for part in parts[: 1 if isinstance(condition, Any) else None]:\n                yield from _paths",
    ),
    Mistake(
        "a floor can be withheld",
        "outcome",
        '(self.wanted(world, "floors", destination, which), ordinary)',
        '(self.circuit.every((self.wanted(world, "floors", destination, which),'
        " -self.withheld(world, destination))), ordinary)",
    ),
    Mistake(
        "nothing is withheld",
        "outcome",
        "return self.circuit.every((asked, -self.withheld(world, destination)))",
        "return asked",
    ),
    Mistake(
        "an unknown withholder withholds",
        "outcome",
        "[world.hit(place) for place in self.withholders",
        "[world.on(self.circuit, place) for place in self.withholders",
    ),
    Mistake("a pause is offered beside a resume", "outcome", "which), -resume))", "which),))"),
    Mistake(
        "a resume is proposed beside a pause",
        "outcome",
        'self.wanted(world, "resumes", destination), -offer))',
        'self.wanted(world, "resumes", destination),))',
    ),
    Mistake(
        "pause and resume ask nobody", "outcome", "if (item.question, item.role) == key and which(item)", "if False"
    ),
    Mistake("priority is the least urgent", "traits", "item.priority <= priority", "item.priority >= priority"),
    Mistake(
        "a due time of another unit",
        "traits",
        "number = getattr(due_in(item), name, None)",
        'number = getattr(due_in(item), "hours", None)',
    ),
    Mistake("the shorter pause is offered", "traits", "item.for_days >= days", "item.for_days <= days"),
    Mistake("rare checks are offered", "traits", "item.welfare_check_days <= days", "item.welfare_check_days >= days"),
    Mistake("everything is asked", "asking", "return self.outcomes.circuit.every((unsure, changes))", "return unsure"),
    Mistake("what is noted is asked", "asking", 'rule.if_unknown == "note" or unsure == FALSE', "unsure == FALSE"),
    Mistake(
        "a floor that acts asks nothing",
        "asking",
        'self.world.certain_only() if rule.if_unknown == "act" else self.world',
        "self.world",
    ),
    Mistake(
        "what was only held back is something",
        "asking",
        "circuit.every((circuit.some(records), -held_back))",
        "circuit.some((*records, held_back))",
    ),
    Mistake(
        "a question is no answer to silence",
        "asking",
        "return asking.outcomes.circuit.every((-something, -asking.anything()))",
        "return -something",
    ),
)


def mutated_compiler(mistake: Mistake) -> ModuleType:
    """The module that makes rules into Python, with the mistake in it."""
    made = ModuleType("mutated")
    sys.modules["mutated"] = made  # dataclasses look their module up
    try:
        exec(compile(_source(Path(compiler.__file__), mistake), "mutated", "exec"), made.__dict__)  # noqa: S102 - ours
    finally:
        del sys.modules["mutated"]
    return made


@contextmanager
def planted(mistake: Mistake) -> Iterator[None]:
    """The proof with the mistake in one of its modules. All its modules are made anew, and put back afterwards."""
    folder, package = Path(str(prove.__file__)).parent, prove.__name__
    kept = {name: module for name, module in sys.modules.items() if name.startswith(f"{package}.")}
    attributes = {name: getattr(prove, name.rpartition(".")[2], None) for name in kept}
    source = _source(folder / f"{mistake.module}.py", mistake)
    for name in kept:
        del sys.modules[name]
    name = f"{package}.{mistake.module}"
    made = ModuleType(name)
    sys.modules[name] = made
    try:
        exec(compile(source, name, "exec"), made.__dict__)  # noqa: S102 - ours
        importlib.import_module(f"{package}.proofs")
        yield
    finally:
        for each in [each for each in sys.modules if each.startswith(f"{package}.")]:
            del sys.modules[each]
        sys.modules.update(kept)
        for each, module in attributes.items():
            if module is not None:
                setattr(prove, each.rpartition(".")[2], module)


def _source(file: Path, mistake: Mistake) -> str:
    right = file.read_text(encoding="utf-8")
    assert mistake.right in right, f"{file.name} no longer says {mistake.right!r}: plant it anew"
    return right.replace(mistake.right, mistake.wrong, 1)
