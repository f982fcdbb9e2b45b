"""What help lists of a command that is not loaded yet is true of it, and what it does not need is not loaded for it."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from services.cli import main, person, rules
from services.cli.later import Later
from services.ground.settings import REPOSITORY

EVERY = [
    *(("onward", later) for later in main.COMMANDS),
    *(("onward rules", later) for later in rules.COMMANDS),
    *(("onward person", later) for later in person.COMMANDS),
]
HEAVY = (
    "alembic",
    "faststream",
    "httpx",
    "nats",
    "numpy",
    "sqlalchemy",
    "sqlalchemy.orm",
    "starlette",
    "uvicorn",
    "z3",
)


@pytest.mark.parametrize(("group", "later"), EVERY, ids=[later.place for _, later in EVERY])
def test_what_help_lists_is_what_the_command_says_of_itself(group: str, later: Later) -> None:
    command = later.load()
    assert command.name == later.name
    if later.place.endswith(":app"):
        assert later.example is None
        assert command.help == later.says
    else:
        assert inspect.cleandoc(command.help or "").split("\n\n")[0].replace("\n", " ") == later.says
        assert command.epilog == f"Example: {later.example}"
        assert f"{group} {later.name}" in str(later.example)


def test_help_lists_every_command_and_a_slip_is_told_the_nearest() -> None:
    listed = CliRunner().invoke(main.app, ["--help"], env={"COLUMNS": "200"}).stdout
    assert all(f" {later.name} " in listed and later.says in listed for later in main.COMMANDS)
    slip = CliRunner().invoke(main.app, ["rules", "chek"])
    assert slip.exit_code == 2
    assert "Did you mean 'check'" in slip.output


@pytest.mark.parametrize(
    ("needed", "commands"),
    [
        ((), [(), ("rules",), ("config",), ("rules", "check"), ("rules", "test"), ("rules", "facts")]),
        (("nats", "sqlalchemy"), [("status",), ("case",), ("work",), ("health",), ("send",), ("rules", "activate")]),
    ],
    ids=["rules alone", "the store"],
)
def test_a_command_does_not_wait_for_what_only_others_need(
    needed: tuple[str, ...], commands: list[tuple[str, ...]]
) -> None:
    code = (
        "import sys\nfrom services.cli.main import app\n"
        f"for words in {commands!r}:\n try: app([*words, '--help'])\n except SystemExit: pass\n"
        f"print('LOADED', *(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split()[1:] == list(needed)
