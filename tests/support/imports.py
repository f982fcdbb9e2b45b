"""Who imports whom, read from the code and not by running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from services.ground.settings import REPOSITORY

Code = Mapping[str, ast.Module]  # by module name


@cache
def our_code() -> dict[str, ast.Module]:
    """Every module of `schemas` and `services`."""
    found = {}
    for root in ("schemas", "services"):
        for file in sorted((REPOSITORY / root).rglob("*.py")):
            parts = file.relative_to(REPOSITORY).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(file.read_text())
    return found


def imports_of(module: str, code: Code) -> set[str]:
    """What a module imports: ours by module name, others by their first name."""
    return {_known(name, code) for name in _named_in(code[module])}


@cache  # a tree is walked once, however many modules reach it
def _named_in(tree: ast.Module) -> frozenset[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "a relative import"
            assert not node.level, "a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def reached_from(module: str, code: Code) -> dict[str, Sequence[str]]:
    """Everything that importing a module brings in, each with a way by which it comes."""
    ways: dict[str, Sequence[str]] = {module: (module,)}
    ahead = [module]
    while ahead:
        here = ahead.pop()
        for name in _with_parents(imports_of(here, code), code):
            if name not in ways:
                ways[name] = (*ways[here], name)
                if name in code:
                    ahead.append(name)
    return ways


def _with_parents(names: set[str], code: Code) -> Iterator[str]:
    for name in sorted(names):
        yield name
        while "." in name:
            name = name.rpartition(".")[0]
            if name in code:
                yield name


def _known(name: str, code: Code) -> str:
    """The longest part of a dotted name that is a module of ours, else its first part."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if (shorter := ".".join(parts[:length])) in code:
            return shorter
    return parts[0]
