"""From files to a rule set: it takes all of them, or says every mistake of every one."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Final

from services.router.rules.digest import digest_of
from services.router.rules.files import Files
from services.router.rules.language import Position
from services.router.rules.loading.calendars import read_calendar
from services.router.rules.loading.conditions import WORDS, Conditions
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.destinations import read_destinations
from services.router.rules.loading.facts import Declarations
from services.router.rules.loading.invariants import Invariants
from services.router.rules.loading.pathway import read_pathway
from services.router.rules.loading.rules import FLOORS_FILE, Rules
from services.router.rules.loading.tree import Mapping, Node, read_tree
from services.router.rules.mistakes import Mistake, RuleSetRefused, did_you_mean
from services.router.rules.ruleset import RuleSet

LARGEST_FILE: Final = 1_000_000  # bytes; a rule set of 2,000 rules is far below
_NEEDED = ("calendar.yaml", "destinations.yaml", "facts.yaml", FLOORS_FILE, "pathway.yaml")
_OWN_FILES = (*_NEEDED, "invariants.yaml", "terms.yaml")
_PATTERNS = ("*.y*ml", "rules/*", "examples/*.yaml")  # what a folder holds of a rule set


def files_in(folder: Path) -> dict[str, bytes]:
    """All files of the rule set in a folder, with its examples. Raises `RuleSetRefused` where there is no folder."""
    if not folder.is_dir():
        raise RuleSetRefused([Mistake(Position(str(folder), 1, 1), "there is no such folder")])
    found = (path for pattern in _PATTERNS for path in folder.glob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(found)}


def load_rule_set(folder: Path) -> RuleSet:
    """The rule set in a folder. Raises `RuleSetRefused` with every mistake of every file."""
    return read_rule_set(files_in(folder))


def read_rule_set(files: Files) -> RuleSet:
    """The rule set that these files say. Raises `RuleSetRefused` with every mistake of every file."""
    desk = Desk()
    trees = _read(files, desk)
    destinations = read_destinations(desk, trees.get("destinations.yaml"))
    pathway = read_pathway(desk, trees.get("pathway.yaml"))
    calendar, dues = read_calendar(desk, trees.get("calendar.yaml"))
    facts = Declarations(desk, destinations).facts(trees.get("facts.yaml"))
    conditions = Conditions(desk, facts, destinations, _terms(desk, trees.get("terms.yaml"), set(facts)))
    terms = conditions.read_all_terms()
    reading = Rules(desk, conditions, destinations, dues)
    floors = trees.get(FLOORS_FILE)
    found = reading.rules(floors, tier="floor")
    for name in sorted(name for name in trees if name.startswith("rules/")):
        found += reading.rules(trees[name], tier="ordinary")
    otherwise = reading.otherwise(floors.get("otherwise") if isinstance(floors, Mapping) else None)
    invariants = Invariants(desk, conditions, destinations).invariants(trees.get("invariants.yaml"))
    if desk.mistakes or otherwise is None:
        raise RuleSetRefused(desk.mistakes)
    rules = tuple(sorted(found, key=lambda rule: rule.id))
    meaning = {
        "facts": facts,
        "destinations": destinations,
        "calendar": calendar,
        "rules": {rule.id: rule for rule in rules},
        "otherwise": otherwise,
        "pathway": pathway,
        "invariants": {invariant.id: invariant for invariant in invariants},
    }
    proxies = MappingProxyType(facts), MappingProxyType(destinations)
    whole = MappingProxyType(terms), MappingProxyType(dict(files))
    return RuleSet(digest_of(meaning), *proxies, calendar, rules, otherwise, pathway, *whole, invariants)


def _terms(desk: Desk, node: Node | None, taken: set[str]) -> dict[str, Node]:
    top = desk.mapping(node, "terms.yaml", ("terms",), needs=("terms",))
    terms: dict[str, Node] = {}
    for key, value in desk.entries(top.get("terms") if top else None, "terms"):
        desk.identifier(key, "a term")
        if key.text in taken or key.text in WORDS:
            desk.note(key.at, f"{key.text!r} is taken: it is a fact or a word of the language")
        terms[key.text] = value
    return terms


def _read(files: Files, desk: Desk) -> dict[str, Node]:
    """The trees of all files of a rule set that say what it means."""
    for name in sorted(files):
        if "/" not in name and name not in _OWN_FILES:
            near = did_you_mean(name, _OWN_FILES)
            desk.note(Position(name, 1, 1), f"no such file in a rule set{near or '; rules stand in rules/'}")
    for name in _NEEDED:
        if name not in files:
            desk.note(Position(name, 1, 1), "this file is missing")
    trees: dict[str, Node] = {}
    for name in (*_OWN_FILES, *sorted(name for name in files if name.startswith("rules/"))):
        if name in files and (node := read_file(files[name], name, desk)) is not None:
            trees[name] = node
    return trees


def read_file(content: bytes, name: str, desk: Desk) -> Node | None:
    """The tree of one file; None, with its mistakes noted, where it cannot be read."""
    if not name.endswith(".yaml"):
        desk.note(Position(name, 1, 1), "a file of rules ends in .yaml")
        return None
    if len(content) > LARGEST_FILE:
        desk.note(Position(name, 1, 1), f"larger than {LARGEST_FILE} bytes")
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        desk.note(Position(name, line, 1), "not UTF-8 text")
        return None
    return read_tree(text, name, desk.mistakes)
