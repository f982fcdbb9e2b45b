"""onward rules diff: what a change of rules would change, as a plan: for every event there can be, proved or shown."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import Asked, Looker, asks_who
from services.cli.looking import Row
from services.cli.rules_past import past_of, show_past
from services.cli.rules_proofs import (
    WITHIN,
    clock,
    decided_in_words,
    decided_json,
    event_in_words,
    event_json,
)
from services.ground.errors import OnwardError, StoreUnusable
from services.ground.migration import require_schema
from services.ground.world import open_store
from services.router.in_force import rule_set_at
from services.router.rules.digest import canonical
from services.router.rules.loader import load_rule_set
from services.router.rules.plan import names_changed
from services.router.rules.ruleset import RuleSet

LABELS = {
    "route": "routes to {}",
    "withheld": "held back from {}",
    "pause": "pause of the leg to {}",
    "hold": "hold: {}",
    "review": "review: {}",
    "notify": "notice: {}",
    "escalate": "escalation to {}",
    "record": "record: {}",
    "ask": "question for {}",
    "silence": "events that no rule knows what to do with",
}


@asks_who
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A rule set's folder, or the digest of a kept one.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The one that would come in its place.")],
    within: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Time for all proofs together.")] = WITHIN,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Tell what rule set B does otherwise than A, of all events there can be.

    Per destination: proved the same, widened, narrowed, more or less urgent, sooner or later, each with the smallest
    event that shows it, decided by both. So too for pauses, holds, reviews, notices, escalations, and what is asked.
    What no event of all shows is proved the same. Where a system has run here, its past events tell too which of them
    would have come out otherwise. Needs no running system, changes nothing.

    Exits 0 when both are proved to do the same, 1 when they differ or it was not proved in time, and 2 when one of them
    cannot be read or they cannot be compared.
    """
    found = terminal.run(_diff(before, after, within, who()))
    if as_json:
        terminal.print_json(found)
    else:
        show_difference(terminal.literal(found))
    if not found["same"]:
        raise SystemExit(terminal.NEEDS_ATTENTION)


async def _diff(before: str, after: str, within: float, who: Looker) -> Row:
    try:
        async with open_store(terminal.settings()) as database:
            await database.read(require_schema)
            one, other = [await database.read(partial(rule_set_at, place=each)) for each in (before, after)]
            return difference_of(one, other, within) | {"past": await past_of(database, who, one, other)}
    except StoreUnusable:
        one, other = _in_folder(before), _in_folder(after)
        return difference_of(one, other, within) | {"past": None}


def _in_folder(place: str) -> RuleSet:
    if not Path(place).is_dir():
        raise OnwardError(f"{place!r} is no folder, and no system has run here that would know it as a digest")
    return load_rule_set(Path(place))


def difference_of(one: RuleSet, other: RuleSet, within: float = WITHIN) -> Row:
    """What the other does otherwise, of all events there can be. Raises OnwardError where they cannot be compared."""
    topics = _compared(one, other, within)
    return {
        "before": one.digest,
        "after": other.digest,
        "rules": names_changed({rule.id: rule for rule in one.rules}, {rule.id: rule for rule in other.rules}),
        "promises": names_changed({i.id: i for i in one.invariants}, {i.id: i for i in other.invariants}),
        "topics": topics,
        "besides": list(_besides(one, other)),
        "same": all(topic["verdict"] == "same" for topic in topics) and not any(_besides(one, other)),
    }


def _compared(one: RuleSet, other: RuleSet, within: float) -> list[Row]:
    from services.router.rules.prove.both import Both, NotComparable  # the solver loads for who proves
    from services.router.rules.prove.diff import compared, due_of, questions_in

    try:
        both = Both(one, other, clock(within))
    except NotComparable as refused:
        raise OnwardError(str(refused)) from None
    with terminal.progress() as bar:
        every = list(bar.track(compared(both), questions_in(both), description="proofs"))
    return [
        {
            "sort": each.topic.sort,
            "of": list(each.topic.key) if isinstance(each.topic.key, tuple) else each.topic.key,
            "verdict": each.verdict,
            "changes": [
                {
                    "way": change.way,
                    "due": [due_of(decision, each.topic) for decision in (change.shown.before, change.shown.after)],
                    "event": event_json(change.shown.witness),
                    "before": decided_json(one, change.shown.before),
                    "after": decided_json(other, change.shown.after),
                }
                for change in each.changes
            ],
        }
        for each in every
    ]


def _besides(one: RuleSet, other: RuleSet) -> Iterator[str]:
    """What changed and is no part of the proof, which starts from facts and ends with due times as rules say them."""
    from services.router.rules.prove.both import declared_otherwise

    for name in declared_otherwise(one, other):
        yield f"{name} is declared otherwise: the same event may give it another value"
    if canonical(one.calendar) != canonical(other.calendar):
        yield "the calendar is another: the same due time may be another moment"
    for name in sorted(one.destinations.keys() | other.destinations.keys()):
        if one.destinations.get(name) != other.destinations.get(name):
            yield f"the destination {name} is another: whom it takes, what it is told, or by when it answers"
    if one.pathway != other.pathway:
        yield "the pathway is another: where legs can stand, and how they move"


def show_difference(found: Row) -> None:
    """Tell people what is the same, what is not, and what would have come of the past."""
    for title in ("rules", "promises"):
        for how, names in found[title].items():
            if names:
                terminal.say(f"{title} {how}: {', '.join(names)}")
    differ = show_what_differs(found)
    same = [topic for topic in found["topics"] if topic["verdict"] == "same"]
    routes = [str(topic["of"]) for topic in same if topic["sort"] == "route"]
    if routes and differ:
        terminal.say(f"\n[green]proved the same[/] routes to {', '.join(routes)}")
    rest = len(same) - len(routes)
    if differ:
        terminal.say(f"[green]proved the same[/] {rest} others (pauses, notices, questions and the like)")
    if found["same"]:
        terminal.say(f"[green]Proved the same[/] for every event there can be: all {len(same)} things that they do.")
    if found.get("past") is not None:
        show_past(found["past"])


def show_what_differs(found: Row) -> list[Row]:
    """Everything that is not proved the same, with an event each way. Returns those topics."""
    differ = [topic for topic in found["topics"] if topic["verdict"] != "same"]
    for topic in differ:
        _show_topic(topic)
    for line in found["besides"]:
        terminal.say(f"[yellow]look:[/] {line}")
    return differ


def _show_topic(topic: Row) -> None:
    of = ": ".join(topic["of"]) if isinstance(topic["of"], list) else topic["of"]
    terminal.say(f"\n[bold]{LABELS[topic['sort']].format(of)}[/]")
    for change in topic["changes"]:
        was, now = change["due"]
        due = f" ({was} before, {now} after)" if change["way"] in ("sooner", "later") else ""
        terminal.say(f"  [yellow]{change['way']}[/]{due}, such as: {event_in_words(change['event'])}")
        terminal.say(f"      before  {decided_in_words(change['before'])}")
        terminal.say(f"      after   {decided_in_words(change['after'])}")
    if topic["verdict"] == "not proved":
        terminal.say("  [red]not proved[/]: whether there is more was not decided in time (--within)")
