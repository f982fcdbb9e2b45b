"""That a person looked at somebody's data is an audit entry, kept in the transaction that read it.

Who looks, in which role and why is said by `--by`, `--role` and `--because`, or stands in the environment.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from inspect import Parameter
from typing import Annotated, Any, Final, NamedTuple, TypeAlias, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from schemas.audit import Actor
from schemas.base import Sentence
from schemas.problems import problems_of
from schemas.vocabulary import AuditOperation
from services.cli import terminal
from services.ground.database import Database
from services.ground.errors import OnwardError
from services.ground.settings import Settings
from services.ground.work import Work

ByOption = Annotated[  # who acts
    str, typer.Option("--by", envvar="ONWARD_BY", help="Who you are; it is kept in the audit log.")
]
LookByOption = Annotated[
    str | None, typer.Option("--by", envvar="ONWARD_BY", show_default="USER", help="Who looks; it is kept.")
]
LookRoleOption = Annotated[str, typer.Option("--role", envvar="ONWARD_ROLE", help="In which role.")]
LookBecauseOption = Annotated[
    str | None,
    typer.Option("--because", envvar="ONWARD_BECAUSE", metavar="TEXT", help="Why you look; it is kept."),
]
OPERATOR: Final = "operator"
WHY: Final = "say why you look: --because TEXT, or ONWARD_BECAUSE (ONWARD_JUSTIFICATION_REQUIRED asks for it)"

T = TypeVar("T")
Asked: TypeAlias = "Callable[[], Looker]"
_SENTENCE: Final[TypeAdapter[str]] = TypeAdapter(Sentence)


class Looker(NamedTuple):
    """Who looks, in which role, for whom and why."""

    by: str
    role: str
    organisation: str
    because: str | None


class Seen(NamedTuple):
    """What was shown: whose data, which records of (kind, id), and which fields of theirs; never a value."""

    person_id: str | None
    records: Sequence[tuple[str, str]]
    fields: Sequence[str] = ()
    purpose: str = "operations"
    correlation_id: str | None = None  # the event that it is about; else the first record


def looker(
    by: str | None = None, role: str | None = None, because: str | None = None, organisation: str | None = None
) -> Looker:
    """Who sits here, as the options or the environment say. Asks for a missing reason where somebody can answer.

    Ends the command where a reason is required and nobody gives one.
    """
    settings = terminal.settings()
    because = because or os.environ.get("ONWARD_BECAUSE") or None
    if because is None and AuditOperation.CONSULT in settings.justification_required:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            terminal.fail(WHY)
        because = str(typer.prompt("Why do you look at this?", err=True))
    return Looker(
        by or os.environ.get("ONWARD_BY") or os.environ.get("USER") or OPERATOR,
        role or os.environ.get("ONWARD_ROLE") or OPERATOR,
        organisation or settings.organisation,
        because,
    )


def asks_who(command: Callable[..., None]) -> Callable[..., None]:
    """A command that shows somebody's data: its parameter `who` becomes --by, --role and --because.

    `who()` says who looks; it is asked when something is to be shown, for a missing reason ends the command.
    """
    takes = inspect.signature(command, eval_str=True)

    def asking(*, by: str | None, role: str, because: str | None, **rest: object) -> None:
        command(**rest, who=partial(looker, by, role, because))

    options = {"by": (LookByOption, None), "role": (LookRoleOption, OPERATOR), "because": (LookBecauseOption, None)}
    three = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=a, default=d) for name, (a, d) in options.items()]
    signature = takes.replace(parameters=[*(p for p in takes.parameters.values() if p.name != "who"), *three])
    asking.__name__, asking.__doc__ = command.__name__, command.__doc__
    vars(asking)["__signature__"] = signature  # what `inspect.signature`, and so typer, reads
    asking.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return asking


async def look(
    database: Database, who: Looker, read: Callable[[Connection], T], seen: Callable[[T], Iterable[Seen]]
) -> T:
    """Read something and, in the same transaction, keep that it was read: what cannot be entered is not shown.

    `seen` tells of what was read what will be shown; nothing is entered where that is nothing.
    """
    settings, now = terminal.settings(), terminal.CLOCK.now()

    def both(connection: Connection) -> T:
        found = read(connection)
        enter(connection, settings, now, who, seen(found))
        return found

    return await database.write(both)


async def enter_seen(database: Database, who: Looker, seen: Iterable[Seen]) -> None:
    """Keep what is about to be shown, where it was read before: too long ago, or too much, for one transaction."""
    all_seen = list(seen)
    if all_seen:
        await look(database, who, lambda _: None, lambda _: all_seen)


def enter(connection: Connection, settings: Settings, now: datetime, who: Looker, seen: Iterable[Seen]) -> None:
    """One entry for each that was seen.

    Raises OnwardError where it cannot be said who looks, or why is required and not said.
    """
    work = Work(connection, service="intake", now=now, organisation=settings.organisation)
    for each in seen:
        work.audit(
            AuditOperation.CONSULT,
            actor=actor_of(who),
            person_id=each.person_id,
            records=each.records,
            fields=list(each.fields),
            purpose=each.purpose,
            wrote=_why(who, settings),
            correlation_id=each.correlation_id or (each.records[0][1] if each.records else work.id()),
        )
    work.finish()


def actor_of(who: Looker) -> dict[str, str]:
    """Somebody at a terminal, for an audit entry. Raises OnwardError for a name that no entry takes."""
    try:
        return Actor(id=who.by, organisation=who.organisation, role=who.role).model_dump()
    except ValidationError as error:
        wrong = {"id": "your name (--by or USER)", "organisation": "ONWARD_ORGANISATION", "role": "--role"}
        told = "; ".join(f"{wrong.get(p.place[1:], p.place)} {p.message}" for p in problems_of(error, Actor))
        raise OnwardError(f"the audit log cannot say who you are: {told}") from None


def checked(because: str) -> str:
    """A justification as an entry takes it. Raises OnwardError for any other text."""
    try:
        return _SENTENCE.validate_python(because)
    except ValidationError:
        raise OnwardError("--because must be one line of text, of at most 1,000 characters") from None


def shown(found: Mapping[str, Any], *never: str) -> list[str]:
    """The names of what a record tells, sorted: those that have something in them."""
    return sorted(name for name, value in found.items() if name not in never and value not in (None, [], (), {}, ""))


def search(what: str, **words: object) -> tuple[str, str]:
    """The record of a look at many persons: which search it was, `what?name=value&...`, without what nobody said."""
    said = "&".join(f"{name}={value}" for name, value in words.items() if value is not None)
    plain = "".join(c if "!" <= c <= "~" and c not in "*>" else "_" for c in (f"{what}?{said}" if said else what))
    return ("search", plain[:128])


def _why(who: Looker, settings: Settings) -> str | None:
    if who.because is not None:
        return checked(who.because)
    if AuditOperation.CONSULT in settings.justification_required:
        raise OnwardError(WHY)
    return None
