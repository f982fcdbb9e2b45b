"""The rule sets that were ever put forward, kept whole, so that any decision can be replayed by its own."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from services.router import store
from services.router.rules.files import unpacked
from services.router.rules.loader import read_rule_set
from services.router.rules.mistakes import RuleSetRefused
from services.router.rules.ruleset import RuleSet

_kept = store.rule_sets.c


def rule_sets_kept(connection: Connection, digests: Iterable[str]) -> dict[str, RuleSet]:
    """These rule sets, as far as they were kept and this code can read them, by digest."""
    found = {}
    query = select(_kept.digest, _kept.files).where(_kept.digest.in_(sorted(set(digests))))
    for digest, content in connection.execute(query):
        files = unpacked(content)
        try:
            rules = read_rule_set(files) if files else None
        except RuleSetRefused:  # written for an older language than ours
            continue
        if rules is not None:
            found[str(digest)] = rules
    return found
