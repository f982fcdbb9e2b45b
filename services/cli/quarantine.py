"""onward quarantine: see what could not be taken, and send it again, mended where it must be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.padding import Padding
from sqlalchemy import Connection, select, update

from schemas.envelope import Channel
from schemas.vocabulary import AuditOperation
from services.cli import send, terminal
from services.cli.config import JsonFlag
from services.cli.consulting import (
    OPERATOR,
    Asked,
    Looker,
    LookRoleOption,
    Seen,
    actor_of,
    asks_who,
    checked,
    look,
)
from services.cli.looking import Row, quarantined
from services.cli.sending import send_now
from services.ground import tables
from services.ground.clock import WallClock, for_people
from services.ground.errors import OnwardError
from services.ground.migration import require_schema
from services.ground.nats_server import running_server
from services.ground.publisher import Outgoing
from services.ground.sealing import ERASED, name_in
from services.ground.work import Work
from services.ground.world import World, connect, open_store, open_world

app = typer.Typer(no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="ID", help="A quarantine id, or its start or end.")]

_REFUSED: Final = ("refused", "conflict")
LISTED: Final = ("service", "subject", "source", "reason", "problems", "quarantined_at")  # of each message


@app.command(name="list", epilog="Example: onward quarantine list")
@asks_who
def list_waiting(
    refused: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--refused", help="What was refused instead, whose senders were told why.")
    ] = False,
    as_json: JsonFlag = False,  # noqa: FBT002
    *,
    who: Asked,
) -> None:
    """List what waits here to be mended, oldest first.

    What a destination or a human sent and a leg did not allow is not among it: its sender was told why.
    """
    found = [_plain(row) for row in terminal.run(_look(None, who(), told=refused))]
    if as_json:
        terminal.print_json(found)
        return
    for row in terminal.literal(found):
        told = (for_people(row["quarantined_at"]), row["service"], row["subject"], row["reason"])
        terminal.say(f"[bold]{terminal.short(row['id'])}[/]  {'  '.join(told)}")
        for problem in row["problems"][:1]:
            terminal.out.print(
                Padding(f"{problem['place']} {problem['message']}".strip(), (0, 0, 0, 10)), highlight=False
            )
    if not found:
        terminal.out.print("Nothing was refused." if refused else "Nothing is in quarantine.")
    elif refused:
        terminal.say(f"{len(found)} refused: whoever sent one was told why, and sends it again mended.")
    else:
        terminal.say(f"{len(found)} to be mended, or sent again as they are. Look at one: onward quarantine show ID")


@app.command(epilog="Example: onward quarantine show 01a20955 --out mended.json")
@asks_who
def show(
    id_: Id,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write its exact bytes to a file instead, to mend them there.")
    ] = None,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Show one message: why it was set aside, and its bytes. That you looked is kept in the audit log."""
    row = _one(terminal.run(_look(id_, who())), id_)
    if as_json:
        terminal.print_json({**_plain(row), "raw": _text(row["raw"])})
        return
    if out is not None:
        _write(out, row, id_)
        return
    text = _text(row["raw"])
    row = terminal.literal(_plain(row))
    for name in ("id", "service", "subject", "source", "reason", "digest", "told_at", "resent_at", "resent_by"):
        if row[name] is not None:
            terminal.out.print(f"[bold]{name:>10}[/] {row[name]}", highlight=False)
    for problem in row["problems"]:
        terminal.out.print(f"[red]{problem['place'] or '(the message)'}[/]: {problem['message']}", highlight=False)
    # Shown as it is, control characters made visible, so that no message can steer this terminal.
    shown = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
    terminal.out.print(shown, markup=False, soft_wrap=True)
    if row["resent_at"] is None and row["told_at"] is None and text != ERASED:
        id_ = terminal.short(row["id"])
        terminal.say(f"[bold]To mend it[/]   onward quarantine show {id_} --out FILE, and change the file")
        terminal.say(f"[bold]Send it again[/] onward quarantine resend {id_} --by NAME (--with FILE, if mended)")


@app.command(
    epilog="Example: onward quarantine resend 01a20955 --with mended.json --by j.smith Exit codes: 0 accepted, "
    "1 refused and in quarantine again, 2 nothing was sent, 3 sent and not known yet what becomes of it."
)
def resend(
    id_: Id,
    by: Annotated[str, typer.Option("--by", envvar="ONWARD_BY", help="Who sends it again; it is kept.")],
    mended: Annotated[Path | None, typer.Option("--with", help="The mended message; else the same bytes.")] = None,
    again: Annotated[bool, typer.Option(help="Although it was sent again before.")] = False,  # noqa: FBT002
    role: LookRoleOption = OPERATOR,
    because: Annotated[
        str | None, typer.Option(envvar="ONWARD_BECAUSE", metavar="TEXT", help="Why; it is kept.")
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for its receipt.")] = 10.0,
    as_json: JsonFlag = False,  # noqa: FBT002
) -> None:
    """Send a message again on the subject where it came, as it was or mended, and show what became of it."""
    try:
        raw = mended.read_bytes() if mended else None
    except OSError as error:
        terminal.fail(f"{mended}: {error.strerror}")
    if raw == b"":
        terminal.fail(f"{mended}: is empty; nothing was sent")
    who = Looker(by, role, terminal.settings().organisation, because)
    row = _one(terminal.run(_look(id_, None)), id_)
    if row["resent_at"] is not None and not again:
        terminal.fail(
            f"sent again already, by {row['resent_by']}; add --again to repeat", code=terminal.NEEDS_ATTENTION
        )
    if row["raw"] in (None, ERASED):
        terminal.fail("whom it is about is erased, and nothing may be kept of them", code=terminal.NEEDS_ATTENTION)
    receipt = terminal.run(_resend(row, row["raw"] if raw is None else raw, who, wait))
    refused, known = receipt["outcome"] in _REFUSED, receipt["outcome"] not in ("sent", "stored")
    if as_json:
        terminal.print_json(receipt)
    elif known:
        send.show(terminal.literal(receipt))
        if refused:
            terminal.say("It waits in quarantine again: onward quarantine list")
    else:
        where = f"on {terminal.literal(row['subject'])} as {receipt['id']}"
        terminal.say(f"[yellow]sent again[/] {where}. Should it be refused, onward quarantine list has it again.")
    if refused or not known:
        raise SystemExit(terminal.NEEDS_ATTENTION if refused else terminal.NOT_KNOWN_YET)


async def _look(id_: str | None, who: Looker | None, *, told: bool = False) -> list[Row]:
    """The messages that are meant. `who` None: they are only found, and nobody sees them."""

    def seen(found: list[Row]) -> list[Seen]:
        fields = LISTED if id_ is None else [*LISTED, "digest", "raw"]
        if id_ is not None and len(found) != 1:
            return []  # that is all that is told
        return [Seen(None, [("quarantine", row["id"]) for row in found], fields, "quarantine")] if found else []

    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        if who is None:
            return await database.read(lambda c: quarantined(c, id_=id_, told=told))
        return await look(database, who, lambda c: quarantined(c, id_=id_, told=told), seen)


async def _resend(row: Row, raw: bytes, who: Looker, wait: float) -> dict[str, object]:
    """Send it, and wait for its receipt where it has one: what intake takes."""
    settings = terminal.settings()
    live = settings.nats_url or await running_server(settings)
    async with open_world(settings, WallClock(), stay="visiting") as world:
        connection = await connect(world, name="onward-resend")
        try:
            js = connection.jetstream(timeout=settings.publish_seconds)
            before = await send.receipts_so_far(js) if live else 0
            message = await world.database.write(lambda c: resend_in(c, row, raw, who, world))
            await send_now(world, connection, [message])
            service, _, rest = str(row["subject"]).partition(".")
            if live is None or service != "intake":
                return {"id": message.id, "outcome": "sent" if live else "stored", "problems": []}
            source, _, channel = rest.rpartition(".")
            again = send.Checked(raw, Channel(channel), source, message.id)
            [receipt] = await send.receipts_of(js, [again], before=before, wait=wait)
            return receipt
        finally:
            await connection.close()


def _write(file: Path, row: Row, id_: str) -> None:
    if not isinstance(row["raw"], bytes):
        terminal.fail("whom it is about is erased, and nothing may be kept of them", code=terminal.NEEDS_ATTENTION)
    terminal.write_private(file, row["raw"])
    terminal.say(f"{terminal.literal(str(file))}: its {len(row['raw'])} bytes, for nobody but who may know them")
    terminal.say(f"Once mended: onward quarantine resend {terminal.literal(id_)} --with {terminal.literal(str(file))}")


def resend_in(connection: Connection, row: Row, raw: bytes, who: Looker, world: World) -> Outgoing:
    """In one transaction: the message to be sent, that it was sent again and by whom, and the audit entry.

    Raises OnwardError where somebody else sent it in the meantime.
    """
    work = Work(connection, service="intake", now=world.clock.now())
    message = Outgoing(work.id(), row["stream"], row["subject"], raw)
    aside = tables.quarantine.c
    changed = connection.execute(
        update(tables.quarantine)
        .where(aside.id == row["id"], aside.resent_as.is_not_distinct_from(row["resent_as"]))
        .values(resent_at=work.now, resent_by=who.by, resent_as=message.id)
    ).rowcount
    if changed != 1:
        raise OnwardError("somebody else has just sent it again")
    # By the key that opens it here: also a mended one says of nobody else.
    sealed = connection.execute(select(aside.raw).where(aside.id == row["id"])).scalar_one()
    work.send_as_it_is(message, person=name_in(sealed), partition=0)
    work.audit(
        AuditOperation.ALTER,
        actor=actor_of(who),
        records=(("quarantine", row["id"]), ("message", message.id)),
        fields=("raw", "resent_at") if raw != row["raw"] else ("resent_at",),
        purpose="sent_again",
        wrote=checked(who.because) if who.because else None,
        words_of=name_in(sealed),
        correlation_id=row["id"],
    )
    work.finish()
    return message


def _one(found: list[Row], id_: str) -> Row:
    if len(found) != 1:
        terminal.fail(f"{len(found) or 'no'} quarantined messages match {id_!r}", code=terminal.NEEDS_ATTENTION)
    return found[0]


def _text(raw: bytes | str | None) -> str:
    return raw.decode(errors="backslashreplace") if isinstance(raw, bytes) else ERASED


def _plain(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "raw"}
