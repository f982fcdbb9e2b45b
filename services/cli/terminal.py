"""How the command line speaks: tables for people, JSON for machines, one clear line for what went wrong."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn

from services.ground.clock import Clock, WallClock
from services.ground.errors import OnwardError, SettingsRefused
from services.ground.log import configure_logging
from services.ground.settings import Settings, load_settings
from services.router.rules.mistakes import RuleSetRefused

T = TypeVar("T")

OK: Final = 0
NEEDS_ATTENTION: Final = 1  # it worked, and somebody should look (a refused message, an unhealthy system)
UNUSABLE: Final = 2  # settings, rule files, arguments or the surroundings are wrong; nothing was changed
OWNER_ALONE: Final = 0o600  # what is written may be about a person
NOT_KNOWN_YET: Final = 3  # it is kept, and what becomes of it was not known in the time that was waited

CLOCK: Final[Clock] = WallClock()  # of the people who sit here
out = Console()
err = Console(stderr=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work. What a user can mend is told in one clear message, without a traceback."""
    try:
        return asyncio.run(work)
    except RuleSetRefused as error:
        fail("\n".join(["the rule set cannot be used:", *(str(mistake) for mistake in error.mistakes)]))
    except OnwardError as error:
        fail(str(error))


def settings() -> Settings:
    """This command's settings, with its log set up as they say; a wrong one ends it."""
    try:
        found = load_settings()
    except SettingsRefused as error:
        fail(str(error))
    configure_logging(found)
    return found


def fail(message: str, *, code: int = UNUSABLE) -> NoReturn:
    """Say what is wrong on standard error, and end."""
    err.print(f"[red]onward:[/red] {escape(message)}", highlight=False, soft_wrap=True)
    raise SystemExit(code)


def say(line: str) -> None:
    """One line for people, however long; markup in it is followed."""
    out.print(line, highlight=False, soft_wrap=True)


def progress(*more: ProgressColumn) -> Progress:
    """A bar on standard error, where that is a terminal; gone when it is full."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *more)
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def write_private(file: Path, content: str | bytes) -> None:
    """Write a file that its owner alone can read; one that cannot be written ends the command."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ALONE), "wb") as opened:
            opened.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")


def literal(value: Any) -> Any:
    """The same value, all text in it shown as it is: what somebody wrote in brackets is no markup of ours."""
    match value:
        case str():
            return escape(value)
        case dict():
            return {name: literal(member) for name, member in value.items()}
        case list() | tuple():
            return [literal(member) for member in value]
    return value


def print_json(value: object) -> None:
    """One JSON document on standard output; moments in UTC."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode())
    sys.stdout.write("\n")


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, for people: `3 min`. A dash where there is no such moment."""
    if moment is None:
        return "-"
    seconds = int((now.astimezone(UTC) - moment.astimezone(UTC)).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def short(id_: str) -> str:
    """The random end of an id, enough for people to tell ids apart on one screen."""
    return id_[-8:]
