"""onward audit restore: put back what an old copy of the store lacks of the audit log, from where it was published."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy import Connection, select

from schemas.log.checkpoint import Checkpoint
from schemas.log.errors import LogError
from schemas.log.reader import read_checkpoint
from schemas.log.tiles import Fetch
from schemas.log.trust import Trust
from services.audit import store
from services.audit.restoring import restore as restore_from
from services.cli import terminal
from services.cli.audit_source import opened
from services.cli.old_copy import RESTORED, known_keys
from services.ground import tables
from services.ground.database import Database
from services.ground.errors import OnwardError
from services.ground.leases import is_dead
from services.ground.migration import require_schema
from services.ground.settings import Settings
from services.ground.world import open_store


def restore(
    where: Annotated[str | None, typer.Argument(help="The published log: its folder or address; else our own.")] = None,
    seen_to: Annotated[bool, typer.Option("--seen-to", help="What was lost is seen to: status tells no more.")] = False,  # noqa: FBT002
) -> None:
    """Put back the entries that are published and signed and that the store, an old copy, lacks. Stop audit first.

    Their acts are not put back. `onward audit reconcile` names them, and `onward status` tells of it until --seen-to.
    """
    if seen_to:
        terminal.run(_seen_to())
        terminal.say("onward status no longer tells of what an old copy had lost")
        return
    entries = terminal.run(_restore(where))
    terminal.say(
        f"{entries} entries put back. Acts that the copy has lost with them are named by: onward audit reconcile"
        if entries
        else "nothing was missing"
    )


async def _seen_to() -> None:
    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        await database.write(lambda c: store.end_alarm(c, RESTORED))


async def _restore(where: str | None) -> int:
    settings = terminal.settings()
    async with open_store(settings) as database:
        await database.read(require_schema)
        await database.read(lambda c: _require_quiet(c, settings))
        trust = Trust(await database.read(lambda c: known_keys(c, settings)))
        with opened(where or str(settings.log_folder)) as fetch:
            try:
                signed = read_checkpoint(fetch, trust).checkpoint
                return await _put_back(database, fetch, signed)
            except LogError as error:
                raise OnwardError(f"the published log cannot be put back: {error}") from None


async def _put_back(database: Database, fetch: Fetch, signed: Checkpoint) -> int:
    """Put back what is missing, and have status tell of it: noted before the first entry, for a crash may follow."""
    before = await database.read(store.length)
    told = any(alarm["name"] == RESTORED for alarm in await database.read(store.alarms))
    if signed.size > before and not told:
        why = (
            f"entries from {before} on were put back into an old copy of the store. Acts that it has lost are named by"
            " onward audit reconcile; once they are seen to: onward audit restore --seen-to"
        )
        await database.write(lambda c: store.raise_alarm(c, RESTORED, why, terminal.CLOCK.now()))
    try:
        return await restore_from(database, fetch, signed)
    finally:
        if not told and await database.read(store.length) == before:
            await database.write(lambda c: store.end_alarm(c, RESTORED))


def _require_quiet(connection: Connection, settings: Settings) -> None:
    """Raise OnwardError while an audit service lives: it would append at the same time."""
    alive = tables.instances.c
    since = terminal.CLOCK.now() - timedelta(seconds=2 * settings.lease_seconds)
    owners = connection.execute(select(alive.owner).where(alive.service == "audit", alive.seen_at > since)).scalars()
    if running := [owner for owner in owners if not is_dead(owner)]:
        raise OnwardError(f"audit runs ({', '.join(running)}): stop it first")
