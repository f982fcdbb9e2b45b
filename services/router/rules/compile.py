"""A rule set's conditions as Python, made once for each kind of event.

Every condition has two rails: t "certainly true" and m "not certainly false"; `Not` swaps them; m without t is unknown.
Tests of the kind of event are worked out beforehand, and what several rules ask is asked once, so that most rules are
not even looked at.
Only names of facts and `repr`s of literals reach the generated code, never text of a rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, cast

from services.router.rules.declarations import Choice, Fact
from services.router.rules.explain import in_words
from services.router.rules.language import (
    All,
    Any,
    AtLeast,
    AtMost,
    Condition,
    Has,
    In,
    Is,
    Known,
    Not,
    Rule,
    Test,
    Values,
    facts_in,
    tests_of,
)

EVENT = "event"  # the fact that says which kind of event this is; always known
TRUE, FALSE = All(()), Any(())
SHARED_LEAST = 2  # rules that ask the same, for it to be looked at before them

Explainer: TypeAlias = Callable[[Values], list[tuple[str, str]]]  # a test in words, and its fact
Variables: TypeAlias = Mapping[str, str]  # of the generated code, by fact
Live: TypeAlias = tuple[tuple[int, Condition], ...]
Shows: TypeAlias = Literal["what makes it hold", "what speaks for it"]
Matcher: TypeAlias = Callable[[Values], tuple[list[int], list[int]]]  # places of rules: certain, hanging on an unknown


def compile_matchers(rules: Sequence[Rule], facts: Mapping[str, Fact], kinds: Iterable[str]) -> dict[str, Matcher]:
    """For each kind of event a function that tells which rules hold, and which hang on an unknown fact."""
    live = {kind: live_for(rules, kind) for kind in kinds}
    matchers = {each: _matcher(matcher_source(each, facts)) for each in set(live.values())}
    return {kind: matchers[each] for kind, each in live.items()}  # kinds that no rule tells apart share one


def _matcher(source: str) -> Matcher:
    made: dict[str, object] = {}
    exec(compile(source, "<rules>", "exec"), {"__builtins__": {}}, made)  # noqa: S102 - see the module's words
    return cast(Matcher, made["match"])


def live_for(rules: Sequence[Rule], kind: str) -> Live:
    """The rules that can hold for a kind of event, by place, with what is left of their conditions."""
    conditions = ((place, specialise(rule.when, kind)) for place, rule in enumerate(rules))
    return tuple((place, condition) for place, condition in conditions if condition != FALSE)


def matcher_source(live: Live, facts: Mapping[str, Fact]) -> str:
    """The generated code, for people who want to read it."""
    names = sorted({name for _, condition in live for name in facts_in(condition)})
    variables = {name: f"f{number}" for number, name in enumerate(names)}
    lines = ["def match(v):", " hit = []", " ask = []"]
    lines += [f" {variable} = v[{name!r}]" for name, variable in variables.items()]
    lines += _looked_at(
        [_Left(place, condition, _parts(condition)) for place, condition in live], variables, facts, " "
    )
    return "\n".join([*lines, " hit.sort()", " ask.sort()", " return hit, ask"])


class _Left(NamedTuple):
    """A rule of which some tests were looked at already: it can still hold, or hang on an unknown."""

    place: int
    condition: Condition
    parts: tuple[Condition, ...]  # that were not looked at yet


def _looked_at(rules: Sequence[_Left], variables: Variables, facts: Mapping[str, Fact], indent: str) -> list[str]:
    """Code that looks once at what several rules ask, and at those rules only where it is possible."""
    common, number = next(iter(Counter(part for rule in rules for part in rule.parts).most_common(1)), (TRUE, 0))
    if number < SHARED_LEAST:
        return [line for rule in rules for line in _lines_of(rule, variables, facts, indent)]
    inside = [
        rule._replace(parts=tuple(part for part in rule.parts if part != common))
        for rule in rules
        if common in rule.parts
    ]
    return [
        f"{indent}if {_rail(common, variables, facts, certain=False)}:",
        *_looked_at(inside, variables, facts, indent + " "),
        *_looked_at([rule for rule in rules if common not in rule.parts], variables, facts, indent),
    ]


def _lines_of(rule: _Left, variables: Variables, facts: Mapping[str, Fact], indent: str) -> list[str]:
    certain = _rail(rule.condition, variables, facts, certain=True)
    lines = [f"{indent}if {_rail(All(rule.parts), variables, facts, certain=False)}:"]
    if certain == _rail(rule.condition, variables, facts, certain=False):
        return [*lines, f"{indent} hit.append({rule.place})"]
    return [*lines, f"{indent} if {certain}: hit.append({rule.place})", f"{indent} else: ask.append({rule.place})"]


def _parts(condition: Condition) -> tuple[Condition, ...]:
    return tuple(dict.fromkeys(condition.parts)) if isinstance(condition, All) else (condition,)


def compile_explainer(condition: Condition, facts: Mapping[str, Fact], shows: Shows) -> Explainer:
    """A function that tells, where the condition holds, which tests make it hold.

    Where it hangs on an unknown and is acted on all the same, "what speaks for it" shows the unknown tests as well.
    """
    names = facts_in(condition)
    variables = {name: f"f{number}" for number, name in enumerate(names)}
    lines = ["def why(v):", " out = []"]
    lines += [f" {variable} = v[{name!r}]" for name, variable in variables.items()]
    lines += _Shown(variables, facts, shows).lines(condition, " ", wanted=True)
    said = [(in_words(test), test.fact) for test in tests_of(condition)]
    lines.append(" return out" if len(set(said)) == len(said) else " return list(fromkeys(out))")
    made: dict[str, object] = {}
    known = {"__builtins__": {}, "list": list, "fromkeys": dict.fromkeys}
    exec(compile("\n".join(lines), "<why>", "exec"), known, made)  # noqa: S102 - see the module's words
    return cast(Explainer, made["why"])


@dataclass(frozen=True, slots=True)
class _Shown:
    variables: Mapping[str, str]
    facts: Mapping[str, Fact]
    shows: Shows

    def lines(self, condition: Condition, indent: str, *, wanted: bool) -> list[str]:
        """Code that adds the tests which bring a condition to the wanted truth."""
        match condition:
            case Not(part):
                return self.lines(part, indent, wanted=not wanted)
            case All(parts) | Any(parts):
                if isinstance(condition, All) is wanted:  # then every part is as wanted
                    return [line for part in parts for line in self.lines(part, indent, wanted=wanted)]
                return [line for part in parts for line in self._guarded(part, indent, wanted=wanted)]
            case _:
                said = in_words(condition) if wanted else f"not: {in_words(condition)}"
                return [f"{indent}out.append({(said, condition.fact)!r})"]

    def _guarded(self, part: Condition, indent: str, *, wanted: bool) -> list[str]:
        """The part's tests, where the part itself is as wanted."""
        rail = _rail(part, self.variables, self.facts, certain=wanted is (self.shows == "what makes it hold"))
        inner = self.lines(part, indent + " ", wanted=wanted) or [f"{indent} pass"]
        return [f"{indent}if {rail if wanted else f'not {rail}'}:", *inner]


def specialise(condition: Condition, kind: str) -> Condition:
    """The condition with its tests of the kind of event worked out."""
    match condition:
        case In("event", values):
            return TRUE if kind in values else FALSE
        case Known("event"):
            return TRUE
        case All(parts):
            return _folded(All, parts, kind)
        case Any(parts):
            return _folded(Any, parts, kind)
        case Not(part):
            inner = specialise(part, kind)
            return FALSE if inner == TRUE else TRUE if inner == FALSE else Not(inner)
    return condition


def _folded(node: type[All] | type[Any], parts: Sequence[Condition], kind: str) -> Condition:
    """All without its true parts, or false; Any without its false parts, or true."""
    idle, decisive = (TRUE, FALSE) if node is All else (FALSE, TRUE)
    left = tuple(part for part in (specialise(part, kind) for part in parts) if part != idle)
    if decisive in left:
        return decisive
    return left[0] if len(left) == 1 else node(left)


def _rail(condition: Condition, variables: Mapping[str, str], facts: Mapping[str, Fact], *, certain: bool) -> str:
    match condition:
        case All(parts) | Any(parts):
            if not parts:
                return str(isinstance(condition, All))
            word = " and " if isinstance(condition, All) else " or "
            return "(" + word.join(_rail(part, variables, facts, certain=certain) for part in parts) + ")"
        case Not(part):
            return f"not {_rail(part, variables, facts, certain=not certain)}"
        case _:
            return _test(condition, variables[condition.fact], facts[condition.fact], certain=certain)


def _test(test: Test, value: str, fact: Fact, *, certain: bool) -> str:
    known = f"{value} is not None and" if certain else f"{value} is None or"
    match test:
        case Is(_, wanted):
            return f"{value} is {wanted}" if certain else f"{value} is not {not wanted}"
        case In(_, values):
            return _among(value, values, certain=certain)
        case AtLeast(_, bound) | AtMost(_, bound) if isinstance(fact.type, Choice):
            place = fact.type.values.index(str(bound))
            values = fact.type.values[place:] if isinstance(test, AtLeast) else fact.type.values[: place + 1]
            return _among(value, values, certain=certain)
        case AtLeast(_, bound):
            return f"({known} {value} >= {int(bound)!r})"
        case AtMost(_, bound):
            return f"({known} {value} <= {int(bound)!r})"
        case Has(_, (only,), _):
            return f"({known} {only!r} in {value})"
        case Has(_, values, "all"):
            return f"({known} {value}.issuperset({values!r}))"
        case Has(_, values, _):
            return f"({known} not {value}.isdisjoint({values!r}))"
        case Known():
            return f"{value} is not None"


def _among(value: str, values: Sequence[str], *, certain: bool) -> str:
    """`in` a literal set, which Python makes into a constant; the other rail lets the unknown in as well."""
    members = [repr(member) for member in values] + ([] if certain else ["None"])
    return f"{value} in {{{', '.join(members)}}}"
