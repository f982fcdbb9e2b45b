"""onward case: where each of a person's legs stands, how it came there, what is due next."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from sqlalchemy import Connection

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import Asked, Looker, Seen, asks_who, enter_seen, look, shown
from services.cli.looking import case_of, find_persons
from services.cli.picture.compose import Viewer, compose
from services.cli.picture.html import page
from services.cli.picture.reading import directory_of, read_case
from services.cli.picture.records import CaseRows, Directory
from services.cli.picture.svg import standalone
from services.cli.picture.terminal import Drawn
from services.ground.migration import require_schema
from services.ground.world import open_store
from services.router.in_force import rules_of
from services.router.rules.mistakes import RuleSetRefused

OUT: Final = Path("-")  # standard output

T = TypeVar("T")


@asks_who
def case(
    person: Annotated[
        str, typer.Argument(help="A person, an identifier (PNC, CRO, CRN, NHS, NOMS), an event, a leg or a reference.")
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one HTML file that needs nothing else; - is the output.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one SVG file; - is the output.")] = None,
    viewer: Annotated[
        Viewer,
        typer.Option(
            "--for",
            help="Who will see it. person-side leaves out the other party's legs and all that concerns them.",
        ),
    ] = "ops",
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Draw a person's legs over time, with what happened and what is due. That you looked is kept in the audit log."""
    _refuse_what_does_not_go_together(html, svg, viewer, as_json=as_json)
    looker, files = who(), html is not None or svg is not None
    if as_json:
        terminal.print_json(terminal.run(_found(person, looker, case_of, lambda found: shown(found, "person_id"))))
        return
    purpose = f"case_for_{viewer}".replace("-", "_") if files else "operations"
    most = 1 if files else None
    found = terminal.run(_found(person, looker, read_case, _sections, purpose, most=most))
    places, now = terminal.run(_directory(viewer)), terminal.CLOCK.now()
    for picture in [compose(rows, places, now, viewer) for rows in found]:
        if html is not None:
            write(html, page(picture))
        if svg is not None:
            write(svg, standalone(picture))
        if not files:
            terminal.out.print(Drawn(picture))


def _sections(rows: CaseRows) -> list[str]:
    return shown({each.name: getattr(rows, each.name) for each in fields(rows)}, "person_id")


def _refuse_what_does_not_go_together(html: Path | None, svg: Path | None, viewer: Viewer, *, as_json: bool) -> None:
    to_output = [name for name, file in (("--html -", html), ("--svg -", svg)) if file == OUT]
    if as_json and (html or svg):
        terminal.fail("--json goes with neither --html nor --svg")
    if len(to_output) > 1:
        terminal.fail("only one of --html and --svg can go to the output")
    if as_json and viewer != "ops":
        terminal.fail("--json has all that is on record, for operations alone; it goes with no --for")


async def _found(
    text: str,
    who: Looker,
    read: Callable[[Connection, str], T],
    parts: Callable[[T], list[str]],
    purpose: str = "operations",
    *,
    most: int | None = None,
) -> list[T]:
    """What is on record of each person who is meant, each look kept. Ends the command where that is nobody."""
    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        persons = await database.read(lambda c: find_persons(c, text))
        if not persons:
            terminal.fail("nobody is known under that", code=terminal.NEEDS_ATTENTION)
        if most is not None and len(persons) > most:
            await enter_seen(database, who, [Seen(None, [("person", each) for each in persons], ["id"])])
            terminal.fail("several persons are known under that; name one of them: " + ", ".join(persons))

        def all_of_them(connection: Connection) -> list[T]:
            return [read(connection, each) for each in persons]

        def seen(found: list[T]) -> list[Seen]:
            of_each = zip(persons, found, strict=True)
            return [Seen(each, [("case", each)], parts(rows), purpose) for each, rows in of_each]

        return await look(database, who, all_of_them, seen)


async def _directory(viewer: Viewer) -> Directory:
    """The destinations of the rules in force. Whoever works for us sees the case without them too; nobody else does."""
    try:
        async with open_store(terminal.settings()) as database:
            await database.read(require_schema)
            return directory_of(await database.read(rules_of))
    except RuleSetRefused as refused:
        if viewer != "ops":
            terminal.fail(
                "without a rule set nobody can say which legs are on the person's side: "
                + "; ".join(str(mistake) for mistake in refused.mistakes)
            )
        terminal.err.print("[yellow]onward:[/yellow] the rule set cannot be read: destinations go by their ids")
        return Directory()


def write(file: Path, text: str) -> None:
    """Write a document where it was asked for; a file of ours is its owner's alone."""
    if file == OUT:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    terminal.write_private(file, text)
