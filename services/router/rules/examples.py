"""Examples that ship with a rule set: an event, and what is expected to come of it."""

from __future__ import annotations

from pathlib import Path

from services.router.rules.files import Files
from services.router.rules.loader import files_in, read_file
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.examples import Example, ExampleReader
from services.router.rules.mistakes import RuleSetRefused
from services.router.rules.outcomes import OUTCOMES
from services.router.rules.ruleset import RuleSet


def read_examples(rules: RuleSet, folder: Path) -> tuple[Example, ...]:
    """The examples of a rule set's folder. Raises `RuleSetRefused` with every mistake in them."""
    return examples_in(rules, files_in(folder))


def examples_in(rules: RuleSet, files: Files) -> tuple[Example, ...]:
    """The examples among a rule set's files. Raises `RuleSetRefused` with every mistake in them."""
    desk = Desk()
    reader = ExampleReader(desk, rules, outcomes=(*OUTCOMES, "otherwise"))
    found: list[Example] = []
    for name in sorted(name for name in files if name.startswith("examples/")):
        found += reader.examples(read_file(files[name], name, desk))
    if desk.mistakes:
        raise RuleSetRefused(desk.mistakes)
    return tuple(found)
