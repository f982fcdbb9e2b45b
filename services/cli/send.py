"""onward send: publish as a source does, checked before it leaves, with its receipt."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy
from rich.progress import track

from schemas.envelope import Channel, EventType
from schemas.reading import Unreadable
from schemas.registry import INTAKE, read_submission
from services.cli import terminal
from services.cli.config import JsonFlag
from services.ground import streams
from services.ground.clock import WallClock
from services.ground.nats_server import running_server
from services.ground.world import connect, open_world

ABOUT_A_LEG: Final = tuple(f".{channel}" for channel in (Channel.PROGRESS, Channel.DECISION))  # ends of subjects


@dataclass(frozen=True)
class Checked:
    """A message that intake will be able to read."""

    raw: bytes
    channel: Channel
    source: str
    id: str

    @property
    def digest(self) -> str:
        """By what its receipt is known: of a message that was refused before it was read, that has no id."""
        return hashlib.sha256(self.raw).hexdigest()


def send(
    file: Annotated[str, typer.Argument(help="A file with one event, or many as NDJSON; - for standard input.")],
    source: Annotated[str, typer.Option(help="Who sends: the source in the subject, as in the message.")],
    channel: Annotated[Channel | None, typer.Option(help="Found from the message's type unless given.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for receipts; 0 for none.")] = 5.0,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Check a message as intake will, publish it, and show what became of it."""
    messages = [check(raw, source, channel, place) for place, raw in _read(file)]
    if not messages:
        terminal.fail(f"{file}: nothing to send")
    receipts = terminal.run(deliver(messages, wait))
    if as_json:
        terminal.print_json(receipts)
    elif len(receipts) == 1:
        show(terminal.literal(receipts[0]))
    else:
        outcomes = [str(receipt["outcome"]) for receipt in receipts]
        terminal.out.print(", ".join(f"{outcomes.count(o)} {o}" for o in sorted(set(outcomes))))
    if any(receipt["outcome"] in ("refused", "conflict") for receipt in receipts):
        raise SystemExit(terminal.NEEDS_ATTENTION)


def _read(file: str) -> list[tuple[str, bytes]]:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        terminal.fail(f"{file}: {error.strerror}")
    lines = [line for line in content.splitlines() if line.strip()]
    if (
        len(lines) > 1
        and all(line.lstrip().startswith(b"{") for line in lines[:2])
        and lines[0].rstrip().endswith(b"}")
    ):
        return [(f"{file}:{number}", line) for number, line in enumerate(lines, 1)]
    return [(file, content)] if content.strip() else []


def check(raw: bytes, source: str, channel: Channel | None, place: str) -> Checked:
    """The message as it will be sent. Ends the command, before anything was sent, with all that is wrong."""
    chosen = channel or _channel_of(raw)
    try:
        message = read_submission(raw, chosen)
    except Unreadable as error:
        problems = "\n".join(f"  {p.place or '(the message)'}: {p.message}" for p in error.problems)
        terminal.fail(f"{place} cannot be sent; nothing was:\n{problems}", code=terminal.NEEDS_ATTENTION)
    if message.source != source:
        terminal.fail(
            f"{place} cannot be sent; nothing was:\n  /source: is not the source that --source names",
            code=terminal.NEEDS_ATTENTION,
        )
    return Checked(raw, chosen, message.source, message.id)


def _channel_of(raw: bytes) -> Channel:
    try:
        stated = orjson.loads(raw).get("type")
    except (orjson.JSONDecodeError, AttributeError):
        return Channel.REFERRAL  # the check then says what is wrong with it
    return next((channel for channel, types in INTAKE.items() if stated in types), Channel.REFERRAL)


async def deliver(messages: list[Checked], wait: float) -> list[dict[str, object]]:
    """Publish, and wait for the receipts. Nothing is waited for where no system runs: the broker keeps it for later."""
    settings = terminal.settings()
    live = settings.nats_url or await running_server(settings)
    async with open_world(settings, WallClock(), stay="visiting") as world:
        if live is None:
            from services.cli.wiring import migrate  # which brings every service: nobody else here waits for them

            await migrate(world)
        connection = await connect(world, name="onward-send")
        js = connection.jetstream(timeout=settings.publish_seconds)
        repeated: set[str] = set()
        before = await receipts_so_far(js)
        try:
            shown = track(messages, "Sending", console=terminal.err, disable=len(messages) < 50, transient=True)
            for message in shown:
                kept = await js.publish(
                    f"intake.{message.source}.{message.channel}",
                    message.raw,
                    stream=streams.INTAKE,
                    headers={"Nats-Msg-Id": _message_id(message)},
                )
                if kept.duplicate:  # the broker has these very bytes already, and so has intake or will
                    repeated.add(message.digest)
            if live is None:
                terminal.err.print("Stored; no system is running here, so it waits for `onward up`.")
                return [{"id": message.id, "outcome": "stored"} for message in messages]
            return await receipts_of(js, messages, repeated=repeated, before=before, wait=wait)
        finally:
            await connection.close()


def _message_id(message: Checked) -> str:
    """Derived from (source, id) and the content: a repeat is dropped by the broker, a conflict still reaches intake."""
    return hashlib.sha256(b"\0".join([message.source.encode(), message.id.encode(), message.raw])).hexdigest()


async def receipts_so_far(js: JetStreamContext) -> int:
    """The place of the newest receipt: what is sent from now on has a later one."""
    return int((await js.stream_info(streams.RECEIPT)).state.last_seq)


async def receipts_of(
    js: JetStreamContext, messages: list[Checked], *, before: int, wait: float, repeated: Collection[str] = ()
) -> list[dict[str, object]]:
    """What became of each message; `sent` for those that have no receipt in time."""
    waiting = {message.digest for message in messages}.difference(repeated)
    found: dict[str, dict[str, object]] = {known: {"outcome": "repeated", "event_id": None} for known in repeated}
    start = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=before + 1)
    subscription = await js.subscribe(
        f"receipt.{messages[0].source}", stream=streams.RECEIPT, ordered_consumer=True, config=start
    )
    until = time.monotonic() + wait
    while waiting and time.monotonic() < until:
        try:
            message = orjson.loads((await subscription.next_msg(timeout=0.2)).data)
        except (TimeoutError, NatsTimeout):
            continue
        receipt = message["data"]
        if message["type"] == EventType.RECEIPT_ISSUED and receipt.get("digest") in waiting:  # not an outcome
            waiting.discard(receipt["digest"])
            found[receipt["digest"]] = receipt
    return [
        {"id": m.id, **found.get(m.digest, {"outcome": "sent", "event_id": None, "problems": []})} for m in messages
    ]


def show(receipt: dict[str, object]) -> None:
    """What became of one message, for people."""
    colour = {"accepted": "green", "repeated": "yellow", "sent": "yellow", "stored": "yellow"}
    outcome = str(receipt["outcome"])
    terminal.out.print(f"[{colour.get(outcome, 'red')}]{outcome}[/] {receipt['id']}", highlight=False)
    if receipt.get("event_id"):
        terminal.say(f"event {receipt['event_id']}   (onward trace {receipt['event_id']})")
    if outcome == "accepted" and str(receipt.get("subject")).endswith(ABOUT_A_LEG):
        terminal.say("Should its leg not allow it, a second receipt says so, and so does the trace.")
    if outcome == "sent":
        terminal.out.print("The broker keeps it; no receipt came in time. Send again whenever unsure: it is harmless.")
    problems = receipt.get("problems")
    for problem in problems if isinstance(problems, list) else []:
        terminal.out.print(f"  {problem['place'] or '(the message)'}: {problem['message']}", highlight=False)
