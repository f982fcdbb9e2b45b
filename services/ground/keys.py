"""The keys of persons: made ahead, kept apart from all else, known to a process for as long as they are there.

On SQLite they are in a file of their own, which commits after the other one: so a key must be kept before anything is
sealed with it. That is why they are made ahead, in a transaction of their own, and why a new person's id is the name of
a key that was there before them (decision record 0014).
"""

from __future__ import annotations

import base64
import hmac
import os
import threading
import weakref
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
from sqlalchemy import Connection, Text, bindparam, delete, exists, func, insert, inspect, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSchema

from services.ground import tables
from services.ground.bulk import insert_many
from services.ground.driver import rows_of
from services.ground.errors import StoreUnusable
from services.ground.ids import ids_at, milliseconds_of
from services.ground.sealing import KEY_BYTES, Erased, PersonKey

INDEX: Final = "index"  # the name of the secret that makes what is looked up unguessable
BLOCK: Final = 256  # keys that are made at once, at least
KEYS_A_MESSAGE: Final = 4  # at most: of a new person, and of each way in which a message is set aside
KEPT_READY: Final = 20_000  # persons whose key a process has at hand: twice so many at most, about 1 KB each

_key, _gone = tables.person_keys.c, tables.erased_keys.c
_STANDS = ~exists().where(_gone.name == _key.name)  # a tombstone counts, also where its key came back from a backup
_NAMES = {
    "sqlite": select(func.json_each(bindparam("names")).table_valued("value").c.value),
    "postgresql": select(func.unnest(bindparam("names", type_=postgresql.ARRAY(Text))).column_valued("name")),
}
_LOAD = {d: select(_key.name, _key.key).where(_key.name.in_(names), _STANDS) for d, names in _NAMES.items()}
_WHETHER_ERASED = select(_gone.name).where(_gone.name == bindparam("name"))
_NEWEST = select(func.max(_gone.number).label("newest"))
_SINCE = select(_gone.name).where(_gone.number > bindparam("seen"))
_ONE = select(_key.key).where(_key.name == bindparam("name"))

_KEYRING, _CHECKED = "onward_keyring", "onward_erasures_checked"  # what a connection of the store carries


class KeyLost(StoreUnusable):
    """A key is not there, and nobody erased it."""

    def __init__(self) -> None:
        super().__init__(
            "a person's key is missing though they were not erased; restore the keys (keys.db, or the schema `keys`) "
            "from their newest backup"
        )


class KeysRunOut(Exception):
    """More keys were needed in one transaction than were made ahead: it is done again, with more."""


class Holder(Protocol):
    """A store, as far as its keys go: `services.ground.database.Database` is one."""

    keyring: Keyring

    async def write(self, body: Any) -> Any:
        """Run `body` in one transaction."""
        ...


class Keyring:
    """The keys that one process has at hand of one store. Its threads share it."""

    def __init__(self) -> None:
        self._new: dict[str, PersonKey] = {}  # used lately
        self._old: dict[str, PersonKey] = {}  # not since so many others were
        self._ahead: list[tuple[str, bytes]] = []  # kept, and not yet anybody's
        self._index: bytes | None = None
        self._erasures = 0  # the newest that this process has heard of
        self._spare = 0  # beyond what is asked for: they ran out before
        self._lock = threading.Lock()
        _keyrings.add(self)

    def key(self, connection: Connection, name: str) -> PersonKey:
        """The key of a person. Raises Erased where it was destroyed, KeyLost where it is gone otherwise."""
        checked = connection.info.get(_CHECKED)
        if checked is None or checked[0] is not connection.get_transaction():
            self._hear_of_erasures(connection)
        found = self._new.get(name)
        if found is None:
            found = self._load(connection, [name]).get(name)
        if found is not None:
            return found
        if rows_of(connection, _WHETHER_ERASED, {"name": name}):
            raise Erased
        raise KeyLost

    def need(self, connection: Connection, names: Collection[str]) -> None:
        """Have these at hand, by one question: those that are not there are told of when they are asked for."""
        missing = [name for name in names if name not in self._new]
        if missing:
            self._hear_of_erasures(connection)
            self._load(connection, missing)

    def hear_again(self, connection: Connection) -> None:
        """Hear of erasures that were committed since this transaction began: for who has just waited for a lock.

        Where there is one writer nobody waits within a transaction, and there is nothing to hear.
        """
        if connection.dialect.name != "sqlite":
            self._hear_of_erasures(connection)

    def fingerprint(self, connection: Connection, kind: str, value: str | bytes) -> str:
        """What stands for a value that is looked up and never read: the same for the same one, and not to be guessed.

        HMAC-SHA256 under a secret of this store, 43 letters of base64.
        """
        if self._index is None:
            self._index = index_of(connection)
        said = value if isinstance(value, bytes) else value.encode()
        made = hmac.digest(self._index, b"%b\0%b" % (kind.encode(), said), "sha256")
        return base64.urlsafe_b64encode(made)[:-1].decode()

    def next(self) -> PersonKey:
        """A key that is kept and was never handed out. Raises KeysRunOut."""
        try:
            name, secret = self._ahead.pop()
        except IndexError:
            self._spare = max(BLOCK, 2 * self._spare)
            raise KeysRunOut from None
        return self._keep(PersonKey(name, secret))

    def lacks(self, least: int) -> int:
        """How many keys are to be made so that at least so many are ahead; 0 for none."""
        wanted = least + self._spare
        return 0 if len(self._ahead) >= wanted else max(BLOCK, wanted)

    def take_in(self, made: Sequence[tuple[str, bytes]]) -> None:
        """These were made, and are kept."""
        self._ahead[:0] = reversed(made)  # those that were there before go first

    def forget(self, name: str) -> None:
        """It is destroyed."""
        with self._lock:
            self._new.pop(name, None)
            self._old.pop(name, None)

    def _keep(self, key: PersonKey) -> PersonKey:
        if len(self._new) >= KEPT_READY:
            with self._lock:
                self._old, self._new = self._new, {}
        self._new[key.name] = key
        return key

    def _load(self, connection: Connection, names: Sequence[str]) -> dict[str, PersonKey]:
        found: dict[str, PersonKey] = {}
        for name in names:
            if (kept := self._old.get(name)) is not None:
                found[name] = self._keep(kept)
        wanted = [name for name in names if name not in found]
        if not wanted:
            return found
        dialect = connection.dialect.name
        given = orjson.dumps(wanted).decode() if dialect == "sqlite" else wanted
        for row in rows_of(connection, _LOAD[dialect], {"names": given}):
            found[row["name"]] = PersonKey(row["name"], bytes(row["key"]))
        checked = connection.info[_CHECKED]
        with self._lock:
            # One that looked before somebody was erased must not bring their key back for those that look later.
            current = checked[1] == self._erasures
        if current:
            for key in found.values():
                self._keep(key)
        return found

    def _hear_of_erasures(self, connection: Connection) -> None:
        """Once a transaction: another process may have destroyed keys that are at hand here."""
        newest = rows_of(connection, _NEWEST, {})[0]["newest"] or 0
        if newest > self._erasures:
            gone = [row["name"] for row in rows_of(connection, _SINCE, {"seen": self._erasures})]
            with self._lock:
                for name in gone:
                    self._new.pop(name, None)
                    self._old.pop(name, None)
                self._erasures = max(self._erasures, newest)
        connection.info[_CHECKED] = (connection.get_transaction() or object(), newest)

    def forked(self) -> None:
        """This is a process that was forked: what is ahead is its parent's to hand out."""
        self._ahead = []
        self._lock = threading.Lock()


_keyrings: weakref.WeakSet[Keyring] = weakref.WeakSet()


def _forked() -> None:
    for keyring in _keyrings:
        keyring.forked()


os.register_at_fork(after_in_child=_forked)


def keyring_of(connection: Connection) -> Keyring:
    """The keys of the store that this is a connection to."""
    found = connection.info[_KEYRING]
    assert isinstance(found, Keyring)
    return found


def carry(info: dict[Any, Any], keyring: Keyring) -> None:
    """Have a connection, of which this is the `info`, know its store's keys."""
    info[_KEYRING] = keyring


async def make_ahead(database: Holder, least: int, now: datetime) -> None:
    """Have at least so many keys that are kept and nobody's yet."""
    count = database.keyring.lacks(least)
    if count:
        database.keyring.take_in(await database.write(lambda c: make_keys(c, count, now)))


def make_keys(connection: Connection, count: int, now: datetime) -> list[tuple[str, bytes]]:
    """Make keys, each under a new name. Nothing may be sealed with them before the commit."""
    names = ids_at(milliseconds_of(now), count)
    secrets = os.urandom(KEY_BYTES * count)
    made = [(name, secrets[KEY_BYTES * at : KEY_BYTES * (at + 1)]) for at, name in enumerate(names)]
    rows = [{"name": n, "key": k, "made_at": now} for n, k in made]
    insert_many(connection, ("insert", "person_keys"), tables.person_keys.insert, rows)
    return made


def destroy(connection: Connection, names: Sequence[str], now: datetime) -> list[str]:
    """Erase: destroy these keys for good, and note that they are. Returns those that were not destroyed before.

    What was sealed with them reads as erased from the commit on, in every process. On SQLite the old bytes are written
    over; `Database.scrub_keys` then clears them out of the log of writes.
    """
    newest = rows_of(connection, _NEWEST, {})[0]["newest"] or 0
    gone = {str(row.name) for row in connection.execute(select(_gone.name).where(_gone.name.in_(list(names))))}
    new = [name for name in dict.fromkeys(names) if name not in gone]
    # Two at once would take one number, and the second one fails and is done again.
    rows = [{"number": newest + place, "name": name, "at": now} for place, name in enumerate(new, 1)]
    if rows:
        connection.execute(insert(tables.erased_keys), rows)
    connection.execute(delete(tables.person_keys).where(_key.name.in_(list(names))))
    keyring = keyring_of(connection)
    for name in names:
        keyring.forget(name)
    return new


def destroy_what_came_back(connection: Connection) -> int:
    """Destroy keys of erased persons that are there again, by a backup or a crash between two files. Returns how many.

    Nobody could use them: a tombstone counts for more than a key.
    """
    return connection.execute(delete(tables.person_keys).where(_key.name.in_(select(_gone.name)))).rowcount


def make_keys_table(connection: Connection) -> None:
    """Make the table of keys where it is not there yet, and the secret of what is looked up.

    In a transaction of its own before the rest of the schema: on SQLite a crash between the two files must leave the
    keys behind, and not what needs them.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(CreateSchema("keys", if_not_exists=True))
    tables.person_keys.create(connection, checkfirst=True)
    if connection.dialect.name == "postgresql":  # its statistics would keep a sample of the keys, destroyed ones too
        connection.execute(text("ALTER TABLE keys.person_keys ALTER COLUMN key SET STATISTICS 0"))
    make_index(connection)


def make_index(connection: Connection) -> None:
    """Make the secret of what is looked up, once in a store's life."""
    if not rows_of(connection, _ONE, {"name": INDEX}):
        values = {"name": INDEX, "key": os.urandom(KEY_BYTES), "made_at": func.current_timestamp()}
        connection.execute(insert(tables.person_keys).values(values))


def require_keys(connection: Connection) -> None:
    """Raise KeyLost where the keys of this store are not there: a file that is missing is made anew, empty."""
    if not inspect(connection).has_table("person_keys", schema="keys"):
        raise KeyLost
    index_of(connection)


def index_of(connection: Connection) -> bytes:
    """The secret of what is looked up. Raises KeyLost."""
    found = rows_of(connection, _ONE, {"name": INDEX})
    if not found:
        raise KeyLost
    return bytes(found[0]["key"])
