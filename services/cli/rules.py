"""onward rules: look at a rule set before it runs, and at what it decided."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli import (
    rules_examples,
    rules_explain,
    rules_facts,
    rules_history,
    rules_replay,
    rules_versions,
    terminal,
)
from services.cli.config import JsonFlag
from services.cli.looking import Row
from services.router.rules.examples import run_examples
from services.router.rules.loader import load_rule_set

app = typer.Typer(no_args_is_help=True)
app.command(epilog="Example: onward rules facts --json")(rules_facts.facts)
app.command(epilog="Example: onward rules schema .schemas rulesets/candidate")(rules_facts.schema)
app.command(epilog="Example: onward rules explain NS-2025-0031877 --why-not residential_rehab")(rules_explain.explain)
app.command(epilog="Example: onward rules replay rulesets/candidate --since 2026-01-01 --html change.html")(
    rules_replay.replay
)
app.command(name="test", epilog="Example: onward rules test rulesets/candidate --at-least 0.95")(rules_examples.run_all)

_WHO = '--by a.khan --because "Two relapses in a month, not three"'
app.command(epilog=f"Example: onward rules activate rulesets/candidate {_WHO}")(rules_versions.activate)
app.command(epilog="Example: onward rules approve 3f9c --by j.lee --role safeguarding_lead")(rules_versions.approve)
app.command(epilog=f"Example: onward rules withdraw 3f9c {_WHO}")(rules_versions.withdraw)
app.command(epilog=f"Example: onward rules rollback {_WHO}")(rules_versions.rollback)
app.command(name="list", epilog="Example: onward rules list")(rules_history.list_versions)
app.command(epilog="Example: onward rules show 3f9c --into rulesets/as-it-was")(rules_history.show)


@app.command(epilog="Example: onward rules check rulesets/candidate")
def check(
    folder: Annotated[Path | None, typer.Argument(help="A rule set; else the one that ONWARD_RULES_DIR names.")] = None,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Read a rule set as routers will, and run its examples. Needs no running system, changes nothing.

    Exits 2 with every mistake and its place when it cannot be used, 1 when an example comes out otherwise than expected
    or a rule is hit by none.
    """
    found = terminal.run(_check(folder or terminal.settings().rules_dir))
    if as_json:
        terminal.print_json(found)
    else:
        _show(terminal.literal(found))
    if found["failed"] or found["never_hit"]:
        raise SystemExit(terminal.NEEDS_ATTENTION)


async def _check(folder: Path) -> Row:
    rules = load_rule_set(folder)
    results = run_examples(rules, folder)
    hit = {matched.rule for result in results for matched in result.decision.matched}
    return {
        "folder": str(folder),
        "rule_set": rules.digest,
        "rules": len(rules.rules),
        "examples": len(results),
        "failed": [
            {"at": str(result.example.at), "name": result.example.name, "differences": list(result.differences)}
            for result in results
            if not result.passed
        ],
        "never_hit": sorted({rule.id for rule in rules.rules} - hit),
    }


def _show(found: Row) -> None:
    terminal.out.print(
        f"{found['rules']} rules, {found['examples']} examples, {found['rule_set']}", highlight=False, soft_wrap=True
    )
    for failed in found["failed"]:
        terminal.out.print(f"[red]{failed['at']}[/]: {failed['name']}", highlight=False, soft_wrap=True)
        for difference in failed["differences"]:
            terminal.out.print(f"    {difference}", highlight=False, soft_wrap=True)
    for rule in found["never_hit"]:
        terminal.out.print(f"[yellow]look:[/] no example hits {rule}", highlight=False)
    if not found["failed"] and not found["never_hit"]:
        terminal.out.print(
            f"[green]Fit for use:[/] onward rules activate {found['folder']} --by NAME --because TEXT",
            highlight=False,
            soft_wrap=True,
        )
