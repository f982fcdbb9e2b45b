"""onward rules test: a rule set's examples, what they show of its rules, and which mistakes they would notice."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from services.cli import terminal
from services.cli.config import JsonFlag
from services.router.rules.coverage import Shown, coverage_of
from services.router.rules.examples import read_examples
from services.router.rules.loader import load_rule_set
from services.router.rules.loading.examples import Example
from services.router.rules.mutants import mutants_of
from services.router.rules.mutation import Score, score_of, try_mutants
from services.router.rules.outcomes import ExampleResult, run_example
from services.router.rules.ruleset import RuleSet

if TYPE_CHECKING:
    from services.cli.looking import Row  # which would bring the store, and nothing here asks it

SHOWN_MOST = 25  # survivors in a terminal; `--json` and `--all` tell every one

AT_LEAST = 0.9  # of the small mistakes are noticed by some example


def run_all(
    folder: Annotated[Path | None, typer.Argument(help="A rule set; else the one that ONWARD_RULES_DIR names.")] = None,
    at_least: Annotated[float, typer.Option(min=0, max=1, help="The share of mistakes to be noticed.")] = AT_LEAST,
    every: Annotated[bool, typer.Option("--all", help="Show every mistake that nobody noticed.")] = False,  # noqa: FBT002
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Run the examples, and try small mistakes in every rule: which of them would an example notice?

    A mistake is one edit: a test turned around or left out, a bound moved by one, a value dropped from a list, a rule
    or an action removed, a priority changed. Needs no running system, changes nothing. Exits 2 when the rule set cannot
    be used, 1 when an example fails or fewer mistakes than `--at-least` are noticed.
    """
    found = terminal.run(_found(folder or terminal.settings().rules_dir)) | {"at_least": at_least}
    if as_json:
        terminal.print_json(found)
    else:
        _show(terminal.literal(found), len(found["survivors"]) if every else SHOWN_MOST)
    if found["failed"] or found["score"] < at_least:
        raise SystemExit(terminal.NEEDS_ATTENTION)


async def _found(folder: Path) -> Row:
    rules = load_rule_set(folder)
    return {"folder": str(folder), **worth_of(rules, read_examples(rules, folder))}


def failed_of(results: Iterable[ExampleResult]) -> list[Row]:
    """The examples of which something else came than they expect."""
    return [
        {"at": str(result.example.at), "name": result.example.name, "differences": list(result.differences)}
        for result in results
        if not result.passed
    ]


def worth_of(rules: RuleSet, examples: tuple[Example, ...]) -> Row:
    """What a rule set's examples are worth: `score` is the share of small mistakes that they notice."""
    results = [run_example(rules, example) for example in examples]
    shown = coverage_of(rules, [example.facts for example in examples])
    score = _tried(rules, examples)
    return {
        "rule_set": rules.digest,
        "rules": len(rules.rules),
        "examples": len(examples),
        "failed": failed_of(results),
        "tests": len(shown),
        "shown_both_ways": sum(one.both_ways for one in shown),
        "not_shown": [_not_shown(one) for one in shown if not one.both_ways],
        "mistakes": score.tried,
        "noticed": score.tried - len(score.survivors),
        "score": round(score.share, 4),
        "survivors": [{"at": str(mutant.at), "change": mutant.change} for mutant in score.survivors],
    }


def _tried(rules: RuleSet, examples: tuple[Example, ...]) -> Score:
    with terminal.progress() as progress:
        total = sum(1 for _ in mutants_of(rules))
        return score_of(list(progress.track(try_mutants(rules, examples), total, description="small mistakes")))


def _not_shown(one: Shown) -> Row:
    missing = [word for word, places in (("hold", one.holds_in), ("fail", one.fails_in)) if not places]
    return {"at": str(one.at), "rule": one.rule, "test": one.test, "not_shown_to": missing}


def _show(found: Row, most: int) -> None:
    for failed in found["failed"]:
        terminal.say(f"[red]{failed['at']}[/]: {failed['name']}")
        for difference in failed["differences"]:
            terminal.say(f"    {difference}")
    for one in found["not_shown"]:
        terminal.say(
            f"[yellow]{one['at']}[/]: {one['rule']}: no example shows it to {' or to '.join(one['not_shown_to'])}:"
        )
        terminal.say(f"    {one['test']}")
    for survivor in found["survivors"][:most]:
        terminal.say(f"[yellow]{survivor['at']}[/]: nobody noticed: {survivor['change']}")
    if len(found["survivors"]) > most:
        terminal.say(f"... and {len(found['survivors']) - most} more: --all")
    table = Table("", "Of", "", box=None, header_style="bold")
    passed = found["examples"] - len(found["failed"])
    table.add_row("examples pass", _share(passed, found["examples"]), _percent(passed, found["examples"]))
    both = found["shown_both_ways"]
    table.add_row("tests shown to hold and to fail", _share(both, found["tests"]), _percent(both, found["tests"]))
    noticed, tried = found["noticed"], found["mistakes"]
    table.add_row("small mistakes noticed", _share(noticed, tried), _percent(noticed, tried))
    terminal.out.print(table)
    if found["score"] < found["at_least"]:
        terminal.say(f"[red]Too few mistakes are noticed:[/] {found['score']:.1%} of {found['at_least']:.0%} wanted.")


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
