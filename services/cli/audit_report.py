"""onward audit report: for the controller, who consulted, and to whom what was disclosed and why."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import Asked, Looker, Seen, asks_who, enter_seen, search
from services.cli.looking import all_who_are, find_persons
from services.cli.report_page import page
from services.cli.reporting import Gathering, Line, Report, Times, as_rows
from services.ground.clock import LONDON, for_people
from services.ground.migration import require_schema
from services.ground.world import open_store

SHOWN_MOST: Final = 40  # lines of each table in a terminal
SEVERAL: Final = "; "  # between the fields or the reasons of a line of a CSV
FIELDS: Final = ("operation", "person_id", "recipient", "purpose", "lawful_basis", "because", "actor")
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


@asks_who
def report(
    person: Annotated[
        str | None, typer.Argument(help="A person, an identifier, an event, a leg or a reference; else everybody.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="DAY", help="From the beginning of this day in London.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="To the end of this day in London.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one page that needs nothing else.")] = None,
    as_csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write one line for each.")] = None,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Tell who consulted whose data, and to whom what was disclosed: which fields, why, on which lawful basis.

    Entries that say the same of the same person are one line with how often and when. It holds names of fields and
    reasons, never what a field held. That you made it is kept in the audit log too.
    """
    if as_json and (html or as_csv):
        terminal.fail("--json goes with neither --html nor --csv")
    period = (_day(since, "--since") or BEGINNING, (_day(until, "--until") or terminal.CLOCK.now()) + _A_DAY)
    found = terminal.run(_report(person, period, who()))
    now = terminal.CLOCK.now()
    if as_json:
        terminal.print_json(as_told(found))
        return
    if html is not None:
        terminal.write_private(html, page(found, now))
    if as_csv is not None:
        terminal.write_private(as_csv, as_text(found))
    if html is None and as_csv is None:
        _show(found)


_A_DAY: Final = timedelta(days=1)


def _day(text: str | None, option: str) -> datetime | None:
    """The beginning of a day in London."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        terminal.fail(f"{option}: {text!r} is no day, for example 2026-11-03")
    return datetime.combine(day, time(), LONDON)


async def _report(person: str | None, period: tuple[datetime, datetime], who: Looker) -> Report:
    since, until = period
    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        persons: list[str] = []
        if person is not None:
            meant = await database.read(lambda c: find_persons(c, person))
            if len(meant) != 1:
                terminal.fail(f"{len(meant) or 'no'} persons match that", code=terminal.NEEDS_ATTENTION)
            persons = await database.read(lambda c: all_who_are(c, meant[0]))
        which = search("audit_report", since=since.date() if since > BEGINNING else None, until=until.date())
        records = [which, *(("person", each) for each in persons)]
        await enter_seen(database, who, [Seen(persons[0] if persons else None, records, FIELDS, "audit")])
        gathering = Gathering(since, until, persons)
        with terminal.progress() as bar:
            task = bar.add_task("entries of the log", total=None)
            while await database.read(gathering.page):
                bar.update(task, completed=gathering.report.entries)
    return gathering.report


def as_told(found: Report) -> dict[str, Any]:
    """The report, for machines; moments in UTC."""
    rows = list(as_rows(found))
    return {
        "since": found.since,
        "until": found.until,
        "persons": list(found.persons) or None,
        "entries": found.entries,
        "consulted": [_without(row, "lawful_basis") for row in rows if row["operation"] == "consult"],
        "disclosed": [_without(row, "role", "organisation") for row in rows if row["operation"] == "disclose"],
    }


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("operation", *names)}


def as_text(found: Report) -> str:
    """One line for each, as a spreadsheet reads it; times are those of London, with their offset."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow((*Line._fields, "times", "first", "last", "positions"))
    for row in as_rows(found):
        writer.writerow(_plainly(value) for value in row.values())
    return written.getvalue()


def _plainly(value: object) -> str:
    """A cell. What a spreadsheet would take for a formula is written as text."""
    match value:
        case datetime():
            return value.astimezone(LONDON).isoformat(timespec="seconds")
        case tuple():
            text = SEVERAL.join(map(str, value))
        case _:
            text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _show(found: Report) -> None:
    for operation, title in (("consult", "Consulted"), ("disclose", "Disclosed")):
        lines = found.of(operation)
        times = sum(each.times for _, each in lines)
        terminal.say(f"\n[bold]{title}[/] {times:,} {'time' if times == 1 else 'times'}")
        if not lines:
            continue
        table = Table("Person", "By" if operation == "consult" else "To", box=None, header_style="bold")
        for heading in ("Times", "First", "Last", "Fields", "Why"):
            table.add_column(heading, justify="right" if heading == "Times" else "left")
        for line, when in lines[:SHOWN_MOST]:
            table.add_row(*_cells(line, when))
        terminal.out.print(table)
        if len(lines) > SHOWN_MOST:
            terminal.say(f"[dim]and {len(lines) - SHOWN_MOST:,} more lines: --csv, --html or --json[/]")
    terminal.say(f"\n{found.entries:,} entries, {_period(found)}. That you looked is one of the next.")
    terminal.say("#: the first one's position in the log, by which it is shown and proved: onward audit show, prove.")


def _cells(line: Line, when: Times) -> list[str]:
    who = f"{line.who} ({line.role})" if line.role else line.who
    why = "; ".join(line.why) or "-"
    basis = f" [{line.lawful_basis}]" if line.lawful_basis else ""
    whose = terminal.short(line.person_id) if line.person_id else ", ".join(line.records[:2]) or "-"
    cells = [whose, who, f"{when.times:,}\n#{when.positions[0]}", for_people(when.first), for_people(when.last)]
    return [str(terminal.literal(cell)) for cell in (*cells, ", ".join(line.fields), why + basis)]


def _period(found: Report) -> str:
    last = (found.until - _A_DAY).astimezone(LONDON)
    since = f"from {found.since.astimezone(LONDON):%d %b %Y} " if found.since > BEGINNING else ""
    return f"{since}to {last:%d %b %Y}"
