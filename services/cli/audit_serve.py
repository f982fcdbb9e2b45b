"""onward audit serve: give the published log out over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from services.audit.serving import serving
from services.cli import terminal
from services.cli.listening import LOOPBACK, listen, serve_until_stopped


def serve(
    host: Annotated[str, typer.Option(help="Where to listen.")] = LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 for any port that is free.")] = 8376,
) -> None:
    """Give out the log that the audit service publishes, for anybody to verify. Ctrl-C ends it.

    Nothing in it is secret but what its entries say: put TLS, and whoever may read it, in front of it.
    """
    folder = terminal.settings().log_folder
    if not folder.is_dir():
        terminal.fail(f"nothing is published in {folder.resolve()} yet: does audit run? (onward status)")
    listening, address = listen(host, port)
    terminal.say(f"{address} gives out {folder.resolve()}")
    serve_until_stopped(serving(folder), listening)
