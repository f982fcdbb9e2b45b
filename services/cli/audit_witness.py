"""onward audit witness: watch somebody else's log, and sign what it shows as long as it has one past."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schemas.log.errors import LogError
from schemas.log.note import COSIGNATURE, SigningKey
from services.audit.witness import Witness, WitnessState
from services.cli import terminal
from services.cli.audit_source import keys_of
from services.cli.listening import LOOPBACK, listen, serve_until_stopped
from services.ground.errors import OnwardError


def witness(
    state: Annotated[Path, typer.Option(help="The file that remembers what was signed. Never begin it anew.")],
    key: Annotated[Path, typer.Option(help="The file with the witness's private key; made where it is not there.")],
    log: Annotated[list[str], typer.Option(metavar="VKEY", help="The verifier key of a log; again for each.")],
    name: Annotated[
        str | None, typer.Option(help="The witness's name, for a new key, like witness.example.org.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 for any port that is free.")] = 8377,
) -> None:
    """Cosign a log's checkpoints (C2SP tlog-witness), and refuse whatever did not grow out of what was signed before.

    To be run by somebody else than the log's operator, on another machine.
    """
    signing = _key(key, name)
    logs = keys_of(log, "--log")
    try:
        memory = WitnessState(state)
    except OnwardError as error:
        terminal.fail(str(error))
    listening, address = listen(host, port)
    terminal.say(f"witness  {terminal.literal(str(signing.verifier))}")
    terminal.say(f"listens  {address}")
    serve_until_stopped(Witness(signing, logs, memory, terminal.CLOCK).app(), listening)
    memory.close()


def _key(file: Path, name: str | None) -> SigningKey:
    """The key of the file, or a new one there."""
    if not file.exists():
        if name is None:
            terminal.fail(f"{file} is not there; say --name to make a key")
        try:
            made = SigningKey.generate(name, COSIGNATURE)
        except LogError as error:
            terminal.fail(f"--name: {error}")
        terminal.write_private(file, made.secret() + "\n")
        return made
    try:
        found = SigningKey.parse(file.read_text().strip())
    except (OSError, UnicodeDecodeError):
        terminal.fail(f"{file} cannot be read")
    except LogError as error:
        terminal.fail(f"{file}: {error}")
    if found.kind != COSIGNATURE or (name is not None and name != found.name):
        terminal.fail(f"{file} holds another key: of {found.name}")
    return found
