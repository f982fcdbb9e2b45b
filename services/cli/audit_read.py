"""onward audit show, prove and export: entries of the log, each shown to be what the log committed to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from sqlalchemy import Connection, func, select

from schemas.log.checked import CheckedTree
from schemas.log.checkpoint import SignedCheckpoint
from schemas.log.errors import LogError
from schemas.log.export import export_lines
from schemas.log.note import VerifierKey
from schemas.log.proof import prove as proof_of
from schemas.log.reader import entries_of, read_checkpoint
from schemas.log.tiles import Fetch
from schemas.log.trust import Trust
from services.audit import store
from services.cli import terminal
from services.cli.audit_reason import reason_of
from services.cli.audit_source import KeyOption, is_address, keys_of, opened, refuse
from services.cli.config import JsonFlag
from services.cli.consulting import Asked, Looker, Seen, asks_who, enter_seen, search
from services.ground.errors import SettingsRefused
from services.ground.migration import require_schema
from services.ground.settings import Settings, load_settings
from services.ground.world import open_store

LogOption = Annotated[
    str | None,
    typer.Option("--log", metavar="WHERE", help="The log's folder or address; without it, this system's own."),
]
EntryArgument = Annotated[str, typer.Argument(metavar="ENTRY", help="A position, from 0, or an entry's id.")]

_ENTRY: Final = store.log_entries.c


@dataclass(frozen=True, slots=True)
class _Log:
    """A log that is open, and its newest checkpoint."""

    fetch: Fetch
    checkpoint: SignedCheckpoint

    def tree(self) -> CheckedTree:
        return CheckedTree(self.fetch, self.checkpoint.checkpoint)


@asks_who
def show(
    entry: EntryArgument,
    log: LogOption = None,
    key: KeyOption = None,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Show an entry as the log has it, verified. Of this system's own log, that you looked is kept in it."""
    log = _not_our_own(log)
    with _opened(log, key) as source:
        position = _position(entry, log, source.checkpoint)
        _keep_that_it_was_read(log, search("log", position=position), who)
        [(_, leaf)] = entries_of(source.fetch, source.tree(), position, position + 1)
    if as_json:
        terminal.print_json({"position": position, "size": source.checkpoint.checkpoint.size, "leaf": _text(leaf)})
        return
    terminal.say(f"entry {position} of {source.checkpoint.checkpoint.size}, verified")
    sys.stdout.write(_laid_out(leaf) + "\n")


@asks_who
def prove(
    entry: EntryArgument,
    out: Annotated[Path, typer.Option(help="The proof's file. It holds the entry too.")],
    why: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its reason, where that is sealed: for who may know it.")
    ] = None,
    log: LogOption = None,
    key: KeyOption = None,
    *,
    who: Asked,
) -> None:
    """Write one entry with its proof to a file that verifies alone: onward audit verify FILE.

    With --why also what a human wrote as its reason, and the key by which anybody can check that it is what was
    entered: onward audit verify FILE --why FILE. Hand it only to whoever may know it.
    """
    log = _not_our_own(log)
    if why is not None and log is not None:
        terminal.fail("--why is of this system's own log: another's reasons are not here")
    with _opened(log, key) as source:
        position = _position(entry, log, source.checkpoint)
        proof = proof_of(source.fetch, source.checkpoint, position)
        reason = terminal.run(reason_of(proof.entry or b"", who())) if why is not None else None
        _keep_that_it_was_read(log, search("log", position=position), who)
    _write(out, [proof.encode()])
    if why is not None and reason is not None:
        _write(why, [reason.encode()])
        terminal.err.print(f"{terminal.literal(str(why))}: its reason, for nobody but who may know it", soft_wrap=True)
    terminal.say(f"{terminal.literal(str(out))}: entry {position} of {source.checkpoint.checkpoint.size}")


@asks_who
def export(
    out: Annotated[Path, typer.Option(help="The export's file: a line of JSON an entry.")],
    log: LogOption = None,
    key: KeyOption = None,
    begin: Annotated[int | None, typer.Option("--from", min=0, help="Position of the first entry; 0.")] = None,
    end: Annotated[
        int | None, typer.Option("--to", min=0, help="Position after the last entry; the log's end.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Entries from this moment on, UTC. Of the own log.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Entries before this moment, UTC. Of the own log.")] = None,
    *,
    who: Asked,
) -> None:
    """Write a part of the log to a file that verifies alone, wherever it begins and ends: onward audit verify FILE."""
    log = _not_our_own(log)
    if (since or until) and (log is not None or begin is not None or end is not None):
        terminal.fail("--since and --until are of this system's own log, and take no positions beside them")
    unsigned = 0
    with _opened(log, key) as source:
        size = source.checkpoint.checkpoint.size
        if since or until:
            begin, end = terminal.run(_between(since, until))
            unsigned = max(0, end - max(begin, size))
            begin, end = min(begin, size), min(end, size)
        first, last = begin or 0, size if end is None else end
        if not first <= last <= size:
            terminal.fail(f"the log has {size} entries that are signed, and no part from {first} to {last}")
        _keep_that_it_was_read(log, search("log", first=first, last=last - 1), who)
        tree = source.tree()
        with terminal.progress() as bar:
            task = bar.add_task("entries", total=last - first)
            entries = entries_of(
                source.fetch, tree, first, last, progress=lambda done, _: bar.update(task, completed=done)
            )
            _write(out, export_lines(entries, first, last, source.checkpoint, tree))
    terminal.say(f"{terminal.literal(str(out))}: {_counted(first, last)}, of {size} in the log that are signed")
    if unsigned:
        terminal.err.print(f"{unsigned} more of that time are not signed yet: export again for them", soft_wrap=True)


def _counted(first: int, end: int) -> str:
    count = end - first
    return f"{count} entries ({first} to {end - 1})" if count > 1 else f"entry {first}" if count else "no entry"


def _not_our_own(log: str | None) -> str | None:
    """Where another's log is; None where the folder that was named is this system's own, whose reading is entered.

    Who checks another's log has no store, and perhaps settings that are of no use: then none is our own.
    """
    if log is None or is_address(log):
        return log
    try:
        settings = load_settings()
    except SettingsRefused:
        return log
    has_a_store = settings.database_url is not None or settings.sqlite_file.exists()
    return None if has_a_store and Path(log).resolve() == settings.log_folder.resolve() else log


@contextmanager
def _opened(log: str | None, key: Sequence[str] | None) -> Iterator[_Log]:
    """The log that is meant. What is wrong with it ends the command."""
    keys = keys_of(key, "--key")
    where = log
    if log is None:
        settings = terminal.settings()
        where = str(settings.log_folder)
        keys = keys or terminal.run(_own_keys(settings))
    if not keys:
        terminal.fail("say by which key to verify the log: --key VKEY, or ONWARD_LOG_VKEY")
    try:
        with opened(where or "") as fetch:
            yield _Log(fetch, read_checkpoint(fetch, Trust(keys)))
    except LogError as error:
        refuse(error)


async def _own_keys(settings: Settings) -> list[VerifierKey]:
    async with open_store(settings) as database:
        await database.read(require_schema)
        return [VerifierKey.parse(row["verifier"]) for row in await database.read(store.keys)]


def _position(entry: str, log: str | None, checkpoint: SignedCheckpoint) -> int:
    size = checkpoint.checkpoint.size
    if not entry.isdecimal():
        if log is not None:
            terminal.fail("another's log is read by position; an entry's id is known where its store is")
        position = terminal.run(_position_of(entry))
    else:
        position = int(entry)
    if position >= size:
        terminal.fail(f"entry {position} is not signed yet, or there is none: the log has {size}")
    return position


async def _position_of(entry_id: str) -> int:
    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        found = await database.read(
            lambda c: c.execute(select(_ENTRY.position).where(_ENTRY.entry_id == entry_id)).scalar_one_or_none()
        )
    if found is None:
        terminal.fail(f"the log has no entry {entry_id!r}", code=terminal.NEEDS_ATTENTION)
    return int(found)


async def _between(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """The positions that hold every entry of a time. Others may lie between: the log is in the order of arrival."""

    def read(connection: Connection) -> tuple[int, int]:
        meant = [_ENTRY.at >= since.replace(tzinfo=UTC)] if since else []
        meant += [_ENTRY.at < until.replace(tzinfo=UTC)] if until else []
        query = select(func.min(_ENTRY.position), func.max(_ENTRY.position)).where(*meant)
        first, last = connection.execute(query).one()
        return (0, 0) if first is None else (int(first), int(last) + 1)

    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        return await database.read(read)


def _keep_that_it_was_read(log: str | None, record: tuple[str, str], who: Asked) -> None:
    """Reading this system's own log is an entry in it. What somebody else published is not ours to note."""
    if log is None:
        terminal.run(_entered(record, who()))


async def _entered(record: tuple[str, str], who: Looker) -> None:
    async with open_store(terminal.settings()) as database:
        await enter_seen(database, who, [Seen(None, [record], fields=("entry",), purpose="audit")])


def _write(file: Path, parts: Iterable[bytes]) -> None:
    """Write a file that its owner alone can read: whole, or not at all."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(
            os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, terminal.OWNER_ALONE), "wb"
        ) as opened_file:
            for part in parts:
                opened_file.write(part)
        beside.replace(file)
    except OSError as error:
        terminal.fail(f"{file} cannot be written: {error.strerror}")
    finally:
        beside.unlink(missing_ok=True)


def _text(leaf: bytes) -> str:
    return leaf.decode(errors="backslashreplace")


def _laid_out(leaf: bytes) -> str:
    """An entry's JSON with a field a line, for people."""
    try:
        return orjson.dumps(orjson.loads(leaf), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return _text(leaf)
