"""onward audit reconcile: whether every act on personal data has its audit entry, and every entry its act."""

from __future__ import annotations

from typing import Any

from rich.progress import TimeRemainingColumn
from rich.table import Table
from sqlalchemy import Connection, func, select

from services.audit.store import log_entries
from services.cli import terminal
from services.cli.acts import ACTS
from services.cli.config import JsonFlag
from services.cli.reconciling import Count, Reconciled, Reconciling
from services.ground.migration import require_schema
from services.ground.world import open_store

SHOWN_MOST = 50  # findings in a terminal; --json tells up to a thousand, and counts all


def reconcile(as_json: JsonFlag = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Look for acts without an audit entry, and for entries without their act, in the whole store.

    An entry that is kept and not in the log yet is on its way, not missing. Reads in pages, needs no running system,
    changes nothing. Exits 1 when something is missing.
    """
    found = terminal.run(_reconcile())
    if as_json:
        terminal.print_json(as_told(found))
    else:
        _show(found)
    if found.wrong:
        raise SystemExit(terminal.NEEDS_ATTENTION)


async def _reconcile() -> Reconciled:
    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        with terminal.progress(TimeRemainingColumn()) as bar, Reconciling() as work:
            task = bar.add_task("entries, acts and records", total=await database.read(_size))
            for piece in work.pages():
                bar.advance(task, await database.read(piece))
            return work.found


def _size(connection: Connection) -> int:
    """About how many rows will be looked at: each entry once, each act once, and the records that entries name."""
    entries = int(connection.execute(select(func.count()).select_from(log_entries)).scalar_one())
    acts = (connection.execute(select(func.count()).select_from(act.query.subquery())).scalar_one() for act in ACTS)
    return 4 * entries + sum(map(int, acts))


def as_told(found: Reconciled) -> dict[str, Any]:
    """What was found, for machines."""
    return {
        "entries": {"in_the_log": found.log.entered, "on_their_way": found.log.on_their_way},
        "acts": {kind: _counted(count) for kind, count in found.acts.items()},
        "records": {"named": found.records, "erased": found.erased, "of_unknown_kinds": dict(found.unknown)},
        "wrong": found.wrong,
        "findings": [finding._asdict() for finding in found.findings],
    }


def _counted(count: Count) -> dict[str, int]:
    return {
        "acts": count.acts,
        "entered": count.entered,
        "on_their_way": count.on_their_way,
        "missing": count.missing,
    }


def _show(found: Reconciled) -> None:
    table = Table("Act", box=None, header_style="bold")
    for heading in ("Acts", "Entered", "On their way", "Missing"):
        table.add_column(heading, justify="right")
    for kind, count in found.acts.items():
        missing = f"[red]{count.missing:,}[/]" if count.missing else "0"
        style = "" if count.acts else "dim"
        table.add_row(kind, f"{count.acts:,}", f"{count.entered:,}", f"{count.on_their_way:,}", missing, style=style)
    terminal.out.print(table)
    waiting = f", {found.log.on_their_way:,} on their way to it" if found.log.on_their_way else ""
    erased = f", {found.erased:,} of them erased since" if found.erased else ""
    terminal.say(f"{found.log.entered:,} entries in the log{waiting}; they name {found.records:,} records{erased}.")
    for kind, times in terminal.literal(dict(found.unknown)).items():
        terminal.say(f"[yellow]look:[/] {times:,} records of the kind {kind}, which this does not know how to find")
    for finding in found.findings[:SHOWN_MOST]:
        terminal.say(f"[red]{terminal.literal(finding.kind)} {terminal.literal(finding.id)}[/] {finding.why}")
    if found.wrong > SHOWN_MOST:
        terminal.say(f"and {found.wrong - SHOWN_MOST:,} more: --json")
    if not found.wrong:
        terminal.say("[green]Every act has its entry, and every entry its act.[/]")
