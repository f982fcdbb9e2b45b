"""The command line, typed by somebody who sits beside a system that runs in this process, on the same clock."""

from __future__ import annotations

import asyncio
import json
import shlex
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.cli import terminal
from services.cli.main import app
from services.ground.clock import Clock
from services.ground.settings import Settings


class Typed:
    """Runs commands as `onward` does, in a thread, for the system needs this one."""

    def __init__(self, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(terminal, "settings", lambda: settings)
        monkeypatch.setattr(terminal, "CLOCK", clock)
        self._runner = CliRunner()

    async def onward(self, *words: str) -> Result:
        """What a command says, and its exit code."""
        return await asyncio.to_thread(self._runner.invoke, app, list(words))

    async def typed(self, line: str) -> Result:
        """The same, of a whole line such as people copy it."""
        return await self.onward(*shlex.split(line)[1:])

    async def json(self, *words: str) -> Any:
        """What a command says to machines."""
        result = await self.onward(*words, "--json")
        return json.loads(result.stdout)
