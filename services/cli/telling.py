"""How `onward work` tells people what a question is about, what they can do, and what became of what they decided."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.padding import Padding

from schemas.roles import may_answer
from services.cli import terminal
from services.cli.looking import Row
from services.cli.seen import LAST_STEPS, checks_of, steps_of
from services.cli.ways import Way
from services.ground.clock import for_people
from services.router.rules.language import Role

WHO: Final = (("--by", "ONWARD_BY", "NAME"), ("--role", "ONWARD_ROLE", "ROLE"))
MANY_VALUES: Final = 4  # of a fact, which are then told in one line
ORGANISATION: Final = ("--organisation", "ONWARD_ORGANISATION", "NAME")
_WRONG: Final = {  # the field of a decision, as somebody who typed a command knows it
    "review_id": "the question",
    "leg_id": "the leg",
    "on": "--on",
    "until": "--until",
    "answer": "--answer",
    "value": "--fact-value",
    "status": "--status",
    "reason_code": "--reason-code",
    "other_person_id": "the other person",
    "person_id": "the person",
}
_OPENERS: Final = ("is", "was", "must", "asks", "needs", "should")  # a message that wants its subject


def line(name: str, said: str) -> None:
    """One named line; nothing where there is nothing to say."""
    if said:
        terminal.out.print(f"[bold]{name:>10}[/] {said}", highlight=False, soft_wrap=True)


def question(row: Row) -> None:
    """A question with all that is known about it."""
    put_off = f", put off {row['snoozes']} times" if row["snoozes"] else ""
    line("question", row["question"])
    line("id", f"{row['id']} ({row['kind'].replace('_', ' ')})")
    line("person", row["person_id"])
    line("for", " or ".join(row["may_answer"]))
    line("asked", for_people(row["asked_at"]))
    line("due", for_people(row["due_at"]) + put_off)
    line("fact", row["fact"] or "")
    wants = {reason["rule"] for reason in row["route"]["reasons"]} if row["route"] else set()
    if row["route"]:
        _route(row["route"])
    line("perhaps", " or ".join(row["perhaps"] or ()))
    if row["event"]:
        event = row["event"]
        happened = f"{event['kind'].replace('_', ' ')} on {for_people(event['occurred_at'])}, from {event['source']}"
        line("event", happened)
    if row["leg"]:
        leg(row["leg"])
    if row["fact"] and row["decides"]:
        line("decides", f"whether {', '.join(row['decides'])} {'holds' if len(row['decides']) == 1 else 'hold'}")
    elif not (row["route"] or row["fact"]):
        line("hangs on", ", ".join(row["hangs_on"]))
    if row["route"] or row["fact"]:  # what else its event led to is no reason for it
        line("beside it", ", ".join(reason["rule"] for reason in row["because"] if reason["rule"] not in wants))
    else:
        for reason in row["because"]:
            line("because", f"{reason['because']} [dim]({reason['rule']})[/]")
    for human in row["decided"]:
        answer = f" {human['answer']}" if human["answer"] else ""
        told = f"{human['kind']}{answer}, by {human['by_user']} ({human['role']}): {human['reason']}"
        line("decided", f"{for_people(human['taken_at'])} {told}")


def _route(route: Row) -> None:
    """A route that waits for a word: where it leads, why, and by how many events it is wanted."""
    line("route", f"{route['destination']}, priority {route['priority']}")
    for reason in route["reasons"]:
        line("because", f"{reason['because']} [dim]({reason['rule']})[/]")
    events = len(route.get("told_in") or ())
    line("wanted by", f"{events} events; the destination is told of each" if events > 1 else "")


def listed(row: Row) -> None:
    """A question in a list: what tells it from others on a line, and under it the question."""
    due = f"due {for_people(row['due_at'])}"
    put_off = f", put off {row['snoozes']} times" if row["snoozes"] else ""
    told = [f"[red]{due}[/]" if row["overdue"] else due, f"{row['age_working_hours']:g} h old{put_off}", row["role"]]
    told += [row["about"]] if row["about"] else []
    told.append(f"person {terminal.short(row['person_id'])}")
    terminal.out.print(f"[bold]{terminal.short(row['id'])}[/]  {'  '.join(told)}", highlight=False, soft_wrap=True)
    terminal.out.print(Padding(row["question"], (0, 0, 0, 10)), highlight=False)


def leg(row: Row, *, steps: int = LAST_STEPS) -> None:
    """A leg as it stands: since when, what was offered, how it rests, who asks how he is."""
    stands = f"{row['destination']}, {row['status']} since {for_people(row['since'])}, priority {row['priority']}"
    ended = f", ended: {row['reason']}" if row["reason"] else ""
    line("leg", f"{stands}{ended} [dim]({row['id']})[/]")
    for kept in _resting(row):
        line(*kept)
    for step in steps_of(row, steps):
        by = f", by {step['by_user']}" if step["by_user"] else ""
        words = f"{step['effect']}: {step['to_status']}{by}. {step['because']}"
        line("", f"{for_people(step['at'])} {words}")
    if steps:
        line("beside", "; ".join(f"{other['destination']}, {other['status']}" for other in row["beside"]))


def _resting(row: Row) -> Iterator[tuple[str, str]]:
    if offer := row["offer"]:
        until = "nobody answered by" if offer["answer"] else "answer by"
        offered = (
            f"a pause of {offer['for_days']} days for {offer['reason']}, offered {for_people(offer['offered_at'])}"
        )
        yield "offer", f"{offered}, {until} {for_people(offer['answer_by'])}"
    if pause := row["pause"]:
        muted = f", no checks up to {pause['muted_until']}" if pause["muted_until"] else ""
        rests = f"{pause['from_date']} to {pause['until_date']} for {pause['reason']}, before it {pause['held_from']}"
        yield "pause", f"{rests}, a check every {pause['welfare_check_days']} days{muted}"
    over, still = checks_of(row)
    for check in over:
        found = f": {check['outcome']}" if check["outcome"] else ""
        yield "check", f"{check['due_on']} {check['status']}{found}"
    for check in still:
        before = f", brought before {check['escalated_to']}" if check["escalated_to"] else ""
        yield "check", f"{check['due_on']} {check['status']}{before}"


def person(row: Row) -> None:
    """Somebody's legs and open questions, each with the id to show it by."""
    line("person", row["person_id"])
    line("also", ", ".join(row["joined"]))
    for each in row["legs"]:
        line("leg", f"{terminal.short(each['id'])}  {each['destination']}, {each['status']}")
    for each in row["questions"]:
        line("question", f"{terminal.short(each['id'])}  {each['question']} [dim]({each['role']})[/]")
    terminal.out.print("Look at one: onward work show ID")


def ways(found: Sequence[Way], role: str | None, closing: Sequence[str], statuses: Sequence[str]) -> None:
    """What can be done, with the words to type; `closing` are the reasons for which legs end, `statuses` where they can
    stand.

    Who has set who they are is not told to type it.
    """
    if not found:
        return
    terminal.out.print("\n[bold]What you can do[/] (words in capitals are yours to fill in)")
    mine = os.environ.get("ONWARD_ROLE") or role or Role.FACILITATOR
    for way in _in_short(found):
        least = f" [dim](takes a {way.role} at least)[/]" if way.role and not may_answer(mine, way.role) else ""
        terminal.out.print(f"  {terminal.literal(way.says)}{least}", highlight=False, soft_wrap=True)
        terminal.out.print(f"    {terminal.literal(way.typed(who(role or way.role)))}", highlight=False, soft_wrap=True)
    words = {word for way in found for word in way.words}
    for word, known in (("CODE", closing), ("STATUS", statuses)):
        if word in words and known:
            terminal.out.print(f"  [bold]{word}[/] is one of {', '.join(known)}", highlight=False)
    if who(role):
        terminal.out.print("Say who you are once: export ONWARD_BY=... ONWARD_ROLE=... ONWARD_ORGANISATION=...")


def _in_short(found: Sequence[Way]) -> list[Way]:
    """Where many values answer one question, one line for all of them."""
    values = [way for way in found if way.value is not None]
    if len(values) < MANY_VALUES:
        return list(found)
    first = values[0]
    said = ", ".join(way.value for way in values if way.value is not None)
    short = Way(f"{first.says.partition(':')[0]}: VALUE is one of {said}", (*first.words[:-1], "VALUE"), first.role)
    at = found.index(first)
    return [*found[:at], short, *(way for way in found[at:] if way.value is None)]


def who(role: str | None) -> tuple[str, ...]:
    """The options that tell who decides, where the environment does not."""
    wanted: Iterable[tuple[str, str, str]] = (*WHO[:1], (*WHO[1][:2], role or WHO[1][2]), ORGANISATION)
    return tuple(word for option, name, value in wanted if name not in os.environ for word in (option, value))


def result(row: Row) -> None:
    """What became of a decision: one sentence, then what follows from it."""
    outcome = row["outcome"]
    if outcome in ("refused", "conflict"):
        for problem in row.get("problems") or [{"place": "", "message": row.get("reason") or outcome}]:
            terminal.out.print(f"[red]refused:[/] {sentence(problem)}", highlight=False, soft_wrap=True)
        return
    terminal.out.print(f"[{'green' if outcome == 'taken' else 'yellow'}]{outcome}[/] {row['id']}", highlight=False)
    for each in row.get("legs", ()):
        terminal.out.print(f"  {each['destination']}: {each['to_status']}", highlight=False)
    if row.get("leg"):
        leg(row["leg"], steps=0)
    if outcome == "taken" and not (row.get("legs") or row.get("asks") or row.get("leg")):
        terminal.out.print("  No leg was opened or changed by it, and nothing more is asked.")
    if row.get("note"):
        terminal.out.print(f"  {row['note']}", highlight=False, soft_wrap=True)
    for asked in row.get("asks", ()):
        words = f"{asked['question']} (onward work show {terminal.short(asked['id'])})"
        terminal.out.print(f"  asks {asked['role']} by {for_people(asked['due_at'])}: {words}", highlight=False)
    if outcome != "taken":
        terminal.out.print(f"It is kept; what becomes of it: onward trace {row['id']}")


def sentence(problem: Row) -> str:
    """A problem as a sentence about what was typed."""
    field, message = str(problem["place"]).removeprefix("/data/"), str(problem["message"])
    if message.split(" ", 1)[0] in _OPENERS:
        message = f"{_WRONG.get(field, field or 'the message')} {message}"
    return message if message.endswith((".", "?")) else f"{message}."
