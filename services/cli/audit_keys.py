"""onward audit keys: the key that signs the audit log, those before it, and a new one in its place."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from schemas.log.note import SigningKey, VerifierKey
from schemas.vocabulary import AuditOperation
from services.audit import store
from services.audit.keys import KeyMissing, LogKeys, read_keys, write_keys
from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import OPERATOR, ByOption, Looker, actor_of
from services.ground.clock import for_people
from services.ground.errors import OnwardError
from services.ground.migration import require_schema
from services.ground.settings import Settings
from services.ground.work import Work
from services.ground.world import open_store

app = typer.Typer(no_args_is_help=True)

LostFlag = Annotated[
    bool, typer.Option("--lost", help="The key is lost for good: begin with one that nobody's trust passes on to.")
]


@app.command(epilog="Example: onward audit keys show --json")
def show(as_json: JsonFlag = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Show the verifier keys: hand the current one to whoever verifies the log, by another way than the log itself."""
    found = terminal.run(_show())
    if as_json:
        terminal.print_json(found)
        return
    terminal.say(f"signs now         {found['current']}")
    for former in found["signing_as_well"]:
        terminal.say(f"signs as well     {former['key']}  until {for_people(former['until'])}")
    for key in found["signed_so_far"]:
        named = "named by the key before it" if key["handed_over"] else "the first, or named by none"
        terminal.say(f"since {for_people(key['since'])}  {key['key']}  ({named})")


@app.command(epilog="Example: onward audit keys rotate --by j.smith")
def rotate(by: ByOption, lost: LostFlag = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Put a new key in the old one's place. Run it where the audit service has its key file.

    The old key names the new one in a note that goes with every checkpoint, and signs beside it for
    ONWARD_LOG_KEY_OVERLAP_DAYS: verifiers and witnesses who know the old key find the new one. Keep a copy of the file.
    """
    key = terminal.run(_rotate(by, lost=lost))
    terminal.say(f"signs from now on {key}")
    if lost:
        terminal.say("No key names it: hand it to everybody who verifies the log, and tell them why.")


async def _show() -> dict[str, Any]:
    settings, now = terminal.settings(), terminal.CLOCK.now()
    keys = read_keys(settings.log_key)
    async with open_store(settings) as database:
        await database.read(require_schema)
        known = await database.read(store.keys)
    return {
        "current": str(keys.current.verifier),
        "signing_as_well": [
            {"key": str(each.key.verifier), "until": each.until} for each in keys.former if now < each.until
        ],
        "signed_so_far": [
            {"key": row["verifier"], "since": row["since"], "handed_over": row["handover"] is not None} for row in known
        ],
    }


async def _rotate(by: str, *, lost: bool) -> VerifierKey:
    settings, now = terminal.settings(), terminal.CLOCK.now()
    actor = actor_of(Looker(by, OPERATOR, settings.organisation, None))
    async with open_store(settings) as database:
        await database.read(require_schema)
        keys = await database.read(lambda c: _begun_anew(c, settings)) if lost else _followed(settings, now)
        new = keys.current.verifier
        # The file first: a key that the store knows and nobody has could never sign.
        write_keys(settings.log_key, keys)
        await database.write(lambda c: _note(c, new, now, actor, lost=lost))
    return new


def _followed(settings: Settings, now: datetime) -> LogKeys:
    keys = read_keys(settings.log_key)
    until = now + timedelta(days=settings.log_key_overlap_days)
    return keys.followed_by(SigningKey.generate(keys.current.name), now=now, until=until)


def _begun_anew(connection: Connection, settings: Settings) -> LogKeys:
    try:
        read_keys(settings.log_key)
    except KeyMissing:
        known = store.keys(connection)
        name = VerifierKey.parse(known[-1]["verifier"]).name if known else settings.log_origin
        return LogKeys(SigningKey.generate(name))
    raise OnwardError(f"{settings.log_key} is there, and nothing is lost: rotate without --lost")


def _note(connection: Connection, new: VerifierKey, now: datetime, actor: dict[str, str], *, lost: bool) -> None:
    """An entry, which makes the log grow and so be signed; where no key names the new one, the store must know it."""
    if lost:
        store.keep_key(connection, str(new), handover=None, now=now)
    work = Work(connection, service="intake", now=now)
    work.audit(
        AuditOperation.ALTER,
        actor=actor,
        records=[("log_key", new.id.hex())],
        fields=("log_key",),
        purpose="log_key_lost" if lost else "log_key_rotation",
        correlation_id=work.id(),
    )
    work.finish()
