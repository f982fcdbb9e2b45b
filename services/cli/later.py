"""Commands that are loaded when somebody calls them: each waits for its own imports alone, and help for nobody's."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from typer._click import Command, Context  # typer gives its commands' own type no public name


class Later(NamedTuple):
    """A command, or a group of them, of which _nothing but this is known until it is called."""

    name: str
    place: str  # `module:name` below services.cli: a function, or the typer.Typer of a group
    says: str  # the first paragraph of its docstring; of a group its whole help
    example: str | None = None  # what its help ends with; the commands of a group have their own

    def load(self) -> Command:
        """The command itself."""
        module, _, name = self.place.partition(":")
        found = getattr(import_module(f"services.cli.{module}"), name)
        holder = typer.Typer(add_completion=False)
        holder.callback()(_nothing)  # without it, one command alone would be no group
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=self.name, help=self.says)
        else:
            holder.command(name=self.name, epilog=f"Example: {self.example}")(found)
        group = get_command(holder)
        assert isinstance(group, TyperGroup)
        return group.commands[self.name]


def group_of(commands: Sequence[Later], *, name: str | None = None, help: str | None = None) -> typer.Typer:  # noqa: A002
    """The group of these commands; each is loaded when it is called."""

    class Group(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            for later in commands:
                self.add_command(_NotYet(later))

    app = typer.Typer(
        cls=Group, name=name, help=help, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    app.callback()(_nothing)
    return app


class _NotYet(TyperCommand):
    """What help lists of a command, and what gives way to it."""

    def __init__(self, later: Later) -> None:
        super().__init__(name=later.name, help=later.says)
        self.later = later

    def make_context(
        self, info_name: str | None, args: list[str], parent: Context | None = None, **extra: Any
    ) -> Context:
        return self.later.load().make_context(info_name, args, parent=parent, **extra)


def _nothing() -> None:
    """What a group does of its own."""
