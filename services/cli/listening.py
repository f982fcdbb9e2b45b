"""Serves an app over HTTP from a terminal, until Ctrl-C."""

from __future__ import annotations

import socket
import sys
from typing import Final

import uvicorn
from starlette.applications import Starlette

from services.cli import terminal

LOOPBACK: Final = "127.0.0.1"
LAST_ANSWERS_SECONDS: Final = 5


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A socket that listens, port 0 for any that is free, and its address for people. Ends the command if it cannot."""
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        terminal.fail(f"cannot listen on {host} port {port}: {error.strerror}")
    return listening, f"http://{host}:{listening.getsockname()[1]}"


def serve_until_stopped(app: Starlette, listening: socket.socket) -> None:
    """Answer until the process is told to stop."""
    sys.stdout.flush()  # what was said of where it listens
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=LAST_ANSWERS_SECONDS)
    uvicorn.Server(config).run(sockets=[listening])
