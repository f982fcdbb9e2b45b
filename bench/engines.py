"""Other rules engines on our rules: each condition as they write it, and which rules hold of an event.

They are given events of which everything is known, since most of them have no word for what is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any as Anything
from typing import Final, TypeAlias

import orjson

from services.router.rules.declarations import Choice, Fact, SetOf, WholeNumber, YesNo
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
    Test,
)
from services.router.rules.ruleset import RuleSet

Event: TypeAlias = Mapping[str, Anything]  # JSON values by fact
Matches: TypeAlias = Callable[[Event, bytes], Sequence[Anything]]  # of each rule, in order, whether it holds

MISSING: Final = "install requirements/bench.lock"


def as_event(values: Mapping[str, object]) -> dict[str, Anything]:
    """Facts as plain JSON."""
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}


def engines(rules: RuleSet) -> dict[str, Matches]:
    """Every engine in every form that it can be called in. Raises ImportError where one is not there."""
    import cel
    import datalogic_py
    import zen
    from cel_expr_python import cel as google_cel

    conditions = [rule.when for rule in rules.rules]
    zen_list = zen.compile_expression(f"[{', '.join(_text(each, rules.facts, 'zen') for each in conditions)}]")
    in_cel = f"[{', '.join(_text(each, rules.facts, 'cel') for each in conditions)}]"
    logic = datalogic_py.Engine().compile([_logic(each, rules.facts) for each in conditions])
    session = datalogic_py.Engine().session()
    rust_cel = cel.compile(in_cel)
    environment = google_cel.NewEnv(variables={name: _type(fact, google_cel) for name, fact in rules.facts.items()})
    compiled = environment.compile(in_cel)
    table = zen.ZenEngine().create_decision(_table(rules))

    def of_table(context: Anything) -> list[bool]:
        held = {int(row["rule"]) for row in table.evaluate(context)["result"] or ()}
        return [place in held for place in range(len(conditions))]

    return {
        "zen decision table, dict": lambda event, _: of_table(event),
        "zen decision table, JSON": lambda _, text: of_table(text),
        "zen expression, dict": lambda event, _: zen_list.evaluate(event),
        "zen expression, JSON": lambda _, text: zen_list.evaluate(text),
        "datalogic-py, dict": lambda event, _: logic.evaluate(event),
        "datalogic-py, JSON": lambda _, text: session.evaluate(logic, text.decode()),
        "cel-expr-python": lambda event, _: compiled.eval(data=event).plain_value(),
        "common-expression-language": lambda event, _: rust_cel.execute(event),
    }


def _text(condition: Condition, facts: Mapping[str, Fact], language: str) -> str:
    """A condition in ZEN's language or in CEL, which are alike but for words."""
    words = {"zen": (" and ", " or ", "not "), "cel": (" && ", " || ", "!")}[language]
    match condition:
        case All(parts) | Any(parts):
            word = words[0] if isinstance(condition, All) else words[1]
            if not parts:
                return str(isinstance(condition, All)).lower()
            return f"({word.join(_text(part, facts, language) for part in parts)})"
        case Not(part):
            return f"{words[2]}({_text(part, facts, language)})"
        case _:
            return _test(condition, facts[condition.fact], words)


def _test(test: Test, fact: Fact, words: tuple[str, str, str]) -> str:
    match test:
        case Is(name, value):
            return f"({name} == {str(value).lower()})"
        case Known():
            return "true"
        case Has(name, values, how):
            return f"({words[0 if how == 'all' else 1].join(f'{value!r} in {name}' for value in values)})"
        case In(name, values):
            return f"({name} in {list(values)!r})"
        case AtLeast(name, bound) | AtMost(name, bound):
            if isinstance(fact.type, Choice):
                return f"({name} in {_among(test, fact.type)!r})"
            return f"({name} {'>=' if isinstance(test, AtLeast) else '<='} {bound})"
    raise TypeError(test)


def _among(test: AtLeast | AtMost, ordered: Choice) -> list[str]:
    place = ordered.values.index(str(test.bound))
    return list(ordered.values[place:] if isinstance(test, AtLeast) else ordered.values[: place + 1])


def _logic(condition: Condition, facts: Mapping[str, Fact]) -> Anything:
    """A condition as JSONLogic."""
    match condition:
        case All(parts) | Any(parts):
            if not parts:
                return isinstance(condition, All)
            return {"and" if isinstance(condition, All) else "or": [_logic(part, facts) for part in parts]}
        case Not(part):
            return {"!": [_logic(part, facts)]}
        case Is(name, value):
            return {"==": [{"var": name}, value]}
        case Known():
            return True
        case Has(name, values, how):
            return {"and" if how == "all" else "or": [{"in": [value, {"var": name}]} for value in values]}
        case In(name, values):
            return {"in": [{"var": name}, list(values)]}
        case AtLeast(name, bound) | AtMost(name, bound):
            kind = facts[name].type
            if isinstance(kind, Choice):
                return {"in": [{"var": name}, _among(condition, kind)]}
            return {">=" if isinstance(condition, AtLeast) else "<=": [{"var": name}, bound]}
    raise TypeError(condition)


def _type(fact: Fact, google_cel: Anything) -> Anything:
    match fact.type:
        case YesNo():
            return google_cel.Type.BOOL
        case WholeNumber():
            return google_cel.Type.INT
        case SetOf():
            return google_cel.Type.List(google_cel.Type.STRING)
    return google_cel.Type.STRING


def _table(rules: RuleSet) -> str:
    """A decision table that collects: a row a rule, its condition in one cell."""
    rows = [
        {"_id": f"r{place}", "when": _text(rule.when, rules.facts, "zen"), "rule": str(place)}
        for place, rule in enumerate(rules.rules)
    ]
    content = {
        "hitPolicy": "collect",
        "inputs": [{"id": "when", "name": "when"}],
        "outputs": [{"id": "rule", "name": "rule", "field": "rule"}],
        "rules": rows,
    }
    nodes: Iterable[dict[str, Anything]] = (
        {"id": "in", "type": "inputNode", "name": "in"},
        {"id": "table", "type": "decisionTableNode", "name": "table", "content": content},
        {"id": "out", "type": "outputNode", "name": "out"},
    )
    edges = [
        {"id": "1", "type": "edge", "sourceId": "in", "targetId": "table"},
        {"id": "2", "type": "edge", "sourceId": "table", "targetId": "out"},
    ]
    return orjson.dumps({"nodes": [*nodes], "edges": edges}).decode()
