"""Mistakes in how the audit log takes its entries, how its tree grows with them, and how it is given out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pytest
from nats.js import JetStreamContext
from sqlalchemy import Connection

from services.audit import appending, giving_out, store, tree
from services.audit.appending import Appender
from services.audit.giving_out import LogQueue
from services.ground.handler import Hands
from services.ground.publisher import Publisher
from tests.sim.loop import current

Patch = pytest.MonkeyPatch


def tile_kept_in_memory(patch: Patch) -> None:
    """The last tile is read once, and from then on it is as it was written last, also where that was rolled back."""
    read, write = store.tile, store.keep_tiles
    kept: dict[tuple[int, int, int], bytes] = {}

    def remembered(connection: Connection, level: int, number: int) -> bytes | None:
        found = kept.get((id(current()), level, number))
        return found if found is not None else read(connection, level, number)

    def noting(connection: Connection, tiles: Sequence[Mapping[str, object]]) -> None:
        for tile in tiles:
            level, number, hashes = tile["level"], tile["number"], tile["hashes"]
            assert isinstance(level, int)
            assert isinstance(number, int)
            assert isinstance(hashes, bytes)
            kept[id(current()), level, number] = hashes
        write(connection, tiles)

    patch.setattr(store, "tile", remembered)
    patch.setattr(store, "keep_tiles", noting)


def entry_without_its_leaf(patch: Patch) -> None:
    """The tree grows when there is something to be proved, that is when there are several entries."""
    grow = tree.append

    def only_several(connection: Connection, size: int, entries: Sequence[bytes]) -> None:
        if len(entries) > 1:
            grow(connection, size, entries)

    patch.setattr(tree, "append", only_several)


def leaf_of_what_was_read(patch: Patch) -> None:
    """The leaf is made of the entry read and written again, and not of its bytes as they are kept."""
    grow = tree.append

    def rewritten(connection: Connection, size: int, entries: Sequence[bytes]) -> None:
        grow(connection, size, [entry.replace(b'":', b'": ') for entry in entries])

    patch.setattr(tree, "append", rewritten)


def taken_out_first(patch: Patch) -> None:
    """What waits is taken out in one transaction, and appended in the next one."""

    async def in_two(self: Appender, hands: Hands) -> None:
        taken: list[bytes] = []
        await hands.write(lambda work: taken.extend(store.take_waiting(work.connection, appending.PAGE)))
        await hands.write(lambda work: appending.append(work.connection, taken))

    patch.setattr(Appender, "_append", in_two)


def given_out_before_it_was_sent(patch: Patch) -> None:
    """How far the log is given out is noted first, and then it is sent."""
    publish = Publisher.publish

    async def noted(self: LogQueue, hands: Hands) -> None:
        if self._publisher is None:
            self._publisher = Publisher(hands.connection, timeout_seconds=2)
            await self._publisher.start()
        await self._went_back(hands)
        while (owed := await self._world.database.read(giving_out._owed)).messages:
            end = owed.given._replace(position=owed.given.position + len(owed.messages))
            await hands.write(lambda work, g=end: store.note_given(work.connection, g))  # type: ignore[misc]
            await publish(self._publisher, owed.messages)

    patch.setattr(LogQueue, "act", noted)


def queue_that_loses_nothing(patch: Patch) -> None:
    """What the broker confirmed of the log is there for ever."""

    async def always(js: JetStreamContext, page: store.Given, *, first: int) -> bool:
        return True

    patch.setattr(giving_out, "_keeps", always)


PLANTS: Final = (
    tile_kept_in_memory,
    entry_without_its_leaf,
    leaf_of_what_was_read,
    taken_out_first,
    given_out_before_it_was_sent,
    queue_that_loses_nothing,
)
