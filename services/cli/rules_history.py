"""onward rules list and show: which versions there are, who put which in force and why, and what they say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table
from sqlalchemy import Connection, func, select

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import Asked, Looker, Seen, asks_who, look
from services.cli.looking import Row, rows
from services.cli.rules_diff import show_what_differs
from services.cli.rules_past import show_past
from services.ground.clock import for_people
from services.ground.migration import require_schema
from services.ground.opening import read_gently
from services.ground.sealing import ERASED
from services.ground.world import open_store
from services.router import store, versions

SHOWN_MOST = 5  # of the events that a version beside decides otherwise


def list_versions(as_json: JsonFlag = False) -> None:  # noqa: FBT002 - a flag of the command line
    """List what was done with which version, and what each router decides by."""
    found = terminal.run(_looked(None, None))
    if as_json:
        terminal.print_json(found)
        return
    _show_steps(terminal.literal(found))
    for router in terminal.literal(found["routers"]):
        said = f"router {router['instance']} decides by {router['digest'][:19]}"
        if router["refused"]:
            said += f" [red]and could not load {router['refused'][:19]}: {router['why']}[/]"
        elif router["digest"] != found["in_force"]:
            said += ", and by what is in force from its next batch on"
        terminal.say(said)


@asks_who
def show(
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="A version's digest, or its start.")],
    into: Annotated[Path | None, typer.Option("--into", help="Write its files into this new folder.")] = None,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Show one version: its history, what its plan was, and with --into its files as they were put forward."""
    found = terminal.run(_looked(digest, who()))
    if into is not None:
        _write(into, found["files"])
    if as_json:
        terminal.print_json(found)
        return
    terminal.out.print(f"{found['digest']}, {len(found['files'])} files", highlight=False)
    _show_steps(terminal.literal(found))
    _show_tried_out(terminal.literal(found["shadow"]))
    plans = [step["plan"] for step in found["steps"] if step["plan"]]
    if plans:
        show_plan(terminal.literal(plans[-1]))


def show_plan(plan: Row) -> None:
    """What changes from one version to the next: by name, by proof, and in what happened so far."""
    table = Table("", "Added", "Removed", "Changed", box=None, header_style="bold")
    for part in ("rules", "facts", "destinations", "promises"):
        names = plan[part]
        if any(names.values()):
            table.add_row(part, *("\n".join(names[kind]) or "-" for kind in ("added", "removed", "changed")))
    if table.row_count:
        terminal.out.print(table)
    for part in plan["other"]:
        terminal.out.print(f"{part} is changed", highlight=False)
    show_what_differs(plan)
    if plan["past"] is not None:
        show_past(plan["past"])
    if plan["floors"]:
        terminal.out.print("[yellow]Floors, or what they are made of or promise, change.[/]", highlight=False)


async def _looked(text: str | None, who: Looker | None) -> Row:
    """What was done with a version, or with all. Only what a version decided beside the others is of persons."""
    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        if who is None:
            return await database.read(lambda connection: _read(connection, text))
        return await look(database, who, lambda connection: _read(connection, text), _seen)


def _seen(found: Row) -> list[Seen]:
    events = [("event", event["event_id"]) for event in found["shadow"]["events"]]
    return [Seen(None, events, ["shadow_decisions"], "rules")] if events else []


def _read(connection: Connection, text: str | None) -> Row:
    now = versions.in_force(connection)
    found: Row = {
        "in_force": now.digest if now else None,
        "since": now.since if now else None,
        "routers": rows(connection, store.router_rules, store.router_rules.c.instance.is_not(None)),
    }
    digest = versions.digest_named(connection, text) if text is not None else None
    found["steps"] = versions.steps(connection, digest)
    if digest is not None:
        files = versions.files_of(connection, digest)
        found["shadow"] = _tried_out(connection, digest)
        found |= {"digest": digest, "files": {name: content.decode() for name, content in files.items()}}
    return found


def _tried_out(connection: Connection, digest: str) -> Row:
    """How often a version decided beside what was in force, and what of how many was otherwise."""
    tried = store.shadow_decisions.c
    of_this = tried.rule_set == digest
    compared = connection.execute(select(func.count()).where(of_this)).scalar_one()
    query = select(tried.decision_id, tried.event_id, tried.differs).where(of_this, tried.differs.is_not(None))
    found = read_gently(connection, query.order_by(tried.decision_id))
    differ = [(str(row["event_id"]), dict(row["differs"])) for row in found if row["differs"] != ERASED]
    return {
        "compared": compared,
        "differ": len(differ),
        "outcomes": dict(Counter(name for _, differs in differ for name in differs).most_common()),
        "events": [{"event_id": event, "differs": differs} for event, differs in differ[-SHOWN_MOST:]],
    }


def _show_tried_out(shadow: Row) -> None:
    if not shadow["compared"]:
        return
    terminal.out.print(
        f"Tried out beside {shadow['compared']:,} decisions: {shadow['differ']:,} differ"
        + (
            f" ({', '.join(f'{name} {count:,}' for name, count in shadow['outcomes'].items())})"
            if shadow["differ"]
            else ""
        ),
        highlight=False,
    )
    for event in shadow["events"]:
        for name, (mine, other) in event["differs"].items():
            terminal.say(f"    {terminal.short(event['event_id'])} {name}: {mine or 'none'}, beside {other or 'none'}")


def _show_steps(found: Row) -> None:
    table = Table(
        "When", Column("Version", no_wrap=True), "Step", "By", "Because", box=None, header_style="bold"
    )  # the reason last, which may be long
    for step in found["steps"]:
        here = "[green]●[/] " if step["digest"] == found["in_force"] else "  "
        table.add_row(
            for_people(step["at"]),
            f"{here}{step['digest'][7:19]}",
            step["step"].replace("_", " "),
            f"{step['by_user']} ({step['role']})",
            step["because"],
        )
    terminal.out.print(table)


def _write(into: Path, files: Row) -> None:
    if into.exists():
        terminal.fail(f"{into} is there already; name a new folder")
    for name, text in files.items():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    terminal.err.print(f"Wrote {len(files)} files into {into}.")
