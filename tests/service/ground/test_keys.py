"""Keys of persons: there before anything is sealed with them, handed out once, and gone everywhere once destroyed."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.exc import StatementError

from schemas.vocabulary import AuditOperation
from services.ground import tables
from services.ground.database import Database, open_database
from services.ground.entry_texts import entry_texts
from services.ground.keys import (
    BLOCK,
    INDEX,
    KeyLost,
    KeysRunOut,
    destroy,
    destroy_what_came_back,
    make_ahead,
    make_keys,
)
from services.ground.migration import keep_keys, require_schema, upgrade_schema
from services.ground.opening import read_gently
from services.ground.sealing import ERASED, Erased, NotOpened, NotSealed, PersonKey, name_in
from services.ground.settings import Settings
from services.ground.sql import select_in
from services.ground.work import Work

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
TEXT = b"he was low at Christmas"
QUARANTINED = {
    "service": "s", "stream": "s", "subject": "s", "digest": "d", "reason": "r", "problems": [], "quarantined_at": NOW,
}  # fmt: skip
_aside = tables.quarantine.c
ROWS = select(tables.quarantine)


def _work(connection: Connection) -> Work:
    return Work(connection, service="router", now=NOW)


async def _person(database: Database) -> str:
    await make_ahead(database, 1, NOW)
    return await database.write(lambda c: _work(c).new_person())


async def _keep(database: Database, person: str, id_: str) -> None:
    """A row of this person."""

    def body(connection: Connection) -> None:
        sealed = _work(connection).seal(person, _aside.raw, id_, TEXT)
        connection.execute(insert(tables.quarantine), {**QUARANTINED, "id": id_, "delivery": id_, "raw": sealed})

    await database.write(body)


async def _read(database: Database) -> list[Any]:
    return [row["raw"] for row in await database.read(lambda c: read_gently(c, ROWS.order_by(_aside.id)))]


async def _strictly(database: Database) -> list[Any]:
    """As the services read."""
    rows = await database.read(lambda c: select_in(c, ROWS, (_aside.id,), [("one",), ("two",)]))
    return [row["raw"] for row in rows]


async def test_what_is_sealed_is_read_by_its_key_and_stands_nowhere_in_clear(database: Database) -> None:
    person = await _person(database)
    await _keep(database, person, "one")
    assert await _read(database) == await _strictly(database) == [TEXT]
    kept = await database.read(lambda c: c.execute(select(_aside.raw)).scalar_one())
    assert TEXT not in kept
    assert name_in(kept) == person, "it says by which key it opens"


async def test_a_value_that_was_moved_or_changed_does_not_open(database: Database) -> None:
    person = await _person(database)
    await _keep(database, person, "one")
    await _keep(database, person, "two")
    kept = await database.read(lambda c: c.execute(select(_aside.raw).where(_aside.id == "one")).scalar_one())
    for wrong in (kept, kept[:-1] + bytes([kept[-1] ^ 1])):
        await database.write(lambda c, w=wrong: c.execute(update(tables.quarantine).values(raw=w)))  # type: ignore[misc]
        with pytest.raises(NotOpened, match=r"quarantine.raw/"):
            await _read(database)


async def test_what_is_not_sealed_never_reaches_a_sealed_column_nor_an_error(database: Database) -> None:
    row = {**QUARANTINED, "id": "one", "delivery": "one", "raw": TEXT}
    with pytest.raises(StatementError) as refused:
        await database.write(lambda c: c.execute(insert(tables.quarantine), row))
    assert isinstance(refused.value.orig, NotSealed)
    assert TEXT.decode() not in str(refused.value), "an error goes to logs"


async def test_a_destroyed_key_erases_all_that_is_its_persons_in_every_process(
    database: Database, settings: Settings
) -> None:
    person, other = await _person(database), await _person(database)
    await _keep(database, person, "one")
    await _keep(database, other, "two")
    elsewhere = await open_database(settings)  # as another process, which has the key at hand
    try:
        assert await _read(elsewhere) == [TEXT, TEXT]
        assert await database.write(lambda c: destroy(c, [person], NOW)) == [person]
        assert await database.write(lambda c: destroy(c, [person], NOW)) == [], "once"
        for each in (database, elsewhere):
            assert await _read(each) == [ERASED, TEXT]
            with pytest.raises(Erased):
                await _strictly(each)
            with pytest.raises(Erased):
                await _keep(each, person, "three")
    finally:
        await elsewhere.close()


async def test_a_key_that_is_back_from_a_backup_opens_nothing_and_is_destroyed_again(database: Database) -> None:
    person = await _person(database)
    await _keep(database, person, "one")
    query = select(tables.person_keys).where(tables.person_keys.c.name == person)
    row = await database.read(lambda c: dict(c.execute(query).mappings().one()))
    await database.write(lambda c: destroy(c, [person], NOW))
    await database.write(lambda c: c.execute(insert(tables.person_keys), row))
    assert await _read(database) == [ERASED]
    assert await database.write(destroy_what_came_back) == 1
    assert await database.write(destroy_what_came_back) == 0


async def test_a_key_that_is_lost_is_no_erasure_and_stops_who_meets_it(database: Database, settings: Settings) -> None:
    person = await _person(database)
    await _keep(database, person, "one")
    await database.write(lambda c: c.execute(delete(tables.person_keys).where(tables.person_keys.c.name == person)))
    elsewhere = await open_database(settings)
    try:
        with pytest.raises(KeyLost, match="restore the keys"):
            await _read(elsewhere)
    finally:
        await elsewhere.close()


@pytest.mark.empty_store
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_store_without_its_keys_file_is_refused_and_given_no_new_one(settings: Settings) -> None:
    opened = await open_database(settings)
    await opened.write(keep_keys)
    await opened.write(upgrade_schema)
    await opened.close()
    for file in settings.data_dir.glob("keys.db*"):
        file.unlink()
    opened = await open_database(settings)
    try:
        for look in (require_schema, keep_keys):
            with pytest.raises(KeyLost):
                await opened.write(look)
    finally:
        await opened.close()


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_the_keys_file_is_its_owners_alone(database: Database, settings: Settings) -> None:
    await _person(database)
    assert {oct(file.stat().st_mode & 0o777) for file in settings.data_dir.glob("keys.db*")} == {"0o600"}


async def test_no_key_is_handed_out_twice_whoever_asks_and_whatever_is_rolled_back(
    database: Database, settings: Settings
) -> None:
    elsewhere = await open_database(settings)
    given: list[str] = []

    async def ask(which: Database, fail: bool) -> None:
        def body(connection: Connection) -> None:
            work = _work(connection)
            given.extend(work.new_person() for _ in range(50))
            if fail:
                raise RuntimeError

        await make_ahead(which, 50, NOW)
        try:
            await which.write(body)
        except (RuntimeError, KeysRunOut):  # others took them in the meantime
            await asyncio.sleep(0)

    try:
        await asyncio.gather(*(ask(which, fail=n % 3 == 0) for n in range(20) for which in (database, elsewhere)))
    finally:
        await elsewhere.close()
    assert len(given) == len(set(given)) > 4 * BLOCK
    there = set(await database.read(lambda c: c.execute(select(tables.person_keys.c.name)).scalars().all()))
    assert set(given) <= there - {INDEX}, "each is kept"


async def test_when_keys_run_out_the_transaction_fails_and_more_are_made_for_the_next(database: Database) -> None:
    many = 3 * BLOCK

    def body(connection: Connection) -> list[str]:
        work = _work(connection)
        return [work.new_person() for _ in range(many)]

    tries = 0
    while True:
        tries += 1
        await make_ahead(database, 1, NOW)
        try:
            assert len(set(await database.write(body))) == many
            break
        except KeysRunOut:
            assert tries < 10
    assert tries > 1


async def test_a_forked_process_hands_out_none_of_its_parents_keys(database: Database) -> None:
    await make_ahead(database, 1, NOW)
    keyring = database.keyring
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, keyring.next().name.encode())
        except KeysRunOut:
            os.write(writing, b"none")
        os._exit(0)
    await asyncio.to_thread(os.waitpid, child, 0)
    assert os.read(reading, 100) == b"none"
    assert keyring.next().name


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_key_is_kept_before_anything_that_needs_it_is_committed(database: Database, settings: Settings) -> None:
    """SQLite commits one file after the other, so what a crash between the two leaves is looked at: the first alone."""
    person = await _person(database)
    seen: list[bool] = []

    def body(connection: Connection) -> None:
        _work(connection).seal(person, _aside.raw, "one", TEXT)
        beside = sqlite3.connect(settings.keys_file)
        try:
            found = beside.execute("SELECT count(*) FROM person_keys WHERE name = ?", [person]).fetchone()
            seen.append(found == (1,))
        finally:
            beside.close()

    await database.write(body)
    assert seen == [True]


@pytest.mark.empty_store
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_process_that_dies_leaves_unused_keys_and_nothing_that_lacks_one(settings: Settings) -> None:
    for _ in range(3):  # lives
        life = await open_database(settings)
        await life.write(keep_keys)
        await life.write(lambda c: None if c.execute(_HAS_SCHEMA).scalar() else upgrade_schema(c))
        await _keep(life, await _person(life), os.urandom(4).hex())
        await life.close()
    opened = await open_database(settings)
    try:
        assert await _read(opened) == [TEXT] * 3
        assert await opened.read(lambda c: c.execute(text("SELECT count(*) FROM keys.person_keys")).scalar_one()) == (
            1 + 3 * BLOCK
        )
    finally:
        await opened.close()


_HAS_SCHEMA = text("SELECT 1 FROM sqlite_master WHERE name = 'quarantine'")


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_of_a_destroyed_key_nothing_is_left_in_any_file(database: Database, settings: Settings) -> None:
    person = await _person(database)
    await database.write(lambda c: _work(c).seal(person, _aside.raw, "one", TEXT))
    query = select(tables.person_keys.c.key).where(tables.person_keys.c.name == person)
    secret = await database.read(lambda c: bytes(c.execute(query).scalar_one()))
    assert _files_with(secret, settings) != []
    await database.write(lambda c: destroy(c, [person], NOW))
    await database.scrub_keys()
    assert _files_with(secret, settings) == []
    await _person(database)  # and it goes on


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_of_keys_destroyed_in_any_order_nothing_is_left_whatever_pages_were_joined_meanwhile(
    database: Database, settings: Settings
) -> None:
    made = [key for _ in range(8) for key in await database.write(lambda c: make_keys(c, BLOCK, NOW))]
    random.Random(1).shuffle(made)
    while len(made) > BLOCK:
        gone, made = made[:240], made[240:]
        names = [name for name, _ in gone]
        await database.write(lambda c, names=names: destroy(c, names, NOW))  # type: ignore[misc]
        await database.scrub_keys()
        held = settings.keys_file.read_bytes()
        assert [name for name, secret in gone if secret in held] == []
        assert all(secret in held for _, secret in made)


async def test_scrubbing_leaves_the_other_keys(database: Database) -> None:
    person, other = await _person(database), await _person(database)
    await _keep(database, other, "one")
    await database.write(lambda c: destroy(c, [person], NOW))
    await database.scrub_keys()
    assert await _read(database) == [TEXT]


def _files_with(secret: bytes, settings: Settings) -> list[str]:
    return [file.name for file in settings.data_dir.iterdir() if file.is_file() and secret in file.read_bytes()]


async def test_what_a_human_wrote_for_the_log_is_committed_to_and_goes_with_the_person(database: Database) -> None:
    person = await _person(database)

    def body(connection: Connection) -> tuple[str, bytes]:
        work = _work(connection)
        work.audit(
            AuditOperation.ALTER,
            actor={},
            purpose="p",
            correlation_id="c",
            records=(),
            person_id=person,
            wrote="She asked for it.",
        )
        work.finish()
        [entry] = work.entered
        return orjson.loads(entry)["id"], entry

    entry_id, payload = await database.write(body)
    assert b"She asked" not in payload
    assert b"justification_commitment" in payload
    assert (await database.read(lambda c: entry_texts(c, [entry_id])))[entry_id].text == "She asked for it."
    await database.write(lambda c: destroy(c, [person], NOW))
    assert (await database.read(lambda c: entry_texts(c, [entry_id])))[entry_id] == (ERASED, None)


def test_two_values_never_look_alike() -> None:
    key = PersonKey("01938f00-0000-7000-8000-00000000a001", b"k" * 32)
    assert len({key.seal(TEXT, b"place") for _ in range(1_000)}) == 1_000
