"""onward trace: the way of one event through every stage, with times, rules and reasons."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.tree import Tree

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import Asked, Looker, Seen, asks_who, look, shown
from services.cli.looking import Row, find_event, trace_of
from services.ground.clock import for_people
from services.ground.migration import require_schema
from services.ground.sealing import ERASED
from services.ground.world import open_store


@asks_who
def trace(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="Of an event (ours or the source's), leg, command or message.")
    ],
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Show the way of one event as a tree. That you looked is kept in the audit log."""
    found = terminal.run(_trace(id_, who()))
    if found is None:
        terminal.fail(f"nothing is known under {id_!r}", code=terminal.NEEDS_ATTENTION)
    if as_json:
        terminal.print_json(found)
    else:
        terminal.out.print(tree_of(terminal.literal(found)))


async def _trace(id_: str, who: Looker) -> Row | None:
    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        event_id = await database.read(lambda c: find_event(c, id_))
        if event_id is None:
            return None
        return await look(database, who, lambda c: trace_of(c, event_id), _seen)


def _seen(found: Row) -> list[Seen]:
    return [Seen(found["accepted"].get("person_id"), [("event", found["event_id"])], shown(found, "event_id"))]


def tree_of(found: Row) -> Tree:
    """The trace as a tree for a terminal."""
    accepted = found["accepted"]
    tree = Tree(f"[bold]event {found['event_id']}[/]", highlight=False)
    if accepted:
        intake = tree.add(f"[cyan]intake[/] {_at(accepted['accepted_at'])} accepted from {accepted['source']}")
        intake.add(f"their id {accepted['origin_id']}, {accepted['type']}")
        intake.add(f"person {accepted['person_id']}, their event number {accepted['sequence']}")
        for raw in found["raw"]:
            size = ERASED if raw["bytes"] is None else f"{raw['bytes']} bytes"
            intake.add(f"{_at(raw['received_at'])} {size} on {raw['subject']}: {raw['outcome']}")
    for decision in found["decisions"]:
        router = tree.add(f"[cyan]router[/] {_at(decision['decided_at'])} decided by rules {decision['rule_set'][:19]}")
        _decision(router, decision["said"])
        _done(router, found)
    for delivery in found["deliveries"]:
        leg = f"leg {terminal.short(delivery['leg_id'])}, command {delivery['number']}"
        to = f"{delivery['action']} -> [bold]{delivery['destination']}[/] ({leg})"
        dispatch = tree.add(f"[cyan]dispatch[/] {_at(delivery['handed_over_at'])} {to}")
        dispatch.add("disclosed: " + (", ".join(delivery["fields"]) or "nothing"))
    for aside in found["quarantine"]:
        told = "" if aside["told_at"] is None else ", and whoever sent it was told why"
        branch = tree.add(
            f"[red]{'quarantine' if not told else 'refused'}[/] {aside['service']}: {aside['reason']}{told}"
        )
        for problem in aside["problems"]:
            branch.add(f"{problem['place']} {problem['message']}".strip())
        branch.add(f"onward quarantine show {aside['id']}")
    if found["audit"]:
        audit = tree.add(f"[cyan]audit[/] {len(found['audit'])} entries")
        for entry in found["audit"]:
            to = f" to {entry['recipient']}" if entry.get("recipient") else ""
            audit.add(f"{entry['position']}: {entry['operation']}{to} by {entry['actor']['id']}")
    return tree


def _done(router: Tree, found: Row) -> None:
    """What came of it: legs, offers and pauses, questions."""
    for step in found["history"]:
        moved = f"{step['from_status'] or 'new'} -> {step['to_status']} ({step['effect']})"
        leg = f"[bold]{step['destination']}[/] (leg {terminal.short(step['leg_id'])})"
        router.add(f"{leg} {moved}, priority {step['priority']}: {step['because']}")
    for offer in found["offers"]:
        answer = offer["answer"] or f"answer by {_at(offer['answer_by'])}"
        leg = terminal.short(offer["leg_id"])
        router.add(f"[yellow]offers a pause[/] of leg {leg} for {offer['for_days']} days ({answer})")
    for pause in found["pauses"]:
        ended = f", {pause['ended']} {_at(pause['ended_at'])}" if pause["ended_at"] else ""
        leg, until = terminal.short(pause["leg_id"]), pause["until_date"]
        router.add(f"[yellow]pauses[/] leg {leg} from {pause['from_date']} until {until}{ended}")
    for review in found["reviews"]:
        answer = f"answered by {review['answered_by']}" if review["answered_at"] else f"due {_at(review['due_at'])}"
        router.add(f"[yellow]asks {review['role']}[/]: {review['question']} ({answer})")


def _decision(router: Tree, said: Row | str) -> None:
    if isinstance(said, str):  # ERASED
        router.add(f"[dim]{said}[/]")
        return
    for rule in said["matched"]:
        branch = router.add(
            f"[green]{rule['rule']}[/]{'' if rule['certain'] else ' (a fact is unknown)'}: {rule['because']}"
        )
        for test in rule["tests"]:
            if test["fact"] == "event":  # the tree begins with it
                continue
            branch.add(f"{test['test']}   [dim]{test['fact']} = {_value(test['value'])}, from {test['origin']}[/]")
    for held in said["withheld"]:
        why = "; ".join(reason["because"] for reason in held["held_back_by"])
        router.add(f"[yellow]held back[/] {held['destination']}: {why}")
    for question in said["questions"]:
        router.add(f"[yellow]not known[/] {question['fact']}: {question['question']}")


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _at(moment: Any) -> str:
    return for_people(moment) if moment is not None else "-"
