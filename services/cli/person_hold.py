"""onward person hold, release, show: who may not be erased, until when, and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from functools import partial
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import (
    OPERATOR,
    Asked,
    ByOption,
    Looker,
    LookRoleOption,
    Seen,
    actor_of,
    asks_who,
    checked,
    look,
)
from services.cli.deciding import day, find_person
from services.cli.looking import Row, all_who_are
from services.cli.person_erase import BecauseOption, PersonArgument
from services.ground.clock import LONDON, for_people
from services.ground.errors import OnwardError
from services.ground.migration import require_schema
from services.ground.sealing import Erased
from services.ground.work import Work
from services.ground.world import open_store
from services.intake.erasing import erased_at
from services.intake.holds import holds_ever_on, holds_on, place_holds, release_holds
from services.intake.store import legal_holds
from services.router.case_retention import kept_for


def hold(
    person: PersonArgument,
    by: ByOption,
    because: BecauseOption,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last day of it; else until somebody releases it.")
    ] = None,
    role: LookRoleOption = OPERATOR,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Put a person under a legal hold: they are neither erased nor proposed for it while it stands."""
    last = _end_of(until)
    if last is not None and last <= terminal.CLOCK.now():
        terminal.fail("--until lies in the past")
    ids = terminal.run(
        _change(person, Looker(by, role, terminal.settings().organisation, because), partial(_place, until=last))
    )
    if as_json:
        terminal.print_json({"holds": ids, "until": last})
        return
    ends = f"until {for_people(last)}" if last else "until somebody releases it"
    terminal.say(f"[green]held[/] {ends}: {', '.join(ids)}")


def release(
    person: PersonArgument,
    by: ByOption,
    because: BecauseOption,
    role: LookRoleOption = OPERATOR,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """End every legal hold that stands on a person, and on all who are merged into them. Exits 1 where none does."""
    ids = terminal.run(_change(person, Looker(by, role, terminal.settings().organisation, because), _release))
    if as_json:
        terminal.print_json({"released": ids})
    elif ids:
        terminal.say(f"[green]released[/] {', '.join(ids)}")
    if not ids:
        terminal.fail("no legal hold stands on this person", code=terminal.NEEDS_ATTENTION)


@asks_who
def show(
    person: PersonArgument,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Show for how long a person is kept: their legal holds, when they are to be reviewed, whether they are erased."""
    found = terminal.run(_found(person, who()))
    if as_json:
        terminal.print_json(found)
        return
    terminal.say(f"[bold]{', '.join(found['persons'])}[/]")
    for who, when in found["erased"].items():
        terminal.say(f"[red]erased[/] {who} on {for_people(when)}")
    for each in terminal.literal(found["holds"]):
        stands = "[red]stands[/]" if each["id"] in found["standing"] else "[dim]over[/]"
        ends = f" until {for_people(each['until'])}" if each["until"] else ""
        terminal.say(f"legal hold {stands} {each['id']} by {each['by_user']}{ends}: {each['because']}")
        if each["released_at"]:
            terminal.say(
                f"  released {for_people(each['released_at'])} by {each['released_by']}: {each['released_because']}"
            )
    if not found["holds"]:
        terminal.say("no legal hold")
    _show_retention(found["retention"])


def _show_retention(kept: Row) -> None:
    years = f"cases are kept for {kept['years']:g} years after the last word of them"
    if kept["open"]:
        terminal.say(f"{years}; this one is open, on hold or has a message that waits")
    elif kept["review_due"]:
        terminal.say(f"{years}; a human is asked about this one from {for_people(kept['review_due'])}")
    for review in terminal.literal(kept["reviews"]):
        answer = f"{review['answer']} by {review['answered_by']}" if review["answered_at"] else "not answered yet"
        answer += f" until {review['keep_until']}" if review["keep_until"] else ""
        terminal.say(f"asked {for_people(review['asked_at'])}, review {review['id']}: {answer}")


def _end_of(until: str | None) -> datetime | None:
    """The end of a day, London's."""
    said = day(until, "--until")
    if said is None:
        return None
    return datetime.combine(datetime.fromisoformat(said).date() + timedelta(days=1), time(0), LONDON)


def _place(work: Work, persons: list[str], who: Looker, *, until: datetime | None) -> list[str]:
    return place_holds(work, persons, actor_of(who), checked(who.because or ""), until)


def _release(work: Work, persons: list[str], who: Looker) -> list[str]:
    return release_holds(work, persons, actor_of(who), checked(who.because or ""))


async def _change(text: str, who: Looker, act: Callable[[Work, list[str], Looker], list[str]]) -> list[str]:
    person, settings = await find_person(text), terminal.settings()

    def body(connection: Connection) -> list[str]:
        work = Work(connection, service="intake", now=terminal.CLOCK.now(), organisation=settings.organisation)
        try:
            ids = act(work, all_who_are(connection, person), who)
        except Erased:
            raise OnwardError("this person is erased: there is nothing to hold any more") from None
        work.finish()
        return ids

    async with open_store(settings) as database:
        await database.read(require_schema)
        return await database.write(body)


async def _found(text: str, who: Looker) -> Row:
    person, now, years = await find_person(text), terminal.CLOCK.now(), terminal.settings().retention_case_years

    def read(connection: Connection) -> dict[str, Any]:
        persons = all_who_are(connection, person)
        return {
            "person_id": person,
            "persons": persons,
            "erased": erased_at(connection, persons),
            "holds": holds_ever_on(connection, persons),
            "standing": [each["id"] for each in holds_on(connection, persons, now)],
            "retention": {"class": "case", "years": years, **kept_for(connection, person, now, years)._asdict()},
        }

    def seen(found: Row) -> list[Seen]:
        records = [("person", each) for each in found["persons"]]
        records += [("legal_hold", each["id"]) for each in found["holds"]]
        return [Seen(person, records, [column.name for column in legal_holds.c], "retention")]

    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        return await look(database, who, read, seen)
