"""onward rules explain: why an event was decided as it was, and what would have led elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import Asked, Looker, Seen, asks_who, look
from services.cli.looking import Row, find_event, rows
from services.ground.clock import for_people
from services.ground.errors import OnwardError
from services.ground.migration import require_schema
from services.ground.sealing import ERASED
from services.ground.world import open_store
from services.router import store as router
from services.router.rule_sets import rule_sets_kept
from services.router.rules.calendar import local_day
from services.router.rules.decision import plain
from services.router.rules.events import EventKind
from services.router.rules.facts import facts_stated
from services.router.rules.loader import load_rule_set
from services.router.rules.mistakes import ImpossibleValue, did_you_mean
from services.router.rules.ruleset import RuleSet
from services.router.rules.why_not import WhyNot, facts_kept, why_not

MADE_KINDS = frozenset(kind.value for kind in EventKind)


@asks_who
def explain(
    id_: Annotated[
        str, typer.Argument(metavar="EVENT", help="Of an event (ours or the source's), leg, command or message.")
    ],
    destination: Annotated[
        str | None, typer.Option("--why-not", metavar="DESTINATION", help="Why it was not routed there.")
    ] = None,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
    *,
    who: Asked,
) -> None:
    """Explain a decision: the rules that held, each test with its value and its origin, what was not known.

    With `--why-not` the tests that failed of the rules that route there, the fewest first, and the nearest change of
    facts that would have led there. That you looked is kept in the audit log. Exits 1 when EVENT is not known.
    """
    found = terminal.run(_explain(id_, destination, who()))
    if found is None:
        terminal.fail(f"no decision is known under {id_!r}", code=terminal.NEEDS_ATTENTION)
    if as_json:
        terminal.print_json(found)
    else:
        _show(terminal.literal(found))


async def _explain(id_: str, destination: str | None, who: Looker) -> Row | None:
    settings = terminal.settings()
    async with open_store(settings) as database:
        await database.read(require_schema)
        event_id = await database.read(lambda c: find_event(c, id_))
        if event_id is None:
            return None
        where = router.decisions.c.event_id == event_id
        decided_at = router.decisions.c.decided_at
        decisions = await look(database, who, lambda c: rows(c, router.decisions, where, decided_at), _seen)
        if not decisions:
            return None
        if decisions[-1]["said"] == ERASED:
            raise OnwardError("whom this decision was about is erased, and what it was decided by with them")
        digest = decisions[-1]["rule_set"]
        kept = await database.read(lambda c: rule_sets_kept(c, [digest])) if destination is not None else {}
    found = _explained(decisions[-1], len(decisions))
    if destination is None:
        return found
    rules = kept.get(digest) or load_rule_set(settings.rules_dir)
    if destination not in rules.destinations:
        raise OnwardError(f"no destination {destination!r}{did_you_mean(destination, rules.destinations)}")
    return found | _why_not(rules, decisions[-1], destination)


def _seen(decisions: list[Row]) -> list[Seen]:
    """The last decision is told; facts are named, never what they were."""
    if not decisions:
        return []
    last = decisions[-1]
    records = [("event", last["event_id"]), ("decision", last["id"])]
    return [Seen(last["person_id"], records, ["said", *sorted(f"facts.{name}" for name in last["facts"])])]


def _explained(decision: Row, times: int) -> Row:
    said = decision["said"]
    named = ("routes", "withheld", "matched", "unknown", "questions")
    return {
        "event_id": decision["event_id"],
        "kind": decision["facts"].get("event"),
        "decided_at": decision["decided_at"],
        "times_decided": times,
        "rule_set": decision["rule_set"],
        **{name: said[name] for name in named},
    }


def _why_not(rules: RuleSet, decision: Row, destination: str) -> Row:
    """Why not, by the rule set that decided; where it was not kept by the one in use, and then it says so."""
    stored: Mapping[str, object] = decision["facts"]
    kind = stored.get("event")
    values = {name: value for name, value in stored.items() if name in rules.facts}
    origins = {test["fact"]: test["origin"] for rule in decision["said"]["matched"] for test in rule["tests"]}
    if kind not in MADE_KINDS:
        raise OnwardError(f"these rules know no event of kind {kind!r}, which this one is")
    bare = facts_stated(rules, EventKind(str(kind)), {}, local_day(decision["decided_at"]))
    try:
        facts = facts_kept(rules, values, origins, bare)
    except ImpossibleValue as wrong:
        raise OnwardError(f"these rules cannot read the facts of this decision: {wrong}") from None
    return {
        "why_not": _as_json(why_not(rules, facts, destination)),
        "by_rule_set": rules.digest,
        "same_rules": rules.digest == decision["rule_set"],
    }


def _as_json(found: WhyNot) -> Row:
    nearest = found.nearest
    return {
        "destination": found.destination,
        "standing": found.standing,
        "tier": found.tier,
        "reasons": plain(found.reasons),
        "held_back_by": plain(found.held_back_by),
        "rules": [
            {
                **{name: getattr(rule, name) for name in ("rule", "because", "tier", "truth")},
                "failing": [
                    {
                        "test": test.test,
                        "fact": test.fact,
                        "value": plain(test.value),
                        "known": test.value is not None,
                        "origin": test.origin,
                        "at": str(test.at) if test.at else None,
                    }
                    for test in rule.failing
                ],
            }
            for rule in found.rules
        ],
        "nearest": None
        if nearest is None
        else {
            "changes": [{"fact": c.fact, "was": plain(c.was), "to": plain(c.to)} for c in nearest.changes],
            "rules": plain(nearest.rules),
        },
    }


def _show(found: Row) -> None:
    again = f" (decided {found['times_decided']} times, this is the last)" if found["times_decided"] > 1 else ""
    terminal.say(
        f"[bold]event {found['event_id']}[/], {found['kind']}, decided {for_people(found['decided_at'])}{again}"
    )
    terminal.say(f"[dim]by {found['rule_set']}[/]")
    for rule in found["matched"]:
        unsure = "" if rule["certain"] else ", acted on although a fact is not known"
        floor = " (a floor: no rule can withhold it)" if rule["tier"] == "floor" else ""
        terminal.say(f"\n[green]{rule['rule']}[/]{floor}{unsure}: {rule['because']}")
        for test in rule["tests"]:
            terminal.say(
                f"    {test['test']}   [dim]{test['fact']} = {_value(test['value'])}, from {test['origin']}[/]"
            )
    if not found["matched"]:
        terminal.say("\nNo rule held.")
    for held in found["withheld"]:
        why = "; ".join(f"{reason['rule']}: {reason['because']}" for reason in held["held_back_by"])
        asked = ", ".join(reason["rule"] for reason in held["reasons"])
        terminal.say(f"\n[yellow]held back[/] {held['destination']} (asked for by {asked}): {why}")
    for unknown in found["unknown"]:
        questions = {question["fact"] for question in found["questions"]}
        named = ", ".join(f"{fact}{'' if fact in questions else ' (not asked)'}" for fact in unknown["facts"])
        terminal.say(f"\n[yellow]not known[/] for {unknown['rule']}: {named}")
    if "why_not" in found:
        _show_why_not(found["why_not"], same_rules=found["same_rules"])


def _show_why_not(found: Row, *, same_rules: bool) -> None:
    name = found["destination"]
    if not same_rules:
        terminal.say(
            "\n[yellow]look:[/] the rule set that decided was not kept; what follows is what those in use would say."
        )
    reasons = ", ".join(reason["rule"] for reason in found["reasons"])
    if found["standing"] == "routed":
        terminal.say(f"\n[bold]{name}[/] was routed to, by {reasons}.")
        return
    if found["standing"] == "withheld":
        terminal.say(f"\n[bold]{name}[/] was asked for by {reasons}, and held back:")
        for reason in found["held_back_by"]:
            terminal.say(f"    [yellow]{reason['rule']}[/]: {reason['because']}")
    else:
        terminal.say(
            f"\n[bold]{name}[/] was not routed to." if found["rules"] else f"\nNo rule routes to [bold]{name}[/]."
        )
    for rule in found["rules"]:
        hangs = ", hangs on what is not known" if rule["truth"] == "unknown" else ""
        terminal.say(f"  {rule['rule']}{hangs}: {rule['because']}")
        for test in rule["failing"]:
            was = f"{test['fact']} = {_value(test['value'])}" if test["known"] else f"{test['fact']} is not known"
            at = f", {test['at']}" if test["at"] else ""
            terminal.say(f"    [red]would need[/] {test['test']}   [dim]{was}, from {test['origin']}{at}[/]")
    nearest = found["nearest"]
    if nearest is not None:
        changes = "; ".join(f"{c['fact']} {_value(c['to'])} instead of {_value(c['was'])}" for c in nearest["changes"])
        by = ", ".join(reason["rule"] for reason in nearest["rules"])
        terminal.say(f"\n[bold]Nearest change[/] that would have led there (tried): {changes} (by {by}).")
    elif found["rules"]:
        terminal.say("\nNo change of facts that was tried leads there.")


def _value(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (", ".join(map(str, value)) or "nothing") if isinstance(value, list) else str(value)
