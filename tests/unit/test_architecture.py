"""The floors of design section 9, and what no code of ours may do. Each check is shown a break that it must find."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from services.cli.wiring import SERVICES
from services.ground.settings import REPOSITORY
from tests.support.imports import Code, imports_of, our_code, reached_from

LONGEST_FILE = 400  # lines; longer asks to be two
PURE = (
    "services.router.rules",
    "services.router.casework",
    "services.intake.linking",
    "services.dispatch.cut",
    "schemas.log",
)
READS_FILES = ("services.router.rules.loader", "services.router.rules.examples")
FILES = {"io", "os", "pathlib"}
IO = FILES | {
    "aiosqlite",
    "alembic",
    "asyncio",
    "asyncpg",
    "concurrent",
    "faststream",
    "http",
    "httpx",
    "logging",
    "multiprocessing",
    "nats",
    "random",
    "requests",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "sqlalchemy",
    "sqlite3",
    "ssl",
    "structlog",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}
STOPWATCH = {
    "monotonic",
    "perf_counter",
    "max",
    "min",
}  # how long something took is nobody's date; time.max is datetime's
LOSING = {"NACK_ON_ERROR", "REJECT_ON_ERROR", "ACK_FIRST"}  # FastStream's policies that spin, delete, or ack too early

Check = Callable[[Code], list[str]]


def _within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def broken_floors(code: Code) -> list[str]:
    """Imports that go up or sideways."""
    return [
        f"{module} imports {name}"
        for module in code
        for name in sorted(imports_of(module, code))
        if _within(name, "schemas", "services") and not _within(name, *_may_import(module)) and name != "services"
    ]


def _may_import(module: str) -> tuple[str, ...]:
    if _within(module, "schemas"):
        return ("schemas",)
    if _within(module, "services.ground"):
        return ("schemas", "services.ground")
    if _within(module, "services.cli"):
        return ("schemas", "services")
    if _within(module, "services.migrations"):
        return ("services.ground", "services.migrations", *(f"services.{name}.store" for name in SERVICES))
    if _within(module, "services.router.rules"):
        return ("schemas", "services.router.rules")
    if _within(module, "services.router.casework"):
        return ("schemas", "services.router.rules", "services.router.casework")
    if _within(module, *PURE):
        return ("schemas",)
    return ("schemas", "services.ground", ".".join(module.split(".")[:2]))


def impure_cores(code: Code) -> list[str]:
    """Pure modules that can reach the outside: by whatever they import, however far down, or by a built-in."""
    found = []
    for module in (name for name in code if _within(name, *PURE)):
        forbidden = IO - FILES if _within(module, *READS_FILES) else IO
        ways = reached_from(module, code)
        found += [" -> ".join(way) for name, way in ways.items() if name in forbidden]
        for call in _calls(code[module]):
            if isinstance(call.func, ast.Name) and call.func.id in ("open", "print", "input"):
                found.append(f"{module} calls {call.func.id}()")
    return found


def clocks_read(code: Code) -> list[str]:
    """Places that read the wall clock past the clock that is passed in."""
    modules = (item for item in code.items() if item[0] != "services.ground.clock")
    return [f"{module}{said}" for module, tree in modules for said in _clocks_read_in(tree)]


@cache  # where one module is planted, the others are as they were
def _clocks_read_in(tree: ast.Module) -> list[str]:
    return [f" uses time.{name}" for name in sorted(_used_of_time(tree) - STOPWATCH)] + [
        f":{call.lineno} calls {ast.unparse(call.func)}()"
        for call in _calls(tree)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in ("now", "utcnow", "today")
        and not ast.unparse(call.func.value).lower().endswith("clock")
    ]


def _used_of_time(tree: ast.Module) -> set[str]:
    """What is used of the standard library's `time`."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="time", names=aliases):
                names |= {alias.name for alias in aliases}
            case ast.Import(names=aliases):
                names |= {f"* as {alias.asname}" for alias in aliases if alias.name == "time" and alias.asname}
            case ast.Attribute(value=ast.Name(id="time"), attr=name):
                names.add(name)
    return names


def losing_policies(code: Code) -> list[str]:
    """Ways to settle a message that delete it, spin on it, or acknowledge it before it is kept."""
    found = []
    for module, tree in code.items():
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(attr=name, lineno=line) | ast.Name(id=name, lineno=line) if name in LOSING:
                    found.append(f"{module}:{line} uses {name}")
                case ast.Attribute(attr="term", lineno=line):
                    found.append(f"{module}:{line} uses term")
                case ast.Constant(value=bytes() | str() as said, lineno=line) if "+TERM" in str(said):
                    found.append(f"{module}:{line} says +TERM")
    return found


def careless_subscribers(code: Code) -> list[str]:
    """FastStream subscribers whose messages are settled by anything but our own code."""
    found = []
    for module, tree in code.items():
        for call in _calls(tree):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "subscriber":
                policies = [ast.unparse(word.value) for word in call.keywords if word.arg == "ack_policy"]
                if policies != ["AckPolicy.MANUAL"]:
                    found.append(f"{module}:{call.lineno} subscribes with {policies or 'the default policy'}")
    return found


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


BREAKS: dict[Check, list[tuple[str, str, str]]] = {
    broken_floors: [
        ("schemas.person", "from services.ground import clock", "schemas.person imports services.ground.clock"),
        ("services.ground.work", "from services.router.store import legs", "work imports services.router.store"),
        ("services.audit.app", "import services.dispatch.cut", "audit.app imports services.dispatch.cut"),
        ("services.dispatch.cut", "def f():\n from services.ground import sql", "cut imports services.ground.sql"),
        ("services.router.rules.decide", "from services.router import store", "decide imports services.router.store"),
        ("services.new.app", "from services.intake import store", "new.app imports services.intake.store"),
    ],
    impure_cores: [
        ("services.dispatch.cut", "import asyncio", "services.dispatch.cut -> asyncio"),
        ("services.intake.linking", "from schemas.far import x", "linking -> schemas.far -> sqlite3"),
        ("services.router.rules.decide", "from pathlib import Path", "decide -> pathlib"),
        (
            "services.router.rules.decide",
            "from services.router.rules import loader",
            "decide -> services.router.rules.",
        ),
        ("services.router.rules.loader", "import socket", "loader -> socket"),
        ("services.router.casework.act", "print('x')", "act calls print()"),
    ],
    clocks_read: [
        ("services.intake.store", "from datetime import datetime as d\nd.now()", "calls d.now()"),
        ("services.intake.store", "import datetime\ndatetime.date.today()", "calls datetime.date.today()"),
        ("services.intake.store", "from sqlalchemy import func\nfunc.now()", "calls func.now()"),
        ("schemas.base", "from time import time", "schemas.base uses time.time"),
        ("services.cli.wiring", "import time\ntime.gmtime()", "services.cli.wiring uses time.gmtime"),
        ("services.cli.wiring", "import time as t\nt.time()", "services.cli.wiring uses time.* as t"),
    ],
    losing_policies: [
        ("services.router.app", "async def f(m): await m.term()", "uses term"),
        ("services.router.app", "x = AckPolicy.NACK_ON_ERROR", "uses NACK_ON_ERROR"),
        ("services.router.app", "from f import ACK_FIRST\nx = ACK_FIRST", "uses ACK_FIRST"),
        ("services.router.app", "x = AckPolicy.REJECT_ON_ERROR", "uses REJECT_ON_ERROR"),
        ("services.router.app", "f(b'+TERM')", "says +TERM"),
    ],
    careless_subscribers: [
        ("services.router.app", "broker.subscriber('x')", "the default policy"),
        ("services.router.app", "r.subscriber('x', ack_policy=AckPolicy.ACK)", "['AckPolicy.ACK']"),
    ],
}


@pytest.mark.parametrize("check", BREAKS)
def test_our_code_keeps_to_it(check: Check) -> None:
    assert check(our_code()) == []


@pytest.mark.parametrize(
    ("check", "module", "snippet", "found"), [(check, *one) for check, several in BREAKS.items() for one in several]
)
def test_a_break_is_found(check: Check, module: str, snippet: str, found: str) -> None:
    planted = {**our_code(), "schemas.far": ast.parse("import sqlite3"), module: ast.parse(snippet)}
    assert any(found in line for line in check(planted)), check(planted)


def test_no_file_is_longer_than_one_can_hold_in_mind() -> None:
    listed = REPOSITORY / "services" / "migrations" / "versions"  # a schema is a list, read where it is looked up
    files = [file for file in _python_files() if file.parent != listed]
    assert too_long({str(f.relative_to(REPOSITORY)): f.read_text() for f in files}) == []
    assert too_long({"a.py": "x\n" * (LONGEST_FILE + 1), "b.py": "x\n" * LONGEST_FILE}) == ["a.py"]


def too_long(files: dict[str, str]) -> list[str]:
    """Files with more lines than we allow."""
    return [name for name, text in files.items() if len(text.splitlines()) > LONGEST_FILE]


def _python_files() -> Iterator[Path]:
    for root in ("schemas", "services", "tests", "bench"):
        yield from (REPOSITORY / root).rglob("*.py")


def test_every_pure_core_is_really_looked_at() -> None:
    for package in PURE:
        assert [module for module in our_code() if _within(module, package)], package
