"""What a router decides by: the version in force, taken up between batches, without a restart."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, select

from services.ground.database import Database
from services.ground.driver import rows_of
from services.ground.errors import NotMigrated, OnwardError
from services.ground.log import logger
from services.ground.migration import require_schema
from services.ground.sql import upsert
from services.ground.work import Work
from services.router import store
from services.router.rule_sets import rule_sets_kept
from services.router.rules.loader import load_rule_set, read_rule_set
from services.router.rules.mistakes import RuleSetRefused
from services.router.rules.ruleset import RuleSet
from services.router.shadow import InUse
from services.router.versions import PUT_IN_FORCE, digest_named, files_of, in_force, steps

_wanted, _mine = store.rules_in_force.c, store.router_rules.c
_ASKED = select(_wanted.digest, _wanted.shadow, _mine.digest.label("noted"), _mine.refused).outerjoin_from(
    store.rules_in_force,
    store.router_rules,
    _mine.instance == bindparam("instance"),
)


class RulesInForce:
    """Asked in the transaction of each batch, so that one version decides the whole of it.

    A router that cannot load the version in force keeps the one it has, and says so in its row of `router_rules`.
    """

    def __init__(self, rules: RuleSet, instance: str) -> None:
        self._rules = rules
        self._instance = instance
        self._refused: tuple[str, str] | None = None  # which version, and why
        self._shadow: tuple[str, RuleSet | None] | None = None  # which version is tried out; none: it cannot be loaded
        self._log = logger("router")

    def __call__(self, work: Work) -> InUse:
        """The rules for this batch."""
        [row] = rows_of(work.connection, _ASKED, {"instance": self._instance})
        wanted = str(row["digest"])
        if wanted != self._rules.digest and (self._refused is None or self._refused[0] != wanted):
            self._take_up(work.connection, wanted)
        refused = self._refused[0] if self._refused else None
        if (row["noted"], row["refused"]) != (self._rules.digest, refused):
            self._note(work)
        return InUse(self._rules, self._tried_out(work.connection, row["shadow"]))

    def _tried_out(self, connection: Connection, digest: str | None) -> RuleSet | None:
        if digest is None:
            self._shadow = None
        elif self._shadow is None or self._shadow[0] != digest:
            try:
                self._shadow = (digest, read_rule_set(files_of(connection, digest)))
            except (RuleSetRefused, OnwardError, ValueError):
                self._shadow = (digest, None)
                self._log.error("shadow_not_taken_up", rule_set=digest)
        return self._shadow[1] if self._shadow is not None else None

    def _take_up(self, connection: Connection, digest: str) -> None:
        try:
            self._rules = read_rule_set(files_of(connection, digest))
        except (RuleSetRefused, OnwardError, ValueError) as error:
            self._refused = (digest, str(error))
            self._log.error("rules_not_taken_up", rule_set=digest, kept=self._rules.digest)
        else:
            self._refused = None
            self._log.info("rules_taken_up", rule_set=digest)

    def _note(self, work: Work) -> None:
        refused, why = self._refused or (None, None)
        row: dict[str, Any] = {
            "instance": self._instance,
            "digest": self._rules.digest,
            "refused": refused,
            "why": why,
            "since": work.now,
        }
        upsert(work.connection, store.router_rules, [row], update=["digest", "refused", "why", "since"])


def rules_of(connection: Connection) -> RuleSet:
    """The version in force, for those who look. Raises NotMigrated where there is none, RuleSetRefused."""
    now = in_force(connection)
    if now is None:
        raise NotMigrated("there is no rule set in the store yet")
    return read_rule_set(files_of(connection, now.digest))


async def load_in_force(database: Database) -> RuleSet:
    """The version in force, or where this code cannot load it the newest before it that it can.

    Raises NotMigrated where none is kept, RuleSetRefused where none can be loaded.
    """
    await database.read(require_schema)
    first: RuleSetRefused | None = None
    for digest in await database.read(_newest_first):
        files = await database.read(partial(files_of, digest=digest))
        try:
            return read_rule_set(files)
        except RuleSetRefused as error:
            first = first or error
    raise first or NotMigrated("there is no rule set in the store yet")


def _newest_first(connection: Connection) -> list[str]:
    now = in_force(connection)
    earlier = [row["digest"] for row in reversed(steps(connection)) if row["step"] in PUT_IN_FORCE]
    return list(dict.fromkeys([now.digest, *earlier] if now is not None else earlier))


def rule_set_at(connection: Connection, place: str | None) -> RuleSet:
    """The rule set in a folder, or the one kept under a digest or its beginning; without either the one in force.

    Raises RuleSetRefused for one with mistakes and OnwardError where there is none.
    """
    if place is not None and Path(place).is_dir():
        return load_rule_set(Path(place))
    if place is None:
        now = in_force(connection)
        if now is None:
            raise OnwardError("no rules are in force here: run `onward migrate`, or say --against what")
        digest = now.digest
    else:
        digest = digest_named(connection, place, is_it="is neither a folder nor")
    rules = rule_sets_kept(connection, [digest]).get(digest)
    if rules is None:
        raise OnwardError(f"{digest} was kept, but this version of Onward cannot read it")
    return rules
