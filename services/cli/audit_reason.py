"""The reason of an entry that holds a commitment to it, opened for whoever may know it. That it was is entered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from schemas.log.reason import Reason
from services.cli import terminal
from services.cli.consulting import Looker, Seen, look
from services.ground.entry_texts import EntryText, entry_texts
from services.ground.migration import require_schema
from services.ground.world import open_store


async def reason_of(entry: bytes, who: Looker) -> Reason:
    """What was written for this entry, with its key. Ends the command where there is none to be shown."""
    data: dict[str, Any] = orjson.loads(entry)["data"]
    entry_id = str(data["entry_id"])
    if "justification" in data:
        terminal.fail("its reason stands in the entry itself: onward audit show")
    if "justification_commitment" not in data:
        terminal.fail("no human's reason was entered with it", code=terminal.NEEDS_ATTENTION)

    def seen(found: EntryText | None) -> Iterable[Seen]:
        if found is not None and found.key is not None:
            yield Seen(data.get("person_id"), [("log_entry", entry_id)], ["justification"], "audit")

    async with open_store(terminal.settings()) as database:
        await database.read(require_schema)
        found = await look(database, who, lambda c: entry_texts(c, [entry_id]).get(entry_id), seen)
    if found is None:
        terminal.fail("what was written for it is not kept here", code=terminal.NEEDS_ATTENTION)
    if found.key is None:
        terminal.fail("the person is erased: nobody can show the reason any more", code=terminal.NEEDS_ATTENTION)
    return Reason(entry_id, found.text, found.key)
