"""Opens what rows hold sealed, whatever statement they were read by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Column, Connection, Executable

from services.ground.keys import keyring_of
from services.ground.sealing import ERASED, READ, Erased, Form, Sealed, name_in, without_mark


class _Part(NamedTuple):
    name: str  # of the column among those of the statement
    place: str
    key: tuple[str, ...]  # the names of what makes the row's primary key
    form: Form


def opened(
    connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]], *, gently: bool = False
) -> list[dict[str, Any]]:
    """Rows of a statement with what is sealed in them opened, each by its key, in place.

    A statement that reads a sealed column reads its row's primary key as well. Raises Erased, or `gently` gives ERASED
    in place of what is gone.
    """
    found = cast("list[dict[str, Any]]", rows)
    parts = _parts(statement)
    if not parts or not found:
        return found
    names = [{part.name: name_in(row[part.name]) for part in parts if row[part.name] is not None} for row in found]
    keyring = keyring_of(connection)
    keyring.need(connection, {name for of in names for name in of.values() if name is not None})
    for row, of in zip(found, names, strict=True):
        for name, place, key, form in parts:
            if name not in of:
                continue
            by = of[name]
            if by is None:
                row[name] = READ[form](without_mark(row[name]))
                continue
            try:
                opens = keyring.key(connection, by)
            except Erased:
                if not gently:
                    raise
                row[name] = ERASED
                continue
            at = place + "/".join([str(row[column]) for column in key])
            row[name] = READ[form](opens.open(row[name], at.encode()))
    return found


def read_gently(connection: Connection, statement: Executable) -> list[dict[str, Any]]:
    """Rows of a statement for people to read: opened, and ERASED in place of what is gone."""
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    return opened(connection, statement, rows, gently=True)


@lru_cache(maxsize=512)
def _parts(statement: Executable) -> tuple[_Part, ...]:
    parts: list[_Part] = []
    columns = list(getattr(statement, "selected_columns", ()))
    for column in columns:
        if not isinstance(column.type, Sealed):
            continue
        of = next(iter(column.base_columns))
        assert isinstance(of, Column), column
        table = of.table
        key = tuple(str(there.name) for pk in table.primary_key for there in columns if pk in there.base_columns)
        assert len(key) == len(table.primary_key), f"read the primary key of {table.name} beside {of.name}"
        parts.append(_Part(str(column.name), f"{table.name}.{of.name}/", key, column.type.form))
    return tuple(parts)
