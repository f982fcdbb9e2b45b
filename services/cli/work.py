"""onward work: what waits for a human, with what they should see, and their answer through the real queue."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated

import orjson
import typer
from rich.table import Column, Table

from schemas.envelope import EventType
from schemas.roles import role_name
from schemas.vocabulary import DecisionKind
from services.cli import send, terminal, worklist
from services.cli.config import JsonFlag
from services.cli.looking import Row, consulted, find_persons
from services.ground.clock import LONDON, for_people
from services.ground.ids import new_id
from services.ground.migration import require_schema
from services.ground.world import open_store
from services.router.rules.language import Role
from services.router.rules.loader import load_rule_set

app = typer.Typer(no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="ID", help="A review's id, or its start or end.")]


@app.command(name="list", epilog="Example: onward work list --role case_manager --due-before 2026-11-03")
def list_open(
    role: Annotated[str | None, typer.Option(help="Only what is asked of this role.")] = None,
    person: Annotated[
        str | None, typer.Option(help="Only about this person: an id, an identifier, a reference.")
    ] = None,
    due_before: Annotated[str | None, typer.Option(help="Only what is due before this day or moment.")] = None,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """List what waits for a human, the longest overdue first, with its age in working hours."""
    if role is not None and role_name(role) not in set(Role):
        terminal.fail(f"no role {role!r}; there are {', '.join(Role)}")
    before = _moment(due_before, "--due-before", time(0)) if due_before else None
    found = terminal.run(_list(role_name(role) if role else None, person, before))
    if as_json:
        terminal.print_json(found)
        return
    table = Table(Column("Id", no_wrap=True), "Due", "Age", "Role", "Question", "Person", box=None, header_style="bold")
    for row in terminal.literal(found):
        due = f"[red]{for_people(row['due_at'])}[/]" if row["overdue"] else for_people(row["due_at"])
        put_off = f" (put off {row['snoozes']} times)" if row["snoozes"] else ""
        age = f"{row['age_working_hours']:g} h"
        table.add_row(row["id"], due, age, row["role"], row["question"] + put_off, terminal.short(row["person_id"]))
    if found:
        terminal.out.print(table)
    overdue = sum(row["overdue"] for row in found)
    terminal.out.print(f"{len(found)} open, {overdue} overdue." if found else "Nothing waits for a human here.")


@app.command(epilog="Example: onward work show 01a20955")
def show(id_: Id, as_json: JsonFlag = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Show one question with what it is about. That you looked is kept in the audit log."""
    found = terminal.run(_show(id_))
    if as_json:
        terminal.print_json(found)
        return
    row = terminal.literal(found)
    lines = {
        "question": row["question"],
        "id": row["id"],
        "person": row["person_id"],
        "for": " or ".join(row["may_answer"]),
        "asked": for_people(row["asked_at"]),
        "due": for_people(row["due_at"]) + (f", put off {row['snoozes']} times" if row["snoozes"] else ""),
        "answers": " | ".join(row["answers"] or ()) or ("a value" if row["fact"] else "in your own words"),
        "fact": row["fact"],
        "route": _route(row["route"]),
        "perhaps": " or ".join(row["perhaps"] or ()),
        "leg": row["leg"] and f"{row['leg']['destination']}, {row['leg']['status']} since {_when(row['leg']['since'])}",
        "event": row["event"] and _event(row["event"]),
        "hangs on": ", ".join(row["hangs_on"]),
    }
    for name, said in lines.items():
        if said:
            terminal.out.print(f"[bold]{name:>10}[/] {said}", highlight=False)
    for reason in row["because"]:
        terminal.out.print(f"[bold]{'because':>10}[/] {reason['because']} [dim]({reason['rule']})[/]", highlight=False)
    for human in row["decided"]:
        answer = f" {human['answer']}" if human["answer"] else ""
        told = f"{human['kind']}{answer}, by {human['by_user']} ({human['role']}): {human['reason']}"
        terminal.out.print(f"[bold]{'decided':>10}[/] {_when(human['taken_at'])} {told}", highlight=False)


@app.command(
    epilog="Example: onward work answer 01a20955 --fact-value ex_partner --by j.smith --role case_manager "
    "--organisation 'Northshire hub' --because 'The force confirmed it by telephone.'"
)
def answer(
    id_: Id,
    by: Annotated[str, typer.Option(help="Who answers.")],
    role: Annotated[str, typer.Option(help="In which role.")],
    organisation: Annotated[str, typer.Option(help="For which organisation.")],
    because: Annotated[str, typer.Option(metavar="TEXT", help="Why.")],
    answer: Annotated[str | None, typer.Option(help="One of the answers, or your own where none are offered.")] = None,
    fact_value: Annotated[str | None, typer.Option(help="The fact that is asked for.")] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Let the route go out.")] = False,  # noqa: FBT002
    refuse: Annotated[bool, typer.Option("--refuse", help="Do not let the route go out.")] = False,  # noqa: FBT002
    snooze_until: Annotated[str | None, typer.Option(metavar="WHEN", help="Ask again on this day or moment.")] = None,
    merge_with: Annotated[str | None, typer.Option(metavar="PERSON", help="It is this person: one case.")] = None,
    keep_apart_from: Annotated[str | None, typer.Option(metavar="PERSON", help="It is not this person.")] = None,
    source: Annotated[str, typer.Option(help="The source in the subject.")] = "onward-console",
    wait: Annotated[float, typer.Option(help="Seconds to wait for what becomes of it.")] = 10.0,
    as_json: JsonFlag = False,  # noqa: FBT002
) -> None:
    """Answer a question, let its route go out or not, or put it off; and tell what became of that."""
    ways: list[tuple[bool, DecisionKind, dict[str, str | None]]] = [
        (answer is not None, DecisionKind.ANSWER_REVIEW, {"answer": answer}),
        (fact_value is not None, DecisionKind.ANSWER_REVIEW, {"value": fact_value}),
        (confirm, DecisionKind.CONFIRM_ROUTE, {}),
        (refuse, DecisionKind.REFUSE_ROUTE, {}),
        (snooze_until is not None, DecisionKind.SNOOZE, {"until": snooze_until}),
        (merge_with is not None, DecisionKind.MERGE_PERSONS, {"person_id": merge_with}),
        (keep_apart_from is not None, DecisionKind.KEEP_PERSONS_APART, {"other_person_id": keep_apart_from}),
    ]
    chosen = [(kind, said) for given, kind, said in ways if given]
    if len(chosen) != 1:
        terminal.fail(
            "say one of --answer, --fact-value, --confirm, --refuse, --snooze-until, --merge-with, --keep-apart-from"
        )
    [(kind, said)] = chosen
    decided_by = {"user": by, "role": role, "organisation": organisation}
    found = terminal.run(_find(id_))
    data = {"kind": kind, "decided_by": decided_by, "reason": because, "review_id": found["id"], **_said(said, found)}
    result = terminal.run(_answer(data, found, source, wait))
    if as_json:
        terminal.print_json(result)
    else:
        _tell(terminal.literal(result))
    if result["outcome"] in ("refused", "conflict"):
        raise SystemExit(terminal.NEEDS_ATTENTION)


def _said(said: dict[str, str | None], review: Row) -> Row:
    """What the decision says, completed from the question that it answers."""
    until = said.get("until")
    if until is not None:
        return {"until": _moment(until, "--snooze-until", time(9)).isoformat()}
    if "value" in said:
        if review["fact"] is None:
            terminal.fail("this review asks for no fact: use --answer")
        return {**said, "fact": review["fact"]}
    if "person_id" in said:
        return {**said, "other_person_id": review["person_id"]}
    return {"person_id": review["person_id"], **said} if "other_person_id" in said else dict(said)


async def _list(role: str | None, person: str | None, before: datetime | None) -> list[Row]:
    settings, now = terminal.settings(), terminal.CLOCK.now()
    calendar = load_rule_set(settings.rules_dir).calendar
    async with open_store(settings) as database:
        await database.read(require_schema)
        persons = await database.read(lambda c: find_persons(c, person)) if person is not None else None
        found = await database.read(lambda c: worklist.open_reviews(c, role=role, persons=persons, due_before=before))
    for row in found:
        row["overdue"] = row["due_at"] < now
        row["age_working_hours"] = worklist.working_hours(calendar, row["asked_at"], now)
    return found


async def _find(id_: str) -> Row:
    settings = terminal.settings()
    async with open_store(settings) as database:
        await database.read(require_schema)
        found = await database.read(lambda c: worklist.reviews_by_id(c, id_))
    if len(found) != 1:
        terminal.fail(f"{len(found) or 'no'} reviews match {id_!r}", code=terminal.NEEDS_ATTENTION)
    return found[0]


async def _show(id_: str) -> Row:
    settings, now = terminal.settings(), terminal.CLOCK.now()
    review = await _find(id_)
    person, records = review["person_id"], [("review", review["id"])]
    async with open_store(settings) as database:
        await database.write(lambda c: consulted(c, settings, now, person_id=person, records=records))
        return await database.read(lambda c: worklist.context_of(c, review))


async def _answer(data: Row, review: Row, source: str, wait: float) -> Row:
    now = terminal.CLOCK.now()
    shown = [id_ for id_ in (review["event_id"], review["decision_id"], review["leg_id"]) if id_ is not None]
    envelope = {
        "specversion": "1.0",
        "id": new_id(now),
        "source": source,
        "type": EventType.DECISION_MADE.value,
        "time": now,
        "datacontenttype": "application/json",
        "data": {**data, "decided_at": now, "shown": shown},
    }
    checked = send.check(orjson.dumps(envelope), source, None, "this answer")
    [receipt] = await send.deliver([checked], wait)
    if receipt["outcome"] != "accepted":
        return receipt
    event_id = str(receipt["event_id"])
    async with open_store(terminal.settings()) as database:
        return {**receipt, **await worklist.outcome_of(database, event_id, seconds=wait)}


def _tell(result: Row) -> None:
    colour = {"taken": "green", "refused": "red", "conflict": "red"}.get(result["outcome"], "yellow")
    terminal.out.print(f"[{colour}]{result['outcome']}[/] {result['id']}", highlight=False)
    for leg in result.get("legs", ()):
        terminal.out.print(f"  {leg['destination']}: {leg['to_status']}", highlight=False)
    for problem in result.get("problems") or ():
        terminal.out.print(f"  {problem['place'] or '(the message)'}: {problem['message']}", highlight=False)
    if result["outcome"] in ("accepted", "sent"):
        terminal.out.print(f"It is kept; what becomes of it: onward trace {result['id']}")


def _moment(text: str, option: str, hour: time) -> datetime:
    """A day (at this hour of it) or a moment, London's unless it says its zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        terminal.fail(f"{option}: {text!r} is no day or moment, for example 2026-11-03 or 2026-11-03T14:30")
    if len(text) == 10:
        found = datetime.combine(found, hour)
    return found if found.tzinfo else found.replace(tzinfo=LONDON)


def _when(moment: datetime) -> str:
    return for_people(moment)


def _event(event: Row) -> str:
    return f"{event['kind'].replace('_', ' ')} on {_when(event['occurred_at'])}, from {event['source']}"


def _route(route: Row | None) -> str | None:
    return f"{route['destination']}, priority {route['priority']}" if route else None
