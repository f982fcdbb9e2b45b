"""onward case: where each of a person's legs stands, how it came there, what is due next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.looking import Row, case_of, consulted, find_persons
from services.ground.clock import LONDON, for_people
from services.ground.migration import require_schema
from services.ground.world import open_store

COLOURS = {
    "on_programme": "green",
    "on_hold": "yellow",
    "requested": "cyan",
    "acknowledged": "cyan",
    "accepted": "cyan",
}
LANE_WIDTH = 60
MARKS = "123456789abcdefghijklmnopqrstuvxyz"  # of events; w is a welfare check


def case(
    person: Annotated[
        str, typer.Argument(help="A person, an identifier (PNC, CRO, CRN, NHS, NOMS), an event, a leg or a reference.")
    ],
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show a person's legs, their history and what is due. That you looked is kept in the audit log."""
    cases = terminal.run(_cases(person))
    if not cases:
        terminal.fail("nobody is known under that", code=terminal.NEEDS_ATTENTION)
    if as_json:
        terminal.print_json(cases)
        return
    for found in cases:
        terminal.out.print(picture_of(terminal.literal(found)))


async def _cases(text: str) -> list[Row]:
    settings = terminal.settings()
    async with open_store(settings) as database:
        await database.read(require_schema)
        persons = await database.read(lambda c: find_persons(c, text))
        found = [await database.read(lambda c, p=person: case_of(c, p)) for person in persons]  # type: ignore[misc]
        now = terminal.CLOCK.now()
        for person in persons:
            record = [("case", person)]
            await database.write(
                lambda c, p=person, r=record: consulted(c, settings, now, person_id=p, records=r)  # type: ignore[misc]
            )
        return found


def picture_of(found: Row) -> Group:
    """One case for a terminal: lanes over time, legs, what is open, what is due."""
    parts: list[Table | Text] = [Text(f"person {found['person_id']}", style="bold")]
    if found["legs"]:
        parts.append(lanes_of(found))
        parts.append(_events(found))
        parts.append(_legs(found))
    parts += [table for table in (_pauses(found), _questions(found), _due(found)) if table.row_count]
    return Group(*parts)


def lanes_of(found: Row) -> Table:
    """A lane for each leg: its status over time, from the first event to the last that happened or is due."""
    moments = [row["at"] for row in found["history"]] + [row["occurred_at"] for row in found["events"]]
    until = [row["due_at"] for row in found["timers"] if row["kind"] in ("welfare_check", "pause_review")]
    start, end = min(moments), max(moments + until) + timedelta(days=1)

    def column(moment: datetime) -> int:
        return min(LANE_WIDTH - 1, int((moment - start) / (end - start) * LANE_WIDTH))

    lanes = Table(box=None, header_style="bold", padding=(0, 1))
    lanes.add_column("")
    lanes.add_column(f"{start.astimezone(LONDON):%d %b %Y}{'':^{LANE_WIDTH - 22}}{end.astimezone(LONDON):%d %b %Y}")
    last = column(max(moments))
    for leg in found["legs"]:
        cells = [(" ", "")] * LANE_WIDTH
        for step in (row for row in found["history"] if row["leg_id"] == leg["id"]):
            colour = COLOURS.get(step["to_status"], "white")
            mark = "░" if step["to_status"] == "on_hold" else "━"
            cells[column(step["at"]) : last + 1] = [(mark, colour)] * (last + 1 - column(step["at"]))
        for timer in found["timers"]:
            if timer["leg_id"] == leg["id"] and timer["kind"] in ("welfare_check", "pause_review"):
                cells[column(timer["due_at"])] = ("w" if timer["kind"] == "welfare_check" else "R", "bold yellow")
        lanes.add_row(leg["destination"], Text.assemble(*cells))
    events = [(" ", "")] * LANE_WIDTH
    for number, event in enumerate(found["events"]):
        events[column(event["occurred_at"])] = (MARKS[number % len(MARKS)], "bold")
    lanes.add_row("events", Text.assemble(*events))
    lanes.add_row("", Text("━ open  ░ paused  w welfare check due  R review due", style="dim"))
    return lanes


def _events(found: Row) -> Table:
    table = Table("Events", "", "", "", box=None, header_style="bold")
    for number, event in enumerate(found["events"]):
        mark, kind = MARKS[number % len(MARKS)], event["kind"].replace("_", " ")
        table.add_row(mark, for_people(event["occurred_at"]), kind, f"from {event['source']}")
    return table


def _legs(found: Row) -> Table:
    table = Table("Leg", "Status", "Since", "Priority", "Due", "Sent", "Id", box=None, header_style="bold")
    for leg in found["legs"]:
        sent = [row for row in found["deliveries"] if row["leg_id"] == leg["id"]]
        status = f"[{COLOURS.get(leg['status'], 'white')}]{leg['status']}[/]"
        due = for_people(leg["due_at"]) if leg["due_at"] else "-"
        since = for_people(leg["since"])
        table.add_row(leg["destination"], status, since, str(leg["priority"]), due, str(len(sent)), leg["id"])
    return table


def _pauses(found: Row) -> Table:
    names = {leg["id"]: leg["destination"] for leg in found["legs"]}
    table = Table("Pause", "", "", box=None, header_style="bold")
    for offer in found["offers"]:
        answer = offer["answer"] or "not answered yet"
        table.add_row(names[offer["leg_id"]], f"offered for {offer['for_days']} days", answer)
    for pause in found["pauses"]:
        ended = "ended" if pause["ended_at"] else "holds"
        table.add_row(names[pause["leg_id"]], f"agreed {pause['from_date']} to {pause['until_date']}", ended)
    return table


def _questions(found: Row) -> Table:
    table = Table("Open questions", "For", "Due", box=None, header_style="bold")
    for review in found["reviews"]:
        if review["answered_at"] is None:
            table.add_row(review["question"], review["role"], for_people(review["due_at"]))
    return table


def _due(found: Row) -> Table:
    names = {leg["id"]: leg["destination"] for leg in found["legs"]}
    table = Table("Due next", "", "", box=None, header_style="bold")
    for timer in [row for row in found["timers"] if row["kind"] != "review"][:12]:
        table.add_row(for_people(timer["due_at"]), timer["kind"].replace("_", " "), names.get(timer["leg_id"], ""))
    return table
