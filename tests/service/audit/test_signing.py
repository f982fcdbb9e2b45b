"""The log is signed as it grows, published as files, and no other history of it is ever signed."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Connection, text

from schemas.log.checkpoint import Checkpoint
from schemas.log.merkle import root_of
from schemas.log.note import Note
from schemas.log.tiles import TileReader, bundles_between, read_entries
from services.audit.keys import memory_of
from services.cli.looking import state_of_the_store
from services.ground.clock import WallClock
from services.ground.settings import Settings
from services.ground.streams import ready_subject
from tests.support.events import referral_of
from tests.support.grown import alarmed, grow, published, until
from tests.support.log_checks import Rows, fetch_from, log_problems, signed_log_problems
from tests.support.system import System, system
from tests.support.typed import Typed

ONE_STORE = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


async def test_what_is_published_is_the_log_and_is_signed(settings: Settings) -> None:
    async with system(settings) as onward:
        await grow(onward, 1, 2, 3)
        signed = await published(onward)
        fetch = fetch_from(settings.log_folder)
        size = signed.checkpoint.size
        assert root_of(size, TileReader(fetch, size)) == signed.checkpoint.root
        entries = [entry for tile in bundles_between(0, size) for entry in read_entries(fetch, tile)[0]]
        kept = await onward.rows("SELECT entry FROM log_entries ORDER BY position")
        assert entries == [bytes(row["entry"]) for row in kept]
        on_the_queue = [message["id"] for message in await onward.messages("AUDIT")]
        assert [json.loads(entry)["id"] for entry in entries] == on_the_queue


async def test_what_was_cleared_away_is_published_again(settings: Settings) -> None:
    async with system(settings) as onward:
        await grow(onward, 1)
        before = await published(onward)
        shutil.rmtree(settings.log_folder)
        assert (await published(onward)).checkpoint == before.checkpoint
        await grow(onward, 2)
        await published(onward)
        assert await signed_log_problems(onward.world.database, settings) == []


@ONE_STORE
@pytest.mark.parametrize("lost", ["nothing else", "the folder", "what lies beside the key"])
async def test_a_store_that_was_put_back_from_an_old_copy_is_not_signed_and_everybody_is_told(
    settings: Settings, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = settings.data_dir / "old.db"
    async with system(settings) as onward:
        await grow(onward, 1)
        await published(onward)
        await asyncio.to_thread(_copy, settings.sqlite_file, old)
        await grow(onward, 2)
        signed = (await published(onward)).checkpoint
    _put_back(old, settings.sqlite_file)
    if lost == "the folder":
        shutil.rmtree(settings.log_folder)
    if lost == "what lies beside the key":
        memory_of(settings.log_key).unlink()
    before = await Typed(settings, WallClock(), monkeypatch).onward("status", "--json")
    assert f"and {signed.size} were signed" in before.output, "before anything is started on it"
    async with system(settings) as onward:
        await until(lambda: alarmed(onward, "signing", "entries and"))
        await grow(onward, 3, 4)
        assert await onward.count("log_entries") > signed.size
        await until(lambda: alarmed(onward, "signing", "not those that were signed"))
        kept = await onward.rows("SELECT max(size) AS size FROM log_checkpoints")
        assert kept[0]["size"] < signed.size, "nothing was signed"
        answer = await _ready(onward)
        assert not answer["ready"]
        assert "not signed any further" in str(answer["why"])
        state = await onward.world.database.read(lambda c: state_of_the_store(c, WallClock().now()))
        assert "signing" in [alarm["name"] for alarm in state["log"]["alarms"]]
        shown = settings.log_folder / "checkpoint"
        if lost != "the folder":
            assert Checkpoint.parse(Note.parse(shown.read_bytes()).text) == signed, "nor is an older one published"


@ONE_STORE
async def test_what_an_old_copy_lacks_is_put_back_from_what_was_published(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings.model_copy(update={"lease_seconds": 0.5})
    old, older = settings.data_dir / "old.db", settings.data_dir / "older.db"
    here = Typed(settings, WallClock(), monkeypatch)
    async with system(settings) as onward:
        await asyncio.to_thread(_copy, settings.sqlite_file, older)
        await grow(onward, 1)
        await published(onward)
        await asyncio.to_thread(_copy, settings.sqlite_file, old)
        await grow(onward, *range(2, 8))
        signed = (await published(onward)).checkpoint
        assert "stop it first" in (await here.onward("audit", "restore")).output
    _put_back(older, settings.sqlite_file)
    await asyncio.sleep(2 * settings.lease_seconds)  # for the copy says that audit lives, in this very process
    for copy in (old, None):
        said = await here.onward("audit", "restore")
        assert said.exit_code == 0, said.output
        assert "entries put back" in said.output
        assert "onward audit reconcile" in " ".join(said.output.split())
        assert "restored" in (await here.onward("status", "--json")).output
        assert "nothing was missing" in (await here.onward("audit", "restore")).output
        if copy is not None:
            _put_back(copy, settings.sqlite_file)
    async with system(settings) as onward:
        await grow(onward, 20)
        assert (await published(onward)).checkpoint.size > signed.size
        assert await signed_log_problems(onward.world.database, settings) == []
        assert await onward.world.database.read(lambda c: log_problems(_rows(c))) == []
        assert await onward.rows("SELECT name FROM log_alarms") == [{"name": "restored"}], "until it is seen to"
        reconciled = await here.onward("audit", "reconcile")
        assert reconciled.exit_code == 1, "acts were lost with what the copy lacked"
        state = json.loads((await here.onward("status", "--json")).output)
        assert any("reconcile" in why for why in state["attention"])
        assert (await here.onward("audit", "restore", "--seen-to")).exit_code == 0
        assert await onward.rows("SELECT name FROM log_alarms") == []
    _put_back_forked(settings)
    said = await here.onward("audit", "restore")
    assert said.exit_code == 2
    assert "does not begin with the store's" in " ".join(said.output.split())


def _put_back(copy: Path, store: Path) -> None:
    for file in store.parent.glob(f"{store.name}*"):
        file.unlink()
    copy.rename(store)


def _put_back_forked(settings: Settings) -> None:
    """A store whose last entry is another one than was signed."""
    with closing(sqlite3.connect(settings.sqlite_file)) as connection:
        level, number, hashes = connection.execute(
            "SELECT level, number, hashes FROM log_tiles WHERE level = 0 ORDER BY number DESC LIMIT 1"
        ).fetchone()
        changed = hashes[:-1] + bytes([hashes[-1] ^ 1])
        connection.execute("UPDATE log_tiles SET hashes = ? WHERE level = ? AND number = ?", (changed, level, number))
        connection.commit()


def _rows(connection: Connection) -> Rows:
    return lambda query: [dict(row) for row in connection.execute(text(query)).mappings()]


def _copy(store: Path, copy: Path) -> None:
    """As docs/running.md says that copies are made."""
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


async def _ready(onward: System) -> dict[str, object]:
    reply = await onward.connection.request(ready_subject("audit"), b"", timeout=5)
    answer: dict[str, object] = json.loads(reply.data)
    return answer


async def test_entries_wait_where_the_tree_is_damaged_and_none_is_passed_over(settings: Settings) -> None:
    async with system(settings) as onward:
        await grow(onward, 1)
        before = (await published(onward)).checkpoint.size
        [tile] = await onward.rows("SELECT hashes FROM log_tiles WHERE level = 0 AND number = 0")
        mend = text("UPDATE log_tiles SET hashes = :hashes WHERE level = 0 AND number = 0")
        await onward.world.database.write(lambda c: c.execute(mend, {"hashes": bytes(tile["hashes"])[:32]}))
        await onward.publish(referral_of(2))
        await until(lambda: alarmed(onward, "appending", "tree is damaged"))
        assert "tree is damaged" in str((await _ready(onward))["why"])
        assert await onward.count("log_entries") == before
        assert await onward.count("audit_entries") > 0
        await onward.world.database.write(lambda c: c.execute(mend, {"hashes": bytes(tile["hashes"])}))
        await onward.settle()
        assert (await published(onward)).checkpoint.size > before
        assert not await onward.rows("SELECT why FROM log_alarms")
