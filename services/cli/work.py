"""onward work: what waits for a human, with what they should see, and their answer through the real queue."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated, Final, NamedTuple

import typer
from sqlalchemy import Connection

from schemas.roles import role_name
from schemas.vocabulary import DecisionKind
from services.cli import deciding, telling, terminal, ways, worklist
from services.cli.config import JsonFlag
from services.cli.consulting import Asked, LookBecauseOption, LookByOption, Looker, Seen, asks_who, look, looker, shown
from services.cli.looking import Row, find_persons, named_persons
from services.cli.seen import on_screen
from services.ground.clock import for_people
from services.ground.migration import require_schema
from services.ground.world import open_store
from services.intake.erasing import erased_at
from services.router.in_force import rules_of
from services.router.rules.language import Role
from services.router.rules.mistakes import did_you_mean

app = typer.Typer(no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="ID", help="A question's id, or its start or end.")]
ByOption = Annotated[str, typer.Option("--by", envvar="ONWARD_BY", help="Who decides.")]
RoleOption = Annotated[str, typer.Option("--role", envvar="ONWARD_ROLE", help="In which role.")]
OrganisationOption = Annotated[
    str, typer.Option("--organisation", envvar="ONWARD_ORGANISATION", help="For which organisation.")
]
BecauseOption = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why.")]
OnOption = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="DAY",
        help="A pause's new last day; a check's new day, or the day it was done; until when a case is kept.",
    ),
]
ReasonCodeOption = Annotated[
    str | None, typer.Option("--reason-code", metavar="CODE", help="Why a leg ends, as pathway.yaml lists it.")
]
StatusOption = Annotated[str | None, typer.Option("--status", help="Where the leg stands from now on.")]
SourceOption = Annotated[str, typer.Option("--source", help="The source in the subject.")]
WaitOption = Annotated[float, typer.Option("--wait", help="Seconds to wait for what becomes of it.")]
ShownOption = Annotated[
    list[str] | None,
    typer.Option(
        "--shown", metavar="ID", help="For programs, with --json: a record that you showed; once for each of them."
    ),
]
ENDS: Final = "Exit codes: 0 taken, 1 refused, 2 nothing was sent, 3 kept and not known yet what becomes of it."


@app.command(name="list", epilog="Example: onward work list --role programme_manager --all --due-before 2026-11-03")
def list_open(
    role: Annotated[
        str | None, typer.Option(help="Only what is asked of this role, also what was brought before it.")
    ] = None,
    below: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--all", help="With --role: also what is asked of those below it, which it may answer.")
    ] = False,
    person: Annotated[
        str | None, typer.Option(help="Only about this person: an id, an identifier, a reference.")
    ] = None,
    due_before: Annotated[str | None, typer.Option(help="Only what is due before this day or moment.")] = None,
    by: LookByOption = None,
    because: LookBecauseOption = None,
    as_json: JsonFlag = False,  # noqa: FBT002
) -> None:
    """List what waits for a human, the longest overdue first, with its age in working hours."""
    if role is not None and role_name(role) not in set(Role):
        terminal.fail(f"no role {role!r}; there are {', '.join(Role)}")
    before = deciding.moment(due_before, "--due-before", time(0)) if due_before else None
    mine = role_name(role) if role is not None else None
    if mine is None and below:
        terminal.fail("--all needs --role: whose roles below are meant")
    who = looker(by, mine, because)
    found, others = terminal.run(_list(mine, person, before, who, below=below))
    if as_json:
        terminal.print_json(found)
        return
    for row in terminal.literal(found):
        telling.listed(row)
    overdue = sum(row["overdue"] for row in found)
    terminal.out.print(f"{len(found)} open, {overdue} overdue." if found else "Nothing waits for a human here.")
    if others:
        terminal.out.print(f"{others} more, asked of roles below, are yours to answer too: --all", highlight=False)


@app.command(epilog="Example: onward work show 01a20955")
@asks_who
def show(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="A question, a leg or a person: an id, its start or end, a reference.")
    ],
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Show a question or a leg with all that is known of it, and what to type for each thing that can be done.

    That you looked is kept in the audit log.
    """
    found = terminal.run(_show(id_, who()))
    if as_json:
        terminal.print_json(found)
        return
    row = terminal.literal(found)
    {"question": telling.question, "leg": telling.leg, "person": telling.person}[found["is"]](row)
    if found["erased_at"] is not None:
        telling.line(
            "erased", f"on {for_people(found['erased_at'])}: nothing of theirs can be read or decided any more"
        )
    told = [ways.Way(way["says"], tuple(way["words"]), way["role"], way["value"]) for way in found["ways"]]
    telling.ways(told, found.get("role"), found["reason_codes"], found["statuses"])


@app.command(
    epilog="Example: onward work answer 01a20955 --fact-value ex_partner --by j.smith --role case_manager "
    "--organisation 'Northshire hub' --because 'The force confirmed it by telephone.' " + ENDS
)
def answer(
    id_: Id,
    by: ByOption,
    role: RoleOption,
    organisation: OrganisationOption,
    because: BecauseOption,
    answer: Annotated[str | None, typer.Option(help="One of the answers, or your own where none are offered.")] = None,
    on: OnOption = None,
    reason_code: ReasonCodeOption = None,
    status: StatusOption = None,
    fact_value: Annotated[str | None, typer.Option(help="The fact that is asked for.")] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Let the route go out.")] = False,  # noqa: FBT002
    refuse: Annotated[bool, typer.Option("--refuse", help="Do not let the route go out.")] = False,  # noqa: FBT002
    snooze_until: Annotated[str | None, typer.Option(metavar="WHEN", help="Ask again on this day or moment.")] = None,
    merge_with: Annotated[str | None, typer.Option(metavar="PERSON", help="It is this person: one case.")] = None,
    keep_apart_from: Annotated[str | None, typer.Option(metavar="PERSON", help="It is not this person.")] = None,
    source: SourceOption = "onward-console",
    wait: WaitOption = 10.0,
    shown: ShownOption = None,
    as_json: JsonFlag = False,  # noqa: FBT002
) -> None:
    """Answer a question, let its route go out or not, or put it off; and tell what became of that."""
    options: list[tuple[bool, DecisionKind, dict[str, str | None]]] = [
        (answer is not None, DecisionKind.ANSWER_REVIEW, {"answer": answer}),
        (fact_value is not None, DecisionKind.ANSWER_REVIEW, {"value": fact_value}),
        (confirm, DecisionKind.CONFIRM_ROUTE, {}),
        (refuse, DecisionKind.REFUSE_ROUTE, {}),
        (snooze_until is not None, DecisionKind.SNOOZE, {"until": snooze_until}),
        (merge_with is not None, DecisionKind.MERGE_PERSONS, {"person_id": merge_with}),
        (keep_apart_from is not None, DecisionKind.KEEP_PERSONS_APART, {"other_person_id": keep_apart_from}),
    ]
    chosen = [(kind, said) for given, kind, said in options if given]
    if len(chosen) != 1:
        terminal.fail(
            "say one of --answer, --fact-value, --confirm, --refuse, --snooze-until, --merge-with, --keep-apart-from"
        )
    [(kind, said)] = chosen
    beside = {"on": deciding.day(on, "--on"), "reason_code": reason_code, "status": status}
    deciding.check_words(beside)
    review = terminal.run(deciding.find_review(id_))
    if answer is not None:
        deciding.check_answer(review, answer, beside)
    told = {"review_id": review["id"], **beside, **_said(said, review)}
    sending = Sending(source, wait, tuple(shown or ()), as_json)
    _decide(kind, told, (by, role, organisation, because), (review, review["leg"]), sending)


@app.command(
    epilog="Example: onward work decide extend_pause --person NS-2025-0031877 --leg dapp --on 2026-12-04 --by a.jones "
    "--role facilitator --organisation 'Northshire hub' --because 'He asked for two weeks more.' " + ENDS
)
def decide(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(DecisionKind)}.")],
    by: ByOption,
    role: RoleOption,
    organisation: OrganisationOption,
    because: BecauseOption,
    leg: Annotated[
        str | None, typer.Option(help="The leg: its id, or its start or end; with --person also its destination.")
    ] = None,
    person: Annotated[str | None, typer.Option(help="The person: an id, an identifier, a reference.")] = None,
    other: Annotated[
        str | None, typer.Option("--with", metavar="PERSON", help="The other person, to merge, part or keep apart.")
    ] = None,
    review: Annotated[str | None, typer.Option(help="The question that is answered by it.")] = None,
    on: OnOption = None,
    outcome: Annotated[str | None, typer.Option(help="What a welfare check found.")] = None,
    status: StatusOption = None,
    reason_code: ReasonCodeOption = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="When a snoozed question comes back.")] = None,
    source: SourceOption = "onward-console",
    wait: WaitOption = 10.0,
    shown: ShownOption = None,
    as_json: JsonFlag = False,  # noqa: FBT002
) -> None:
    """Decide something that nobody asked for: of a leg, an offer, a pause, a check, or two persons."""
    meant = kind.casefold().replace("-", "_")
    if meant not in set(DecisionKind):
        near = did_you_mean(meant, [each.value for each in DecisionKind])
        terminal.fail(f"no decision {kind!r}; there are {', '.join(DecisionKind)}{near}")
    said: Row = {
        "on": deciding.day(on, "--on"),
        "welfare_check": outcome,
        "status": status,
        "reason_code": reason_code,
        "until": deciding.moment(until, "--until", time(9)).isoformat() if until else None,
    }
    deciding.check_words(said)
    about = terminal.run(deciding.find_review(review)) if review is not None else None
    found = terminal.run(deciding.find_leg(leg, person)) if leg is not None else (about["leg"] if about else None)
    said |= {"review_id": about["id"] if about else None, "leg_id": found["id"] if found else None}
    if other is not None:
        if person is None:
            terminal.fail("--with needs --person: who it is about")
        find = named_persons if meant == DecisionKind.UNMERGE_PERSONS else find_persons
        said |= {name: terminal.run(deciding.find_person(each, find=find)) for name, each in _two(person, other)}
    sending = Sending(source, wait, tuple(shown or ()), as_json)
    _decide(DecisionKind(meant), said, (by, role, organisation, because), (about, found), sending)


class Sending(NamedTuple):
    """How a decision is sent, and to whom what becomes of it is told."""

    source: str
    wait: float
    shown: tuple[str, ...]
    as_json: bool


def _two(person: str, other: str) -> list[tuple[str, str]]:
    return [("person_id", person), ("other_person_id", other)]


def _decide(
    kind: DecisionKind,
    said: Row,
    who: tuple[str, str, str, str],
    about: tuple[Row | None, Row | None],
    sending: Sending,
) -> None:
    by, role, organisation, because = who
    review, leg = about
    seen = list(sending.shown)  # a program tells what it showed: nothing is printed for it before it is decided
    who_looks = looker(by, role, because, organisation)
    if sending.as_json:
        terminal.run(deciding.looked_at(who_looks, None, leg))  # as it is afterwards
    else:
        seen += on_screen(review, leg)
        terminal.run(deciding.looked_at(who_looks, review, leg))
        if review is not None:
            telling.question(terminal.literal(review))
        if leg is not None and (review is None or review["leg_id"] != leg["id"]):
            telling.leg(terminal.literal(leg))
    told = {name: value for name, value in said.items() if value is not None}
    told |= {"decided_by": {"user": by, "role": role, "organisation": organisation}, "reason": because}
    result = terminal.run(deciding.decide(kind, told, seen, sending.source, sending.wait))
    if sending.as_json:
        terminal.print_json(result)
    else:
        telling.result(terminal.literal(result))
    code = deciding.exit_code(str(result["outcome"]))
    if code != terminal.OK:
        raise SystemExit(code)


def _said(said: dict[str, str | None], review: Row) -> Row:
    """What the decision says, completed from the question that it answers."""
    until = said.get("until")
    if until is not None:
        return {"until": deciding.moment(until, "--snooze-until", time(9)).isoformat()}
    if "value" in said:
        if review["fact"] is None:
            terminal.fail("this review asks for no fact: use --answer")
        return {**said, "fact": review["fact"]}
    if "person_id" in said:
        return {**said, "other_person_id": review["person_id"]}
    return {"person_id": review["person_id"], **said} if "other_person_id" in said else dict(said)


async def _list(
    mine: str | None, person: str | None, before: datetime | None, who: Looker, *, below: bool
) -> tuple[list[Row], int]:
    """The questions that are meant; and how many more somebody in this role may answer, of which no more is told."""
    now, roles = terminal.CLOCK.now(), worklist.answers_for(mine) if mine is not None else None
    others = 0

    def read(connection: Connection) -> list[Row]:
        nonlocal others
        found = worklist.open_reviews(connection, roles=roles, persons=persons, due_before=before)
        told = [row for row in found if mine is None or below or row["role"] == mine]
        others = len(found) - len(told)
        return told

    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        calendar = (await database.read(rules_of)).calendar
        persons = await database.read(lambda c: find_persons(c, person)) if person is not None else None
        if persons == []:
            terminal.fail("nobody is known under that", code=terminal.NEEDS_ATTENTION)
        found = await look(database, who, read, _listed)
        about = await database.read(lambda c: worklist.destinations_of(c, {row["leg_id"] for row in found}))
    for row in found:
        row["overdue"] = row["due_at"] < now
        row["age_working_hours"] = worklist.working_hours(calendar, row["asked_at"], now)
        row["about"] = about.get(row["leg_id"], row["destination"])
    return found, others


def _listed(found: list[Row]) -> list[Seen]:
    """Whose questions are told: one entry, or as many as it takes to name them all."""
    persons = list(dict.fromkeys(str(row["person_id"]) for row in found))
    records = [("review", str(row["id"])) for row in found] + [("person", person) for person in persons]
    fields = sorted({name for row in found for name in shown(row, "id", "person_id")})
    return [Seen(persons[0] if len(persons) == 1 else None, records, fields, "work_list")] if found else []


async def _show(id_: str, who: Looker) -> Row:
    """What an id means: a question, a leg, or else a person; with what can be done about it."""
    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        what, found = await database.read(lambda c: worklist.meant(c, id_))
        if len(found) != 1:
            terminal.fail(
                f"no question, leg or person matches {id_!r}"
                if not found
                else f"{len(found)} match {id_!r}; say more of the id",
                code=terminal.NEEDS_ATTENTION,
            )
        [row] = found

        def read(connection: Connection) -> Row:
            match what:
                case "question":
                    return worklist.context_of(connection, row)
                case "leg":
                    return worklist.leg_as_it_is(connection, row["id"]) or row
                case _:
                    return row

        def seen(told: Row) -> list[Seen]:
            kind = {"question": "review", "person": "case"}.get(what, what)
            person = str(told["person_id"])
            return [Seen(person, [(kind, str(told.get("id", person)))], shown(told, "id", "person_id"), "decision")]

        told = await look(database, who, read, seen)
        match what:
            case "question":
                can = ways.ways_to_answer(told, told["leg"]) if told["answered_at"] is None else []
            case "leg":
                can = ways.ways_on(told)
            case _:
                can = ways.ways_to_part(told)
        person = str(told["person_id"])
        gone = (await database.read(lambda c: erased_at(c, [person]))).get(person)
        can = [] if gone is not None else can  # nothing is decided of them any more
        pathway = (await database.read(rules_of)).pathway
    types_it = telling.who(told.get("role"))
    return {
        "is": what,
        **told,
        "erased_at": gone,
        "reason_codes": list(pathway.reasons),
        "statuses": [status.value for status in pathway.statuses if pathway.has(status)],
        "ways": [{**way._asdict(), "command": way.typed(types_it)} for way in can],
    }
