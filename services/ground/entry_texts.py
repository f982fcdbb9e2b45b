"""What humans wrote for entries of the audit log, opened for whoever is entitled to it, and shown to fit the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from schemas.commitments import entry_key
from services.ground import tables
from services.ground.keys import keyring_of
from services.ground.sealing import ERASED
from services.ground.sql import select_in

_text = tables.entry_texts.c
_TEXTS = select(tables.entry_texts)


class EntryText(NamedTuple):
    """A text, and what shows that the log holds it: the entry has `schemas.commitments.commitment(key, text)`."""

    text: str  # ERASED where the person is
    key: bytes | None  # the entry's own, and none of another's; none where it is erased


def entry_texts(connection: Connection, entry_ids: Sequence[str]) -> dict[str, EntryText]:
    """What was written for these entries, by entry id; those for which nothing was written are not among it."""
    rows = select_in(connection, _TEXTS, (_text.entry_id,), [(id_,) for id_ in sorted(set(entry_ids))], gently=True)
    keyring = keyring_of(connection)
    found: dict[str, EntryText] = {}
    for row in rows:
        entry_id, text = str(row["entry_id"]), str(row["sealed"])
        key = None if text == ERASED else entry_key(keyring.key(connection, str(row["person_id"])).secret, entry_id)
        found[entry_id] = EntryText(text, key)
    return found
