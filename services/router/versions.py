"""The versions of the rules in the store: put forward, approved, in force, taken back; and who said so, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from schemas.vocabulary import AuditOperation
from services.ground.errors import OnwardError
from services.ground.sql import insert_missing, insert_new
from services.ground.work import Work, acting
from services.router import store
from services.router.rules.approval import Approval, Proposal
from services.router.rules.files import Files, packed, unpacked


class StepKind(StrEnum):
    """What somebody did with a version."""

    FIRST = "first"  # it came with the installation, and nothing was in force
    PROPOSED = "proposed"
    APPROVED = "approved"
    IN_FORCE = "in_force"
    ROLLED_BACK = "rolled_back"  # and so in force again
    WITHDRAWN = "withdrawn"
    TRIED_OUT = "tried_out"  # it decides beside what is in force, and does nothing
    TRIED_ENOUGH = "tried_enough"


PUT_IN_FORCE: Final = (StepKind.FIRST, StepKind.IN_FORCE, StepKind.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class By:
    """Who did it, in which role, and why."""

    user: str
    role: str
    organisation: str
    because: str


@dataclass(frozen=True, slots=True)
class InForce:
    """The version that routers decide by."""

    digest: str
    step: str  # id of the step that put it in force
    since: datetime
    shadow: str | None = None  # the version that is tried out beside it


def in_force(connection: Connection) -> InForce | None:
    """The version in force; none in a store where no router has a rule set yet."""
    row = connection.execute(select(store.rules_in_force)).mappings().one_or_none()
    return InForce(row["digest"], row["step"], row["since"], row["shadow"]) if row is not None else None


def files_of(connection: Connection, digest: str) -> Files:
    """The files of a version as they were kept. Raises OnwardError for one that is not here."""
    kept = store.rule_sets.c
    files = connection.execute(select(kept.files).where(kept.digest == digest)).scalar_one_or_none()
    if files is None:
        raise OnwardError(f"no rule set {digest} is kept here: see `onward rules list`")
    return unpacked(files)


def digest_named(connection: Connection, text: str, *, is_it: str = "is not") -> str:
    """The one kept version whose digest begins so, with or without `sha256:`. Raises OnwardError for none or several.

    Of several each is named: which of them is meant is never guessed.
    """
    kept = store.rule_sets.c
    whole = text if text.startswith("sha256:") else f"sha256:{text}"
    query = select(kept.digest).where(kept.digest.startswith(whole, autoescape=True)).order_by(kept.digest)
    found = [str(digest) for digest in connection.execute(query).scalars()]
    if len(found) > 1:
        raise OnwardError(
            f"{len(found)} rule sets begin with {text!r}, say more of the one you mean: {', '.join(found)}"
        )
    if not found:
        raise OnwardError(f"{text!r} {is_it} the start of a rule set's digest: see `onward rules list`")
    return found[0]


def steps(connection: Connection, digest: str | None = None) -> list[Mapping[str, Any]]:
    """What was done with all versions or one, oldest first."""
    asked = select(store.rule_set_steps).order_by(store.rule_set_steps.c.id)
    if digest is not None:
        asked = asked.where(store.rule_set_steps.c.digest == digest)
    return [dict(row) for row in connection.execute(asked).mappings()]


def open_proposals(connection: Connection) -> dict[str, tuple[Proposal, Sequence[Approval]]]:
    """The latest proposal of each version that was neither put in force nor withdrawn since, and who approved it."""
    waiting: dict[str, tuple[Proposal, list[Approval]]] = {}
    for row in steps(connection):
        digest = row["digest"]
        if row["step"] == StepKind.PROPOSED:
            floors = bool(row["plan"] and row["plan"].get("floors"))
            waiting[digest] = (Proposal(row["id"], digest, row["by_user"], floors, row["instead_of"]), [])
        elif row["step"] == StepKind.APPROVED and digest in waiting:
            waiting[digest][1].append(Approval(row["by_user"], row["role"]))
        elif row["step"] not in (StepKind.TRIED_OUT, StepKind.TRIED_ENOUGH):
            waiting.pop(digest, None)
    return {**waiting}


def open_proposal(connection: Connection, digest: str) -> tuple[Proposal, Sequence[Approval]] | None:
    """A version's proposal that waits, and who approved it so far; None where none does."""
    return open_proposals(connection).get(digest)


def keep_first(work: Work, digest: str, files: Files, organisation: str) -> None:
    """Put the installation's own rule set in force where none is. Does nothing where one is."""
    step = work.id()
    row = {"one": 1, "digest": digest, "step": step, "since": work.now}
    if insert_new(work.connection, store.rules_in_force, [row]):
        _keep(work, digest, files)
        by = By("onward", "service", organisation, "came with the installation")
        note(work, digest, StepKind.FIRST, by, id_=step)


def propose(work: Work, digest: str, files: Files, by: By, plan: Mapping[str, object]) -> str:
    """Put a version forward, with what is shown to those who approve it. Returns the proposal's id."""
    now_in_force = in_force(work.connection)
    _keep(work, digest, files)
    instead_of = now_in_force.digest if now_in_force is not None else None
    return note(work, digest, StepKind.PROPOSED, by, instead_of=instead_of, plan=dict(plan))


def put_in_force(work: Work, digest: str, by: By, *, instead_of: str, kind: StepKind, proposal: str | None) -> None:
    """Have routers decide by this version from their next batch on.

    Raises OnwardError where another one than `instead_of` is in force by now.
    """
    step = note(work, digest, kind, by, proposal=proposal, instead_of=instead_of)
    changed = work.connection.execute(
        update(store.rules_in_force)
        .where(store.rules_in_force.c.digest == instead_of)
        .values(digest=digest, step=step, since=work.now, shadow=None)
    ).rowcount
    if changed != 1:
        raise OnwardError(
            "the rules in force were changed in the meantime: look at `onward rules list`, and begin again"
        )


def try_out(work: Work, digest: str, by: By, *, stop: bool) -> None:
    """Have routers decide by this version too, or no longer: what differs from what is in force is kept, and no more.

    Raises OnwardError where there is nothing to stop.
    """
    now = store.rules_in_force.c
    if stop:
        change = update(store.rules_in_force).where(now.shadow == digest).values(shadow=None)
    else:
        change = update(store.rules_in_force).values(shadow=digest)
    if work.connection.execute(change).rowcount != 1:
        raise OnwardError("this version is not being tried out")
    note(work, digest, StepKind.TRIED_ENOUGH if stop else StepKind.TRIED_OUT, by)


def note(
    work: Work,
    digest: str,
    kind: StepKind,
    by: By,
    *,
    proposal: str | None = None,
    instead_of: str | None = None,
    plan: Mapping[str, object] | None = None,
    id_: str | None = None,
) -> str:
    """Keep a step and its audit entry. Returns its id, which is `id_` where the caller has made one."""
    id_ = id_ or work.id()
    row = {
        "id": id_,
        "digest": digest,
        "step": kind.value,
        "at": work.now,
        "by_user": by.user,
        "role": by.role,
        "because": by.because,
        "proposal": proposal,
        "instead_of": instead_of,
        "plan": plan,
    }
    work.connection.execute(insert(store.rule_set_steps).values(row))
    work.audit(
        AuditOperation.ALTER,
        actor=acting(by.user, organisation=by.organisation, role=by.role),
        records=(("rule_set_step", id_), ("rule_set", digest)),
        fields=(kind.value,),
        purpose="rules",
        justification=by.because,
        correlation_id=proposal or id_,
        rule_set=digest,
    )
    return id_


def _keep(work: Work, digest: str, files: Files) -> None:
    row = {"digest": digest, "files": packed(files), "kept_at": work.now}
    insert_missing(work.connection, store.rule_sets, [row])
