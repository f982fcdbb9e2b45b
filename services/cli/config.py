"""onward config: every setting, its value, where that came from and what it is for."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table

from services.cli import terminal
from services.ground.errors import without_password
from services.ground.settings import Settings

JsonFlag = Annotated[bool, typer.Option("--json", help="For machines.")]


def config(as_json: JsonFlag = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Show every setting with its value and where it came from. Secrets stay hidden."""
    settings = terminal.settings()
    rows = [
        {
            "variable": f"ONWARD_{name.upper()}",
            "value": _shown(name, settings),
            "from": _origin(name, settings),
            "for": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        terminal.print_json(rows)
        return
    table = Table("Variable", "Value", "From", "What for", box=None, header_style="bold")
    for row in rows:
        table.add_row(*row.values())
    terminal.out.print(table)


def _shown(name: str, settings: Settings) -> str:
    value = getattr(settings, name)
    if isinstance(value, frozenset):
        return ",".join(sorted(value))  # as it is written in the environment
    return without_password(value) if name == "nats_url" and value else str(value)


def _origin(name: str, settings: Settings) -> str:
    if f"ONWARD_{name.upper()}" in os.environ:
        return "environment"
    return "file .env" if name in settings.model_fields_set else "default"
