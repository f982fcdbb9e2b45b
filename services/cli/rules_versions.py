"""onward rules activate, approve, withdraw, rollback: how a version comes to decide about people."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from services.cli import terminal
from services.cli.config import JsonFlag
from services.cli.consulting import ByOption, Looker, actor_of, checked
from services.cli.looking import Row
from services.cli.rules_check import fitness_of, show_fitness
from services.cli.rules_diff import difference_of
from services.cli.rules_examples import AT_LEAST, worth_of
from services.cli.rules_history import show_plan
from services.cli.rules_past import past_of
from services.cli.sending import send_now
from services.ground.clock import WallClock
from services.ground.errors import OnwardError
from services.ground.migration import require_schema
from services.ground.settings import Settings
from services.ground.work import Work
from services.ground.world import connect, open_store, open_world
from services.router import versions
from services.router.in_force import rules_of
from services.router.rules.approval import Approval, who_is_missing, why_it_cannot_approve
from services.router.rules.examples import examples_in
from services.router.rules.files import Files
from services.router.rules.loader import files_in, read_rule_set
from services.router.rules.plan import plan_of
from services.router.rules.ruleset import RuleSet
from services.router.versions import By, StepKind

BecauseOption = Annotated[str, typer.Option("--because", help="Why; it is kept in the audit log.")]
RoleOption = Annotated[str, typer.Option("--role", help="Your role.")]
Digest = Annotated[str, typer.Argument(metavar="DIGEST", help="A version's digest, or its start.")]

SHORTEST_REASON = 5  # characters: "ok" explains nothing to whoever reads the log in a year


def activate(
    folder: Annotated[Path, typer.Argument(help="The rule set to put forward.")],
    by: ByOption,
    because: BecauseOption,
    role: RoleOption = "operator",
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Put a rule set forward: it is checked, its plan is shown, and a second person approves it.

    Nothing decides by it before that. Exits 2 where it cannot be read, 1 where `onward rules check`
    or `onward rules test` finds it wanting.
    """
    found = terminal.run(_put_forward(folder, _said(by, role, because)))
    if as_json:
        terminal.print_json(found)
    else:
        _show(terminal.literal(found))
    if found["proposal"] is None:
        raise SystemExit(terminal.NEEDS_ATTENTION)


def approve(
    digest: Digest,
    by: ByOption,
    role: RoleOption = "programme_manager",
    because: BecauseOption = "the plan is right",
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Agree to a rule set that somebody else put forward. With enough approvals it is in force at once.

    Routers take it up between two batches. A change of floors needs a safeguarding_lead.
    """
    _tell(terminal.run(_stepped(_approved, digest, _said(by, role, because))), as_json=as_json)


def withdraw(
    digest: Digest,
    by: ByOption,
    because: BecauseOption,
    role: RoleOption = "operator",
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Take back a rule set that was put forward and is not in force."""
    _tell(terminal.run(_stepped(_withdrawn, digest, _said(by, role, because))), as_json=as_json)


def shadow(
    digest: Digest,
    by: ByOption,
    because: BecauseOption,
    stop: Annotated[bool, typer.Option("--stop", help="Try it out no longer.")] = False,  # noqa: FBT002
    role: RoleOption = "operator",
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Try a version out that was put forward: routers decide by it too, do nothing of it, and keep what differs.

    `onward rules show DIGEST` tells how much it differs so far. One version at a time.
    """
    _tell(terminal.run(_stepped(partial(_tried_out, stop=stop), digest, _said(by, role, because))), as_json=as_json)


def rollback(
    by: ByOption,
    because: BecauseOption,
    digest: Annotated[str | None, typer.Argument(metavar="[DIGEST]", help="Else the one before.")] = None,
    role: RoleOption = "operator",
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Put a version in force again that was so before, at once: it was approved then."""
    _tell(terminal.run(_stepped(_rolled_back, digest, _said(by, role, because))), as_json=as_json)


def _said(by: str, role: str, because: str) -> Callable[[Settings], By]:
    if len(because.strip()) < SHORTEST_REASON:
        terminal.fail(f"--because {because!r} explains nothing: say why, in {SHORTEST_REASON} characters or more")

    def whoever(settings: Settings) -> By:
        name = by.strip()
        actor_of(Looker(name, role, settings.organisation, because))  # or no entry could say who it was
        return By(name, role, settings.organisation, checked(because))

    return whoever


async def _put_forward(folder: Path, said: Callable[[Settings], By]) -> Row:
    files = files_in(folder)
    candidate = read_rule_set(files)
    examples = examples_in(candidate, files)
    fitness, worth = fitness_of(candidate, examples, folder), worth_of(candidate, examples)
    del fitness["to_save"]
    found: Row = {"rule_set": candidate.digest, "fitness": fitness, "score": worth["score"], "proposal": None}
    if not fitness["fit"] or worth["score"] < AT_LEAST:
        return found
    settings = terminal.settings()
    async with open_store(settings) as database:
        await database.read(require_schema)
        before = await database.read(rules_of)
        proved = difference_of(before, candidate)
        proposer = said(settings)
        who = Looker(proposer.user, proposer.role, proposer.organisation, proposer.because)
        past = await past_of(database, who, before, candidate)
    plan: Row = {
        **plan_of(before, candidate),
        "topics": [topic for topic in proved["topics"] if topic["verdict"] != "same"],
        "besides": proved["besides"],
        "past": None if past is None else {name: told for name, told in past.items() if name != "cases"},
    }
    put = partial(_proposed, before=before, candidate=candidate, files=files, plan=plan)
    return found | await _stepped(put, None, said)


def _proposed(
    work: Work, _: str | None, by: By, *, before: RuleSet, candidate: RuleSet, files: Files, plan: Row
) -> Row:
    now = versions.in_force(work.connection)
    if now is None or now.digest != before.digest:
        raise OnwardError("the rules in force were changed while the plan was made: begin again")
    if now.digest == candidate.digest:
        raise OnwardError(f"{candidate.digest} is in force already: it means the same, however it is written")
    if versions.open_proposal(work.connection, candidate.digest) is not None:
        raise OnwardError("this version is put forward already: approve it, or withdraw it first")
    proposal = versions.propose(work, candidate.digest, files, by, plan)
    missing = "a second person" + (", a safeguarding_lead, since floors change" if plan["floors"] else "")
    return {"proposal": proposal, "in_force": now.digest, "plan": plan, "waits_for": missing}


def _approved(work: Work, text: str | None, by: By) -> Row:
    digest = versions.digest_named(work.connection, text or "")
    there = versions.open_proposal(work.connection, digest)
    if there is None:
        raise OnwardError("this version waits for nobody: it was not put forward, or is in force or withdrawn")
    proposal, approvals = there
    mine = Approval(by.user, by.role)
    if why := why_it_cannot_approve(proposal, mine):
        raise OnwardError(why)
    now = versions.in_force(work.connection)
    if now is None or now.digest != proposal.instead_of:
        raise OnwardError(
            "the rules in force were changed since it was put forward, so its plan is not what would happen: "
            "withdraw it and put it forward again"
        )
    read_rule_set(versions.files_of(work.connection, digest))  # what routers will load, by this code
    versions.note(work, digest, StepKind.APPROVED, by, proposal=proposal.id)
    missing = who_is_missing(proposal, [*approvals, mine])
    if missing is None:
        instead_of = now.digest
        versions.put_in_force(work, digest, by, instead_of=instead_of, kind=StepKind.IN_FORCE, proposal=proposal.id)
    return {"rule_set": digest, "done": "approved", "in_force": missing is None, "waits_for": missing}


def _withdrawn(work: Work, text: str | None, by: By) -> Row:
    digest = versions.digest_named(work.connection, text or "")
    there = versions.open_proposal(work.connection, digest)
    if there is None:
        raise OnwardError("this version waits for nobody: there is nothing to withdraw")
    versions.note(work, digest, StepKind.WITHDRAWN, by, proposal=there[0].id)
    return {"rule_set": digest, "done": "withdrawn", "in_force": False, "waits_for": None}


def _tried_out(work: Work, text: str | None, by: By, *, stop: bool) -> Row:
    digest = versions.digest_named(work.connection, text or "")
    if not stop and versions.open_proposal(work.connection, digest) is None:
        raise OnwardError("only what is put forward is tried out: it has been checked")
    versions.try_out(work, digest, by, stop=stop)
    return {
        "rule_set": digest,
        "done": "tried out no longer" if stop else "tried out",
        "in_force": False,
        "waits_for": None,
    }


def _rolled_back(work: Work, text: str | None, by: By) -> Row:
    now = versions.in_force(work.connection)
    were = [row["digest"] for row in versions.steps(work.connection) if row["step"] in versions.PUT_IN_FORCE]
    earlier = [digest for digest in were if now is not None and digest != now.digest]
    if now is None or not earlier:
        raise OnwardError("no other version was in force before")
    digest = earlier[-1] if text is None else versions.digest_named(work.connection, text)
    if digest not in earlier:
        raise OnwardError("that version was never in force: put it forward with `onward rules activate`")
    read_rule_set(versions.files_of(work.connection, digest))
    versions.put_in_force(work, digest, by, instead_of=now.digest, kind=StepKind.ROLLED_BACK, proposal=None)
    return {"rule_set": digest, "done": "rolled back", "in_force": True, "waits_for": None, "instead_of": now.digest}


async def _stepped(
    step: Callable[[Work, str | None, By], Row], digest: str | None, said: Callable[[Settings], By]
) -> Row:
    """One step in one transaction with its audit entries, which are sent at once."""
    settings = terminal.settings()
    by = said(settings)
    async with open_world(settings, WallClock(), stay="visiting") as world:
        await world.database.read(require_schema)

        def keep(store: Connection) -> tuple[Row, list[Any]]:
            work = Work(store, service="router", now=world.clock.now())
            found = step(work, digest, by)
            work.finish()
            return found, work.outgoing

        found, outgoing = await world.database.write(keep)
        connection = await connect(world, name="onward-rules")
        try:
            await send_now(world, connection, outgoing)
        finally:
            await connection.close()
        return found


def _show(found: Row) -> None:
    if found["proposal"] is None:
        show_fitness(found["fitness"])
        if found["score"] < AT_LEAST:
            terminal.say(
                f"[red]Its examples notice {found['score']:.1%} of small mistakes, of {AT_LEAST:.0%} wanted[/]"
            )
        terminal.say("[red]Nothing was put forward.[/]")
        return
    show_plan(found["plan"])
    terminal.say(
        f"[green]Put forward[/] as {found['rule_set']}. It decides nothing yet: it waits for {found['waits_for']}.\n"
        f"    onward rules approve {found['rule_set'][7:19]} --by NAME --role ROLE"
    )


def _tell(found: Row, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(found)
        return
    what = "It is in force from the routers' next batches on." if found["in_force"] else ""
    if found["waits_for"]:
        what = f"It waits for {found['waits_for']}."
    terminal.say(f"[green]{found['done']}[/] {found['rule_set']}. {what}")
