"""onward status: each service, what waits, where and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from nats.js import JetStreamContext
from rich.table import Table

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.looking import Row, state_of_the_store
from services.cli.old_copy import known_keys, lacks_what_was_signed, signed_outside
from services.ground.clock import WallClock, for_people
from services.ground.migration import require_schema
from services.ground.nats_server import running_server
from services.ground.streams import SERVICES, feeds_of, partitions_of, require_declared
from services.ground.world import World, connect, open_store

UNSIGNED_FOR = timedelta(minutes=1)  # entries of the audit log, after which somebody should look


def status(as_json: JsonFlag = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Show each service, what waits and since when. Exits 1 when somebody should look."""
    state = terminal.run(_state())
    if as_json:
        terminal.print_json(state)
    else:
        _show(state)
    if state["attention"]:
        raise SystemExit(terminal.NEEDS_ATTENTION)


async def _state() -> Row:
    settings, clock = terminal.settings(), WallClock()
    outside = signed_outside(settings)
    async with open_store(settings) as database:
        await database.read(require_schema)
        now = clock.now()
        state = await database.read(lambda c: state_of_the_store(c, now))
        url = settings.nats_url or await running_server(settings)
        state["services"] = await _services(World(settings, clock, database, url), state, now) if url else []
        routers: list[str] = next((s["instances"] for s in state["services"] if s["service"] == "router"), [])
        state["rules"]["refused"] = [row for row in state["rules"]["refused"] if row["instance"] in routers]
        del state["leases"], state["instances"]
        keys = await database.read(lambda c: known_keys(c, settings))
        state["log"]["old_copy"] = lacks_what_was_signed(outside, state["log"]["entries"], keys)
        state["at"] = now
        state["attention"] = _attention(state)
        return state


async def _services(world: World, state: Row, now: datetime) -> list[Row]:
    connection = await connect(world, name="onward-status")
    try:
        js = connection.jetstream(timeout=world.settings.publish_seconds)
        return [await _service(name, js, world, state, now) for name in SERVICES]
    finally:
        await connection.close()


async def _service(name: str, js: JetStreamContext, world: World, state: Row, now: datetime) -> Row:
    """One service: who runs it, and what its consumers have left to take."""
    await require_declared(js, name, world.settings)
    recent = now - timedelta(seconds=world.settings.lease_seconds * 2)
    alive = [row for row in state["instances"] if row["service"] == name and row["seen_at"] > recent]
    held = [row for row in state["leases"] if row["service"] == name and row["until"] and row["until"] > recent]
    to_take = state["log"]["waiting"] if name == "audit" else 0
    in_hand = again = 0
    oldest: datetime | None = state["log"]["entered_at"] if name == "audit" else None
    for feed in feeds_of(name, world.settings):
        info = await js.consumer_info(feed.stream, feed.durable)
        to_take += info.num_pending or 0
        in_hand += info.num_ack_pending or 0
        again += info.num_redelivered or 0
        if (info.num_pending or info.num_ack_pending) and info.ack_floor is not None:
            first = await _time_of(js, feed.stream, info.ack_floor.stream_seq + 1)
            oldest = min(filter(None, (oldest, first)), default=None)
    return {
        "service": name,
        "running": len(alive),
        "instances": [row["owner"] for row in alive],
        "partitions_held": len(held),
        "partitions": partitions_of(name, world.settings),
        "taken": sum(row["taken"] for row in alive),
        "to_take": to_take,
        "in_hand": in_hand,
        "delivered_again": again,
        "oldest": oldest,
    }


async def _time_of(js: JetStreamContext, stream: str, sequence: int) -> datetime | None:
    try:
        message: Any = await js.get_msg(stream, sequence)
    except Exception:  # noqa: BLE001 - aged out, or of another partition: then its age is not known
        return None
    stored_at = getattr(message, "time", None)
    return stored_at.astimezone(UTC) if isinstance(stored_at, datetime) else None


def _attention(state: Row) -> list[str]:
    """Why somebody should look."""
    old_copy = state["log"]["old_copy"]
    why = [] if state["services"] else ["nothing runs here" if old_copy else "nothing runs here: onward up"]
    signer_tells = any(alarm["name"] == "signing" for alarm in state["log"]["alarms"])
    why += [old_copy] if old_copy and not signer_tells else []
    why += [f"{s['service']} is not running" for s in state["services"] if not s["running"]]
    why += [
        f"{s['service']}: nobody holds {s['partitions'] - s['partitions_held']} of {s['partitions']} partitions"
        for s in state["services"]
        if s["running"] and s["partitions_held"] < s["partitions"]
    ]
    if state["quarantine"]["waiting"]:
        why.append(f"{state['quarantine']['waiting']} in quarantine (onward quarantine list)")
    rules = state["rules"]
    why += [f"router {r['instance']} cannot load the rules in force: {r['why']}" for r in rules["refused"]]
    if state["reviews"]["overdue"]:
        why.append(f"{state['reviews']['overdue']} questions to humans are overdue")
    if state["failing"]:
        why.append(f"{state['failing']} messages are failing and will be tried again")
    log = state["log"]
    why += [f"the audit log, {alarm['name']}: {alarm['why']}" for alarm in log["alarms"]]
    if log["waits_since"] is not None and state["at"] - log["waits_since"] > UNSIGNED_FOR:
        unsigned = log["entries"] + log["waiting"] - log["signed"]
        why.append(f"{unsigned} entries of the audit log wait to be signed for more than a minute")
    for name, what in (("outbox", "unsent"), ("before_their_predecessor", "waiting")):
        oldest = state[name]["oldest"]
        if oldest is not None and state["at"] - oldest > timedelta(minutes=1):
            why.append(f"{state[name][what]} messages wait in {name.replace('_', ' ')} for more than a minute")
    return why


def _show(state: Row) -> None:
    table = Table("Service", box=None, header_style="bold")
    for heading in ("Running", "Partitions", "Taken", "To take", "In hand", "Oldest"):
        table.add_column(heading, justify="right")
    for s in state["services"]:
        running = f"[green]{s['running']}[/]" if s["running"] else "[red]0[/]"
        held = f"{s['partitions_held']} of {s['partitions']}"
        oldest = terminal.ago(s["oldest"], state["at"])
        table.add_row(s["service"], running, held, str(s["taken"]), str(s["to_take"]), str(s["in_hand"]), oldest)
    terminal.out.print(table)
    waits = Table("Waits", box=None, header_style="bold")
    waits.add_column("How many", justify="right")
    waits.add_column("Oldest", justify="right")
    for label, name, what in (
        ("to be sent (outbox)", "outbox", "unsent"),
        ("in quarantine", "quarantine", "waiting"),
        ("for its sender (refused, and told why)", "refused", "told"),
        ("for a predecessor", "before_their_predecessor", "waiting"),
    ):
        waits.add_row(label, str(state[name][what]), terminal.ago(state[name]["oldest"], state["at"]))
    waits.add_row("for a human's answer", str(state["reviews"]["open"]), f"{state['reviews']['overdue']} overdue")
    terminal.out.print(waits)
    rules = state["rules"]
    if rules["in_force"]:
        waiting = f"; {rules['proposed']} put forward wait for approval" if rules["proposed"] else ""
        since = for_people(rules["since"])
        terminal.out.print(f"Rules {rules['in_force'][7:19]} in force since {since}{waiting}", highlight=False)
    _show_log(state["log"], state["at"])
    for why in state["attention"]:
        terminal.out.print(f"[yellow]look:[/] {why}", highlight=False)
    if not state["attention"]:
        terminal.out.print("[green]All is well.[/]")


def _show_log(log: Row, now: datetime) -> None:
    signed = f"{log['signed']} signed {terminal.ago(log['signed_at'], now)} ago" if log["signed"] else "not signed yet"
    seen = f"; seen by {', '.join(log['witnesses'])}" if log["witnesses"] else ""
    terminal.out.print(f"Audit log: {log['entries']} entries, {signed}{seen}", highlight=False)
