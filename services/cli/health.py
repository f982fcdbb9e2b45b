"""onward health: whether a service of this machine can do its work now."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer
from nats.aio.client import Client
from nats.errors import Error as NatsError
from sqlalchemy import Connection, select

from services.cli import terminal
from services.cli.looking import Row
from services.cli.named import ServiceName, check_service
from services.ground import tables
from services.ground.clock import WallClock
from services.ground.leases import is_dead, is_of_this_machine
from services.ground.migration import require_schema
from services.ground.nats_server import running_server
from services.ground.settings import Settings
from services.ground.streams import ready_subject
from services.ground.world import World, connect, open_store

ANSWER_SECONDS = 5.0


def health(
    name: ServiceName,
    anywhere: Annotated[bool, typer.Option(help="Ask whichever replica answers, wherever it runs.")] = False,  # noqa: FBT002
) -> None:
    """Ask a service's own process whether it can do its work now. Exits 0 when it says yes, 1 otherwise.

    Asked is the process that ONWARD_INSTANCE names, else each of this machine (inside a container: of the container): a
    healthy neighbour must not speak for it.
    """
    check_service(name)
    answers = terminal.run(_ask(name, anywhere=anywhere))
    for answer in answers:
        terminal.print_json(answer)
    if not answers:
        terminal.fail(f"{name} does not run on this machine", code=terminal.NEEDS_ATTENTION)
    if not all(answer["ready"] for answer in answers):
        terminal.fail(f"{name} is not ready", code=terminal.NEEDS_ATTENTION)


async def _ask(name: str, *, anywhere: bool) -> list[Row]:
    """What each process that is meant says; for one that says nothing, that."""
    settings = terminal.settings()
    url = settings.nats_url or await running_server(settings)
    if url is None:
        return []
    async with open_store(settings) as database:
        await database.read(require_schema)
        named = await database.read(lambda c: _own(c, name, settings)) if not anywhere else [None]
        connection = await connect(World(settings, WallClock(), database, url), name="onward-health")
        try:
            return [await _answer(connection, name, instance) for instance in named]
        finally:
            await connection.close()


def _own(connection: Connection, name: str, settings: Settings) -> list[str | None]:
    """The processes that health is about: by the name that was given, or all of this machine that are not gone."""
    if "instance" in settings.model_fields_set:
        return [settings.instance]
    alive = tables.instances.c
    owners = connection.execute(select(alive.owner).where(alive.service == name).order_by(alive.owner)).scalars()
    return [owner for owner in owners if is_of_this_machine(owner) and not is_dead(owner)]


async def _answer(connection: Client, name: str, instance: str | None) -> Row:
    try:
        reply = await connection.request(ready_subject(name, instance), b"", timeout=ANSWER_SECONDS)
    except (NatsError, TimeoutError) as error:
        return {"instance": instance, "service": name, "ready": False, "why": type(error).__name__}
    answer: Row = orjson.loads(reply.data)
    return answer
