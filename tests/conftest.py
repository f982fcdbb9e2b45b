"""Fixtures that every kind of test uses."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from services.ground import ids
from services.ground.database import Database, open_database
from services.ground.log import configure_logging
from services.ground.settings import REPOSITORY, Settings
from tests.support.migrated import copied_database, copy_files
from tests.support.postgres import drop_database, new_database, postgres_server

# By how long their tests take, one for one: so that what is left for the end is short, and all workers end together.
LONGEST_FIRST = (
    "faults/test_fault_points.py",
    "sim/test_simulation.py",
    "faults",
    "e2e/test_rules_versions.py",
    "service/router/test_timers_campaign.py",
    "e2e/test_topology.py",
    "e2e/test_the_case.py",
    "e2e",
    "unit/router/rules",
    "unit/router/casework",
    "unit/cli",
    "sim",
    "service",
)

# How long one example takes says something of the machine, nothing of the code.
hypothesis_settings.register_profile("onward", deadline=None)
hypothesis_settings.load_profile("onward")

# Compiled once for all the processes that tests start, also where the machine's own wish is to keep no bytecode.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(REPOSITORY / ".pytest_cache" / "bytecode"))

# A test's own environment must not decide what it tests.
for _name in [name for name in os.environ if name.startswith("ONWARD_") and not name.startswith("ONWARD_TEST_")]:
    if _name not in ("ONWARD_SOAK", "ONWARD_SIM_SEED"):
        del os.environ[_name]

# So that what is published counts as sent at once, also in the processes that tests start; the usual values are kind to
# a store that serves a live system.
os.environ |= {"ONWARD_FLUSH_SECONDS": "0.05", "ONWARD_APPEND_SECONDS": "0.05"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest first; long campaigns with `make soak` only."""
    items.sort(key=_rank)
    if not os.environ.get("ONWARD_SOAK"):
        skip = pytest.mark.skip(reason="a long campaign: make soak")
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(skip)


def _rank(item: pytest.Item) -> int:
    """Where a test's file stands, or else its folder, by how long its tests take."""
    here = item.path.relative_to(REPOSITORY / "tests").as_posix()
    found = (rank for rank, place in enumerate(LONGEST_FIRST) if here == place or here.startswith(f"{place}/"))
    return next(found, len(LONGEST_FIRST))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL server."""
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> str:
    """Every test that asks for it runs on both stores, unless it names one (`indirect`)."""
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def ids_of_today() -> None:
    """Ids never go back in a process, so a test on next year's clock would date those of the tests after it."""
    ids._ticks._last = 0


@pytest.fixture
async def settings(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Settings]:
    """Settings of a system of its own, on the store in turn, which is migrated; quick to notice, so that tests are."""
    empty = request.node.get_closest_marker("empty_store") is not None
    quick = {
        "lease_seconds": 3,
        "sweep_seconds": 1,
        "redelivery_seconds": (0.5, 1.0, 2.0),
        "timer_seconds": 0.1,
        "checkpoint_seconds": 0.1,
        "log_level": "error",
    }
    if store == "sqlite":
        chosen = Settings(data_dir=tmp_path, **quick)  # type: ignore[arg-type]
        if not empty:
            await copy_files(tmp_path)
        configure_logging(chosen)
        yield chosen
        return
    server = request.getfixturevalue("postgres")
    url = await (new_database if empty else copied_database)(server)
    chosen = Settings(data_dir=tmp_path, database_url=url, **quick)  # type: ignore[arg-type]
    configure_logging(chosen)
    yield chosen
    await drop_database(server, url)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The store of these settings, open."""
    opened = await open_database(settings)
    yield opened
    await opened.close()
