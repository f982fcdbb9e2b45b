"""onward person export: what is held of one person, for that person."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from sqlalchemy import Connection

from schemas.vocabulary import AuditOperation
from services.cli import terminal
from services.cli.access.document import DATA_SUBJECT, Export, Making, export, fields_of, openable
from services.cli.access.gather import erased_at, gather
from services.cli.access.page import page
from services.cli.access.redact import REASONS, Policy
from services.cli.case import OUT, write
from services.cli.consulting import Asked, Looker, Seen, actor_of, asks_who, checked, enter_seen
from services.cli.looking import all_who_are, find_persons, named_persons
from services.ground.clock import for_people
from services.ground.database import Database
from services.ground.errors import OnwardError
from services.ground.migration import require_schema
from services.ground.settings import Settings
from services.ground.work import Work
from services.ground.world import open_store

PURPOSE: Final = "subject_access"
REVIEW: Final = "subject_access_review"
WHY: Final = "say why it is made: --because TEXT (for example: their request of 3 March)"


@asks_who
def export_person(
    person: Annotated[
        str, typer.Argument(help="A person, an identifier (PNC, CRO, CRN, NHS, NOMS), an event, a leg or a reference.")
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one page to read or print; - is the output.")
    ] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write one document for machines; - is the output.")
    ] = None,
    with_narratives: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--with-narratives", help="With what people wrote: only after somebody has read all of it.")
    ] = False,
    narratives_of: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="With what people wrote there alone: the number of a report, question, welfare check or joined record "
            "as --all-parties shows it, or reasons (why somebody looked or was told). Again for each that was read.",
        ),
    ] = None,
    name_staff: Annotated[  # noqa: FBT002
        bool, typer.Option("--name-staff", help="Name those who did the work, and not their roles alone.")
    ] = False,
    all_parties: Annotated[  # noqa: FBT002
        bool, typer.Option("--all-parties", help="Hold nothing back: for the review, NEVER for the person.")
    ] = False,
    *,
    who: Asked,
) -> None:
    """Write all that is held of a person, for that person: what is about others is held back and marked.

    What people wrote is held back until somebody has read it (--narratives-of, or --with-narratives for all of it), and
    so are records of services that are not on the person's side. The audit log keeps that it was disclosed to them.
    Exits 1 for whom nobody knows, and for whoever is erased.
    """
    if html is None and as_json is None:
        terminal.fail("say where to: --html FILE, --json FILE, or both")
    if html == OUT and as_json == OUT:
        terminal.fail("only one of --html and --json can go to the output")
    looker = who()
    if looker.because is None:
        terminal.fail(WHY)
    if narratives_of and (with_narratives or all_parties):
        terminal.fail("--narratives-of opens some of what --with-narratives and --all-parties open all of: say one")
    policy = Policy(with_narratives, frozenset(narratives_of or ()), name_staff, all_parties)
    made = terminal.run(_export(person, looker, policy))
    if as_json is not None:
        text = orjson.dumps(made.document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)
        write(as_json, text.decode() + "\n")
    if html is not None:
        write(html, page(made.document))
    _tell(made, policy)


async def _export(text: str, who: Looker, policy: Policy) -> Export:
    settings, now = terminal.settings(), terminal.CLOCK.now()
    async with open_store(settings) as database:
        await database.read(require_schema)
        person = await _meant(database, text, who)

        def both(connection: Connection) -> Export:
            """What cannot be entered is not handed over."""
            held = gather(connection, person, now)
            making = Making(now, settings.organisation, settings.controller, _kept_for(settings))
            made = export(held, policy, making)
            if unknown := sorted(policy.narratives_of - {REASONS, *openable(made.document)}):
                raise OnwardError(f"--narratives-of: nothing in it has this number: {', '.join(unknown)}")
            _enter(connection, settings, now, who, person, made, policy)
            return made

        return await database.write(both)


async def _meant(database: Database, text: str, who: Looker) -> str:
    """The one person who is meant. Ends the command where that is nobody, several, or somebody who is erased."""
    named = await database.read(lambda c: named_persons(c, text))
    gone = await database.read(lambda c: erased_at(c, named or [text]))
    if gone:
        when = for_people(max(gone.values()))
        terminal.fail(f"this person was erased on {when}: nothing is held of them", code=terminal.NEEDS_ATTENTION)
    persons = await database.read(lambda c: find_persons(c, text))
    if not persons:
        terminal.fail("nobody is known under that", code=terminal.NEEDS_ATTENTION)
    if len(persons) > 1:
        await enter_seen(database, who, [Seen(None, [("person", each) for each in persons], ["id"])])
        terminal.fail("several persons are known under that; name one of them: " + ", ".join(persons))
    everybody = await database.read(lambda c: all_who_are(c, persons[0]))
    gone = await database.read(lambda c: erased_at(c, everybody))
    if persons[0] in gone:
        when = for_people(gone[persons[0]])
        terminal.fail(f"this person was erased on {when}: nothing is held of them", code=terminal.NEEDS_ATTENTION)
    return persons[0]


def _enter(
    connection: Connection, settings: Settings, now: datetime, who: Looker, person: str, made: Export, policy: Policy
) -> None:
    if who.because is None:
        raise OnwardError(WHY)
    work = Work(connection, service="intake", now=now, organisation=settings.organisation)
    for_review = policy.all_parties
    work.audit(
        AuditOperation.CONSULT if for_review else AuditOperation.DISCLOSE,
        actor=actor_of(who),
        person_id=person,
        records=[("case", person), *_narratives(made, policy)],
        fields=[*fields_of(made.document), *_opened(policy)],
        purpose=REVIEW if for_review else PURPOSE,
        wrote=checked(who.because),
        correlation_id=person,
        recipient=None if for_review else DATA_SUBJECT,
        lawful_basis=None if for_review else "legal_obligation",  # UK GDPR Art 15, DPA 2018 s.45
    )
    work.finish()


def _narratives(made: Export, policy: Policy) -> list[tuple[str, str]]:
    """Whose narratives were opened, where not all were, as (kind, id)."""
    kinds = openable(made.document)
    return [(kinds[id_], id_) for id_ in sorted(policy.narratives_of - {REASONS})]


def _opened(policy: Policy) -> list[str]:
    """What was opened beyond what everybody gets, as the audit entry has it."""
    said = {
        "narratives": policy.narratives,
        "narratives_of": bool(policy.narratives_of - {REASONS}),
        "narratives_of.reasons": REASONS in policy.narratives_of,
        "names_of_staff": policy.staff,
    }
    return [name for name, opened in said.items() if opened]


def _kept_for(settings: Settings) -> str:
    """For how long, as the settings of retention have it: there is no other word on it that could say otherwise."""
    return (
        f"Reports as they came in are let go of {settings.retention_messages_days:g} days after they were dealt with, "
        f"messages that could not be used after {settings.retention_refused_days:g} days, copies of what was sent to "
        f"others {settings.retention_sent_days:g} days after they had it. When a case is closed and nothing was heard "
        f"for {settings.retention_case_years:g} years, a member of staff is asked whether the rest is erased; it can "
        "be kept for longer where the law says so."
    )


def _tell(made: Export, policy: Policy) -> None:
    """To whoever made it: what they have to look at before it is handed over."""
    if policy.all_parties:
        terminal.err.print("[red]onward:[/red] nothing is held back in it: it is for the review, never for the person")
        return
    left = ", ".join(f"{count} {what}" for what, count in made.left_out.items() if count)
    if left:
        terminal.err.print(f"left out without a mark, being of another side: {left} (to review them: --all-parties)")
    if not policy.narratives:
        but = f", but for {len(policy.narratives_of)} that you named" if policy.narratives_of else ""
        said = (
            f"what people wrote is held back{but}: read it, then --narratives-of NUMBER, or --with-narratives for all"
        )
        terminal.err.print(said, soft_wrap=True)
