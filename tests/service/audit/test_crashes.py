"""Whatever dies when: what is signed and published goes together at any moment, and is finished afterwards."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert

from services.audit import publishing, signing, store, tree
from services.audit.files import write_whole
from services.audit.keys import KeyUnusable, LogKeys, make_first_key, read_keys, remember_signed
from services.audit.publishing import LogFiles
from services.audit.signing import HistoryForked, Signer
from services.ground.clock import WallClock
from services.ground.database import Database, open_database
from services.ground.handler import Write
from services.ground.settings import Settings
from services.ground.work import Work
from services.ground.world import World
from tests.support.log_checks import outside_problems, signed_log_problems

CLOCK = WallClock()
GROWTH = (1, 40)  # entries before each death: within a tile, and now and then across its end


class Died(BaseException):
    """As by SIGKILL: nothing is tidied up by us, though by Python."""


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    database = await open_database(settings)
    make_first_key(settings.log_key, settings.log_origin, signed_before=False)
    yield World(settings, CLOCK, database, "")
    await database.close()


def grow(connection: Connection, count: int) -> None:
    """So many entries more, and their part of the tree."""
    size = store.length(connection)
    rows = [_row(position) for position in range(size, size + count)]
    connection.execute(insert(store.log_entries), rows)
    tree.append(connection, size, [row["entry"] for row in rows])


def _row(position: int) -> dict[str, Any]:
    digest = hashlib.sha256(b"%d" % position).hexdigest()
    entry = b'{"entry":"%s"}' % digest.encode()
    return {
        "position": position,
        "entry_id": digest,
        "operation": "alter",
        "person_id": None,
        "correlation_id": digest,
        "at": CLOCK.now(),
        "entry": entry,
    }


def writing(database: Database) -> Write:
    """What a duty is given by the consumer, where nobody else has the partition."""

    async def write(act: Callable[[Work], None]) -> None:
        await database.write(lambda c: act(Work(c, service="audit", now=CLOCK.now())))

    return write


async def sign_and_publish(world: World) -> None:
    """As one process does that has just begun."""
    await Signer(world).act(writing(world.database))
    await LogFiles(world).act(writing(world.database))


@contextmanager
def dying_at(number: int) -> Iterator[list[str]]:
    """Die at the n-th call that changes the disk or the store. Yields the calls that were made."""
    made: list[str] = []

    def counted(name: str, call: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
        def step(*args: Any, **named: Any) -> Any:
            result = call(*args, **named) if after else None
            made.append(name)
            if len(made) == number:
                raise Died(name)
            return result if after else call(*args, **named)

        return step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", counted("fsync", os.fsync))
        patch.setattr(os, "open", counted("open", os.open))
        patch.setattr(Path, "replace", counted("replace", Path.replace))
        patch.setattr(Path, "mkdir", counted("mkdir", Path.mkdir))
        patch.setattr(signing, "remember_signed", counted("remembered", remember_signed, after=True))
        patch.setattr(publishing, "write_whole", counted("published", write_whole, after=True))
        patch.setattr(store, "keep_checkpoint", counted("kept", store.keep_checkpoint))
        patch.setattr(store, "keep_key", counted("key kept", store.keep_key))
        yield made


async def test_a_process_that_dies_at_any_step_leaves_what_goes_together_and_the_next_one_ends_it(world: World) -> None:
    deaths = 0
    for count in GROWTH:
        number = 1
        while True:
            await world.database.write(lambda c, n=count: grow(c, n))  # type: ignore[misc]
            with dying_at(number) as made:
                try:
                    await sign_and_publish(world)
                except Died:
                    deaths += 1
            assert await outside_problems(world.database, world.settings) == [], (number, made[-1])
            if len(made) < number:
                break
            await sign_and_publish(world)
            assert await signed_log_problems(world.database, world.settings) == [], (number, made[-1])
            number += 1
    kept = {path.parent.name for path in world.settings.log_folder.glob("tile/entries/*.p/*")}
    assert len(kept) == 1, "no partial bundle is left beside a full one"
    print(f"{deaths} deaths on {world.database.dialect}")  # noqa: T201
    assert deaths > 40


async def test_the_same_check_sees_a_checkpoint_that_is_published_before_its_tiles(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hasty(self: LogFiles, size: int) -> None:
        newest = await world.database.read(store.newest_checkpoint)
        assert newest is not None
        await self._write_checkpoint(newest["size"], bytes(newest["note"]))
        await write_tiles(self, size)

    write_tiles = LogFiles._write_tiles
    monkeypatch.setattr(LogFiles, "_write_tiles", hasty)
    await world.database.write(lambda c: grow(c, 3))
    await Signer(world).act(writing(world.database))
    world.settings.log_folder.mkdir()
    seen = []
    for number in range(1, 12):
        with dying_at(number), pytest.raises(Died):
            await LogFiles(world).act(writing(world.database))
        seen += await outside_problems(world.database, world.settings)
    assert any(problem.startswith("published: tile/") for problem in seen), seen


async def test_the_same_check_sees_a_checkpoint_that_is_signed_before_its_entries_are_committed(world: World) -> None:
    class Undone(Exception):
        """The transaction comes to nothing."""

    class Hasty:
        """Lets the signer read in the transaction that adds the entries, which then fails."""

        dialect = world.database.dialect

        async def read(self, body: Callable[[Connection], Any]) -> Any:
            found: list[Any] = []

            def within(connection: Connection) -> None:
                grow(connection, 5)
                found.append(body(connection))
                raise Undone

            with pytest.raises(Undone):
                await world.database.write(within)
            return found[0]

    await world.database.write(lambda c: grow(c, 3))
    hasty = World(world.settings, CLOCK, Hasty(), "")  # type: ignore[arg-type]
    await Signer(hasty).act(writing(world.database))
    problems = await outside_problems(world.database, world.settings)
    assert problems == ["the checkpoint beside the key is over 8 entries and there are 3"]


async def test_the_same_check_sees_a_file_that_was_changed(world: World) -> None:
    await world.database.write(lambda c: grow(c, 300))
    await sign_and_publish(world)
    folder = world.settings.log_folder
    for path in ("tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"):
        content = (folder / path).read_bytes()
        (folder / path).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert await outside_problems(world.database, world.settings) != [], path
        (folder / path).write_bytes(content)
    assert await outside_problems(world.database, world.settings) == []


async def test_a_signer_at_rest_reads_nothing_again_until_something_has_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def counted(file: Path) -> LogKeys:
        read.append(file)
        return read_keys(file)

    async def times() -> int:
        read.clear()
        for _ in range(3):
            await signer.act(writing(world.database))
        return len(read)

    monkeypatch.setattr(signing, "read_keys", counted)
    signer, key = Signer(world), world.settings.log_key
    await world.database.write(lambda c: grow(c, 3))
    assert await times() == 2, "once to sign, once to see that it is done"
    assert await times() == 0
    await LogFiles(world).act(writing(world.database))
    assert await times() == 1, "there is another checkpoint to be held against"
    key.chmod(0o604)
    with pytest.raises(KeyUnusable):
        await times()
    with pytest.raises(KeyUnusable):
        await times()
    key.chmod(0o600)
    assert await times() == 1
    await world.database.write(lambda c: grow(c, 1))
    assert await times() == 2
    await world.database.write(lambda c: c.execute(delete(store.log_entries).where(store.log_entries.c.position > 1)))
    with pytest.raises(HistoryForked):
        await times()
