"""onward audit serve: give the published log out over HTTP."""

from __future__ import annotations

import socket
import sys
from typing import Annotated

import typer
import uvicorn

from services.audit.serving import serving
from services.cli import terminal

LOOPBACK = "127.0.0.1"


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
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        terminal.fail(f"cannot listen on {host} port {port}: {error.strerror}")
    terminal.say(f"http://{host}:{listening.getsockname()[1]} gives out {folder.resolve()}")
    sys.stdout.flush()
    config = uvicorn.Config(serving(folder), log_level="warning", access_log=False, timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listening])
