"""onward rules facts and schema: the words that rules can be written with, for people and for their editors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.table import Column, Table

from services.cli import terminal
from services.cli.config import JsonFlag
from services.ground.errors import OnwardError
from services.router.rules.editor import schemas_for
from services.router.rules.loader import load_rule_set
from services.router.rules.vocabulary import vocabulary

if TYPE_CHECKING:
    from services.cli.looking import Row  # which would bring the store, and nothing here asks it

Folder = Annotated[Path | None, typer.Argument(help="A rule set; else the one that ONWARD_RULES_DIR names.")]


def facts(folder: Folder = None, as_json: JsonFlag = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Print what rules can be written with: facts, terms, kinds of event, destinations, statuses, roles, actions."""
    found = terminal.run(_vocabulary(folder or terminal.settings().rules_dir))
    if as_json:
        terminal.print_json(found)
    else:
        _show(terminal.literal(found))


def schema(
    into: Annotated[Path, typer.Argument(help="The folder to write them to; made where it is missing.")],
    folder: Folder = None,
    as_json: JsonFlag = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Write JSON Schemas with which an editor completes and checks rule files: names of facts, their values, terms.

    For editors with the YAML language server; the settings to paste are printed. Make them anew after facts, terms or
    destinations changed.
    """
    written = terminal.run(_written(into, folder or terminal.settings().rules_dir))
    if as_json:
        terminal.print_json(written)
        return
    terminal.out.print(f"Wrote {len(written)} schemas. For the YAML language server (settings.json):", highlight=False)
    terminal.print_json({"yaml.schemas": written})


async def _vocabulary(folder: Path) -> Row:
    return dict(vocabulary(load_rule_set(folder)))


async def _written(into: Path, folder: Path) -> dict[str, str]:
    """Each schema's file, and the files of the rule set that it is for."""
    found = {}
    for glob, made in schemas_for(load_rule_set(folder)).items():
        file = into / f"{glob.removesuffix('/*.yaml').removesuffix('.yaml')}.schema.json"
        _write(file, orjson.dumps(made, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        found[str(file)] = (folder / glob).as_posix()
    return found


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise OnwardError(f"cannot write {file}: {error.strerror}") from None


def _show(found: Row) -> None:
    rows = [
        (each["name"], f"{each['type']}: {_values(each)}", f"{each['says']} [dim]{_silence(each)}[/]")
        for each in found["facts"]
        if each["name"] not in {destination["name"] for destination in found["destinations"]}
    ]
    rows.append(("each destination", "choice: a status, or none", "Where the leg to it stands."))
    _print("Fact", "Type", "Says", rows=rows)
    _print("Term", "Means", rows=[(each["name"], each["means"]) for each in found["terms"]])
    _print(
        "Destination",
        "Side",
        "Serves",
        "Is",
        rows=[(each["name"], each["side"], each["serves"], each["label"]) for each in found["destinations"]],
    )
    actions = [
        (each["name"], ", ".join(each["needs"]) or "-", ", ".join(each["takes"]) or "-", each["does"])
        for each in found["actions"]
    ]
    _print("Action", "Needs", "Takes", "Does", rows=actions)
    statuses = [(each["name"], each["is"], each["label"]) for each in found["statuses"]]
    _print("Status of a leg", "Is", "For people", rows=statuses)
    for title in ("events", "roles"):
        names = ", ".join(each["name"] for each in found[title])
        terminal.out.print(f"\n[bold]{'Kinds of event' if title == 'events' else 'Roles'}[/]\n{names}", highlight=False)


def _values(fact: Row) -> str:
    if "range" in fact:
        low, high = fact["range"]
        return f"{low} to {high}"
    values = fact["values"]
    return ", ".join(values) if len(values) <= 8 else f"{', '.join(values[:5])} and {len(values) - 5} more"


def _silence(fact: Row) -> str:
    return {"unknown": "Silence: not known.", "absent": "Silence: no, none or nothing."}.get(fact["silence"], "")


def _print(*titles: str, rows: Sequence[tuple[str, ...]]) -> None:
    terminal.out.print()
    table = Table(Column(titles[0], no_wrap=True), *titles[1:], box=None, header_style="bold")
    for row in rows:
        table.add_row(*row)
    terminal.out.print(table)
