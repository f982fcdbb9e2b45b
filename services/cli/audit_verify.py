"""onward audit verify: whether a log, an export or one entry's proof is what the log committed to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.progress import TimeRemainingColumn

from schemas.log.checked import CheckedTree
from schemas.log.checkpoint import SignedCheckpoint
from schemas.log.errors import LogError
from schemas.log.export import verify_export
from schemas.log.note import VerifierKey
from schemas.log.proof import HEADER, Proof, verify_proof
from schemas.log.reader import Progress, Verified, verify_log
from schemas.log.reason import Reason, check_reason
from schemas.log.tiles import Fetch
from schemas.log.trust import Trust, check_growth, check_same
from services.audit.files import write_whole
from services.cli import terminal
from services.cli.audit_source import (
    KeyOption,
    QuorumOption,
    WitnessOption,
    is_address,
    lines_of,
    opened,
    read_one,
    refuse,
    trust_of,
)
from services.cli.config import JsonFlag
from services.ground.clock import for_people

T = TypeVar("T")
NAMED: Final = "named by the one before it: ask the operator, then trust it"
Where = Annotated[
    str, typer.Argument(metavar="WHAT", help="A log's folder or address, an export, a proof, or a checkpoint.")
]


@dataclass(frozen=True, slots=True)
class Shown:
    """What was verified, and what that showed."""

    kind: str  # log, export, entry or checkpoint
    found: Verified
    why: str | None = None  # of an entry, the reason that was shown to be the one that was entered


def verify(
    what: Where,
    key: KeyOption = None,
    witness: WitnessOption = None,
    quorum: QuorumOption = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="CHECKPOINT", help="One that you kept: the log must begin with what it covers."),
    ] = None,
    remember: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the checkpoint here, and begin from it next time (--since)."),
    ] = None,
    seen: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECKPOINT", help="One that somebody else was shown: of the same log? Again for each."),
    ] = None,
    entry: Annotated[Path | None, typer.Option(help="The entry's bytes, for a proof that leaves them out.")] = None,
    why: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The reason of a proof's entry: is it what was entered?")
    ] = None,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Verify every entry against the log's signed checkpoint. Exits 1 and names what is wrong, where something is.

    Needs nothing of the system that made the log: neither its store nor its settings.
    """
    trust = trust_of(key, witness, quorum)
    if remember is not None and since is None and remember.exists():
        since = str(remember)
    if why is not None and (is_address(what) or not _head(what).startswith(HEADER.encode())):
        terminal.fail("--why is for the proof of one entry")
    shown = _or_wrong(lambda: _verified(what, trust, since, seen or [], entry, why), as_json=as_json)
    point = shown.found.checkpoint
    if remember is not None and shown.kind == "log":
        _remember(remember, point.raw)
    if as_json:
        terminal.print_json({"ok": True, "kind": shown.kind, **_for_machines(shown.found), "why": shown.why})
    else:
        _tell(shown)


def _remember(file: Path, checkpoint: bytes) -> None:
    try:
        write_whole(file, checkpoint)
    except OSError as error:
        terminal.fail(f"verified, and {file} cannot be written: {error.strerror}")


def _verified(
    what: str, trust: Trust, since: str | None, seen: list[str], entry: Path | None, why: Path | None
) -> Shown:
    if is_address(what) or Path(what).is_dir():
        with opened(what) as fetch:
            return _log(fetch, trust, since, seen)
    if since is not None or seen:
        terminal.fail("--since and --seen are for a log: a folder or an address")
    head = _head(what)
    if head.startswith(b"{"):
        with Path(what).open("rb") as lines, _bar("entries read") as progress:
            return Shown("export", verify_export(lines_of(lines), trust, progress=progress))
    raw = read_one(what)
    if head.startswith(HEADER.encode()):
        proof, signed = verify_proof(raw, trust, entry=read_one(str(entry)) if entry else None)
        return Shown("entry", Verified(signed, proof.position, proof.position + 1), _reason(proof, why))
    signed = trust.open(raw)
    return Shown("checkpoint", Verified(signed, signed.checkpoint.size, signed.checkpoint.size))


def _reason(proof: Proof, file: Path | None) -> str | None:
    """The reason that is given, shown to be the one that the entry of a verified proof holds a commitment to."""
    if file is None:
        return None
    reason = Reason.decode(read_one(str(file)))
    check_reason(proof.entry or b"", reason)
    return reason.text


def _log(fetch: Fetch, trust: Trust, since: str | None, seen: list[str]) -> Shown:
    with _bar("entries verified") as progress:
        old = read_one(since) if since is not None else None
        found = verify_log(fetch, trust, since=old, progress=progress)
    for each in seen:
        _compare(fetch, trust, found.checkpoint, read_one(each))
    return Shown("log", found)


def _compare(fetch: Fetch, trust: Trust, ours: SignedCheckpoint, raw: bytes) -> None:
    """What somebody else was shown must be of the same log: it grew out of theirs, or theirs is this one."""
    theirs = trust.open_old(raw)
    check_same(theirs, ours)
    if theirs.checkpoint.size != ours.checkpoint.size:
        check_growth(theirs, ours, CheckedTree(fetch, ours.checkpoint))


def _head(what: str) -> bytes:
    if Path(what).is_dir():
        return b""
    try:
        with Path(what).open("rb") as file:
            return file.read(len(HEADER))
    except OSError as error:
        terminal.fail(f"{what} cannot be read: {error.strerror}")


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    """A bar on standard error while there is something to wait for."""
    with terminal.progress(TimeRemainingColumn()) as bar:
        task = bar.add_task(what, total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield progress


def _or_wrong(look: Callable[[], T], *, as_json: bool) -> T:
    """Look, and end the command with what is wrong."""
    try:
        return look()
    except LogError as error:
        refuse(error, as_json=as_json)


def _named(key: VerifierKey) -> str:
    return f"{key.name}+{key.id.hex()}"


def _moment(seconds: int | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
    except (OverflowError, ValueError, OSError):
        return None  # a witness may say any time


def _for_machines(found: Verified) -> dict[str, Any]:
    signed = found.checkpoint
    point = signed.checkpoint
    return {
        "origin": point.origin,
        "size": point.size,
        "root": point.root.hex(),
        "begin": found.begin,
        "end": found.end,
        "grown_from": found.grown_from,
        "new_keys": [str(key) for key in signed.learnt],
        "signed_by": [_named(each.key) for each in signed.signed_by],
        "witnesses": [{"name": each.key.name, "at": _moment(each.at)} for each in signed.cosigned_by],
        "unknown_signatures": signed.others,
    }


def _tell(shown: Shown) -> None:
    found, signed = shown.found, shown.found.checkpoint
    point = signed.checkpoint
    if shown.kind == "entry":
        what = f"entry {found.begin} is in the log"
    elif shown.kind == "checkpoint":
        what = "the checkpoint is the log's; of what it covers nothing was read"
    elif found.end == found.begin:
        what = "no entry is new" if found.grown_from is not None else "there is no entry in it"
    else:
        count = found.end - found.begin
        what = (
            f"{count} entries are what the log committed to ({found.begin} to {found.end - 1})"
            if count > 1
            else f"entry {found.begin} is what the log committed to"
        )
    terminal.say(f"[green]verified[/]  {what}")
    lines = [("log", f"{point.origin}, {point.size} entries, root {point.root.hex()}")]
    if found.grown_from is not None:
        lines.append(("grown", f"from {found.grown_from} entries, which are as they were signed then"))
    lines += [("signed by", _named(each.key)) for each in signed.signed_by]
    lines += [("new key", f"{key}, {NAMED}") for key in signed.learnt]
    for each in signed.cosigned_by:
        at = _moment(each.at)
        lines.append(("witness", f"{each.key.name}, {for_people(at) if at else 'at no time that there is'}"))
    if signed.others:
        lines.append(("unknown", f"signatures of {', '.join(signed.others)}, which show nothing here"))
    if shown.why is not None:
        lines.insert(0, ("why", f"{shown.why} (as it was entered)"))
    for name, said in lines:
        terminal.say(f"{name:<9} {terminal.literal(said)}")
