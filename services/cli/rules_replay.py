"""onward rules replay: what a candidate rule set would have decided otherwise, over everything that was decided."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TimeRemainingColumn
from rich.table import Table

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import Asked, Looker, Seen, asks_who, enter_seen, search
from services.cli.looking import Row
from services.ground.collector import calm_collector
from services.ground.database import Database
from services.ground.errors import OnwardError
from services.ground.migration import require_schema
from services.ground.world import open_store
from services.router.in_force import rule_set_at
from services.router.rules.calendar import moment_of

CASES_MOST = 200  # changed cases that are told one by one, unless asked otherwise
SHOWN_CHANGES, SHOWN_WEEKS = 20, 13  # in a terminal; --json and --html tell all


@asks_who
def replay(
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="The folder of a rule set, or a digest.")],
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Only what was decided from this day on.")] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="DIGEST|DIR", help="Compared with these rules; else those in force."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page on which thresholds can be moved.")
    ] = None,
    most: Annotated[
        int, typer.Option("--cases", min=0, help="How many changed cases to tell one by one.")
    ] = CASES_MOST,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Replay a rule set over everything that was decided, with the facts as they were then.

    Tells which cases come out otherwise, with before, after and the rules responsible; how often each rule holds; and
    the work for each destination by week. Windows (`within: 28 days`) are counted anew where the candidate declares
    them otherwise. What a record lacks is unknown, never no. Nothing is changed; that you looked is kept in the audit
    log. Exits 0 whatever it finds, 2 when a rule set cannot be used.
    """
    found = terminal.run(_replay(candidate, _since(since), against, html, most, who()))
    if as_json:
        terminal.print_json(found)
    else:
        _show(terminal.literal(found))
        if html is not None:
            terminal.out.print(f"\nOpen {html} to move thresholds.", highlight=False, soft_wrap=True, markup=False)


def _since(said: str | None) -> datetime | None:
    if said is None:
        return None
    try:
        day = date.fromisoformat(said)
    except ValueError:
        terminal.fail(f"--since takes a day such as 2026-01-31, not {said!r}")
    return moment_of(day, time())


async def _replay(
    candidate: str, since: datetime | None, against: str | None, html: Path | None, most: int, who: Looker
) -> Row:
    # Not before they are needed: no other command should wait for numpy.
    from services.cli.replay_page.page import page
    from services.cli.replaying import history_of, moved_thresholds, read_past
    from services.router.rules.replay.compare import Replay
    from services.router.rules.replay.report import report_of
    from services.router.rules.replay.workload import Workload

    settings = terminal.settings()
    calm_collector()  # a million decisions are many objects and no cycle
    async with open_store(settings) as database:
        await database.read(require_schema)
        rules = await database.read(lambda c: rule_set_at(c, candidate))
        base = await database.read(lambda c: rule_set_at(c, against))
        with terminal.progress(TimeRemainingColumn()) as progress:
            task = progress.add_task("reading what was decided", total=None)
            read = await database.read(
                lambda c: read_past(c, since, lambda done, total: progress.update(task, completed=done, total=total))
            )
            if not len(read.past):
                raise OnwardError("nothing was decided in that time: there is nothing to replay")
            progress.update(task, description="replaying", completed=0, total=None)
            replayed = Replay(history_of(read, base), base)
            difference, workload = replayed.against(rules), Workload(replayed)
            found: Row = dict(report_of(difference, workload, kept=read.kept, most=most))
            await looked_at(database, who, found, "rules_replay", since)
            if html is not None:
                progress.update(task, description="moving thresholds")
                thresholds = moved_thresholds(
                    replayed, workload, rules, lambda done, total: progress.update(task, completed=done, total=total)
                )
                terminal.write_private(html, page(found, thresholds, terminal.CLOCK.now()))
    return found


async def looked_at(
    database: Database, who: Looker, found: Row, what: str, since: datetime | None = None, *, told: bool = True
) -> None:
    """Keep that somebody is about to look: at what was counted over everybody, as the search that it is; and, where
    cases are `told` one by one or as examples, at those, an entry a person.
    """
    records: dict[str, list[tuple[str, str]]] = {}
    for case in found["cases"] if told else ():
        records.setdefault(case["person_id"], []).append(("decision", case["decision_id"]))
    counted = search(what, since=since and since.date(), decisions=found["decisions"], persons=found["persons"])
    whole = Seen(None, [counted], ["facts", "said"], "rules")
    await enter_seen(database, who, [whole, *(Seen(p, seen, ["said"], "rules") for p, seen in records.items())])


def _show(found: Row) -> None:
    whose = f"{found['persons']:,} {'person' if found['persons'] == 1 else 'persons'}"
    terminal.say(
        f"[bold]{found['decisions']:,} decisions[/], {found['from']} to {found['until']}: "
        f"[bold]{found['changed']:,}[/] would come out otherwise, of {whose}."
    )
    terminal.say(f"[dim]before: {found['against']}\nafter:  {found['candidate']}[/]")
    for change in found["changes"][:SHOWN_CHANGES]:
        _show_change(change)
    if len(found["changes"]) > SHOWN_CHANGES:
        terminal.say(
            f"\n[dim]and {len(found['changes']) - SHOWN_CHANGES} more kinds of change: --json or --html tells all[/]"
        )
    _show_rules(found["rules"])
    _show_workload(found["workload"])
    _show_notes(found)


def _show_change(change: Row) -> None:
    terminal.say(f"\n[bold]{change['decisions']:,}[/] {'times' if change['decisions'] > 1 else 'time'}")
    for line in change["before"]:
        terminal.say(f"    [red]-[/] {line}")
    for line in change["after"]:
        terminal.say(f"    [green]+[/] {line}")
    for rule in change["rules"]:
        stood = f"{rule['before']}, now {rule['after']}" if rule["before"] != rule["after"] else rule["after"]
        terminal.say(
            f"    by {rule['rule']} ({stood}{', and asks for something else' if rule['asks_otherwise'] else ''})"
        )
    terminal.say(f"    [dim]such as {', '.join(change['examples'])}[/]")


def _show_rules(rules: list[Row]) -> None:
    table = Table("Rule", box=None, header_style="bold", title="Hits", title_justify="left")
    for name in ("held before", "after", "unknown before", "after"):
        table.add_column(name, justify="right")
    idle = [rule for rule in rules if not any((rule["held_before"], rule["held_after"]))]
    for rule in (rule for rule in rules if rule not in idle or rule["unknown_before"] != rule["unknown_after"]):
        before, after = (rule["held_before"], rule["unknown_before"]), (rule["held_after"], rule["unknown_after"])
        style = "bold" if before != after else "" if before[0] or before[1] else "dim"
        counts = (before[0], after[0], before[1], after[1])
        table.add_row(rule["rule"], *("-" if count is None else f"{count:,}" for count in counts), style=style)
    terminal.out.print()
    terminal.out.print(table)
    if idle:
        terminal.say(f"[dim]never held: {', '.join(rule['rule'] for rule in idle)}[/]")


def _show_workload(workload: Row) -> None:
    """Weeks down, destinations across: those whose work changes; where none does, the totals say so."""
    weeks, destinations = workload["weeks"], workload["destinations"]
    changed = [name for name, load in destinations.items() if load["before"] != load["after"]]
    terminal.out.print()
    if not changed:
        terminal.say("The work of no destination changes.")
        return
    table = Table(
        "Week from",
        box=None,
        header_style="bold",
        title="Work by week, where it changes: before > after",
        title_justify="left",
    )
    for name in changed:
        table.add_column(name, justify="right")
    turned = [n for n in range(len(weeks)) if any(_turns(destinations[name], n) for name in changed)]
    for place in turned[-SHOWN_WEEKS:]:
        table.add_row(weeks[place], *(_turned(destinations[name], place) for name in changed))
    totals = ({side: [sum(load[side])] for side in load} for load in (destinations[name] for name in changed))
    table.add_row("all weeks", *(_turned(total, 0) for total in totals), style="bold")
    terminal.out.print(table)
    if len(turned) > SHOWN_WEEKS:
        terminal.say(f"[dim]and {len(turned) - SHOWN_WEEKS} earlier weeks: --json or --html tells all[/]")


def _turns(load: Row, place: int) -> bool:
    return bool(load["before"][place] != load["after"][place])


def _turned(load: Row, place: int) -> str:
    before, after = load["before"][place], load["after"][place]
    return f"{before:,}" if before == after else f"{before:,} > {after:,}"


def _show_notes(found: Row) -> None:
    for lacks in found["not_known_then"]:
        terminal.say(
            f"[yellow]look:[/] {lacks['decisions']:,} records hold nothing that {lacks['fact']} could be read from: "
            "it is unknown there, not no."
        )
    for window in found["windows"]:
        otherwise = window["otherwise_than_kept"]
        doubt = f"; for {otherwise:,} decisions the past is not as it was then" if otherwise else ""
        terminal.say(f"[dim]{window['fact']} was counted anew from what happened{doubt}.[/]")
    missing = [each for each in found["decided_by"] if not each["kept"]]
    if missing:
        many = sum(each["decisions"] for each in missing)
        terminal.say(
            f"[yellow]look:[/] {many:,} were decided by rule sets that were not kept; their facts are read as before."
        )
