"""onward rules check: a rule set as routers will read it, its examples, and what can be proved of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.rules_examples import failed_of
from services.cli.rules_proofs import (
    WITHIN,
    clock,
    decided_in_words,
    decided_json,
    event_in_words,
    event_json,
)
from services.ground.errors import OnwardError
from services.router.rules.examples import read_examples
from services.router.rules.loader import load_rule_set
from services.router.rules.loading.examples import Example
from services.router.rules.outcomes import run_example
from services.router.rules.ruleset import RuleSet

if TYPE_CHECKING:
    from services.cli.looking import Row  # which would bring the store, and nothing here asks it

GROUPS = {
    "dead": "rules that hold for no event",
    "vacuous": "promises about no event",
    "broken": "promises that are broken",
    "contradiction": "a pause and a resume at once",
    "redundant": "rules that change nothing",
    "never decides": "tests that never decide",
    "gap": "events that no rule knows what to do with",
}
ALL_FINE = {
    "dead": "every rule holds for some event",
    "broken": "every promise is kept, whatever the event",
    "contradiction": "no pause and resume at once",
    "redundant": "no rule could be left out",
    "never decides": "every test decides somewhere",
    "gap": "every event is known what to do with",
}


def check(
    folder: Annotated[Path | None, typer.Argument(help="A rule set; else the one that ONWARD_RULES_DIR names.")] = None,
    save: Annotated[bool, typer.Option("--save", help="Keep each event that breaks a promise as an example.")] = False,  # noqa: FBT002
    within: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Time for all proofs together.")] = WITHIN,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Read a rule set as routers will, run its examples, and prove its promises of every event there can be.

    Finds rules that never hold, that change nothing (and which cover them), promises that are broken (with the smallest
    event that breaks each, confirmed by the engine that decides) or empty, pauses that meet resumes, tests that never
    decide, and events that no rule knows what to do with. Needs no running system, changes nothing without --save.

    Exits 0 when it is fit for use (warnings may remain), 2 with every mistake and its place when it cannot be read, and
    1 when an example fails, no example hits a rule, something is wrong, or was not proved in time.
    """
    found = terminal.run(_found(folder or terminal.settings().rules_dir, within, save=save))
    if as_json:
        terminal.print_json(found)
    else:
        show_fitness(terminal.literal(found))
    if not found["fit"]:
        raise SystemExit(terminal.NEEDS_ATTENTION)


async def _found(folder: Path, within: float, *, save: bool) -> Row:
    started = time.perf_counter()
    rules = load_rule_set(folder)
    found = fitness_of(rules, read_examples(rules, folder), folder, within)
    to_save = found.pop("to_save")
    saved = {"saved": _save(folder, to_save)} if save else {}
    return {**found, **saved, "seconds": round(time.perf_counter() - started, 3)}


def fitness_of(rules: RuleSet, examples: tuple[Example, ...], folder: Path, within: float = WITHIN) -> Row:
    """What `onward rules check` says of the rule set in a folder: `fit` tells whether it may be used.

    `to_save` are examples, as (file, text), of the events that break its promises.
    """
    results = [run_example(rules, example) for example in examples]
    hit = {matched.rule for result in results for matched in result.decision.matched}
    proved = _proved(rules, examples, clock(within))
    failed = failed_of(results)
    never_hit = sorted({rule.id for rule in rules.rules} - hit)
    return {
        "folder": str(folder),
        "rule_set": rules.digest,
        "rules": len(rules.rules),
        "promises": len(rules.invariants),
        "examples": len(results),
        "failed": failed,
        "never_hit": never_hit,
        **proved,
        "fit": not (failed or never_hit or any(one["weight"] == "error" for one in proved["findings"])),
    }


def _proved(rules: RuleSet, examples: tuple[Example, ...], left: Callable[[], float]) -> Row:
    from services.router.rules.prove.checks import all_checks, questions_in  # the solver loads for who proves
    from services.router.rules.prove.proofs import Proofs
    from services.router.rules.prove.saved import broken_promises, example_of, file_for
    from services.router.rules.prove.twins import missing_twins

    proofs = Proofs(rules, left)
    with terminal.progress() as bar:
        every = list(bar.track(all_checks(proofs), questions_in(proofs), description="proofs"))
    counted: dict[str, int] = {}
    for one in every:
        counted[one.check] = counted.get(one.check, 0) + (one.verdict == "fine")
    return {
        "proved": counted,
        "findings": [
            {
                "check": one.check,
                "verdict": one.verdict,
                "weight": one.weight,
                "subject": one.subject,
                "at": str(one.at) if one.at else None,
                "says": one.says,
                "event": event_json(one.witness),
                "decided": decided_json(rules, one.decision),
                "others": list(one.others),
            }
            for one in every
            if one.verdict != "fine"
        ],
        "no_example": [
            {"rule": m.rule, "test": m.test, "at": str(m.at), "side": m.side, "event": event_json(m.witness)}
            for m in missing_twins(proofs, [example.facts for example in examples])
        ],
        "to_save": [(file_for(promise), example_of(rules, promise, f)) for promise, f in broken_promises(rules, every)],
    }


def _save(folder: Path, files: Iterable[tuple[str, str]]) -> list[Row]:
    """Write examples that are not there; what somebody may have looked at and changed is left as it is."""
    saved = []
    for name, text in files:
        file = folder / name
        there = file.exists()
        if not there:
            try:
                file.parent.mkdir(exist_ok=True)
                file.write_text(text, encoding="utf-8")
            except OSError as error:
                raise OnwardError(f"cannot write {file}: {error.strerror}") from None
        saved.append({"file": str(file), "written": not there})
    return saved


def show_fitness(found: Row) -> None:
    """Tell people what was proved, and what must be mended where."""
    counted = f"{found['rules']} rules, {found['promises']} promises, {found['examples']} examples"
    terminal.say(f"{counted}, {found['rule_set']}")
    for failed in found["failed"]:
        terminal.say(f"[red]{failed['at']}[/]: the example fails: {failed['name']}")
        for difference in failed["differences"]:
            terminal.say(f"    {difference}")
    for rule in found["never_hit"]:
        terminal.say(f"[red]no example hits {rule}[/]")
    for check_, title in GROUPS.items():
        those = [one for one in found["findings"] if one["check"] == check_]
        if those:
            terminal.say(f"\n[bold]{title[0].upper()}{title[1:]}[/]")
        elif check_ in ALL_FINE and found["proved"].get(check_):
            terminal.say(f"[green]proved[/] {ALL_FINE[check_]} [dim]({found['proved'][check_]})[/]")
        for one in those:
            _show_finding(one)
    _show_twins(found["no_example"])
    for saved in found.get("saved", ()):
        terminal.say(
            f"saved {saved['file']}" if saved["written"] else f"{saved['file']} is there already and was left as it is"
        )
    terminal.say("")
    wrong = sum(one["weight"] == "error" for one in found["findings"]) + len(found["failed"]) + len(found["never_hit"])
    if found["fit"]:
        terminal.say(f"[green]Fit for use:[/] onward rules activate {found['folder']} --by NAME --because TEXT")
    else:
        terminal.say(f"[red]Not fit for use:[/] {wrong} to mend.")


def _show_finding(one: Row) -> None:
    colour = {"error": "red", "warning": "yellow", "report": "cyan"}[one["weight"]]
    word = "not proved" if one["verdict"] == "not proved" else one["subject"]
    at = f"{one['at']}: " if one["at"] else ""
    who = f"{one['subject']}: " if word == "not proved" else ""
    terminal.say(f"[{colour}]{at}{word}[/]: {who}{one['says']}")
    if one["event"] is not None:
        terminal.say(f"    [bold]event[/]    {event_in_words(one['event'])}")
        terminal.say(f"    [bold]decided[/]  {decided_in_words(one['decided'])}")


def _show_twins(missing: list[Row]) -> None:
    if missing:
        terminal.say("\n[bold]Tests that no example shows both to hold and to fail[/]")
    for one in missing:
        terminal.say(f"[yellow]{one['at']}[/]: {one['rule']}: no example shows this to {one['side']}: {one['test']}")
        if one["event"] is not None:
            terminal.say(f"    [bold]such as[/]  {event_in_words(one['event'])}")
