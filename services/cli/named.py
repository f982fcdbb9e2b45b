"""A service, as somebody types its name."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli import terminal
from services.ground.streams import SERVICES

ServiceName = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]


def check_service(name: str) -> None:
    """End the command where there is no service of this name."""
    if name not in SERVICES:
        terminal.fail(f"no service called {name!r}; there are {', '.join(SERVICES)}")
