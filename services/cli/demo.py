"""onward demo: the case, step by step, through the real queue; and then its picture and what was audited."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from nats.aio.client import Client
from rich.table import Table
from sqlalchemy import text

from services.audit.store import log_entries
from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.looking import Row, audit_of, case_of, trace_of
from services.cli.picture.compose import compose
from services.cli.picture.reading import directory_of, read_case
from services.cli.picture.terminal import Drawn
from services.cli.playing import begin, counted, happen
from services.cli.story import BEGINNING, Step, steps
from services.cli.wiring import whole_system
from services.ground import streams
from services.ground.clock import SetClock, for_people
from services.ground.errors import OnwardError
from services.ground.log import configure_logging
from services.ground.settings import Settings
from services.ground.world import World, connect
from services.router.in_force import rules_of


def demo(
    keep: Annotated[Path | None, typer.Option(help="Keep the demo's store and broker in this new folder.")] = None,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Play one man's case through the real queue, on a clock that jumps weeks, and show what became of it."""
    if keep is not None and keep.exists():
        terminal.fail(f"{keep} is there already; name a new folder")
    if as_json:
        terminal.out.quiet = True
    with tempfile.TemporaryDirectory(prefix="onward-demo-") as temporary:
        told = terminal.run(_play(keep or Path(temporary)))
    if as_json:
        terminal.print_json(told)
    if told["missed"]:
        terminal.fail("; ".join(told["missed"]), code=terminal.NEEDS_ATTENTION)


async def _play(folder: Path) -> Row:
    settings = Settings(
        data_dir=folder,
        database_url=None,
        nats_url=None,
        timer_seconds=0.03,  # nobody else uses its store: it may write as often as the story goes on
        flush_seconds=0.05,
        append_seconds=0.05,
        log_level="error",
    )
    configure_logging(settings)
    clock = SetClock(BEGINNING)
    told: Row = {"steps": [], "missed": []}
    terminal.out.print("[bold]Onward: one case, through a real nats-server and a real database.[/]\n")
    async with whole_system(settings, clock) as (world, _):
        connection = await connect(world, name="onward-demo")
        try:
            for step in steps():
                before = await _last(connection)
                await begin(step, world, connection, clock)
                told["steps"].append(await _step(step, world, connection, before, told["missed"]))
            await _end(world, told)
        finally:
            await connection.close()
    return told


async def _step(step: Step, world: World, connection: Client, before: int, missed: list[str]) -> Row:
    """Let one step happen, and tell what became of it.

    `before` is the last message that had left for a destination before the clock moved.
    """
    terminal.out.print(f"[bold]{for_people(world.clock.now())}[/]  {step.tells}")
    ids = [await _event_id(world, event) for event in await happen(step, world, connection)]
    found = [await world.database.read(partial(trace_of, event_id=id_)) for id_ in ids]
    _tell_decisions(found)
    left = await _left_since(connection, before)
    for message in left:
        data = message["data"]
        fields = ", ".join(sorted(data["fields"]))
        to = f"[bold]{data['destination']}[/] (priority {data['priority']})"
        terminal.out.print(f"    [green]{data['action']:>8}[/] -> {to}: {fields}", highlight=False)
    for expected in step.expects:
        right, count = await counted(expected, world)
        terminal.out.print(f"    {'[green]ok[/] ' if right else '[red]NOT[/]'} {expected.says}", highlight=False)
        if not right:
            missed.append(f"not so: {expected.says} ({count})")
    terminal.out.print()
    decisions = [decision for each in found for decision in each["decisions"]]
    return {
        "at": world.clock.now(),
        "tells": step.tells,
        "event_ids": ids,
        "rules": [rule["rule"] for decision in decisions for rule in decision["said"]["matched"]],
        "sent": [{name: m["data"][name] for name in ("destination", "action", "priority")} for m in left],
    }


def _tell_decisions(found: list[Row]) -> None:
    """The rules that decided a step's events, each once, and whom casework asked."""
    matched = [rule for each in found for decision in each["decisions"] for rule in decision["said"]["matched"]]
    for rule, because in {rule["rule"]: rule["because"] for rule in matched}.items():
        terminal.out.print(f"    [dim]{rule}[/]: {because}", highlight=False)
    for review in [review for each in found for review in each["reviews"]]:
        terminal.out.print(f"    [yellow]asks {review['role']}[/]: {review['question']}", highlight=False)


async def _end(world: World, told: Row) -> None:
    person = await world.database.read(lambda c: c.execute(text("SELECT person_id FROM cases")).scalar_one())
    case = await world.database.read(lambda c: case_of(c, person))
    entries = await world.database.read(lambda c: audit_of(c, log_entries.c.position >= 0))
    terminal.out.rule("The case")
    rows = await world.database.read(lambda c: read_case(c, person))
    terminal.out.print(
        Drawn(compose(rows, directory_of(await world.database.read(rules_of)), world.clock.now(), "ops"))
    )
    terminal.out.print()
    terminal.out.rule("What was audited")
    audited = Counter(entry["operation"] for entry in entries)
    table = Table("Operation", "Entries", "", box=None, header_style="bold")
    for operation, count in audited.most_common():
        of_these = [entry for entry in entries if entry["operation"] == operation]
        to = sorted({entry["recipient"] for entry in of_these if entry.get("recipient")})
        table.add_row(operation, str(count), ("to " + ", ".join(to)) if to else "")
    terminal.out.print(table)
    terminal.out.print(f"{len(entries)} entries in the log, each written in the transaction that did it.\n")
    terminal.out.print("What next: [bold]make up[/], then README.md: publish, tune a rule, read the audit log.")
    outcomes = sum(entry["purpose"] == "outcome" for entry in entries)
    told |= {"case": case, "audited": dict(audited), "outcomes": outcomes}


async def _event_id(world: World, event: dict[str, Any]) -> str:
    query = text("SELECT event_id FROM accepted_events WHERE source = :source AND origin_id = :id")
    values = {"source": event["source"], "id": event["id"]}
    found = await world.database.read(lambda c: c.execute(query, values).scalar())
    if found is None:
        aside = text("SELECT problems FROM quarantine ORDER BY id DESC LIMIT 1")
        problems = await world.database.read(lambda c: c.execute(aside).scalar())
        raise OnwardError(f"the event {event['id']} was not accepted: {problems}")
    return str(found)


async def _last(connection: Client) -> int:
    return (await connection.jetstream().stream_info(streams.ROUTE)).state.last_seq


async def _left_since(connection: Client, sequence: int) -> list[dict[str, Any]]:
    """What left for destinations after a place in the stream, read as they would."""
    js = connection.jetstream()
    last = await _last(connection)
    return [
        json.loads((await js.get_msg(streams.ROUTE, number)).data or b"{}") for number in range(sequence + 1, last + 1)
    ]
