"""Opens what the store holds sealed, for tests that look into it by plain SQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Column, Connection, cast, insert, select
from sqlalchemy.types import LargeBinary

from services.ground import tables
from services.ground.keys import keyring_of
from services.ground.sealing import ERASED, Erased, Sealed, name_in, place_of, without_mark
from services.migrations.tables import metadata

KEY: Final = b"k" * 32  # of persons whom a test makes up
SEALED: Final[list[tuple[Column[Any], Sealed]]] = [
    (column, column.type)
    for table in metadata.tables.values()
    for column in table.columns
    if isinstance(column.type, Sealed)
]


def opened_row(connection: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of any query, with what is sealed in it opened: text and JSON as text, the rest as bytes."""
    return {name: _opened(connection, value) if _is_kept(value) else value for name, value in row.items()}


def _is_kept(value: object) -> bool:
    return isinstance(value, bytes) and value[:1] in (b"\x00", b"\x01")


def _opened(connection: Connection, kept: bytes) -> str | bytes:
    """A kept value, wherever it is kept: it is looked for, because plain SQL does not say where it came from."""
    name = name_in(kept)
    if name is None:
        return without_mark(kept)
    for column, kind in SEALED:
        query = select(*column.table.primary_key).where(cast(column, LargeBinary) == kept)
        for key in connection.execute(query):
            try:
                found = keyring_of(connection).key(connection, name).open(kept, place_of(column, *key))
            except Erased:
                return ERASED
            return found if kind.form == "bytes" else found.decode()
    raise AssertionError("a sealed value that is in no row")


def make_known(connection: Connection, *persons: str) -> None:
    """Give these persons keys, as intake has those whom it makes."""
    rows = [{"name": person, "key": KEY, "made_at": datetime(2026, 1, 1, tzinfo=UTC)} for person in persons]
    if rows:
        connection.execute(insert(tables.person_keys), rows)
