"""onward audit restore: put back what an old copy of the store lacks of the audit log, from where it was published."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy import Connection, select

from schemas.log.errors import LogError
from schemas.log.note import VerifierKey
from schemas.log.reader import read_checkpoint
from schemas.log.trust import Trust
from services.audit import store
from services.audit.keys import KeyUnusable, read_keys
from services.audit.restoring import restore as restore_from
from services.cli import terminal
from services.cli.audit_source import opened
from services.ground import tables
from services.ground.errors import OnwardError
from services.ground.leases import is_dead
from services.ground.migration import require_schema
from services.ground.settings import Settings
from services.ground.world import open_store


def restore(
    where: Annotated[str | None, typer.Argument(help="The published log: its folder or address; else our own.")] = None,
) -> None:
    """Put back the entries that are published and signed and that the store, an old copy, lacks. Stop audit first."""
    entries = terminal.run(_restore(where))
    terminal.say(f"{entries} entries put back" if entries else "nothing was missing")


async def _restore(where: str | None) -> int:
    settings = terminal.settings()
    async with open_store(settings) as database:
        await database.read(require_schema)
        await database.read(lambda c: _require_quiet(c, settings))
        trust = Trust(await database.read(lambda c: _keys(c, settings)))
        with opened(where or str(settings.log_folder)) as fetch:
            try:
                signed = read_checkpoint(fetch, trust).checkpoint
                return await restore_from(database, fetch, signed)
            except LogError as error:
                raise OnwardError(f"the published log cannot be put back: {error}") from None


def _keys(connection: Connection, settings: Settings) -> list[VerifierKey]:
    """Every key that signed as far as the copy knows, and those of the key file, which may be newer."""
    known = [VerifierKey.parse(row["verifier"]) for row in store.keys(connection)]
    try:
        keys = read_keys(settings.log_key)
    except KeyUnusable:
        return known
    return [*known, keys.current.verifier, *(each.key.verifier for each in keys.former)]


def _require_quiet(connection: Connection, settings: Settings) -> None:
    """Raise OnwardError while an audit service lives: it would append at the same time."""
    alive = tables.instances.c
    since = terminal.CLOCK.now() - timedelta(seconds=2 * settings.lease_seconds)
    owners = connection.execute(select(alive.owner).where(alive.service == "audit", alive.seen_at > since)).scalars()
    if running := [owner for owner in owners if not is_dead(owner)]:
        raise OnwardError(f"audit runs ({', '.join(running)}): stop it first")
