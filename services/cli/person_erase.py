"""onward person erase: the end of all that can be read of somebody."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import OPERATOR, ByOption, Looker, LookRoleOption, Seen, checked, look
from services.cli.deciding import find_person
from services.cli.erasing import Erasing, MayNotBe, erase, look_at
from services.cli.looking import Row
from services.ground.clock import for_people
from services.ground.migration import require_schema
from services.ground.world import open_store
from services.intake.erasing import finish

PersonArgument = Annotated[
    str, typer.Argument(metavar="PERSON", help="A person, an identifier, an event, a leg or a reference.")
]
BecauseOption = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is kept in the audit log.")]


def erase_person(
    person: PersonArgument,
    by: ByOption,
    because: BecauseOption,
    role: LookRoleOption = OPERATOR,
    even_open: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--even-open", help="Although legs are open, at whose destinations somebody works on.")
    ] = False,
    review: Annotated[
        str | None, typer.Option(metavar="ID", help="The question of retention that was answered with `dispose`.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: I know what goes.")] = False,  # noqa: FBT002
    as_json: JsonFlag = False,  # noqa: FBT002
) -> None:
    """Erase a person for good, and all who are merged into them: destroy their keys, and log why.

    What was kept reads as erased everywhere, what finds them is deleted, nobody waits for them any more. The reason
    stays readable, so it may name nobody. A legal hold refuses, and so do open legs. Run again, it ends what was begun.
    Exits 1 where it may not be, 2 where an argument is wrong; nothing was erased then.
    """
    who = Looker(by, role, terminal.settings().organisation, because)
    found = terminal.run(_look_at(person, who))
    if found.left and not yes:
        if as_json or not sys.stdin.isatty():
            terminal.fail("nobody is here to be asked: say --yes to erase for good")
        _show_what_goes(found)
        if not typer.confirm("Erase this for good?", err=True):
            terminal.fail("nothing was erased", code=terminal.NEEDS_ATTENTION)
    try:
        done = terminal.run(_erase(found.persons[0], who, even_open=even_open, review=review))
    except MayNotBe as why:
        terminal.fail(str(why), code=terminal.NEEDS_ATTENTION)
    told: Row = {**done.as_told(), "erased": done.left, "erased_before": sorted(done.before)}
    if as_json:
        terminal.print_json(told)
    elif done.left:
        terminal.say(f"[green]erased[/] {', '.join(done.left)}; nothing is left of their keys here")
        terminal.say("The broker and backups keep what they have until their own time is over: docs/erasure.md")
    else:
        when = for_people(done.before[done.persons[0]])
        terminal.say(f"{done.persons[0]} was erased before, on {when}; nothing is left of their keys here")


async def _look_at(text: str, who: Looker) -> Erasing:
    person = await find_person(text)
    checked(who.because or "")

    def seen(found: Erasing) -> list[Seen]:
        records = [("person", each) for each in found.persons]
        return [Seen(person, records, ("holds", "legs", "questions"), "erasure")]

    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        now = terminal.CLOCK.now()
        return await look(database, who, lambda c: look_at(c, person, now), seen)


async def _erase(person: str, who: Looker, *, even_open: bool, review: str | None) -> Erasing:
    settings, now = terminal.settings(), terminal.CLOCK.now()
    async with open_store(settings) as database:
        done = await database.write(lambda c: erase(c, settings, now, who, person, even_open=even_open, review=review))
        await finish(database, now)
        return done


def _show_what_goes(found: Erasing) -> None:
    terminal.say(
        f"[bold]{', '.join(found.left)}[/]: one person" if len(found.left) > 1 else f"[bold]{found.left[0]}[/]"
    )
    counted = [(name.replace("_", " "), many) for name, many in found.counts.items()]
    counted += [("timers to be cancelled", found.timers), ("questions to be closed", len(found.reviews))]
    for name, many in counted:
        terminal.say(f"{many:>6,} {name}")
    for leg in terminal.literal(found.open_legs):
        terminal.say(f"[yellow]open:[/] {leg['destination']}, {leg['status']}, leg {leg['id']}")
    for hold in terminal.literal(found.holds):
        terminal.say(f"[red]legal hold[/] {hold['id']} by {hold['by_user']} since {for_people(hold['placed_at'])}")
