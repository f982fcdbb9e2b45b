"""onward audit tail: entries as they come, from the queue, each consumer from where it was."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import nats
import orjson
import typer
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError
from sqlalchemy import select

from services.audit import store
from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import Asked, Looker, Seen, asks_who, enter_seen, search
from services.ground.clock import for_people
from services.ground.database import Database
from services.ground.errors import BrokerUnreachable, OnwardError, StoreUnusable
from services.ground.migration import require_schema
from services.ground.nats_server import running_server
from services.ground.settings import Settings
from services.ground.streams import AUDIT, SUBJECTS
from services.ground.wire import toughen
from services.ground.world import CONNECTION, open_store

TOGETHER: Final = 256  # messages that are asked for at once
PATIENCE_SECONDS: Final = 1.0  # with each question; the next one is asked at once
EARLIER: Final = timedelta(minutes=1)  # clocks differ; what is too early is passed over by its id
FORGOTTEN_SECONDS: Final = 60.0  # a consumer without a name, when nobody asks for it
MOST_RECORDS: Final = 2  # on one line

_ENTRY: Final = store.log_entries.c


@asks_who
def tail(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more, until Ctrl-C.")] = False,  # noqa: FBT002
    durable: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Go on where this name stopped; --from and --since are for its first time."),
    ] = None,
    position: Annotated[
        int | None, typer.Option("--from", min=0, help="Begin with the entry at this position (needs the store).")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Begin with what came from this moment on, UTC.")] = None,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Print audit entries from the queue in the order in which they came: each line once at least, never none.

    With --json a line is the entry's exact bytes, as the log has them. Whether an entry is in the log is another
    question: onward audit verify. That you looked is kept in the log before the first line, so it needs the store.
    """
    if position is not None and since is not None:
        terminal.fail("begin with --from or with --since, not with both")
    write = _write_raw if as_json else _write_line
    words = {"durable": durable, "from": position, "since": since.isoformat() if since else None}
    look = _Look(who(), search("audit_tail", **words, follow="yes" if follow else None))
    terminal.run(_tail(write, look, follow=follow, durable=durable, position=position, since=since))


Write = Callable[[bytes], None]


class _Look:
    """That the queue is read here: entered once, before the first line that tells anything."""

    def __init__(self, who: Looker, record: tuple[str, str]) -> None:
        self._who = who
        self._record = record
        self._entered = False

    async def enter(self, database: Database, raw: bytes) -> None:
        """Keep that this line is about to be shown.

        That this very look was taken before is nobody's data: else each look would make the next one's line.
        """
        kind, id_ = self._record
        if self._entered or _data(raw).get("records") == [{"kind": kind, "id": id_}]:
            return
        await enter_seen(database, self._who, [Seen(None, [self._record], fields=("entry",), purpose="audit")])
        self._entered = True


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Database]:
    """Where it is kept that somebody looks. Raises OnwardError where that is not here: then nothing is shown."""
    try:
        async with open_store(settings) as database:
            await database.read(require_schema)
            yield database
    except StoreUnusable as error:
        raise OnwardError(
            f"nothing is shown, for that you look cannot be kept: {error}. Elsewhere, read the log as it is published:"
            " onward audit export --log ADDRESS --from POSITION"
        ) from None


async def _tail(
    write: Write, look: _Look, *, follow: bool, durable: str | None, position: int | None, since: datetime | None
) -> None:
    settings = terminal.settings()
    async with _store(settings) as database:
        begin_id = None
        if position is not None:
            begin_id, at = await _entry_at(database, position)
            since = at - EARLIER
        if since is not None and since.tzinfo is None:
            since = since.replace(tzinfo=UTC)
        connection = await _connect(settings)
        try:
            js = connection.jetstream(timeout=settings.connect_seconds)
            name, resumed = await _consumer(js, durable, since)
            if resumed:
                begin_id = None
            async for message in _messages(js, name, follow=follow):
                if begin_id is not None:
                    if _entry_id(message.data) != begin_id:
                        await message.ack()
                        continue
                    begin_id = None
                await look.enter(database, message.data)
                write(message.data)
                sys.stdout.flush()
                await message.ack()  # after it was written: what is written twice is better than what is not
            if begin_id is not None:
                terminal.fail(
                    f"entry {position} is on the queue no longer; read it from the log: onward audit show {position}",
                    code=terminal.NEEDS_ATTENTION,
                )
        finally:
            await connection.close()


async def _connect(settings: Settings) -> Client:
    url = settings.nats_url or await running_server(settings)
    if url is None:
        terminal.fail("no broker runs here: start the system with `onward up`, or set ONWARD_NATS_URL")

    async def quiet(_: Exception) -> None:
        return None

    try:
        connection = await nats.connect(url.split(","), name="onward-audit-tail", error_cb=quiet, **CONNECTION)
    except (OSError, NatsError, TimeoutError) as error:
        raise BrokerUnreachable(url, seconds=settings.connect_seconds, detail=type(error).__name__) from error
    toughen(connection)
    return connection


async def _consumer(js: JetStreamContext, durable: str | None, since: datetime | None) -> tuple[str, bool]:
    """The consumer to read by, and whether it was there before."""
    name = f"tail-{durable}" if durable else None
    if name is not None:
        try:
            await js.consumer_info(AUDIT, name)
        except NotFoundError:
            pass
        else:
            return name, True
    config = ConsumerConfig(
        durable_name=name,
        filter_subject=SUBJECTS[AUDIT],
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL if since is None else DeliverPolicy.BY_START_TIME,
        opt_start_time=since,
        max_ack_pending=TOGETHER * 2,
        inactive_threshold=None if name else FORGOTTEN_SECONDS,
    )
    made = await js.add_consumer(AUDIT, config)
    return made.name, False


async def _messages(js: JetStreamContext, name: str, *, follow: bool) -> AsyncIterator[Msg]:
    """What there is, in order; and what comes, as long as it is waited for."""
    subscription = await js.pull_subscribe_bind(name, AUDIT)
    while True:
        info = await js.consumer_info(AUDIT, name)
        if not follow and not info.num_pending and not info.num_ack_pending:
            return
        try:
            for message in await subscription.fetch(TOGETHER, timeout=PATIENCE_SECONDS):
                yield message
        except TimeoutError:  # nats-py raises its own, which is one, or the plain one
            continue


async def _entry_at(database: Database, position: int) -> tuple[str, datetime]:
    query = select(_ENTRY.entry_id, _ENTRY.at).where(_ENTRY.position == position)
    row = await database.read(lambda c: c.execute(query).one_or_none())
    if row is None:
        terminal.fail(f"the log has no entry {position}", code=terminal.NEEDS_ATTENTION)
    return row.entry_id, row.at


def _entry_id(raw: bytes) -> str | None:
    data = _data(raw)
    return data.get("entry_id")


def _data(raw: bytes) -> dict[str, Any]:
    try:
        envelope = orjson.loads(raw)
        data: dict[str, Any] = envelope["data"]
    except (ValueError, KeyError, TypeError):
        return {}
    return data if isinstance(data, dict) else {}


def _write_raw(raw: bytes) -> None:
    sys.stdout.buffer.write(raw.replace(b"\n", b" ") + b"\n")


def _write_line(raw: bytes) -> None:
    data = _data(raw)
    if not data:
        terminal.say(f"[yellow]an entry that cannot be read[/], {len(raw)} bytes")
        return
    at = for_people(datetime.fromisoformat(data["at"]))
    records = data.get("records") or ()
    touched = ", ".join(f"{each['kind']} {each['id']}" for each in records[:MOST_RECORDS])
    touched += f" and {len(records) - MOST_RECORDS} more" if len(records) > MOST_RECORDS else ""
    to = f" to {data['recipient']}" if data.get("recipient") else ""
    whose = f", person {terminal.short(data['person_id'])}" if data.get("person_id") else ""
    said = f"{at}  {data['operation']:<9} {data['actor']['id']}{to}: {data['purpose']}{whose}"
    terminal.say(terminal.literal(said + (f" ({touched})" if touched else "") + f"  entry {data['entry_id']}"))
